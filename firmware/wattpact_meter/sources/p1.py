"""A P1 port as a source: bytes of any serial line into telegrams.

`serial` has read() -> bytes, what has come since, without waiting; b"" when that is nothing.
"""

from wattpact_meter.sources import p1_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from wattpact_meter.sources.p1_telegram import Telegram

    # What every source gives: periods as (active_mw, duration_us, instantaneous, quality), and telegrams.
    Taken = tuple[list[tuple[int, int, dict[int, int], int]], list[Telegram]]

    class Serial(Protocol):
        def read(self) -> bytes: ...


class P1Source:
    """P1Source(serial): require_crc=False is for meters that send none (DSMR 2.2 and 3)."""

    pause_ms = 50

    def __init__(self, serial: "Serial", require_crc: bool = True) -> None:
        self._serial = serial
        self._reader = p1_frame.Reader(require_crc)

    @property
    def rejected(self) -> "dict[str, int]":
        """Telegrams that were not taken, by reason."""
        return self._reader.rejected

    def take(self, now_us: int) -> "Taken":
        data = self._serial.read()
        nothing: "list[Any]" = []
        return nothing, self._reader.feed(data) if data else []
