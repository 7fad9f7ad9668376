"""The parts of the virtual board that a service start uses: standard input and output, the relay's file, a radio."""

import select
import sys
import time

from boards.virtual.console import Console
from boards.virtual.radio import Radio
from boards.virtual.relay_file import FileRelay
from wattpact_meter.drivers.console_bytes import ConsoleBytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Serial(ConsoleBytes):
    """Drops what would have to wait for whoever reads."""

    def __init__(self) -> None:
        super().__init__()
        self._output = select.poll()
        self._output.register(sys.stdout, select.POLLOUT)

    def write(self, data: bytes) -> None:
        if [True for _, ready in self._output.poll(0) if ready & select.POLLOUT]:
            super().write(data)


class ServiceBoard:
    """ServiceBoard(path, image, configuration): of the configuration in that file it uses "networks", "speed" and
    "attended", and ignores what is wrong with them: the meter reports it."""

    chip = "virtual"

    def __init__(self, path: str, image: str, configuration: "dict[str, Any]") -> None:
        networks, speed = configuration.get("networks"), configuration.get("speed")
        self.settings_path = path
        self.relay = FileRelay(image + ".relay")
        self.serial = Serial()
        self.radio = Radio(networks if isinstance(networks, dict) else {})
        self._speed = speed if isinstance(speed, int) and speed > 0 else 1
        self._attended = configuration.get("attended") is True
        self._console = Console()
        self._start = time.ticks_ms()  # type: ignore[attr-defined]

    def uptime_ms(self) -> int:
        elapsed: int = time.ticks_diff(time.ticks_ms(), self._start)  # type: ignore[attr-defined]
        return elapsed * self._speed

    def sleep_ms(self, pause_ms: int) -> None:
        time.sleep_ms(max(1, pause_ms // self._speed))  # type: ignore[attr-defined]

    def feed(self) -> None:
        """Whoever attends it and is gone has closed its standard input."""
        if self._attended and self.serial.ended:
            raise KeyboardInterrupt

    def report(self, event: "dict[str, Any]") -> None:
        self._console.write(event)
