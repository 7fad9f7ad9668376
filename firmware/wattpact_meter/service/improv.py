"""Improv over serial: frames in both directions (https://www.improv-wifi.com/serial/). Bytes in, bytes out.

    frame = "IMPROV" | version 1 (1) | type (1) | length (1) | data | sum of all before, modulo 256 (1)
    data of a command or result = number (1) | length (1) | payload, which is texts: length (1), bytes

What always holds: at most FRAME_BYTES are kept, whatever comes; after noise, or a frame that is wrong or was cut, the
next one is found, also where it began within that; each rejection is counted.
"""

FRAME_BYTES = 256
STATE, ERROR, COMMAND, RESULT = 1, 2, 3, 4  # types
READY, PROVISIONING, PROVISIONED = 2, 3, 4  # states
NO_ERROR, INVALID, UNKNOWN_COMMAND, UNABLE_TO_CONNECT, OTHER_ERROR = 0, 1, 2, 3, 0xFF
SEND_WIFI, REQUEST_STATE, REQUEST_INFO, REQUEST_NETWORKS = 1, 2, 3, 4  # commands

_START = b"IMPROV\x01"
_HEAD_BYTES = 9
_MOST_DATA = FRAME_BYTES - _HEAD_BYTES - 1
_NEWLINE = 10


class ImprovError(ValueError):
    """The lengths within a command do not agree."""


class Frames:
    """Finds commands in what comes. rejected: bytes outside of any frame ("noise", line ends aside), and frames by what
    is wrong with them; outside: the last two bytes that were in no frame."""

    def __init__(self) -> None:
        self.rejected = {"noise": 0, "type": 0, "length": 0, "checksum": 0, "cut": 0}
        self.outside = b""
        self._held = b""

    @property
    def is_within(self) -> bool:
        """Whether the rest of a frame has still to come."""
        return bool(self._held)

    @property
    def frames_rejected(self) -> int:
        return sum(self.rejected.values()) - self.rejected["noise"]

    def feed(self, data: bytes) -> "list[bytes]":
        """The data of each command that these bytes complete."""
        found: list[bytes] = []
        for at in range(len(data)):
            self._held += data[at : at + 1]
            self._find(found)
        return found

    def cut(self) -> "list[bytes]":
        """The rest of the frame will not come: as feed, of what was taken for a part of it."""
        found: list[bytes] = []
        while self._held:
            self._drop("cut" if len(self._held) >= len(_START) else "noise")
            self._find(found)
        return found

    def _find(self, found: "list[bytes]") -> None:
        while self._held:
            wrong = _wrong(self._held)
            if wrong:
                self._drop(wrong)
                continue
            end = _end(self._held)
            if len(self._held) < end:
                return
            found.append(self._held[_HEAD_BYTES : end - 1])
            self._held = self._held[end:]

    def _drop(self, why: str) -> None:
        """Nothing begins with the first byte: go on where something may."""
        next_at = self._held.find(_START[:1], 1)
        if next_at < 0:
            next_at = len(self._held)
        noise, self._held = self._held[:next_at], self._held[next_at:]
        self.outside = (self.outside + noise)[-2:]
        if why == "noise":
            self.rejected[why] += len([byte for byte in noise if byte != _NEWLINE])
        else:
            self.rejected[why] += 1


def _wrong(held: bytes) -> str:
    """What is wrong with a frame of which this is the beginning; empty while nothing is."""
    if held[: len(_START)] != _START[: len(held)]:
        return "noise"
    if len(held) > len(_START) and held[len(_START)] != COMMAND:
        return "type"
    if len(held) >= _HEAD_BYTES and held[_HEAD_BYTES - 1] > _MOST_DATA:
        return "length"
    end = _end(held)
    if len(held) >= end and sum(held[: end - 1]) & 0xFF != held[end - 1]:
        return "checksum"
    return ""


def _end(held: bytes) -> int:
    """How long the frame is: its head, while that is not complete, and more."""
    return _HEAD_BYTES + 1 + (held[_HEAD_BYTES - 1] if len(held) >= _HEAD_BYTES else 0)


def command(data: bytes) -> "tuple[int, bytes]":
    """(number, payload) of a command's data; raises ImprovError."""
    if len(data) < 2 or data[1] != len(data) - 2:
        raise ImprovError("length")
    return data[0], data[2:]


def texts(payload: bytes) -> "list[bytes]":
    """The texts in a payload; raises ImprovError."""
    found: list[bytes] = []
    at = 0
    while at < len(payload):
        end = at + 1 + payload[at]
        if end > len(payload):
            raise ImprovError("text")
        found.append(payload[at + 1 : end])
        at = end
    return found


def frame(kind: int, data: bytes) -> bytes:
    """A frame of that type, and the end of a line: clients look for a frame where a line begins."""
    body = _START + bytes([kind, len(data)]) + data
    return body + bytes([sum(body) & 0xFF, _NEWLINE])


def state(number: int) -> bytes:
    return frame(STATE, bytes([number]))


def error(number: int) -> bytes:
    return frame(ERROR, bytes([number]))


def result(number: int, values: "list[bytes]") -> bytes:
    """The result of that command. Values that do not fit in one frame are left out from the end."""
    payload = b""
    for value in values:
        if len(payload) + 1 + len(value) > _MOST_DATA - 2:
            break
        payload += bytes([len(value)]) + value
    return frame(RESULT, bytes([number, len(payload)]) + payload)
