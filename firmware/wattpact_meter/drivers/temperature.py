"""The chip's own temperature: a fire alarm of the last resort, not a measurement of the terminals."""

import esp32


def read_celsius() -> int:
    """ESP32-C3, S2, S3 and C6 have degrees Celsius, the first ESP32 degrees Fahrenheit."""
    if hasattr(esp32, "mcu_temperature"):
        return int(esp32.mcu_temperature())
    return (int(esp32.raw_temperature()) - 32) * 5 // 9
