"""The virtual board: the parts of a meter as files, sockets and the computer's clock.

Its configuration is one JSON object: the settings of `wattpact_meter.settings`, and the keys of KEYS here.
"""

import asyncio
import os
import sys

from boards.virtual import flash_file, sources
from boards.virtual.console import Console
from boards.virtual.relay_file import FileRelay
from boards.virtual.virtual_clock import Clock
from wattpact_meter import settings
from wattpact_meter.core.meter import Surroundings
from wattpact_meter.drivers.udp import Udp
from wattpact_meter.settings import Settings, SettingsError, number, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_meter.clock import Now

FLASH = "/flash"
KEYS = ("flash", "flash_bytes", "speed", "unix_s", "seed", "listen", "power_failed", "attended")
MAX_SPEED = 100_000


class Board:
    """Board(configuration): raises SettingsError or flash_file.FlashError. It can be made once in a process."""

    flash = FLASH

    def __init__(self, configuration: "dict[str, Any]") -> None:
        own = {key: configuration.pop(key) for key in KEYS if key in configuration}
        self.settings = Settings(configuration)
        image = text("flash", own.get("flash"), 1, 1024)
        flash_bytes = number("flash_bytes", own.get("flash_bytes", 1 << 20), 1 << 17, 1 << 26)
        speed = number("speed", own.get("speed", 1), 1, MAX_SPEED)
        unix_s = own.get("unix_s")
        self.clock = Clock(speed, None if unix_s is None else number("unix_s", unix_s, 0, 1 << 40))
        self.power_failed = own.get("power_failed", False) is True
        self._attended = own.get("attended", False) is True
        self.journal_bytes = flash_bytes // 2
        self.relay = FileRelay(image + ".relay")
        seed = number("seed", own.get("seed", 1), 0, (1 << 30) - 1)
        self.source = sources.make(self.settings, self.relay, seed, self.clock)
        self.network = Udp(self.settings.host, _listen(own.get("listen")))
        self.console = Console()
        flash_file.mount(image, flash_bytes, FLASH)

    def now(self) -> "Now":
        return self.clock.now()

    def urandom(self, n: int) -> bytes:
        return os.urandom(n)

    def draw(self, n: int) -> int:
        return int.from_bytes(os.urandom(4), "big") % n

    def pressed(self) -> Surroundings:
        around = Surroundings()
        for name, value in self.console.buttons.items():
            setattr(around, name, value)
        return around

    def feed(self) -> None:
        """Hear the console; whoever attends a meter and is gone, killed perhaps, has let go of its standard input."""
        self.console.read()
        if self._attended and self.console.ended:
            raise KeyboardInterrupt

    def report(self, event: "dict[str, Any]") -> None:
        self.console.write(event)

    def report_error(self, where: str, error: Exception) -> None:
        self.console.write({"event": "error", "where": where, "text": repr(error)})
        sys.print_exception(error, sys.stderr)  # type: ignore[attr-defined]

    async def sleep_ms(self, pause_ms: int) -> None:
        pause_ms = max(1, pause_ms // self.clock.speed) if pause_ms else 0
        await asyncio.sleep_ms(pause_ms)  # type: ignore[attr-defined]


def read_configuration(path: str) -> "dict[str, Any]":
    """The JSON object in the file; raises SettingsError."""
    return settings.read(path)


def _listen(value: object) -> "tuple[str, int] | None":
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise SettingsError('listen must be ["address", port]')
    return text("listen", value[0], 1, 64), number("listen port", value[1], 0, 65535)
