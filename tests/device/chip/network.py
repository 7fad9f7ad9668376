"""Stands in for MicroPython's network module: a station that remembers what it did, and is connected to the networks in
`there`, none at first.

`fails` has the kind of error that each of its functions raises, by its name.
"""

import machine

connects = []
there = []  # (SSID, password)
fails = {}


def _do(what):
    machine.made.append("WLAN." + what)
    if what in fails:
        raise fails[what]("Wifi Unknown Error 0x0101")


class WLAN:
    IF_STA = 0

    def __init__(self, interface):
        assert interface == WLAN.IF_STA
        _do("WLAN")
        self.is_active = False
        self.joined = None

    def active(self, on):
        _do("active")
        self.is_active = on

    def isconnected(self):
        _do("isconnected")
        return self.joined in there

    def ifconfig(self):
        return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")

    def connect(self, ssid, key):
        _do("connect")
        assert self.is_active
        connects.append((ssid, key))
        self.joined = (ssid, key)

    def disconnect(self):
        _do("disconnect")
        self.joined = None

    def scan(self):
        _do("scan")
        assert self.is_active
        return [(ssid.encode(), bytes(6), 1, -60, 3 if key else 0, False) for ssid, key in there]
