"""The virtual board's time: the computer's own, or one that runs `speed` times as fast from a given moment on."""

import time

from wattpact_meter.clock import Now


class Clock:
    """uptime begins at 0; without unix_s the date is the computer's at the start."""

    def __init__(self, speed: int = 1, unix_s: "int | None" = None) -> None:
        self.speed = speed
        self._follows = speed == 1 and unix_s is None
        self._start_ms = _host_ms() if unix_s is None else unix_s * 1000
        self._last_tick = time.ticks_ms()  # type: ignore[attr-defined]
        self._elapsed_ms = 0

    def uptime_ms(self) -> int:
        tick = time.ticks_ms()  # type: ignore[attr-defined]
        self._elapsed_ms += time.ticks_diff(tick, self._last_tick)  # type: ignore[attr-defined]
        self._last_tick = tick
        return self._elapsed_ms * self.speed

    def now(self) -> Now:
        uptime_ms = self.uptime_ms()
        unix_ms = _host_ms() if self._follows else self._start_ms + uptime_ms
        return Now(uptime_ms, unix_ms // 1000)


def _host_ms() -> int:
    return time.time_ns() // 1_000_000
