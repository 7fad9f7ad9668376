"""Stands in for MicroPython's network module: a station that is never connected, and remembers what it joined."""

connects = []


class WLAN:
    IF_STA = 0

    def __init__(self, interface):
        assert interface == WLAN.IF_STA
        self.is_active = False

    def active(self, on):
        self.is_active = on

    def isconnected(self):
        return False

    def ifconfig(self):
        return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")

    def connect(self, ssid, key):
        assert self.is_active
        connects.append((ssid, key))

    def disconnect(self):
        pass
