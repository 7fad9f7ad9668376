"""What this meter has to say, in its order: events, usage, readings, then offers, acceptances and contracts.

What always holds: an entry is in the journal, under a checkpoint of the registers in it, before book and usage take it
for said; what could not be said stays due. Rules: docs/spec/meter.md, "Speaking".
"""

from wattpact_protocol import bodies, readings

from wattpact_meter import intervals
from wattpact_meter.commitments import Supply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_protocol import entry
    from wattpact_protocol.guard import Decision

    from wattpact_meter.book import Book
    from wattpact_meter.clock import Now
    from wattpact_meter.ownlog import OwnLog
    from wattpact_meter.recorder import Recorder
    from wattpact_meter.usage import Usage

SAY_A_TICK = 4  # entries signed before the guard is asked again: a signature takes a chip its time
MAX_EVENTS = 16

# A reason of the guard that is news, when it begins.
_NEWS = {
    "over_current": bodies.EVENT_OVER_CURRENT, "over_temperature": bodies.EVENT_OVER_TEMPERATURE,
    "weld": bodies.EVENT_WELD, "warning": bodies.EVENT_WARNING,
}  # fmt: skip


class Speaker:
    """Speaker(log, recorder, book, usage): what it says comes from the last three."""

    def __init__(self, log: "OwnLog", recorder: "Recorder", book: "Book", usage: "Usage") -> None:
        self._log = log
        self._recorder = recorder
        self._book = book
        self._usage = usage
        self._reason = ""
        self._contract: bytes | None = None  # what the relay was closed for last
        self.overflow: bytes | None = None  # a grant to begin, since those in use could not carry the last step

    def note(self, code: int, fields: "dict[str, Any]") -> None:
        """An event to be said when the log is open and there is time."""
        self._recorder.events.append((code, fields))

    def note_decision(self, decision: "Decision", now: "Now") -> None:
        """What of a decision is an event: the relay operated, or a fault or warning began."""
        if decision.operate:
            code = bodies.EVENT_RELAY_CLOSED if decision.closed else bodies.EVENT_RELAY_OPENED
            fields: dict[str, Any] = {"text": decision.reason, "registers": self._recorder.totals()}
            contract = decision.contract if decision.closed else self._contract
            if contract:
                fields["contract"] = contract
            self.note(code, fields)
        self._contract = decision.contract
        if decision.reason != self._reason and decision.reason in _NEWS:
            wait_ms = 0 if decision.wait_until_ms is None else decision.wait_until_ms - now.uptime_ms
            self.note(_NEWS[decision.reason], {"text": decision.reason, "detail": wait_ms // 1000})
        self._reason = decision.reason

    def speak(self, now: "Now", decision: "Decision", may_ask: bool) -> bool:
        """Say what is due, up to SAY_A_TICK entries; whether that many were."""
        events = self._recorder.events
        if len(events) > MAX_EVENTS:
            del events[: len(events) - MAX_EVENTS]
        for _ in range(SAY_A_TICK):
            if not (
                self._say_event(now)
                or self._say_usage(now, decision)
                or self._say_reading(now)
                or self._say_trade(now, may_ask)
            ):
                return False
        return True

    def _say(self, kind: int, body: "dict[str, Any]", now: "Now") -> "entry.Entry | None":
        new = self._log.say(kind, body, now)
        if new is not None:
            self._book.said(new)
            self._usage.said(new)
            self._recorder.said(new)
        return new

    def _say_event(self, now: "Now") -> bool:
        if not self._recorder.events:
            return False
        code, fields = self._recorder.events[0]
        self._recorder.cover(fields.get("registers", {}))
        fields["code"] = code
        if self._say(bodies.EVENT, fields, now) is None:
            return False
        del self._recorder.events[0]
        return True

    def _say_usage(self, now: "Now", decision: "Decision") -> bool:
        due = self._usage_due(now, decision)
        if due is None:
            return False
        kind, body = due
        self._recorder.cover({readings.IMPORT_WH: body["import_wh"]})
        return self._say(kind, body, now) is not None

    def _usage_due(self, now: "Now", decision: "Decision") -> "tuple[int, dict[str, Any]] | None":
        usage, import_wh = self._usage, self._recorder.import_wh
        body = usage.end(now.unix_s, import_wh)
        if body is not None:
            return bodies.USAGE_END, body
        used, also = decision.contract if decision.closed else None, self.overflow
        body = usage.start(used, now.unix_s, import_wh) or usage.start(also, now.unix_s, import_wh)
        if body is not None:
            return bodies.USAGE_START, body
        self.overflow = None
        body = usage.report()
        return None if body is None else (bodies.USAGE, body)

    def _say_reading(self, now: "Now") -> bool:
        body = self._recorder.intervals.waiting()
        if body is None:
            return False
        new = self._say(bodies.READING, body, now)
        if new is None and not self._log.full:
            new = self._say(bodies.READING, intervals.slim(body), now)
        if new is None:
            return False
        self._recorder.intervals.take()
        return True

    def _say_trade(self, now: "Now", may_ask: bool) -> bool:
        if now.unix_s is None:
            return False
        due = self._book.next(now.unix_s, self._supply(now.unix_s), may_ask)
        return due is not None and self._say(due[0], due[1], now) is not None

    def _supply(self, now_s: int) -> Supply:
        supply = Supply()
        for grant, left_wh in self._usage.running(now_s, self._recorder.import_wh):
            supply.left_wh += left_wh
            supply.wh += grant.wh
            supply.to_s = max(supply.to_s, grant.to_s)
            supply.priority = max(supply.priority, grant.priority)
        return supply
