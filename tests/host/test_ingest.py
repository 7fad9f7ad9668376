"""Ingest: what is stored, and each reason for which something is not, provoked by entries really signed."""

import gc
import logging

import pytest
from simulator.bodies import reading_of, receipted
from simulator.community import NEVER, START_S
from simulator.host import hosted, key
from wattpact.ingest import pipeline
from wattpact.ingest.pipeline import STORED, Ingest
from wattpact.ingest.rejections import MAX_HELD
from wattpact.membership import members
from wattpact.membership.directory import Directory
from wattpact.projections import follow
from wattpact.store.records import Accepted, Rejection, StoreError
from wattpact.store.sqlite.store import Store
from wattpact_protocol.log import chain, entry, kinds, reasons, roles


@pytest.fixture
def community(tmp_path):
    made = hosted(tmp_path, seals=NEVER)
    yield made
    made.sink.close()


@pytest.fixture
def meter(community):
    return community.owned_meter("House 1")


def check_rejected(community, new, reason, source="10.0.0.7"):
    """Ingest one entry that must be rejected: not stored, counted by reason, author and source."""
    before = community.sink.store.last_cursor()
    kid = getattr(new, "kid", b"")
    assert community.sink.reasons([new], source) == [reason]
    assert community.sink.store.last_cursor() == before
    community.sink.store.count_rejections(community.sink.pipeline.rejections.drain(community.now_s))
    counted = {(row.reason, row.author, row.source): row.times for row in community.sink.store.rejections()}
    assert counted[reason, kid, source] >= 1


def test_entries_are_stored_in_order_and_their_registers_kept(community, meter):
    entries = [meter.reading(START_S + 15 * n, [(5, 1)], instantaneous={64: 1200 + n}) for n in range(4)]
    community.now_s = START_S + 60
    verdicts = community.sink.ingest(entries)
    assert [verdict.reason for verdict in verdicts] == [STORED] * 4
    assert [community.sink.store.entries(after=v.cursor - 1, limit=1)[0].raw for v in verdicts] == [
        e.raw for e in entries
    ]
    (registers,) = community.sink.store.registers(meter.kid)
    assert (registers.energy, registers.instantaneous, registers.end_s) == ({1: 20, 2: 4}, {64: 1203}, START_S + 60)
    points = community.sink.store.points(meter.kid)
    assert [(p.unix_s, p.import_wh, p.export_wh) for p in points] == [(START_S + 15 * n, 5 * n, n) for n in range(5)]


def test_what_came_ahead_of_a_log_is_stored_once_though_a_directory_was_read_before_it_came(community, meter):
    """With a block: the log reaches it when the entries before it come."""
    store, before = community.sink.store, community.sink.store.head(meter.kid, 0)
    first, second, third = [meter.publish("event", {"code": 1}, START_S) for _ in range(3)]
    with store.transaction():
        ahead = store.append([Accepted(second, True, None, True)], START_S)
    community.sink.pipeline.directory.refresh()
    assert store.head(meter.kid, 0) == before
    verdicts = community.sink.ingest([first, second, third])
    assert [(verdict.reason, verdict.cursor) for verdict in verdicts] == [
        (STORED, ahead + 1), (STORED, ahead), (STORED, ahead + 2),
    ]  # fmt: skip
    assert store.head(meter.kid, 0) == (third.sequence, third.id)
    other = meter.sign_at(kinds.EVENT, {"code": 2}, meter.place, START_S)
    with store.transaction():
        store.append([Accepted(other, True, None, True)], START_S)
    community.sink.pipeline.directory.refresh()
    assert community.sink.reasons([meter.publish("event", {"code": 1}, START_S)]) == [reasons.FORK]


def test_fifteen_intervals_are_fifteen_points_and_bad_ones_are_marked(community, meter):
    community.now_s = START_S + 900
    community.sink.stored(meter.reading(START_S, [(n, 0) for n in range(15)], bad_mask=0b100))
    points = community.sink.store.points(meter.kid)
    assert [p.import_wh for p in points] == [sum(range(n)) for n in range(16)]
    assert [p.unix_s for p in points if p.estimated] == [START_S + 45]


def test_malformed(community):
    for raw in (b"", b"\x00", bytes(2000), b"\xd2\x84"):
        check_rejected(community, raw, "entry_malformed")


def test_unknown_author(community, meter):
    stranger = key("stranger")
    place = (0, 0, meter.certificate_id)
    new = entry.sign(
        kinds.READING,
        reading_of(START_S, []),
        place,
        entry.Stamp(0, 0, START_S),
        stranger.kid,
        community.id,
        stranger.sign,
    )
    check_rejected(community, new, "unknown_author")


def test_another_community_is_a_bad_signature(community, meter):
    other = meter.sign_at("reading", reading_of(START_S, []), (0, 0, meter.certificate_id), START_S)
    foreign = entry.sign(
        other.kind, other.body, (0, 0, other.previous), other.stamp, meter.kid, bytes(16), meter.key.sign
    )  # fmt: skip
    check_rejected(community, entry.decode(foreign.raw, community.id), "bad_signature")


def test_a_flipped_bit_is_a_bad_signature(community, meter):
    new = meter.reading(START_S, [(5, 0)])
    raw = bytearray(new.raw)
    raw[-1] ^= 1
    check_rejected(community, entry.decode(bytes(raw), community.id), "bad_signature")
    community.now_s += 60
    community.sink.stored(new)


def test_a_role_may_publish_no_more_than_its_kinds(community, meter):
    body = receipted(meter.kid, 0)
    check_rejected(community, meter.sign_at("receipt", body, (0, 0, meter.certificate_id), START_S), "not_allowed")


def test_a_meter_may_certify_nobody(community, meter):
    body = members.certificate(key("friend").public_key, roles.METER, "friend", START_S)
    check_rejected(community, meter.sign_at("certificate", body, (0, 0, meter.certificate_id), START_S), "not_allowed")


def mandate(meter, order=1, **more):
    return {
        "order_id": order.to_bytes(8, "big"), "expires_s": START_S + 3600, "meter": meter.kid, "side": kinds.SELL,
        "limit_micro_per_kwh": 180_000, "wh": 40, "max_w": 8000, "start_s": START_S, "end_s": START_S + 3600, **more,
    }  # fmt: skip


def test_a_person_orders_the_own_meter_alone(community, meter):
    community.sink.stored(meter.owner.publish("mandate", mandate(meter), START_S))
    stranger = community.person("stranger")
    check_rejected(community, stranger.publish("mandate", mandate(meter, 2), START_S), "not_allowed")
    check_rejected(community, meter.owner.publish("mandate", mandate(stranger, 3), START_S), "not_allowed")


def test_a_persons_order_counts_once(community, meter):
    order = community.sink.stored(meter.owner.publish("mandate", mandate(meter), START_S))
    check_rejected(community, order, "duplicate")
    check_rejected(community, meter.owner.publish("mandate", mandate(meter, wh=41), START_S), "duplicate")
    both = [meter.owner.publish("mandate", mandate(meter, 2, wh=wh), START_S) for wh in (1, 2)]
    assert community.sink.reasons(both) == [STORED, "duplicate"]


def test_a_persons_order_has_its_place(community, meter):
    owner = meter.owner
    check_rejected(
        community, owner.sign_at("mandate", mandate(meter), (0, 1, owner.certificate_id), START_S), "broken_chain"
    )
    check_rejected(community, owner.sign_at("mandate", mandate(meter), (0, 0, bytes(32)), START_S), "broken_chain")
    check_rejected(
        community, owner.publish("terminate", {"contract": bytes(32), "reason": "x"}, START_S), "no_order_id"
    )
    community.now_s = START_S + 3601
    check_rejected(community, owner.publish("mandate", mandate(meter), START_S), "order_expired")


def test_a_meters_order_id_takes_nothing_out_of_its_chain(community, meter):
    body = {"contract": bytes(32), "reason": "x", "order_id": bytes(8), "expires_s": START_S + 60}
    community.now_s += 60
    community.sink.stored(
        meter.publish("terminate", body, START_S),
        meter.publish("terminate", body, START_S),
        meter.reading(START_S, [(1, 0)]),
    )
    assert community.sink.store.head(meter.kid, 0)[0] == 2


def test_outside_its_validity_a_certificate_covers_nothing(community, meter):
    late = meter.certificate.body["not_after_s"] + 1
    community.now_s = late
    check_rejected(
        community, meter.sign_at("event", {"code": 1}, (0, 0, meter.certificate_id), late), "certificate_expired"
    )
    early = meter.certificate.body["not_before_s"] - 1
    check_rejected(
        community, meter.sign_at("event", {"code": 1}, (0, 0, meter.certificate_id), early), "certificate_expired"
    )
    community.sink.stored(meter.sign_at("event", {"code": 1}, (0, 0, meter.certificate_id), None, clock_status=1))


def test_a_renewed_certificate_takes_nothing_back(community, meter):
    offline = [meter.reading(START_S + 900 * n, [(1, 0)] * 2, step_s=450) for n in range(3)]
    community.now_s = START_S + 400 * 86400
    renewed = {**meter.certificate.body, "version": 2, "not_before_s": community.now_s - 86400}
    community.publish(community.issuer, "certificate", renewed)
    community.sink.stored(offline[0])
    community.sink.reopen()
    community.sink.stored(*offline[1:])
    late = meter.certificate.body["not_after_s"] + 1
    community.now_s = late
    check_rejected(community, meter.publish("event", {"code": 1}, late), "certificate_expired")


def test_a_replay_is_a_duplicate_and_needs_no_signature(community, meter):
    new = meter.publish("event", {"code": 1}, START_S)
    community.sink.stored(new)
    check_rejected(community, new, "duplicate")
    assert community.sink.reasons([meter.publish("event", {"code": 2}, START_S)] * 2) == [STORED, "duplicate"]


def test_a_gap_waits_for_what_is_between(community, meter):
    first, second, third = (meter.publish("event", {"code": 1, "detail": n}, START_S) for n in range(3))
    check_rejected(community, third, "gap")
    assert community.sink.reasons([third, second, first]) == [STORED] * 3
    assert community.sink.store.head(meter.kid, 0) == (2, third.id)


def test_far_ahead_is_a_gap_before_any_signature(community, meter):
    check_rejected(community, meter.sign_at("event", {"code": 1}, (0, 10_000, bytes(32)), START_S), "gap")


def test_broken_chain(community, meter):
    check_rejected(community, meter.sign_at("event", {"code": 1}, (0, 0, bytes(32)), START_S), "broken_chain")


def test_stale_generation(community, meter):
    check_rejected(
        community, meter.sign_at("event", {"code": 1}, (1, 0, meter.certificate_id), START_S), "stale_generation"
    )


def test_a_fork_is_stored_and_freezes_the_log(community, meter):
    first = meter.publish("event", {"code": 1}, START_S)
    community.sink.stored(first, meter.publish("event", {"code": 2}, START_S))
    other = meter.sign_at("event", {"code": 3}, (0, 0, meter.certificate_id), START_S)
    check_rejected(community, other, "fork")
    (fork,) = community.sink.store.forks()
    assert (fork.author, fork.sequence, fork.held, fork.other) == (meter.kid, 0, first.raw, other.raw)
    next_one = meter.publish("event", {"code": 4}, START_S)
    check_rejected(community, next_one, "frozen_log")
    community.sink.reopen()
    check_rejected(community, next_one, "frozen_log")


def test_a_forged_fork_freezes_nothing(community, meter):
    community.sink.stored(meter.publish("event", {"code": 1}, START_S))
    forged = meter.sign_at("event", {"code": 3}, (0, 0, meter.certificate_id), START_S)
    raw = forged.raw[:-1] + bytes([forged.raw[-1] ^ 1])
    check_rejected(community, entry.decode(raw, community.id), "bad_signature")
    community.sink.stored(meter.publish("event", {"code": 4}, START_S))
    assert community.sink.store.forks() == []


def test_a_fork_within_one_batch_is_seen(community, meter):
    one, other = (meter.sign_at("event", {"code": code}, (0, 0, meter.certificate_id), START_S) for code in (1, 2))
    assert community.sink.reasons([one, other]) == [STORED, "fork"]
    assert len(community.sink.store.forks()) == 1


def test_future_time(community, meter):
    ahead = community.now_s + chain.MAX_AHEAD_S
    check_rejected(
        community, meter.sign_at("event", {"code": 1}, (0, 0, meter.certificate_id), ahead + 1), "future_time"
    )
    late = reading_of(ahead - 14, [(1, 0)])
    check_rejected(community, meter.sign_at("reading", late, (0, 0, meter.certificate_id), START_S), "future_time")
    community.sink.stored(meter.sign_at("event", {"code": 1}, (0, 0, meter.certificate_id), ahead))


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (reading_of(START_S + 15, [(1, 0)], start=(4, 0)), "falling_register"),
        (reading_of(START_S + 15, [(2000, 0)], start=(5, 0)), "impossible_jump"),
        (reading_of(START_S + 15, [], start=(2000, 0)), "impossible_jump"),
        (reading_of(START_S + 14, [(1, 0)], start=(5, 0)), "reading_time_ran_back"),
        (reading_of(START_S + 15, [(1, 0)], start=(5, 0), register_generation=0), "old_register_generation"),
    ],
)
def test_a_void_reading_is_stored_and_counts_for_nothing(community, meter, second, reason):
    generation = 1 if reason == "old_register_generation" else 0
    community.now_s = START_S + 60
    first = meter.publish("reading", reading_of(START_S, [(5, 0)], register_generation=generation), START_S + 15)
    community.sink.stored(first, meter.publish("reading", second, START_S + 30))
    row = community.sink.store.entries(author=meter.kid)[-1]
    assert row.void_reason == reason
    assert [p.import_wh for p in community.sink.store.points(meter.kid)] == [0, 5]
    community.sink.store.count_rejections(community.sink.pipeline.rejections.drain(community.now_s))
    assert community.sink.store.rejected()[reason] == 1
    community.sink.stored(
        meter.publish(
            "reading", reading_of(START_S + 15, [(1, 0)], (5, 0), register_generation=generation), START_S + 30
        )
    )
    assert community.sink.store.registers(meter.kid)[0].energy[1] == 6


def test_registers_are_known_after_a_restart(community, meter):
    community.now_s = START_S + 60
    community.sink.stored(meter.reading(START_S, [(5, 0)]))
    community.sink.reopen()
    community.sink.stored(meter.publish("reading", reading_of(START_S + 15, [], start=(4, 0)), START_S + 30))
    assert [row.void_reason for row in community.sink.store.void_entries()] == ["falling_register"]


def test_a_new_register_generation_begins_where_the_old_one_ended(community, meter):
    community.now_s = START_S + 60
    community.sink.stored(meter.reading(START_S, [(5, 0)]))
    community.sink.stored(
        meter.publish("reading", reading_of(START_S + 15, [(1, 0)], (90, 0), register_generation=1), START_S + 30)
    )
    assert [(p.unix_s, p.import_wh) for p in community.sink.store.points(meter.kid)] == [
        (START_S, 0),
        (START_S + 15, 5),
        (START_S + 30, 6),
    ]
    assert community.sink.store.registers(meter.kid)[0].energy[1] == 91


def test_a_whole_log_can_be_ingested_by_one_who_knows_the_root_alone(community, meter, tmp_path):
    community.now_s = START_S + 60
    community.sink.stored(*[meter.reading(START_S + 15 * n, [(5, 0)]) for n in range(3)])
    raws = [row.raw for row in community.sink.store.entries()]

    with Store(tmp_path / "copy.db", community.id) as copy:
        other = Ingest(copy, community.root.public_key, lambda: START_S + 60)
        assert {verdict.reason for verdict in other.ingest(raws)} == {STORED}
        assert [row.raw for row in copy.entries()] == raws
        follow.bring_up(copy, community.sink.readers, START_S + 60)
        assert copy.points(meter.kid) == community.sink.store.points(meter.kid)
        other.close()


def certify(community, public_key, **more):
    body = {**members.certificate(public_key, roles.METER, "again", community.now_s), **more}
    return body


def test_a_new_log_generation_needs_a_new_certificate(community, meter):
    community.sink.stored(meter.publish("event", {"code": 1}, START_S))
    body = {**meter.certificate.body, "version": 2, "generation": 1}
    renewed = community.publish(community.issuer, "certificate", body)
    first = meter.sign_at("event", {"code": 1}, (1, 0, renewed.id), START_S)
    community.sink.stored(first)
    check_rejected(community, meter.publish("event", {"code": 2}, START_S), "stale_generation")
    community.sink.reopen()
    community.sink.stored(meter.sign_at("event", {"code": 2}, (1, 1, first.id), START_S))


def test_a_certificate_that_goes_back_or_changes_a_role_changes_nothing(community, meter):
    """Signed by the issuer itself, so they stand in its log; nobody follows them."""
    community.now_s = START_S + 60
    sequence, previous = community.sink.store.head(community.issuer.kid, 0)
    wrong = [
        {**meter.certificate.body, "label": "other"},
        {**meter.certificate.body, "version": 2, "role": roles.PERSON},
        members.certificate(community.root.public_key, roles.METER, "root", START_S) | {"version": 9},
    ]
    reasons = []
    for body in wrong:
        sequence += 1
        stamp = entry.Stamp(0, 0, START_S)
        place = (0, sequence, previous)
        new = entry.sign(
            kinds.CERTIFICATE, body, place, stamp, community.issuer.kid, community.id, community.issuer.sign
        )
        previous = new.id
        (verdict,) = community.sink.ingest([new])
        assert verdict.reason == STORED
        reasons.append(verdict.void_reason)
    assert reasons == ["stale_version", "role_changed", "role_changed"]
    labels = {known.body["label"] for known in community.sink.store.certificates()}
    assert "other" not in labels and "House 1" in labels
    community.sink.stored(meter.reading(START_S, [(1, 0)]))


def test_another_program_may_store_entries_meanwhile(community, meter):
    community.now_s = START_S + 600
    entries = [meter.reading(START_S + 15 * n, [(5, 0)]) for n in range(20)]
    with Store(community.sink.path) as second:
        other = Ingest(second, community.root.public_key, lambda: community.now_s)
        for n, new in enumerate(entries):
            ingest = (community.sink.pipeline, other)[n % 2]
            assert [verdict.reason for verdict in ingest.ingest([new.raw])] == [STORED]
            assert [verdict.reason for verdict in other.ingest([new.raw])] == ["duplicate"]
        other.close()
    community.sink.projections.follow()
    assert community.sink.store.registers(meter.kid)[0].energy[1] == 100


def test_a_disk_that_is_full_leaves_nothing_half_stored(community, meter):
    community.now_s = START_S + 86400
    entries = [meter.reading(START_S + 15 * n, [(5, 0)]) for n in range(2000)]
    community.sink.stored(*entries[:10])
    community.sink.store.rows(f"PRAGMA max_page_count = {community.sink.store.value('PRAGMA page_count') + 20}")
    with pytest.raises(StoreError, match="no space left"):
        for start in range(10, 2000, 100):
            community.sink.ingest(entries[start : start + 100])
    held = community.sink.store.head(meter.kid, 0)[0] + 1
    assert (held - 10) % 100 == 0
    assert len(community.sink.store.points(meter.kid)) == held + 1
    community.sink.store.rows("PRAGMA max_page_count = 1000000")
    assert community.sink.reasons(entries[held : held + 100]) == [STORED] * 100


def test_a_disk_that_fills_up_under_a_long_run_of_batches_keeps_whole_batches(community, meter):
    """The disk is written in another thread meanwhile: what failed there must not have been counted on."""
    community.now_s = START_S + 86400
    entries = [meter.reading(START_S + 15 * n, [(5, 0)]) for n in range(3000)]
    community.sink.store.rows(f"PRAGMA max_page_count = {community.sink.store.value('PRAGMA page_count') + 40}")
    with pytest.raises(StoreError, match="no space left"):
        community.sink.ingest(entries)
    held = community.sink.store.head(meter.kid, 0)[0] + 1
    assert held % 256 == 0 and 0 < held < 3000
    assert [row.raw for row in community.sink.store.entries(author=meter.kid)] == [new.raw for new in entries[:held]]
    community.sink.store.rows("PRAGMA max_page_count = 1000000")
    assert community.sink.reasons(entries[held:]) == [STORED] * (3000 - held)
    assert community.sink.store.registers(meter.kid)[0].energy[1] == 15000


def test_each_rejection_is_named_in_the_log_once_a_burst(community, caplog):
    stranger = entry.sign(
        kinds.EVENT, {"code": 1}, (0, 0, bytes(32)), entry.Stamp(0, 0, START_S), key("x").kid, community.id,
        key("x").sign,
    )  # fmt: skip
    with caplog.at_level(logging.INFO, "wattpact.ingest"):
        for _ in range(50):
            community.sink.ingest([stranger], "10.0.0.9")
    assert [record.getMessage() for record in caplog.records] == [
        f"rejected: unknown_author, author {key('x').kid.hex()}, from 10.0.0.9"
    ]
    caplog.clear()
    with caplog.at_level(logging.INFO, "wattpact.ingest"):
        community.sink.pipeline.rejections.drain(community.now_s + 61)
    assert [record.getMessage() for record in caplog.records] == [
        f"rejected: unknown_author, author {key('x').kid.hex()}, 49 more"
    ]


def test_counts_stay_bounded_whoever_floods(community):
    for n in range(3000):
        community.sink.pipeline.rejections.count("unknown_author", n.to_bytes(8, "big"), f"10.0.{n % 250}.1", START_S)
        if n % 400 == 0:
            community.sink.store.count_rejections(community.sink.pipeline.rejections.drain(START_S))
    community.sink.store.count_rejections(community.sink.pipeline.rejections.drain(START_S))
    assert community.sink.store.rejected() == {"unknown_author": 3000}
    assert len(community.sink.store.rejections()) <= 1001


def test_how_far_ahead_of_a_log_an_entry_is_still_verified(community, meter):
    """Less than 512 beyond the log's end it costs a signature; further ahead it is a gap, whoever signed it."""
    community.now_s = START_S + 60

    def forged(sequence):
        new = meter.sign_at("event", {"code": 1}, (0, sequence, bytes(32)), START_S)
        return new.raw[:-1] + bytes([new.raw[-1] ^ 1])

    end = meter.sequence
    assert community.sink.reasons([forged(end + 511), forged(end + 512)]) == ["bad_signature", "gap"]


def test_a_new_generation_of_a_log_is_covered_by_its_own_certificates_alone(community, meter):
    """The certificate of before, which held earlier too, covers nothing of the new log; nor after a restart."""
    community.now_s = START_S + 600
    body = {**meter.certificate.body, "version": 2, "generation": 1, "not_before_s": START_S + 600}
    renewed = community.publish(community.issuer, "certificate", body)
    early = meter.sign_at("event", {"code": 1}, (1, 0, renewed.id), START_S + 599)
    check_rejected(community, early, "certificate_expired")
    community.sink.reopen()
    check_rejected(community, early, "certificate_expired")
    community.sink.stored(meter.sign_at("event", {"code": 1}, (1, 0, renewed.id), START_S + 600))


def test_a_new_generation_thaws_a_frozen_log(community, meter):
    community.sink.stored(meter.publish("event", {"code": 1}, START_S))
    check_rejected(community, meter.sign_at("event", {"code": 2}, (0, 0, meter.certificate_id), START_S), "fork")
    body = {**meter.certificate.body, "version": 2, "generation": 1}
    renewed = community.publish(community.issuer, "certificate", body)
    first, second = (meter.sign_at("event", {"code": n}, (1, n, renewed.id), START_S) for n in (0, 1))
    community.sink.stored(first)
    community.sink.reopen()
    check_rejected(community, second, "broken_chain")
    community.sink.stored(meter.sign_at("event", {"code": 2}, (1, 1, first.id), START_S))


def test_a_certificate_may_not_take_its_log_back_to_an_older_generation(community, meter):
    body = {**meter.certificate.body, "version": 2, "generation": 1}
    community.publish(community.issuer, "certificate", body)
    community.sink.reopen()
    assert (
        community.sink.pipeline.directory.certificate_problem({**body, "version": 3, "generation": 0})
        == "stale_version"
    )
    assert community.sink.pipeline.directory.certificate_problem({**body, "version": 3}) is None
    assert community.sink.pipeline.directory.certificate_problem(body) == "stale_version"


def test_a_key_whose_short_name_is_anothers_changes_nothing(community, meter):
    problem = community.sink.pipeline.directory.certificate_problem
    community.sink.pipeline.directory.refresh()
    author = community.sink.pipeline.directory.get(meter.kid)
    author.public_key = bytes(32)
    assert problem({**meter.certificate.body, "version": 2}) == "role_changed"


def test_a_certificate_that_is_void_gives_no_new_certificate_to_those_who_follow(community, meter):
    """Neither in the batch that brings it, nor in another process that reads it from the store."""
    directory = Directory(community.sink.store, community.root.public_key)
    sequence, previous = community.sink.store.head(community.issuer.kid, 0)
    body = {**meter.certificate.body, "version": 2, "role": roles.HOST}
    place = (0, sequence + 1, previous)
    stamp = entry.Stamp(0, 0, START_S)
    new = entry.sign(
        kinds.CERTIFICATE, body, place, stamp, community.issuer.kid, community.id, community.issuer.sign
    )  # fmt: skip
    assert community.sink.ingest([new])[0].void_reason == "role_changed"
    directory.refresh()
    for followed in (directory, community.sink.pipeline.directory):
        assert followed.get(meter.kid).certificate == meter.certificate.body
        assert followed.get(community.issuer.kid).head.next_sequence == sequence + 2
        assert followed.cursor == community.sink.store.last_cursor()


def test_a_failure_of_who_follows_is_raised_and_leaves_nothing_in_memory(community, meter):
    new = meter.publish("event", {"code": 1}, START_S)
    seen = []

    def fail(entries):
        seen.append(dict(entries))
        raise StoreError("no space left")

    community.sink.pipeline.follower = fail
    with pytest.raises(StoreError):
        community.sink.pipeline.ingest([new.raw])
    assert {cursor: held.id for cursor, held in seen[0].items()} == {community.sink.store.last_cursor() + 1: new.id}
    assert community.sink.pipeline.directory.get(meter.kid).head.next_sequence == 0
    community.sink.pipeline.follower = None
    assert community.sink.reasons([new]) == [STORED]
    assert community.sink.pipeline.ingest([]) == []


def test_each_rejection_is_counted_with_where_it_came_from(community, meter):
    new = meter.publish("event", {"code": 1}, START_S)
    verdicts = community.sink.pipeline.ingest([b"", new.raw, new.raw], ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    assert [verdict.reason for verdict in verdicts] == ["entry_malformed", STORED, "duplicate"]
    counted = community.sink.pipeline.rejections.drain(START_S)
    assert [(row.reason, row.author, row.source, row.times) for row in counted] == [
        ("entry_malformed", b"", "10.0.0.1", 1), ("duplicate", meter.kid, "10.0.0.3", 1),
    ]  # fmt: skip


def test_what_is_counted_is_stored_when_it_closes(community):
    community.sink.reasons([b""])
    community.sink.reopen()
    assert community.sink.store.rejected() == {"entry_malformed": 1}


def test_the_first_and_the_last_of_many_are_timed(community):
    for now_s in (START_S, START_S + 5, START_S + 9):
        community.sink.pipeline.rejections.count("gap", b"", "10.0.0.1", now_s)
    assert community.sink.pipeline.rejections.drain(START_S) == [
        Rejection("gap", b"", "10.0.0.1", 3, START_S, START_S + 9)
    ]
    assert community.sink.pipeline.rejections.drain(START_S) == []


def test_a_burst_ends_a_minute_after_its_last(community, caplog):
    rejections = community.sink.pipeline.rejections
    with caplog.at_level(logging.INFO, "wattpact.ingest"):
        for now_s in (START_S, START_S + 50):
            rejections.count("gap", b"", "", now_s)
        rejections.count("fork", b"author 1", "10.0.0.1", START_S + 50)
        rejections.drain(START_S + 50 + 59)
        rejections.drain(START_S + 50 + 60)
        rejections.count("gap", b"", "", START_S + 111)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "rejected: gap, author unknown, from this machine"),
        ("WARNING", "rejected: fork, author %s, from 10.0.0.1" % b"author 1".hex()),
        ("INFO", "rejected: gap, author unknown, 1 more"),
        ("INFO", "rejected: gap, author unknown, from this machine"),
    ]


def test_of_many_bursts_at_once_only_so_many_are_named(community, caplog):
    with caplog.at_level(logging.INFO, "wattpact.ingest"):
        for n in range(MAX_HELD + 100):
            community.sink.pipeline.rejections.count("unknown_author", n.to_bytes(8, "big"), "", START_S)
    assert len(caplog.records) == MAX_HELD + 1


def test_of_a_persons_orders_none_is_taken_for_anothers(community, meter):
    """In one batch: the same id of another person is another order."""
    two = community.owned_meter("House 2")
    one, other = (made.owner.publish("mandate", mandate(made), START_S) for made in (meter, two))
    assert community.sink.reasons([one, other, one]) == [STORED, STORED, "duplicate"]
    assert community.sink.reasons([one, other]) == ["duplicate"] * 2


def test_a_replayed_order_needs_no_signature_and_another_one_does(community, meter):
    order = community.sink.stored(meter.owner.publish("mandate", mandate(meter), START_S))
    other = meter.owner.publish("mandate", mandate(meter, wh=41), START_S)
    forged = [new.raw[:-1] + bytes([new.raw[-1] ^ 1]) for new in (order, other)]
    assert community.sink.reasons(forged) == ["duplicate", "bad_signature"]


def test_of_two_that_wait_for_others_each_is_held_against_its_own_log(community, meter):
    """At the same sequence of two logs, in one batch: neither is the other's fork."""
    two = community.owned_meter("House 2")
    said = [[made.publish("event", {"code": 1, "detail": n}, START_S) for n in range(2)] for made in (meter, two)]
    assert community.sink.reasons([said[0][1], said[1][1], said[1][0], said[0][0]]) == [STORED] * 4
    assert community.sink.reasons([said[0][0], said[1][1]]) == ["duplicate"] * 2
    assert community.sink.store.forks() == []


def test_of_two_commitments_to_one_key_the_first_counts(community):
    meter = community.owned_meter("House 3")
    community.begin_epoch(meter)
    community.open_key(meter)
    said = [
        meter.publish("key_open", {"key_no": number, "epoch": 1, "commitment": bytes([first]) * 32}, START_S)
        for number, first in ((1, 1), (2, 2), (2, 3), (2, 2))
    ]
    verdicts = community.sink.ingest(said)
    assert [verdict.void_reason for verdict in verdicts] == ["key_opened_twice", None, "key_opened_twice", None]


def test_many_cores_are_this_one_and_processes_for_the_others(community):
    store, root = community.sink.store, community.root.public_key
    assert [Ingest(store, root, int, cores).verifying._wanted for cores in (1, 3)] == [0, 2]


def test_the_collector_rests_while_entries_are_ingested_and_no_longer(community, meter):
    seen = []
    community.sink.pipeline.follower = lambda entries: seen.append(gc.isenabled())
    community.sink.pipeline.ingest([meter.publish("event", {"code": 1}, START_S).raw])
    assert seen == [False] and gc.isenabled()


def test_what_is_counted_between_two_times_it_is_stored_is_bounded(community):
    rejections = community.sink.pipeline.rejections
    for n in range(MAX_HELD + 100):
        rejections.count("gap", n.to_bytes(8, "big"), "10.0.0.1", START_S)
    rejections.count("gap", bytes(8), "10.0.0.1", START_S)  # which has a row already
    rows = rejections.drain(START_S)
    assert len(rows) == MAX_HELD + 1
    assert [(row.author, row.source, row.times) for row in (rows[0], rows[-1])] == [
        (bytes(8), "10.0.0.1", 2), (b"", "", 100),
    ]  # fmt: skip


def test_another_program_may_store_entries_while_signatures_are_verified(community, meter, monkeypatch):
    first, second = (meter.publish("event", {"code": 1, "detail": n}, START_S) for n in range(2))
    real, meanwhile = pipeline.verify, [first.raw]

    def verify(claims):
        while meanwhile:
            assert [verdict.reason for verdict in other.ingest([meanwhile.pop()])] == [STORED]
        return real(claims)

    with Store(community.sink.path) as second_store:
        other = Ingest(second_store, community.root.public_key, lambda: community.now_s)
        monkeypatch.setattr(pipeline, "verify", verify)
        assert community.sink.reasons([second]) == [STORED]
        other.close()
