"""The connection to meters: what a host answers to each datagram, and what it pushes. Rules alone, and one thin edge.

    DIGEST -> HEAD, and up to WINDOW entries of the meter's inbox     ENTRY -> HEAD, once the batch is durable
    ENROL  -> stored until someone types in the sticker's code         new entries for a meter are pushed at once

What always holds: memory is bounded whatever arrives; an answer goes only where an enrolled meter's datagrams come
from, and to one such place at most BUDGET entries a second. Time is an argument. docs/spec/datagrams.md.
"""

from collections.abc import Callable
from typing import Any

from wattpact_protocol.crypto import hkdf
from wattpact_protocol.log import ids, reasons, roles
from wattpact_protocol.sync import datagram
from wattpact_protocol.sync.datagram import DatagramError

from wattpact.ingest.pipeline import Verdict
from wattpact.membership.directory import Author, Directory
from wattpact.store.interface import Store
from wattpact.sync.inboxes import Inboxes
from wattpact.sync.peer import Address, Datagrams, Peer

WINDOW = 8
RESEND_MS = 500
MAX_ENROLLING = 256
ENROLS_PER_S = 8
ENROL_AGAIN_S = 30


class Link:
    """The rules: a datagram in, the answers out; entries wait in `batch` for the ingest. `contacts` counts the
    DIGESTs and ENROLs in the names of enrolled meters."""

    def __init__(
        self, store: Store, authors: Directory, inbox: Inboxes, count: Callable[[str, bytes, str], None]
    ) -> None:
        self.community = store.community
        self.peers: dict[bytes, Peer] = {}
        self.batch: list[tuple[bytes, Address]] = []
        self.contacts = 0
        self._store = store
        self._directory = authors
        self._inbox = inbox
        self._count = count
        self._enrolling: dict[bytes, tuple[Address, bytes, int]] = {}
        self._enrols = (0, 0)

    def follow(self, inbox: Inboxes) -> None:
        """Use inboxes that were read anew from the store."""
        self._inbox = inbox

    def receive(self, data: bytes, address: Address, now_ms: int, now_s: int) -> Datagrams:
        """The answers to one datagram; raises StoreError."""
        try:
            kind, body = datagram.decode(data, self.community)
        except DatagramError as error:
            self._count(str(error), b"", address[0])
            return []
        if kind == datagram.ENTRY:
            self.batch.append((body, address))
        elif kind == datagram.DIGEST:
            return self._digest(body, address, now_ms, now_s)
        elif kind == datagram.ENROL:
            return self._enrol(body[0], body[1], address, now_ms, now_s)
        else:
            self._count(reasons.UNEXPECTED_TYPE, b"", address[0])  # what only hosts send
        return []

    def _meter(self, kid: bytes) -> Author | None:
        author = self._directory.get(kid)
        return author if author is not None and author.certificate["role"] == roles.METER else None

    def _digest(self, body: list[Any], address: Address, now_ms: int, now_s: int) -> Datagrams:
        kid, generation, _, inbox, cursor = body
        author = self._meter(kid)
        if author is None:
            if kid not in self._enrolling:
                self._count(reasons.UNKNOWN_AUTHOR, kid, address[0])
            return []
        peer = self._contact(kid, address, now_ms, now_s)
        if generation > author.head.generation and peer.asked != generation:
            self._count(reasons.LOG_LOST, kid, address[0])  # once, though the meter repeats it
            peer.asked = generation
        known = cursor if inbox == self._inbox.id and self._inbox.holds(kid, cursor) else 0
        if known != peer.cursor or now_ms - peer.sent_ms >= RESEND_MS:
            recent = now_ms - peer.sent_ms < RESEND_MS and known > peer.cursor
            peer.in_flight = [position for position in peer.in_flight if position > known] if recent else []
            peer.cursor = known
        return [(self._head(author), address), *self._send_next(kid, peer, now_ms)]

    def _contact(self, kid: bytes, address: Address, now_ms: int, now_s: int) -> Peer:
        """The peer, which from now on is at that address."""
        peer = self.peers.setdefault(kid, Peer(address, now_ms))
        peer.address, peer.last_contact_s = address, now_s
        self.contacts += 1
        return peer

    def _head(self, author: Author) -> bytes:
        body = [author.kid, author.head.generation, author.head.next_sequence]
        return datagram.encode(datagram.HEAD, self.community, body)

    def _send_next(self, kid: bytes, peer: Peer, now_ms: int) -> Datagrams:
        """The next entries of a meter's inbox, as many as may be unacknowledged at once."""
        start = peer.in_flight[-1] if peer.in_flight else peer.cursor
        datagrams: Datagrams = []
        for item in self._inbox.after(kid, start, WINDOW - len(peer.in_flight)):
            if not peer.spend(now_ms):
                break
            body = [self._inbox.id, item.after, item.position, item.raw]
            datagrams.append((datagram.encode(datagram.INBOX, self.community, body), peer.address))
            peer.in_flight.append(item.position)
            peer.sent_ms = now_ms
        return datagrams

    def _enrol(self, public_key: bytes, proof: bytes, address: Address, now_ms: int, now_s: int) -> Datagrams:
        kid = ids.kid_of(public_key)
        if self._meter(kid) is not None:
            known = kid in self.peers
            peer = self._contact(kid, address, now_ms, now_s)
            return [] if known and now_ms - peer.sent_ms < RESEND_MS else self._send_next(kid, peer, now_ms)
        last = self._enrolling.get(kid)
        if last is None or not hkdf.equal(last[1], proof) or now_s - last[2] >= ENROL_AGAIN_S:
            if not self._may_enrol(now_s):
                self._count(reasons.TOO_MANY_ENROLMENTS, b"", address[0])
                return []
            self._store.keep_pending(public_key, proof, address[0], now_s)
            last = (address, proof, now_s)
        self._enrolling[kid] = (address, proof, last[2])
        while len(self._enrolling) > MAX_ENROLLING:
            self._enrolling.pop(next(iter(self._enrolling)))
        return []

    def _may_enrol(self, now_s: int) -> bool:
        """Each new request is a write to the disk, and anyone can send one."""
        count = self._enrols[1] + 1 if self._enrols[0] == now_s else 1
        self._enrols = (now_s, count)
        return count <= ENROLS_PER_S

    def last_contact_s(self) -> dict[bytes, int]:
        """When each meter last sent anything, Unix seconds; safe from any thread."""
        return {kid: peer.last_contact_s for kid, peer in list(self.peers.items())}

    def pop_batch(self) -> list[tuple[bytes, Address]]:
        batch, self.batch = self.batch, []
        return batch

    def answer(self, verdicts: list[Verdict], addresses: list[Address]) -> Datagrams:
        """One HEAD for each author and each address that genuine entries came from."""
        due: dict[tuple[bytes, Address], Author] = {}
        for verdict, address in zip(verdicts, addresses, strict=True):
            if verdict.entry is not None and verdict.reason not in (reasons.BAD_SIGNATURE, reasons.UNKNOWN_AUTHOR):
                author = self._directory.get(verdict.entry.kid)
                if author is not None and author.chained:
                    due[author.kid, address] = author
        return [(self._head(author), address) for (_, address), author in due.items()]

    def push(self, now_ms: int) -> Datagrams:
        """What is new in the inboxes of meters whose address is known."""
        for kid in [kid for kid in self._enrolling if self._meter(kid) is not None]:
            self.peers.setdefault(kid, Peer(self._enrolling.pop(kid)[0], now_ms))
        datagrams: Datagrams = []
        for kid, peer in self.peers.items():
            if len(peer.in_flight) < WINDOW:
                datagrams += self._send_next(kid, peer, now_ms)
        return datagrams
