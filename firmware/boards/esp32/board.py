"""A meter on an ESP32 with stock MicroPython: pins, radio, flash and watchdog put together. Not run on hardware yet.

Settings are in /settings.json of the flash. Source kinds: {"kind": "ct"} with a calibration, {"kind": "p1"} for DSMR 4
and 5, {"kind": "p1", "old": true} for DSMR 2.2 and 3.
"""

import asyncio
import gc
import json
import os
import sys
import time

import machine
from boards.esp32.chip import RESTART_MS, SETTINGS, watchdog
from boards.esp32.chip_clock import ChipClock
from wattpact_meter import settings
from wattpact_meter.app import App
from wattpact_meter.drivers.button import Button
from wattpact_meter.drivers.dns import Resolver
from wattpact_meter.drivers.relay_pin import BistableRelay
from wattpact_meter.drivers.sntp import Sntp
from wattpact_meter.drivers.temperature import read_celsius
from wattpact_meter.drivers.udp import Udp
from wattpact_meter.drivers.wifi import Wifi
from wattpact_meter.once import once
from wattpact_meter.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_meter.clock import Now
    from wattpact_meter.sources.kinds import Parts
    from wattpact_protocol.guard.guard import Inputs

HOTTEST_C = 95
JOURNAL_BYTES = 1 << 20  # of the 2 MB that a 4 MB board has for files


class Board:
    """Board(pins, flash): a module of pin numbers, and where the flash is mounted. Raises SettingsError."""

    journal_bytes = JOURNAL_BYTES

    def __init__(self, pins: "Any", flash: str = "") -> None:
        self.flash = flash
        self._pins = pins
        self.settings = Settings(settings.read(flash + SETTINGS))
        self.relay = BistableRelay(pins.RELAY_CLOSE, pins.RELAY_OPEN, pins.RELAY_SENSE)
        self.source = once("wattpact_meter.sources.kinds").make(self.settings, _parts(pins))
        once("wattpact_meter.setting_checks")  # which the kinds loaded again
        self.wifi = Wifi(self.settings.wifi, lambda error: self.report_error("wifi", error))
        self._resolver = Resolver(self.wifi.name_server, os.urandom)
        self.network = Udp(self.settings.host, self._resolver)
        self.power_failed = machine.reset_cause() == machine.PWRON_RESET
        self._clock = ChipClock()
        self._sntp = Sntp(self.settings.time_server, self._resolver)
        self._button = Button(pins.BUTTON)
        self._watchdog = watchdog()

    def now(self) -> "Now":
        return self._clock.now()

    def urandom(self, n: int) -> bytes:
        if self.wifi.is_on:
            return os.urandom(n)
        from wattpact_meter.drivers import noise

        return noise.urandom(n, self._pins.CURRENT)

    def draw(self, n: int) -> int:
        return int.from_bytes(os.urandom(4), "big") % n

    def sense(self, inputs: "Inputs") -> None:
        """Put the button and the temperature into the guard's inputs."""
        inputs.consent, inputs.reset_on_site = self._button.read(self._clock.uptime_ms())
        inputs.over_temperature = read_celsius() >= HOTTEST_C

    def feed(self) -> None:
        """Once in a tick: what must go on though no task is its own."""
        self._watchdog.feed()
        now_ms = self._clock.uptime_ms()
        self.wifi.keep(now_ms)
        self._resolver.poll(now_ms)
        unix_s = self._sntp.poll(now_ms) if self.wifi.is_up else None
        if unix_s is not None:
            self._clock.set(unix_s)

    def report(self, event: "dict[str, Any]") -> None:
        if event["event"] == "status":
            event["wifi_failed"] = self.wifi.failed
        print(json.dumps(event))

    def report_error(self, where: str, error: Exception) -> None:
        print(json.dumps({"event": "error", "where": where, "text": repr(error)}))
        sys.print_exception(error)  # type: ignore[attr-defined]

    async def sleep_ms(self, pause_ms: int) -> None:
        await asyncio.sleep_ms(pause_ms)  # type: ignore[attr-defined]


def _parts(pins: "Any") -> "Parts":
    """What a source may need of this board; a driver is loaded when it is needed."""

    def adc(has_voltage: bool) -> "Any":
        from wattpact_meter.drivers.adc_pair import AdcPair

        return AdcPair(pins.VOLTAGE if has_voltage else None, pins.CURRENT)

    def serial(plan: "dict[str, Any]") -> "Any":
        from wattpact_meter.drivers.uart_p1 import UartP1

        return UartP1(pins.P1_UART, pins.P1_RX, plan["old"])

    return {"adc": (adc, {}), "serial": (serial, {})}


def run(pins: "Any", flash: str = "") -> None:
    """Run the meter; whatever ends it, the chip starts again."""
    try:
        gc.collect()
        app = App(Board(pins, flash))
        asyncio.run(app.run())
    except KeyboardInterrupt:  # somebody at the serial port, who has until the watchdog bites
        return
    except Exception as error:
        sys.print_exception(error)  # type: ignore[attr-defined]
        time.sleep_ms(RESTART_MS)  # type: ignore[attr-defined]
    machine.reset()
