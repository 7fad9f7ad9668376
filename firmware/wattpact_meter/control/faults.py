"""A fault that shows in what is measured: too much current in a phase."""

from wattpact_protocol.log import register_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from wattpact_meter.metering.measurement import Measurement

_OVER_CURRENT_PERCENT = 150  # of rated power, in any one phase
_NOMINAL_MV = 230_000
_PHASES = 3


class Faults:
    """Faults(rated_w). over_current: whether the newest measurements show one."""

    def __init__(self, rated_w: int) -> None:
        self._most_uw = rated_w * 10_000 * _OVER_CURRENT_PERCENT
        self.over_current = False

    def follow(self, measurements: "Sequence[Measurement]") -> bool:
        """What the source measured by now; whether an over-current begins with it."""
        was_over = self.over_current
        if measurements:
            self.over_current = any(self._is_over_current(one.instantaneous) for one in measurements)
        return self.over_current and not was_over

    def _is_over_current(self, instantaneous: "dict[int, int]") -> bool:
        for phase in range(_PHASES):
            voltage_mv = instantaneous.get(register_table.VOLTAGE_1_MV + phase, 0) or _NOMINAL_MV
            current_ma = abs(instantaneous.get(register_table.CURRENT_1_MA + phase, 0))
            if voltage_mv * current_ma > self._most_uw:
                return True
        return False
