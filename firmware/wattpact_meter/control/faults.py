"""Faults that show in what is measured: too much current in a phase, and a source that measures nothing any more."""

from wattpact_protocol.log import readings, register_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from wattpact_protocol.guard.guard import Inputs

    from wattpact_meter.metering.measurement import Measurement

DEAD_MS = 10_000  # a source that measured nothing for so long is dead
_OVER_CURRENT_PERCENT = 150  # of rated power, in any one phase
_NOMINAL_MV = 230_000
_PHASES = 3


class Faults:
    """Faults(rated_w, now_ms). over_current: whether the newest measurements show one."""

    def __init__(self, rated_w: int, now_ms: int) -> None:
        self._most_uw = rated_w * 10_000 * _OVER_CURRENT_PERCENT
        self._measured_ms = now_ms
        self.over_current = False

    def follow(self, now_ms: int, measurements: "Sequence[Measurement]") -> bool:
        """What the source measured by now; whether an over-current begins with it."""
        was_over = self.over_current
        if measurements:
            self.over_current = any(self._is_over_current(one.instantaneous) for one in measurements)
        if [one for one in measurements if not one.quality & readings.SENSOR_FAULT]:
            self._measured_ms = now_ms
        return self.over_current and not was_over

    def _is_over_current(self, instantaneous: "dict[int, int]") -> bool:
        for phase in range(_PHASES):
            voltage_mv = instantaneous.get(register_table.VOLTAGE_1_MV + phase, 0) or _NOMINAL_MV
            current_ma = abs(instantaneous.get(register_table.CURRENT_1_MA + phase, 0))
            if voltage_mv * current_ma > self._most_uw:
                return True
        return False

    def put(self, inputs: "Inputs") -> None:
        """Give the guard the faults as they are now."""
        inputs.over_current = self.over_current
        inputs.sensor_dead = inputs.uptime_ms - self._measured_ms > DEAD_MS
