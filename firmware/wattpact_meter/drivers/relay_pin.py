"""Relays on pins: a bistable one with two coils, and one that holds while its pin is high.

`sense_pin` is high while the load side is live (an optocoupler there); None where nothing senses it. A bistable relay
is the right one: a reset does not move it. A holding relay opens whenever the meter restarts.
"""

import time

from machine import Pin


class BistableRelay:
    """Pulses one coil to close and the other to open."""

    def __init__(self, close_pin: int, open_pin: int, sense_pin: "int | None" = None, pulse_ms: int = 60) -> None:
        self._close = Pin(close_pin, Pin.OUT, value=0)
        self._open = Pin(open_pin, Pin.OUT, value=0)
        self._sense = _input(sense_pin)
        self._pulse_ms = pulse_ms

    def drive(self, closed: bool) -> None:
        coil = self._close if closed else self._open
        coil.value(1)
        try:
            time.sleep_ms(self._pulse_ms)  # type: ignore[attr-defined]
        finally:
            coil.value(0)  # a coil is not made to stay under power

    def sensed(self) -> "bool | None":
        return None if self._sense is None else self._sense.value() == 1


class HoldingRelay:
    """Closed while the pin is high."""

    def __init__(self, pin: int, sense_pin: "int | None" = None) -> None:
        self._coil = Pin(pin, Pin.OUT, value=0)
        self._sense = _input(sense_pin)

    def drive(self, closed: bool) -> None:
        self._coil.value(1 if closed else 0)

    def sensed(self) -> "bool | None":
        pin = self._coil if self._sense is None else self._sense
        return bool(pin.value() == 1)


def _input(pin: "int | None") -> "Pin | None":
    return None if pin is None else Pin(pin, Pin.IN)
