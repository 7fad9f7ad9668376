"""This meter's own log: every entry is signed and in the journal before anyone sees it, or it was never published.

    the journal's newest entry, the place stored behind each append  ->  where the log goes on
    they differ, or an entry is missing                              ->  closed, until a HEAD shows what the host holds
    the host lacks what was lost, or more was signed than is known   ->  lost, until a certificate of a new generation

What always holds: sequences have no gap and none is used twice: journal and store, two folders of the flash, both know
which comes next, and what one of them lost the other has. An append that failed leaves the place to the next entry.
Rules: docs/spec/log.md; docs/spec/meter.md, "Damage".
"""

from wattpact_protocol import steps
from wattpact_protocol.log import entry

from wattpact_meter.storage.journal import JournalError, JournalFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from wattpact_meter.clock import Now
    from wattpact_meter.log.identity import Identity
    from wattpact_meter.storage.journal import Journal
    from wattpact_meter.storage.store import Store

NAME = "log"


class OwnLog:
    """OwnLog(identity, community, journal, store): not begun until there is an entry or a certificate to follow.

    newest: the newest entry that the journal had at the start; boot: the number of this start, for stamps.
    is_lost: it cannot go on in its generation; is_state_old: the store is older than the journal; untold: an entry is
    in the journal that the other parts do not know of yet."""

    def __init__(self, identity: "Identity", community: bytes, journal: "Journal", store: "Store") -> None:
        self._identity = identity
        self._community = community
        self._journal = journal
        self._store = store
        self.boot = 0
        self._previous = b""  # what the next entry names; empty where that is not known
        self.generation = 0
        self.is_begun = False
        self.is_lost = False
        self.is_state_old = self.untold = False
        self.full = False
        self.failures = 0  # entries that the journal or the format rejected
        self._is_certain = False  # nothing was signed that is not known here
        self._is_placed = False  # the store had the place
        self._is_kept = False  # the place is in the store
        self._held = (-1, 0)  # generation and next sequence of what the host holds
        self.newest = self.read(journal.next_sequence - 1) if journal.next_sequence else None
        self._follow(store.load(NAME))

    @property
    def next_sequence(self) -> int:
        return self._journal.next_sequence

    @property
    def is_open(self) -> bool:
        """Whether an entry can be published."""
        return self.is_begun and self._is_certain and not self.is_lost

    def claim(self) -> "tuple[int, int]":
        """(generation, next sequence) for a DIGEST; a lost log's is the generation that it needs."""
        return (self.generation + 1, 0) if self.is_lost else (self.generation, self.next_sequence)

    def _follow(self, saved: "Any") -> None:
        """Go on behind the newest entry, by the journal and by the place that was stored behind it."""
        journal, newest = self._journal, self.newest
        if newest is not None:
            self.generation, self._previous, self.is_begun = newest.generation, newest.id, True
        if not _is_place(saved):
            self.is_state_old = newest is not None
            return
        generation, sequence, previous, was_certain = saved
        is_later = self.is_begun and generation > self.generation
        if is_later:  # power went while the generation before was cleared
            journal.clear()
        elif self.is_begun and (generation < self.generation or journal.next_sequence > sequence + 1):
            self.is_state_old = True
            return
        self._is_placed = self.is_begun = True
        if journal.next_sequence <= sequence or newest is None:
            journal.skip_to(sequence)
            self.generation, self._previous = generation, previous
            self._is_kept = True
        self._is_certain = was_certain is True and not journal.lost_to

    def at_least(self, sequence: int) -> None:
        """Entries before that sequence were signed, by a part that stored it; without a place nothing can follow."""
        if not self._is_placed and sequence > self.next_sequence:
            self._journal.skip_to(sequence)
            self._previous = b""
            self.is_lost = self.is_begun

    def on_head(self, generation: int, next_sequence: int) -> None:
        """A host holds the entries of that generation before that sequence."""
        self._held = (generation, next_sequence)
        self._judge()

    def _judge(self) -> None:
        """Whether what was lost is wanted by nobody, and what was signed is all known here."""
        generation, sequence = self._held
        if not self.is_begun or generation != self.generation or not self._previous:
            return
        self.is_lost = sequence < self._journal.lost_to
        if not self._is_certain:
            self.is_lost = self.is_lost or not self._journal.first <= sequence <= self.next_sequence
            self._is_certain = not self.is_lost

    def open_steps(self, generation: int, certificate_id: bytes) -> "Generator[None, None, bool]":
        """Begin this generation where it is a new one: its first entry names the author's certificate. Whether one
        before it ended. Raises StateError, JournalError."""
        if self.is_begun and generation <= self.generation:
            return False
        if not self.is_begun and self.next_sequence:  # entries were signed, and none is left
            self.generation, self.is_begun, self.is_lost = generation, True, True
            return False
        yield from self._store.save_steps(NAME, [generation, 0, certificate_id, False])
        self._journal.clear()
        has_ended, self.is_begun = self.is_begun, True
        self.generation, self._previous, self._is_kept = generation, certificate_id, False
        self.is_lost = self._is_certain = False
        self._judge()
        return has_ended

    def drop_broken(self) -> None:
        """Make the flash writable again, once what is left of broken files was read. Raises as `open`."""
        if not self._journal.missing:
            return
        if self._is_placed:
            self._is_certain = self._is_kept = False
            steps.finish(self._keep_steps())
        self._journal.drop_broken()

    def read(self, sequence: int) -> "entry.Entry | None":
        """An entry of this log, None where the journal has none or it is damaged."""
        raw = self._journal.read(sequence)
        if raw is None:
            return None
        try:
            return entry.decode(raw, self._community)
        except entry.EntryError:
            return None

    def append_steps(
        self, kind: int, body: "dict[str, Any]", now: "Now"
    ) -> "Generator[None, None, entry.Entry | None]":
        """The entry, in the journal; or None, and nothing was published. Gives way while it is signed; closed until
        then, or disturbed (ed25519.FaultError), it has published nothing and its place is free. Gives way behind the
        journal too, while the store `is_saving` and it must not be closed. Raises StateError before anything is
        signed."""
        if not self.is_open:
            return None
        if not self._is_kept:
            yield from self._keep_steps()
            yield
        sequence = self._journal.next_sequence
        stamp = entry.Stamp(self.boot, now.uptime_ms // 1000, now.unix_s, now.clock_status)
        place = (self.generation, sequence, self._previous)
        try:
            new = yield from entry.sign_steps(
                kind, body, place, stamp, self._identity.kid, self._community, self._identity.sign_steps
            )
            self._journal.append(new.raw, sequence)
        except (entry.EntryError, JournalError) as error:
            self.full = isinstance(error, JournalFull)
            self.failures += 1
            return None
        self.untold = True
        self.full = False
        self._previous = new.id
        self._is_kept = False
        try:
            yield from self._keep_steps()
        except Exception:
            pass  # tried again before the next; it is published, and who waits for it must learn that
        return new

    def _keep_steps(self) -> "Generator[None, None, None]":
        """The place of the next entry is in the store when this ends."""
        yield from self._store.save_steps(NAME, [self.generation, self.next_sequence, self._previous, self._is_certain])
        self._is_kept = True


def _is_place(saved: "Any") -> bool:
    """Whether a stored value is what `_keep_steps` stores."""
    if not isinstance(saved, list) or len(saved) != 4 or not isinstance(saved[2], bytes):
        return False
    return type(saved[0]) is int and type(saved[1]) is int
