"""The guard: each row, each pair of rows in conflict, each timer's edge, resets, and generated histories."""

import case
from simulator import guard_history
from simulator.guard_history import BORN_S, ORDER
from wattpact_protocol.guard import guard, memory, table
from wattpact_protocol.log import kinds

ID = b"c" * 32
OTHER = b"d" * 32
NOON_S = BORN_S + 12 * 3600  # a Monday, outside the default quiet hours
QUIET_S = BORN_S + 20 * 3600
GRANT = (ID, 100, NOON_S - 3600, NOON_S + 86_400, False)
SUPPLY = (OTHER, 0, NOON_S - 3600, NOON_S + 86_400, True)
PLAIN = {
    "emergency_credit_wh": 0, "quiet_hours": False, "quiet_weekends": False, "warn_wait_max_s": 0,
    "reconnect_wait_max_s": 0, "consent_required": False,
}  # fmt: skip
CLOSING = ("protected", "grant", "default_supply", "hold", "credit", "quiet_hours", "boot_hold")
# What makes a row's condition true: fields of the policy, of the memory, of the inputs.
RECIPES = {
    "over_current": ({}, {}, {"over_current": True}),
    "over_temperature": ({}, {}, {"over_temperature": True}),
    "weld": ({}, {"welded": True}, {}),
    "owner": ({}, {}, {"owner_open": True}),
    "operator": ({}, {"order_s": NOON_S}, {"operator_open_at_s": NOON_S}),
    "protected": ({"protected": True}, {}, {}),
    "grant": ({}, {}, {"unix_s": QUIET_S, "grants": [GRANT]}),
    "default_supply": ({}, {}, {"grants": [SUPPLY]}),
    "hold": ({}, {"held": True}, {"state_corrupt": True}),
    "credit": ({"emergency_credit_wh": 50}, {}, {}),
    "quiet_hours": ({"quiet_hours": True}, {}, {"unix_s": QUIET_S}),
    "boot_hold": ({}, {}, {"unix_s": None}),
    "no_contract": ({}, {}, {}),
}
# The operator opens no protected customer's relay, and the last row but one needs a clock that is not known.
EXCLUSIVE = (("operator", "protected"), ("grant", "boot_hold"), ("quiet_hours", "boot_hold"))


def policy(**fields):
    merged = dict(PLAIN)
    merged.update(fields)
    return guard.Policy(**merged)


def saved(**fields):
    held = memory.Memory()
    for name, value in fields.items():
        assert hasattr(held, name)
        setattr(held, name, value)
    return held.to_saved()


class Meter:
    """A guard and its inputs, with time that moves on request."""

    def __init__(self, fields=None, kept=None, closed=False, draw=guard.longest, up_ms=5_000, **inputs):
        self.policy = fields if isinstance(fields, guard.Policy) else policy(**(fields or {}))
        self.guard = guard.Guard(self.policy, kept, closed, draw)
        merged = {"unix_s": NOON_S, "import_wh": 1000}
        merged.update(inputs)
        self.inputs = guard.Inputs(up_ms, **merged)

    def now(self, **inputs):
        """Change inputs, decide."""
        for name, value in inputs.items():
            assert hasattr(self.inputs, name)
            setattr(self.inputs, name, value)
        return self.guard.decide(self.inputs)

    def after(self, ms, **inputs):
        if self.inputs.unix_s is not None:
            self.inputs.unix_s += ms // 1000
        return self.now(uptime_ms=self.inputs.uptime_ms + ms, **inputs)

    def reset(self, closed, kept=None, **inputs):
        """Another meter, started from what this one saved."""
        merged = {"unix_s": self.inputs.unix_s, "import_wh": self.inputs.import_wh, "grants": self.inputs.grants}
        merged.update(inputs)
        return Meter(self.policy, kept or self.guard.saved(), closed, **merged)


def meter_in(*rows, closed=True):
    fields, memory, inputs = {}, {}, {}
    for row in rows:
        for merged, part in zip((fields, memory, inputs), RECIPES[row]):
            merged.update(part)
    if "grant" in rows and "default_supply" in rows:
        inputs["grants"] = [SUPPLY, GRANT]
    return Meter(fields, saved(**memory), closed, **inputs)


def true_rows(meter):
    """The names of the rows whose conditions are true before the relay is moved."""
    meter.guard.learn(meter.inputs, guard.longest)
    return list(table.true_rows(meter.guard, meter.inputs))


def shows(decision, reason, closed, operate=False):
    got = (decision.reason, decision.closed, decision.operate)
    assert got == (reason, closed, operate), got


# The table.


def test_rows_are_in_the_order_of_the_specification():
    assert tuple(table.names()) == ORDER
    assert set(RECIPES) == set(ORDER)


def test_each_row_decides_where_it_alone_is_true():
    for name in ORDER:
        for closed in (True, False):
            if name == "boot_hold" and not closed:
                continue
            meter = meter_in(name, closed=closed)
            assert true_rows(meter) == ([name] if name == "no_contract" else [name, "no_contract"])
            decision = meter.now()
            if name == "hold" and not closed:
                decision = meter.after(60_000)  # with corrupt state it rests first
            stays = closed if name == "weld" else name in CLOSING
            shows(decision, name, stays, operate=stays != closed)
            assert decision.control_state == int(stays)


def test_of_each_two_rows_the_earlier_decides():
    tried = 0
    for first in range(len(ORDER)):
        for second in range(first + 1, len(ORDER)):
            pair = (ORDER[first], ORDER[second])
            meter = meter_in(*pair)
            both = pair[0] in true_rows(meter) and pair[1] in true_rows(meter)
            assert both == (pair not in EXCLUSIVE), pair
            if not both:
                continue
            decision = meter.now()
            assert decision.reason == pair[0], (pair, decision.reason)
            assert decision.closed == (pair[0] in CLOSING or pair[0] == "weld"), pair
            tried += 1
    assert tried == 13 * 12 // 2 - 3


def test_flags_of_each_row():
    expected = {
        "protected": (False, True, False), "grant": (False, False, False), "default_supply": (False, False, False),
        "hold": (False, False, True), "credit": (True, True, False), "quiet_hours": (True, True, False),
        "boot_hold": (False, False, True), "over_current": (False, False, False), "owner": (False, False, False),
    }  # fmt: skip
    for name, flags in expected.items():
        decision = meter_in(name).now()
        assert (decision.warned, decision.arrears, decision.flagged) == flags, name
        assert decision.alarm == (name == "over_current")
    assert meter_in("grant").now().contract == ID
    assert meter_in("default_supply").now().contract == OTHER
    assert meter_in("weld").now().alarm


def test_closed_on_doubtful_knowledge_is_flagged_whatever_the_row():
    assert meter_in("default_supply").now(sensor_dead=True).flagged
    assert meter_in("grant").now(state_corrupt=True).flagged
    decision = meter_in("default_supply").now(unix_s=None)
    shows(decision, "default_supply", True)
    assert decision.flagged
    assert not meter_in("owner").now(sensor_dead=True).flagged


def test_the_table_in_the_specification_is_this_one():
    with open(case.CHECKOUT + "/docs/spec/guard.md") as file:
        text = file.read()
    for number, row in enumerate([table.Row(name) for name in table.names()]):
        relay = row.relay + (", " + row.flags if row.flags else "")
        line = "| %d | `%s` | %s | %s |" % (number + 1, row.name, table.text(row.name), relay)
        assert line in text, line
    cells = [line.split(" | ") for line in text.split("\n") if line.startswith("| ")]
    assert len([line for line in cells if line[1].startswith("`")]) == len(table.names())
    assert len([line for line in cells if line[0].startswith("| `")]) == len(guard.Policy().fields())
    for name, value in guard.Policy().fields().items():
        shown = {"True": "true", "False": "false"}.get(str(value), str(value))
        assert "| `%s` | %s |" % (name, shown) in text, name


# Faults and welds.


def test_a_fault_opens_at_once_and_until_reset_on_site():
    for fault in ("over_current", "over_temperature"):
        meter = Meter(closed=True, grants=[GRANT])
        shows(meter.now(), "grant", True)
        shows(meter.now(**{fault: True}), fault, False, operate=True)
        shows(meter.after(3_600_000, **{fault: False}), fault, False)
        meter = meter.reset(closed=False)
        shows(meter.now(), fault, False)
        shows(meter.now(reset_on_site=True, **{fault: True}), fault, False)
        shows(meter.now(reset_on_site=False, **{fault: False}), fault, False)
        shows(meter.now(reset_on_site=True), "grant", True, operate=True)


def test_a_reset_button_that_is_stuck_resets_nothing():
    meter = Meter(closed=True, grants=[GRANT], reset_on_site=True, over_current=True)
    shows(meter.now(), "over_current", False, operate=True)
    shows(meter.after(60_000, over_current=False), "over_current", False)
    meter = meter.reset(closed=False, reset_on_site=True)
    shows(meter.now(), "over_current", False)
    shows(meter.now(reset_on_site=False), "over_current", False)
    shows(meter.after(60_000, reset_on_site=True), "grant", True, operate=True)


def test_contacts_weld_after_two_seconds_of_difference():
    meter = Meter(closed=True, sensed_closed=True)
    decision = meter.now()
    shows(decision, "no_contract", False, operate=True)
    assert decision.next_at_ms == meter.inputs.uptime_ms + 1_000
    decision = meter.after(100)
    assert decision.next_at_ms == meter.inputs.uptime_ms + 2_000 and not decision.alarm
    shows(meter.after(1_999), "no_contract", False)
    decision = meter.after(1)
    shows(decision, "weld", False)
    assert decision.alarm and decision.save


def test_a_difference_that_passes_is_no_weld():
    for between in (False, None):
        meter = Meter(closed=False, sensed_closed=True)
        meter.now()
        meter.after(1_999, sensed_closed=between)
        meter.after(1, sensed_closed=True)
        shows(meter.after(1_999), "no_contract", False)
        shows(meter.after(1), "weld", False)


def test_an_operation_begins_the_two_seconds_anew():
    meter = Meter(closed=True, grants=[GRANT], sensed_closed=False)
    meter.now()
    shows(meter.after(1_500, grants=[]), "no_contract", False, operate=True)
    shows(meter.after(1_000, sensed_closed=True), "no_contract", False)
    shows(meter.after(1_999), "no_contract", False)
    shows(meter.after(1), "weld", False)


def test_welded_contacts_are_neither_operated_nor_reasserted_until_reset():
    meter = Meter(closed=True, sensed_closed=True)
    meter.now()
    meter.after(0)
    meter.after(2_000)
    for _ in range(3):
        decision = meter.after(60_000, grants=[GRANT], sensed_closed=False)
        shows(decision, "weld", False)
        assert not decision.reassert
    meter = meter.reset(closed=False)
    shows(meter.now(), "weld", False)
    shows(meter.now(reset_on_site=True), "grant", True, operate=True)


def test_after_a_weld_the_position_is_the_sensed_one():
    meter = Meter(closed=False, kept=saved(welded=True), sensed_closed=True)
    shows(meter.now(), "weld", False)
    shows(meter.now(reset_on_site=True), "no_contract", False, operate=True)
    meter = Meter(closed=True, kept=saved(welded=True), sensed_closed=False, grants=[GRANT])
    shows(meter.now(), "weld", True)
    shows(meter.now(reset_on_site=True), "resting", False)
    shows(meter.after(60_000), "grant", True, operate=True)


def test_a_fault_opens_even_what_is_thought_welded():
    meter = Meter(closed=True, kept=saved(welded=True), grants=[GRANT])
    shows(meter.now(), "weld", True)
    shows(meter.now(over_current=True), "over_current", False, operate=True)
    shows(meter.after(60_000), "over_current", False)


# Owner, operator, protection.


def test_the_owner_opens_at_once_even_when_protected():
    meter = Meter({"protected": True}, closed=True)
    shows(meter.now(), "protected", True)
    shows(meter.now(owner_open=True), "owner", False, operate=True)
    shows(meter.after(60_000, owner_open=False), "protected", True, operate=True)


def test_an_order_counts_while_fresh():
    for age_s, is_fresh in ((86_400, True), (86_401, False), (-60, True), (-61, False), (0, True)):
        decision = Meter(closed=True, grants=[GRANT]).now(operator_open_at_s=NOON_S - age_s)
        assert decision.reason == ("operator" if is_fresh else "grant"), age_s


def test_an_order_taken_outlasts_its_clock_and_a_reset():
    meter = Meter(closed=True, grants=[SUPPLY[:3] + (NOON_S + 100_000, True)], operator_open_at_s=NOON_S)
    shows(meter.now(), "operator", False, operate=True)
    meter = meter.reset(closed=False, unix_s=None, operator_open_at_s=NOON_S)
    shows(meter.now(), "operator", False)
    shows(meter.now(unix_s=NOON_S - 500), "operator", False)
    decision = meter.now(unix_s=NOON_S + 86_399)
    assert decision.next_at_ms == meter.inputs.uptime_ms + 2_000
    shows(meter.after(60_000), "default_supply", True, operate=True)


def test_an_order_of_unknown_age_is_not_taken_and_a_withdrawn_one_ends():
    meter = Meter(closed=True, unix_s=None, grants=[SUPPLY], operator_open_at_s=NOON_S)
    shows(meter.now(), "default_supply", True)
    shows(meter.now(unix_s=NOON_S), "operator", False, operate=True)
    shows(meter.after(60_000, operator_open_at_s=None), "default_supply", True, operate=True)


# Grants.


def test_a_grant_holds_from_its_start_to_before_its_end():
    start_s, end_s = NOON_S, NOON_S + 600
    for unix_s, is_held in ((start_s - 1, False), (start_s, True), (end_s - 1, True), (end_s, False), (None, False)):
        for supply in (False, True):
            expected = "no_contract"
            if is_held or (supply and unix_s is None):
                expected = "default_supply" if supply else "grant"
            elif unix_s is None:
                expected = "boot_hold"
            decision = Meter(closed=True, unix_s=unix_s, grants=[(ID, 1, start_s, end_s, supply)]).now()
            assert decision.reason == expected, (unix_s, supply, decision.reason)


def test_a_grant_without_wh_gives_way_to_the_next():
    used_up, second = (OTHER,) + (0,) + GRANT[2:], (b"e" * 32,) + GRANT[1:]
    meter = Meter(closed=True, grants=[used_up, GRANT, second])
    assert meter.now().contract == ID
    shows(meter.now(grants=[used_up]), "no_contract", False, operate=True)


def test_next_call_is_when_a_grant_starts_or_ends():
    meter = Meter(grants=[(ID, 1, NOON_S + 7, NOON_S + 12, False)])
    assert meter.now().next_at_ms == meter.inputs.uptime_ms + 7_000
    decision = meter.after(7_000)
    shows(decision, "grant", True, operate=True)
    assert decision.next_at_ms == meter.inputs.uptime_ms + 5_000


# Hold.


def test_hold_lasts_for_its_seconds():
    meter = Meter({"hold_budget_s": 50}, saved(held=True), True, unix_s=None, grants=[GRANT])
    decision = meter.now()
    shows(decision, "hold", True)
    assert decision.save and decision.next_at_ms == meter.inputs.uptime_ms + 50_000
    shows(meter.after(49_999), "hold", True)
    shows(meter.after(1), "no_contract", False, operate=True)


def test_hold_lasts_for_its_wh():
    meter = Meter({"hold_budget_wh": 50}, saved(held=True), True, unix_s=None, grants=[GRANT])
    shows(meter.now(), "hold", True)
    shows(meter.after(30_000, import_wh=1049), "hold", True)
    shows(meter.after(1, import_wh=1050), "no_contract", False, operate=True)


def test_hold_counts_wh_over_a_reset_and_seconds_and_wh_ahead_of_it():
    meter = Meter({"hold_budget_s": 500, "hold_budget_wh": 70}, saved(held=True), True, unix_s=None, grants=[GRANT])
    meter.now()
    kept = meter.guard.saved()
    meter = meter.reset(True, kept, import_wh=1049)
    shows(meter.now(), "hold", True)
    shows(meter.after(379_999), "hold", True)
    shows(meter.after(1), "no_contract", False, operate=True)
    meter = Meter(meter.policy, kept, True, unix_s=None, grants=[GRANT], import_wh=1050)
    shows(meter.now(), "no_contract", False, operate=True)


def test_resets_in_a_row_use_the_hold_budget_up():
    meter = Meter({"hold_budget_s": 600}, saved(held=True), True, unix_s=None, grants=[GRANT])
    resets = 0
    while meter.now().reason == "hold":
        assert resets < 6
        meter = meter.reset(True)
        resets += 1
    assert resets == 5


def test_hold_needs_a_grant_that_was_held_and_may_still_hold():
    doubts = ({"unix_s": None}, {"state_corrupt": True}, {"sensor_dead": True})
    for doubt in doubts:
        for held in (True, False):
            meter = Meter(kept=saved(held=held), closed=True, up_ms=0, grants=[(ID, 0) + GRANT[2:]])
            decision = meter.now(**doubt)
            may_hold = held and doubt.get("unix_s", 0) is not None
            assert (decision.reason == "hold") == may_hold, (doubt, held, decision.reason)
    expired = (ID, 100, NOON_S - 60, NOON_S, False)
    meter = Meter(kept=saved(held=True), closed=True, sensor_dead=True, grants=[expired])
    shows(meter.now(), "no_contract", False, operate=True)
    shows(Meter(kept=saved(held=True), closed=True, grants=[expired]).now(unix_s=None), "hold", True)
    shows(Meter(kept=saved(held=True), closed=True, unix_s=None).now(), "boot_hold", True)


def test_a_grant_beyond_doubt_gives_the_hold_budget_back():
    meter = Meter({"hold_budget_s": 50}, saved(held=True, hold_spent_ms=49_000), True, grants=[GRANT])
    shows(meter.now(sensor_dead=True), "hold", True)
    shows(meter.after(0, sensor_dead=False, unix_s=None), "hold", True)
    shows(meter.after(1_000), "no_contract", False, operate=True)
    shows(meter.after(60_000, unix_s=NOON_S), "grant", True, operate=True)
    shows(meter.after(0, unix_s=None), "hold", True)
    shows(meter.after(49_999), "hold", True)


def test_a_grant_is_not_endless_where_nothing_is_measured():
    meter = Meter({"hold_budget_s": 100}, closed=True, grants=[GRANT])
    shows(meter.now(), "grant", True)
    decision = meter.after(10_000, sensor_dead=True)
    shows(decision, "hold", True)
    assert decision.flagged and decision.contract is None
    shows(meter.after(99_999), "hold", True)
    shows(meter.after(1), "no_contract", False, operate=True)
    shows(meter.after(60_000, sensor_dead=False), "grant", True, operate=True)
    shows(Meter(closed=False, sensor_dead=True, grants=[GRANT]).now(), "no_contract", False)  # none begins so
    shows(Meter(closed=True, sensor_dead=True, grants=[SUPPLY]).now(), "default_supply", True)  # bound by time alone


def test_boot_hold_lasts_thirty_seconds_and_spends_the_budget():
    meter = Meter(closed=True, unix_s=None)
    decision = meter.now()
    shows(decision, "boot_hold", True)
    assert decision.next_at_ms == meter.inputs.uptime_ms + 30_000
    shows(meter.after(29_999), "boot_hold", True)
    shows(meter.after(1), "no_contract", False, operate=True)
    shows(Meter({"hold_budget_s": 0}, closed=True, unix_s=None).now(), "no_contract", False, operate=True)
    shows(Meter(closed=False, unix_s=None).now(), "no_contract", False)
    meter = Meter({"hold_budget_s": 100}, closed=True, unix_s=None)
    meter.now()
    shows(meter.reset(True).now(), "no_contract", False, operate=True)


# Credit and quiet hours.


def test_credit_is_spent_wh_by_wh():
    meter = Meter({"emergency_credit_wh": 100}, closed=True)
    shows(meter.now(), "credit", True)
    shows(meter.after(1, import_wh=1050), "credit", True)
    meter = meter.reset(True, import_wh=1079)
    shows(meter.now(), "credit", True)  # charged 20 Wh ahead
    shows(meter.after(1, import_wh=1080), "no_contract", False, operate=True)
    shows(meter.after(60_000), "no_contract", False)


def test_energy_under_a_grant_gives_credit_back_wh_for_wh():
    meter = Meter({"emergency_credit_wh": 100}, saved(credit_spent_wh=100, import_wh=1000), True, grants=[GRANT])
    shows(meter.now(), "grant", True)
    shows(meter.after(1, grants=[]), "no_contract", False, operate=True)
    shows(meter.after(60_000, grants=[GRANT]), "grant", True, operate=True)
    shows(meter.after(1, import_wh=1030, grants=[]), "credit", True)
    shows(meter.after(1, import_wh=1059), "credit", True)
    shows(meter.after(1, import_wh=1060), "no_contract", False, operate=True)


def test_credit_cannot_be_given_where_import_is_not_measured():
    for unmeasured in ({"sensor_dead": True}, {"import_wh": None}):
        shows(Meter({"emergency_credit_wh": 100}, closed=True).now(**unmeasured), "no_contract", False, operate=True)


def test_what_was_used_of_the_credit_before_the_sensor_was_dead_is_spent_once_it_measures():
    """Whether the relay was opened meanwhile, or the meter reset; else a line that fails now and then gives credit."""
    for warn_s in (0, 60):
        for is_reset in (False, True):
            meter = Meter({"emergency_credit_wh": 100, "warn_wait_max_s": warn_s}, closed=True)
            shows(meter.now(), "credit", True)
            silent = meter.after(30_000, sensor_dead=True)
            shows(silent, "warning" if warn_s else "no_contract", warn_s > 0, operate=not warn_s)
            if is_reset:
                meter = meter.reset(silent.closed, sensor_dead=True)
                meter.now()
            meter.after(10_000, sensor_dead=False, import_wh=1062)
            assert meter.guard.memory.credit_spent_wh == 62 + 20 * is_reset
            meter.after(90_000, import_wh=1062)
            assert meter.guard.memory.credit_spent_wh == 62 + 20 * is_reset


def test_a_register_that_falls_is_counted_from_where_it_is():
    meter = Meter({"emergency_credit_wh": 100}, closed=True)
    meter.now()
    shows(meter.after(1, import_wh=10), "credit", True)
    shows(meter.after(1, import_wh=109), "credit", True)
    shows(meter.after(1, import_wh=110), "no_contract", False, operate=True)


def test_registers_of_two_generations_are_never_subtracted():
    for fields, kept, reason in (
        ({"emergency_credit_wh": 120}, {}, "credit"),
        ({"hold_budget_wh": 120}, {"held": True}, "hold"),
    ):
        unix_s = NOON_S if reason == "credit" else None
        grants = [] if reason == "credit" else [GRANT]
        meter = Meter(fields, saved(**kept), True, unix_s=unix_s, register_generation=1, grants=grants)
        shows(meter.now(), reason, True)
        shows(meter.after(1, import_wh=1060), reason, True)
        shows(meter.after(1, import_wh=5_000_000, register_generation=2), reason, True)
        shows(meter.after(1, import_wh=5_000_020), reason, True)
        again = meter.reset(True, unix_s=unix_s, import_wh=7, register_generation=3)
        shows(again.now(), reason, True)
        shows(again.after(1, import_wh=26), reason, True)
        shows(again.after(1, import_wh=27), "no_contract", False, operate=True)
    meter = Meter({"emergency_credit_wh": 100}, saved(credit_spent_wh=100), True, grants=[GRANT])
    meter.now()
    shows(meter.after(1, import_wh=90_000, register_generation=1, grants=[]), "no_contract", False, operate=True)


def test_the_first_registers_are_no_energy():
    meter = Meter({"emergency_credit_wh": 100, "quiet_hours": True}, closed=True, unix_s=QUIET_S, import_wh=None)
    shows(meter.now(), "quiet_hours", True)
    shows(meter.after(1, import_wh=5_000_000, register_generation=1), "credit", True)
    shows(meter.after(1, import_wh=5_000_039), "credit", True)
    assert meter.guard.memory.credit_spent_wh == 39


def test_quiet_hours_are_local_and_open_at_their_end():
    fields = {"quiet_hours": True}
    for hour_s, quiet in ((36_000, False), (57_599, False), (57_600, True), (35_999, True), (0, True)):
        assert policy(**fields).is_quiet(BORN_S + hour_s) == quiet, hour_s
        ahead = policy(utc_offset_min=-90, **fields)
        assert ahead.is_quiet(BORN_S + 86_400 + hour_s + 5_400) == quiet, hour_s
    meter = Meter(fields, closed=True, unix_s=BORN_S + 35_995)
    decision = meter.now()
    shows(decision, "quiet_hours", True)
    assert decision.next_at_ms == meter.inputs.uptime_ms + 5_000
    shows(meter.after(5_000), "no_contract", False, operate=True)
    shows(meter.now(unix_s=BORN_S + 57_599), "no_contract", False)
    shows(meter.after(60_000), "quiet_hours", True, operate=True)


def test_it_decides_when_quiet_hours_begin_where_they_close_the_relay_and_only_there():
    for more, soon_ms in (({}, 25_000), ({"owner_open": True}, 60_000)):
        meter = Meter({"quiet_hours": True}, closed=False, unix_s=BORN_S + 57_575, **more)
        meter.guard.decide(meter.inputs)
        assert meter.now().next_at_ms == meter.inputs.uptime_ms + soon_ms, more


def test_weekends_and_holidays_are_quiet_days():
    week = [policy(quiet_weekends=True).is_quiet(NOON_S + day * 86_400) for day in range(7)]
    assert week == [False] * 5 + [True] * 2
    holiday = policy(holidays=[BORN_S // 86_400 + 1], utc_offset_min=60)
    edges_s = (86_400 - 3_601, 86_400 - 3_600, 2 * 86_400 - 3_601, 2 * 86_400 - 3_600)
    assert [holiday.is_quiet(BORN_S + edge_s) for edge_s in edges_s] == [False, True, True, False]


def test_quiet_hours_within_one_day_and_of_no_length():
    day = policy(quiet_hours=True, quiet_start_min=600, quiet_end_min=601)
    assert [day.is_quiet(BORN_S + s) for s in (35_999, 36_000, 36_059, 36_060)] == [False, True, True, False]
    never = policy(quiet_hours=True, quiet_start_min=600, quiet_end_min=600)
    assert not any(never.is_quiet(BORN_S + minute * 60) for minute in range(1440))


def test_quiet_edges_are_where_quiet_changes():
    dice = guard_history.Dice(5)
    for one in guard_history.some_policies(5, 20):
        unix_s = BORN_S + dice(700_000)
        edge_s = one.quiet_edge_s(unix_s)
        assert 0 < edge_s <= 86_400
        before = {one.is_quiet(unix_s + part * (edge_s - 1) // 7) for part in range(8)}
        assert len(before) == 1
        assert one.is_quiet(unix_s) == guard_history.is_quiet(one, unix_s)


# Waits.


def test_warning_waits_as_long_as_was_drawn():
    asked = []

    def draw(n):
        asked.append(n)
        return 12_345

    meter = Meter({"warn_wait_max_s": 300}, closed=True, draw=draw)
    decision = meter.now()
    shows(decision, "warning", True)
    assert decision.warned and decision.arrears and decision.wait_until_ms == meter.inputs.uptime_ms + 12_345
    assert decision.next_at_ms == decision.wait_until_ms
    shows(meter.after(12_344), "warning", True)
    shows(meter.after(1), "no_contract", False, operate=True)
    assert asked == [300_001]


def test_warning_is_never_longer_than_300_s():
    meter = Meter({"warn_wait_max_s": 300}, closed=True)
    shows(meter.now(), "warning", True)
    shows(meter.after(299_999), "warning", True)
    shows(meter.after(1), "no_contract", False, operate=True)


def test_a_grant_ends_a_warning_and_the_next_is_drawn_anew():
    meter = Meter({"warn_wait_max_s": 300}, closed=True)
    shows(meter.now(), "warning", True)
    shows(meter.after(299_000, grants=[GRANT]), "grant", True)
    shows(meter.after(2_000, grants=[]), "warning", True)
    shows(meter.after(299_999), "warning", True)


def test_a_reset_does_not_lengthen_a_warning():
    meter = Meter({"warn_wait_max_s": 300}, closed=True)
    meter.now()
    meter = meter.reset(True)
    shows(meter.now(), "warning", True)
    shows(meter.after(179_999), "warning", True)
    shows(meter.after(1), "no_contract", False, operate=True)
    for _ in range(3):
        meter = Meter({"warn_wait_max_s": 300}, meter.guard.saved(), True)
        meter.now()
    shows(meter.reset(True).now(), "no_contract", False, operate=True)


def test_rest_is_sixty_seconds_from_each_opening():
    for rest_s in (60, 61, 120):
        meter = Meter({"rest_s": rest_s}, closed=True)
        shows(meter.now(), "no_contract", False, operate=True)
        decision = meter.after(0, grants=[GRANT])
        shows(decision, "resting", False)
        assert decision.wait_until_ms == meter.inputs.uptime_ms + rest_s * 1000
        shows(meter.after(rest_s * 1000 - 1), "resting", False)
        shows(meter.after(1), "grant", True, operate=True)


def test_rest_goes_on_after_a_reset_and_begins_anew_where_the_opening_was_not_seen():
    meter = Meter(closed=True)
    meter.now()
    meter.after(20_000)
    others = (
        (meter.reset(False, grants=[GRANT]), 40_000),
        (Meter(kept=saved(commanded=True), closed=False, grants=[GRANT]), 60_000),
        (Meter(kept="garbage", closed=False, grants=[GRANT], consent=True), 60_000),
        (Meter(closed=False, grants=[GRANT], state_corrupt=True), 60_000),
    )
    for other, rest_ms in others:
        shows(other.now(), "resting", False)
        shows(other.after(rest_ms - 1), "resting", False)
        shows(other.after(1), "grant", True, operate=True)


def test_a_new_meter_need_not_rest():
    shows(Meter(grants=[GRANT]).now(), "grant", True, operate=True)


def test_a_closing_after_an_outage_waits():
    meter = Meter({"reconnect_wait_max_s": 600}, closed=False, grants=[GRANT], power_failed=True)
    decision = meter.now()
    shows(decision, "outage_wait", False)
    assert decision.wait_until_ms == meter.inputs.uptime_ms + 600_000
    shows(meter.after(599_999), "outage_wait", False)
    shows(meter.after(1), "grant", True, operate=True)
    shows(Meter({"reconnect_wait_max_s": 600}, grants=[GRANT]).now(), "grant", True, operate=True)
    shows(Meter({"reconnect_wait_max_s": 600}, closed=True, grants=[GRANT], power_failed=True).now(), "grant", True)


def test_the_longer_of_rest_and_outage_counts():
    meter = Meter({"reconnect_wait_max_s": 70}, saved(rest_left_ms=60_000), grants=[GRANT], power_failed=True)
    decision = meter.now()
    shows(decision, "resting", False)
    assert decision.wait_until_ms == meter.inputs.uptime_ms + 70_000
    shows(meter.after(60_000), "outage_wait", False)
    meter = meter.reset(False)
    shows(meter.now(), "outage_wait", False)
    shows(meter.after(10_000), "grant", True, operate=True)


def test_closing_awaits_consent():
    meter = Meter({"consent_required": True}, grants=[GRANT])
    for _ in range(2):
        decision = meter.after(60_000)
        shows(decision, "awaiting_consent", False)
        assert decision.control_state == 2 and decision.wait_until_ms is None
    decision = meter.now(consent=True)
    shows(decision, "grant", True, operate=True)
    assert decision.control_state == 1


def test_consent_is_kept_through_a_wait_and_lost_with_the_reason():
    meter = Meter({"consent_required": True}, saved(rest_left_ms=60_000), grants=[GRANT])
    assert meter.now().control_state == 2
    assert meter.after(1, consent=True).control_state == 0
    shows(meter.after(1, consent=False, grants=[]), "no_contract", False)
    shows(meter.after(60_000, grants=[GRANT]), "awaiting_consent", False)
    meter = Meter({"consent_required": True}, saved(rest_left_ms=60_000), consent=True)
    shows(meter.now(grants=[GRANT]), "resting", False)
    shows(meter.after(60_000, consent=False), "grant", True, operate=True)
    shows(meter.now(owner_open=True), "owner", False, operate=True)
    shows(meter.after(60_000, owner_open=False), "awaiting_consent", False)


def test_consent_to_nothing_is_not_kept():
    meter = Meter({"consent_required": True})
    meter.now(consent=True)
    shows(meter.now(consent=False, grants=[GRANT]), "awaiting_consent", False)


def test_the_position_is_reasserted_every_sixty_seconds():
    meter = Meter(closed=True, grants=[GRANT])
    assert not meter.now().reassert
    decision = meter.after(59_999)
    assert not decision.reassert and decision.next_at_ms == meter.inputs.uptime_ms + 1
    assert meter.after(1).reassert
    assert not meter.after(59_999).reassert
    assert meter.after(1).reassert
    decision = meter.after(60_000, owner_open=True)
    assert decision.operate and not decision.reassert
    assert meter.after(60_000).reassert


def test_uptime_that_runs_backwards_moves_nothing():
    meter = Meter(closed=True)
    meter.now()
    shows(meter.after(-4_000, grants=[GRANT]), "resting", False)
    shows(meter.after(63_999), "resting", False)
    shows(meter.after(1), "grant", True, operate=True)
    meter = Meter({"consent_required": True}, saved(rest_left_ms=60_000), grants=[GRANT])
    meter.now()
    shows(meter.after(60_000), "awaiting_consent", False)
    shows(meter.after(-50_000, consent=True), "grant", True, operate=True)


def test_clocks_that_jump_shorten_no_wait():
    meter = Meter(closed=True)
    meter.now()
    shows(meter.after(59_999, unix_s=NOON_S + 80_000, grants=[GRANT]), "resting", False)


# Resets.


def test_a_reset_moves_the_relay_in_no_state():
    for name in ORDER:
        for closed in (True, False):
            meter = meter_in(name, closed=closed)
            decision = meter.now()
            inputs = {key: getattr(meter.inputs, key) for key in meter_in(name).inputs.__dict__ if key != "uptime_ms"}
            again = Meter(meter.policy, meter.guard.saved(), decision.closed, **inputs).now()
            assert not again.operate and again.closed == decision.closed, name
            blind = Meter(meter.policy, meter.guard.saved(), None, **inputs).now()
            assert not blind.operate and blind.closed == decision.closed, name


def test_a_reset_without_clock_moves_the_relay_only_for_a_fault():
    for name in ORDER:
        meter = meter_in(name)
        decision = meter.now()
        again = meter.reset(decision.closed, unix_s=None).now()
        assert not again.operate, (name, again.reason)


def test_a_stop_between_saving_and_operating_is_survived():
    meter = Meter(closed=True)
    assert meter.now().save
    shows(meter.reset(True).now(), "no_contract", False, operate=True)
    meter = Meter(grants=[GRANT])
    assert meter.now().save
    meter = meter.reset(False)
    shows(meter.now(), "resting", False)
    shows(meter.after(60_000), "grant", True, operate=True)


def test_where_the_position_is_unknown_it_is_driven_once():
    decision = Meter(closed=None).now()
    shows(decision, "no_contract", False, operate=True)
    meter = Meter({"consent_required": True}, closed=None, grants=[GRANT])
    shows(meter.now(), "awaiting_consent", False)
    assert not meter.after(60_000).reassert
    shows(meter.now(consent=True), "grant", True, operate=True)
    meter = Meter({"warn_wait_max_s": 300}, closed=None)
    shows(meter.now(), "warning", False)
    shows(meter.after(299_999), "warning", False)
    shows(meter.after(1), "no_contract", False, operate=True)
    shows(Meter(closed=None, sensed_closed=True, grants=[GRANT]).now(), "grant", True)


def test_what_is_saved_comes_back():
    meter = Meter({"emergency_credit_wh": 100}, saved(held=True, faults=2, order_s=NOON_S), True)
    meter.now()
    kept = meter.guard.saved()
    assert memory.from_saved(kept).to_saved() == kept
    assert guard.Guard(meter.policy, kept, True).saved() == kept
    assert memory.from_saved(tuple(kept)).to_saved() == kept


def test_memory_that_is_not_one_is_corrupt():
    kept = saved(held=True)
    wrong = ("x", -1, 1 << 63, [], b"")
    garbage = ["", b"\x00", 0, False, {}, [], kept[:-1], kept + [0]]
    garbage += [kept[:place] + [value] + kept[place + 1 :] for place in range(len(kept)) for value in wrong]
    garbage += [[version] + kept[1:] for version in (0, 1, 3)]
    garbage += [[True] + kept[1:], kept[:2] + [1] + kept[3:], kept[:1] + [4] + kept[2:]]
    garbage += [kept[:5] + [None] + kept[6:], kept[:1] + [True] + kept[2:], kept[:4] + [86_400_001] + kept[5:]]
    for one in garbage:
        meter = Meter({"emergency_credit_wh": 100}, one, True)
        decision = meter.now()
        shows(decision, "hold", True)
        assert decision.flagged, one
        meter = Meter({"emergency_credit_wh": 100}, one, False)
        shows(meter.now(), "no_contract", False)


def test_after_corrupt_memory_the_first_closing_needs_consent():
    meter = Meter(kept="garbage", closed=False, grants=[GRANT])
    meter.now()
    shows(meter.after(60_000), "awaiting_consent", False)
    shows(meter.reset(False).now(), "awaiting_consent", False)
    shows(meter.now(consent=True), "grant", True, operate=True)
    assert not meter.after(1).flagged
    meter.now(owner_open=True, consent=False)
    shows(meter.after(60_000, owner_open=False), "grant", True, operate=True)


def test_corrupt_memory_ends_with_a_reset_on_site():
    meter = Meter(kept="garbage", closed=True)
    shows(meter.now(), "hold", True)
    shows(meter.now(reset_on_site=True), "no_contract", False, operate=True)


def test_a_lost_policy_protects_whom_the_last_protected():
    meter = Meter({"protected": True}, closed=True)
    meter.now()
    lost = guard.Guard(None, meter.guard.saved(), True)
    decision = lost.decide(meter.inputs)
    shows(decision, "protected", True)
    assert decision.flagged
    lost.adopt(policy())
    shows(lost.decide(meter.inputs), "no_contract", False, operate=True)
    meter.inputs.grants = []
    held = guard.Guard(None, saved(held=True), True)
    shows(held.decide(meter.inputs), "hold", True)


def test_save_is_requested_when_what_is_kept_changes_and_not_otherwise():
    meter = Meter(closed=True, grants=[GRANT])
    assert meter.now().save
    for _ in range(5):
        assert not meter.after(60_000, import_wh=meter.inputs.import_wh + 7).save
    assert meter.after(1, unix_s=None).save
    saves = [meter.after(30_000).save for _ in range(6)]
    assert saves == [True, True, False, True, False, True]
    assert meter.now(over_current=True).save
    meter = Meter(closed=False)
    meter.now()
    assert not meter.after(60_000).save
    assert meter.now(operator_open_at_s=NOON_S).save
    assert meter.now(operator_open_at_s=None).save


# Policy.


def test_defaults_are_the_practice_they_follow():
    one = guard.Policy()
    assert (one.warn_wait_max_s, one.reconnect_wait_max_s, one.rest_s, one.reassert_s) == (300, 600, 60, 60)
    assert (one.quiet_start_min, one.quiet_end_min, one.quiet_weekends) == (960, 600, True)
    assert one.consent_required and not one.protected and one.emergency_credit_wh == 2_500
    assert guard.Policy.from_fields(one.fields()).fields() == one.fields()


def test_a_policy_out_of_range_is_rejected():
    bad = [{"rest_s": 59}, {"rest_s": 60.0}, {"rest_s": None}, {"rest_s": True}, {"warn_wait_max_s": -1}, {"x": 1}]
    bad += [{"protected": 1}, {"protected": None}, {"holidays": 5}, {"holidays": [1] * 33}, {"holidays": ["1"]}]
    bad += [{"warn_wait_max_s": 301}, {"reconnect_wait_max_s": 601}, {"holidays": [True]}, {1: 2}, {b"rest_s": 60}]
    for fields in bad:
        case.raises(guard.PolicyError, guard.Policy.from_fields, fields)
    for body in (None, [], "rest_s", 7):
        case.raises(guard.PolicyError, guard.Policy.from_fields, body)
    assert len(guard.Policy(holidays=[1] * 32).holidays) == 32


def test_each_body_that_a_policy_entry_may_have_is_a_policy():
    fields = kinds.fields(kinds.POLICY)
    for _, name, shape, _ in fields:
        if shape[0] == "int":
            values = (shape[1], shape[2])
        else:
            values = {"bool": (True, False), "days": ([], [0, 20_000]), "bytes": (b"k" * 8,)}[shape[0]]
        for value in values:
            one = guard.Policy.from_fields({"version": 1, name: value})
            if name not in ("version", "meter", "operator_open_at_s", "register_generation"):
                kept = one.fields()[name]
                assert kept == value, name
    known = [name for _, name, _, _ in fields]
    assert all(name in known for name in guard.Policy().fields())


# Histories.


def test_generated_histories_are_as_the_rules_allow():
    policies = guard_history.some_policies(7, 40)
    seen = {}
    for seed in range(case.scale(3_000, 2_500)):
        try:
            for reason, times in guard_history.live(seed + 1_000_000, policies, 20).items():
                seen[reason] = seen.get(reason, 0) + times
        except AssertionError as error:
            raise AssertionError("history %d: %r" % (seed + 1_000_000, error))
    assert set(seen) == set(table.names()) | set(guard.WAITS)
