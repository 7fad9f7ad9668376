"""What this meter sends to its host: digests, and the entries that the host does not hold.

    ENTRY   new ones at once, at most WINDOW beyond what a HEAD acknowledged; again when a HEAD shows that they are lost

What always holds: nothing that a host sends can do more than make this meter repeat itself; only what is in the journal
is sent. Time is an argument. Rules: docs/spec/datagrams.md.
"""

from wattpact_protocol.log import reasons
from wattpact_protocol.sync import datagram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from wattpact_meter.storage.journal import Journal
    from wattpact_meter.sync.inbox import Inbox
    from wattpact_meter.sync.peers import Host

WINDOW = 16
RESEND_MS = 1_500  # how long an entry may be under way
MAX_DATAGRAMS = 48


class Outbox:
    """Outbox(kid, community, journal, host, inbox): the inbox is what a digest names."""

    def __init__(self, kid: bytes, community: bytes, journal: "Journal", host: "Host", inbox: "Inbox") -> None:
        self._kid = kid
        self._community = community
        self._journal = journal
        self._host = host
        self._inbox = inbox
        self._datagrams: list[bytes] = []
        self.acknowledged: int | None = None
        self._sent = 0  # the next sequence to push
        self._moved_ms = 0  # when the host acknowledged more, or the first of those under way was sent

    def on_head(self, generation: int, next_sequence: int, own_generation: int, now_ms: int) -> "str | None":
        """The host holds all before `next_sequence`; None, or why this is ignored."""
        if generation != own_generation:
            return reasons.STALE_GENERATION
        if next_sequence > self._journal.next_sequence:
            return reasons.HEAD_AHEAD
        if self.acknowledged is None or next_sequence > self.acknowledged:
            self._moved_ms = now_ms
        self.acknowledged = next_sequence
        if self._sent < next_sequence or now_ms - self._moved_ms >= RESEND_MS:
            self._sent = next_sequence
        return None

    def send_steps(self, now_ms: int, claim: "tuple[int, int]") -> "Generator[None, None, None]":
        """Put the datagrams that are due into the queue, giving way behind each; it may be emptied in between.
        claim: generation and next sequence of the own log, for a DIGEST."""
        is_idle = self._sent == self.acknowledged
        self._sent = max(self._sent, self._journal.first)
        end = 0 if self.acknowledged is None else min(self._journal.next_sequence, self.acknowledged + WINDOW)
        while self._sent < end:
            raw = yield from self._journal.read_steps(self._sent)
            if raw is None:
                break  # it was lost, and what follows it is of no use to the host
            self._sent += 1
            if is_idle:
                self._moved_ms = now_ms
            if self._host.is_seen(now_ms):
                self._host.hasten_digest(now_ms)
            self._put(datagram.encode(datagram.ENTRY, self._community, raw))
            yield
        if self._host.is_digest_due(now_ms):
            body = [self._kid, claim[0], claim[1], self._inbox.id, self._inbox.cursor]
            self._put(datagram.encode(datagram.DIGEST, self._community, body))
            self._host.digested(now_ms)

    def enrol(self, now_ms: int, public_key: bytes, proof: bytes) -> None:
        """Request a certificate, when that is due."""
        if self._host.is_enrol_due(now_ms):
            self._host.requested(now_ms)
            self._put(datagram.encode(datagram.ENROL, self._community, [public_key, proof]))

    def pop_datagrams(self) -> "list[bytes]":
        """What is to be sent now."""
        datagrams = list(self._datagrams)
        self._datagrams.clear()
        return datagrams

    def _put(self, data: bytes) -> None:
        """The newest MAX_DATAGRAMS stay."""
        self._datagrams.append(data)
        if len(self._datagrams) > MAX_DATAGRAMS:
            del self._datagrams[0]
