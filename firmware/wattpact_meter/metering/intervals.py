"""From registers that run on to readings: snapshots at the boundaries of steps, and the steps between them.

Boundaries are the multiples of step_s in Unix time. What always holds: a snapshot is between the registers before
and after it, so values never fall; where no snapshot was possible is a gap between readings, and its energy is in
the registers; without a valid clock there are no readings. Rules: docs/spec/meter.md, "Readings".
"""

from wattpact_protocol.log import readings, register_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_meter.clock import Now

_GRACE_MS = 15_000  # a boundary is given up as unmeasured when no measurement has spanned it for so long
_JUMP_MS = 2_000  # a clock that moved by less was steered, not set
MAX_WAITING = 8  # bodies that were not published yet
LARGEST_DELTA = 1 << 31


class UnixTime:
    """Milliseconds from a clock of whole seconds: its ticks narrow down where a second begins."""

    def __init__(self) -> None:
        self._low_ms: int | None = None  # of Unix time less uptime
        self._high_ms = 0

    @property
    def is_known(self) -> bool:
        return self._low_ms is not None

    def follow(self, now: "Now") -> int:
        """By how many ms the clock was set just now; 0 for a clock that runs on, or is set for the first time."""
        if now.unix_s is None:
            self._low_ms = None
            return 0
        low_ms = now.unix_s * 1000 - now.uptime_ms
        high_ms = low_ms + 999
        known_ms = self._low_ms
        if known_ms is not None and low_ms <= self._high_ms and high_ms >= known_ms:
            self._low_ms = max(known_ms, low_ms)
            self._high_ms = min(self._high_ms, high_ms)
            return 0
        self._low_ms, self._high_ms = low_ms, high_ms
        moved_ms = 0 if known_ms is None else low_ms - known_ms
        return moved_ms if moved_ms <= -_JUMP_MS or moved_ms >= _JUMP_MS else 0

    def at_ms(self, uptime_ms: int) -> int:
        """Unix time in ms; only while it is known."""
        assert self._low_ms is not None
        return uptime_ms + self._low_ms


class Intervals:
    """Intervals(step_s, count): readings of `count` steps of step_s."""

    def __init__(self, step_s: int, count: int, calibration_id: "int | None" = None) -> None:
        self.step_s = step_s
        self.count = count
        self.calibration_id = calibration_id
        self.last_end_s = 0  # of the newest reading that was published; none begins before it
        self.missed = 0  # boundaries without a snapshot
        self._next_s: int | None = None  # the next boundary
        self._first_s: int | None = None  # of the reading before any boundary
        self._instantaneous: dict[int, int] = {}
        self._generation = 0
        self._t0_s: int | None = None  # of the reading in progress
        self._start: dict[int, int] = {}
        self._at: dict[int, int] = {}  # values at the newest boundary
        self._deltas: dict[int, list[int]] = {}
        self._bad_mask = 0
        self._quality = 0
        self._step_quality = 0
        self._waiting: list[dict[str, Any]] = []

    def follow(
        self,
        unix_ms: int,
        before: "dict[int, int]",
        after: "dict[int, int]",
        duration_ms: int,
        quality: int,
        instantaneous: "dict[int, int]",
        generation: int,
    ) -> "list[tuple[int, int]]":
        """The last duration_ms moved the registers; the boundaries crossed in them, as (Unix s, import Wh)."""
        if instantaneous:
            self._instantaneous = instantaneous
        if generation != self._generation or not self._has_same_registers(after):
            self.close()
            self._generation = generation
        self._step_quality |= quality
        return self._cross(unix_ms, before, after, duration_ms)

    def _has_same_registers(self, values: "dict[int, int]") -> bool:
        return self._t0_s is None or sorted(values) == sorted(self._start)

    def idle(self, unix_ms: int, values: "dict[int, int]") -> "list[tuple[int, int]]":
        """No measurement came: a boundary long past gets the registers as they are, and is marked."""
        if self._next_s is None or unix_ms - self._next_s * 1000 < _GRACE_MS:
            return []
        self._step_quality |= readings.SENSOR_FAULT
        return self._cross(unix_ms, values, values, 0)

    def _cross(
        self, unix_ms: int, before: "dict[int, int]", after: "dict[int, int]", duration_ms: int
    ) -> "list[tuple[int, int]]":
        crossed: list[tuple[int, int]] = []
        start_ms = unix_ms - duration_ms
        if self._next_s is None:
            self._aim(start_ms)
            if not self.last_end_s:
                self._first_s = -(-start_ms // 1000)
        elif unix_ms - self._next_s * 1000 > self.step_s * 1000 * (self.count + 1):
            self._skip(unix_ms)
        if self._first_s is not None and self._first_s * 1000 <= unix_ms:
            self._begin_life(_between(before, after, self._first_s * 1000 - start_ms, duration_ms))
        while self._next_s is not None and self._next_s * 1000 <= unix_ms:
            boundary_s = self._next_s
            into_ms = boundary_s * 1000 - start_ms
            estimated = readings.ESTIMATED if into_ms < 0 or duration_ms > self.step_s * 1000 else 0
            self._step_quality |= estimated  # nothing was measured just then
            values = _between(before, after, into_ms, duration_ms)
            self._snapshot(boundary_s, values)
            self._step_quality |= estimated  # and the step that follows begins there
            crossed.append((boundary_s, values[readings.IMPORT_WH]))
            self._next_s = boundary_s + self.step_s
        return crossed

    def _begin_life(self, values: "dict[int, int]") -> None:
        """The first second of a meter's life, with no step after it: what is measured from then on is accounted for."""
        first_s, self._first_s = self._first_s or 0, None
        if self._next_s is not None and first_s < self._next_s:
            self.show(self._generation, first_s, values)

    def show(self, generation: int, unix_s: int, values: "dict[int, int]") -> None:
        """A reading of no intervals, behind the one in progress, which ends."""
        self.close()
        self._generation = generation
        self._wait(max(unix_s, self.last_end_s), {number: [wh, []] for number, wh in values.items()}, 0)
        if self._next_s is not None and self._next_s < self.last_end_s:  # it still waited
            self._aim(self._next_s * 1000)

    def _aim(self, unix_ms: int) -> None:
        """The first boundary from here on behind everything published."""
        first_s = max(-(-unix_ms // 1000), self.last_end_s)
        self._next_s = -(-first_s // self.step_s) * self.step_s

    def _skip(self, unix_ms: int) -> None:
        """Too many boundaries passed unseen: the reading ends with what is known, and a gap is left."""
        before_s = self._next_s or 0
        self.close()
        self._aim(unix_ms)
        self.missed += max(0, ((self._next_s or 0) - before_s) // self.step_s)

    def _snapshot(self, boundary_s: int, values: "dict[int, int]") -> None:
        if self._t0_s is None:
            self._open(boundary_s, values)
            return
        bit = 1 << len(self._deltas[readings.IMPORT_WH])
        for number in self._start:
            delta = max(0, min(values[number] - self._at[number], LARGEST_DELTA))
            self._deltas[number].append(delta)
            self._at[number] += delta
        if self._step_quality:
            self._bad_mask |= bit
            self._quality |= self._step_quality
            self._step_quality = 0
        if len(self._deltas[readings.IMPORT_WH]) >= self.count:
            self.close()
            self._open(boundary_s, values)

    def _open(self, boundary_s: int, values: "dict[int, int]") -> None:
        self._t0_s = boundary_s
        self._start = values
        self._at = dict(values)
        self._deltas = {number: [] for number in values}
        self._bad_mask = 0
        self._step_quality &= readings.POWER_FAILURE | readings.CLOCK_ADJUSTED

    def close(self) -> None:
        """End the reading in progress with what is known; the next one begins at the next boundary."""
        t0_s, self._t0_s = self._t0_s, None
        if t0_s is None or not self._deltas[readings.IMPORT_WH]:
            return
        registers: dict[int, list[Any]] = {n: [self._start[n], self._deltas[n]] for n in self._start}
        for number, value in self._instantaneous.items():
            if number >= readings.FIRST_INSTANTANEOUS and register_table.is_known(number):
                registers[number] = [value, []]
        self._wait(t0_s, registers, self._bad_mask)

    def _wait(self, t0_s: int, registers: "dict[int, list[Any]]", bad_mask: int) -> None:
        body = {
            "register_generation": self._generation, "t0_s": t0_s, "step_s": self.step_s, "quality": self._quality,
            "calibration": self.calibration_id, "registers": registers, "bad_mask": bad_mask,
        }  # fmt: skip
        self.last_end_s = max(self.last_end_s, readings.end_s(body))
        self._quality = 0
        self._waiting.append(body)
        if len(self._waiting) > MAX_WAITING:  # the next one carries the difference, but not to another generation
            self._waiting.remove(([body for body in self._waiting if readings.intervals(body)] or self._waiting)[0])
            self.missed += self.count

    def lose_clock(self) -> None:
        """The clock is not valid any more."""
        self.close()
        self._next_s = None

    def set_clock(self) -> None:
        """The clock was set: what is known is closed, and the next reading is marked so."""
        self.close()
        self._next_s = None
        self._step_quality |= readings.CLOCK_ADJUSTED

    def mark(self, quality: int) -> None:
        """Put a quality bit on the step that is running."""
        self._step_quality |= quality

    def waiting(self) -> "dict[str, Any] | None":
        """The oldest reading that was not published."""
        return self._waiting[0] if self._waiting else None

    def published(self) -> None:
        """The oldest one was."""
        del self._waiting[0]


def slim(body: "dict[str, Any]") -> "dict[str, Any]":
    """The same reading with total import and export alone, for one that is too long to be an entry."""
    slimmed = dict(body)
    registers = body["registers"]
    slimmed["registers"] = {n: registers[n] for n in (readings.IMPORT_WH, readings.EXPORT_WH)}
    return slimmed


def _between(before: "dict[int, int]", after: "dict[int, int]", into_ms: int, duration_ms: int) -> "dict[int, int]":
    """The registers into_ms after `before`, had they risen evenly to `after` in duration_ms."""
    if into_ms <= 0:
        return {number: before.get(number, wh) for number, wh in after.items()}
    if into_ms >= duration_ms:
        return dict(after)
    values = {}
    for number, wh in after.items():
        first_wh = before.get(number, wh)
        values[number] = first_wh + (wh - first_wh) * into_ms // duration_ms
    return values
