"""This meter's own log: every entry is signed and in the journal before anyone sees it, or it was never published.

What always holds: sequences have no gap and none is used twice, since the journal alone knows which comes next, and an
append that failed leaves the place to the next entry. Rules: docs/spec/log.md.
"""

from wattpact_protocol.log import entry

from wattpact_meter.storage.journal import JournalError, JournalFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from wattpact_meter.clock import Now
    from wattpact_meter.log.identity import Identity
    from wattpact_meter.storage.journal import Journal


class OwnLog:
    """OwnLog(identity, community, journal, boot): closed until there is an entry or a certificate to follow."""

    def __init__(self, identity: "Identity", community: bytes, journal: "Journal", boot: int) -> None:
        self._identity = identity
        self._community = community
        self._journal = journal
        self._boot = boot
        self._previous = b""
        self.generation = 0
        self.is_open = False
        self.full = False
        self.failures = 0  # entries that the journal or the format rejected
        self._follow_journal()

    @property
    def next_sequence(self) -> int:
        return self._journal.next_sequence

    def _follow_journal(self) -> None:
        """Go on behind the newest entry. A damaged one cannot be named, and the log stays closed for good."""
        last = self.read(self._journal.next_sequence - 1) if self._journal.next_sequence else None
        if last is not None:
            self.generation = last.generation
            self._previous = last.id
            self.is_open = True

    def open(self, generation: int, certificate_id: bytes) -> None:
        """Begin: the first entry names the author's certificate."""
        if not self.is_open and not self._journal.next_sequence:
            self.generation = generation
            self._previous = certificate_id
            self.is_open = True

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
        """The entry, in the journal; or None, and nothing was published. Gives way while it is signed; closed in
        between, or disturbed (ed25519.FaultError), it has published nothing and its place is free."""
        if not self.is_open:
            return None
        sequence = self._journal.next_sequence
        stamp = entry.Stamp(self._boot, now.uptime_ms // 1000, now.unix_s, now.clock_status)
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
        self.full = False
        self._previous = new.id
        return new
