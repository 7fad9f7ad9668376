"""The chip's time: uptime from its ticks, which wrap, and the date from the network once it is known."""

import time

from wattpact_meter.clock import Now
from wattpact_protocol.log import entry

DOUBTFUL_MS = 24 * 3_600_000  # a crystal of 40 ppm is 3.5 s off after a day


class ChipClock:
    def __init__(self) -> None:
        self._last_tick = time.ticks_ms()  # type: ignore[attr-defined]
        self._uptime_ms = 0
        self._set_ms = 0
        self._set_s: int | None = None

    def uptime_ms(self) -> int:
        tick = time.ticks_ms()  # type: ignore[attr-defined]
        self._uptime_ms += time.ticks_diff(tick, self._last_tick)  # type: ignore[attr-defined]
        self._last_tick = tick
        return self._uptime_ms

    def set(self, unix_s: int) -> None:
        """The date as of now."""
        self._set_ms = self.uptime_ms()
        self._set_s = unix_s

    def now(self) -> Now:
        uptime_ms = self.uptime_ms()
        if self._set_s is None:
            return Now(uptime_ms, None)
        since_ms = uptime_ms - self._set_ms
        return Now(uptime_ms, self._set_s + since_ms // 1000, entry.CLOCK_DOUBTFUL if since_ms > DOUBTFUL_MS else 0)
