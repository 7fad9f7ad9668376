"""A load profile: rows of second,watts in a CSV file. Each holds until the next, the last to the end."""

from wattpact_meter.metering.measurement import Measurement
from wattpact_meter.setting_checks import number
from wattpact_meter.settings import SettingsError
from wattpact_protocol.log import register_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from boards.virtual.relay_file import FileRelay
    from wattpact_meter.settings import Settings

MAX_W = 100_000


class Profile:
    """Rows of (second, watts) in a CSV file: each holds until the next, the last to the end."""

    pause_ms = 250

    def __init__(self, path: str, relay: "FileRelay", load: str) -> None:
        try:
            self._file = open(path, "rb")
        except OSError as error:
            raise SettingsError("source file %s: %s" % (path, error))
        self._line = 0
        self._relay = relay
        self._always = load == "always"
        self._watts = 0
        self._next: tuple[int, int] | None = None
        self._next = self._read_row()
        self._start_us: int | None = None
        self._until_us = 0
        self.rejected: dict[str, int] = {}

    def read(self, now_us: int) -> "list[Measurement]":
        if self._start_us is None:
            self._start_us = self._until_us = now_us
        measured: list[Measurement] = []
        while self._next is not None and self._start_us + self._next[0] * 1_000_000 <= now_us:
            at_us = self._start_us + self._next[0] * 1_000_000
            self._until(at_us, measured)
            self._watts = self._next[1]
            self._next = self._read_row()
        self._until(now_us, measured)
        return measured

    def _until(self, at_us: int, measured: "list[Measurement]") -> None:
        watts = self._watts if self._always or self._relay.closed or self._watts < 0 else 0
        if at_us > self._until_us:
            duration_us = at_us - self._until_us
            measured.append(Measurement([watts * 1000 * duration_us], duration_us, {register_table.POWER_W: watts}))
            self._until_us = at_us

    def _read_row(self) -> "tuple[int, int] | None":
        row = self._file.readline()
        self._line += 1
        if self._line == 1 and row[:1].isalpha():
            return self._read_row()
        if not row.strip():
            return None
        try:
            second, watts = [int(field) for field in row.split(b",")]
        except ValueError:
            raise SettingsError("source file: line %d is not second,watts" % self._line)
        if self._next is not None and second < self._next[0]:
            raise SettingsError("source file: line %d is earlier than the line before" % self._line)
        return second, number("source file: watts", watts, -MAX_W, MAX_W)


def make(settings: "Settings", plan: "dict[str, Any]", relay: "Callable[[], FileRelay]") -> Profile:
    return Profile(plan["file"], relay(), plan["load"])
