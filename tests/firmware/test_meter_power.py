"""The meter's core over power cuts and starts, also where stored state is damaged."""

import case
from simulator import flash
from simulator.community import START_S
from simulator.driving import measure, tick
from simulator.memory_flash import PowerCut
from simulator.neighbours import check_mandates, check_readings, check_usage, codes, households, trade
from simulator.network import alone
from simulator.port import Port, p1
from wattpact_protocol import steps
from wattpact_protocol.log import event_codes, kinds, readings


def test_power_cuts_at_any_write_lose_and_double_nothing():
    boots = 0
    for seed in range(case.scale(16, 2)):
        bits = case.Bits("power %d" % seed)
        world = households()
        wallbox = world.households[2]
        world.run(3)

        def arm(household, bits=bits):
            household.flash.cut_in = 1 + bits.below(30)
            household.flash.cut_after = bits.below(2) == 1

        def cut(household, world=world, bits=bits, arm=arm):
            while True:
                arm(household)
                try:
                    return household.boot(world.ms, bits.below(4) == 0)
                except PowerCut:
                    pass

        world.on_cut = cut
        for household in world.households:
            arm(household)
        trade(world)
        world.run(110)
        for household in world.households:
            household.flash.cut_in = None
        world.run_until(lambda wallbox=wallbox: len(wallbox.entries(kinds.USAGE_END)) == 2, 150)
        world.run(5)
        boots += sum([household.boots for household in world.households]) - 3
        attributed, ended = check_usage(wallbox)
        assert sum(attributed.values()) == 80 and len(ended) == 2, (seed, attributed)
        assert len(wallbox.entries(kinds.ACCEPTANCE)) == 2, "seed %d accepted again" % seed
        assert not wallbox.closed
        usage = wallbox.meter.usage
        assert usage.beyond_wh + 80 <= wallbox.meter.registers()[readings.IMPORT_WH]
        stamps = [(new.stamp.boot, new.stamp.uptime_s) for new in wallbox.entries()]
        assert stamps == sorted(stamps), "two boots have one number"
        check_readings(world)
        check_mandates(world)
        for household in world.households:
            assert world.community.authors[household.kid].head.next_sequence >= len(household.flash.entries) - 2
    assert boots >= case.scale(200, 10), boots


def test_the_meters_own_journal_and_store_carry_it_over_restarts():
    with flash.Folder() as folder:
        world, community, household = alone(lambda ms, closed: 3600 if closed else 0, folder=folder)
        world.run(5)
        community.give(household, 30)
        for _ in range(4):
            world.run(6)
            household.journal.close()
            household.boot(world.ms)
        world.run(30)
        assert sum(check_usage(household)[0].values()) == 30 and not household.closed
        assert codes(household).count(event_codes.BOOT) == 5
        assert community.authors[household.kid].head.next_sequence == household.journal.next_sequence
        check_readings(world)
        household.journal.close()


def test_registers_never_fall_below_what_was_published():
    bits = case.Bits("registers")
    world, community, household = alone(lambda ms, closed: 9000, step_s=5)
    said = 0
    for _ in range(case.scale(40, 8)):
        world.run(1 + bits.below(9))
        for new in household.entries():
            if new.kind == kinds.READING:
                said = max(said, readings.end_value(new.body, readings.IMPORT_WH))
        household.boot(world.ms)
        assert household.meter.registers().get(readings.IMPORT_WH, 0) >= said
    assert said > 50
    check_readings(world)


def test_lost_state_is_published_and_nothing_old_is_used_again():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    world.run(5)
    community.give(household, 10)
    world.run(25)
    assert not household.closed
    household.flash.values["usage"] = None
    household.flash.values["registers"] = None
    household.boot(world.ms)
    assert household.meter.registers()[readings.IMPORT_WH] >= 10, "registers fell with their checkpoint"
    world.run(70)
    assert event_codes.STATE_CORRUPT in codes(household)
    assert len(household.operations) == 2 and household.meter.rejected["before_state_was_lost"] == 1
    community.give(household, 10)
    world.run_until(lambda: household.closed, 5)
    world.run(20)
    check_readings(world)
    assert sum(check_usage(household)[0].values()) == 20


def test_damaged_registers_and_a_damaged_memory_of_the_guard_are_noticed_at_the_start():
    for name in ("registers", "guard"):
        with flash.Folder() as folder:
            world, _, household = alone(lambda ms, closed: 3600, folder=folder)
            world.run(20)
            held = household.meter.registers()
            household.journal.close()
            flash.write(folder + "/state/" + name, bytes(40))
            household.boot(household.at_ms)
            assert household.meter.checkpoint.lost == [name] and household.meter.state_corrupt
            assert household.meter.guard.memory.corrupt == (name == "guard")
            assert sorted(household.meter.registers()) == sorted(held)


def test_lost_state_with_a_wrong_clock_lets_no_grant_in_twice_and_keeps_none_out():
    for off_s in (-40_000, 40 * 86_400):
        world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
        world.run(5)
        community.give(household, 10, to_s=START_S + 86_400, start_by_s=START_S + 86_400)
        world.run(25)
        assert not household.closed and household.operations
        household.clock_off_s = off_s
        world.run(30)
        household.flash.values["usage"] = None
        household.boot(world.ms)
        household.clock_off_s = 0
        world.run(70)
        assert not household.closed, "a grant is used twice, the clock was %d s off" % off_s
        for _ in range(2):  # and over another start
            community.give(household, 10)
            world.run(80)
            household.boot(world.ms)
        assert sorted(check_usage(household)[0].values()) == [10, 10, 10]


def test_registers_of_a_meter_go_on_in_their_generation_though_their_checkpoint_is_lost():
    """Its serial is in usage, and in the journal where that is lost too; another meter's is not taken for it."""
    for lost, serial in ((("registers",), "E1"), (("registers", "usage"), "E1"), (("registers",), "E2")):
        port = Port(step_s=300).run(20)
        port.community.give(port.household, 5000, to_s=port.community.now_s + 9000, max_w=10_000)
        port.run(100)
        household = port.household
        covered = {}
        if "usage" not in lost:
            steps.finish(household.meter.checkpoint.keep_usage_steps())
            covered = dict(household.meter.recorder.saved)
            assert covered[1] > 5_000_090
            port.run(2)
            household.flash.first += len(household.flash.entries) - 3  # a host has receipted what came before
            del household.flash.entries[:-3]
        for name in lost:
            household.flash.values[name] = None
        for _ in range(2):  # power fails before there is a checkpoint
            household.boot(port.world.ms)
            bank = household.meter.recorder.bank
            assert (bank.generation, bank.serial) == (1, "E1") and bank.snapshot()[1] < port.wh
            assert all(bank.snapshot()[number] >= wh for number, wh in covered.items()), (lost, covered)
            steps.finish(household.meter.checkpoint.keep_usage_steps())
        tick(household.meter, household.now(port.world.ms), household.around)
        assert household.flash.values["registers"] is not None
        for _ in range(3):
            port.world.ms += 1000
            measure(household.meter, household.now(port.world.ms), p1(port.wh, serial))
        assert bank.generation == (1 if serial == "E1" else 2) and bank.snapshot()[1] == port.wh


def test_what_was_published_is_never_undercut_though_the_checkpoint_is_lost():
    """It was in an event alone, or in a log that ended; and again where power fails before there is a checkpoint."""
    for ends in (False, True):
        port = Port(step_s=300).run(20)
        port.community.give(port.household, 5000, to_s=port.community.now_s + 9000, max_w=10_000)
        port.run(100)
        household = port.household
        household.boot(port.world.ms)
        port.run(30)
        published = [new.body for new in household.entries(kinds.EVENT) if new.body.get("registers")][-1]
        assert published["code"] == event_codes.BOOT and published["registers"][1] > 5_000_090
        if ends:
            port.community.enrol_again(household, port.world.owner, generation=1)
            while household.meter.log.generation == 0:  # power goes before registers are published
                port.run(1)
            assert household.meter.log.generation == 1
            household.boot(port.world.ms)
            port.run(5)
            opened = [
                new.body for new in household.entries(kinds.EVENT) if new.body["code"] == event_codes.REGISTER_OPEN
            ]
            assert [body["detail"] for body in opened] == [1]
        for lost in (("registers",), ("registers", "usage"))[: 1 + (not ends)]:
            for name in lost:
                household.flash.values[name] = None
            household.boot(port.world.ms)
            held = household.meter.registers()
            assert all(held[number] >= wh for number, wh in published["registers"].items()), (lost, held)


def test_registers_that_usage_alone_shows_are_of_a_generation():
    """The checkpoint and usage are lost, and of the journal only that entry is left."""
    world, community, household = alone(lambda ms, closed: 3600, step_s=300)
    world.run(20)
    community.give(household, 50)
    world.run_until(lambda: household.entries(kinds.USAGE_START), 10)
    kept = household.flash
    last = household.entries()[-1]
    assert last.kind == kinds.USAGE_START and last.body["import_wh"] >= 20
    kept.first += len(kept.entries) - 1
    del kept.entries[:-1]
    kept.values["registers"] = kept.values["usage"] = None
    household.boot(world.ms)
    bank = household.meter.recorder.bank
    assert bank.generation == 1 and bank.snapshot()[1] == last.body["import_wh"]
    world.run(10)
    assert bank.generation == 1 and bank.snapshot()[1] >= last.body["import_wh"] + 9


def test_a_meters_registers_are_kept_soon_after_a_start():
    """Whatever ends a start, no more is lost than a hundredth where the meter is replaced meanwhile."""
    port = Port(step_s=300).run(20)
    port.community.give(port.household, 5000, to_s=port.community.now_s + 9000, max_w=10_000)
    port.run(20)
    for _ in range(4):
        port.household.boot(port.world.ms)
        port.run(20)
        port.household.boot(port.world.ms)
        assert port.household.meter.registers()[1] >= port.wh - 1


def test_resets_do_not_lengthen_the_emergency_credit():
    """Nobody knows what was used since before a reset until two telegrams after it agree, here 9 s later."""
    for every_s in (20, 35, 60):
        port = Port().run(10)
        port.rate_wh, port.household.closed = 2, True
        port.community.quick_policy(version=2, emergency_credit_wh=200)
        for _ in range(30):
            port.run(8, every_s=0).run(every_s - 8)
            port.household.boot(port.world.ms)
        assert not port.household.closed and 100 <= port.used_wh <= 210, (every_s, port.used_wh)


def test_resets_do_not_renew_the_hold_budget_while_the_source_is_silent():
    """A cable that is pulled out and a meter that is reset now and then: the grant does not carry it for ever."""
    for every_s in (25, 60):
        port = Port().run(20)
        port.community.quick_policy(version=2, hold_budget_s=1800, emergency_credit_wh=0)
        port.community.give(port.household, 100_000, to_s=port.community.now_s + 9000, max_w=10_000)
        port.run(30)
        assert port.household.closed
        port.run(15, every_s=0)
        closed_s = 0
        for _ in range(3000 // every_s):
            port.household.boot(port.world.ms)
            port.run(every_s, every_s=0)
            closed_s += every_s if port.household.closed else 0
        assert not port.household.closed and closed_s <= 1800, (every_s, closed_s)
        port.run(300)
        assert port.household.closed and port.household.meter.guard.memory.hold_spent_ms == 0, "trusted again"


def test_resets_do_not_renew_the_hold_budget_while_the_log_is_in_doubt():
    """Its place in flash is lost, and no host is there to know it: the guard's memory is lost too, but once."""
    port = Port().run(20)
    port.community.quick_policy(version=2, hold_budget_wh=300, emergency_credit_wh=0)
    port.community.give(port.household, 100_000, to_s=port.community.now_s + 9000, max_w=10_000)
    port.run(30)
    household, port.community.sink.receive_datagram = port.household, lambda *_: []
    assert household.closed
    del household.flash.values["log"]
    used_wh = port.used_wh
    for _ in range(12):
        household.boot(port.world.ms)
        port.run(100, clock=False)
    assert household.meter.log.is_state_old and household.meter.guard.memory.hold_spent_wh >= 300
    assert not household.closed and 200 <= port.used_wh - used_wh <= 320, port.used_wh - used_wh


def test_a_meter_that_was_off_counts_what_was_used_meanwhile():
    for outage_s, used_wh, generation in ((3600, 4000, 1), (3600, 40_000, 2), (10, 4000, 2)):
        port = Port().run(120)
        port.world.ms += outage_s * 1000
        port.wh += used_wh
        port.household.boot(port.world.ms)
        port.run(20)
        bank = port.household.meter.recorder.bank
        assert (bank.generation, bank.snapshot()[1]) == (generation, port.wh), (outage_s, used_wh)


def test_after_a_restart_it_waits_for_the_clock_to_check_a_rise():
    for wait_s, generation in ((20, 2), (90, 1)):  # where none comes, the longest outage is assumed
        port = Port().run(120)
        port.wh += 4000
        port.household.boot(port.world.ms)
        port.run(wait_s, clock=False).run(20)
        bank = port.household.meter.recorder.bank
        assert (bank.generation, bank.snapshot()[1]) == (generation, port.wh), wait_s
