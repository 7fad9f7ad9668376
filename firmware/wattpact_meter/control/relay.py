"""The relay as the meter uses it: it does what the guard decided, and shows where the contacts are.

`driver` has drive(closed), which operates the contacts or holds them where they are (drivers/relay_pin.py), and
sensed(), the position the load side shows: True, False, or None where a board does not sense it. How long a relay rests
between operations is the guard's business; here nothing is decided, and nothing is done that was not decided.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from wattpact_protocol.guard.guard import Decision

    class Driver(Protocol):
        def drive(self, closed: bool) -> None: ...
        def sensed(self) -> "bool | None": ...


class Relay:
    """Relay(driver). A start moves nothing."""

    def __init__(self, driver: "Driver") -> None:
        self._driver = driver
        self.operations = 0

    def apply(self, decision: "Decision") -> bool:
        """Carry a decision out; whether the contacts were driven."""
        if decision.operate:
            self.operations += 1
        if decision.operate or decision.reassert:
            self._driver.drive(decision.closed)
            return True
        return False

    def sensed(self) -> "bool | None":
        """Where the contacts are: True closed, False open, None unknown."""
        return self._driver.sensed()
