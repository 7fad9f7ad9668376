"""A P1 port as a source: bytes of any serial line into the registers of the meter behind it.

`serial` has read() -> bytes, what has come since, without waiting; b"" when that is nothing.
"""

from wattpact_meter.clock import plausible
from wattpact_meter.metering.measurement import Measurement
from wattpact_meter.sources import p1_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from wattpact_meter.settings import Settings
    from wattpact_meter.sources.p1_telegram import Telegram

    class Serial(Protocol):
        def read(self) -> bytes: ...


class P1Source:
    """P1Source(serial): require_crc=False is for meters that send none (DSMR 2.2 and 3); kind, that of the checksum, is
    "arc", or "x25" for the few meters that send that one."""

    pause_ms = 50

    def __init__(self, serial: "Serial", require_crc: bool = True, kind: str = "arc") -> None:
        self._serial = serial
        self._reader = p1_frame.Reader(require_crc, p1_frame.X25 if kind == "x25" else p1_frame.ARC)

    @property
    def accepted(self) -> int:
        """Telegrams that were read."""
        return self._reader.accepted

    @property
    def rejected(self) -> "dict[str, int]":
        """Telegrams that were not, by reason."""
        return self._reader.rejected

    @property
    def skipped_lines(self) -> int:
        """Lines of read telegrams that could not be read, and on which nothing depends."""
        return self._reader.skipped_lines

    def read(self, now_us: int) -> "list[Measurement]":
        data = self._serial.read()
        return [measurement(telegram) for telegram in self._reader.feed(data)] if data else []


def measurement(telegram: "Telegram") -> Measurement:
    """What a telegram shows of the meter that sent it."""
    return Measurement(
        (), 0, telegram.instantaneous, 0, telegram.serial, telegram.registers, plausible(telegram.unix_s)
    )


def make(settings: "Settings", plan: "dict[str, Any]", serial: "Callable[[dict[str, Any]], Serial]") -> P1Source:
    """serial(plan) makes the line. "old": a meter of DSMR 2.2 or 3."""
    return P1Source(serial(plan), plan["crc"] and not plan["old"], plan["checksum"])
