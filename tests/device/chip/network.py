"""Stands in for MicroPython's network module: a station that is never connected, and remembers what it did.

`fails` has the kind of error that each of its functions raises, by its name.
"""

import machine

connects = []
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

    def active(self, on):
        _do("active")
        self.is_active = on

    def isconnected(self):
        _do("isconnected")
        return False

    def ifconfig(self):
        return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")

    def connect(self, ssid, key):
        _do("connect")
        assert self.is_active
        connects.append((ssid, key))

    def disconnect(self):
        _do("disconnect")
