"""What a host's receipts show of the ledger: whether it only grows, and whether it notes this meter's log.

What always holds: nothing counts but what a host signed for an entry of this log, behind the one that counted last; an
event waits only once its figures are in flash. Rules: docs/spec/meter.md, "Ledger".
"""

from wattpact_protocol.log import event_codes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from wattpact_protocol.log import entry

    from wattpact_meter.log.events import Events
    from wattpact_meter.storage.store import Store

NAME = "ledger"
_DAY_MIN = 24 * 60  # minutes are small integers, which take no heap, and seconds are not
_AGAIN_MIN = 60


class LedgerWatch:
    """LedgerWatch(store, events). claim: the blocks that the newest receipt names, be it true or not. sequence: what
    was acknowledged at its last daily look; blocks: of the head that it keeps; problem: the code of the event about
    what its last look found wrong, or 0."""

    def __init__(self, store: "Store", events: "Events") -> None:
        self._store = store
        self._events = events
        self._looked_min = 0
        self._read()
        self.claim = self.blocks

    def _read(self) -> "list[Any]":
        """What is in flash: [minute of its last daily look, generation and sequence acknowledged then, host, blocks and
        root of the head that it keeps, minute in which it last reported another, `problem`]; nothing if damaged."""
        none = [0, -1, -1, b"", 0, b"", 0, 0]
        saved = self._store.load(NAME)
        is_sound = isinstance(saved, list) and list(map(type, saved)) == list(map(type, none))
        held: list[Any] = saved if is_sound else none
        self._day_min, _, self.sequence, _, self.blocks, _, _, self.problem = held
        return held

    def is_due(self, now_s: "int | None") -> bool:
        """Whether to verify the newest receipt: once a day, or where it claims fewer blocks than there were. Not within
        an hour of one that a host had signed."""
        if now_s is None or 0 <= now_s // 60 - self._looked_min < _AGAIN_MIN:
            return False
        return self.claim < self.blocks or not 0 <= now_s // 60 - self._day_min < _DAY_MIN

    def apply_steps(self, new: "entry.Entry", now_s: int) -> "Generator[None, None, None]":
        """A receipt that a host signed for an entry of this log."""
        now_min = self._looked_min = now_s // 60
        day_min, generation, sequence, host, blocks, root, forked_min, problem = before = self._read()
        body = new.body
        if (body["generation"], body["sequence"]) <= (generation, sequence):
            return
        yield
        head = {"detail": body["blocks"], "text": body["root"].hex()}
        found: list[tuple[int, dict[str, Any]]] = []
        is_day = not 0 <= now_min - day_min < _DAY_MIN  # over, or the clock was set back
        if is_day:
            problem = 0
        is_other = body["blocks"] == blocks > 0 and body["root"] != root
        if is_other or (body["blocks"] < blocks and new.kid == host):
            problem = event_codes.LEDGER_FORKED
            if not 0 <= now_min - forked_min < _DAY_MIN:
                forked_min = now_min
                found.append((problem, head))
        if is_day:
            # What was acknowledged half a day before this was signed is not noted.
            if (
                (new.stamp.unix_s or 0) // 60 - day_min >= _DAY_MIN // 2
                and body["generation"] == generation
                and body["noted"] <= sequence
            ):
                problem = event_codes.NOT_NOTED
                found.append((problem, {"detail": body["noted"]}))
            if body["blocks"] > blocks or (new.kid != host and body["blocks"] < blocks):  # of another host, anew
                host, blocks, root = new.kid, body["blocks"], body["root"]
                found.append((event_codes.LEDGER_HEAD, head))
            day_min, generation, sequence = now_min, body["generation"], body["sequence"]
        held = [day_min, generation, sequence, host, blocks, root, forked_min, problem]
        if held != before:
            yield from self._store.save_steps(NAME, held)
            self._read()
            for code, fields in found:
                self._events.note(code, fields)
