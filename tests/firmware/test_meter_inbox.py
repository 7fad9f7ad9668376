"""The meter's core and its hosts: bad networks, no host, one that deceives; and what the entries of others may do."""

import case
from simulator import bodies
from simulator.driving import receive
from simulator.neighbours import check_mandates, check_readings, check_usage, households, trade
from simulator.network import Network, alone
from wattpact_protocol.log import entry, kinds, readings, reasons
from wattpact_protocol.sync import datagram


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
    receipt = bodies.receipted(household.kid, 1)
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
    assert meter.rejected["inbox_not_proven"] >= 4 and household.flash.values.get("receipt") is None
    community.give(household, 5)
    world.run_until(lambda: household.closed, 4)


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


def test_what_comes_behind_the_end_of_its_authors_certificate_is_skipped():
    world, community, household = alone(step_ms=500)
    world.run(10)
    household.clock_off_s = 4_000 * 86_400
    world.run(5)
    cursor = household.meter.inbox.cursor
    community.give(household, 40)
    world.run(60)
    assert household.meter.rejected[reasons.CERTIFICATE_EXPIRED] == 3 and not household.meter.usage.grants
    assert household.meter.inbox.cursor > cursor
