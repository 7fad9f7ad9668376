"""How long entries stay in the journal: until a host's receipt names them, and the newest ones longer.

What always holds: no entry is freed that no receipt of a host names. Rules: docs/spec/meter.md, "Journal".
"""

from wattpact_protocol.log import entry, reasons

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from wattpact_meter.log.own_log import OwnLog
    from wattpact_meter.log.trust import Trust
    from wattpact_meter.storage.journal import Journal

_KEEP_ENTRIES = 256
_PRUNE_STEP = 32


class Retention:
    """Retention(journal, log, trust, count): count(reason) counts a receipt that is none."""

    def __init__(self, journal: "Journal", log: "OwnLog", trust: "Trust", count: "Callable[[str], None]") -> None:
        self._journal = journal
        self._log = log
        self._trust = trust
        self._count = count

    def freed(self, sequence: int) -> "int | None":
        """The sequence before which all may be freed by a receipt of that one; None where that is too little for a
        verification."""
        journal = self._journal
        before = journal.next_sequence - (0 if self._log.full else _KEEP_ENTRIES)
        if before - journal.first < _PRUNE_STEP:
            return None
        before = min(sequence + 1, before)
        return before if before > journal.first else None

    def verify_steps(self, receipt: bytes) -> "Generator[None, None, entry.Entry | None]":
        """The receipt, where it is a host's and names this log's own entry."""
        try:
            new = yield from entry.decode_steps(receipt, self._trust.community)
        except entry.EntryError:
            return None
        body = new.body
        own = None
        if body["generation"] == self._log.generation:
            own = yield from self._journal.read_steps(body["sequence"])
        reason: str | None = reasons.WRONG_HEAD
        if own is not None and entry.id_of(own, self._trust.community) == body["head"]:
            reason = yield from self._trust.check_steps(new, None)
        if reason:
            self._count(reason)
            return None
        return new
