"""Sources whose samples go through the firmware's sampling path: a synthetic mains waveform, and a recorded one."""

from boards.virtual.waveform import Waveform
from wattpact_meter.metering.fixedpoint import round_div
from wattpact_meter.metering.sampler import Sampler
from wattpact_meter.settings import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from boards.virtual.comtrade import Recording
    from boards.virtual.relay_file import FileRelay
    from wattpact_meter.metering.calibration import Calibration
    from wattpact_meter.sources.p1 import Taken

RATE_HZ = 1000
_CATCH_UP_US = 1_000_000
_MOST_CATCH_UP_US = 10_000_000  # in time that runs fast: what lies before it is a gap
_BLOCK = 100  # samples: what is in memory at a time
_PER_CYCLE = 40  # samples of a recording, 2 kHz and more


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

    def take(self, now_us: int) -> "Taken":
        if self._until_us is None or now_us - self._until_us > self._catch_up_us():
            self._restart(now_us)
            self._until_us = now_us
        periods = []
        step_us = _BLOCK * 1_000_000 // self._rate_hz
        while now_us - self._until_us >= step_us:
            periods.extend(self._sampler.feed_block(*self._samples(_BLOCK)))
            self._until_us += step_us
        return [(p.active_mw, p.end_us - p.start_us, p.instantaneous(), p.quality) for p in periods], []

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


class Recorded(SampledSource):
    """A COMTRADE recording over and over, its whole cycles joined end to end, as the calibrated converter reads it."""

    def __init__(self, calibration: "Calibration", recording: "Recording", names: "tuple[str, str]") -> None:
        mhz, rate_uhz = recording.frequency_mhz, recording.rate_uhz
        cycles = recording.samples * mhz * 1000 // rate_uhz
        if not cycles or rate_uhz < 1000 * mhz * _PER_CYCLE:
            raise SettingsError("source file has less than a cycle, or fewer than %d samples in one" % _PER_CYCLE)
        # A period is whole recordings, so that each says what all of the recording's cycles say.
        super().__init__(calibration, mhz * _PER_CYCLE // 1000, cycles * -(-10 // cycles))
        self._step = (1_000_000_000, mhz * _PER_CYCLE)  # µs between samples, as a fraction
        last = recording.samples - 1
        kept = [min(round_div(k * rate_uhz, 1000 * mhz * _PER_CYCLE), last) for k in range(cycles * _PER_CYCLE)]
        volts, amps = [_channel(recording, name, quantity) for name, quantity in zip(names, "VA")]
        scale = calibration.voltage_uv_per_count
        self._voltages = [_count(volts[k], scale, calibration.voltage_midpoint, calibration) for k in kept]
        scale = calibration.current_ua_per_count
        self._currents = [_count(amps[k], scale, calibration.current_midpoint, calibration) for k in kept]
        self._done = 0  # samples since the start
        self._start_us = 0

    def _restart(self, now_us: int) -> None:
        self._start_us = now_us
        self._done = 0

    def _samples(self, count: int) -> "tuple[list[int], list[int], list[int], int]":
        first, size = self._done, len(self._voltages)
        self._done += count
        microseconds, per = self._step
        base_us = first * microseconds // per
        times = [k * microseconds // per - base_us for k in range(first, self._done)]
        voltages = [self._voltages[k % size] for k in range(first, self._done)]
        currents = [self._currents[k % size] for k in range(first, self._done)]
        return times, voltages, currents, self._start_us + base_us


def _channel(recording: "Recording", name: str, quantity: str) -> "list[int]":
    channel = recording.channels.get(name)
    if channel is None or channel.quantity != quantity:
        raise SettingsError("source file has no channel %s in %s" % (name, quantity))
    return channel.micro


def _count(micro: int, per_count: int, middle: int, calibration: "Calibration") -> int:
    return min(max(round_div(micro, per_count) + middle, 0), calibration.full_scale)
