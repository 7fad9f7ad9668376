"""The guard: from registers, contracts, policy and time it decides whether the relay may be closed, and why.

It is pure: what it knows arrives in Inputs, what it wants leaves in a Decision, and the first matching row of `table`
decides. The relay is never closed without a row that allows it, never closed again before it has rested, and nothing
but a fault operates it once its contacts are welded. It is no protection against islanding. docs/spec/guard.md.
"""

from wattpact_protocol.guard.decision import READY_FOR_RECONNECTION
from wattpact_protocol.guard.decision import Decision as Decision
from wattpact_protocol.guard.decision import Inputs as Inputs
from wattpact_protocol.guard.memory import CREDIT, HOLD, NOTHING
from wattpact_protocol.guard.policy import Policy as Policy
from wattpact_protocol.guard.policy import PolicyError as PolicyError
from wattpact_protocol.guard.state import SETTLE_MS, GuardState
from wattpact_protocol.guard.table import BOOT_HOLD_MS, CLOSED, KEEP, WARN_THEN_OPEN, Row, true_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

STEP_MS = 60_000  # decides at least this often, and a running budget or wait is kept in flash this often
AHEAD_MS = 2 * STEP_MS  # what is kept is ahead of what may be used before it is kept again
AHEAD_WH = 20  # and of what may be used between a reset and the first registers after it
WAITS = ("resting", "outage_wait", "awaiting_consent", "warning")


def longest(n: int) -> int:
    """A draw without randomness: every wait is as long as it may be."""
    return n - 1


class Guard(GuardState):
    """One from start to reset. draw(n) is a random number below n.

    policy None is one that is lost or damaged. saved None is a meter that never saved; whatever else saved() did not
    return is corrupt. relay_closed is the position sensed at the start, None where it is not.
    """

    def __init__(
        self,
        policy: "Policy | None",
        saved: object = None,
        relay_closed: "bool | None" = None,
        draw: "Callable[[int], int]" = longest,
    ) -> None:
        super().__init__(policy, saved, relay_closed)
        self._draw = draw
        self._asserted_ms: "int | None" = None
        self._is_consented = False
        self.mark: object = None
        self._row = Row("no_contract")

    def decide(self, inputs: Inputs) -> Decision:
        """Called after the start, whenever an input changes, and at next_at_ms at the latest."""
        self.learn(inputs, self._draw)
        name = next(true_rows(self, inputs))
        if name != self._row.name:
            self._row = Row(name)
        decision = self._obey(self._row, inputs)
        self._conclude(decision, self._row, inputs)
        return decision

    def saved(self) -> "list[object]":
        """What the next Guard starts from: integers, truth values and None. A budget in use is charged ahead, a
        warning shortened, so that frequent resets gain nothing; a rest is not."""
        memory, now_ms, warn_until_ms = self.memory, self._now_ms, self._warn_until_ms
        memory.rest_left_ms = max(0, self._rest_until_ms - now_ms)
        memory.outage_left_ms = max(0, self._outage_until_ms - now_ms)
        memory.warn_left_ms = None if warn_until_ms is None else max(0, warn_until_ms - now_ms - AHEAD_MS)
        return memory.to_saved(AHEAD_MS, AHEAD_WH)

    def _obey(self, row: Row, inputs: Inputs) -> Decision:
        commanded = self.memory.commanded
        if row.relay != CLOSED:
            self._is_consented = False
        if row.relay == WARN_THEN_OPEN and commanded is not False and self._is_warning():
            return self._wait("warning", bool(commanded), self._warn_until_ms)
        if row.relay == CLOSED and not commanded:
            return self._close(row, inputs)
        if row.relay == CLOSED or row.relay == KEEP:
            return Decision(row.name, bool(commanded))
        return Decision(row.name, False, commanded is not False)

    def _is_warning(self) -> bool:
        if self._warn_until_ms is None:
            self._warn_until_ms = self._now_ms + self._draw(self.policy.warn_wait_max_s * 1000 + 1)
        return self._now_ms < self._warn_until_ms

    def _close(self, row: Row, inputs: Inputs) -> Decision:
        """Close, once the relay has rested, the outage is past and, where it is required, somebody agreed."""
        now_ms = self._now_ms
        is_required = self.policy.consent_required or self.memory.corrupt
        self._is_consented = self._is_consented or inputs.consent or not is_required
        if now_ms < self._rest_until_ms:
            decision = self._wait("resting", False, max(self._rest_until_ms, self._outage_until_ms))
        elif now_ms < self._outage_until_ms:
            decision = self._wait("outage_wait", False, self._outage_until_ms)
        elif not self._is_consented:
            decision = self._wait("awaiting_consent", False, None)
        else:
            return Decision(row.name, True, True)
        if not self._is_consented:
            decision.control_state = READY_FOR_RECONNECTION
        return decision

    def _wait(self, reason: str, closed: bool, until_ms: "int | None") -> Decision:
        decision = Decision(reason, closed)
        decision.wait_until_ms = until_ms
        decision.warned = reason == "warning"
        return decision

    def _conclude(self, decision: Decision, row: Row, inputs: Inputs) -> None:
        memory, now_ms = self.memory, self._now_ms
        asserted_ms = self._start_ms if self._asserted_ms is None else self._asserted_ms
        if decision.operate:
            if not decision.closed:
                self._rest_until_ms = now_ms + self.policy.rest_s * 1000
            memory.commanded = decision.closed
            self._differ_since_ms = None
        elif memory.commanded is not None and not memory.welded:
            decision.reassert = now_ms - asserted_ms >= self.policy.reassert_s * 1000
        self._asserted_ms = now_ms if decision.operate or decision.reassert else asserted_ms
        if decision.reason != "warning" and decision.reason != "boot_hold":
            self._warn_until_ms = None
        use = row.use if decision.closed else NOTHING
        if use != NOTHING or memory.use != CREDIT or not inputs.sensor_dead:  # what was used unseen is of the credit
            memory.use = use
        memory.protected = self.policy.protected
        self._flag(decision, row, inputs)
        decision.next_at_ms = self._next_at_ms(decision, row, inputs)
        mark = self._marks()
        decision.save = mark != self.mark
        self.mark = mark

    def _flag(self, decision: Decision, row: Row, inputs: Inputs) -> None:
        decision.alarm = self.memory.welded or self.memory.faults != 0
        if not decision.closed:
            return
        decision.flagged = "flagged" in row.flags or self.is_unsure(inputs)
        decision.warned = decision.warned or "warned" in row.flags
        decision.arrears = "arrears" in row.flags or row.relay == WARN_THEN_OPEN
        if row.name == "grant":
            decision.contract = self.contract
        elif row.name == "default_supply":
            decision.contract = self.default_supply

    def _next_at_ms(self, decision: Decision, row: Row, inputs: Inputs) -> int:
        """The first moment at which time alone can change the decision, one STEP_MS ahead at most."""
        memory, now_ms, unix_s = self.memory, self._now_ms, inputs.unix_s
        ends_ms = [now_ms + STEP_MS, (self._asserted_ms or 0) + self.policy.reassert_s * 1000]
        if decision.reason in WAITS:
            ends_ms += [self._rest_until_ms, self._outage_until_ms, self._warn_until_ms or 0]
        if self._differ_since_ms is not None:
            ends_ms.append(self._differ_since_ms + SETTLE_MS)
        if decision.operate and inputs.sensed_closed is not None:
            ends_ms += [now_ms + SETTLE_MS // 2, now_ms + SETTLE_MS]
        if memory.use == HOLD:
            ends_ms.append(now_ms + self.policy.hold_budget_s * 1000 - memory.hold_spent_ms)
        if row.name == "boot_hold":
            ends_ms.append(self._start_ms + BOOT_HOLD_MS)
        if unix_s is not None:
            if self._edge_s is not None:
                ends_ms.append(now_ms + (self._edge_s - unix_s) * 1000)
            if memory.order_s is not None:
                ends_ms.append(now_ms + (memory.order_s + self.policy.operator_order_fresh_s + 1 - unix_s) * 1000)
            if row.name == "quiet_hours" or row.relay == WARN_THEN_OPEN:
                ends_ms.append(now_ms + self.policy.quiet_edge_s(unix_s) * 1000)
        return min(end_ms for end_ms in ends_ms if end_ms > now_ms)

    def _marks(self) -> "tuple[object, ...]":
        """What, once changed, should be in flash: positions, latches, and each step of a budget or wait."""
        memory, warn_until_ms = self.memory, self._warn_until_ms
        return (
            memory.commanded,
            memory.faults,
            memory.welded,
            memory.held,
            memory.use,
            memory.order_s,
            memory.corrupt,
            memory.protected,
            memory.register_generation,
            memory.hold_spent_ms == 0,
            memory.use == HOLD and memory.hold_spent_ms // STEP_MS,
            None if warn_until_ms is None else (warn_until_ms - self._now_ms) // STEP_MS,
        )
