"""What a period of whole cycles amounts to: power, RMS values, power factor and energy from the sums of `sampler`.

Offsets are removed here, algebraically: C(xy) = n·Σxy − Σx·Σy is n² times the covariance. The phase error is removed
by interpolating between the products with the voltage sample now and the one before, so that the voltage is taken the
error's time earlier: with L the error and θ the sample spacing as angles, p = sin L / sin θ weighs the sample before
and cos L − p·cos θ the sample now. This is exact for the fundamental and approximate for harmonics.

What always holds: energy is power times the time from start to end, rounded once, to the nearest nanojoule.
"""

from wattpact_protocol.log import readings, register_table

from wattpact_meter.metering.fixedpoint import ONE, TURN, isqrt, round_div, sin_cos
from wattpact_meter.metering.measurement import Measurement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wattpact_meter.metering.calibration import Calibration

NO_VOLTAGE = 1  # the board has no voltage channel
NO_CROSSING = 2  # there is one, and no mains cycles in it
VOLTAGE_FLAT = 4  # under a tenth of the nominal voltage
VOLTAGE_CLIPPED = 8
CURRENT_FLAT = 16  # not one count of change: a working converter has noise
CURRENT_CLIPPED = 32
GAP = 64  # samples were missing
BRIDGED = 128  # they were too far apart for more than an estimate

_FLAT_PART = 10
_FINE = 1 << 16
_4_PI2 = 2587242  # 4·pi^2 scaled by _FINE


class Period:
    """One measured period. Power is signed, import positive; microseconds are on the sampler's clock."""

    def __init__(self, start_us: int, end_us: int) -> None:
        self.start_us = start_us
        self.end_us = end_us
        self.active_mw = 0
        self.apparent_mva = 0
        self.vrms_mv = 0
        self.irms_ma = 0
        self.power_factor_milli = 0
        self.frequency_mhz = 0
        self.energy_nj = 0
        self.samples = 0
        self.flags = 0
        self.estimated = False

    @property
    def quality(self) -> int:
        """The quality bits of a reading that holds this period."""
        bits = readings.ESTIMATED if self.estimated else 0
        if self.flags & (NO_CROSSING | VOLTAGE_FLAT | CURRENT_FLAT):
            bits |= readings.SENSOR_FAULT
        if self.flags & (VOLTAGE_CLIPPED | CURRENT_CLIPPED):
            bits |= readings.CLIPPED
        return bits

    def measurement(self) -> Measurement:
        """Of the one phase that was sampled."""
        shown = {
            register_table.POWER_W: round_div(self.active_mw, 1000),
            register_table.VOLTAGE_1_MV: self.vrms_mv,
            register_table.CURRENT_1_MA: self.irms_ma,
            register_table.FREQUENCY_MHZ: self.frequency_mhz,
            register_table.POWER_FACTOR_MILLI: self.power_factor_milli,
        }
        return Measurement([self.energy_nj], self.end_us - self.start_us, shown, self.quality)


def _phase_weights(lag: int, spacing: int) -> "tuple[int, int]":
    """The weights, scaled by ONE, of the voltage sample now and of the one before; angles in 1/TURN of a turn."""
    sin_lag, cos_lag = sin_cos(lag)
    sin_spacing, cos_spacing = sin_cos(spacing)
    before = round_div(sin_lag * ONE, sin_spacing)
    return cos_lag - round_div(before * cos_spacing, ONE), before


def bridge(
    ends: "tuple[int, int, int, int]", wide_us: int, spacing_us: int, cycle_us: int, share: int, is_wide: bool
) -> "list[int]":
    """What the sums lack, in parts of `share`, where two samples (v, i, v, i) are wide_us apart instead of spacing_us.

    In between is taken to be the one sine of the mains' frequency that goes through both: with x the distance as an
    angle, ∫v·i is (v₀i₀ + v₁i₁)·α + (v₀i₁ + v₁i₀)·β of the distance and ∫v is (v₀ + v₁)·γ, with
    α = (x − sin x·cos x) / 2x·sin² x, β = (sin x − x·cos x) / 2x·sin² x, γ = (1 − cos x) / x·sin x, here as series in
    x². That is the straight line for small x, and exact for sines of any phase.
    """
    v0, i0, v1, i1 = ends
    x2 = _4_PI2 * wide_us * wide_us // (cycle_us * cycle_us)
    x4 = x2 * x2 // _FINE
    x6 = x4 * x2 // _FINE
    sine = _FINE - x2 // 6 + x4 // 120 - x6 // 5040  # sin x / x
    alpha = (_FINE // 3 - x2 // 15 + 2 * x4 // 315 - x6 // 2835) * _FINE * _FINE // (sine * sine)
    beta = (_FINE // 6 - x2 // 60 + x4 // 1680 - x6 // 90720) * _FINE * _FINE // (sine * sine)
    gamma = (_FINE // 2 - x2 // 24 + x4 // 720) * _FINE // sine
    parts, over = share * wide_us, spacing_us * _FINE

    def between(a0: int, a1: int, b0: int, b1: int) -> int:
        return parts * (alpha * (a0 * b0 + a1 * b1) + beta * (a0 * b1 + a1 * b0)) // over

    half = share // 2
    v = (parts * gamma // over - half) * (v0 + v1)
    i = (parts * gamma // over - half) * (i0 + i1)
    put_in = between(v0, v1, i0, i1)
    iv = put_in - half * (v0 * i0 + v1 * i1)
    # The voltage one spacing earlier, to second order; and the sample after has the one before it much earlier.
    ip = iv - put_in * x2 * spacing_us // (2 * _FINE * wide_us) * spacing_us // wide_us
    ip += half * (i1 - i0) * (v1 - v0) * (wide_us - spacing_us) // wide_us
    vv = between(v0, v1, v0, v1) - half * (v0 * v0 + v1 * v1)
    ii = between(i0, i1, i0, i1) - half * (i0 * i0 + i1 * i1)
    return [parts // spacing_us - share, v, i, vv, ii, iv, ip, v, 0, 0, put_in if is_wide else 0]


def _active_pw(c: "Calibration", sums: "list[int]", share: int, good_us: int, cycles: int) -> "tuple[int, int]":
    """Active power in picowatts as numerator and denominator.

    What wide bridges put in is a guess, which is right for sines alone: nobody is charged more for it, or given more,
    than had nothing flown there.
    """
    n, v, i, _, _, iv, ip, p = sums[:8]
    now = n * iv - i * v
    before = n * ip - i * p
    put_in = n * sums[10]
    if now > 0:
        put_in = min(max(put_in, 0), now)
    else:
        put_in = max(min(put_in, 0), now)
    scale = c.voltage_uv_per_count * c.current_ua_per_count
    now -= put_in
    before -= put_in
    if not c.phase_error_us:
        return scale * now, n * n
    lag = round_div(c.phase_error_us * TURN * cycles, good_us)
    weight_now, weight_before = _phase_weights(lag, round_div(TURN * cycles * share, n))
    return scale * (weight_now * now + weight_before * before), n * n * ONE


def _rms_micro(per_count: int, n: int, total: int, squares: int) -> int:
    """RMS without its offset, in millionths of the channel's unit."""
    return isqrt(max(0, n * squares - total * total) * per_count * per_count // (n * n))


def _flags(c: "Calibration", sums: "list[int]", v_uv: int) -> int:
    n, _, i, _, ii = sums[:5]
    flags = 0
    if c.has_voltage and v_uv < c.nominal_mv * 1000 // _FLAT_PART:
        flags |= VOLTAGE_FLAT
    if n * ii == i * i:
        flags |= CURRENT_FLAT
    if c.has_voltage and sums[8]:
        flags |= VOLTAGE_CLIPPED
    if sums[9]:
        flags |= CURRENT_CLIPPED
    return flags


def measure(
    calibration: "Calibration",
    start_us: int,
    end_us: int,
    sums: "list[int]",
    share: int,
    good_us: int,
    good_cycles: int,
    flags: int,
) -> Period:
    """A period from start_us to end_us whose power is that of `sums` (in parts of `share`) over good_cycles in good_us;
    good_cycles is 0 for cycles by the clock.

    Without a whole cycle of voltage to multiply with, the nominal one and a power factor of 1 stand in and the period
    is estimated: at nominal voltage more import is charged than was used, never less.
    """
    c = calibration
    period = Period(start_us, end_us)
    duration_us = end_us - start_us
    n = sums[0]
    period.flags = flags
    period.estimated = bool(flags & (NO_VOLTAGE | NO_CROSSING | BRIDGED)) or duration_us > 2 * good_us
    if n <= 0:
        period.flags |= CURRENT_FLAT
        return period
    period.samples = round_div(n, share)
    v_uv = _rms_micro(c.voltage_uv_per_count, n, sums[1], sums[3])
    i_ua = _rms_micro(c.current_ua_per_count, n, sums[2], sums[4])
    period.flags |= _flags(c, sums, v_uv)
    assumed = not good_cycles or bool(period.flags & VOLTAGE_FLAT)
    period.estimated = period.estimated or assumed
    period.vrms_mv = round_div(v_uv, 1000)
    if good_cycles:
        period.frequency_mhz = round_div(good_cycles * 10**9, good_us)
    if i_ua < c.starting_ma * 1000:
        return period
    period.irms_ma = round_div(i_ua, 1000)
    apparent_pva = (c.nominal_mv * 1000 if assumed else v_uv) * i_ua
    power_pw, parts = (apparent_pva, 1) if assumed else _active_pw(c, sums, share, good_us, good_cycles)
    period.active_mw = round_div(power_pw, parts * 10**9)
    period.energy_nj = round_div(power_pw * duration_us, parts * 10**9)
    period.apparent_mva = round_div(apparent_pva, 10**9)
    if apparent_pva:
        period.power_factor_milli = max(-1000, min(1000, round_div(power_pw * 1000, parts * apparent_pva)))
    return period
