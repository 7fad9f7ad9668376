"""The meter's core among others: a community in virtual time, with bad networks, power cuts and no host at all."""

import case
from simulator import flash
from simulator.authors import REAL, StandIn
from simulator.community import START_S
from simulator.driving import measure, receive, tick
from simulator.household import Household
from simulator.memory_flash import PowerCut
from simulator.network import Network, World, alone
from simulator.peer import with_peer
from wattpact_meter.sources import p1_telegram
from wattpact_meter.sources.p1 import measurement
from wattpact_meter.storage.store import StateError
from wattpact_protocol import steps
from wattpact_protocol.log import entry, event_codes, kinds, readings, reasons
from wattpact_protocol.settlement import load_profile, register_rules
from wattpact_protocol.sync import datagram

SOLAR_W, BATTERY_W, WALLBOX_W = 8000, 9000, 7200


def households(crypto=StandIn, network=None, step_ms=100, **settings):
    """A roof, a battery and a wallbox behind its relay, each with an owner, enrolled, under the demo's policy."""
    community = with_peer(crypto)
    roof = Household(community, "roof", lambda ms, closed: -SOLAR_W, **settings)
    battery = Household(community, "battery", lambda ms, closed: -BATTERY_W, **settings)
    wallbox = Household(community, "wallbox", lambda ms, closed: WALLBOX_W if closed else 0, **settings)
    world = World(community, [roof, battery, wallbox], network, step_ms)
    world.owners = [community.person(household.name + "'s owner") for household in world.households]
    for household, owner in zip(world.households, world.owners):
        community.enrol(household, owner)
    community.quick_policy()
    return world


def trade(world, name="1", sold_wh=40, bought_wh=80):
    """Both producers sell, the wallbox buys."""
    roof, battery, wallbox = world.households
    community, owners = world.community, world.owners
    community.mandate(owners[0], roof, kinds.SELL, 180_000, sold_wh)
    community.mandate(owners[1], battery, kinds.SELL, 220_000, sold_wh)
    community.mandate(owners[2], wallbox, kinds.BUY, 250_000, bought_wh)


def codes(household):
    return [new.body["code"] for new in household.entries(kinds.EVENT)]


def check_readings(world):
    """Everything the host holds of every meter's readings is good, by the rules that the host applies."""
    for household in world.households:
        registers = register_rules.RegisterRules(10_000)
        for new in world.community.entries:
            if new.kid == household.kid and new.kind == kinds.READING:
                assert registers.apply(new.body) is None, (household.name, new, new.body)


def check_usage(household):
    """Each contract began and ended at most once, and all that was attributed was imported."""
    begun, ended, attributed = {}, {}, {}
    for new in household.entries():
        contract = new.body.get("contract")
        if new.kind == kinds.USAGE_START:
            assert contract not in begun, "begun twice"
            begun[contract] = new.body["import_wh"]
        elif new.kind in (kinds.USAGE, kinds.USAGE_END):
            assert contract not in ended, "published after its end"
            assert new.body["attributed_wh"] >= attributed.get(contract, 0), "attributed Wh fell"
            attributed[contract] = new.body["attributed_wh"]
            if new.kind == kinds.USAGE_END:
                ended[contract] = new.body["reason"]
            total = sum(attributed.values())
            assert total <= new.body["import_wh"], "%d Wh attributed of %d" % (total, new.body["import_wh"])
    return attributed, ended


def check_mandates(world):
    """Nobody committed to more than the mandate allows."""
    accepted, confirmed = {}, {}
    for household in world.households:
        demands = {new.id: new.body["mandate"] for new in household.entries(kinds.DEMAND)}
        for new in household.entries(kinds.ACCEPTANCE):
            mandate = demands[new.body["demand"]]
            accepted[mandate] = accepted.get(mandate, 0) + new.body["wh"]
    for new in world.community.sink.contracts.values():
        acceptance = world.community.sink.acceptances[new.body["acceptance"]]
        mandate = world.community.sink.offers[acceptance.body["offer"]].body["mandate"]
        confirmed[mandate] = confirmed.get(mandate, 0) + acceptance.body["wh"]
    limits = {new.id: new.body["wh"] for new in world.community.entries if new.kind == kinds.MANDATE}
    for committed in (accepted, confirmed):
        for mandate, wh in committed.items():
            assert wh <= limits[mandate], "%d Wh committed of %d" % (wh, limits[mandate])


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


def test_bad_networks_only_slow_things_down():
    for seed in range(case.scale(6, 2)):
        bits = case.Bits("network %d" % seed)
        network = Network(bits, lose=150, repeat=150, damage=50, jitter_ms=700)
        world = households(network=network)
        world.run(20)
        trade(world)
        world.run(120)
        network.lose = network.damage = network.repeat = network.jitter_ms = 0
        world.run(130)
        for household in world.households:
            missing = len(household.flash.entries) - world.community.authors[household.kid].head.next_sequence
            assert missing <= 2, "seed %d: %d entries never arrived" % (seed, missing)
        attributed, ended = check_usage(world.households[2])
        assert sum(attributed.values()) == 80 and len(ended) == len(attributed), (seed, attributed)
        check_readings(world)
        check_mandates(world)


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


def without_host(seconds, step_s, step_ms, wh):
    """A household with a grant loses its host for a while; then all is delivered."""
    world, community, household = alone(lambda ms, closed: 720 if closed else 0, step_ms, step_s=step_s, intervals=4)
    world.run(10)
    community.give(household, wh, to_s=community.now_s + seconds + 7200, start_by_s=community.now_s + 600)
    world.run_until(lambda: household.closed, 10)
    before_wh = household.meter.registers()[readings.IMPORT_WH]
    world.network.up = False
    world.run(seconds)
    used_wh = household.meter.registers()[readings.IMPORT_WH] - before_wh
    assert abs(used_wh - min(seconds * 720 // 3600, wh)) <= 1, used_wh
    held = community.authors[household.kid].head.next_sequence
    assert len(household.flash.entries) - held >= seconds // step_s // 4 - 1
    world.network.up = True
    took_ms = world.run_until(
        lambda: community.authors[household.kid].head.next_sequence == len(household.flash.entries), 200
    )
    check_readings(world)
    check_usage(household)
    assert not community.sink.rejected.get("fork") and took_ms < 200_000
    return household


def test_ten_minutes_without_a_host_lose_nothing():
    household = without_host(600, 5, 200, 500)
    assert household.closed


def test_a_day_without_a_host_loses_nothing():
    household = without_host(case.scale(86_400, 14_400), 900, 5_000, 10_000)
    assert household.closed == case.MICROPYTHON  # 720 W use the grant up within the whole day


def test_a_silent_host_is_sent_to_ever_more_rarely():
    world, community, household = alone()
    world.run(5)
    world.network.up = False
    sent = []
    for _ in range(1200):
        world.step()
        sent += household.step(world.ms)
    world.run(0)
    digests = []
    world.network.send = lambda to, data, ms: digests.append((ms, datagram.decode(data, community.id)[0]))
    world.run(120)
    assert [kind for _, kind in digests if kind == datagram.DIGEST] and len(digests) <= 40, digests


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


def test_every_rejection_is_counted_by_its_reason():
    world, community, household = alone()
    world.run(5)
    meter, now = household.meter, household.now(world.ms)
    cursor = meter.inbox.cursor

    def inbox_with(raw, after=None, inbox=None):
        body = [
            inbox or community.sink.inbox,
            meter.inbox.cursor if after is None else after,
            meter.inbox.cursor + 1,
            raw,
        ]
        return datagram.encode(datagram.INBOX, community.id, body)

    def rejected_as(data):
        before = dict(meter.rejected)
        receive(meter, now, data)
        news = [reason for reason, count in meter.rejected.items() if count != before.get(reason, 0)]
        assert len(news) <= 1
        return news[0] if news else None

    grant = community.give(household, 10)
    stranger = community.author("stranger")
    place = (0, 0, bytes(32))
    stamp = entry.Stamp(1, 1, community.now_s)
    unknown = entry.sign(kinds.GRANT, grant.body, place, stamp, stranger.kid, community.id, stranger.key.sign)
    host = community.host
    forbidden = entry.sign(kinds.GRANT, grant.body, place, stamp, host.kid, community.id, host.key.sign)
    damaged = bytearray(grant.raw)
    damaged[-1] ^= 1
    other = bytes(16)
    assert rejected_as(bytes(1201)) == "oversize"
    assert rejected_as(b"") == "malformed" and rejected_as(b"\xff" * 30) == "malformed"
    assert rejected_as(datagram.encode(datagram.HEAD, other, [household.kid, 0, 0])) == "wrong_community"
    assert (
        rejected_as(datagram.encode(datagram.DIGEST, community.id, [household.kid, 0, 0, bytes(8), 0]))
        == "unexpected_type"
    )
    assert rejected_as(datagram.encode(datagram.HEAD, community.id, [bytes(8), 0, 0])) == "not_for_this_meter"
    assert rejected_as(datagram.encode(datagram.HEAD, community.id, [household.kid, 0, 999])) == "head_ahead"
    assert rejected_as(datagram.encode(datagram.HEAD, community.id, [household.kid, 7, 0])) == "stale_generation"
    assert rejected_as(inbox_with(grant.raw, after=cursor + 1)) == "inbox_gap"
    assert rejected_as(inbox_with(grant.raw, after=3, inbox=b"anything")) == "inbox_gap"
    assert rejected_as(inbox_with(b"no entry")) == "entry_malformed"
    assert rejected_as(inbox_with(unknown.raw)) == "unknown_author"
    assert rejected_as(inbox_with(forbidden.raw)) == "not_allowed"
    assert rejected_as(inbox_with(bytes(damaged))) == "bad_signature"
    assert meter.inbox.cursor == cursor and not meter.usage.grants
    assert rejected_as(inbox_with(grant.raw)) is None
    assert len(meter.usage.grants) == 1 and meter.inbox.cursor == cursor + 1
    assert rejected_as(inbox_with(grant.raw)) == "old_grant"


def test_what_cannot_be_checked_does_not_block_the_inbox_for_ever():
    world, community, household = alone()
    world.run(5)
    ghost = community.person("ghost")
    community.sink.entries.pop()  # its certificate is lost before any meter receives it
    community.order(ghost, kinds.TERMINATE, {"contract": bytes(32), "reason": "x"})
    ghost_order = community.mandate(ghost, household, kinds.SELL, 1, 1)
    grant = community.give(household, 10)
    world.run(15)
    assert [held.contract for held in household.meter.usage.grants] == [grant.body["contract"]]
    assert household.meter.rejected["unknown_author"] == 3
    assert ghost_order.id not in [held.id for held in household.meter.trader.mandates]


def test_another_host_may_take_over():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    world.run(5)
    community.give(household, 5)
    world.run(20)
    assert sum(check_usage(household)[0].values()) == 5
    community.sink.inbox = b"new host"
    world.run(5)
    newest = [place + 1 for place, new in enumerate(community.entries) if community.sink.concerns(new, household.kid)][
        -1
    ]
    assert household.meter.inbox.id == b"new host" and household.meter.inbox.cursor == newest
    community.give(household, 5)
    world.run(75)
    assert sum(check_usage(household)[0].values()) == 10


def test_nobody_leads_a_meter_away_from_its_host():
    """Another inbox is followed only behind an entry that is known or genuine, not behind one that is ignored."""
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0)
    world.run(5)
    meter, now = household.meter, household.now(world.ms)
    followed = (meter.inbox.id, meter.inbox.cursor)
    liar = community.author("liar")
    receipt = {"author": household.kid, "generation": 0, "sequence": 1, "head": bytes(32)}
    said = [(kinds.EVENT, {"code": 1}), (kinds.RECEIPT, receipt), (kinds.POLICY, {"version": 9, "meter": bytes(8)})]
    old = dict(community.root.certificate.body, version=0, label="y")
    for claimed, kind, body in [(liar.kid, kind, body) for kind, body in said] + [
        (household.kid, kinds.EVENT, {"code": 1}), (community.root.kid, kinds.CERTIFICATE, old)
    ]:  # fmt: skip
        stamp = entry.Stamp(1, 1, community.now_s)
        forged = entry.sign(kind, body, (0, 0, bytes(32)), stamp, claimed, community.id, lambda message: bytes(64))
        for _ in range(4):
            receive(meter, now, datagram.encode(datagram.INBOX, community.id, [b"elsewher", 0, 99, forged.raw]))
        assert (meter.inbox.id, meter.inbox.cursor) == followed, (kinds.NAMES[kind], meter.rejected)
    assert meter.rejected["inbox_not_proven"] >= 4 and not meter.inbox.receipt
    community.give(household, 5)
    world.run_until(lambda: household.closed, 4)


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


def p1(wh, serial="E1", power_w=500):
    told = p1_telegram.Telegram("ABC5")
    told.serial = serial
    told.registers = {1: wh, 2: 0, 3: wh, 5: 0}
    told.instantaneous = {64: power_w}
    return measurement(told)


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


class Port:
    """A household behind a meter with registers of its own, that takes 3.6 kW while the relay is closed."""

    def __init__(self, wh=5_000_000, step_s=5):
        self.world, self.community, self.household = alone(step_s=step_s)
        self.wh = wh
        self.used_wh = 0
        self.rate_wh = 1  # a second
        self.dead = []

    def run(self, seconds, every_s=1, trusted=True, clock=True):
        household = self.household
        for second in range(seconds):
            self.world.ms += 1000
            self.community.now_s = START_S + self.world.ms // 1000
            now = household.now(self.world.ms)
            if not clock:
                now.unix_s = None
            if household.closed:
                self.wh += self.rate_wh
                self.used_wh += self.rate_wh
            if every_s and second % every_s == 0:
                measure(household.meter, now, p1(self.wh if trusted else 3 + 47 * (second % 2)))
            decision = tick(household.meter, now, household.around)
            self.dead.append(household.meter.inputs(now).sensor_dead)
            household.closed = decision.closed
            for data in household.meter.pop_datagrams():
                for answer in self.community.sink.receive_datagram(data, household.kid):
                    receive(household.meter, now, answer)
        return self

    def attributed_wh(self):
        """Of the contracts, in what was published."""
        found = {}
        for new in self.household.entries():
            if new.kind in (kinds.USAGE, kinds.USAGE_END):
                found[new.body["contract"]] = new.body["attributed_wh"]
        return sum(found.values())


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


def test_registers_of_a_meter_go_on_in_their_generation_though_their_checkpoint_is_lost():
    """Its serial is in usage, and in the journal where that is lost too; another meter's is not taken for it."""
    for lost, serial in ((("registers",), "E1"), (("registers", "usage"), "E1"), (("registers",), "E2")):
        port = Port(step_s=300).run(20)
        port.community.give(port.household, 5000, to_s=port.community.now_s + 9000, max_w=10_000)
        port.run(100)
        household = port.household
        if "usage" not in lost:
            household.flash.first += len(household.flash.entries) - 3  # a host has receipted what came before
            del household.flash.entries[:-3]
        for name in lost:
            household.flash.values[name] = None
        household.boot(port.world.ms)
        bank = household.meter.recorder.bank
        assert (bank.generation, bank.serial) == (1, "E1") and bank.snapshot()[1] < port.wh
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


def test_what_comes_while_the_clock_is_behind_all_certificates_waits_for_a_better_one():
    world, community, household = alone(lambda ms, closed: 3600 if closed else 0, 500)
    world.run(10)
    household.clock_off_s = -200 * 86_400
    world.run(5)
    number = community.give(household, 40, to_s=community.now_s + 9000).body["number"]
    world.run(60)
    assert not household.meter.usage.grants and household.meter.rejected[reasons.CERTIFICATE_EXPIRED] > 5
    household.clock_off_s = 0
    world.run(20)
    assert [grant.number for grant in household.meter.usage.grants] == [number]


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


def test_resets_do_not_lengthen_the_emergency_credit():
    """Nobody knows what was used since before a reset until two telegrams after it agree, here 18 s later."""
    for every_s in (20, 35, 60):
        port = Port().run(10)
        port.rate_wh, port.household.closed = 2, True
        port.community.quick_policy(version=2, emergency_credit_wh=200)
        for _ in range(30):
            port.run(8, every_s=0).run(every_s - 8, every_s=10)
            port.household.boot(port.world.ms)
        assert not port.household.closed and 100 <= port.used_wh <= 210, (every_s, port.used_wh)


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
