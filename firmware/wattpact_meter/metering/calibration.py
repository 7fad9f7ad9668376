"""What one voltage and current channel pair was measured to be: the constants that turn ADC counts into µV and µA.

Always holds: every field was range-checked, so that no arithmetic of `sampler` can divide by zero or run away.
"""


class CalibrationError(ValueError):
    """A calibration constant is missing or outside what a channel can be."""


_RANGES = (
    ("voltage_uv_per_count", -(10**9), 10**9),
    ("current_ua_per_count", -(10**9), 10**9),
    ("voltage_midpoint", 0, 1 << 24),
    ("current_midpoint", 0, 1 << 24),
    ("phase_error_us", -2000, 2000),
    ("starting_ma", 0, 10**6),
    ("lowest", 0, (1 << 24) - 1),
    ("highest", 15, (1 << 24) - 1),
    ("nominal_mv", 1000, 10**6),
    ("nominal_mhz", 45000, 65000),
)


class Calibration:
    """Constants of one channel pair.

    voltage_uv_per_count: 0 when there is no voltage channel; negative when the sensor is wired the other way round
    current_ua_per_count: negative when the current transformer faces the other way; never 0
    phase_error_us: how late the current's signal is against the voltage's, from sensors and from converting one after
        the other; negative when it is early
    starting_ma: below this RMS current nothing is counted (starting current, IEC 62053-21 8.3.3)
    lowest, highest: the counts of the converter's rails; a sample at one of them or beyond is clipped. An ESP32's
        converter at 11 dB gives nothing below 142 mV and above 3,124 mV, 0.8 mV a count (esp-idf#1739)
    nominal_mv, nominal_mhz: what is assumed where nothing was measured, always marked estimated
    """

    def __init__(
        self,
        voltage_uv_per_count: int,
        current_ua_per_count: int,
        voltage_midpoint: int = 2048,
        current_midpoint: int = 2048,
        phase_error_us: int = 0,
        starting_ma: int = 20,
        lowest: int = 177,
        highest: int = 3905,
        nominal_mv: int = 230000,
        nominal_mhz: int = 50000,
    ) -> None:
        self.voltage_uv_per_count = voltage_uv_per_count
        self.current_ua_per_count = current_ua_per_count
        self.voltage_midpoint = voltage_midpoint
        self.current_midpoint = current_midpoint
        self.phase_error_us = phase_error_us
        self.starting_ma = starting_ma
        self.lowest = lowest
        self.highest = highest
        self.nominal_mv = nominal_mv
        self.nominal_mhz = nominal_mhz
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise CalibrationError("%s must be an integer from %d to %d" % (name, low, high))
        if current_ua_per_count == 0:
            raise CalibrationError("current_ua_per_count must not be 0")
        if not lowest < min(voltage_midpoint, current_midpoint) <= max(voltage_midpoint, current_midpoint) < highest:
            raise CalibrationError("midpoints must be between lowest and highest")

    @property
    def has_voltage(self) -> bool:
        return self.voltage_uv_per_count != 0
