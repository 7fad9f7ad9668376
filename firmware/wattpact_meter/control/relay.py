"""The relay as the meter uses it: it does what the guard decided, and shows where the contacts are.

`driver` has drive(closed), which operates the contacts or holds them where they are (drivers/relay_pin.py), and
sensed(), the position the load side shows: True, False, or None where a board does not sense it. How long a relay rests
between operations is the guard's business; here nothing is decided, and nothing is done that was not decided.

A coil or the load behind it may pull the supply down, so that the chip resets as it closes the relay. That it is about
to is in flash before, and taken back once it has lived on for a while: a start that finds it has the relay rest, twice
as long each time, and drives no coil before.
"""

from wattpact_meter.storage.store import StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from wattpact_protocol.guard.guard import Decision

    class Driver(Protocol):
        def drive(self, closed: bool) -> None: ...
        def sensed(self) -> "bool | None": ...

    from wattpact_meter.storage.store import Store

NAME = "relay"
LIVED_MS = 3_000
_FIRST_REST_MS = 120_000
_DOUBLINGS = 5  # at most: 64 minutes


class Relay:
    """Relay(driver, store, now_ms), at the start, which moves nothing. failures: closings in a row that the chip did
    not survive; rest_ms: how long the relay must rest from the start for it."""

    def __init__(self, driver: "Driver", store: "Store", now_ms: int) -> None:
        self._driver = driver
        self._store = store
        self.operations = 0
        saved = store.load(NAME)
        self.failures = saved if isinstance(saved, int) and saved > 0 else 0
        self.rest_ms = _FIRST_REST_MS << min(self.failures - 1, _DOUBLINGS) if self.failures else 0
        self._rests_until_ms = now_ms + self.rest_ms
        self._closed_ms: int | None = None

    def apply(self, decision: "Decision", now_ms: int) -> bool:
        """Carry a decision out; whether the contacts were driven."""
        if decision.operate:
            self.operations += 1
        elif not decision.reassert or now_ms < self._rests_until_ms:
            self._look_back(now_ms)
            return False
        if decision.closed and (decision.operate or self.failures):
            self._closed_ms = now_ms
            self._keep(self.failures + 1)
        self._driver.drive(decision.closed)
        return True

    def _look_back(self, now_ms: int) -> None:
        """Has the chip survived a closing?"""
        if self._closed_ms is not None and now_ms - self._closed_ms >= LIVED_MS:
            self._closed_ms = None
            self.failures = 0
            self._keep(0)

    def _keep(self, failures: int) -> None:
        """A flash that fails stops no relay."""
        try:
            self._store.save(NAME, failures)
        except StateError:
            pass

    def sensed(self) -> "bool | None":
        """Where the contacts are: True closed, False open, None unknown."""
        return self._driver.sensed()
