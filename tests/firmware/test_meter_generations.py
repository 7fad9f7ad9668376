"""The meter's core where a register generation ends and the next begins: nothing is lost, and nothing charged twice."""

from simulator.driving import measure, tick
from simulator.neighbours import check_readings, codes
from simulator.network import alone
from simulator.port import Port, p1
from wattpact_protocol.log import event_codes, kinds, readings
from wattpact_protocol.settlement import load_profile, register_rules


def test_a_replaced_source_opens_a_generation_and_grants_go_on():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    world.run(4)
    community.give(household, 30)
    world.run_until(lambda: household.closed, 4)
    world.run(12)
    own_wh = household.meter.registers()[readings.IMPORT_WH]
    for second in range(12):  # from now on a meter with registers of its own measures, far below
        world.ms += 1000
        now = household.now(world.ms)
        measure(household.meter, now, p1(2 + second))
        tick(household.meter, now, household.around)
        if second == 6:
            household.boot(world.ms)  # and power fails in between
    assert household.meter.registers()[readings.IMPORT_WH] == 13
    assert (
        codes(household).count(event_codes.REGISTER_CLOSE) == 1
        and codes(household).count(event_codes.REGISTER_OPEN) == 2
    )
    used = [grant.attributed_wh for grant in household.meter.usage.grants]
    assert own_wh <= used[0] + 1 <= own_wh + 12, (used, own_wh)
    opened = [new.body for new in household.entries(kinds.EVENT) if new.body["code"] == event_codes.REGISTER_OPEN]
    assert [(body["detail"], body["text"]) for body in opened] == [(1, household.kid.hex()), (2, "E1")]
    held = register_rules.RegisterRules(10_000)
    for new in household.entries(kinds.READING):
        assert held.apply(new.body) is None


def test_after_a_restart_registers_are_those_of_the_newest_generation():
    """Whatever was published of the one before, whose registers were higher, and where the checkpoint is lost too."""
    for is_lost in (False, True):
        world, community, household = alone(lambda ms, closed: 36_000 if closed else 0)
        world.run(4)
        community.give(household, 2_000, max_w=40_000)
        world.run(16)
        assert household.meter.registers()[readings.IMPORT_WH] > 100
        for second in range(20):
            world.ms += 1000
            now = household.now(world.ms)
            measure(household.meter, now, p1(2 + second))
            tick(household.meter, now, household.around)
        if is_lost:
            household.flash.values["registers"] = None
        household.boot(world.ms)
        assert household.meter.recorder.bank.generation == 2
        assert 2 <= household.meter.registers()[readings.IMPORT_WH] <= 21, household.meter.registers()


def test_a_generation_that_a_clock_began_starts_with_what_is_measured_by_then():
    world, community, household = alone(lambda ms, closed: 36_000, step_ms=3_000)
    world.run(21)
    household.clock_off_s = -7_200
    world.run(20)
    opened = [new.body for new in household.entries(kinds.EVENT) if new.body["code"] == event_codes.REGISTER_OPEN]
    first = [new.body for new in household.entries(kinds.READING) if new.body["register_generation"] == 2][0]
    assert opened[-1]["detail"] == 2 and opened[-1]["registers"][1] <= first["registers"][1][0]


def test_a_step_of_the_registers_is_charged_to_nobody():
    for new_wh, restart in ((7, False), (5_005_000, False), (7, True), (5_005_000, True)):
        port = Port().run(20)
        port.community.give(port.household, 300)
        port.run(20)
        assert port.household.closed and port.used_wh > 10
        port.wh = new_wh
        if restart:
            port.household.boot(port.world.ms)
        port.run(400)
        meter = port.household.meter
        assert meter.recorder.bank.generation == 2 and meter.registers()[1] == port.wh, (new_wh, restart)
        assert not port.household.closed, "a grant that ends"
        lost_wh = port.used_wh - port.attributed_wh()
        assert 0 <= lost_wh <= 15 and port.attributed_wh() == 300, (new_wh, restart, lost_wh)
        opened, closed = codes(port.household).count(event_codes.REGISTER_OPEN), event_codes.REGISTER_CLOSE
        assert opened == 2 and codes(port.household).count(closed) == 1
        check_readings(port.world)


def settled_wh(household):
    """The import that settlement finds in the meter's readings, and the register up to which."""
    profile, rules = load_profile.LoadProfile(300), register_rules.RegisterRules(10_000)
    for new in household.entries(kinds.READING):
        if rules.apply(new.body) is None:
            profile.add(new.body)
    return profile.imports[-1] - profile.imports[0], rules.values[readings.IMPORT_WH]


def test_what_is_used_around_a_change_of_register_generation_is_charged():
    """To the last register before it and from the first one after it; also where the clock was lost meanwhile, and
    where the log had no room and the meter started again."""
    for has_clock, has_room in ((True, True), (False, True), (True, False)):
        port = Port(step_s=300).run(10)
        now_s, household = port.community.now_s, port.household
        port.community.give(household, 3000, to_s=now_s + 9000, max_w=10_000)
        port.run(700)
        household.flash.limit = 100_000 if has_room else len(household.flash.entries)
        port.run(100, clock=has_clock)
        port.wh = 7
        port.run(100, clock=has_clock)
        assert household.meter.recorder.bank.generation == 2 and household.closed
        if not has_room:
            household.boot(port.world.ms)
            port.run(50)
            household.flash.limit = 100_000
        port.run(700)
        charged_wh, last_wh = settled_wh(household)
        charged_wh += port.wh - last_wh
        assert port.used_wh - 15 <= charged_wh <= port.used_wh, (has_clock, has_room, charged_wh, port.used_wh)
        assert codes(household).count(event_codes.REGISTER_CLOSE) == 1
        household.boot(port.world.ms)
        port.run(20)
        points = [new for new in household.entries(kinds.READING) if not readings.intervals(new.body)]
        assert [new.body["register_generation"] for new in points] == [1, 1, 2], "once each"


def test_an_event_from_before_a_generation_does_not_raise_its_registers():
    port = Port(step_s=300).run(100)
    household = port.household
    household.flash.limit = len(household.flash.entries)
    household.boot(port.world.ms)
    port.wh = 7
    port.run(20)
    assert household.meter.recorder.bank.generation == 2
    household.flash.limit = 100_000
    port.run(5)
    assert [code for code in codes(household) if code in (event_codes.BOOT, event_codes.REGISTER_OPEN)][-2:] == [
        event_codes.BOOT, event_codes.REGISTER_OPEN,
    ]  # fmt: skip
    household.boot(port.world.ms)
    assert household.meter.recorder.bank.generation == 2 and household.meter.registers()[1] <= port.wh


def test_a_clock_that_stays_behind_begins_one_generation_however_often_the_meter_starts():
    """Also where the log has no room for what it shows; or budgets would begin anew with each start."""
    world, community, household = alone(lambda ms, closed: 3600, 500)
    world.run(30)
    household.flash.limit = len(household.flash.entries)
    household.clock_off_s = -7_200
    world.run(5)
    for _ in range(3):
        assert household.meter.recorder.bank.generation == 2
        household.boot(world.ms)
        world.run(10)


def test_all_registers_of_a_generation_are_known_from_its_first_event():
    """Usage was stored in it before that was published, and nothing else names them yet."""
    port = Port().run(20)
    port.wh = 5_900_000
    while codes(port.household).count(event_codes.REGISTER_OPEN) < 2:
        port.run(1)
    held = port.household.meter.registers()
    assert port.household.meter.recorder.bank.generation == 2 and held[3] == 5_900_000
    port.household.flash.values["registers"] = None
    port.household.boot(port.world.ms)
    assert port.household.meter.registers() == held


def test_what_was_used_when_a_clock_is_set_back_by_hours_is_charged():
    world, _, household = alone(lambda ms, closed: 3600, 500, step_s=300)
    world.run(10)
    for _ in range(2):
        used_wh = household.meter.registers()[readings.IMPORT_WH]
        world.run(700)
        household.clock_off_s -= 7_200
        world.run(20)
    charged = [new.body for new in household.entries(kinds.READING) if new.body["register_generation"] == 2]
    assert household.meter.recorder.bank.generation == 3, "one for each time that it was set back"
    closed_wh = readings.end_value(charged[-1], readings.IMPORT_WH)
    assert closed_wh - charged[0]["registers"][readings.IMPORT_WH][0] >= 699, (used_wh, closed_wh)
    check_readings(world)


def test_a_restart_does_not_raise_registers_to_those_of_an_older_generation():
    for lost in (False, True):
        port = Port().run(20)
        port.community.give(port.household, 300)
        port.run(20)
        port.wh = 7
        port.run(30)
        held = port.household.meter.registers()
        assert held[1] < 100
        if lost:
            port.household.flash.values["registers"] = None
        port.household.boot(port.world.ms)
        if lost:
            assert port.household.meter.registers()[1] <= held[1]
        else:
            assert port.household.meter.registers() == held
        port.run(10)
        assert port.household.meter.registers()[1] == port.wh, lost
        assert port.used_wh - 15 <= port.household.meter.usage.grants[0].attributed_wh + 5 <= port.used_wh + 5


def test_an_ordered_register_generation_begins_once():
    port = Port().run(20)
    kid = port.household.kid
    for version, number in ((1, 4), (2, 1), (3, 2), (4, 2)):  # no other than the next one
        body = {"version": version, "meter": kid, "register_generation": number}
        port.community.publish(port.community.issuer, kinds.POLICY, body)
        port.run(20)
        assert port.household.meter.recorder.bank.generation == (2 if version >= 3 else 1), version
    port.household.boot(port.world.ms)
    port.run(20)
    assert port.household.meter.recorder.bank.generation == 2
    assert codes(port.household).count(event_codes.REGISTER_OPEN) == 2
    body = {"version": 9, "register_generation": 3}  # nobody means every meter
    port.community.publish(port.community.issuer, kinds.POLICY, body)
    port.run(20)
    assert port.household.meter.recorder.bank.generation == 2


def test_an_ordered_generation_of_a_meter_that_measures_itself_goes_on_where_it_was():
    world, community, household = alone(lambda ms, closed: 3600)
    world.run(10)
    held_wh = household.meter.registers()[1]
    body = {"version": 1, "meter": household.kid, "register_generation": 2}
    community.publish(community.issuer, kinds.POLICY, body)
    world.run(10)
    assert household.meter.recorder.bank.generation == 2 and household.meter.registers()[1] >= held_wh + 9
    check_readings(world)
