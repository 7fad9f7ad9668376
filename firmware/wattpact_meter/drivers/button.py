"""One push button to ground: a press gives consent to close, holding it for five seconds resets faults on site."""

from machine import Pin

HOLD_MS = 5_000


class Button:
    def __init__(self, pin: int) -> None:
        self._pin = Pin(pin, Pin.IN, Pin.PULL_UP)
        self._since_ms: int | None = None

    def read(self, now_ms: int) -> "tuple[bool, bool]":
        """(consent, reset on site), as of now."""
        if self._pin.value():
            self._since_ms = None
            return False, False
        if self._since_ms is None:
            self._since_ms = now_ms
        held = now_ms - self._since_ms >= HOLD_MS
        return not held, held
