"""Certificates: what this meter trusts, and how little it verifies for it."""

import case
from simulator import bodies
from simulator.authors import REAL, StandIn
from simulator.community import START_S, YEAR_S
from simulator.memory_flash import Flash, Store
from simulator.peer import with_peer
from wattpact_meter.log import trust
from wattpact_meter.storage.store import MAX_VALUE_BYTES
from wattpact_protocol import steps
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import entry, ids, kinds, reasons, roles


def fresh(community, flash=None):
    return trust.Trust(community.root.public_key, Store(flash or Flash()), community.crypto.verify_steps)


def taught(community, flash=None):
    """A trust that has received the operator's certificates."""
    held = fresh(community, flash)
    for new in community.certificates:
        assert steps.finish(held.learn_steps(new, START_S)) is None
    return held


def signed_by(community, signer, subject, role, version=1, **more):
    """A certificate that the community's own host would never keep."""
    times = {"not_before_s": START_S - 10, "not_after_s": START_S + YEAR_S}
    body = bodies.certificate(subject, role, version=version, **dict(times, **more))
    return entry.sign(
        kinds.CERTIFICATE, body, (0, 50, bytes(32)), entry.Stamp(1, 1, START_S), signer.kid, community.id,
        signer.key.sign,
    )  # fmt: skip


def test_a_chain_of_real_signatures_is_trusted():
    community = with_peer(REAL)
    held = taught(community)
    assert held.author(community.host.kid)["role"] == roles.HOST
    assert held.author(community.issuer.kid)["id"] == community.issuer.certificate_id


def test_without_the_link_above_nothing_is_trusted():
    community = with_peer()
    held = fresh(community)
    host = community.host.certificate
    assert steps.finish(held.learn_steps(host, START_S)) == reasons.UNKNOWN_AUTHOR and held.verifications == 0
    assert steps.finish(held.learn_steps(community.issuer.certificate, START_S)) is None  # the root is pinned
    assert steps.finish(held.learn_steps(host, START_S)) is None
    stranger = with_peer(StandIn)
    stranger.id = community.id
    other = fresh(community)
    forged = signed_by(community, stranger.host, stranger.host, roles.ISSUER)
    assert steps.finish(other.learn_steps(forged, START_S)) == reasons.UNKNOWN_AUTHOR


def test_a_role_gives_only_what_it_may():
    community = with_peer()
    held = taught(community)
    neighbour = community.author("neighbour")
    for signer, role, reason in (
        (community.host, roles.METER, reasons.NOT_ALLOWED),
        (community.issuer, roles.ISSUER, reasons.NOT_ALLOWED),
        (community.issuer, roles.ROOT, reasons.NOT_ALLOWED),
        (community.root, roles.METER, reasons.NOT_ALLOWED),
        (community.root, roles.ROOT, reasons.NOT_ALLOWED),
        (community.issuer, roles.METER, None),
    ):
        assert steps.finish(held.learn_steps(signed_by(community, signer, neighbour, role), START_S)) == reason, (
            signer.name,
            role,
        )
    demoted = signed_by(community, community.issuer, community.issuer, roles.METER, version=9)
    assert steps.finish(held.learn_steps(demoted, START_S)) == reasons.NOT_ALLOWED
    usurped = signed_by(community, community.issuer, community.root, roles.METER, version=9)
    assert steps.finish(held.learn_steps(usurped, START_S)) == reasons.NOT_ALLOWED
    assert held.author(community.root.kid)["role"] == roles.ROOT


def test_a_key_keeps_its_role_and_a_kid_its_key():
    community = with_peer()
    held = taught(community)
    neighbour = community.author("neighbour")
    assert (
        steps.finish(held.learn_steps(signed_by(community, community.issuer, neighbour, roles.METER), START_S)) is None
    )
    before = held.verifications
    for role in (roles.PERSON, roles.HOST):
        turned = signed_by(community, community.issuer, neighbour, role, version=2)
        assert steps.finish(held.learn_steps(turned, START_S)) == reasons.ROLE_CHANGED
    real = ids.kid_of
    twin = community.author("twin")
    ids.kid_of = lambda key: neighbour.kid if key == twin.public_key else real(key)
    try:
        swapped = signed_by(community, community.issuer, twin, roles.METER, version=2)
        assert steps.finish(held.learn_steps(swapped, START_S)) == reasons.ROLE_CHANGED
    finally:
        ids.kid_of = real
    assert held.verifications == before and held.author(neighbour.kid)["public_key"] == neighbour.public_key


def test_versions_only_rise_and_nothing_is_verified_twice():
    community = with_peer()
    held = taught(community)
    neighbour = community.author("neighbour")
    second = signed_by(community, community.issuer, neighbour, roles.METER, version=2, owner=bytes(range(8)))
    assert steps.finish(held.learn_steps(second, START_S)) is None
    before = held.verifications
    assert steps.finish(held.learn_steps(second, START_S)) == reasons.DUPLICATE
    assert (
        steps.finish(held.learn_steps(signed_by(community, community.issuer, neighbour, roles.METER), START_S))
        == reasons.STALE_VERSION
    )
    again = signed_by(community, community.issuer, neighbour, roles.METER, version=2)
    assert steps.finish(held.learn_steps(again, START_S)) == reasons.STALE_VERSION and held.verifications == before
    assert held.author(neighbour.kid)["owner"] == bytes(range(8))
    third = signed_by(community, community.issuer, neighbour, roles.METER, version=3)
    assert steps.finish(held.learn_steps(third, START_S)) is None and held.author(neighbour.kid)["owner"] is None


def test_certificates_expire_by_the_clock_where_there_is_one():
    community = with_peer()
    held = taught(community)
    grant = community.publish(community.issuer, kinds.POLICY, {"version": 1})
    times = community.issuer.certificate.body
    late_s, begin_s = times["not_after_s"] + 1, times["not_before_s"]
    assert (
        steps.finish(held.check_steps(grant, START_S)) is None and steps.finish(held.check_steps(grant, None)) is None
    )
    before = held.verifications
    assert steps.finish(held.check_steps(grant, late_s)) == reasons.CERTIFICATE_EXPIRED and held.verifications == before
    assert steps.finish(held.check_steps(grant, begin_s - 90)) is None, (
        "a clock that is a little behind a new certificate"
    )
    assert steps.finish(held.check_steps(grant, begin_s - 990)) == reasons.CERTIFICATE_EXPIRED


def test_who_may_publish_what_is_checked_before_any_signature():
    community = with_peer()
    held = taught(community)
    before = held.verifications
    wrong = entry.sign(
        kinds.POLICY, {"version": 1}, (0, 9, bytes(32)), entry.Stamp(1, 1, START_S), community.host.kid, community.id,
        community.host.key.sign,
    )  # fmt: skip
    assert steps.finish(held.check_steps(wrong, START_S)) == reasons.NOT_ALLOWED and held.verifications == before
    policy = community.publish(community.issuer, kinds.POLICY, {"version": 1})
    damaged = bytearray(policy.raw)
    damaged[-3] ^= 4
    forged = entry.decode(bytes(damaged), community.id)
    assert steps.finish(held.check_steps(forged, START_S)) == reasons.BAD_SIGNATURE


def test_a_person_signs_orders_and_no_log():
    community = with_peer()
    person = community.person("anyone")
    held = taught(community)
    body = {"contract": bytes(32), "reason": "", "order_id": bytes(8), "expires_s": START_S}
    for place, extra, reason in (
        ((0, 0, person.certificate_id), {}, None),
        ((0, 1, person.certificate_id), {}, "broken_chain"),
        ((0, 0, bytes(32)), {}, "broken_chain"),
    ):
        body.update(extra)
        new = entry.sign(
            kinds.TERMINATE, body, place, entry.Stamp(0, 0, START_S), person.kid, community.id, person.key.sign
        )
        assert steps.finish(held.check_steps(new, START_S)) == reason


def test_what_is_known_outlives_a_restart_and_is_bounded():
    community = with_peer()
    flash = Flash()
    held = taught(community, flash)
    for number in range(trust.MAX_AUTHORS + 5):
        subject = community.author("n%d" % number)
        reason = steps.finish(held.learn_steps(signed_by(community, community.issuer, subject, roles.METER), START_S))
        assert reason == (None if number < trust.MAX_AUTHORS - 3 else reasons.AUTHORS_FULL), number
    assert len(held) == trust.MAX_AUTHORS and len(flash.values["trust"]) < MAX_VALUE_BYTES
    again = fresh(community, flash)
    assert len(again) == len(held) and again.author(community.host.kid) == held.author(community.host.kid)
    assert again.verifications == 0
    late_s = START_S + YEAR_S + 50
    issuer = community.author("next issuer")
    new = signed_by(community, community.root, issuer, roles.ISSUER, not_after_s=late_s + YEAR_S)
    assert steps.finish(again.learn_steps(new, START_S)) == reasons.AUTHORS_FULL
    root = signed_by(community, community.root, community.root, roles.ROOT, version=2, not_after_s=late_s + YEAR_S)
    assert steps.finish(again.learn_steps(root, START_S)) is None
    assert steps.finish(again.learn_steps(new, late_s)) is None, "an expired certificate does not make room"


def test_what_is_kept_is_data_that_any_store_holds():
    community = with_peer()
    flash = Flash()
    taught(community, flash)
    rows = cbor.decode(flash.values["trust"])
    assert len(rows) == 3 and sorted([len(row) for row in rows]) == [105, 105, 137]
    case.raises(AssertionError, Store(flash).save, "big", bytes(13000))


def test_sealing_keys_and_epochs_are_kept_and_old_records_are_given_up():
    community = with_peer()
    person, flash = community.person("anyone"), Flash()
    household = community.author("household")
    community.certify(household, community.issuer, roles.METER, epoch=7)
    taught(community, flash)
    held = fresh(community, flash)
    assert held.author(person.kid)["sealing_key"] == person.certificate.body["sealing_key"]
    assert held.author(household.kid)["epoch"] == 7 and held.author(household.kid)["sealing_key"] is None
    assert held.issuers() == [community.issuer.kid] and held.author(community.issuer.kid)["sealing_key"]
    rows = cbor.decode(flash.values["trust"])
    flash.values["trust"] = cbor.encode([row[:101] for row in rows])  # as a firmware before sealing kept them
    store = Store(flash)
    old = trust.Trust(community.root.public_key, store, community.crypto.verify_steps)
    assert len(old) == 0 and store.corrupt == {"trust"}
