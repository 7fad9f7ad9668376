"""Two ADC1 pins of an ESP32 that are sampled together: a voltage sensor and a current transformer.

There is no continuous ADC in stock MicroPython: samples are taken in a loop, each with its own time, some cycles in a
block. Between blocks other tasks run, and the sampling path charges that time at the mean power of the cycles it has.
Voltage is read before current; how long that takes belongs into the calibration's phase error.

A count is 0.8 mV at the pin, from `read_uv`, so that the 11 dB range fits into 12 bits. ADC2 does not work with Wi-Fi.
"""

import time
from array import array

from machine import ADC, Pin

COUNT_UV = 800
SPACING_US = 500
BLOCK = 400  # ten cycles of 50 Hz, twelve of 60 Hz


class AdcPair:
    """AdcPair(voltage_pin, current_pin): voltage_pin None where there is no voltage sensor."""

    def __init__(self, voltage_pin: "int | None", current_pin: int) -> None:
        self._voltage = None if voltage_pin is None else ADC(Pin(voltage_pin), atten=ADC.ATTN_11DB)
        self._current = ADC(Pin(current_pin), atten=ADC.ATTN_11DB)
        self._times_us = array("i", [0] * BLOCK)
        self._volts = array("h", [0] * BLOCK)
        self._amps = array("h", [0] * BLOCK)

    def sample(self) -> "tuple[array[int], array[int], array[int]]":
        """One block: µs since its first sample, and counts of voltage and current. The next call fills them anew."""
        times_us, volts, amps = self._times_us, self._volts, self._amps
        read_amps = self._current.read_uv
        read_volts = read_amps if self._voltage is None else self._voltage.read_uv
        ticks_us, ticks_diff = time.ticks_us, time.ticks_diff  # type: ignore[attr-defined]
        start = ticks_us()
        due_us = 0
        for k in range(BLOCK):
            at_us = ticks_diff(ticks_us(), start)
            while at_us < due_us:
                at_us = ticks_diff(ticks_us(), start)
            times_us[k] = at_us
            volts[k] = min(read_volts() // COUNT_UV, 4095)
            amps[k] = min(read_amps() // COUNT_UV, 4095)
            due_us = at_us + SPACING_US
        return times_us, volts, amps
