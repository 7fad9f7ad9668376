"""What this meter publishes, in its order: keys, events, usage, readings, then offers, acceptances and contracts.

What always holds: an entry is in the journal, under a checkpoint of the registers in it, before trader and usage learn
of it; what is to be sealed is sealed or not published; what could not be published stays due. docs/spec/meter.md.
"""

from wattpact_protocol.log import kinds, readings, reasons
from wattpact_protocol.sealing import period_keys

from wattpact_meter.metering import intervals
from wattpact_meter.trade.orders import Supply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from wattpact_protocol.log import entry

    from wattpact_meter.clock import Now
    from wattpact_meter.log.events import Events
    from wattpact_meter.log.own_log import OwnLog
    from wattpact_meter.log.sealer import Sealer
    from wattpact_meter.metering.recorder import Recorder
    from wattpact_meter.trade.trader import Trader
    from wattpact_meter.trade.usage import Usage


class Publisher:
    """Publisher(log, sealer, events, recorder, trader, usage, count, whole_steps): what it publishes comes from events,
    recorder, trader and usage; `count(reason)` counts what could not be sealed; `whole_steps(work)` is that work, which
    must not be closed early."""

    def __init__(
        self, log: "OwnLog", sealer: "Sealer", events: "Events", recorder: "Recorder", trader: "Trader",
        usage: "Usage", count: "Callable[[str], None]", whole_steps: "Callable[[Any], Any]",
    ) -> None:  # fmt: skip
        self._log = log
        self._sealer = sealer
        self._events = events.waiting
        self._count = count
        self._whole_steps = whole_steps
        self._recorder = recorder
        self._trader = trader
        self._usage = usage

    def publish_steps(self, now: "Now", may_buy: bool) -> "Generator[None, None, bool]":
        """Publish the entry that is due first, giving way while it is signed; whether there was one. may_buy: whether
        there is a host to pass an acceptance on. Raises FaultError."""
        is_published = (
            (yield from self._publish_key(now))
            or (yield from self._publish_event(now))
            or (yield from self._publish_usage(now))
            or (yield from self._publish_reading(now))
            or (yield from self._publish_trade(now, may_buy))
        )
        return bool(is_published)

    def _publish(self, kind: int, body: "dict[str, Any]", now: "Now") -> "Generator[None, None, entry.Entry | None]":
        """The one way from a body to an entry: sealed, in the journal, and then known to trader, usage and recorder, as
        it was before it was sealed."""
        yield
        try:
            sealed = yield from self._sealer.seal_steps(kind, body)
        except period_keys.NoKeyError:
            return None
        except (period_keys.SealError, kinds.BodyError):
            self._count(reasons.NOT_SEALED)
            return None
        yield
        new = yield from self._log.append_steps(kind, sealed, now)
        if new is not None:
            parts = (self._trader, self._usage, self._recorder)
            yield from self._whole_steps(_tell_steps(self._log, new.with_body(body), parts))
        return new

    def _publish_key(self, now: "Now") -> "Generator[None, None, bool]":
        """The epoch or the key without which nothing can be sealed."""
        try:
            due = yield from self._sealer.due_steps(now)
        except period_keys.SealError:
            self._count(reasons.NOT_SEALED)
            return False
        yield
        new = None if due is None else (yield from self._log.append_steps(due[0], due[1], now))
        if new is not None:
            yield from self._whole_steps(_tell_steps(self._log, new, (self._sealer,)))
        return new is not None

    def _publish_event(self, now: "Now") -> "Generator[None, None, bool]":
        if not self._events:
            return False
        code, fields = self._events[0]
        yield from self._recorder.cover_steps(fields.get("registers", {}))
        fields["code"] = code
        new = yield from self._publish(kinds.EVENT, fields, now)
        if new is None:
            return False
        del self._events[0]
        return True

    def _publish_usage(self, now: "Now") -> "Generator[None, None, bool]":
        due = self._usage_due(now)
        yield
        if due is None:
            return False
        kind, body = due
        yield from self._recorder.cover_steps({readings.IMPORT_WH: body["import_wh"]})
        new = yield from self._publish(kind, body, now)
        return new is not None

    def _usage_due(self, now: "Now") -> "tuple[int, dict[str, Any]] | None":
        usage = self._usage
        body = usage.end(now.unix_s, self._recorder.import_wh)
        if body is not None:
            return kinds.USAGE_END, body
        body = usage.start()
        if body is not None:
            return kinds.USAGE_START, body
        body = usage.report()
        return None if body is None else (kinds.USAGE, body)

    def _publish_reading(self, now: "Now") -> "Generator[None, None, bool]":
        body = self._recorder.intervals.waiting()
        if body is None:
            return False
        new = yield from self._publish(kinds.READING, body, now)
        if new is None and not self._log.full:
            new = yield from self._publish(kinds.READING, intervals.slim(body), now)
        if new is None:
            return False
        self._recorder.intervals.published()
        return True

    def _publish_trade(self, now: "Now", may_buy: bool) -> "Generator[None, None, bool]":
        if now.unix_s is None:
            return False
        yield
        due = self._trader.next(now.unix_s, self._supply(now.unix_s), may_buy)
        new = None if due is None else (yield from self._publish(due[0], due[1], now))
        return new is not None

    def _supply(self, now_s: int) -> Supply:
        supply = Supply()
        for grant, left_wh in self._usage.running(now_s, self._recorder.import_wh):
            supply.left_wh += left_wh
            supply.wh += grant.wh
            supply.to_s = max(supply.to_s, grant.to_s)
            supply.priority = max(supply.priority, grant.priority)
        return supply


def _tell_steps(log: "OwnLog", new: "entry.Entry", parts: "tuple[Any, ...]") -> "Generator[None, None, None]":
    """Have them know an entry that is in the journal."""
    for part in parts:
        yield
        part.published(new)
    log.untold = False
