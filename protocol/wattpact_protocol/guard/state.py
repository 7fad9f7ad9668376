"""What the guard knows: inputs become latches, budgets and waits that outlast them. docs/spec/guard.md, "Rules".

Time only runs forward here, whatever uptime shows; a clock that jumps moves no wait and no budget.
"""

from wattpact_protocol.guard import memory
from wattpact_protocol.guard.memory import CONTRACT, CREDIT, HOLD, OVER_CURRENT, OVER_TEMPERATURE
from wattpact_protocol.guard.policy import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from wattpact_protocol.guard.decision import Inputs

SETTLE_MS = 2_000  # contacts and their sensing may disagree this long without being welded
ORDER_SKEW_S = 60  # an operator's clock may be this far ahead


class GuardState:
    """Its public attributes and methods are what the conditions of the rows look at."""

    def __init__(self, policy: "Policy | None", saved: object, relay_closed: "bool | None") -> None:
        held = memory.Memory() if saved is None else memory.from_saved(saved)
        self._is_lost = held is None
        self.memory = held or memory.Memory()
        self.memory.corrupt = self.memory.corrupt or self._is_lost
        self.policy = policy or Policy(protected=self.memory.protected)
        self._is_policy_lost = policy is None
        self.contract: "bytes | None" = None
        self.default_supply: "bytes | None" = None
        self._relay_closed = relay_closed
        self._is_started = False
        self._now_ms = self._start_ms = 0
        self._rest_until_ms = self.memory.rest_left_ms
        self._outage_until_ms = self.memory.outage_left_ms
        self._warn_until_ms = self.memory.warn_left_ms
        self._differ_since_ms: "int | None" = None
        self._edge_s: "int | None" = None
        self._is_reset_pressed = True

    def adopt(self, policy: Policy) -> None:
        """Follow another policy from the next decision on; waits that run keep the ends they have."""
        self.policy = policy
        self._is_policy_lost = False

    def rest(self, rest_ms: int) -> None:
        """Before the first decision: close no sooner than so long after it."""
        self._rest_until_ms = max(self._rest_until_ms, min(rest_ms, memory.LONGEST_WAIT_MS))

    def up_ms(self) -> int:
        return self._now_ms - self._start_ms

    def is_unsure(self, inputs: "Inputs") -> bool:
        return inputs.unix_s is None or inputs.sensor_dead or self._is_state_lost(inputs)

    def hold_lasts(self) -> bool:
        memory, policy = self.memory, self.policy
        return memory.hold_spent_ms < policy.hold_budget_s * 1000 and memory.hold_spent_wh < policy.hold_budget_wh

    def _is_state_lost(self, inputs: "Inputs") -> bool:
        return inputs.state_corrupt or self.memory.corrupt or self._is_policy_lost

    def learn(self, inputs: "Inputs", draw: "Callable[[int], int]") -> None:
        """All that follows from the inputs, before any row is looked at."""
        if not self._is_started:
            self._start(inputs, draw)
        self._count(inputs)
        self._watch_faults(inputs)
        self._watch_contacts(inputs.sensed_closed)
        self._watch_order(inputs)
        self._watch_grants(inputs)

    def _start(self, inputs: "Inputs", draw: "Callable[[int], int]") -> None:
        now_ms, memory, rest_ms = inputs.uptime_ms, self.memory, self.policy.rest_s * 1000
        self._is_started = True
        self._now_ms = self._start_ms = now_ms
        closed = inputs.sensed_closed if self._relay_closed is None else self._relay_closed
        if self._is_lost:
            memory.held = closed is not False
            memory.credit_spent_wh = self.policy.emergency_credit_wh
        if self._is_lost or inputs.state_corrupt or (memory.commanded and closed is False):
            self._rest_until_ms = max(rest_ms, self._rest_until_ms)  # nobody knows when it was opened
        if closed is not None:
            memory.commanded = closed
        self._rest_until_ms += now_ms
        self._outage_until_ms += now_ms
        if self._warn_until_ms is not None:
            self._warn_until_ms += now_ms
        if inputs.power_failed:
            self._outage_until_ms = now_ms + draw(self.policy.reconnect_wait_max_s * 1000 + 1)

    def _count(self, inputs: "Inputs") -> None:
        """Time and import since the last decision, counted against what kept the relay closed until now."""
        memory, import_wh = self.memory, inputs.import_wh
        now_ms = max(self._now_ms, inputs.uptime_ms)
        if import_wh is not None:
            used_wh = 0
            if memory.import_wh is not None and memory.register_generation == inputs.register_generation:
                used_wh = max(0, import_wh - memory.import_wh)
            memory.import_wh = import_wh
            memory.register_generation = inputs.register_generation
            if memory.use == CONTRACT:
                memory.credit_spent_wh = max(0, memory.credit_spent_wh - used_wh)
            elif memory.use == CREDIT:
                memory.credit_spent_wh += used_wh
            elif memory.use == HOLD:
                memory.hold_spent_wh += used_wh
        if memory.use == HOLD:
            memory.hold_spent_ms += now_ms - self._now_ms
        self._now_ms = now_ms

    def _watch_faults(self, inputs: "Inputs") -> None:
        memory = self.memory
        if inputs.reset_on_site and not self._is_reset_pressed:  # a button that is stuck resets nothing
            memory.faults = 0
            memory.corrupt = False
            if memory.welded:
                self._forget_weld(inputs.sensed_closed)
        self._is_reset_pressed = inputs.reset_on_site
        if inputs.over_current:
            memory.faults |= OVER_CURRENT
        if inputs.over_temperature:
            memory.faults |= OVER_TEMPERATURE

    def _forget_weld(self, sensed_closed: "bool | None") -> None:
        """The contacts were seen to: they are where they are sensed to be."""
        memory = self.memory
        memory.welded = False
        self._differ_since_ms = None
        if sensed_closed is False and memory.commanded is not False:
            self._rest_until_ms = self._now_ms + self.policy.rest_s * 1000
        if sensed_closed is not None:
            memory.commanded = sensed_closed

    def _watch_contacts(self, sensed_closed: "bool | None") -> None:
        commanded = self.memory.commanded
        if commanded is None or sensed_closed is None or commanded == sensed_closed:
            self._differ_since_ms = None
        elif self._differ_since_ms is None:
            self._differ_since_ms = self._now_ms
        elif self._now_ms - self._differ_since_ms >= SETTLE_MS:
            self.memory.welded = True

    def _watch_order(self, inputs: "Inputs") -> None:
        """An order begins to hold while fresh by a valid clock, and holds until it is withdrawn or no longer fresh."""
        order_s, now_s = inputs.operator_open_at_s, inputs.unix_s
        is_held = order_s == self.memory.order_s
        if order_s is None or self.policy.protected:
            holds = False
        elif now_s is None:
            holds = is_held
        else:
            age_s = now_s - order_s
            holds = age_s <= self.policy.operator_order_fresh_s and (is_held or age_s >= -ORDER_SKEW_S)
        self.memory.order_s = order_s if holds else None

    def _watch_grants(self, inputs: "Inputs") -> None:
        """Which grant holds; whether, for all that is known, one could; when time next changes that."""
        now_s = inputs.unix_s
        self.contract = self.default_supply = self._edge_s = None
        could_hold = self._is_state_lost(inputs)
        for contract, left_wh, from_s, to_s, is_default_supply in inputs.grants:
            if now_s is not None:
                edge_s = from_s if now_s < from_s else to_s
                if now_s < edge_s and (self._edge_s is None or edge_s < self._edge_s):
                    self._edge_s = edge_s
                if not from_s <= now_s < to_s:
                    continue
            if is_default_supply:
                if self.default_supply is None:
                    self.default_supply = contract
            elif left_wh > 0 and now_s is not None and self.contract is None and not inputs.sensor_dead:
                self.contract = contract
            could_hold = could_hold or is_default_supply or left_wh > 0 or inputs.sensor_dead
        if self.contract is not None or self.default_supply is not None:
            self.memory.held = True
            self._renew(inputs)
        elif not could_hold:
            self.memory.held = False

    def _renew(self, inputs: "Inputs") -> None:
        """A grant that holds beyond doubt gives the hold budget back, and faith in the memory once it is closed."""
        memory = self.memory
        if inputs.unix_s is None or inputs.state_corrupt or inputs.sensor_dead:
            return
        if memory.commanded:
            memory.corrupt = False
        if not memory.corrupt:
            memory.hold_spent_ms = memory.hold_spent_wh = 0
