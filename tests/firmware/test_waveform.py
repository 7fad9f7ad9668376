"""The virtual mains: what the sampling path makes of a synthesised load is the load that was requested."""

import case
from boards.virtual.waveform import Noise, Waveform
from wattpact_meter.metering import power
from wattpact_meter.metering.calibration import Calibration
from wattpact_meter.metering.sampler import Sampler


def measure(calibration, waveform, seconds=0.5):
    sampler = Sampler(calibration)
    found = []
    for _ in range(int(seconds * 20)):
        found += sampler.feed_block(*waveform.block(100))
    return found


def test_loads_are_measured_as_requested():
    bits = case.Bits("loads")
    for _ in range(case.scale(60, 12)):
        watts = bits.choice((-1, 1)) * (500 + bits.below(6000))
        factor = bits.choice((1000, 950, 800, 500))
        leading = bits.below(2) == 1
        calibration = Calibration(200000, 50000, phase_error_us=bits.below(201) - 100)
        waveform = Waveform(
            calibration, watts, factor, leading, 220000 + bits.below(20000), 49500 + bits.below(1000),
            noise_counts=bits.below(4), jitter_us=bits.below(50), seed=bits.below(1000), start_us=bits.below(1 << 40),
        )  # fmt: skip
        volts = waveform.voltage_mv
        for one in measure(calibration, waveform):
            assert abs(one.active_mw - watts * 1000) <= abs(watts) * 8 + 2000, (one.active_mw, watts, factor, leading)
            assert abs(one.vrms_mv - volts) <= volts * 3 // 1000
            assert abs(abs(one.power_factor_milli) - factor) <= 8 and (one.power_factor_milli > 0) == (watts > 0)
            assert abs(one.frequency_mhz - waveform.frequency_mhz) <= 60 and one.flags == 0


def test_lead_and_lag_differ_by_what_an_uncorrected_error_does_to_them():
    made_for, read_with = Calibration(200000, 50000, phase_error_us=111), Calibration(200000, 50000)
    late, early = [measure(read_with, Waveform(made_for, 1000, 500, leading))[0] for leading in (False, True)]
    assert 930000 <= late.active_mw <= 945000 and 1050000 <= early.active_mw <= 1065000


def test_harmonics_raise_the_current_and_not_the_power():
    calibration = Calibration(200000, 50000)
    waveform = Waveform(calibration, 2000, harmonics=((3, 400), (5, 300)), drift_counts=(20, -20))
    one = measure(calibration, waveform)[0]
    expected_ma = 8696 * 1118 // 1000  # times sqrt(1 + 0.16 + 0.09)
    assert abs(one.irms_ma - expected_ma) <= 40 and abs(one.active_mw - 2000000) <= 8000


def test_a_load_and_the_mains_change_while_running():
    calibration = Calibration(200000, 50000)
    waveform = Waveform(calibration, 1000)
    before = measure(calibration, waveform)[-1]
    waveform.set_load(-400)
    waveform.set_mains(240000, 50500)
    after = measure(calibration, waveform)[-1]
    assert abs(before.active_mw - 1000000) <= 5000 and abs(after.vrms_mv - 240000) <= 500
    assert abs(after.frequency_mhz - 50500) <= 20 and after.active_mw < 0
    waveform.set_load(0)
    assert measure(calibration, waveform)[-1].energy_nj == 0
    waveform.set_mains(0, 50000)
    dead = measure(calibration, waveform, 1)[-1]
    assert dead.flags & power.VOLTAGE_FLAT and dead.energy_nj == 0


def test_samples_repeat_and_stay_in_range():
    calibration = Calibration(100000, 5000)
    settings = {"power_w": 3000, "noise_counts": 5, "jitter_us": 300}
    one, other = Waveform(calibration, **settings), Waveform(calibration, **settings)
    taken = [next(one) for _ in range(400)]
    times, voltages, currents, base_us = other.block(400)
    assert taken == list(zip(times, voltages, currents)) and base_us == 0
    low, high = calibration.lowest, calibration.highest
    assert min(currents) == low and max(currents) == high and min(voltages) >= low and max(voltages) <= high
    spacing = [b[0] - a[0] for a, b in zip(taken, taken[1:])]
    assert min(spacing) >= 200 and max(spacing) <= 800 and max(spacing) != min(spacing)
    assert taken != [next(Waveform(calibration, seed=2, **settings)) for _ in range(400)]


def test_time_and_phase_do_not_drift():
    waveform = Waveform(Calibration(200000, 50000), 1000, frequency_mhz=49999, rate_hz=1023)
    waveform.block(1023 * 20)
    assert next(waveform)[0] == 20 * 10**6


def test_noise_is_spread_evenly():
    noise = Noise(5)
    counts = [0] * 8
    for _ in range(8000):
        counts[noise.below(8)] += 1
    assert min(counts) > 850 and max(counts) < 1150
    assert {noise.around(2) for _ in range(200)} == {-2, -1, 0, 1, 2} and noise.around(0) == 0


def test_impossible_settings_are_rejected():
    case.raises(ValueError, Waveform, Calibration(0, 50000))
    case.raises(ValueError, Waveform, Calibration(200000, 50000), 100, 0)
