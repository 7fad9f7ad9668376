"""Stands in for MicroPython's machine module on a chip: pins that remember, converters that see mains, no hardware."""

import math

import chiptime

PWRON_RESET = 1
WDT_RESET = 3
_cause = WDT_RESET
resets = []
pins = {}
uarts = []
timers = []
watchdogs = []
made = []  # what was made and what was done with it, in order


class Pin:
    IN, OUT, PULL_UP = 1, 3, 2

    def __init__(self, number, mode=None, pull=None, *, value=None):
        if number not in pins:
            pins[number] = self
            self.history = []
            self.level = 1 if pull == Pin.PULL_UP else 0
        self.number = number
        self.mode = mode
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return pins[self.number].level
        pins[self.number].level = level
        pins[self.number].history.append(level)


class ADC:
    """Pin 34 sees 230 V at 280000 µV a count of 0.8 mV, pin 35 20 A at 88900 µA a count, 50 Hz about 1.3 V."""

    ATTN_11DB = 3
    MILLIVOLTS = {34: 230_000_000 * 0.8 / 280_000, 35: 20_000_000 * 0.8 / 88_900}

    def __init__(self, pin, *, atten):
        assert atten == ADC.ATTN_11DB
        self.amplitude = ADC.MILLIVOLTS[pin.number] * math.sqrt(2)

    def read_uv(self):
        """Held at the converter's rails, 142 and 3124 mV at 11 dB (esp-idf#1739)."""
        turn = chiptime.now_us % 20_000 / 20_000
        chiptime.now_us += 40
        return min(max(int(1000 * (1300 + self.amplitude * math.sin(2 * math.pi * turn))), 142_000), 3_124_000)


class UART:
    INV_RX = 4

    def __init__(self, number, **options):
        made.append("UART")
        self.number = number
        self.options = options
        self.waiting = b""
        uarts.append(self)

    def read(self):
        data, self.waiting = self.waiting, b""
        return data or None


class Timer:
    """One that goes off when `go_off` is true."""

    ONE_SHOT = 0

    def __init__(self, number):
        timers.append(self)
        self.period = None
        self.callback = None

    def init(self, *, mode, period, callback):
        assert mode == Timer.ONE_SHOT
        self.period = period
        self.callback = callback

    def go_off(self):
        callback, self.callback = self.callback, None
        callback(self)


class WDT:
    def __init__(self, *, timeout):
        self.timeout = timeout
        self.fed = 0
        watchdogs.append(self)

    def feed(self):
        self.fed += 1


def reset_cause():
    return _cause


def reset():
    resets.append(1)
