"""What came while the core was at work: measurements with the time at which they were taken, and datagrams.

What always holds: measurements leave in the order in which they came, and no energy is lost in here. A measured period
that finds no room is joined to the one before it, exact to the last mW µs. Of telegrams, whose registers are totals,
the newest of a meter stands for those before it. Datagrams that find no room are not taken from the network.
"""

from wattpact_protocol import steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from wattpact_meter.clock import Now
    from wattpact_meter.core.meter import Meter
    from wattpact_meter.sources.p1_telegram import Telegram

    Power = tuple[int, int, dict[int, int], int]

MAX_MEASURED = 16
MAX_DATAGRAMS = 8


class Backlog:
    """joined: measurements that found no room; lost: telegrams of another meter among them."""

    def __init__(self) -> None:
        self._measured: list[Any] = []  # [now, [(mW, µs), ..], instantaneous, quality], or (now, telegram)
        self.datagrams: list[bytes] = []
        self.joined = 0
        self.lost = 0

    @property
    def has_room(self) -> bool:
        """For another datagram."""
        return len(self.datagrams) < MAX_DATAGRAMS

    def add_power(self, now: "Now", power: "Power") -> None:
        """A period that ends now: (active_mw, duration_us, instantaneous, quality)."""
        active_mw, duration_us, instantaneous, quality = power
        last: Any = self._measured[-1] if self._measured else ()
        if len(self._measured) < MAX_MEASURED or len(last) != 4:
            self._measured.append([now, [(active_mw, duration_us)], instantaneous, quality])
            return
        self.joined += 1
        last[0] = now
        last[1] = _levelled(last[1] + [(active_mw, duration_us)])
        last[2] = instantaneous or last[2]
        last[3] |= quality

    def add_telegram(self, now: "Now", telegram: "Telegram") -> None:
        if len(self._measured) >= MAX_MEASURED:
            self.joined += 1
            last = self._measured.pop()
            if len(last) != 2 or last[1].serial != telegram.serial:
                self._measured.append(last)
                self.lost += 1
                return
        self._measured.append((now, telegram))

    def tell(self, meter: "Meter") -> None:
        """Give the meter all measurements."""
        steps.finish(self.apply_steps(meter))

    def apply_steps(self, meter: "Meter") -> "Generator[None, None, None]":
        """Give the meter the measurements that wait by now, one in a step or more. Given up in between, those that
        it was not given wait still."""
        for _ in range(len(self._measured)):
            first = self._measured.pop(0)
            if len(first) == 2:
                yield from meter.on_telegram_steps(*first)
            else:
                now, powers, instantaneous, quality = first
                for active_mw, duration_us in powers:
                    yield from meter.on_power_steps(now, active_mw, duration_us, instantaneous, quality)
            yield


def _levelled(powers: "list[tuple[int, int]]") -> "list[tuple[int, int]]":
    """The same energy in the same time at one power, and where that is no whole mW at the next one for the rest."""
    duration_us = sum([us for _, us in powers])
    if not duration_us:
        return powers[-1:]
    level_mw, rest_us = divmod(sum([mw * us for mw, us in powers]), duration_us)
    return [(level_mw, duration_us - rest_us)] + ([(level_mw + 1, rest_us)] if rest_us else [])
