"""A current transformer and a voltage sensor as a source: blocks of samples into periods of whole mains cycles.

`adc` (drivers/adc_pair.py) has sample() -> (times_us, voltages, currents), one block, counted from its first sample.
"""

from wattpact_meter.metering.sampler import Sampler
from wattpact_meter.settings import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from wattpact_meter.metering.calibration import Calibration
    from wattpact_meter.metering.measurement import Measurement
    from wattpact_meter.settings import Settings

    class Adc(Protocol):
        def sample(self) -> tuple[Sequence[int], Sequence[int], Sequence[int]]: ...


class CtSource:
    """CtSource(adc, calibration): one phase."""

    pause_ms = 20

    def __init__(self, adc: "Adc", calibration: "Calibration") -> None:
        self._adc = adc
        self._sampler = Sampler(calibration)
        self.rejected: dict[str, int] = {}

    def read(self, now_us: int) -> "list[Measurement]":
        times_us, voltages, currents = self._adc.sample()
        return [period.measurement() for period in self._sampler.feed_block(times_us, voltages, currents, now_us)]


def make(settings: "Settings", plan: "dict[str, Any]", adc: "Callable[[bool], Adc]") -> CtSource:
    """adc(has_voltage) makes the converter. Raises SettingsError without a calibration."""
    calibration = settings.calibration
    if calibration is None:
        raise SettingsError("calibration is missing: a current transformer needs one")
    return CtSource(adc(calibration.has_voltage), calibration)
