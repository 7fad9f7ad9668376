"""How the core fails: a flash that fails stops neither registers nor guard; what had its effect must reach it."""

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import reasons

from wattpact_meter.storage.journal import JournalError
from wattpact_meter.storage.store import StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, TypeVar

    from wattpact_meter.storage.store import Store

    T = TypeVar("T")


class Keeping:
    """rejected: what was not done or not accepted, counted by reason."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._must_end = False
        self.rejected: dict[str, int] = {}

    @property
    def must_end(self) -> bool:
        """Whether what had its effect is on its way to flash: the work must be driven on."""
        return self._must_end or self._store.is_saving

    def count(self, reason: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1

    def attempt(self, action: "Callable[..., None]", *arguments: "Any") -> None:
        """Do what writes to flash; a flash that fails is counted."""
        try:
            action(*arguments)
        except (StateError, JournalError):
            self.count(reasons.FLASH_FAILED)

    def attempt_steps(self, work: "Generator[None, None, T]") -> "Generator[None, None, T | None]":
        """As `attempt`, for work in steps; a signature that was disturbed is counted too, and tried again later."""
        try:
            result = yield from work
        except (StateError, JournalError):
            self.count(reasons.FLASH_FAILED)
            return None
        except ed25519.FaultError:
            self.count(reasons.SIGNATURE_DISTURBED)
            return None
        return result

    def whole_steps(self, work: "Generator[None, None, T]") -> "Generator[None, None, T | None]":
        """As `attempt_steps`, for what follows from something that had its effect: it must not be closed early."""
        self._must_end = True
        try:
            result = yield from self.attempt_steps(work)
        finally:
            self._must_end = False
        return result
