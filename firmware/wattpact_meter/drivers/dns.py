"""Addresses of names without waiting for them: a DNS client (RFC 1035) for A records, one request at a time.

MicroPython's getaddrinfo waits for the name server, for seconds where there is none; here a request is sent, and the
answer received when it has come. The server is not authenticated: an answer counts only from the server of the
request, with the random number and the question of the request. Records are bounded, and nothing in them is followed.
"""

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PORT = 53
ANSWER_MS = 2_000
SHORTEST_MS, LONGEST_MS = 60_000, 3_600_000  # how long an address serves before the next request
FIRST_RETRY_MS, LONGEST_RETRY_MS = 1_000, 60_000
MAX_BYTES = 512
MAX_RECORDS = 16
MAX_NAMES = 4
_HEAD_BYTES = 12
_RECORD_BYTES = 10
_A_IN = b"\x00\x01\x00\x01"  # type and class of an IPv4 address
_RECURSIVE = b"\x01\x00"
_DIGITS = "0123456789"


class Resolver:
    """Resolver(server, urandom): server() is the numeric address of the name server, None while there is none.

    `address` is what is known, and `poll`, called often, finds out what is not.
    """

    def __init__(self, server: "Callable[[], str | None]", urandom: "Callable[[int], bytes]") -> None:
        self._server = server
        self._urandom = urandom
        self._names: dict[str, list[Any]] = {}  # -> [address or None, uptime when it is due, pause after a failure]
        self._socket: Any = None
        self._request = b""
        self._name = ""
        self._sent_ms = 0

    def address(self, name: str) -> "str | None":
        """The numeric address of a name; None until it is known. An old one serves until its successor is there."""
        if is_numeric(name):
            return name
        if name not in self._names and len(self._names) < MAX_NAMES:
            self._names[name] = [None, 0, FIRST_RETRY_MS]
        return self._names[name][0] if name in self._names else None

    def poll(self, now_ms: int) -> None:
        """Send the request that is due, or receive its answer; raises nothing and does not wait."""
        if self._socket is not None:
            self._receive(now_ms)
            return
        due = sorted([(row[1], name) for name, row in self._names.items() if now_ms >= row[1]])
        server = self._server() if due else None
        if server is not None:
            self._send(server, due[0][1], now_ms)

    def _send(self, server: str, name: str, now_ms: int) -> None:
        self._name = name
        self._sent_ms = now_ms
        try:
            self._request = encode(self._urandom(2), name)
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect(socket_address(server, PORT))
            self._socket.send(self._request)
        except (OSError, ValueError):
            self._end(now_ms, None)

    def _receive(self, now_ms: int) -> None:
        try:
            found = decode(self._socket.recv(MAX_BYTES + 1), self._request)
        except OSError:  # nothing yet
            found = None
        if found is not None or now_ms - self._sent_ms > ANSWER_MS:
            self._end(now_ms, found)

    def _end(self, now_ms: int, found: "tuple[str, int] | None") -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        row = self._names[self._name]
        if found is None:
            row[1] = now_ms + row[2]
            row[2] = min(2 * row[2], LONGEST_RETRY_MS)
        else:
            row[0] = found[0]
            row[1] = now_ms + min(max(found[1] * 1000, SHORTEST_MS), LONGEST_MS)
            row[2] = FIRST_RETRY_MS


def socket_address(address: str, port: int) -> "Any":
    """What a socket calls a numeric address; for those alone getaddrinfo waits for nobody."""
    return socket.getaddrinfo(address, port)[0][-1]


def is_numeric(name: str) -> bool:
    """Whether it is an IPv4 address: four numbers from 0 to 255."""
    parts = name.split(".")
    return len(parts) == 4 and all(0 < len(part) <= 3 and not part.strip(_DIGITS) and int(part) < 256 for part in parts)


def encode(number: bytes, name: str) -> bytes:
    """The request with that number, two bytes, for the address of a name; raises ValueError for what is no name."""
    request = number + _RECURSIVE + b"\x00\x01\x00\x00\x00\x00\x00\x00"
    for label in name.split("."):
        raw = label.encode()
        if not 0 < len(raw) <= 63 or [byte for byte in raw if not 32 < byte < 127]:
            raise ValueError("not a name")
        request += bytes([len(raw)]) + raw
    if len(request) - _HEAD_BYTES > 254:
        raise ValueError("a name has at most 253 characters")
    return request + b"\x00" + _A_IN


def decode(data: bytes, request: bytes) -> "tuple[str, int] | None":
    """(address, seconds that it is valid) in the answer to that request; None where it is none, or names none."""
    head = data[:_HEAD_BYTES]
    end = len(request)
    if not end < len(data) <= MAX_BYTES or data[_HEAD_BYTES:end] != request[_HEAD_BYTES:]:
        return None
    # an answer, whole, to a standard query, without an error, with one question
    if head[:2] != request[:2] or head[2] & 0xFA != 0x80 or head[3] & 15 or head[4:6] != b"\x00\x01":
        return None
    for _ in range(min(int.from_bytes(head[6:8], "big"), MAX_RECORDS)):
        at = _name_end(data, end)
        end = at + _RECORD_BYTES
        if end > len(data):
            return None
        begin, end = end, end + int.from_bytes(data[at + 8 : end], "big")
        if end > len(data):
            return None
        if data[at : at + 4] == _A_IN and end - begin == 4:
            return ".".join([str(byte) for byte in data[begin:end]]), int.from_bytes(data[at + 4 : at + 8], "big")
    return None


def _name_end(data: bytes, at: int) -> int:
    """Where the name that begins at `at` ends: past a zero or a pointer, or past all of it where it has no end."""
    while at < len(data):
        length = data[at]
        if length >= 0xC0:
            return at + 2
        at += 1 + length
        if not length:
            return at
        if length > 63:
            break
    return len(data)
