"""Stands in for MicroPython's esp32 module on the first ESP32: a temperature in degrees Fahrenheit."""

fahrenheit = 104


def raw_temperature():
    return fahrenheit
