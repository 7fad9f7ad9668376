"""The meter's core among others, in virtual time: it trades, uses grants, decides and publishes."""

from simulator.authors import REAL
from simulator.community import START_S
from simulator.driving import measure, receive, tick
from simulator.household import Household
from simulator.neighbours import check_readings, check_usage, codes, households, trade
from simulator.network import World, alone
from simulator.peer import with_peer
from simulator.port import Port, p1
from wattpact_protocol import steps
from wattpact_protocol.log import entry, event_codes, kinds, readings
from wattpact_protocol.sync import datagram


def test_a_full_cycle_ends_and_begins_again():
    world = households()
    roof, battery, wallbox = world.households
    world.run(5)
    assert [household.meter.log.is_open for household in world.households] == [True] * 3
    assert not wallbox.closed
    trade(world)
    world.run_until(lambda: wallbox.closed, 10)
    assert len(world.community.sink.contracts) == 2
    took_ms = world.run_until(lambda: not wallbox.closed, 60)
    assert 39_500 <= took_ms <= 41_000, took_ms  # 80 Wh at 2 Wh a second
    world.run(1)
    attributed, ended = check_usage(wallbox)
    assert sorted(attributed.values()) == [40, 40] and set(ended.values()) <= {kinds.END_USED_UP}
    opened_ms = wallbox.operations[-1][0]
    trade(world, "again", 30, 30)
    world.run_until(lambda: wallbox.closed, 70)
    assert 60_000 <= world.ms - opened_ms <= 61_000, "the relay did not rest as long as it must"
    world.run_until(lambda: not wallbox.closed, 30)
    world.run(3)
    assert sum(check_usage(wallbox)[0].values()) == 110
    assert wallbox.operations[0][2] == "grant" and wallbox.operations[1][2] == "no_contract"
    assert codes(wallbox).count(event_codes.RELAY_CLOSED) == 2 and codes(wallbox).count(event_codes.RELAY_OPENED) == 2
    assert not world.community.sink.rejected, world.community.sink.rejected
    check_readings(world)


def test_contracts_fill_in_order_of_priority():
    world = households()
    world.run(5)
    trade(world)
    world.run(60)
    wallbox = world.households[2]
    acceptances = wallbox.entries(kinds.ACCEPTANCE)
    offers = world.community.sink.offers
    assert [new.body["priority"] for new in acceptances] == [1, 2]
    assert [offers[new.body["offer"]].body["price_micro_per_kwh"] for new in acceptances] == [180_000, 220_000]
    confirmed = {new.body["acceptance"]: new.id for new in world.community.sink.contracts.values()}
    first, second = [confirmed[new.id] for new in acceptances]
    order = [(new.kind, new.body["contract"]) for new in wallbox.entries() if new.kind in (13, 15)]
    begin, end = kinds.USAGE_START, kinds.USAGE_END
    assert order == [(begin, first), (end, first), (begin, second), (end, second)]


def test_the_relay_follows_a_grant_within_a_tick():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    world.run(5)
    community.give(household, 10)
    told = community.sink.inbox_after(household.kid, household.meter.inbox.id, household.meter.inbox.cursor)
    assert len(told) == 1
    receive(household.meter, household.now(world.ms), told[0])
    assert household.meter.next_tick_ms(household.now(world.ms)) == world.ms
    household.step(world.ms)
    assert household.operations == [(world.ms, True, "grant")]
    world.run_until(lambda: not household.closed, 12)
    assert household.meter.registers()[readings.IMPORT_WH] == 10
    before = household.meter.rejected.get("inbox_duplicate", 0)
    receive(household.meter, household.now(world.ms), told[0])
    assert household.meter.rejected["inbox_duplicate"] == before + 1
    world.run(70)
    assert len(household.operations) == 2, "a grant was used twice"


def test_signatures_are_real():
    community = with_peer(REAL)
    household = Household(community, "real", lambda ms, closed: 3600 if closed else 0)
    world = World(community, [household], step_ms=500)
    community.enrol(household)
    community.quick_policy()
    world.run(4)
    community.give(household, 5)
    world.run_until(lambda: household.closed, 4)
    world.run_until(lambda: not household.closed, 10)
    world.run(3)
    assert community.authors[household.kid].head.next_sequence >= 6 and not community.sink.rejected
    before = household.meter.trust.verifications
    forged = bytearray(community.give(household, 500).raw)
    forged[-1] ^= 1
    body = [community.sink.inbox, household.meter.inbox.cursor, household.meter.inbox.cursor + 1, bytes(forged)]
    receive(household.meter, household.now(world.ms), datagram.encode(datagram.INBOX, community.id, body))
    assert household.meter.rejected == {"bad_signature": 1} and not household.meter.usage.grants
    assert household.meter.trust.verifications == before + 1


def test_nothing_is_signed_before_enrolment_and_registers_count():
    community = with_peer()
    household = Household(community, "new", lambda ms, closed: 3600)
    world = World(community, [household])
    world.run(20)
    assert not household.flash.entries and household.meter.registers()[readings.IMPORT_WH] == 20
    public_key, proof = community.sink.pending[household.kid]
    assert public_key == household.identity.public_key and len(proof) == 32
    certificate = community.enrol(household).certificate
    world.run(12)
    first = household.entries()[0]
    assert first.previous == certificate.id and first.sequence == 0
    assert codes(household)[:2] == [event_codes.BOOT, event_codes.REGISTER_OPEN] or codes(household)[0] == 9
    assert household.last_reading()["registers"][readings.IMPORT_WH][0] >= 20
    assert community.authors[household.kid].head.next_sequence == len(household.flash.entries)


def test_a_grant_ends_in_time_and_too_late_ones_never_begin():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    world.run(4)
    community.give(household, 1000, to_s=community.now_s + 20)
    world.run_until(lambda: household.closed, 4)
    world.run_until(lambda: not household.closed, 25)
    assert world.ms // 1000 == 24 or world.ms // 1000 == 25
    world.run(2)
    assert household.entries(kinds.USAGE_END)[0].body["reason"] == kinds.END_EXPIRED
    late = community.give(household, 50, start_by_s=community.now_s + 20)  # while the relay rests
    world.run(70)
    end = household.entries(kinds.USAGE_END)[1].body
    assert end["contract"] == late.body["contract"] and end["reason"] == kinds.END_VOID and end["attributed_wh"] == 0
    assert len(household.operations) == 2


def test_a_terminated_grant_opens_the_relay():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    stranger = community.person("stranger")
    world.run(4)
    contract = community.give(household, 1000).body["contract"]
    world.run_until(lambda: household.closed, 4)
    body = {"contract": contract, "reason": "wanted"}
    community.order(stranger, kinds.TERMINATE, body)
    world.run(4)
    assert household.closed and household.meter.rejected["not_a_party"] == 1
    community.order(world.owner, kinds.TERMINATE, body)
    world.run_until(lambda: not household.closed, 4)
    world.run(1)
    assert household.entries(kinds.USAGE_END)[0].body["reason"] == kinds.END_TERMINATED


def test_a_termination_that_settlement_does_not_count_ends_no_grant():
    """Or a supplier could cut a consumer off and still be paid for what was not taken."""
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    world.run(4)
    grant = community.give(household, 1000).body
    world.run_until(lambda: household.closed, 4)
    body = {"contract": grant["contract"], "reason": "wanted"}
    community.publish(community.issuer, kinds.TERMINATE, body, unix_s=grant["to_s"])
    untimed = dict(body, order_id=bytes(8), expires_s=community.now_s + 3600)
    place, stamp = (0, 0, world.owner.certificate_id), entry.Stamp(0, 0, None, entry.CLOCK_INVALID)
    identity = world.owner.key
    community.sink.append(entry.sign(kinds.TERMINATE, untimed, place, stamp, identity.kid, community.id, identity.sign))
    world.run(4)
    assert household.closed and household.meter.rejected == {"ended_before": 1, "no_time": 1}
    community.publish(community.issuer, kinds.TERMINATE, body)
    world.run_until(lambda: not household.closed, 4)


def test_faults_open_the_relay_and_are_published():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    world.run(4)
    community.give(household, 500)
    world.run_until(lambda: household.closed, 4)
    household.around.over_current = True
    world.step()
    assert not household.closed
    household.around.over_current = False
    world.run(70)
    assert not household.closed and codes(household).count(event_codes.OVER_CURRENT) == 1
    household.around.reset_on_site = True
    world.run(1)
    assert household.closed
    opened = [new.body for new in household.entries(kinds.EVENT) if new.body["code"] == event_codes.RELAY_OPENED]
    assert [(body["text"], body["contract"]) for body in opened] == [
        ("over_current", household.meter.usage.grants[0].contract)
    ]


def test_policies_of_the_meter_come_before_those_for_all():
    world, community, household = alone(policy=False)
    world.run(4)
    assert household.closed or household.meter.guard.policy.consent_required
    community.quick_policy()
    world.run(4)
    assert not household.meter.guard.policy.consent_required
    community.quick_policy(meter=household.kid, consent_required=True)
    community.quick_policy(version=2, emergency_credit_wh=7)
    world.run(4)
    policy = household.meter.guard.policy
    assert policy.consent_required and policy.emergency_credit_wh == 0
    household.boot(world.ms)
    assert household.meter.guard.policy.consent_required
    community.quick_policy(meter=household.kid, version=2, protected=True)
    world.run_until(lambda: household.closed, 4)
    assert household.operations[-1][2] == "protected"


def test_events_are_published_before_usage_and_usage_before_readings():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    world.run(4)
    community.give(household, 17)
    world.run_until(lambda: household.closed, 4)
    world.run_until(lambda: not household.closed, 20)
    world.run(6)
    said = [(new.kind, new.body.get("code")) for new in household.entries()]
    for event, usage in (
        (event_codes.RELAY_CLOSED, kinds.USAGE_START), (event_codes.RELAY_OPENED, kinds.USAGE_END),
    ):  # fmt: skip
        place = said.index((kinds.EVENT, event))
        assert said.index((usage, None)) > place, said
    at_once = {}  # what one boundary brought
    for new in household.entries():
        if new.kind in (kinds.USAGE, kinds.READING):
            at_once.setdefault(new.stamp.unix_s // 5, []).append(new.kind)
    assert [kinds.USAGE, kinds.READING] in at_once.values()
    assert [kinds.READING, kinds.USAGE] not in at_once.values()


def test_a_meter_with_registers_of_its_own_is_followed():
    world, community, household = alone(step_s=5)
    meter = None
    for second in range(60):
        world.ms += 1000
        community.now_s = START_S + world.ms // 1000
        now = household.now(world.ms)
        meter = household.meter
        wh = 5_000_000 + second
        measure(meter, now, p1(3 if second == 30 else wh))
        tick(meter, now, household.around)
        for data in meter.pop_datagrams():
            for answer in community.sink.receive_datagram(data, household.kid):
                receive(meter, now, answer)
    assert meter.registers()[readings.IMPORT_WH] == 5_000_059
    opened = [new.body for new in household.entries(kinds.EVENT) if new.body["code"] == event_codes.REGISTER_OPEN]
    assert [(body["text"], body["registers"][1]) for body in opened] == [("E1", 5_000_001)]
    assert codes(household).count(event_codes.SOURCE_REJECTED) == 1
    said = [new.body for new in household.entries(kinds.READING)]
    assert len(said) >= 9 and said[-1]["registers"][readings.IMPORT_WH][1] == [5]
    assert said[-1]["registers"][64] == [500, []] and sorted(said[-1]["registers"])[:4] == [1, 2, 3, 5]
    check_readings(world)


def test_a_grant_that_cannot_be_published_is_counted_from_when_the_relay_closed():
    """Its register is published when there is room again, and a restart before any boundary forgets nothing."""
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0, 500, step_s=300)
    world.run(10)
    household.flash.limit = len(household.flash.entries)
    used_wh = household.meter.registers()[readings.IMPORT_WH]
    grant = community.give(household, 40, to_s=community.now_s + 9000).body["contract"]
    world.run_until(lambda: household.closed, 5)
    world.run(10)
    household.boot(world.ms, power_failed=True)
    world.run_until(lambda: not household.closed, 40)
    assert used_wh + 40 <= household.meter.registers()[readings.IMPORT_WH] <= used_wh + 41
    assert not household.entries(kinds.USAGE_START)
    household.flash.limit = 100_000
    world.run(10)
    bodies = [new.body for new in household.entries() if new.body.get("contract") == grant and new.kind != kinds.EVENT]
    assert bodies[0] == {"contract": grant, "grant": 1, "import_wh": used_wh}
    assert bodies[-1]["reason"] == kinds.END_USED_UP and bodies[-1]["attributed_wh"] == 40


def test_a_clock_that_was_days_ahead_stops_no_grant_from_being_counted():
    for off_s in (-1_800, 3 * 86_400):
        world, community, household = alone(lambda ms, closed: 3600 if closed else 0, 500)
        world.run(10)
        now_s = community.now_s
        community.give(household, 200, from_s=now_s - 3_600, to_s=now_s + 40 * 86_400)
        world.run_until(lambda household=household: household.closed, 5)
        world.run(20)
        household.clock_off_s = off_s
        world.run(20)
        household.clock_off_s = min(off_s, 0)
        world.run_until(lambda household=household: not household.closed, 200)
        assert 200 <= household.meter.registers()[readings.IMPORT_WH] <= 203


def test_a_source_is_alive_while_it_is_trusted():
    port = Port().run(30)
    assert not any(port.dead)
    port.dead = []
    port.run(20, trusted=False)  # telegrams come, and their registers agree neither with what was nor with each other
    assert port.dead.index(True) == 10 and all(port.dead[10:])
    port.dead = []
    port.run(5)
    assert not port.dead[-1]


def test_the_period_of_a_source_is_learned_and_kept():
    for every_s, patience_s in ((1, 10), (10, 30), (60, 180)):
        port = Port().run(600, every_s)  # the last telegram came every_s before its end
        port.dead = []
        port.run(2 * patience_s, 0)
        assert port.dead.index(True) == patience_s - every_s + 1, (every_s, port.dead.index(True))
        port.run(every_s, every_s)
        steps.finish(port.household.meter.recorder.checkpoint_steps())
        port.household.boot(port.world.ms)
        port.dead = []
        port.run(2 * patience_s, 0)
        assert port.dead.index(True) == patience_s, (every_s, port.dead.index(True))


def test_telegrams_of_power_alone_are_shown_and_change_nothing_else():
    port = Port().run(20)
    meter, now = port.household.meter, port.household.now(port.world.ms)
    verdicts = dict(meter.recorder.bank.verdicts)
    told = p1(1)
    told.registers_wh = {}
    told.instantaneous = {64: 777}
    measure(meter, now, told)
    assert meter.recorder.power_w == 777 and meter.recorder.bank.verdicts == verdicts
    assert codes(port.household).count(event_codes.SOURCE_REJECTED) == 0


def test_usage_agrees_with_settlement():
    """The meter's own count is what settlement finds from its readings, slot by slot."""
    world = households()
    world.run(5)
    trade(world)
    world.run(70)
    wallbox = world.households[2]
    attributed, _ = check_usage(wallbox)
    load = []
    for new in wallbox.entries(kinds.READING):
        load.append((new.body["t0_s"], new.body["registers"][1][0]))
        load.append((readings.end_s(new.body), readings.end_value(new.body, 1)))
    used = {new.body["contract"]: new.stamp.unix_s for new in wallbox.entries(kinds.USAGE_START)}
    order = sorted(used, key=lambda contract: used[contract])
    carried = dict.fromkeys(order, 0)
    slots = sorted(set(load))
    for (from_s, from_wh), (to_s, to_wh) in zip(slots, slots[1:]):
        rest = to_wh - from_wh
        for contract in order:
            begin = max(from_s, used[contract])
            if begin < to_s:
                rate = 8000 * (to_s - used[contract]) // 3600 - 8000 * (begin - used[contract]) // 3600
                wh = min(rest, rate, 40 - carried[contract])
                carried[contract] += wh
                rest -= wh
    assert carried == attributed, (carried, attributed)


def test_a_time_that_is_none_ends_no_grant():
    """For a minute the clock shows a year in which no meter lives."""
    for off_s in (3_800_000_000, -1_000_000_000):
        world, community, house = alone(lambda ms, closed: 3600 if closed else 0, step_ms=250)
        world.run(10)
        community.give(house, 600, to_s=community.now_s + 3000, start_by_s=community.now_s + 3000)
        world.run_until(lambda house=house: house.closed, 10)
        world.run(60)
        house.clock_off_s = off_s
        world.run(60)
        assert house.closed and len(house.meter.usage.grants) == 1, house.meter.decision.reason
        house.clock_off_s = 0
        world.run(60)
        assert house.closed and house.meter.decision.reason == "grant" and house.meter.recorder.bank.generation == 1
        assert not house.entries(kinds.USAGE_END) and [row[1] for row in house.operations] == [True]
