"""Registers over a log: what every reading must hold against the readings before it.

What always holds after `apply` returns None: within one register generation no register fell and time did not run
back, and no register rose by more than the certificate's rated power could carry. A reading that breaks this stays in
the log, where everyone can see it, and counts for nothing. Specification: docs/spec/readings.md.
"""

from wattpact_protocol.log import readings
from wattpact_protocol.log.reasons import (
    FALLING_REGISTER,
    IMPOSSIBLE_JUMP,
    OLD_REGISTER_GENERATION,
    READING_TIME_RAN_BACK,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Rated power may be exceeded for a while (IEC 62052-11 has meters stand 120 % of Imax for long), and a register
# snapshot may be taken late: a tenth more than the double, and 10 Wh, are let through.
_HEADROOM_PERCENT = 210
_HEADROOM_WH = 10


class RegisterRules:
    """The last good registers of one meter."""

    def __init__(self, rated_w: int) -> None:
        self.rated_w = rated_w
        self.generation = -1
        self.end_s = 0
        self.values: dict[int, int] = {}

    def apply(self, body: "dict[str, Any]") -> "str | None":
        """None, and the state has moved; or the reason why the reading is void, and it has not."""
        generation = body["register_generation"]
        if generation < self.generation:
            return OLD_REGISTER_GENERATION
        energy = [(n, value) for n, value in body["registers"].items() if n < readings.FIRST_INSTANTANEOUS]
        problem = None if generation > self.generation else self._against_last(body["t0_s"], energy)
        if problem is None and self.rated_w:
            problem = self._within(body["step_s"], energy)
        if problem:
            return problem
        self.generation = generation
        self.end_s = readings.end_s(body)
        # Only the last reading's registers: `end_s` is their time, and whoever starts at this reading decides alike.
        self.values = {number: start + sum(deltas) for number, (start, deltas) in energy}
        return None

    def _most_wh(self, duration_s: int) -> int:
        return self.rated_w * duration_s * _HEADROOM_PERCENT // 360000 + _HEADROOM_WH

    def _against_last(self, t0_s: int, energy: "list[tuple[int, list[Any]]]") -> "str | None":
        if t0_s < self.end_s:
            return READING_TIME_RAN_BACK
        most_wh = None
        for number, (value, _) in energy:
            last = self.values.get(number, value)
            if value < last:
                return FALLING_REGISTER
            if value > last and self.rated_w:
                if most_wh is None:
                    most_wh = self._most_wh(t0_s - self.end_s)
                if value - last > most_wh:
                    return IMPOSSIBLE_JUMP
        return None

    def _within(self, step_s: int, energy: "list[tuple[int, list[Any]]]") -> "str | None":
        most_wh = self._most_wh(step_s)
        for _, (_, deltas) in energy:
            if deltas and max(deltas) > most_wh:
                return IMPOSSIBLE_JUMP
        return None
