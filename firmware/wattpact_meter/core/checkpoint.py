"""What outlives a restart besides the journal: trader and usage in the store, each with the place in the journal up to
which own entries are in it. What was published after that is read again from the journal.

What always holds: state and journal together are what was known when the last of them was written; neither is pruned
or overtaken by more than _REPLAY_ENTRIES. Rules: docs/spec/meter.md, "Restart".
"""

from wattpact_protocol.log import event_codes, kinds, readings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from wattpact_protocol.log import entry

    from wattpact_meter.log.own_log import OwnLog
    from wattpact_meter.log.sealer import Sealer
    from wattpact_meter.metering.recorder import Recorder
    from wattpact_meter.storage.journal import Journal
    from wattpact_meter.storage.store import Store
    from wattpact_meter.trade.trader import Trader
    from wattpact_meter.trade.usage import Usage

NAME, TRADER, USAGE = "meter", "trader", "usage"
_REPLAY_ENTRIES = 64  # own entries that a start may have to read again
REGISTERS = "registers"
RECEIVED = (TRADER, USAGE, "trust", "policy", "inbox")  # what a host can send again


class Checkpoint:
    """Checkpoint(store, journal, trader, usage, recorder). lost: the names of state that was damaged."""

    def __init__(
        self, store: "Store", journal: "Journal", trader: "Trader", usage: "Usage", recorder: "Recorder"
    ) -> None:
        self._store = store
        self._journal = journal
        self._trader = trader
        self._usage = usage
        self._recorder = recorder
        self._trade_through = self._usage_through = 0  # own entries before these are in what was stored
        self._generation = 0  # of the registers, when usage was stored
        self._registers: dict[int, int] = {}  # and those that were in flash by then
        self.boot = 0
        self.not_before_s = 0  # orders older than this were known to a state that was lost
        self.lost: list[str] = []

    def restore(self, log: "OwnLog") -> None:
        """Go on from what was stored, as far as the journal has what followed."""
        trader, usage = self._store.load(TRADER), self._store.load(USAGE)
        trade_through, usage_through = trader[0] if trader else 0, usage[0] if usage else 0
        log.at_least(max(trade_through, usage_through))
        if max(trade_through, usage_through) > log.next_sequence:
            trade_through = usage_through = 0  # of the generation before
        for name in ("guard", REGISTERS):
            self._store.load(name)  # whose damage shows when it is read, and must be known before it is used
        self.lost = [name for name in RECEIVED + ("guard", REGISTERS) if name in self._store.corrupt]
        numbers = usage[-1][2] if usage else trader[2] if trader else []
        first = min(trade_through, usage_through)
        if first < max(self._journal.lost_to, self._journal.first):
            trader = usage = None
            self.lost += [name for name in (TRADER, USAGE) if name not in self.lost]
        if trader is not None:
            self._trade_through = trade_through
            self._trader.restore(trader[1])
        if usage is not None:
            _, last_end_s, self._recorder.opened, self._generation, serial, self._registers, rows = usage
            self._recorder.named = (self._generation, serial)
            self._usage_through = usage_through
            self._recorder.intervals.last_end_s = last_end_s
            self._usage.restore(rows)
        self._usage.numbers = numbers  # whatever else of the grants was lost, none is accepted again
        if log.is_state_old:
            self.lost.append("state")

    def count_boot(self, log: "OwnLog") -> None:
        """One more than any boot before, by the store and by the newest entry; durable when this returns."""
        self.boot, self.not_before_s = self._store.load(NAME) or [0, 0]
        last = log.newest
        if last is not None:
            self.boot = max(self.boot, last.stamp.boot)
        if TRADER in self.lost or USAGE in self.lost or log.is_state_old:
            self.not_before_s = ((last.stamp.unix_s if last else None) or 0) + 1
        self.boot += 1
        self._store.save(NAME, [self.boot, self.not_before_s])

    def lower_time(self, unix_s: int) -> int:
        """The clock is behind `not_before_s`, which came from one that was ahead: what is older than now is rejected,
        and what comes from now on is not; durable when this returns."""
        self._store.save(NAME, [self.boot, unix_s])
        self.not_before_s = unix_s
        return unix_s

    def replay(self, log: "OwnLog", sealer: "Sealer") -> "tuple[int, dict[int, int]]":
        """Bring trader and usage up to the own entries published after they were stored; the registers that were
        published last, as (generation, register id -> Wh). Of an entry whose secret is lost the plain part counts."""
        generation = 0
        floor_wh: dict[int, int] = {}
        first = min(self._trade_through, self._usage_through)
        if REGISTERS in self.lost:
            first = 0  # the newest reading may be anywhere
        known = (self._generation, self._registers)
        for sequence in range(max(first, self._journal.first), self._journal.next_sequence):
            if sequence == self._usage_through:  # what is older may be of a generation that has ended
                generation, floor_wh = _higher(known, generation, floor_wh)
            new = log.read(sequence)
            if new is None:
                continue
            new = sealer.unseal(new)
            if sequence >= self._trade_through:
                self._trader.published(new)
            if sequence >= self._usage_through:
                self._usage.published(new)
                self._recorder.published(new)  # what it learns of older ones is stored with usage
            opened = generation if sequence < self._usage_through else self._recorder.opened
            generation, floor_wh = _raise_floor(new, opened, generation, floor_wh)
        generation, floor_wh = _higher(known, generation, floor_wh)
        return generation or int(any(floor_wh.values())), floor_wh  # what was published is of one

    def settle(self) -> None:
        """Once the registers are restored: what of them is nobody's, and what belongs to a generation that ended."""
        if self._recorder.bank.generation > self._generation:
            self._usage.base_wh = self._recorder.import_wh
        self._usage.settle(self._recorder.import_wh)

    def keep_trade_steps(self) -> "Generator[None, None, None]":
        """The trader as it is now is durable when this ends."""
        through = self._journal.next_sequence
        yield from self._store.save_steps(TRADER, [through, self._trader.to_list(), self._usage.numbers])
        self._trade_through = through

    def keep_usage_steps(self) -> "Generator[None, None, None]":
        """Usage as it is now is durable when this ends."""
        through = self._journal.next_sequence
        recorder = self._recorder
        bank = recorder.bank
        yield from self._store.save_steps(USAGE, [
            through, recorder.intervals.last_end_s, recorder.opened, bank.generation, bank.serial, recorder.saved,
            self._usage.to_list(),
        ])  # fmt: skip
        self._usage_through = through

    def keep_up_steps(self) -> "Generator[None, None, None]":
        """Keep what the journal has run too far ahead of."""
        if self._journal.next_sequence - self._trade_through > _REPLAY_ENTRIES:
            yield from self.keep_trade_steps()
        if self._journal.next_sequence - self._usage_through > _REPLAY_ENTRIES:
            yield from self.keep_usage_steps()

    def prune_steps(self, before: int) -> "Generator[None, None, None]":
        """Free the journal's entries before that sequence, once state no longer needs them."""
        yield from self.keep_trade_steps()
        yield from self.keep_usage_steps()
        self._journal.prune(before)


def _higher(
    known: "tuple[int, dict[int, int]]", generation: int, floor_wh: "dict[int, int]"
) -> "tuple[int, dict[int, int]]":
    """The values of the newer register generation, or the higher ones of the same."""
    if known[0] < generation:
        return generation, floor_wh
    floor_wh = floor_wh if known[0] == generation else {}
    for number, wh in known[1].items():
        floor_wh[number] = max(wh, floor_wh.get(number, 0))
    return known[0], floor_wh


def _raise_floor(
    new: "entry.Entry", opened: int, generation: int, floor_wh: "dict[int, int]"
) -> "tuple[int, dict[int, int]]":
    """The highest register values in what was published, of the newest register generation. Events leave in the order
    in which they were noted: their registers are of the one whose start was published last."""
    body = new.body
    if new.kind == kinds.READING:
        if new.is_sealed or body["register_generation"] < generation:
            return generation, floor_wh
        if body["register_generation"] > generation:
            generation, floor_wh = body["register_generation"], {}
        for number in body["registers"]:
            if number < readings.FIRST_INSTANTANEOUS:
                floor_wh[number] = max(floor_wh.get(number, 0), readings.end_value(body, number))
    elif new.kind == kinds.EVENT and body["code"] != event_codes.REGISTER_CLOSE:
        number = body.get("detail", 0) if body["code"] == event_codes.REGISTER_OPEN else opened
        return _higher((number, body.get("registers", {})), generation, floor_wh)
    elif "import_wh" in body:
        floor_wh[readings.IMPORT_WH] = max(floor_wh.get(readings.IMPORT_WH, 0), body["import_wh"])
    return generation, floor_wh
