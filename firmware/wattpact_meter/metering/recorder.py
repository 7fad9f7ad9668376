"""The registers of this meter against time: what was measured goes in, boundaries, readings and checkpoints come out.

What always holds: no register value leaves the meter before a checkpoint at or above it is in flash, so that after
any restart the registers go on from there or above. Registers count whether or not the clock is known and the meter
enrolled. A source is alive while it is trusted, whatever bytes come of it. Rules: docs/spec/meter.md, "Registers".
"""

from wattpact_protocol.log import event_codes, kinds, readings

from wattpact_meter.metering import registers
from wattpact_meter.metering.intervals import Intervals, UnixTime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from wattpact_protocol.log import entry

    from wattpact_meter.clock import Now
    from wattpact_meter.metering.measurement import Measurement
    from wattpact_meter.storage.store import Store

NAME = "registers"
_CHECKPOINT_MS = 60_000
_MJ_PER_WH = 3_600_000
_PARTS = 128  # a checkpoint where one of so many of the energy since the start is in none
_RAN_BACK_S = 3_600  # a clock set back behind the last reading by more opens a new register generation
_MAX_TEXT_BYTES = 64
_WAIT_FOR_CLOCK_MS = 60_000
DEAD_MS = 10_000  # a source that was not trusted for so long is dead, or for three of its periods
_PERIODS = 3
_FIRST_PERIOD_MS = 10_000  # the slowest that DSMR allows, until it is known
_LONGEST_PERIOD_MS = 3_600_000  # nobody gains by letting a telegram through now and then
_GAPS = 5
_MAX_ENDS = 8


class Recorder:
    """Recorder(store, note, serial, rated_w, step_s, count, calibration_id): note(code, fields) puts an event into the
    queue; serial names the meter's own measurement."""

    def __init__(
        self,
        store: "Store",
        note: "Callable[[int, dict[str, Any]], None]",
        serial: str,
        rated_w: int,
        step_s: int,
        count: int,
        calibration_id: "int | None" = None,
    ) -> None:
        self._store = store
        self._note = note
        self._serial = serial
        self.bank = registers.Bank(rated_w)
        self.intervals = Intervals(step_s, count, calibration_id)
        self.time = UnixTime()
        self.power_w: int | None = None
        self.opened = 0  # the newest register generation whose start was published
        self.named = (0, "")  # a register generation and its serial, known without the checkpoint
        self.rebased: tuple[int, int] | None = None  # import where a generation ended, and where the next began
        self._ends: list[list[Any]] = []  # [generation, registers] where one ended or began, until it is in a reading
        self._shown = 0  # so many of them are in readings that wait
        self._had_clock: bool | None = None
        self.saved: dict[int, int] = {}  # registers that are in flash, here or where they were raised from
        self._saved_ms = 0
        self.counted: Measurement | None = None  # the newest whose energy is in the registers
        self._counted_mj = self._unsaved_mj = 0  # since the start, since the newest checkpoint
        self._adopted_ms: int | None = None
        self._adopted_s = 0  # Unix time; 0 where it is not known
        self._doubted = False
        self.trusted_ms = 0  # when the source was trusted last, or the meter began
        self.period_ms = _FIRST_PERIOD_MS
        self.is_trusted = False  # trusted since the start
        self._gaps_ms: list[int] = []  # between the newest trusted measurements of a slow source

    def is_dead(self, now_ms: int) -> bool:
        """Whether the source was not trusted for longer than it may be silent."""
        return now_ms - self.trusted_ms > max(DEAD_MS, _PERIODS * self.period_ms)

    @property
    def import_wh(self) -> int:
        return self.bank.snapshot().get(readings.IMPORT_WH, 0)

    @property
    def export_wh(self) -> int:
        return self.bank.snapshot().get(readings.EXPORT_WH, 0)

    def totals(self) -> "dict[int, int]":
        """Total import and export, Wh."""
        return {readings.IMPORT_WH: self.import_wh, readings.EXPORT_WH: self.export_wh}

    def restore(self, generation: int, floor_wh: "dict[int, int]") -> None:
        """Go on from the checkpoint, raised to what is known to have been published."""
        saved: Any = self._store.load(NAME)
        if saved is not None:
            self.bank.restore(saved[:-3])
            self.period_ms, self._adopted_s, self._ends = saved[-3:]
            if self._adopted_s:
                self.bank.outage_s = None
            self.saved = self.bank.snapshot()
        held = self.bank.snapshot()
        below = any(held.get(number, 0) < wh for number, wh in floor_wh.items())
        if generation > self.bank.generation or (generation == self.bank.generation and below):
            self._raise_to(generation, floor_wh)
        if self.bank.generation > self.opened:
            for i in range(1, len(self._ends), 2):
                self._note_change(*self._ends[i - 1 : i + 1])
            if not self._ends:
                self.note_generation()

    def _raise_to(self, generation: int, floor_wh: "dict[int, int]") -> None:
        values = {readings.IMPORT_WH: 0, readings.EXPORT_WH: 0}
        if generation == self.bank.generation:
            values.update(self.bank.snapshot())
        for number, wh in floor_wh.items():
            values[number] = max(wh, values.get(number, 0))
        rows = [[number, wh, 0] for number, wh in sorted(values.items())]
        serial = self.bank.serial
        if generation == self.named[0]:
            serial = serial or self.named[1]  # so that a meter with registers goes on in its generation
        self.bank.restore([1, generation, serial or self._serial, rows])
        self.saved = self.bank.snapshot()  # where they came from
        self._unsaved_mj = 1  # a checkpoint with the next tick

    # What was measured. Each gives the boundaries that were crossed, as (Unix s, import Wh).

    def measure_steps(self, now: "Now", measurement: "Measurement") -> "Generator[None, None, list[tuple[int, int]]]":
        """A measurement that ends now. Gives way where it is in the registers and in no reading yet: it must be driven
        to its end."""
        if measurement.serial is not None:
            moved = self._adopt(now, measurement, measurement.serial)
            if moved is None:
                return []
            before, duration_ms = moved
        else:
            if not measurement.quality & readings.SENSOR_FAULT:
                self._trust(now.uptime_ms)
            if self.bank.serial != self._serial:
                self._open(self._serial, {})
            before, duration_ms = self.bank.snapshot(), measurement.duration_us // 1000
            self.bank.add_energy(measurement.energy_nj)
            self.counted = measurement
            self._count(abs(sum(measurement.energy_nj)) // 1_000_000)
        yield
        return self._follow(now, before, duration_ms, measurement)

    def _adopt(self, now: "Now", measurement: "Measurement", serial: str) -> "tuple[dict[int, int], int] | None":
        """The registers of a meter with registers of its own: those before, and how many ms ago; or None where nothing
        follows from them."""
        if not measurement.registers_wh:  # some meters send power far more often than registers
            self.power_w = measurement.power_w
            return None
        now_ms, now_s, values_wh = now.uptime_ms, now.uptime_ms // 1000, measurement.registers_wh
        self._measure_outage(now)
        power_w = measurement.power_w
        if power_w is not None and power_w < 0 and readings.EXPORT_WH not in values_wh:
            power_w = 0
        before = self.bank.snapshot()
        verdict = self.bank.adopt(serial, values_wh, now_s, power_w)
        if verdict == registers.OPENED:
            self._opened(before)
            before = self.bank.snapshot()
        self._note_rejection(verdict)
        if verdict not in (registers.ADOPTED, registers.OPENED):
            return None
        if not self.bank.is_frozen(now_s):
            self._trust(now_ms)
        risen_wh = sum([wh - before.get(number, 0) for number, wh in self.totals().items()])
        self._count(_MJ_PER_WH * risen_wh)
        self._adopted_s = now.unix_s or 0
        last_ms, self._adopted_ms = self._adopted_ms, now_ms
        return before, 0 if last_ms is None else now_ms - last_ms

    def _count(self, moved_mj: int) -> None:
        self._counted_mj += moved_mj
        self._unsaved_mj += moved_mj

    def _measure_outage(self, now: "Now") -> None:
        """For how long the registers after a restart may have risen unseen, once there is a clock."""
        if self.bank.outage_s is None and now.unix_s is not None:
            self.bank.outage_s = max(0, now.unix_s - self._adopted_s)
        elif self.bank.outage_s is None and now.uptime_ms - self.trusted_ms > _WAIT_FOR_CLOCK_MS:
            self.bank.outage_s = registers.LONGEST_OUTAGE_S

    def _trust(self, now_ms: int) -> None:
        """The source is alive; its period is the median of the newest gaps, so that neither a lost telegram nor two at
        once are taken for it. That of a fast source does not matter."""
        gap_ms, self.trusted_ms, self.is_trusted = now_ms - self.trusted_ms, now_ms, True
        if _PERIODS * max(gap_ms, self.period_ms) > DEAD_MS:
            self._gaps_ms = self._gaps_ms[1 - _GAPS :] + [gap_ms]
            if len(self._gaps_ms) > _GAPS // 2:
                self.period_ms = min(sorted(self._gaps_ms)[len(self._gaps_ms) // 2], _LONGEST_PERIOD_MS)

    def _note_rejection(self, verdict: str) -> None:
        """One event for each run of rejections."""
        rejected = verdict in (registers.FALL, registers.JUMP, registers.MISSING, registers.MALFORMED)
        if rejected and not self._doubted:
            code = event_codes.JUMP_REJECTED if verdict == registers.JUMP else event_codes.SOURCE_REJECTED
            self._note(code, {"text": verdict})
        if verdict != registers.ZERO:
            self._doubted = rejected

    def begin_generation(self, number: int) -> None:
        """Somebody who knows that the source or its registers were replaced orders the generation of that number: it
        begins with what is measured next. Nothing where it is not the next one."""
        if not self.bank.generation or number != self.bank.generation + 1:
            return
        if self.bank.serial == self._serial:
            self._open(self._serial, self.bank.snapshot())
        else:
            self.bank.begin_anew()

    def _open(self, serial: str, start_wh: "dict[int, int]") -> None:
        closing = self.bank.snapshot()
        self.bank.open_generation(serial, start_wh)
        self._opened(closing)

    def _opened(self, closing_wh: "dict[int, int]") -> None:
        closed_wh, _ = self.rebased or (closing_wh.get(readings.IMPORT_WH, 0), 0)
        self.rebased = (closed_wh, self.import_wh)
        self.saved = {}
        if not closing_wh:
            self.note_generation()
            return
        generation = self.bank.generation
        self._ends += [[generation - 1, closing_wh], [generation, self.bank.snapshot()]]
        if len(self._ends) > _MAX_ENDS:
            del self._ends[:2]
            self._shown = max(0, self._shown - 2)
        self._note_change(*self._ends[-2:])

    def _note_change(self, closing: "list[Any]", opening: "list[Any]") -> None:
        self._note(event_codes.REGISTER_CLOSE, {"registers": _few(closing[1])})
        self.note_generation(*opening)

    def note_generation(self, number: int = 0, values_wh: "dict[int, int] | None" = None) -> None:
        """Publish which register generation there is, and its registers, or those with which it began."""
        values_wh = _few(values_wh or self.bank.snapshot())
        fields = {"text": _short(self.bank.serial), "detail": number or self.bank.generation, "registers": values_wh}
        self._note(event_codes.REGISTER_OPEN, fields)

    def _show_ends(self, unix_s: int) -> None:
        """Readings of no intervals, so that what was used up to a generation's end, and from its start, counts."""
        for generation, values_wh in self._ends[self._shown :]:
            self.intervals.show(generation, unix_s, values_wh)
        self._shown = len(self._ends)

    def published(self, new: "entry.Entry") -> None:
        """An entry of this meter is in its journal."""
        if new.kind == kinds.READING and new.is_sealed:  # its content was lost; it ended before it was signed
            self.intervals.last_end_s = max(self.intervals.last_end_s, new.stamp.unix_s or 0)
        elif new.kind == kinds.READING:
            if new.body["register_generation"] >= self.bank.generation:
                self.intervals.last_end_s = readings.end_s(new.body)
            if self._shown and not readings.intervals(new.body) and new.body["register_generation"] == self._ends[0][0]:
                del self._ends[0]
                self._shown -= 1
                self._unsaved_mj = self._counted_mj + 1  # a checkpoint with the next tick
        elif new.kind == kinds.EVENT and new.body["code"] == event_codes.REGISTER_OPEN:
            number = new.body.get("detail", 0)
            self.opened = max(self.opened, number)
            if number >= self.named[0] and "text" in new.body:
                self.named = (number, new.body["text"])

    def idle(self, now: "Now") -> "list[tuple[int, int]]":
        """Nothing was measured; time went on."""
        self._follow_clock(now)
        if not self.time.is_known or not self.bank.generation:
            return []
        return self.intervals.idle(self.time.at_ms(now.uptime_ms), self.bank.snapshot())

    def _follow(
        self, now: "Now", before: "dict[int, int]", duration_ms: int, measurement: "Measurement"
    ) -> "list[tuple[int, int]]":
        power_w = measurement.power_w
        self.power_w = self.power_w if power_w is None else power_w
        before_generation = self.bank.generation
        self._follow_clock(now)
        if not self.time.is_known:
            return []
        unix_ms, quality, shown = self.time.at_ms(now.uptime_ms), measurement.quality, measurement.instantaneous
        after, generation = self.bank.snapshot(), self.bank.generation
        if generation != before_generation:  # the clock began it, with what is measured by now
            before, duration_ms = after, 0
        return self.intervals.follow(unix_ms, before, after, duration_ms, quality, shown, generation)

    def _follow_clock(self, now: "Now") -> None:
        moved_ms = self.time.follow(now)
        has_clock = now.unix_s is not None
        if moved_ms:
            self.intervals.set_clock()
        elif self._had_clock and not has_clock:
            self.intervals.lose_clock()
        elif has_clock and self._had_clock is False:
            self.intervals.mark(readings.CLOCK_ADJUSTED)
        if moved_ms or (has_clock and self._had_clock is False):
            self._note(event_codes.CLOCK_SET, {"detail": moved_ms // 1000})
        self._had_clock = has_clock
        if now.unix_s is not None and self.bank.generation and now.unix_s + _RAN_BACK_S < self.intervals.last_end_s:
            self.intervals.close()
            self._open(self.bank.serial, self.bank.snapshot())
            opening = self._ends.pop()
            self._show_ends(self.intervals.last_end_s + self.intervals.step_s)
            self.intervals.last_end_s = 0
            self._ends.append(opening)
        if now.unix_s is not None:
            self._show_ends(now.unix_s)

    # What is kept

    def keep_up_steps(self, now: "Now") -> "Generator[None, None, None]":
        """A checkpoint now and then, so that power lost without warning loses little: soon after a start often, so that
        many starts together lose little too."""
        if self._unsaved_mj * _PARTS > self._counted_mj:
            yield from self.checkpoint_steps()
        elif now.uptime_ms - self._saved_ms >= _CHECKPOINT_MS:
            self._saved_ms = now.uptime_ms
            if self.bank.snapshot() != self.saved:
                yield from self.checkpoint_steps()

    def cover_steps(self, values_wh: "dict[int, int]") -> "Generator[None, None, None]":
        """A checkpoint at or above these registers is in flash when this ends."""
        if any(self.saved.get(number, -1) < wh for number, wh in values_wh.items()):
            yield from self.checkpoint_steps()

    def checkpoint_steps(self) -> "Generator[None, None, None]":
        """The registers as they are now are in flash when this ends."""
        yield from self._store.save_steps(NAME, self.bank.checkpoint() + [self.period_ms, self._adopted_s, self._ends])
        self._unsaved_mj = 0
        self.saved = self.bank.snapshot()


def _few(values_wh: "dict[int, int]") -> "dict[int, int]":
    """As many registers as an event holds."""
    return {number: values_wh[number] for number in sorted(values_wh)[:16]}


def _short(text: str) -> str:
    """The end of a text, in at most as many bytes as an event holds; serials differ at their ends."""
    while len(text.encode()) > _MAX_TEXT_BYTES:
        text = text[1:]
    return text
