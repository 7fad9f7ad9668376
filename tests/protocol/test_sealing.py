"""sealing: what is sealed opens to itself with its own key in its own place, and to nothing with any other."""

import case
from simulator import bodies
from simulator.authors import ROOT_SEED, Author, Key
from wattpact_protocol import steps
from wattpact_protocol.crypto import ccm, x25519
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import entry, kinds, readings, sealed_part
from wattpact_protocol.sealing import content, epochs, period_keys, unsealing

SECRET = bytes(range(32))
COMMUNITY = bytes(range(16))
KEY = period_keys.period_key(SECRET, bodies.KID, 7)
PLACE = (COMMUNITY, bodies.KID, 0)
SEALABLE = ("event", "usage_start", "usage", "usage_end")


def _bodies():
    """(kind, body) of all that is sealed."""
    found = [(kinds.READING, bodies.reading(imported=120345, deltas=(12, 11, 12), instantaneous={64: [703, []]}))]
    for name in SEALABLE:
        found.append((kinds.KINDS[name], bodies.BODIES[name]))
    return found


def seal(*arguments):
    return steps.finish(content.seal_steps(*arguments))


def test_every_sealed_body_travels_and_opens_to_itself():
    for kind, body in _bodies():
        shut = content.seal_body(KEY, 7, PLACE, kind, body)
        hidden = kinds.SEALABLE.get(kind, tuple(body))
        assert sorted(shut) == sorted([name for name in body if name not in hidden] + ["sealed"])
        travelled = kinds.decode(kind, cbor.decode(cbor.encode(kinds.encode(kind, shut))))
        assert travelled == shut
        assert content.unseal_body(KEY, PLACE, kind, travelled) == body


def test_what_has_nothing_to_seal_stays_open():
    for kind, body in ((kinds.EVENT, {"code": 1}), (kinds.OFFER, bodies.BODIES["offer"])):
        assert content.seal_body(KEY, 7, PLACE, kind, body) == body


def test_a_body_is_open_or_sealed_and_never_both_or_neither():
    for kind, body in _bodies()[1:]:
        shut = kinds.encode(kind, content.seal_body(KEY, 7, PLACE, kind, body))
        opened = kinds.encode(kind, body)
        both = dict(opened)
        both[kinds.SEALED_KEY] = shut[kinds.SEALED_KEY]
        case.raises(kinds.BodyError, kinds.decode, kind, both)
        if kind != kinds.EVENT:  # an event may have no registers
            neither = {key: value for key, value in shut.items() if key != kinds.SEALED_KEY}
            case.raises(kinds.BodyError, kinds.decode, kind, neither)
        case.raises(kinds.BodyError, kinds.encode, kind, {"sealed": b"no sealed part"})
    case.raises(kinds.BodyError, kinds.decode, kinds.CONTRACT, {0: shut[kinds.SEALED_KEY], 1: bodies.ID})


def test_another_key_place_or_kind_opens_nothing():
    kind, body = kinds.USAGE, bodies.BODIES["usage"]
    shut = content.seal_body(KEY, 7, PLACE, kind, body)
    others = [
        (period_keys.period_key(SECRET, bodies.KID, 8), PLACE, kind),
        (period_keys.period_key(bytes(32), bodies.KID, 7), PLACE, kind),
        (KEY, (bytes(16), bodies.KID, 0), kind),
        (KEY, (COMMUNITY, bytes(8), 0), kind),
        (KEY, (COMMUNITY, bodies.KID, 1), kind),
        (KEY, PLACE, kinds.USAGE_END),
    ]
    for key, place, other in others:
        case.raises(period_keys.SealError, content.unseal_body, key, place, other, shut)
    part = shut["sealed"]
    moved = {"contract": bodies.ID, "sealed": sealed_part.Sealed(8, part.nonce, part.ciphertext)}
    case.raises(period_keys.SealError, content.unseal_body, KEY, PLACE, kind, moved)


def test_every_changed_bit_is_noticed():
    kind, body = _bodies()[0]
    part = content.seal_body(KEY, 7, PLACE, kind, body)["sealed"]
    bits = case.Bits(11)
    for _ in range(case.scale(400, 40)):
        nonce, ciphertext = bytearray(part.nonce), bytearray(part.ciphertext)
        place = bits.below(8 * (len(nonce) + len(ciphertext)))
        changed = nonce if place < 8 * len(nonce) else ciphertext
        changed[(place >> 3) % len(changed)] ^= 1 << (place & 7)
        other = {"sealed": sealed_part.Sealed(7, bytes(nonce), bytes(ciphertext))}
        case.raises(period_keys.SealError, content.unseal_body, KEY, PLACE, kind, other)


def test_a_nonce_is_the_contents_and_whoever_chooses_one_is_rejected():
    """The tag alone would let a meter use any nonce, and so the same one twice."""
    where = period_keys.context(COMMUNITY, bodies.KID, 0, 7, kinds.USAGE)
    padded = cbor.encode({2: 10, 3: 22}) + b"\x80" + bytes(20)
    aad = cbor.encode(["Encrypt0", sealed_part.PROTECTED, where])
    nonce = bytes(13)
    chosen = sealed_part.Sealed(7, nonce, ccm.seal(KEY[:16], nonce, aad, padded))
    assert ccm.open(KEY[:16], nonce, aad, chosen.ciphertext) == padded
    assert "nonce" in str(case.raises(period_keys.SealError, content.unseal, KEY, where, chosen))


def test_equal_contents_look_equal_and_other_contents_share_no_nonce():
    seen = {}
    for wh in range(case.scale(500, 50)):
        body = {"contract": bodies.ID, "attributed_wh": wh, "import_wh": 2 * wh}
        part = content.seal_body(KEY, 7, PLACE, kinds.USAGE, body)["sealed"]
        assert part == content.seal_body(KEY, 7, PLACE, kinds.USAGE, body)["sealed"]
        assert part.nonce not in seen
        seen[part.nonce] = wh


def test_the_length_follows_from_the_shape_alone():
    bits = case.Bits(5)
    for intervals in (0, 1, 4, 15, 60):
        lengths = set()
        for _ in range(case.scale(60, 6)):
            wh = 10 ** bits.below(16)
            deltas = [bits.below(1 << bits.choice((1, 5, 8, 16))) for _ in range(intervals)]
            shown = {64: [bits.below(1 << 17) - (1 << 16), []], 65: [bits.below(1 << 31), []]}
            body = bodies.reading(bits.below(1 << 33), wh, deltas, 10 ** bits.below(16), instantaneous=shown)
            lengths.add(len(content.seal_body(KEY, 7, PLACE, kinds.READING, body)["sealed"].ciphertext))
        assert len(lengths) == 1, (intervals, lengths)
    usage = set()
    for wh in (0, 23, 24, 70000, kinds.MAX_U32):
        for import_wh in (0, 5, 1 << 20, kinds.MAX_UINT):
            body = {"contract": bodies.ID, "attributed_wh": wh, "import_wh": import_wh}
            for kind, more in ((kinds.USAGE, {}), (kinds.USAGE_END, {"reason": 1})):
                full = dict(body)
                full.update(more)
                usage.add(len(content.seal_body(KEY, 7, PLACE, kind, full)["sealed"].ciphertext))
            start = {"contract": bodies.ID, "grant": 1, "import_wh": import_wh}
            usage.add(len(content.seal_body(KEY, 7, PLACE, kinds.USAGE_START, start)["sealed"].ciphertext))
    assert usage == {40}


def test_the_largest_reading_that_is_sealed_fits_an_entry_and_a_larger_one_is_rejected():
    author = Author(Key(ROOT_SEED))
    place = (author.community_id, author.kid, 0)
    key = period_keys.period_key(SECRET, author.kid, 7)
    body = bodies.reading(1 << 40, 1 << 62, (1 << 31,) * 60, 1 << 62, generation=kinds.MAX_U32)
    shut = content.seal_body(key, 7, place, kinds.READING, body)
    assert len(shut["sealed"].ciphertext) <= sealed_part.MAX_CIPHERTEXT_BYTES
    said = author.publish(kinds.READING, shut)
    assert said.is_sealed and len(said.raw) <= entry.MAX_ENTRY_BYTES
    registers = {number: [1, [1 << 30] * 60] for number in (1, 2, 11, 12, 21, 22, 31, 32)}
    large = dict(body)
    large["registers"] = registers
    case.raises(period_keys.SealError, content.seal_body, key, 7, place, kinds.READING, large)


def test_contents_that_no_honest_meter_seals_are_rejected_when_unsealed():
    where = period_keys.context(COMMUNITY, bodies.KID, 0, 7, kinds.USAGE)
    reading = period_keys.context(COMMUNITY, bodies.KID, 0, 7, kinds.READING)
    wrong = (
        b"",
        b"\xff",
        cbor.encode([1]),
        cbor.encode({}),
        cbor.encode({2: 1}),
        cbor.encode({1: bodies.ID, 2: 1, 3: 1}),
    )
    for plain in wrong + (cbor.encode({2: 1, 3: -1}), cbor.encode({2: 1, 3: 1}) + b"\x00\x01"):
        part = seal(KEY, where, 7, plain, 32)
        body = {"contract": bodies.ID, "sealed": part}
        case.raises(period_keys.SealError, content.unseal_body, KEY, PLACE, kinds.USAGE, body)
        part = seal(KEY, reading, 7, plain, 32)
        case.raises(period_keys.SealError, content.unseal_body, KEY, PLACE, kinds.READING, {"sealed": part})


def test_arguments_of_other_types_and_sizes_raise_the_documented_error():
    where = period_keys.context(COMMUNITY, bodies.KID, 0, 7, kinds.USAGE)
    part = seal(KEY, where, 7, b"content", 32)
    for key in (b"", KEY[:47], KEY + b"\x00", bytearray(KEY), None, "k" * 48):
        case.raises(period_keys.SealError, seal, key, where, 7, b"content", 32)
        case.raises(period_keys.SealError, content.unseal, key, where, part)
    for plain in (None, "content", bytearray(8), bytes(800)):
        case.raises(period_keys.SealError, seal, KEY, where, 7, plain, 32)
    for ciphertext in (b"", bytes(8), bytes(9), bytes(832), part.ciphertext[:-1], part.ciphertext + b"\x00"):
        case.raises(period_keys.SealError, content.unseal, KEY, where, sealed_part.Sealed(7, part.nonce, ciphertext))


def test_sealed_parts_that_are_none_are_rejected():
    part = seal(KEY, b"where", 7, b"content", 32)
    good = sealed_part.encode(part)
    assert sealed_part.decode(good) == part
    protected, unprotected, ciphertext = good[1]
    strange = (
        None,
        7,
        [],
        [7],
        [0, good[1]],
        [1 << 32, good[1]],
        [True, good[1]],
        [-1, good[1]],
        [7, good[1], 0],
        [7, [protected]],
        [7, [b"\xa1\x01\x18\x0a", unprotected, ciphertext]],
        [7, [b"", unprotected, ciphertext]],
        [7, [protected, {}, ciphertext]],
        [7, [protected, {5: part.nonce, 6: 0}, ciphertext]],
        [7, [protected, {6: part.nonce}, ciphertext]],
        [7, [protected, {5: part.nonce[:12]}, ciphertext]],
        [7, [protected, {5: None}, ciphertext]],
        [7, [protected, None, ciphertext]],
        [7, [protected, unprotected, bytes(8)]],
        [7, [protected, unprotected, bytes(833)]],
        [7, [protected, unprotected, None]],
    )
    for raw in strange:
        assert sealed_part.decode(raw) is None, raw


# Whole entries


def _opening(keys):
    return unsealing.Unsealing(COMMUNITY, lambda kid, generation, key_no: keys.get(key_no))


def _log():
    """A meter that opens key 7 and publishes a sealed reading."""
    meter = Author(Key(ROOT_SEED), COMMUNITY)
    key = period_keys.period_key(SECRET, meter.kid, 7)
    opened = meter.publish(kinds.KEY_OPEN, {"key_no": 7, "epoch": 1, "commitment": period_keys.commitment(key)})
    body = bodies.reading(deltas=(5, 6))
    shut = content.seal_body(key, 7, (COMMUNITY, meter.kid, 0), kinds.READING, body)
    return meter, key, opened, meter.publish(kinds.READING, shut), body


def test_an_entry_opens_with_the_key_that_was_committed_to():
    _, key, opened, said, body = _log()
    opening = _opening({7: key})
    case.raises(period_keys.SealError, opening.unseal, said)
    assert opening.follow(opened) and opening.follow(opened)
    found = opening.unseal(said)
    assert found.body == body and not found.is_sealed
    assert (found.id, found.raw, found.signature, found.sequence) == (said.id, said.raw, said.signature, said.sequence)
    assert opening.unseal(found).body == body
    case.raises(period_keys.NoKeyError, _following(opened, {}).unseal, said)


def _following(opened, keys):
    opening = _opening(keys)
    opening.follow(opened)
    return opening


def test_a_second_key_is_rejected_by_the_commitment_even_where_it_unseals():
    """A meter sealed with a key of its own choice, and opened one number twice: the hash decides, not the cipher."""
    meter, key, opened, said, body = _log()
    second = period_keys.period_key(bytes(32), meter.kid, 7)
    other = content.seal_body(second, 7, (COMMUNITY, meter.kid, 0), kinds.READING, bodies.reading(deltas=(50, 60)))
    two = meter.publish(kinds.READING, other)
    assert content.unseal_body(second, (COMMUNITY, meter.kid, 0), kinds.READING, two.body)
    assert "committed" in str(case.raises(period_keys.SealError, _following(opened, {7: second}).unseal, two))
    opening = _following(opened, {7: key})
    again = meter.publish(kinds.KEY_OPEN, {"key_no": 7, "epoch": 1, "commitment": period_keys.commitment(second)})
    assert not opening.follow(again)
    case.raises(period_keys.SealError, opening.unseal, two)
    assert opening.unseal(said).body == body


def test_the_secret_of_an_epoch_reaches_its_readers_and_nobody_else():
    owner, operator, stranger = [period_keys.sealing_secret(bytes([n]) * 32) for n in (1, 2, 3)]
    keys = [x25519.public_key(secret) for secret in (owner, operator, stranger)]
    readers = [(b"owner..1", keys[0]), (b"operator", keys[1]), (b"small or", bytes(32))]
    place = (COMMUNITY, bodies.KID)
    wrapping = epochs.wrap_steps(SECRET, bytes([9]) * 32, 3, place, readers)
    body = steps.finish(wrapping)
    assert kinds.decode(kinds.KEY_EPOCH, kinds.encode(kinds.KEY_EPOCH, body)) == body
    assert [row[0] for row in body["wraps"]] == [b"owner..1", b"operator"]
    assert epochs.unwrap(owner, b"owner..1", place, body) == SECRET
    assert epochs.unwrap(operator, b"operator", place, body) == SECRET
    case.raises(period_keys.NoKeyError, epochs.unwrap, stranger, b"stranger", place, body)
    case.raises(period_keys.SealError, epochs.unwrap, stranger, b"operator", place, body)
    case.raises(period_keys.SealError, epochs.unwrap, owner, b"owner..1", (COMMUNITY, bytes(8)), body)
    forged = dict(body)
    forged["number"] = 4
    case.raises(period_keys.SealError, epochs.unwrap, owner, b"owner..1", place, forged)
    forged["ephemeral_key"] = bytes(32)
    case.raises(period_keys.SealError, epochs.unwrap, owner, b"owner..1", place, forged)


def test_a_secret_that_nobody_could_read_is_not_wrapped():
    place = (COMMUNITY, bodies.KID)
    for readers in ([], [(bodies.KID, bytes(32))]):
        case.raises(period_keys.SealError, steps.finish, epochs.wrap_steps(SECRET, bytes([9]) * 32, 1, place, readers))
    for secret in (b"", bytes(31), None, bytearray(32)):
        wrapping = epochs.wrap_steps(secret, bytes([9]) * 32, 1, place, [(bodies.KID, bytes([9]) + bytes(31))])
        case.raises(period_keys.SealError, steps.finish, wrapping)


def test_keys_differ_wherever_anything_about_them_does():
    found = {
        period_keys.period_key(SECRET, bodies.KID, 7), period_keys.period_key(SECRET, bodies.KID, 8),
        period_keys.period_key(SECRET, bytes(8), 7), period_keys.period_key(bytes(32), bodies.KID, 7),
    }  # fmt: skip
    assert len(found) == 4 and {len(key) for key in found} == {period_keys.KEY_BYTES}
    assert period_keys.sealing_secret(SECRET) != SECRET


def test_nothing_secret_is_in_an_error_or_a_repr():
    meter, key, opened, said, _ = _log()
    texts = [repr(said), repr(said.body["sealed"]), repr(_following(opened, {7: key}))]
    for wrong in (bytes(48), period_keys.period_key(bytes(32), meter.kid, 7)):
        texts.append(str(case.raises(period_keys.SealError, _following(opened, {7: wrong}).unseal, said)))
        texts.append(
            str(case.raises(period_keys.SealError, content.unseal_body, wrong, (COMMUNITY, meter.kid, 0), 2, said.body))
        )
    for text in texts:
        assert key.hex()[:8] not in text and repr(key)[2:12] not in text and SECRET.hex()[:8] not in text, text


def test_readings_of_a_sealed_body_are_no_readings():
    _, key, _, said, body = _log()
    assert "t0_s" not in said.body
    assert readings.end_s(content.unseal_body(key, (COMMUNITY, said.kid, 0), said.kind, said.body)) == readings.end_s(
        body
    )
