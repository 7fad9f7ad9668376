"""A board for service starts in virtual time: a client on its serial port, the virtual board's radio, and a relay.

The client is written from the protocol's description alone (https://www.improv-wifi.com/serial/), so that it would not
share a mistake of the firmware.
"""

from boards.virtual.radio import Radio
from wattpact_meter.service import service

NETWORKS = {"house": "correct horse", "barn": "", "Ökostrom": "größer"}


def packet(kind, data, version=1):
    """A frame, as the protocol has it, with the newline that clients send."""
    whole = b"IMPROV" + bytes([version, kind, len(data)]) + data
    return whole + bytes([sum(whole) % 256]) + b"\n"


def rpc(command, payload=b""):
    return packet(3, bytes([command, len(payload)]) + payload)


def wifi(ssid, password):
    """The command that sends Wi-Fi settings."""
    return rpc(1, b"".join([bytes([len(one)]) + one for one in (ssid.encode(), password.encode())]))


def packets(data):
    """What a device sent: (type, data) of each packet, in order. Whatever else is in it is no concern of a client's."""
    found = []
    at = data.find(b"IMPROV")
    while at >= 0 and len(data) >= at + 9:
        end = at + 9 + data[at + 8]
        if data[at + 6] == 1 and len(data) > end and sum(data[at:end]) % 256 == data[end]:
            found.append((data[at + 7], data[at + 9 : end]))
        at = data.find(b"IMPROV", at + 6)
    return found


def scan(data):
    """The data of each command in bytes that have all come: at each place a frame, or a byte of none."""
    found, at = [], 0
    while at < len(data):
        head = data[at : at + 9]
        end = at + 10 + head[8] if len(head) == 9 else len(data) + 1
        is_frame = head[:8] == b"IMPROV\x01\x03" and end <= len(data) and head[8] <= 246
        if is_frame and sum(data[at : end - 1]) % 256 == data[end - 1]:
            found.append(data[at + 9 : end - 1])
            at = end
        else:
            at += 1
    return found


def strings(data):
    """(command, texts) of a result's data."""
    assert data[1] == len(data) - 2
    found, at = [], 2
    while at < len(data):
        found.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return data[0], found


class Serial:
    """incoming: what comes next, one piece at a reading; sent: all that was sent."""

    def __init__(self):
        self.incoming = []
        self.sent = b""

    def read(self):
        return self.incoming.pop(0) if self.incoming else b""

    def write(self, data):
        self.sent += data

    def take(self):
        """The packets since the last time."""
        found, self.sent = packets(self.sent), b""
        return found


class Relay:
    """It stays closed as often as it is `stuck`."""

    def __init__(self, closed=True, stuck=0):
        self.closed = closed
        self.stuck = stuck
        self.driven = []

    def drive(self, closed):
        self.driven.append(closed)
        if self.stuck:
            self.stuck -= 1
        else:
            self.closed = closed

    def sensed(self):
        return self.closed


class Board:
    """at: [(ms, what to call)], in order; time goes on with each sleep."""

    chip = "ESP32"

    def __init__(self, settings_path, at=(), networks=None):
        self.settings_path = settings_path
        self.serial = Serial()
        self.radio = Radio(NETWORKS if networks is None else networks)
        self.relay = Relay()
        self.events = []
        self.fed_ms = []
        self.now_ms = 5_000
        self._at = list(at)

    def uptime_ms(self):
        return self.now_ms

    def sleep_ms(self, pause_ms):
        self.now_ms += max(pause_ms, 50)  # fewer turns, and the same hour
        while self._at and self.now_ms >= 5_000 + self._at[0][0]:
            self._at.pop(0)[1](self)

    def feed(self):
        self.fed_ms.append(self.now_ms)
        del self.fed_ms[:-2]

    def report(self, event):
        self.events.append(event)

    def serve(self, reason="request"):
        """Why the service start ended, and after how many ms."""
        return service.serve(self, reason), self.now_ms - 5_000


def sends(data):
    """A client sends this."""
    return lambda board: board.serial.incoming.append(data)
