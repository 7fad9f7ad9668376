"""The wire between meters and a node, for tests: it may lose, repeat, delay and damage, and it knows all that passed.

wire = Wire(community); wire.node_port = ...; meters send to wire.port
"""

import asyncio
import random
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from wattpact_protocol.log import entry, kinds
from wattpact_protocol.sync import datagram

Carried = list[tuple[float, bytes]]  # (after so many seconds, bytes)
Rough = Callable[[bytes], Carried]


def faithful(data: bytes) -> Carried:
    return [(0, data)]


class Rain:
    """Of a hundred datagrams 7 are lost, 5 come twice, 5 are damaged and 6 late, so that others overtake them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.lost = self.twice = self.damaged = self.late = 0

    def __call__(self, data: bytes) -> Carried:
        fate = self._random.randrange(100)
        if fate < 7:
            self.lost += 1
            return []
        if fate < 12:
            self.twice += 1
            return [(0, data), (self._random.uniform(0, 0.3), data)]
        if fate < 17:
            self.damaged += 1
            return [(0, self._damage(data))]
        if fate < 23:
            self.late += 1
            return [(self._random.uniform(0.02, 0.5), data)]
        return [(0, data)]

    def _damage(self, data: bytes) -> bytes:
        place = self._random.randrange(len(data))
        return data[:place] + bytes([data[place] ^ (1 << self._random.randrange(8))]) + data[place + 1 :]


class Granted(NamedTuple):
    """A grant as it left the node, at a moment of the monotonic clock."""

    meter: bytes
    contract: bytes
    at_s: float


class Wire:
    """Made inside an event loop. It keeps what was acknowledged and every entry that a meter sent."""

    def __init__(self, community: bytes, rough: Rough = faithful) -> None:
        self._community = community
        self._rough = rough
        self._loop = asyncio.get_running_loop()
        self._socket = _bound()
        self._ends: dict[tuple[str, int], socket.socket] = {}
        self._loop.add_reader(self._socket, self._receive_meters)
        self.port: int = self._socket.getsockname()[1]
        self.node_port: int | None = None  # None: nobody is there
        self.passed = 0
        self.sent: dict[tuple[bytes, int], set[bytes]] = {}  # (meter, sequence): ids of entries that it sent
        self.sent_at_s: dict[tuple[bytes, int], float] = {}  # and when first, by the monotonic clock
        self.acknowledged: dict[bytes, int] = {}  # meter: the highest next_sequence of a HEAD
        self.receipts: dict[tuple[bytes, int], bytes] = {}  # (meter, sequence): id that a receipt names
        self.granted: list[Granted] = []

    def close(self) -> None:
        for end in (self._socket, *self._ends.values()):
            self._loop.remove_reader(end)
            end.close()

    def _receive_meters(self) -> None:
        for data, address in _received(self._socket):
            self._note_up(data)
            end = self._ends.get(address) or self._open(address)
            self._carry(data, lambda moved, end=end: self._to_node(moved, end))  # type: ignore[misc]

    def _to_node(self, data: bytes, end: socket.socket) -> None:
        if self.node_port is not None:
            _send(end, data, ("127.0.0.1", self.node_port))

    def _open(self, address: tuple[str, int]) -> socket.socket:
        end = self._ends[address] = _bound()
        self._loop.add_reader(end, self._receive_node, end, address)
        return end

    def _receive_node(self, end: socket.socket, address: tuple[str, int]) -> None:
        for data, _ in _received(end):
            self._note_down(data)
            self._carry(data, lambda moved: _send(self._socket, moved, address))

    def _carry(self, data: bytes, send: Callable[[bytes], None]) -> None:
        self.passed += 1
        for delay_s, moved in self._rough(data):
            if delay_s:
                self._loop.call_later(delay_s, send, moved)
            else:
                send(moved)

    def _note_up(self, data: bytes) -> None:
        kind, body = datagram.decode(data, self._community)
        if kind == datagram.ENTRY:
            new = entry.decode(body, self._community)
            self.sent.setdefault((new.kid, new.sequence), set()).add(new.id)
            self.sent_at_s.setdefault((new.kid, new.sequence), time.monotonic())

    def _note_down(self, data: bytes) -> None:
        kind, body = datagram.decode(data, self._community)
        if kind == datagram.HEAD:
            self.acknowledged[body[0]] = max(body[2], self.acknowledged.get(body[0], 0))
        elif kind == datagram.INBOX:
            self._note_inbox(entry.decode(body[3], self._community))

    def _note_inbox(self, new: entry.Entry) -> None:
        if new.kind == kinds.RECEIPT:
            self.receipts[new.body["author"], new.body["sequence"]] = new.body["head"]
        elif new.kind == kinds.GRANT:
            self.granted.append(Granted(new.body["meter"], new.body["contract"], time.monotonic()))


def _bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind(("127.0.0.1", 0))
    return made


def _received(end: socket.socket) -> "list[tuple[bytes, tuple[str, int]]]":
    found = []
    try:
        while len(found) < 64:
            found.append(end.recvfrom(2048))
    except BlockingIOError:
        pass
    return found


def _send(end: socket.socket, data: bytes, address: tuple[str, int]) -> None:
    if end.fileno() >= 0:
        try:
            end.sendto(data, address)
        except BlockingIOError:
            pass  # a full buffer loses it, as UDP may
