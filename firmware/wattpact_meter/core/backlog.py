"""What came while the core was at work: measurements with the time at which they came, and datagrams.

What always holds: measurements leave in the order in which they came, and no energy is lost in here. One that finds no
room is added to the one before it. Datagrams that find no room are left to the network.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from wattpact_meter.clock import Now
    from wattpact_meter.core.meter import Meter
    from wattpact_meter.metering.measurement import Measurement

MAX_MEASURED = 16
MAX_DATAGRAMS = 8


class Backlog:
    """joined: measurements that found no room; lost: registers of another meter among them."""

    def __init__(self) -> None:
        self._measured: list[list[Any]] = []  # [now, measurement]
        self.datagrams: list[bytes] = []
        self.joined = 0
        self.lost = 0

    @property
    def has_room(self) -> bool:
        """For another datagram."""
        return len(self.datagrams) < MAX_DATAGRAMS

    def add(self, now: "Now", measurement: "Measurement") -> None:
        """A measurement that ends now."""
        if len(self._measured) >= MAX_MEASURED:
            last = self._measured[-1]
            is_joined = last[1].add(measurement)
            if is_joined:
                last[0] = now
            if is_joined or measurement.serial is not None:
                self.joined += 1
                self.lost += not is_joined
                return
        self._measured.append([now, measurement])

    def apply_steps(self, meter: "Meter") -> "Generator[None, None, None]":
        """Give the meter the measurements that wait by now, one in a step or more. Closed in between, those that it
        was not given wait still, and so does one whose energy it could not count."""
        for _ in range(len(self._measured)):
            now, measurement = self._measured[0]
            try:
                yield from meter.measure_steps(now, measurement)
            except Exception:
                if meter.recorder.counted is measurement or not measurement.energy_nj:  # another meter has counted it
                    del self._measured[0]
                raise
            del self._measured[0]
            yield
