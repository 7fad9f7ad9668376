"""The start of a meter on an ESP32, as the meter or as a service start. Not run on hardware yet.

It is decided before anything of either is loaded: they are not in memory together.
"""

import time

import machine
from boards.esp32.chip import SETTINGS, watchdog
from machine import Pin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MARK = "/service"
HELD_MS = 2_000  # a press is consent, and may meet a start
_LOOK_MS = 20


def start(pins: "Any", flash: str = "") -> None:
    """Run what this start is for. The chip restarts after either, and by the watchdog after an error here."""
    watchdog()
    reason = _service_reason(pins.BUTTON, flash)
    if reason:
        from boards.esp32.service_board import run as run_service

        run_service(pins, flash, reason)
    else:
        from wattpact_meter.load_order import load

        load()
        watchdog()  # the rest of the start has its minute too
        from boards.esp32.board import run
        from wattpact_meter.once import once

        once("wattpact_meter.service_wanted")
        run(pins, flash)


def _service_reason(button: int, flash: str) -> str:
    from wattpact_meter import service_wanted

    reason = service_wanted.reason(flash + SETTINGS, flash + MARK, _is_held(button))
    return reason if reason and service_wanted.begin(flash + MARK) else ""


def _is_held(button: int) -> bool:
    """As power came: after a service start the chip restarts by itself, and a button that is stuck begins no other."""
    if machine.reset_cause() != machine.PWRON_RESET:
        return False
    pin = Pin(button, Pin.IN, Pin.PULL_UP)
    for _ in range(HELD_MS // _LOOK_MS):
        time.sleep_ms(_LOOK_MS)  # type: ignore[attr-defined]
        if pin.value():
            return False
    return True
