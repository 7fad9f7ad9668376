"""What the node knows, as the plain values that the HTTP API and its events give.

What always holds: a view reads and never changes anything, may be called from any thread, and costs what it returns,
not what is stored. Shapes are those of `wattpact.api.models`; units are in the names. A row of a meter, a contract or
the log also has its `audience`, for `visible`, which decides what of it a viewer is shown.
"""

from collections.abc import Sequence
from typing import Any, Protocol

Json = dict[str, Any]


class NotFound(LookupError):
    """What was requested is not there; the text is a sentence for a person."""


class BadRequest(ValueError):
    """A request that makes no sense; the text is a sentence for a person."""


class Forbidden(Exception):
    """What was requested is somebody else's; the text is a sentence for a person."""


class Views(Protocol):
    """All views, as the operator is shown them. Keys and ids are bytes; what is not there raises NotFound, nonsense
    BadRequest."""

    def last_cursor(self) -> int:
        """The cursor of the newest row of the log, 0 where there is none."""

    def community(self) -> Json: ...

    def meters(self) -> list[Json]: ...

    def meter(self, kid: bytes) -> Json: ...

    def readings(self, meter: bytes, from_s: int | None, to_s: int | None, step_s: int | None) -> Json:
        """With the meter's `label`, and `tenures`: (from, to, owner) in turn."""

    def contracts(
        self, states: Sequence[str] = (), meter: bytes | None = None, ended_after_s: int | None = None
    ) -> list[Json]:
        """The newest 1,000; with `ended_after_s` those that are not over, and those that ended since."""

    def contract(self, contract_id: bytes) -> Json:
        """One contract, with the steps of its `life`."""

    def log(self, meter: bytes | None, kinds: Sequence[str], before: int | None, limit: int) -> Json: ...

    def log_after(self, cursor: int, limit: int) -> list[Json]:
        """The newest rows after `cursor`, at most `limit`, oldest first."""

    def bills(self, month: str | None, owner: bytes | None) -> list[Json]: ...
