"""Sources whose samples go through the firmware's sampling path; here that of a synthetic mains waveform."""

from boards.virtual.waveform import Waveform
from wattpact_meter.metering.calibration import Calibration
from wattpact_meter.metering.sampler import Sampler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from boards.virtual.relay_file import FileRelay
    from boards.virtual.virtual_clock import Clock
    from wattpact_meter.metering.measurement import Measurement
    from wattpact_meter.settings import Settings

RATE_HZ = 1000
_CATCH_UP_US = 1_000_000
_MOST_CATCH_UP_US = 10_000_000  # in time that runs fast: what is before it is a gap
_BLOCK = 100  # samples: what is in memory at a time
_VOLTAGE_UV_PER_COUNT = 200_000
_TOP_COUNTS = 2000


class SampledSource:
    """Periods from samples(count, start_us) -> (times_us, voltages, currents, base_us), as many as fit the time."""

    pause_ms = 100

    def __init__(self, calibration: "Calibration", rate_hz: int, cycles_per_period: int = 10) -> None:
        self._sampler = Sampler(calibration, cycles_per_period)
        self._rate_hz = rate_hz
        self._until_us: int | None = None
        self.rejected: dict[str, int] = {}

    def _samples(self, count: int) -> "tuple[list[int], list[int], list[int], int]":
        raise NotImplementedError

    def _restart(self, now_us: int) -> None:
        raise NotImplementedError

    def read(self, now_us: int) -> "list[Measurement]":
        if self._until_us is None or now_us - self._until_us > self._catch_up_us():
            self._restart(now_us)
            self._until_us = now_us
        periods = []
        step_us = _BLOCK * 1_000_000 // self._rate_hz
        while now_us - self._until_us >= step_us:
            periods.extend(self._sampler.feed_block(*self._samples(_BLOCK)))
            self._until_us += step_us
        return [period.measurement() for period in periods]

    def _catch_up_us(self) -> int:
        return _CATCH_UP_US


class Synthetic(SampledSource):
    """A load of constant power, or a producer where watts are negative."""

    def __init__(self, calibration: "Calibration", relay: "FileRelay", plan: "dict[str, Any]", speed: int) -> None:
        super().__init__(calibration, RATE_HZ)
        self._calibration = calibration
        self._relay = relay
        self._plan = plan
        self._speed = speed
        self._drawing = True

    def _restart(self, now_us: int) -> None:
        self._wave = Waveform(
            self._calibration, voltage_mv=self._plan["voltage_v"] * 1000, frequency_mhz=self._plan["hz"] * 1000,
            rate_hz=RATE_HZ, noise_counts=self._plan["noise_counts"], seed=self._plan["seed"], start_us=now_us,
        )  # fmt: skip
        self._drawing = False

    def _samples(self, count: int) -> "tuple[list[int], list[int], list[int], int]":
        drawing = self._plan["load"] == "always" or self._relay.closed
        if drawing != self._drawing:
            self._drawing = drawing
            self._wave.set_load(self._plan["watts"] if drawing else 0, self._plan["power_factor_milli"])
        return self._wave.block(count)

    def _catch_up_us(self) -> int:
        return min(_CATCH_UP_US * self._speed, _MOST_CATCH_UP_US)


def calibration_of(settings: "Settings") -> Calibration:
    """The settings' own; else channels that rated power at 230 V fills to about two thirds, and the starting current of
    class 1."""
    rated_ma = settings.rated_w * 1000 // 230 + 1
    return settings.calibration or Calibration(
        voltage_uv_per_count=_VOLTAGE_UV_PER_COUNT,
        current_ua_per_count=rated_ma * 1000 * 2 // _TOP_COUNTS + 1,
        starting_ma=rated_ma * 4 // 1000 + 20,
    )


def make(
    settings: "Settings", plan: "dict[str, Any]", relay: "Callable[[], FileRelay]", clock: "Callable[[], Clock]",
    seed: "Callable[[], int]",
) -> Synthetic:  # fmt: skip
    return Synthetic(calibration_of(settings), relay(), dict(plan, seed=seed()), clock().speed)
