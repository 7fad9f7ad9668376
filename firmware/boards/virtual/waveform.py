"""A mains waveform as a 12-bit converter sees it, in integers: what the virtual board feeds to the sampling path.

Equal arguments give equal samples on every platform. Every value of a sample is a small integer on a 32-bit chip.
"""

from wattpact_meter.metering.fixedpoint import ONE, TURN, isqrt, round_div, sin_cos

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from wattpact_meter.metering.calibration import Calibration

_PHASE_BITS = 24
_TABLE_BITS = 9
_FRACTION_BITS = 10
_SCALE = 1 << 14
_PHASE_MASK = (1 << _PHASE_BITS) - 1
_INDEX_SHIFT = _PHASE_BITS - _TABLE_BITS
_FRACTION_SHIFT = _INDEX_SHIFT - _FRACTION_BITS
_FRACTION_MASK = (1 << _FRACTION_BITS) - 1
_SUBCOUNTS = 16
_HALF = _SUBCOUNTS // 2

_sines = [round_div(sin_cos(k * TURN >> _TABLE_BITS)[0] * _SCALE, ONE) for k in range((1 << _TABLE_BITS) + 1)]


def _sine(phase: int) -> int:
    """Sine, scaled by 2^14, of a phase in 2^-24 of a turn."""
    phase &= _PHASE_MASK
    index = phase >> _INDEX_SHIFT
    low = _sines[index]
    return low + ((_sines[index + 1] - low) * (phase >> _FRACTION_SHIFT & _FRACTION_MASK) >> _FRACTION_BITS)


class Noise:
    """Repeatable triangular noise from a linear congruence that fits small integers (period 2^23)."""

    def __init__(self, seed: int) -> None:
        self._state = seed & 0x7FFFFF

    def below(self, n: int) -> int:
        """0 to n - 1; n at most 2^14."""
        self._state = (self._state * 69 + 12345) & 0x7FFFFF
        return (self._state >> 8) * n >> 15

    def around(self, width: int) -> int:
        """-width to width, mostly near 0."""
        return self.below(width + 1) - self.below(width + 1) if width else 0


def _degrees_of(power_factor_milli: int) -> int:
    """The angle, in 2^-24 of a turn, whose cosine is |power_factor_milli| / 1000, 0 to a quarter turn."""
    low, high = 0, 1 << (_PHASE_BITS - 2)
    wanted = abs(power_factor_milli) * ONE // 1000
    while low < high:
        middle = (low + high) // 2
        if sin_cos(middle * (TURN >> _PHASE_BITS))[1] > wanted:
            low = middle + 1
        else:
            high = middle
    return low


class Waveform:
    """Samples (t_us, voltage counts, current counts) of a load, one every 1/rate_hz, as `calibration` would read them.

    harmonics: (order, permille of the current's fundamental) pairs; noise_counts: the most that noise adds to a sample;
    jitter_us: how late a sample may be taken, its time stamp being true; drift_counts: how far the voltage and
    current midpoints are from those of the calibration. The calibration's phase error is put into the current.
    """

    def __init__(
        self,
        calibration: "Calibration",
        power_w: int = 0,
        power_factor_milli: int = 1000,
        leading: bool = False,
        voltage_mv: int = 230000,
        frequency_mhz: int = 50000,
        rate_hz: int = 2000,
        noise_counts: int = 0,
        jitter_us: int = 0,
        drift_counts: "tuple[int, int]" = (0, 0),
        harmonics: "Sequence[tuple[int, int]]" = (),
        seed: int = 1,
        start_us: int = 0,
    ) -> None:
        if not calibration.has_voltage:
            raise ValueError("a waveform needs a calibration with a voltage channel")
        self._calibration = calibration
        self._rate_hz = rate_hz
        self._noise = Noise(seed)
        self._noise_subcounts = noise_counts * _SUBCOUNTS
        self._jitter_us = jitter_us
        self._harmonics = tuple(harmonics)
        self._offsets = (
            (calibration.voltage_midpoint + drift_counts[0]) * _SUBCOUNTS + _HALF,
            (calibration.current_midpoint + drift_counts[1]) * _SUBCOUNTS + _HALF,
        )
        self._phase = 0
        self._residue = 0  # of the phase and of the time: neither drifts
        self._ticks = 0
        self._next_us = start_us
        self.set_mains(voltage_mv, frequency_mhz)
        self.set_load(power_w, power_factor_milli, leading)

    def set_mains(self, voltage_mv: int, frequency_mhz: int) -> None:
        """Change voltage and frequency from the next sample on; the current stays until the next set_load."""
        self.voltage_mv = voltage_mv
        self.frequency_mhz = frequency_mhz
        self._step, self._step_rest = divmod(frequency_mhz << _PHASE_BITS, self._rate_hz * 1000)
        self._volts = self._amplitude(voltage_mv * 1000, self._calibration.voltage_uv_per_count)
        self._late = round_div((self._calibration.phase_error_us * frequency_mhz) << _PHASE_BITS, 10**9)

    def set_load(self, power_w: int, power_factor_milli: int = 1000, leading: bool = False) -> None:
        """Change the load from the next sample on; negative power is supplied, and a leading load is capacitive."""
        if not 1 <= power_factor_milli <= 1000:
            raise ValueError("power_factor_milli must be 1 to 1000")
        current_ua = round_div(abs(power_w) * 10**12, self.voltage_mv * power_factor_milli)
        self._amps = self._amplitude(current_ua, self._calibration.current_ua_per_count)
        angle = _degrees_of(power_factor_milli)
        self._lag = (-angle if leading else angle) + ((1 << (_PHASE_BITS - 1)) if power_w < 0 else 0)

    @staticmethod
    def _amplitude(rms_micro: int, per_count: int) -> int:
        """Peak of a sine in 1/16 counts."""
        peak = isqrt(2 * (rms_micro * _SUBCOUNTS) ** 2) // abs(per_count)
        return peak if per_count > 0 else -peak

    def __iter__(self) -> "Waveform":
        return self

    def __next__(self) -> "tuple[int, int, int]":
        late_us = self._noise.below(self._jitter_us + 1) if self._jitter_us else 0
        phase = self._phase + (late_us * self._step * self._rate_hz // 10**6 if late_us else 0)
        taken = (self._next_us + late_us, self._count(self._volts * _sine(phase), 0), self._current(phase))
        self._advance()
        return taken

    def block(self, samples: int) -> "tuple[list[int], list[int], list[int], int]":
        """The next samples as (times_us, voltages, currents, base_us), the arguments of Sampler.feed_block."""
        base_us = self._next_us
        taken = [next(self) for _ in range(samples)]
        return [t - base_us for t, _, _ in taken], [v for _, v, _ in taken], [i for _, _, i in taken], base_us

    def _current(self, phase: int) -> int:
        phase -= self._lag + self._late
        value = self._amps * _sine(phase)
        for order, permille in self._harmonics:
            value += self._amps * permille // 1000 * _sine(phase * order)
        return self._count(value, 1)

    def _count(self, value: int, channel: int) -> int:
        """Quantise: the converter's counts, held at its rails."""
        value = (value // _SCALE + self._offsets[channel] + self._noise.around(self._noise_subcounts)) // _SUBCOUNTS
        return min(max(value, self._calibration.lowest), self._calibration.highest)

    def _advance(self) -> None:
        modulus = self._rate_hz * 1000
        self._residue += self._step_rest
        carry, self._residue = divmod(self._residue, modulus)
        self._phase = (self._phase + self._step + carry) & _PHASE_MASK
        self._ticks += 10**6
        step_us, self._ticks = divmod(self._ticks, self._rate_hz)
        self._next_us += step_us
