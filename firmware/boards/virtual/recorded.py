"""A recorded mains waveform (COMTRADE) as a source, over and over."""

from boards.virtual import comtrade
from boards.virtual.sampled import SampledSource, calibration_of
from wattpact_meter.metering.fixedpoint import round_div
from wattpact_meter.settings import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from boards.virtual.comtrade import Recording
    from wattpact_meter.metering.calibration import Calibration
    from wattpact_meter.settings import Settings

_PER_CYCLE = 40  # samples, 2 kHz and more


class Recorded(SampledSource):
    """A COMTRADE recording over and over, its whole cycles joined end to end, as the calibrated converter reads it."""

    def __init__(self, calibration: "Calibration", recording: "Recording", names: "tuple[str, str]") -> None:
        mhz, rate_uhz = recording.frequency_mhz, recording.rate_uhz
        cycles = recording.samples * mhz * 1000 // rate_uhz
        if not cycles or rate_uhz < 1000 * mhz * _PER_CYCLE:
            raise SettingsError("source file has less than a cycle, or fewer than %d samples in one" % _PER_CYCLE)
        # A period is whole recordings, so that each measures what all of the recording's cycles amount to.
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
    return min(max(round_div(micro, per_count) + middle, calibration.lowest), calibration.highest)


def make(settings: "Settings", plan: "dict[str, Any]") -> Recorded:
    path = plan["file"]
    try:
        with open(path, "rb") as configuration, open(_data_path(path), "rb") as data:
            recording = comtrade.read(configuration.read(), data.read())
    except (OSError, comtrade.ComtradeError) as error:
        raise SettingsError("source file %s: %s" % (path, error))
    return Recorded(calibration_of(settings), recording, (plan["voltage"], plan["current"]))


def _data_path(path: str) -> str:
    """x.cfg -> x.dat, in the same case."""
    return path[:-3] + ("DAT" if path.endswith("CFG") else "dat")
