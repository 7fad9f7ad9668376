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
from wattpact_meter.clock import EARLIEST_S, LATEST_S
from wattpact_meter.drivers.dns import Resolver, is_numeric
from wattpact_meter.drivers.udp import Udp
from wattpact_meter.setting_checks import number, text
from wattpact_meter.settings import Settings, SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_meter.clock import Now
    from wattpact_protocol.guard.guard import Inputs

FLASH = "/flash"
KEYS = (
    "flash", "flash_bytes", "speed", "unix_s", "seed", "listen", "power_failed", "attended", "networks", "button_held",
)  # fmt: skip
MAX_SPEED = 100_000
_RESOLV_CONF = "/etc/resolv.conf"


class Board:
    """Board(configuration): raises SettingsError or flash_file.FlashError. It can be made once in a process."""

    flash = FLASH

    def __init__(self, configuration: "dict[str, Any]") -> None:
        own = {key: configuration.pop(key) for key in KEYS if key in configuration}
        self.settings = Settings(configuration)
        _check_networks(own.get("networks", {}))
        image = text("flash", own.get("flash"), 1, 1024)
        flash_bytes = number("flash_bytes", own.get("flash_bytes", 1 << 20), 1 << 17, 1 << 26)
        speed = number("speed", own.get("speed", 1), 1, MAX_SPEED)
        unix_s = own.get("unix_s")
        self.clock = Clock(speed, None if unix_s is None else number("unix_s", unix_s, EARLIEST_S, LATEST_S - 1))
        self.power_failed = own.get("power_failed", False) is True
        self._attended = own.get("attended", False) is True
        self.journal_bytes = flash_bytes // 2
        self.relay = FileRelay(image + ".relay")
        seed = number("seed", own.get("seed", 1), 0, (1 << 30) - 1)
        self.source = sources.make(self.settings, self.relay, seed, self.clock)
        self._resolver = Resolver(_name_server, os.urandom)
        self.network = Udp(self.settings.host, self._resolver, _listen(own.get("listen")))
        self.console = Console()
        flash_file.mount(image, flash_bytes, FLASH)

    def now(self) -> "Now":
        return self.clock.now()

    def urandom(self, n: int) -> bytes:
        return os.urandom(n)

    def draw(self, n: int) -> int:
        return int.from_bytes(os.urandom(4), "big") % n

    def sense(self, inputs: "Inputs") -> None:
        """Put the buttons into the guard's inputs."""
        for name, value in self.console.buttons.items():
            setattr(inputs, name, value)

    def feed(self) -> None:
        """Once in a tick: names and the console. Whoever attends a meter and is gone, killed perhaps, has closed its
        standard input."""
        self._resolver.poll(self.clock.uptime_ms())
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


def _check_networks(value: object) -> None:
    """Those of the virtual radio, which only a service start has."""
    if not isinstance(value, dict):
        raise SettingsError("networks must be an object")
    for ssid, password in value.items():
        text("networks: an SSID", ssid, 1, 32)
        text("networks: a password", password, 0, 63)


def _name_server() -> "str | None":
    """The first of the computer's, where it has a numeric IPv4 address."""
    try:
        with open(_RESOLV_CONF) as file:
            for line in file:
                words = line.split()
                if words[:1] == ["nameserver"] and is_numeric(words[-1]):
                    return words[-1]
    except OSError:
        pass
    return None
