"""The time from a server in the network, without waiting for it: SNTP, RFC 4330 section 5.

The server is not authenticated. An answer is one only from the server of the request, within a second, and only if it
repeats the random number of the request; the time in it is off by at most that second. It counts once the answer
before agrees with it: a single slip of years must not end every grant.
"""

import os
import socket
import struct

from wattpact_meter.clock import EARLIEST_S, plausible
from wattpact_meter.drivers.dns import socket_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_meter.drivers.dns import Resolver

PORT = 123
ANSWER_MS = 1_000
EVERY_MS = 3_600_000
RETRY_MS = 15_000  # no server gets another request sooner (RFC 4330 section 10)
AGREE_S = 2
FROM_1900_S = 2_208_988_800
_ERA_S = 1 << 32
_FORMAT = ">BBbb11I"
_BYTES = 48
_CLIENT = 0x23  # version 4, mode 3


class Sntp:
    """Sntp("pool.ntp.org", resolver): poll(now_ms) while there is a network."""

    def __init__(self, server: str, resolver: "Resolver") -> None:
        self._server = server
        self._resolver = resolver
        self._socket: Any = None
        self._number = b""
        self._sent_ms = 0
        self._due_ms = 0
        self._before_s: int | None = None  # Unix time at uptime 0, by the answer before

    def poll(self, now_ms: int) -> "int | None":
        """Unix seconds as of now, whenever an answer has just come that the one before agrees with; raises nothing and
        does not wait."""
        try:
            if self._socket is not None:
                return self._receive(now_ms)
            address = self._resolver.address(self._server)
            if address is not None and now_ms >= self._due_ms:
                self._send(address, now_ms)
        except OSError:
            self._end(now_ms + RETRY_MS)
        return None

    def _send(self, address: str, now_ms: int) -> None:
        self._due_ms = now_ms + RETRY_MS
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(socket_address(address, PORT))
        self._number = os.urandom(8)
        self._sent_ms = now_ms
        self._socket.send(bytes([_CLIENT]) + bytes(39) + self._number)

    def _receive(self, now_ms: int) -> "int | None":
        if now_ms - self._sent_ms > ANSWER_MS:
            self._end(now_ms + RETRY_MS)
            return None
        try:
            data = self._socket.recv(_BYTES)
        except OSError:  # nothing yet
            return None
        unix_s = decode(data, self._number)
        return None if unix_s is None else self._confirm(unix_s, now_ms)

    def _confirm(self, unix_s: int, now_ms: int) -> "int | None":
        before_s, start_s = self._before_s, unix_s - now_ms // 1000
        if before_s is None or abs(start_s - before_s) > AGREE_S:
            self._before_s = start_s
            self._end(now_ms + RETRY_MS)
            return None
        self._before_s = None
        self._end(now_ms + EVERY_MS)
        return unix_s

    def _end(self, due_ms: int) -> None:
        self._due_ms = due_ms
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def decode(data: bytes, number: bytes) -> "int | None":
    """Unix seconds in an answer to the request with that number, of the era that makes them plausible (RFC 4330 section
    3); None where it is no answer, or the server has no time."""
    if len(data) != _BYTES or data[24:32] != number:
        return None
    head, stratum = struct.unpack(_FORMAT, data)[:2]
    seconds = struct.unpack(">I", data[40:44])[0]
    if head & 7 != 4 or head >> 6 == 3 or not 1 <= stratum <= 15 or not seconds:
        return None
    unix_s = seconds - FROM_1900_S
    return plausible(unix_s if unix_s >= EARLIEST_S else unix_s + _ERA_S)
