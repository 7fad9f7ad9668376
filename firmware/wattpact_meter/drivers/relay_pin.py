"""A bistable relay on two pins, one coil to close and one to open. A reset does not move it.

`sense_pin` is high while the load side is live (an optocoupler there); None where nothing senses it.
"""

from machine import Pin, Timer

PULSE_MS = 60
_TIMER = 0


class BistableRelay:
    """BistableRelay(close_pin, open_pin, sense_pin). A coil is not made to stay under power: a timer of the chip ends
    the pulse, so that nobody waits for it, and so that it ends whatever becomes of the program."""

    def __init__(self, close_pin: int, open_pin: int, sense_pin: "int | None" = None) -> None:
        self._close = Pin(close_pin, Pin.OUT, value=0)
        self._open = Pin(open_pin, Pin.OUT, value=0)
        self._sense = None if sense_pin is None else Pin(sense_pin, Pin.IN)
        self._timer = Timer(_TIMER)

    def drive(self, closed: bool) -> None:
        """Begin a pulse, in place of one that has not ended."""
        self.release()
        self._timer.init(mode=Timer.ONE_SHOT, period=PULSE_MS, callback=self.release)
        (self._close if closed else self._open).value(1)

    def release(self, _: object = None) -> None:
        """No coil is under power."""
        self._close.value(0)
        self._open.value(0)

    def sensed(self) -> "bool | None":
        return None if self._sense is None else self._sense.value() == 1
