"""RegisterProjection: registers of meters that seal, checked where the key is, once and all, whenever it comes."""

import logging

import pytest
from simulator.bodies import reading_of
from simulator.community import START_S
from simulator.host import hosted, key
from test_opening import void_parts
from wattpact.ingest.rejections import Rejections
from wattpact.membership import members
from wattpact.projections import follow, stored_accounts
from wattpact.projections.follow import Projections
from wattpact.projections.unsealing import Unsealer
from wattpact.store.records import StoreError
from wattpact.store.sqlite.store import Store
from wattpact_protocol.log import kinds


@pytest.fixture
def community(tmp_path):
    made = hosted(tmp_path, now_s=START_S + 86400)
    yield made
    made.sink.close()


@pytest.fixture
def keyless(tmp_path):
    made = hosted(tmp_path / "keyless", now_s=START_S + 86400, readers=[])
    yield made
    made.sink.close()


@pytest.fixture(autouse=True)
def folders(tmp_path):
    (tmp_path / "keyless").mkdir()


def measure(community, *readers):
    """As a program that has these keys does when it starts."""
    unsealer = Unsealer(community.sink.store, readers)
    Projections(community.sink.store, unsealer, community.sink.pipeline.rejections, lambda: community.now_s).catch_up()


def voids(community, meter):
    rows = community.sink.store.entries(author=meter.kid, of_kinds=(kinds.READING,))
    return [row.void_reason for row in rows]


def imports(community, meter):
    return [(point.unix_s - START_S, point.import_wh) for point in community.sink.store.points(meter.kid)]


def counted(community):
    community.sink.store.count_rejections(community.sink.pipeline.rejections.drain(community.now_s))
    return community.sink.store.rejected()


def test_registers_and_points_are_those_that_were_sealed(community):
    meter = community.owned_meter("House 1")
    community.sink.stored(*[meter.reading(START_S + 15 * n, [(5, 1)], instantaneous={64: 1200 + n}) for n in range(4)])
    (registers,) = community.sink.store.registers(meter.kid)
    assert (registers.energy, registers.instantaneous, registers.end_s) == ({1: 20, 2: 4}, {64: 1203}, START_S + 60)
    assert registers.received_s == community.now_s
    assert imports(community, meter) == [(15 * n, 5 * n) for n in range(5)]
    community.sink.stored(meter.reading(START_S + 60, [(n, 0) for n in range(15)], bad_mask=0b100))
    assert [p.unix_s - START_S for p in community.sink.store.points(meter.kid) if p.estimated] == [60 + 45]
    assert community.sink.store.sealing() == {meter.kid: 0}


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (reading_of(START_S + 15, [(1, 0)], start=(4, 0)), "falling_register"),
        (reading_of(START_S + 15, [(2000, 0)], start=(5, 0)), "impossible_jump"),
        (reading_of(START_S + 14, [(1, 0)], start=(5, 0)), "reading_time_ran_back"),
        (reading_of(START_S + 15, [(1, 0)], start=(5, 0), register_generation=0), "old_register_generation"),
    ],
)
def test_what_breaks_the_rules_inside_is_void_and_counts_for_nothing(community, second, reason):
    meter = community.owned_meter("House 1")
    generation = 1 if reason == "old_register_generation" else 0
    first = meter.publish("reading", reading_of(START_S, [(5, 0)], register_generation=generation), START_S + 15)
    bad = meter.publish("reading", second, START_S + 30)
    good = reading_of(START_S + 15, [(1, 0)], (5, 0), register_generation=generation)
    assert [verdict.void_reason for verdict in community.sink.ingest([first, bad])] == [None, None]
    community.sink.stored(meter.publish("reading", good, START_S + 30))
    assert voids(community, meter) == [None, reason, None]
    assert imports(community, meter) == [(0, 0), (15, 5), (30, 6)]
    assert counted(community)[reason] == 1
    assert community.sink.store.registers(meter.kid)[0].energy[1] == 6


def test_a_part_that_does_not_open_is_void_and_named_once_in_the_log(community, caplog):
    meter = community.owned_meter("House 1")
    first = meter.sequence
    with caplog.at_level(logging.WARNING, "wattpact.ingest"):
        community.sink.stored(*[meter.publish("reading", body, START_S + 15) for body in void_parts(meter).values()])
    count = len(void_parts(meter))
    assert voids(community, meter) == ["bad_seal"] * count
    accounts = stored_accounts.accounts_of(community.sink.store, community.now_s)
    assert [reason for _, reason in accounts.inputs.voids] == ["bad_seal"] * count
    assert counted(community) == {"bad_seal": count}
    assert [record.getMessage() for record in caplog.records] == [
        f"rejected: bad_seal, author {meter.kid.hex()}, from its entry 0/{first}"
    ]
    community.sink.stored(meter.reading(START_S, [(5, 0)]))
    assert imports(community, meter) == [(0, 0), (15, 5)]
    assert community.sink.store.sealing() == {meter.kid: 0}


def test_without_a_key_everything_is_stored_and_nothing_measured(keyless):
    meter = keyless.owned_meter("House 1")
    fell = meter.publish("reading", reading_of(START_S, [(5, 0)], (50, 0)), START_S + 15)
    keyless.sink.stored(fell, *[meter.reading(START_S + 15 * n, [(5, 0)]) for n in range(1, 4)])
    garbage = meter.publish("reading", void_parts(meter)["garbage"], START_S + 60)
    keyless.sink.stored(garbage)
    assert voids(keyless, meter) == [None] * 5 and imports(keyless, meter) == []
    assert keyless.sink.store.registers() == [] and keyless.sink.store.sealing() == {meter.kid: 5}
    assert counted(keyless) == {}
    keyless.sink.reopen()
    measure(keyless)
    assert keyless.sink.store.sealing() == {meter.kid: 5}


def test_when_the_key_comes_everything_is_there_as_if_it_always_had_been(keyless, community):
    """Half the log before the key, half after it; the same entries on a host that had it from the start."""
    for host in (keyless, community):
        host.meters = [host.owned_meter(label) for label in ("House 1", "House 2")]
        for meter in host.meters:
            host.sink.stored(*history(meter)[:9])
    keyless.sink.projections = Projections(
        keyless.sink.store,
        Unsealer(keyless.sink.store, [key("issuer")]),
        keyless.sink.pipeline.rejections,
        lambda: keyless.now_s,
    )
    for host in (keyless, community):
        for meter in host.meters:
            host.sink.stored(*history(meter)[9:])
    for one, other in zip(keyless.meters, community.meters, strict=True):
        assert voids(keyless, one) == voids(community, other) and "falling_register" in voids(keyless, one)
        assert imports(keyless, one) == imports(community, other) != []
        assert keyless.sink.store.registers(one.kid) == community.sink.store.registers(other.kid)
    assert counted(keyless) == counted(community)
    assert set(keyless.sink.store.sealing().values()) == {0}


def history(meter):
    """Fifteen readings, two of them void; the same however often it is requested."""
    if not hasattr(meter, "history"):
        made = [meter.reading(START_S + 15 * n, [(5, n % 2)], instantaneous={64: n}) for n in range(6)]
        made.append(meter.publish("reading", reading_of(START_S + 90, [(1, 0)], (3, 0)), START_S + 105))
        made.append(meter.publish("reading", void_parts(meter)["garbage"], START_S + 105))
        made += [meter.reading(START_S + 15 * n, [(5, n % 2)], instantaneous={64: n}) for n in range(6, 13)]
        meter.history = made
    return meter.history


def test_a_person_with_a_key_has_the_own_meters_and_no_others(tmp_path):
    owner = key("owner of House 1")
    host = hosted(tmp_path, now_s=START_S + 86400, readers=[owner])
    mine, other = host.owned_meter("House 1"), host.owned_meter("House 2")
    host.sink.stored(*history(mine), *history(other))
    assert imports(host, mine)[-1] == (195, 65) and imports(host, other) == []
    assert host.sink.store.sealing() == {mine.kid: 0, other.kid: 15}
    measure(host, owner, key("owner of House 2"))
    assert imports(host, other) == imports(host, mine)
    assert host.sink.store.sealing() == {mine.kid: 0, other.kid: 0}
    host.sink.close()


def test_a_new_tenants_key_shows_their_own_time_and_the_operators_all(tmp_path):
    host = hosted(tmp_path, now_s=START_S + 86400, readers=[key("tenant")])
    meter, tenant = host.owned_meter("House 1"), host.person("tenant")
    host.sink.stored(*[meter.reading(START_S + 15 * n, [(5, 0)]) for n in range(3)])
    host.sink.stored(meter.begin_epoch([host.issuer, tenant.key], START_S), meter.open_key(START_S))
    host.sink.stored(*[meter.reading(START_S + 15 * n, [(5, 0)]) for n in range(3, 6)])
    assert imports(host, meter) == [(45, 15), (60, 20), (75, 25), (90, 30)]
    assert host.sink.store.sealing() == {meter.kid: 3}
    measure(host, key("issuer"), key("tenant"))
    assert imports(host, meter) == [(15 * n, 5 * n) for n in range(7)]
    host.sink.close()


def test_a_key_that_was_away_for_a_while_comes_back_to_what_it_missed(community):
    meter = community.owned_meter("House 1")
    said = [meter.reading(START_S + 15 * n, [(5, 0)]) for n in range(9)]
    community.sink.stored(*said[:3])
    community.sink.pipeline.ingest([new.raw for new in said[3:6]])
    measure(community)  # a program without it
    assert community.sink.store.sealing() == {meter.kid: 3}
    community.sink.stored(*said[6:])
    assert imports(community, meter) == [(15 * n, 5 * n) for n in range(10)]
    assert community.sink.store.sealing() == {meter.kid: 0}


def test_plain_readings_go_on_as_sealed_ones_and_are_checked_with_them(community):
    """From the first sealed reading on nothing of that meter is checked out of order."""
    meter = community.meter("House 1", seals=False)
    community.sink.stored(meter.reading(START_S, [(5, 0)]))
    community.sink.stored(meter.begin_epoch([community.issuer], START_S), meter.open_key(START_S))
    sealed, key_no = meter.reading(START_S + 15, [(5, 0)]), meter.key_no
    meter.key_no = 0
    plain = meter.reading(START_S + 30, [(5, 0)])
    fell = meter.publish("reading", reading_of(START_S + 45, [(1, 0)], (4, 0)), START_S + 60)
    meter.key_no = key_no
    verdicts = community.sink.ingest([sealed, plain, fell, meter.reading(START_S + 45, [(5, 0)])])
    assert {verdict.void_reason for verdict in verdicts} == {None}
    assert voids(community, meter) == [None, None, None, "falling_register", None]
    assert imports(community, meter) == [(15 * n, 5 * n) for n in range(5)]
    community.sink.reopen()
    community.sink.stored(meter.reading(START_S + 60, [(5, 0)]))
    assert imports(community, meter)[-1] == (75, 25)


def test_a_meter_may_carry_what_its_certificate_allows_at_the_end_of_the_reading(keyless):
    meter, begin_s = keyless.meter("House 1", rated_w=11_000), keyless.now_s
    jump = [
        meter.reading(begin_s, [(1, 0)]),
        meter.reading(begin_s + 15, [(150, 0)]),
        meter.reading(begin_s + 30, [(150, 0)]),
    ]
    keyless.sink.stored(*jump[:2])
    keyless.now_s = begin_s + 40
    keyless.publish(keyless.issuer, "certificate", {**meter.certificate.body, "version": 2, "rated_w": 22_000})
    keyless.sink.stored(jump[2])
    measure(keyless, key("issuer"))
    assert voids(keyless, meter) == [None, "impossible_jump", None]


def test_two_programs_at_one_store_measure_everything_once(community):
    meter = community.owned_meter("House 1")
    said = [meter.reading(START_S + 15 * n, [(5, 0)]) for n in range(20)]
    with Store(community.sink.path) as second:
        rejections = Rejections()
        other = Projections(second, Unsealer(second, [community.issuer]), rejections, lambda: START_S)
        for n, new in enumerate(said):
            community.sink.pipeline.ingest([new.raw])
            (community.sink.projections, other)[n % 3 == 0].catch_up()
    assert imports(community, meter) == [(15 * n, 5 * n) for n in range(21)]


def test_what_fails_midway_leaves_nothing_and_is_done_again(community, monkeypatch):
    meter = community.owned_meter("House 1")
    community.sink.stored(meter.reading(START_S, [(5, 0)]))
    community.sink.pipeline.ingest([meter.reading(START_S + 15 * n, [(5, 0)]).raw for n in range(1, 9)])
    real = Store.set_meta

    def full(store, name, value):
        raise StoreError("there is no space left")

    monkeypatch.setattr(Store, "set_meta", full)
    with pytest.raises(StoreError):
        community.sink.projections.catch_up()
    assert imports(community, meter) == [(0, 0), (15, 5)]
    monkeypatch.setattr(Store, "set_meta", real)
    community.sink.projections.catch_up()
    assert imports(community, meter) == [(15 * n, 5 * n) for n in range(10)]
    assert set(voids(community, meter)) == {None}


def test_much_is_measured_in_several_transactions(keyless, monkeypatch):
    monkeypatch.setattr(follow, "_AT_ONCE", 4)
    meters = [keyless.owned_meter(label) for label in ("House 1", "House 2")]
    for meter in meters:
        keyless.sink.stored(*history(meter))
    measure(keyless, key("issuer"))
    for meter in meters:
        assert imports(keyless, meter) == [(15 * n, 5 * n) for n in range(14)]
        assert voids(keyless, meter).count(None) == 13


def test_an_enrolment_meanwhile_loses_no_registers(community):
    meter = community.owned_meter("House 1")
    community.sink.stored(meter.reading(START_S, [(5, 0)]))
    members.enrol_person(community.sink.store, community.issuer, key("newcomer"), "newcomer", community.now_s)
    community.sink.stored(meter.publish("reading", reading_of(START_S + 15, [(1, 0)], (4, 0)), START_S + 30))
    assert voids(community, meter) == [None, "falling_register"]
