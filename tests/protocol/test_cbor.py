"""CBOR: the profile's own vectors, every item of RFC 8949's Appendix A and edge cases, and what encode rejects."""

import case
import diagnostic
from wattpact_protocol import steps
from wattpact_protocol.encoding import _cbor_portable, cbor


def decode_in_steps(data, limit=_cbor_portable.MAX_LENGTH):
    return steps.finish(cbor.decode_steps(data, 3, limit))


DECODERS = (cbor.decode, _cbor_portable.decode, decode_in_steps)


def from_json(value):
    """The value that a vector spells in JSON: {"bytes": hex}, {"int": "decimal"}, {"map": pairs}, {"tag18": value}."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "bytes" in value:
        return bytes.fromhex(value["bytes"])
    if "int" in value:
        return int(value["int"])
    if "tag18" in value:
        return cbor.Tag(18, from_json(value["tag18"]))
    pairs = {}
    for key, item in value["map"]:
        pairs[from_json(key)] = from_json(item)
    return pairs


def same(one, other):
    """Equal, and of equal types all through: 1 is not True."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other))
    if isinstance(one, dict):
        return len(one) == len(other) and all(key in other and same(one[key], other[key]) for key in one)
    if isinstance(one, cbor.Tag):
        return one.tag == other.tag and same(one.value, other.value)
    return one == other


def test_every_good_vector_encodes_and_decodes():
    for vector in case.vectors("cbor")["good"]:
        data = bytes.fromhex(vector["hex"])
        value = from_json(vector["value"])
        assert cbor.encode(value) == data, vector["name"]
        for decode in DECODERS:
            assert same(decode(data, 2048), value), vector["name"]


def test_every_bad_vector_is_rejected():
    for vector in case.vectors("cbor")["bad"]:
        for decode in DECODERS:
            case.raises(cbor.DecodeError, decode, bytes.fromhex(vector["hex"]))


def expected_value(item):
    """The value that a diagnostic item has in the profile, or OUTSIDE."""
    if isinstance(item, diagnostic.Pairs):
        pairs = {}
        for key, value in item.pairs:
            value = expected_value(value)
            if value is diagnostic.OUTSIDE or key is True or key is False or not isinstance(key, (int, str)):
                return diagnostic.OUTSIDE
            pairs[key] = value
        return pairs if diagnostic.levels(item) <= 6 else diagnostic.OUTSIDE
    if isinstance(item, list):
        values = [expected_value(value) for value in item]
        outside = any(value is diagnostic.OUTSIDE for value in values)
        return diagnostic.OUTSIDE if outside or diagnostic.levels(item) > 6 else values
    if isinstance(item, int) and item is not True and item is not False and not -(2**64) <= item < 2**64:
        return diagnostic.OUTSIDE
    return item


def check_one(test, fails):
    """Check one item of the public files against the profile; whether it was taken."""
    data = test.get("encoded")
    value = diagnostic.OUTSIDE if fails else expected_value(test.get("decoded"))
    if value is diagnostic.OUTSIDE or test.get("roundtrip") is False:
        for decode in DECODERS:
            case.raises(cbor.DecodeError, decode, data, len(data))
        return False
    for decode in DECODERS:
        assert same(decode(data, len(data)), value), test.get("description")
    assert cbor.encode(value) == data, test.get("description")
    if len(data) > 1024:
        case.raises(cbor.DecodeError, cbor.decode, data)
    return True


def test_public_items_get_the_verdict_of_their_diagnostic_type():
    # How many items of each file the profile takes: counted by hand, so that a rule that rejects all would show.
    taken = {
        "rfc8949-appendix-a/mt0": 11,
        "rfc8949-appendix-a/mt1": 5,
        "rfc8949-appendix-a/mt2": 2,
        "rfc8949-appendix-a/mt3": 7,
        "rfc8949-appendix-a/mt4": 4,
        "rfc8949-appendix-a/mt5": 5,
        "rfc8949-appendix-a/mt6": 0,
        "rfc8949-appendix-a/mt7-float": 0,
        "rfc8949-appendix-a/mt7-simple": 3,
        "rfc8949-appendix-a/streaming": 0,
        "rfc8949/bad": 0,
        "rfc8949/good": 13,
    }
    for name in sorted(taken):
        with open(case.data("cbor/" + name + ".edn"), encoding="utf-8") as file:
            document = diagnostic.parse(file.read())
        tests = document.get("tests")
        assert len(tests) > 1, name
        verdicts = [check_one(test, document.get("fail") is True) for test in tests]
        assert verdicts.count(True) == taken[name], (name, verdicts)


def test_length_and_depth_are_bounded():
    text = b"\x79\x03\xfd" + b"a" * 1021
    assert len(text) == 1024
    for decode in DECODERS:
        assert decode(text) == "a" * 1021
        case.raises(cbor.DecodeError, decode, b"\x79\x03\xfe" + b"a" * 1022)
        assert decode(b"\x79\x03\xfe" + b"a" * 1022, limit=1025) == "a" * 1022
        case.raises(cbor.DecodeError, decode, b"\x01", 0)
        assert decode(b"\x81" * 6 + b"\x01") == [[[[[[1]]]]]]
        for opening in (b"\x81" * 7, b"\xd2" * 7, b"\xa1\x01" * 7, b"\xd2\x81\xa1\x01" * 3, b"\x81" * 1000):
            case.raises(cbor.DecodeError, decode, opening + b"\x01")
        for length in (0x7FFFFFFF, 0xFFFFFFFF):
            for major in (0x5A, 0x7A, 0x9A, 0xBA):
                case.raises(cbor.DecodeError, decode, bytes([major]) + length.to_bytes(4, "big") + b"\x01")
        case.raises(cbor.DecodeError, decode, b"\x5b" + b"\xff" * 8)


def test_decode_takes_any_buffer_and_nothing_else():
    data = cbor.encode([1, b"ab"])
    for decode in DECODERS:
        for buffer in (data, bytearray(data), memoryview(data)):
            value = decode(buffer)
            assert value == [1, b"ab"] and type(value[1]) is bytes
        for other in ("\x01", 1, None, [1]):
            case.raises(cbor.DecodeError, decode, other)


def test_encode_takes_buffers_and_tuples_and_sorts_keys_bytewise():
    assert cbor.encode((1, bytearray(b"a"), memoryview(b"b"))) == bytes.fromhex("830141614162")
    # RFC 8949, 4.2.1, names these keys in this order.
    expected = "a6 0a01 1864 01 20 01 617a 01 62 6161 01 63 616161 01".replace(" ", "")
    assert cbor.encode({"aaa": 1, "aa": 1, "z": 1, -1: 1, 100: 1, 10: 1}).hex() == expected


def test_encode_rejects_what_the_profile_has_not():
    loop = []
    loop.append(loop)
    values = [2**64, -(2**64) - 1, {True: 1}, {None: 1}, {b"a": 1}, {(1,): 1}, {2**64: 1}]
    values += [cbor.Tag(17, 1), object(), set(), float(1), [float(0)]]
    values += [loop, [[[[[[[1]]]]]]], cbor.Tag(18, [[[[[[1]]]]]]), {1: {1: {1: {1: {1: {1: {1: 1}}}}}}}]
    for value in values:
        case.raises(cbor.EncodeError, cbor.encode, value)


def test_text_is_strict_utf8():
    bad = ["80", "c0ae", "c1bf", "e08080", "e09fbf", "eda080", "edbfbf", "f0808080", "f08fbfbf", "f4908080", "f5808080"]
    bad += ["f8888080", "ff", "c3", "e6b0", "f09085", "61c3", "c3bcff", "c328", "e6b028"]
    for hexadecimal in bad:
        raw = bytes.fromhex(hexadecimal)
        for decode in DECODERS:
            case.raises(cbor.DecodeError, decode, bytes([0x60 | len(raw)]) + raw)
            case.raises(cbor.DecodeError, decode, bytes([0xA1, 0x60 | len(raw)]) + raw + b"\x01")
    for text in ("\u00fc", "\u6c34", "\U00010151", "\U0010ffff", "\ud7ff\ue000", "\x00", "a" * 23 + "\u00fc"):
        assert cbor.decode(cbor.encode(text)) == text
    case.raises(cbor.EncodeError, cbor.encode, chr(0xD800))


def test_tags_compare_by_number_and_value():
    assert cbor.Tag(18, [1]) == cbor.Tag(18, [1])
    assert cbor.Tag(18, [1]) != cbor.Tag(18, [2]) and cbor.Tag(18, [1]) != cbor.Tag(17, [1]) and cbor.Tag(18, 1) != 1


def random_value(bits, depth):
    kind = bits.below(9 if depth else 6)
    if kind == 0:
        return bits.choice((None, True, False))
    if kind in (1, 2):
        number = int.from_bytes(bits.bytes(bits.below(9)), "big")
        return number if bits.below(2) else -1 - number
    if kind == 3:
        return bits.bytes(bits.below(40))
    if kind in (4, 5):
        return "".join([bits.choice(("a", "Z", " ", "\u00fc", "\u6c34", "\U00010151")) for _ in range(bits.below(9))])
    if kind == 6:
        pairs = {}
        for _ in range(bits.below(6)):
            pairs[random_key(bits)] = random_value(bits, depth - 1)
        return pairs
    if kind == 7 and bits.below(3) == 0:
        return cbor.Tag(18, random_value(bits, depth - 1))
    return [random_value(bits, depth - 1) for _ in range(bits.below(6))]


def random_key(bits):
    key = bits.choice((bits.below(40), bits.below(1 << 40), -1 - bits.below(300), "k" * bits.below(4), "\u00fc"))
    return key


def test_random_values_survive_and_any_changed_byte_gives_other_bytes_back():
    bits = case.Bits("cbor round trips")
    for _ in range(case.scale(3000, 400)):
        value = random_value(bits, 5)
        data = cbor.encode(value)
        assert same(cbor.decode(data, len(data)), value)
        place = bits.below(len(data))
        changed = data[:place] + bytes([bits.below(256)]) + data[place + 1 :]
        try:
            other = cbor.decode(changed, len(changed))
        except cbor.DecodeError:
            continue
        assert cbor.encode(other) == changed


def test_encoding_in_steps_gives_the_same_bytes_and_gives_way():
    bits, longest = case.Bits("cbor in steps"), 0
    for _ in range(case.scale(1000, 200)):
        value = [random_value(bits, 4) for _ in range(bits.below(12))]
        for whole in (value, dict(enumerate(value)), {"x%d" % n: item for n, item in enumerate(value)}):
            encoding = cbor.encode_steps(whole, 1 + bits.below(4))
            given = 0
            while True:
                try:
                    next(encoding)
                except StopIteration as done:
                    assert done.value == cbor.encode(whole)
                    break
                given += 1
            longest = max(longest, given)
    assert longest > 3
    case.raises(cbor.EncodeError, steps.finish, cbor.encode_steps([1, {b"no key": 1}], 2))


def test_decoding_in_steps_gives_way():
    data = cbor.encode([1, {17: [20_000 + day for day in range(32)], 18: b"x" * 40}])
    assert len(list(cbor.decode_steps(data, 3))) >= 3
    assert not list(cbor.decode_steps(data, 0))
