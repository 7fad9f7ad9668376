"""The parts of an ESP32 that a service start uses. Not run on hardware yet."""

import json
import sys
import time

import machine
import micropython
from boards.esp32.chip import RESTART_MS, SETTINGS, watchdog
from wattpact_meter.drivers.console_bytes import ConsoleBytes
from wattpact_meter.drivers.relay_pin import BistableRelay
from wattpact_meter.drivers.wifi_trial import WifiTrial
from wattpact_meter.service.service import serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CTRL_C = 3


class ServiceBoard:
    """ServiceBoard(pins, flash): a module of pin numbers, and where the flash is mounted."""

    def __init__(self, pins: "Any", flash: str) -> None:
        self.relay = BistableRelay(pins.RELAY_CLOSE, pins.RELAY_OPEN, pins.RELAY_SENSE)
        self.settings_path = flash + SETTINGS
        self.chip = str(sys.implementation._machine).rsplit(" ", 1)[-1]  # "ESP32C3 module with ESP32C3"
        self.serial = ConsoleBytes()
        self.radio = WifiTrial()
        self._start = time.ticks_ms()  # type: ignore[attr-defined]
        self._watchdog = watchdog()

    def uptime_ms(self) -> int:
        """From the start, for days."""
        elapsed: int = time.ticks_diff(time.ticks_ms(), self._start)  # type: ignore[attr-defined]
        return elapsed

    def sleep_ms(self, pause_ms: int) -> None:
        time.sleep_ms(pause_ms)  # type: ignore[attr-defined]

    def feed(self) -> None:
        self._watchdog.feed()

    def report(self, event: "dict[str, Any]") -> None:
        print(json.dumps(event))


def run(pins: "Any", flash: str, reason: str) -> None:
    """Run a service start; whatever ends it, the chip starts again."""
    micropython.kbd_intr(-1)  # a byte of a frame is no Ctrl-C
    try:
        serve(ServiceBoard(pins, flash), reason)
    except KeyboardInterrupt:  # somebody at the serial port, who has until the watchdog bites
        return
    except Exception as error:
        sys.print_exception(error)  # type: ignore[attr-defined]
        time.sleep_ms(RESTART_MS)  # type: ignore[attr-defined]
    finally:
        micropython.kbd_intr(CTRL_C)
    machine.reset()
