"""The link to a host: which datagrams to send, and where in its inbox this meter is.

    DIGEST  every 2 s, rarer while the host is silent, at once when something changed and when it speaks again
    ENTRY   new ones at once, at most WINDOW beyond what a HEAD acknowledged; again when a HEAD shows that they are lost
    INBOX   taken only where it follows the cursor; the effect of an entry is in flash before the cursor moves

What always holds: nothing that came over the link can do more than make this meter repeat itself; only what is in the
journal is sent. Time is an argument. Rules: docs/spec/datagrams.md.
"""

from wattpact_protocol import steps
from wattpact_protocol.log import reasons
from wattpact_protocol.sync import datagram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from wattpact_meter.storage.journal import Journal
    from wattpact_meter.storage.store import Store

NAME = "inbox"
WINDOW = 16
DIGEST_MS = 2_000
SLOWEST_DIGEST_MS = 30_000
ENROL_MS = 5_000
BATCH_MS = 100  # how long the rest of a batch may take
GAP_MS = 500
RESEND_MS = 1_500  # how long an entry may be under way
SILENT_MS = 10_000  # a host not heard for so long is not there
INSISTS = 3  # how often a host must repeat what was refused or surprising before it is followed
NO_INBOX = bytes(8)


class Link:
    """Link(kid, community, journal, store): one host."""

    def __init__(self, kid: bytes, community: bytes, journal: "Journal", store: "Store") -> None:
        self._kid = kid
        self._community = community
        self._journal = journal
        self._store = store
        self.inbox = NO_INBOX
        self.cursor = 0
        self.receipt: bytes | None = None  # the newest receipt for this log, not verified yet
        self.acknowledged: int | None = None
        self.seen_ms: int | None = None
        self._sent = 0  # the next sequence to push
        self._moved_ms = 0  # when the host took entries last, or the first of those under way was sent
        self._digest_at_ms = 0
        self._digested_ms = 0
        self._digest_every_ms = DIGEST_MS
        self._enrol_at_ms = 0
        self._refused: bytes | None = None
        self._insisted = 0
        self._restore(store.load(NAME))

    def _restore(self, saved: object) -> None:
        if isinstance(saved, list) and len(saved) == 3 and isinstance(saved[0], bytes) and isinstance(saved[1], int):
            self.inbox, self.cursor, self.receipt = saved

    # What comes from the host

    def receive(self, now_ms: int) -> None:
        """A datagram of this community came: the host is there."""
        if not self.is_seen(now_ms):
            self._digest_at_ms = min(self._digest_at_ms, max(now_ms, self._digested_ms + DIGEST_MS))
        self._digest_every_ms = DIGEST_MS
        self.seen_ms = now_ms

    def is_seen(self, now_ms: int) -> bool:
        return self.seen_ms is not None and now_ms - self.seen_ms < SILENT_MS

    def on_head(self, generation: int, next_sequence: int, own_generation: int, now_ms: int) -> "str | None":
        """The host holds all before `next_sequence`; None, or why this is passed over."""
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

    def judge_inbox(self, inbox: bytes, after: int, cursor: int) -> "str | None":
        """None where this inbox entry is the next one; else why it is passed over."""
        if inbox == self.inbox:
            if after == self.cursor and cursor > after:
                return None
            if after:
                return reasons.INBOX_DUPLICATE if cursor <= self.cursor else reasons.INBOX_GAP
            return None if self._insists(inbox + cursor.to_bytes(8, "big")) else reasons.INBOX_DUPLICATE
        return None if after == 0 else reasons.INBOX_GAP

    def move(self, inbox: bytes, cursor: int) -> None:
        """The entry at that cursor has had its effect; durable when this returns."""
        self._store.save(NAME, [inbox, cursor, self.receipt])
        self.inbox = inbox
        self.cursor = cursor
        self._insisted = 0

    def insists_on(self, refused: bytes) -> bool:
        """Whether a genuine host must mean it: the same refused entry came INSISTS times with nothing taken between."""
        return self._insists(refused)

    def _insists(self, what: bytes) -> bool:
        self._insisted = self._insisted + 1 if what == self._refused else 1
        self._refused = what
        return self._insisted >= INSISTS

    def forget_inbox(self) -> None:
        """What the inbox told was lost: let the host tell all of it again."""
        self.inbox = NO_INBOX
        self.cursor = 0

    # What goes to the host

    def poll(self, now_ms: int, generation: int, is_open: bool) -> "list[bytes]":
        """The datagrams that are due."""
        datagrams: list[bytes] = []
        steps.finish(self.poll_steps(datagrams, now_ms, generation, is_open))
        return datagrams

    def poll_steps(
        self, datagrams: "list[bytes]", now_ms: int, generation: int, is_open: bool
    ) -> "Generator[None, None, None]":
        """Add the datagrams that are due, giving way behind each. The list may be emptied in between."""
        is_idle = self._sent == self.acknowledged
        for data in self._push() if is_open else ():
            if is_idle:
                self._moved_ms = now_ms
            if self.is_seen(now_ms):
                self._digest_at_ms = now_ms
            datagrams.append(data)
            yield
        if now_ms >= self._digest_at_ms:
            next_sequence = self._journal.next_sequence if is_open else 0
            body = [self._kid, generation, next_sequence, self.inbox, self.cursor]
            datagrams.append(datagram.encode(datagram.DIGEST, self._community, body))
            self._digested_ms = now_ms
            self._digest_at_ms = now_ms + self._digest_every_ms
            if not self.is_seen(now_ms):
                self._digest_every_ms = min(2 * self._digest_every_ms, SLOWEST_DIGEST_MS)

    def enrol(self, now_ms: int, public_key: bytes, proof: bytes) -> "list[bytes]":
        """The request for a certificate, when it is due."""
        if now_ms < self._enrol_at_ms:
            return []
        self._enrol_at_ms = now_ms + ENROL_MS
        return [datagram.encode(datagram.ENROL, self._community, [public_key, proof])]

    def next_at_ms(self, enrolled: bool) -> int:
        """When something is due without anything having come."""
        return self._digest_at_ms if enrolled else min(self._digest_at_ms, self._enrol_at_ms)

    def has_news(self) -> bool:
        """Whether an entry can be pushed now."""
        return self.acknowledged is not None and self._sent < self._window_end()

    def report_cursor(self, now_ms: int, pause_ms: int = BATCH_MS) -> None:
        """Say the cursor soon, so that the host goes on; not at once, since more of a batch may be on its way."""
        self._digest_at_ms = min(self._digest_at_ms, now_ms + pause_ms)

    def _window_end(self) -> int:
        return min(self._journal.next_sequence, (self.acknowledged or 0) + WINDOW)

    def _push(self) -> "Generator[bytes, None, None]":
        if self.acknowledged is None:
            return
        end = self._window_end()
        self._sent = max(self._sent, self._journal.first)
        while self._sent < end:
            raw = self._journal.read(self._sent)
            self._sent += 1
            if raw is not None:
                yield datagram.encode(datagram.ENTRY, self._community, raw)
