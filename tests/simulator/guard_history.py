"""Generated histories of a guard, and a checker that re-derives from the same inputs what each decision may be.

The checker is written from docs/spec/guard.md and shares no code with the guard: it keeps its own latches and tallies,
in true time, over resets. The world has one relay (which may weld), one register, clocks that jump, and flash that
holds what the guard last wanted to have saved.
"""

import json
import time

from wattpact_protocol.guard import guard

ORDER = (
    "over_current", "over_temperature", "weld", "owner", "operator", "protected", "grant", "default_supply", "hold",
    "credit", "quiet_hours", "boot_hold", "no_contract",
)  # fmt: skip
CLOSING = ("protected", "grant", "default_supply", "hold", "credit", "quiet_hours", "boot_hold")
BORN_S = 1_704_067_200  # Monday 1 January 2024, 00:00 UTC
GARBAGE = ("null!", 0, [], [1], [2] + [0] * 15, {"faults": 0}, [1, -1] + [None] * 14)


class Dice:
    """Small, fast and repeatable; the upper bits of a linear congruence."""

    def __init__(self, seed):
        self._state = seed * 7919 + 1

    def __call__(self, n):
        self._state = (self._state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._state >> 8) % n


class Checker:
    """Asserts that each decision is one the rules allow. See `rule`."""

    def __init__(self, policy):
        self.policy = policy
        self.opened_ms = None
        self.latched = set()
        self.order_s = None
        self.held = False
        self.hold_ms = self.hold_most_ms = self.hold_wh = self.hold_most_wh = 0
        self.credit_wh = self.credit_most_wh = 0
        self.import_wh = self.generation = None
        self.source = None
        self.corrupt = False
        self.warned_ms = None
        self.seen = {}

    def start(self, true_ms, position, corrupt, power_failed, fresh):
        """A guard starts. corrupt: its memory is not one; fresh: it has none, and knows that state is lost."""
        if corrupt or fresh:
            self.latched = set()
            self.order_s = self.import_wh = self.source = self.warned_ms = None
            self.held = corrupt and position is not False
            self.hold_ms = self.hold_most_ms = self.hold_wh = self.hold_most_wh = 0
            self.credit_wh = self.credit_most_wh = self.policy.emergency_credit_wh if corrupt else 0
            self.corrupt = corrupt
        if self.source == "hold":
            self.hold_most_ms += 120_000
            self.hold_most_wh += 20
        if self.source == "credit":
            self.credit_most_wh += 20
        self.power_failed = power_failed
        self.start_ms = self.before_ms = true_ms
        self.position = position
        self.differs_ms = None
        self.button = True
        self.agreed = False

    def run(self, true_ms):
        """Time in which the meter was up and then stopped without another decision."""
        self._tally(true_ms, None, None)

    def rule(self, true_ms, inputs, decision):
        self._tally(true_ms, inputs.import_wh, inputs.register_generation)
        self._observe(true_ms, inputs)
        for ahead in range(4):  # what was kept at a reset may be charged ahead: the hold, the credit
            row = self._first(true_ms, inputs, ahead & 1, ahead & 2)
            if self._fits(row, decision):
                break
        assert self._fits(row, decision), (row, decision.reason)
        self._check_position(true_ms, inputs, row, decision)
        self._check_flags(inputs, decision)
        self.seen[decision.reason] = self.seen.get(decision.reason, 0) + 1
        if decision.operate and not decision.closed:
            self.opened_ms = true_ms
        if decision.operate:
            self.differs_ms = None
        self.position = decision.closed if decision.operate else self.position
        source = row if decision.closed and row in CLOSING else None
        is_counted = source in ("grant", "default_supply", "hold", "boot_hold")
        if is_counted or self.source != "credit" or not inputs.sensor_dead:
            self.source = source
        if self.source == "boot_hold":
            self.source = "hold"

    def _tally(self, true_ms, import_wh, generation):
        ran_ms = true_ms - self.before_ms
        self.before_ms = true_ms
        if self.source == "hold":
            self.hold_ms += ran_ms
            self.hold_most_ms += ran_ms
        if self.warned_ms is not None:
            self.warned_ms += ran_ms
        if import_wh is None:
            return
        if self.import_wh is not None and generation == self.generation and import_wh > self.import_wh:
            wh = import_wh - self.import_wh
            if self.source == "hold":
                self.hold_wh += wh
                self.hold_most_wh += wh
            if self.source == "credit":
                self.credit_wh += wh
                self.credit_most_wh += wh
            if self.source in ("grant", "default_supply"):
                self.credit_wh = max(0, self.credit_wh - wh)
                self.credit_most_wh = max(0, self.credit_most_wh - wh)
        self.import_wh, self.generation = import_wh, generation

    def _observe(self, true_ms, inputs):
        if inputs.reset_on_site and not self.button:
            if "weld" in self.latched:
                self._see_to_contacts(true_ms, inputs.sensed_closed)
            self.latched = set()
            self.corrupt = False
        self.button = inputs.reset_on_site
        if inputs.over_current:
            self.latched.add("over_current")
        if inputs.over_temperature:
            self.latched.add("over_temperature")
        if None in (inputs.sensed_closed, self.position) or inputs.sensed_closed is self.position:
            self.differs_ms = None
        elif self.differs_ms is None:
            self.differs_ms = true_ms
        elif true_ms >= self.differs_ms + 2000:
            self.latched.add("weld")
        self._observe_order(inputs.operator_open_at_s, inputs.unix_s)
        self._observe_grants(inputs)

    def _see_to_contacts(self, true_ms, sensed):
        self.differs_ms = None
        if self.position and sensed is False:
            self.opened_ms = true_ms
        if sensed is not None:
            self.position = sensed

    def _observe_order(self, at_s, now_s):
        if now_s is not None and at_s is not None:
            ahead_s = 10**12 if at_s == self.order_s else 60
            if not now_s - self.policy.operator_order_fresh_s <= at_s <= now_s + ahead_s:
                at_s = None
        elif at_s != self.order_s:
            at_s = None
        self.order_s = None if self.policy.protected else at_s

    def _observe_grants(self, inputs):
        now_s = inputs.unix_s
        in_time = [g for g in inputs.grants if now_s is None or g[2] <= now_s < g[3]]
        self.supplies = [g[0] for g in in_time if g[4]]
        counts = now_s is not None and not inputs.sensor_dead
        self.paid = [g[0] for g in in_time if not g[4] and g[1] > 0 and counts]
        state_lost = inputs.state_corrupt or self.corrupt
        if self.paid or self.supplies:
            self.held = True
            if now_s is not None and not inputs.sensor_dead and not inputs.state_corrupt:
                self.corrupt = self.corrupt and not self.position
                if not self.corrupt:
                    self.hold_ms = self.hold_most_ms = self.hold_wh = self.hold_most_wh = 0
        elif not state_lost and not [g for g in in_time if g[1] > 0 or inputs.sensor_dead]:
            self.held = False

    def _first(self, true_ms, inputs, most_hold, most_credit):
        """The first row that is true by the checker's own account."""
        policy, unix_s = self.policy, inputs.unix_s
        hold_ms, hold_wh = (self.hold_most_ms, self.hold_most_wh) if most_hold else (self.hold_ms, self.hold_wh)
        budget = hold_ms < policy.hold_budget_s * 1000 and hold_wh < policy.hold_budget_wh
        unsure = unix_s is None or inputs.sensor_dead or inputs.state_corrupt or self.corrupt
        for row, true in (
            ("over_current", "over_current" in self.latched),
            ("over_temperature", "over_temperature" in self.latched),
            ("weld", "weld" in self.latched),
            ("owner", inputs.owner_open),
            ("operator", self.order_s is not None),
            ("protected", policy.protected),
            ("grant", self.paid),
            ("default_supply", self.supplies),
            ("hold", unsure and self.held and budget),
            ("credit", self._has_credit(inputs, most_credit)),
            ("quiet_hours", unix_s is not None and is_quiet(policy, unix_s)),
            ("boot_hold", self.position and unix_s is None and true_ms < self.start_ms + 30_000 and budget),
        ):
            if true:
                return row
        return "no_contract"

    def _has_credit(self, inputs, most):
        left = (self.credit_most_wh if most else self.credit_wh) < self.policy.emergency_credit_wh
        return left and inputs.import_wh is not None and not inputs.sensor_dead

    def _fits(self, row, decision):
        if decision.reason == "warning":
            return row == "no_contract"
        if decision.reason in ("resting", "outage_wait", "awaiting_consent"):
            return row in CLOSING
        return decision.reason == row

    def _check_position(self, true_ms, inputs, row, decision):
        reason, was = decision.reason, self.position
        if row in CLOSING and was:
            assert decision.closed, "opened although " + row
        if reason == "warning":
            self.warned_ms = self.warned_ms or 0
            assert self.warned_ms < self.policy.warn_wait_max_s * 1000, self.warned_ms
            assert was is not False
        elif reason != "boot_hold":
            self.warned_ms = None
        if row == "weld":
            assert not decision.operate and decision.closed == bool(was)
        elif row not in CLOSING and reason != "warning":
            assert not decision.closed
        assert decision.operate == (was is not decision.closed and (decision.closed or reason in ORDER)), reason
        if "weld" in self.latched:
            assert not decision.reassert
            assert not decision.operate or row.startswith("over_") and not decision.closed
        if reason in ("resting", "outage_wait", "awaiting_consent"):
            self._check_wait(true_ms, inputs, decision)
        if decision.closed and decision.operate:
            self._check_closing(true_ms, inputs)
        asks = self.policy.consent_required or self.corrupt
        self.agreed = row in CLOSING and not decision.closed and (self.agreed or inputs.consent or not asks)

    def _check_closing(self, true_ms, inputs):
        rest_ms = self.policy.rest_s * 1000
        assert self.opened_ms is None or true_ms - self.opened_ms >= rest_ms, true_ms - self.opened_ms
        asks = self.policy.consent_required or self.corrupt
        assert inputs.consent or self.agreed or not asks, "closed unasked"

    def _check_wait(self, true_ms, inputs, decision):
        up_ms = true_ms - self.start_ms
        if decision.reason == "resting":
            since_ms = up_ms if self.opened_ms is None else min(up_ms, true_ms - self.opened_ms)
            assert since_ms < self.policy.rest_s * 1000, since_ms
        elif decision.reason == "outage_wait":
            assert up_ms <= self.policy.reconnect_wait_max_s * 1000
        else:
            assert not inputs.consent and (self.policy.consent_required or self.corrupt)
            assert decision.control_state == 2

    def _check_flags(self, inputs, decision):
        assert decision.alarm == bool(self.latched)
        assert (decision.control_state == 1) == decision.closed
        if decision.reason == "grant" and decision.closed:
            assert decision.contract == self.paid[0]
        elif decision.reason == "default_supply" and decision.closed:
            assert decision.contract == self.supplies[0]
        else:
            assert decision.contract is None
        unsure = inputs.unix_s is None or inputs.sensor_dead or inputs.state_corrupt or self.corrupt
        assert decision.flagged == (decision.closed and (unsure or decision.reason in ("hold", "boot_hold")))
        assert inputs.uptime_ms < decision.next_at_ms <= inputs.uptime_ms + 60_000


def is_quiet(policy, unix_s):
    year, month, day, hour, minute, _, weekday = time.gmtime(unix_s + policy.utc_offset_min * 60)[:7]
    if policy.quiet_weekends and weekday in (5, 6):
        return True
    if policy.holidays and BORN_S // 86400 + (year - 2024) * 366 + yearday(month, day) in policy.holidays:
        return True
    start, end, minute = policy.quiet_start_min, policy.quiet_end_min, hour * 60 + minute
    span = (end - start) % 1440
    return policy.quiet_hours and (minute - start) % 1440 < span


def yearday(month, day):
    """Days since 1 January in a leap year."""
    return (0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335)[month - 1] + day - 1


class World:
    """One meter's life: steps of time and events, resets now and then; every decision is given to the checker."""

    def __init__(self, seed, policies):
        self.dice = dice = Dice(seed)
        self.policy = policies[dice(len(policies))]
        self.checker = Checker(self.policy)
        self.true_ms = 0
        self.closed = dice(2) == 0
        self.stuck = dice(12) == 0
        self.senses = dice(6) != 0
        self.offset_s = dice(7) * 86400 + dice(1440) * 60
        self.clock = dice(4) != 0
        self.import_wh = dice(1000)
        self.generation = 1
        self.flash = None
        self.grants = []
        self.boot(None, False)

    def boot(self, saved, corrupt):
        dice = self.dice
        self.uptime_base_ms = self.true_ms - dice(3000)
        self.inputs = guard.Inputs(0)
        self.inputs.power_failed = dice(3) == 0
        self.inputs.state_corrupt = saved is None and self.true_ms > 0
        sensed = self.closed if self.senses or corrupt or saved is None else None
        self.guard = guard.Guard(self.policy, saved, sensed, dice)
        self.inputs.sensed_closed = sensed
        position = saved[3] if sensed is None and saved else sensed
        self.checker.start(self.true_ms, position, corrupt, self.inputs.power_failed, saved is None)
        self.decide()

    def step(self):
        dice, inputs = self.dice, self.inputs
        self.wait(self.next_wait_ms())
        inputs.reset_on_site = inputs.over_current = inputs.over_temperature = False
        event = dice(28)
        if event == 0:
            return self.reset()
        if event < len(EVENTS):
            EVENTS[event](self, inputs, dice)
        inputs.consent = dice(4) == 0
        self.decide()

    def next_wait_ms(self):
        """Often to the very moment that the guard named, or one short of it."""
        choice = self.dice(8)
        if choice < 4:
            return self.decision.next_at_ms - self.uptime_ms() - choice % 2
        return (500, 2_000, 60_000, 3_600_000)[choice - 4]

    def wait(self, ms):
        self.true_ms += ms
        if self.closed:
            self.import_wh += self.dice(300)
        inputs = self.inputs
        inputs.uptime_ms = self.uptime_ms()

    def uptime_ms(self):
        return self.true_ms - self.uptime_base_ms

    def reset(self):
        """The meter stops between two decisions, and starts from flash: as it should be, damaged, or empty."""
        self.checker.run(self.true_ms) if self.true_ms <= self.due_ms else self.decide()
        self.true_ms += self.dice(3) * 30_000
        kind = self.dice(12)
        if kind == 0:
            return self.boot(GARBAGE[self.dice(len(GARBAGE))], True)
        self.boot(None if kind == 1 else json.loads(self.flash), False)

    def decide(self):
        inputs, checker = self.inputs, self.checker
        inputs.uptime_ms = self.uptime_ms()
        inputs.unix_s = BORN_S + self.offset_s + self.true_ms // 1000 if self.clock else None
        inputs.import_wh = self.import_wh
        inputs.register_generation = self.generation
        inputs.grants = self.grants
        inputs.sensed_closed = self.closed if self.senses else None
        decision = self.decision = self.guard.decide(inputs)
        checker.rule(self.true_ms, inputs, decision)
        self.due_ms = self.true_ms + decision.next_at_ms - inputs.uptime_ms
        if decision.save:
            self.flash = json.dumps(self.guard.saved())
        if decision.operate and not self.stuck:
            if self.senses and self.dice(40) == 0:
                return self.boot(json.loads(self.flash), False)  # saved, and stopped before the relay moved
            self.closed = decision.closed

    def grant(self, inputs, dice):
        from_s = BORN_S + self.offset_s + self.true_ms // 1000 + dice(3) * 30 - 30
        self.grants = self.grants[-2:] + [
            (b"contract %d" % dice(10), dice(3) * 100, from_s, from_s + 1 + dice(4) * 600, dice(6) == 0)
        ]

    def ungrant(self, inputs, dice):
        self.grants = []

    def use_up(self, inputs, dice):
        self.grants = [(contract, 0, from_s, to_s, supply) for contract, _, from_s, to_s, supply in self.grants]

    def lose_or_find_clock(self, inputs, dice):
        self.clock = not self.clock

    def jump_clock(self, inputs, dice):
        self.offset_s = max(0, self.offset_s + (dice(5) - 2) * (dice(2) * 86_340 + 61))

    def own(self, inputs, dice):
        inputs.owner_open = not inputs.owner_open and dice(2) == 0

    def order(self, inputs, dice):
        at_s = BORN_S + self.offset_s + self.true_ms // 1000 + dice(5) * 40 - 100
        inputs.operator_open_at_s = None if inputs.operator_open_at_s is not None else at_s

    def overload(self, inputs, dice):
        fault = dice(8)
        inputs.over_current = fault == 0
        inputs.over_temperature = fault == 1

    def press(self, inputs, dice):
        inputs.reset_on_site = True
        inputs.over_current = dice(4) == 0
        self.stuck = self.stuck and dice(2) == 0

    def stick(self, inputs, dice):
        self.stuck = dice(3) == 0

    def kill_sensor(self, inputs, dice):
        inputs.sensor_dead = not inputs.sensor_dead

    def swap(self, inputs, dice):
        self.generation += 1
        self.import_wh = dice(3) * 100_000

    def corrupt_state(self, inputs, dice):
        inputs.state_corrupt = not inputs.state_corrupt


EVENTS = (
    None, World.grant, World.grant, World.ungrant, World.use_up, World.lose_or_find_clock, World.jump_clock, World.own,
    World.order, World.overload, World.press, World.stick, World.kill_sensor, World.corrupt_state,
    World.swap,
)  # fmt: skip


def some_policies(seed, count):
    dice = Dice(seed)
    return [
        guard.Policy(
            emergency_credit_wh=(0, 1, 500)[dice(3)],
            quiet_hours=dice(2) == 0,
            quiet_weekends=dice(2) == 0,
            quiet_start_min=dice(1440),
            quiet_end_min=dice(1440),
            utc_offset_min=dice(1681) - 840,
            holidays=[BORN_S // 86400 + dice(8) for _ in range(dice(3))],
            warn_wait_max_s=(0, 1, 90, 300)[dice(4)],
            reconnect_wait_max_s=(0, 30, 600)[dice(3)],
            rest_s=60 + dice(2) * dice(120),
            consent_required=dice(2) == 0,
            protected=dice(8) == 0,
            hold_budget_s=(0, 20, 200, 7200)[dice(4)],
            hold_budget_wh=(0, 500, 5000)[dice(3)],
            reassert_s=(10, 60)[dice(2)],
            operator_order_fresh_s=(60, 600)[dice(2)],
        )
        for _ in range(count)
    ]


def live(seed, policies, steps):
    """One history of so many steps; returns how often each reason was given. Raises AssertionError at a wrong one."""
    world = World(seed, policies)
    for _ in range(steps):
        world.step()
    return world.checker.seen
