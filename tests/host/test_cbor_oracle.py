"""CBOR against cbor2: the host's decoder and the portable one agree, and an outside codec agrees with both."""

import io
import random
from typing import Any

import case
import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattpact_protocol.encoding import _cbor_host, _cbor_portable, cbor

INTEGERS = st.one_of(st.integers(-30, 300), st.integers(-(2**64), 2**64 - 1))
KEYS = st.one_of(INTEGERS, st.text(max_size=6))
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, st.binary(max_size=30), st.text(max_size=12))


TAGS = (0, 1, 2, 3, 4, 5, 18, 24, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)
HEADS = bytes.fromhex("0017181a1b203738404157585f6061787f808198999fa0a1b8bfc0c2d2d8d91c1d1900f4f5f6f7f8f9fafbff")


def values(levels: int) -> st.SearchStrategy[Any]:
    if not levels:
        return SCALARS
    inner = values(levels - 1)
    return st.one_of(SCALARS, st.lists(inner, max_size=5), st.dictionaries(KEYS, inner, max_size=5))


def verdict(decode: Any, data: bytes) -> str:
    """The value with its types and the order of its keys, or "rejected"; no other error may come out."""
    try:
        return repr(decode(data, 4096))
    except cbor.DecodeError:
        return "rejected"


def test_the_host_decoder_is_in_use() -> None:
    assert cbor.decode is _cbor_host.decode
    assert cbor.encode is _cbor_portable.encode


@settings(max_examples=case.cases(400, 60), deadline=None)
@given(values(4))
def test_cbor2_reads_what_encode_writes_and_both_decoders_read_it_back(value: Any) -> None:
    data = cbor.encode(value)
    assert cbor2.loads(data) == value
    assert cbor2.loads(data, allow_indefinite=False, allow_duplicate_keys=False) == value
    assert verdict(_cbor_host.decode, data) == verdict(_cbor_portable.decode, data) != "rejected"
    assert cbor.decode(data, 4096) == value


@settings(max_examples=case.cases(300, 60), deadline=None)
@given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5), max_leaves=20))
def test_without_maps_encode_writes_what_cbor2_writes(value: Any) -> None:
    try:
        assert cbor.encode(value) == cbor2.dumps(value)
    except cbor.EncodeError:
        assert verdict(cbor.decode, cbor2.dumps(value)) == "rejected"  # deeper than the profile goes


def nested(rng: random.Random) -> Any:
    """A number, or nothing, in 4 to 8 arrays and maps, of which the profile takes 6."""
    value: Any = rng.choice((rng.randrange(30), [], {}))
    for _ in range(rng.randrange(4, 9)):
        value = [value] if rng.random() < 0.5 else {rng.randrange(30): value}
    return value


def reading(rng: random.Random) -> Any:
    """The payload of a reading, open or sealed, or the content that is sealed in it; or something near one of them."""
    few = [rng.getrandbits(rng.randrange(1, 65)) for _ in range(12)]
    deltas = [rng.getrandbits(rng.choice((3, 7, 12))) for _ in range(rng.randrange(26))]
    registers = {1: [few[0], deltas], 2: [few[1], [0] * len(deltas)]}
    if rng.random() < 0.7:
        registers[rng.choice((64, 64, 64, 65, 3))] = [rng.choice((few[2], -1 - few[2])), [0] * (rng.random() < 0.1)]
    stamp = [few[3], few[4], rng.choice((None, few[5])), 0]
    body = [0, [few[6], few[7], few[8], 0, rng.choice((None, few[9])), registers, few[10]]]
    shape = rng.randrange(3)
    if shape == 0:
        return body[1]
    if shape == 1:
        length = rng.choice((40, 72, 104, 104, 136, 232, 264, rng.randrange(300)))
        part = [b"\xa1\x01\x0a", {5: rng.randbytes(rng.choice((13, 13, 13, 12)))}, rng.randbytes(length)]
        body = [rng.choice((1, few[10])), part]
    return [2, 0, few[11], rng.randbytes(32), stamp, body]


def seeds(rng: random.Random) -> bytes:
    """Valid items, other codecs' liberties, and the tags that cbor2 gives a meaning."""
    tag = rng.choice(TAGS)
    value: Any = rng.choice(
        (
            [1, 0, 17, rng.randbytes(32), [3, 8123, 1763683200, 0], {1: [123456, [250, 0]], 2: [0, [0]], -1: "kWh"}],
            [rng.randrange(24)] * rng.randrange(20, 30),
            {key: rng.choice((0, "a" * 24)) for key in range(rng.randrange(20, 30))},
            nested(rng),
            reading(rng),
            reading(rng),
            {1: {2: {3: {4: {5: rng.getrandbits(rng.randrange(70))}}}}, "a": -1, "bb": None},
            [rng.getrandbits(rng.randrange(1, 66)) - (1 << rng.randrange(65)) for _ in range(rng.randrange(8))],
            cbor2.CBORTag(tag, rng.choice((0, b"\x01", "a", [1, 2], ["aaaa", cbor2.CBORTag(25, 0)]))),
            [cbor2.CBORTag(28, b"aaaaaaaa"), cbor2.CBORTag(29, 0)],
            {rng.choice((True, None, 1.5, b"k", (1,), "", 0, -5)): rng.choice((1.0, cbor2.undefined, "\u6c34", False))},
            "".join(rng.choice("a\u00fc\u6c34\U00010151") for _ in range(rng.randrange(30))),
        )
    )
    try:
        return cbor2.dumps(value, canonical=rng.random() < 0.5, indefinite_containers=rng.random() < 0.2)
    except (cbor2.CBOREncodeError, TypeError, AttributeError):
        return cbor2.dumps([1, "a"])


def mutate(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.choice((0, 1, 1, 1, 2, 4))):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data = data[:place] + bytes((rng.choice(HEADS),)) + data[place + 1 :]
        elif kind == 1:
            data = data[:place] + rng.randbytes(1) + data[place + 1 :]
        elif kind == 2:
            data = data[:place] + data[place + rng.randrange(4) :]
        elif kind == 3:
            data = data[:place] + bytes((rng.choice(HEADS),)) + data[place:]
        else:
            other = rng.randrange(len(data) + 1)
            data = data[:place] + data[other : other + 6] + data[place:]
    return data


def test_both_decoders_agree_on_mutations() -> None:
    rng = random.Random("mutations of CBOR")
    taken = 0
    count = case.cases(100_000, 5_000)
    for _ in range(count):
        data = mutate(rng, seeds(rng))
        host = verdict(_cbor_host.decode, data)
        assert host == verdict(_cbor_portable.decode, data), data.hex()
        if host != "rejected":
            taken += 1
            assert cbor.encode(cbor.decode(data, 4096)) == data
    assert count // 10 < taken < count * 9 // 10  # neither verdict was left out


def test_both_decoders_agree_on_every_pair_of_bytes() -> None:
    for first in range(256):
        for second in range(256):
            for rest in case.cases((b"", b"\x00", b"\xff", b"\x18"), (b"", b"\x18")):
                data = bytes((first, second)) + rest
                assert verdict(_cbor_host.decode, data) == verdict(_cbor_portable.decode, data), data.hex()


def test_a_reading_is_decoded_as_it_is() -> None:
    rng = random.Random("readings")
    shapes = 0
    for _ in range(2000):
        value = reading(rng)
        data = cbor2.dumps(value)
        if len(data) <= 1024:
            assert verdict(_cbor_host.decode, data) == verdict(_cbor_portable.decode, data), data.hex()
            shapes += _cbor_host._READING.fullmatch(data) is not None
    assert 500 < shapes < 1900


@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x01", b"\xd2", b"\x9f", b"\xd8\x1c\x81", b"\xc4\x82\x00"])
def test_deep_nesting_is_rejected_without_recursion(opening: bytes) -> None:
    data = opening * 100_000
    with pytest.raises(cbor.DecodeError):
        cbor.decode(data, limit=len(data))


def test_what_cbor2_decodes_beyond_the_profile_is_rejected() -> None:
    # The last has 25 items, whose definite head is as long as the indefinite one with its break.
    for text in ("1817", "0000", "a202010101", "9f01ff", "9f" + "00" * 25 + "ff"):
        data = bytes.fromhex(text)
        cbor2.load(io.BytesIO(data))
        assert verdict(cbor.decode, data) == "rejected"
