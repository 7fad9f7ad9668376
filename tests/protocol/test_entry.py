"""entry: one encoding, signed, named by its content; bytes that are no entry are rejected and nothing else happens."""

import case
from simulator import bodies
from simulator.authors import REAL, ROOT_SEED, Author, Key
from wattpact_protocol import steps
from wattpact_protocol.encoding import cbor, cose
from wattpact_protocol.log import entry, kinds


def test_every_kind_is_signed_and_verified_for_real():
    author = Author(Key(ROOT_SEED, REAL))
    for kind, body in bodies.all_bodies(author)[:: case.scale(1, 6)]:
        said = author.publish(kind, body)
        again = entry.decode(said.raw, author.community_id)
        assert (again.kind, again.body, again.id, again.kid) == (kind, body, said.id, author.kid)
        assert entry.verify(again, author.public_key, author.key.verify)
        for name in entry.Entry.__slots__:
            if name != "stamp":
                assert getattr(said, name) == getattr(again, name), (kind, name)
        assert said.stamp.to_list() == again.stamp.to_list()
        assert steps.finish(entry.decode_steps(said.raw, author.community_id)).body == body


def test_vectors():
    for vector in case.vectors("entry")["cases"]:
        raw = bytes.fromhex(vector["entry"])
        community = bytes.fromhex(vector["community"])
        if vector["verdict"] == "refused":
            case.raises(entry.EntryError, entry.decode, raw, community)
            continue
        said = entry.decode(raw, community)
        assert said.id.hex() == vector["id"] and said.name == vector["kind"], vector["why"]
        public_key = bytes.fromhex(vector["public_key"])
        verdict = entry.verify(said, public_key, Key(ROOT_SEED, REAL).verify)
        assert verdict == (vector["verdict"] == "verified"), vector["why"]


def test_the_signature_is_no_part_of_the_id():
    author = Author(Key(ROOT_SEED))
    said = author.publish(kinds.CONTRACT, {"acceptance": bodies.ID})
    other = entry.decode(said.raw[:-1] + b"\xff", author.community_id)
    assert other.id == said.id
    assert not entry.verify(other, author.public_key, author.key.verify)


def test_another_community_another_entry():
    author = Author(Key(ROOT_SEED))
    said = author.publish(kinds.CONTRACT, {"acceptance": bodies.ID})
    elsewhere = entry.decode(said.raw, bytes(16))
    assert elsewhere.id != said.id
    assert not entry.verify(elsewhere, author.public_key, author.key.verify)


def test_a_key_that_is_not_the_authors_never_verifies():
    author, stranger = Author(Key(ROOT_SEED)), Author(Key(bytes(32)))
    said = author.publish(kinds.CONTRACT, {"acceptance": bodies.ID})
    assert not entry.verify(said, stranger.public_key, lambda key, message, signature: True)


def _entry_of(payload):
    author = Author(Key(ROOT_SEED))
    return cose.sign1(author.kid, cbor.encode(payload), entry.aad_of(author.community_id), author.sign)


def test_payload_and_stamp_are_strict():
    stamp = [1, 5, 1000, 0]
    good = [kinds.CONTRACT, 0, 0, bytes(32), stamp, {1: bodies.ID}]
    entry.decode(_entry_of(good), bytes(16))
    for place, value in (
        (0, 0), (0, 19), (0, "11"), (0, True), (1, -1), (1, 1 << 32), (2, -1), (2, 1 << 63), (3, bytes(31)), (3, None),
        (4, None), (4, [1, 5, 1000]), (4, [True, 5, 1000, 0]), (4, [1, -5, 1000, 0]), (4, [1, 5, -1, 0]),
        (4, [1, 5, None, 0]), (4, [1, 5, 1000, 1]), (4, [1, 5, 1000, 16]), (4, [1, 5, 1000, 256]), (5, None), (5, {}),
    ):  # fmt: skip
        changed = list(good)
        changed[place] = value
        case.raises(entry.EntryError, entry.decode, _entry_of(changed), bytes(16))
    case.raises(entry.EntryError, entry.decode, _entry_of(good + [0]), bytes(16))
    case.raises(entry.EntryError, entry.decode, _entry_of({}), bytes(16))


def test_clock_status():
    good = [kinds.CONTRACT, 0, 0, bytes(32), [1, 5, None, 1], {1: bodies.ID}]
    assert entry.decode(_entry_of(good), bytes(16)).stamp.doubtful
    good[4] = [1, 5, 1000, 0x80]
    assert not entry.decode(_entry_of(good), bytes(16)).stamp.doubtful
    good[4] = [1, 5, 1000, 0x82]
    assert entry.decode(_entry_of(good), bytes(16)).stamp.doubtful


def test_oversize_and_other_types_are_rejected():
    for junk in (bytes(1025), b"", b"\xd2", None, "text", 5):
        case.raises(entry.EntryError, entry.decode, junk, bytes(16))


def test_what_may_not_be_published_is_not_signed():
    author = Author(Key(ROOT_SEED))
    case.raises(entry.EntryError, author.publish, kinds.CONTRACT, {"acceptance": b"short"})
    case.raises(entry.EntryError, author.publish, 77, {})
    case.raises(entry.EntryError, author.publish, kinds.CONTRACT, {"acceptance": bodies.ID}, -5)
