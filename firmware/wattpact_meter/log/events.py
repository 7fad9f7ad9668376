"""The queue of events that are to be published, whoever noted them, and which of the guard's decisions are events.

What always holds: the oldest leaves first; of more than _MAX_EVENTS the newest stay.
"""

from wattpact_protocol.log import event_codes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from wattpact_protocol.guard.guard import Decision

    from wattpact_meter.clock import Now

_MAX_EVENTS = 16

# A reason of the guard that is an event, when it begins.
_NEWS = {
    "over_current": event_codes.OVER_CURRENT, "over_temperature": event_codes.OVER_TEMPERATURE,
    "weld": event_codes.WELD, "warning": event_codes.WARNING,
}  # fmt: skip


class Events:
    """waiting: (code, fields), the oldest first; fields are those of an EVENT's body without its code."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, dict[str, Any]]] = []
        self._reason = ""
        self._contract: bytes | None = None  # what the relay was closed for last

    def note(self, code: int, fields: "dict[str, Any]") -> None:
        """Put an event into the queue."""
        self.waiting.append((code, fields))
        if len(self.waiting) > _MAX_EVENTS:
            del self.waiting[0]

    def note_decision(self, decision: "Decision", now: "Now", totals: "Callable[[], dict[int, int]]") -> None:
        """What of a decision is an event: the relay operated, with the registers then, or a fault or warning began."""
        if decision.operate:
            code = event_codes.RELAY_CLOSED if decision.closed else event_codes.RELAY_OPENED
            fields: dict[str, Any] = {"text": decision.reason, "registers": totals()}
            contract = decision.contract if decision.closed else self._contract
            if contract:
                fields["contract"] = contract
            self.note(code, fields)
        self._contract = decision.contract
        if decision.reason != self._reason and decision.reason in _NEWS:
            wait_ms = 0 if decision.wait_until_ms is None else decision.wait_until_ms - now.uptime_ms
            self.note(_NEWS[decision.reason], {"text": decision.reason, "detail": wait_ms // 1000})
        self._reason = decision.reason
