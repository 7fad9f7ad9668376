"""Unsealing: what is read with the keys that are here, and what cannot be, however it was signed."""

import gc
import logging

import pytest
from simulator.bodies import reading_of
from simulator.community import START_S
from simulator.host import hosted, key
from wattpact.projections.unsealing import Unsealer
from wattpact_protocol import steps
from wattpact_protocol.log import entry, event_codes, ids, kinds
from wattpact_protocol.log.sealed_part import Sealed
from wattpact_protocol.sealing import content, epochs, period_keys
from wattpact_protocol.sealing.period_keys import NoKeyError, SealError


@pytest.fixture
def community(tmp_path):
    made = hosted(tmp_path, now_s=START_S + 3600)
    yield made
    made.sink.close()


@pytest.fixture
def meter(community):
    return community.owned_meter("House 1")


def unsealer_of(community, *signers):
    return Unsealer(community.sink.store, signers)


def test_operator_and_owner_read_what_was_measured_and_nobody_else(community, meter):
    body = reading_of(START_S, [(5, 1), (0, 0)], instantaneous={64: 1200})
    new = community.sink.stored(meter.publish("reading", body, START_S + 30))
    for signer in (community.issuer, meter.owner.key):
        opened = unsealer_of(community, signer).unseal(new)
        assert opened.body == body and not opened.is_sealed
        assert (opened.id, opened.raw, opened.kid, opened.sequence) == (new.id, new.raw, new.kid, new.sequence)
    for signers in ([], [community.host], [community.person("stranger").key]):
        with pytest.raises(NoKeyError):
            unsealer_of(community, *signers).unseal(new)
        assert unsealer_of(community, *signers).look(new) is new
        assert unsealer_of(community, *signers).key_of(meter.kid, 0, 1) is None


def test_every_kind_that_is_sealed_unseals_to_what_was_published(community, meter):
    contract = bytes(32)
    said = {
        "event": {"code": event_codes.BOOT, "detail": 3, "registers": {1: 40, 2: 0}},
        "usage_start": {"contract": contract, "grant": 1, "import_wh": 5},
        "usage": {"contract": contract, "attributed_wh": 12, "import_wh": 17},
        "usage_end": {"contract": contract, "attributed_wh": 40, "import_wh": 45, "reason": kinds.END_USED_UP},
    }
    for kind, body in said.items():
        new = community.sink.stored(meter.publish(kind, body, START_S + 30))
        assert new.is_sealed and not set(new.body) & set(kinds.SEALABLE[new.kind])
        assert community.sink.unsealer.unseal(new).body == body


def test_what_is_open_is_given_back_as_it_is(community):
    meter = community.meter("House 2", seals=False)
    new = community.sink.stored(meter.reading(START_S, [(5, 0)]))
    assert unsealer_of(community).unseal(new) is new


def test_the_key_of_a_key_period_is_the_one_that_was_committed_to(community, meter):
    own = meter.period_key
    assert community.sink.unsealer.key_of(meter.kid, 0, 1) == own == period_keys.period_key(meter.secret, meter.kid, 1)
    assert (
        community.sink.unsealer.key_of(meter.kid, 0, 2) is None
        and community.sink.unsealer.key_of(meter.kid, 1, 1) is None
    )
    community.sink.stored(meter.open_key(START_S))
    assert community.sink.unsealer.key_of(meter.kid, 0, 2) == meter.period_key != own


def test_a_new_epoch_is_closed_to_the_owner_before(community, meter):
    before = community.sink.stored(meter.reading(START_S, [(1, 0)]))
    tenant = community.person("tenant")
    community.sink.stored(meter.begin_epoch([community.issuer, tenant.key], START_S), meter.open_key(START_S))
    after = community.sink.stored(meter.reading(START_S + 15, [(1, 0)]))
    old, new = unsealer_of(community, meter.owner.key), unsealer_of(community, tenant.key)
    assert not old.unseal(before).is_sealed and not new.unseal(after).is_sealed
    for unsealer, closed in ((old, after), (new, before)):
        with pytest.raises(NoKeyError):
            unsealer.unseal(closed)
    both = unsealer_of(community, meter.owner.key, tenant.key)
    assert not both.unseal(before).is_sealed and not both.unseal(after).is_sealed


def test_a_secret_that_was_published_again_counts_from_then_on(community, meter):
    """A meter that lost its secret begins an epoch; one that numbers it as before is read all the same."""
    first = community.sink.stored(meter.reading(START_S, [(1, 0)]))
    meter.secret = ids.sha256(b"another secret of the same number")
    readers = [(community.issuer.kid, community.issuer.sealing_key)]
    wraps = epochs.wrap_steps(meter.secret, bytes(range(32)), meter.epoch, (community.id, meter.kid), readers)
    community.sink.stored(meter.publish("key_epoch", steps.finish(wraps), START_S), meter.open_key(START_S))
    second = community.sink.stored(meter.reading(START_S + 15, [(1, 0)]))
    unsealer = unsealer_of(community, community.issuer)
    assert not unsealer.unseal(first).is_sealed and not unsealer.unseal(second).is_sealed


def void_parts(meter):
    """Sealed bodies that no honest meter makes, correctly signed, by what is wrong with them."""
    body = reading_of(START_S, [(5, 0)])
    good = meter.seal(kinds.READING, body)[kinds.SEALED]
    place = (meter.community_id, meter.kid, meter.generation)
    where = period_keys.context(*place, meter.key_no, kinds.READING)

    def of(part):
        return {kinds.SEALED: part}

    def containing(plain, where=where):
        return of(steps.finish(content.seal_steps(meter.period_key, where, meter.key_no, plain, 64)))

    usage = period_keys.context(*place, meter.key_no, kinds.USAGE)
    return {
        "garbage": of(Sealed(meter.key_no, bytes(13), b"\x5a" * 104)),
        "a flipped bit": of(Sealed(good.key_no, good.nonce, good.ciphertext[:-1] + bytes([good.ciphertext[-1] ^ 1]))),
        "another nonce": of(Sealed(good.key_no, bytes(13), good.ciphertext)),
        "a key never opened": of(Sealed(meter.key_no + 1, good.nonce, good.ciphertext)),
        "another kind": containing(b"\x80", usage),
        "no CBOR": containing(b"\xff\xff"),
        "no reading": containing(b"\x81\x00"),
        "a reading sealed in itself": containing(b"\x82\x07\x80"),
        "an empty content": containing(b""),
    }


def test_a_part_that_no_honest_meter_makes_is_void(community, meter):
    for what, body in void_parts(meter).items():
        new = community.sink.stored(meter.publish("reading", body, START_S + 15))
        assert not isinstance(_raised(community.sink.unsealer, new), NoKeyError), what
    assert not community.sink.unsealer.unseal(community.sink.stored(meter.reading(START_S, [(5, 0)]))).is_sealed


def test_the_short_way_and_the_protocols_give_the_same(community, meter):
    """Of honest readings, of those that no honest meter makes, and of honest ones with any bit flipped."""
    place = (community.id, meter.kid, 0)
    honest = meter.seal(kinds.READING, reading_of(START_S, [(5, 0)] * 3, instantaneous={64: -5}))
    part = honest[kinds.SEALED]
    flipped = []
    for at in range(0, 8 * len(part.ciphertext), 7):
        changed = bytearray(part.ciphertext)
        changed[at // 8] ^= 1 << at % 8
        flipped.append({kinds.SEALED: Sealed(1, part.nonce, bytes(changed))})
    opened = 0
    for body in [honest, *void_parts(meter).values(), *flipped]:
        new = meter.sign_at("reading", body, (0, meter.sequence, meter.previous), START_S)
        if new.body[kinds.SEALED].key_no != 1:
            continue
        try:
            wanted = content.unseal_body(meter.period_key, place, kinds.READING, new.body)
        except SealError:
            wanted = None
            _raised(community.sink.unsealer, new)
        else:
            opened += 1
            assert community.sink.unsealer.unseal(new).body == wanted
    assert opened == 1 and len(flipped) > 100


def test_another_key_than_was_committed_to_opens_nothing(community, meter):
    community.sink.stored(meter.open_key(START_S, commitment=bytes(32)))
    new = community.sink.stored(meter.reading(START_S, [(5, 0)]))
    with pytest.raises(SealError, match="committed"):
        community.sink.unsealer.unseal(new)
    assert community.sink.unsealer.key_of(meter.kid, 0, 2) is None


def test_of_two_commitments_the_first_counts(community, meter):
    meter.key_no -= 1
    (verdict,) = community.sink.ingest([meter.open_key(START_S, commitment=bytes(32))])
    assert (verdict.reason, verdict.void_reason) == ("stored", "key_opened_twice")
    assert not community.sink.unsealer.unseal(community.sink.stored(meter.reading(START_S, [(5, 0)]))).is_sealed
    meter.key_no -= 1
    (verdict,) = community.sink.ingest([meter.open_key(START_S)])  # the same again does no harm
    assert (verdict.reason, verdict.void_reason) == ("stored", None)
    both = [meter.open_key(START_S, commitment=bytes([n]) * 32, key_no=9) for n in range(2)]
    assert [verdict.void_reason for verdict in community.sink.ingest(both)] == [None, "key_opened_twice"]


def test_a_key_opened_after_the_entry_does_not_open_it(community, meter):
    meter.key_no += 1
    early = community.sink.stored(meter.reading(START_S, [(5, 0)]))
    meter.key_no -= 1
    with pytest.raises(SealError, match="before it"):
        community.sink.unsealer.unseal(early)
    community.sink.stored(meter.open_key(START_S))
    late = community.sink.stored(meter.reading(START_S + 15, [(5, 0)]))
    assert not community.sink.unsealer.unseal(late).is_sealed
    with pytest.raises(SealError, match="before it"):
        community.sink.unsealer.unseal(early)


def test_an_epoch_that_does_not_unwrap_is_the_meters_fault(community, meter):
    wraps = [[community.issuer.kid, bytes(40)]]
    for ephemeral in (bytes(32), b"\x01" * 32):
        meter.epoch += 1
        body = {"number": meter.epoch, "ephemeral_key": ephemeral, "wraps": wraps}
        community.sink.stored(meter.publish("key_epoch", body, START_S), meter.open_key(START_S))
        new = community.sink.stored(meter.reading(START_S, []))
        with pytest.raises(SealError) as caught:
            community.sink.unsealer.unseal(new)
        assert not isinstance(caught.value, NoKeyError)
        assert isinstance(_raised(unsealer_of(community, meter.owner.key), new), NoKeyError)


def test_an_epoch_for_no_issuer_or_never_published_is_the_meters_fault(community, meter):
    """Else one meter that seals for nobody could keep its neighbours' bills from being made."""
    stranger = community.person("stranger")
    community.sink.stored(meter.begin_epoch([stranger.key], START_S), meter.open_key(START_S))
    for_nobody = community.sink.stored(meter.reading(START_S, [(5, 0)]))
    meter.epoch += 1
    community.sink.stored(meter.open_key(START_S))
    never_said = community.sink.stored(meter.reading(START_S + 15, [(5, 0)]))
    for unsealer in (community.sink.unsealer, unsealer_of(community), unsealer_of(community, meter.owner.key)):
        for new in (for_nobody, never_said):
            assert not isinstance(_raised(unsealer, new), NoKeyError)
    assert not unsealer_of(community, stranger.key).unseal(for_nobody).is_sealed


def _raised(unsealer, new):
    with pytest.raises(SealError) as caught:
        unsealer.unseal(new)
    return caught.value


def test_another_meters_epoch_opens_nothing(community, meter):
    """A secret copied out of a neighbour's log unwraps in its place alone."""
    other = community.owned_meter("House 2")
    copied = next(row for row in community.sink.store.entries(author=meter.kid, of_kinds=(kinds.KEY_EPOCH,)))
    body = entry.decode(copied.raw, community.id).body
    other.epoch += 1
    other.secret = meter.secret
    community.sink.stored(other.publish("key_epoch", {**body, "number": other.epoch}, START_S), other.open_key(START_S))
    new = community.sink.stored(other.reading(START_S, [(5, 0)]))
    assert not isinstance(_raised(community.sink.unsealer, new), NoKeyError)


def test_what_is_held_in_memory_is_bounded(community, meter, monkeypatch):
    monkeypatch.setattr("wattpact.projections.unsealing._MAX_HELD", 4)
    said = []
    for n in range(12):
        said += [
            meter.begin_epoch([community.issuer], START_S),
            meter.open_key(START_S),
            meter.reading(START_S + 15 * n, [(1, 0)]),
        ]
    community.sink.stored(*said)
    unsealer = unsealer_of(community, community.issuer)
    for _ in range(2):
        assert [unsealer.unseal(new).body["t0_s"] for new in said[2::3]] == [START_S + 15 * n for n in range(12)]
    assert len(unsealer._held.key_periods) <= 4 and len(unsealer._held.secrets) <= 4


def test_an_unsealer_for_another_thread_has_what_the_first_has_unwrapped(community, meter):
    new = community.sink.stored(meter.reading(START_S, [(5, 0)]))
    community.sink.unsealer.unseal(new)
    with community.sink.store.reader() as reader:
        other = community.sink.unsealer.on(reader)
        other.signers.clear()
        assert not other.unseal(new).is_sealed


def test_no_secret_shows_in_a_message_a_repr_or_the_log(community, meter, caplog):
    secrets = [
        meter.secret,
        meter.period_key,
        meter.period_key[:16],
        period_keys.sealing_secret(community.issuer.key._seed),
    ]
    with caplog.at_level(logging.DEBUG):
        texts = [repr(key("issuer")), repr(community.sink.unsealer), repr(meter.key)]
        for what in void_parts(meter).values():
            new = meter.publish("reading", what, START_S)
            community.sink.ingest([new])
            texts += [
                repr(new),
                str(_raised(community.sink.unsealer, new)),
                repr(_raised(community.sink.unsealer, new).args),
            ]
        texts.append(repr(list(community.sink.unsealer._held.key_periods.values())))
    texts.append(caplog.text)
    for text in texts:
        for secret in secrets:
            assert secret.hex() not in text and repr(secret)[2:-1] not in text


def test_a_failure_that_repeats_keeps_no_tracebacks(community, meter):
    new = community.sink.stored(meter.publish("reading", void_parts(meter)["garbage"], START_S))
    stranger = unsealer_of(community)
    for _ in range(3):
        stranger.look(new)
    gc.collect()
    assert all(key_period.problem.__traceback__ is None for key_period in stranger._held.key_periods.values())
