"""The meter's core where flash or memory fails, or the journal has no room."""

from simulator.neighbours import check_readings, check_usage, households, trade
from simulator.network import alone
from simulator.port import Port
from wattpact_meter.storage.store import StateError
from wattpact_protocol.log import kinds, readings


def test_a_flash_that_fails_stops_neither_registers_nor_guard():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    world.run(4)
    community.give(household, 20)
    world.run_until(lambda: household.closed, 4)
    world.run(1)  # the start of use is published

    def fail(*_):
        raise StateError("flash failed")

    works = household.meter.recorder._store.save_steps
    household.meter.recorder._store.save_steps = fail
    world.run_until(lambda: not household.closed, 25)
    assert household.meter.registers()[readings.IMPORT_WH] == 20 and household.meter.rejected["flash_failed"] > 0
    held = len(household.flash.entries)
    world.run(5)
    assert len(household.flash.entries) <= held + 1, "registers were published that no checkpoint covers"
    household.meter.recorder._store.save_steps = works
    world.run(10)
    assert len(household.flash.entries) > held + 2 and sum(check_usage(household)[0].values()) == 20
    check_readings(world)


def fails_once(household, name):
    """The next value of that name does not reach the flash; whether that happened."""
    store, failed = household.meter._store, []
    works = store.save_steps

    def save_steps(saved, value):
        if saved == name and not failed:
            failed.append(name)
            yield
            raise StateError("flash failed")
        yield from works(saved, value)

    store.save_steps = save_steps
    return failed


def policy_version(world, household):
    world.community.quick_policy(version=2, protected=True)
    return lambda: household.meter.policies.version


def own_version(world, household):
    world.community.enrol_again(household, world.owner)
    return lambda: household.meter.trust.author(household.kid)["version"]


def mandates(world, household):
    world.community.mandate(world.owner, household, kinds.BUY, 250_000, 80)
    return lambda: len(household.meter.trader.mandates)


def grants(world, household):
    world.community.give(household, 500, from_s=world.community.now_s + 3000, to_s=world.community.now_s + 9000)
    return lambda: len(household.meter.usage.grants)


def test_what_the_flash_did_not_take_is_kept_when_the_host_repeats_it():
    for publish, names in (
        (policy_version, ["policy"]), (own_version, ["trust"]), (mandates, ["trader", "usage"]),
        (grants, ["trader", "usage"]),
    ):  # fmt: skip
        for name in names + ["inbox"]:
            world, community, household = alone()
            world.run(5)
            failed = fails_once(household, name)
            value = publish(world, household)
            world.run(10)
            assert failed and household.meter.rejected["flash_failed"] == 1, name
            known = value()
            assert known == (2 if publish in (policy_version, own_version) else 1), name
            household.boot(world.ms, power_failed=True)
            assert value() == known, (publish.__name__, name)


def test_what_the_flash_did_not_take_is_not_followed():
    world, community, household = alone()
    world.run(5)

    def fail(name, value):
        yield
        raise StateError("flash failed")

    household.meter._store.save_steps = fail
    version, changes, authors = (
        household.meter.policies.version,
        household.meter.trust.changes,
        len(household.meter.trust),
    )
    policy_version(world, household)
    own_version(world, household)
    world.run(5)
    assert household.meter.policies.version == version and not household.meter.guard.policy.protected
    assert (household.meter.trust.changes, len(household.meter.trust)) == (changes, authors)
    assert household.meter.trust.author(household.kid)["version"] == 1


def run_on(world, seconds):
    """As an application does, which counts what a step raises and goes on; how often one did."""
    end_ms, raised = world.ms + seconds * 1000, 0
    while world.ms < end_ms:
        try:
            world.step()
        except MemoryError:
            raised += 1
    return raised


def out_of_memory_behind(household, kind):
    """The place behind the next entry of that kind is not stored, for want of memory; whether that happened."""
    log, failed = household.meter.log, []
    works = log._keep_steps

    def keep_steps():
        newest = log.read(log.next_sequence - 1)
        if newest is not None and newest.kind == kind and log.untold and not failed:
            failed.append(kind)
            yield
            raise MemoryError("memory allocation failed")
        yield from works()

    log._keep_steps = keep_steps
    return failed


def test_an_entry_whose_place_finds_no_memory_is_published_once():
    world, community, household = alone(lambda ms, closed: 7200)
    world.run(12)
    failed = out_of_memory_behind(household, kinds.READING)
    assert run_on(world, 20) == 0 and failed
    ends = [readings.end_s(new.body) for new in household.entries(kinds.READING)]
    assert len(ends) == len(set(ends)) > 3
    failed = out_of_memory_behind(household, kinds.DEMAND)
    community.mandate(world.owner, household, kinds.BUY, 250_000, 80)
    assert run_on(world, 10) == 0 and failed
    assert len(household.entries(kinds.DEMAND)) == 1 and not household.meter.log.untold


def test_an_acceptance_whose_place_finds_no_memory_takes_its_energy_once():
    world = households()
    world.run(5)
    wallbox = world.households[2]
    failed = out_of_memory_behind(wallbox, kinds.ACCEPTANCE)
    trade(world)
    assert run_on(world, 30) == 0 and failed
    accepted = [new.body["offer"] for new in wallbox.entries(kinds.ACCEPTANCE)]
    assert len(accepted) == len(set(accepted)) == 2


def test_receipts_let_the_journal_be_pruned_and_only_they():
    world, community, household = alone(lambda ms, closed: 3600, step_s=1)
    world.run(320)
    assert household.flash.first > 0 and len(household.flash.entries) >= 256
    world.network.up = False
    receipted = max([new.body["sequence"] for new in community.entries if new.kind == kinds.RECEIPT])
    world.run(300)
    assert household.flash.first <= receipted + 1, "pruned without a receipt"
    assert len(household.flash.entries) > 256 + 32
    household.boot(world.ms)
    assert household.meter.registers()[readings.IMPORT_WH] >= 618
    world.network.up = True
    world.run(40)
    assert len(household.flash.entries) <= 256 + 48 + 16
    check_readings(world)


def test_a_full_journal_waits_for_receipts():
    world, community, household = alone(lambda ms, closed: 3600, step_s=1, limit=60)
    world.run(10)
    world.network.up = False
    world.run(90)
    assert len(household.flash.entries) == 60 and household.meter.log.full
    held_wh = household.meter.registers()[readings.IMPORT_WH]
    assert held_wh >= 98, "registers stopped with the journal"
    world.network.up = True
    world.run(30)
    assert not household.meter.log.full and household.flash.first > 0
    assert community.authors[household.kid].head.next_sequence >= 70
    check_readings(world)


def test_what_memory_ran_out_behind_is_stored_when_the_host_repeats_it():
    """It had its effect by then, so that what is repeated has none, and the inbox goes on behind it."""
    for publish, find, name in (
        (mandates, lambda meter: meter.trader, "apply_mandate"), (grants, lambda meter: meter.usage, "apply_grant"),
    ):  # fmt: skip
        world, _, household = alone()
        world.run(5)
        owner = find(household.meter)
        works, failed = getattr(owner, name), []

        def fail(*arguments, works=works, failed=failed):
            reason = works(*arguments)
            if not failed:
                failed.append(reason)
                raise MemoryError("memory allocation failed")
            return reason

        setattr(owner, name, fail)
        value, cursor = publish(world, household), household.meter.inbox.cursor
        assert run_on(world, 10) == 1 and failed == [None] and value() == 1, name
        assert household.meter.inbox.cursor > cursor
        household.boot(world.ms, power_failed=True)
        assert value() == 1, name


def test_what_the_guard_spent_is_in_flash_soon_after_it_failed():
    """Four writes fail as the emergency credit begins; a reset 20 s later finds what was used."""
    port = Port().run(10)
    port.rate_wh, port.household.closed = 2, True
    port.community.quick_policy(version=2, emergency_credit_wh=200)
    store, failed = port.household.meter._store, []
    save_steps = store.save_steps

    def failing(name, value):
        if name == "guard" and len(failed) < 4:
            failed.append(name)
            raise StateError("flash failed")
        return save_steps(name, value)

    store.save_steps = failing
    used_wh = port.used_wh
    port.run(20)
    assert len(failed) == 4 and port.household.meter.decision.reason == "credit"
    port.household.boot(port.world.ms)
    port.run(5)
    assert port.household.meter.guard.memory.credit_spent_wh >= port.used_wh - used_wh >= 40
