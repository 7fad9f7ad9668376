"""Sealing against another implementation: the specification written out anew with `cryptography` and `cbor2`.

It shares no code with the protocol's, so a mistake would have to be made twice to pass.
"""

import hashlib
import hmac
from typing import Any

import case
import cbor2
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator import bodies
from wattpact_protocol import steps
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import kinds
from wattpact_protocol.sealing import content, period_keys

VECTORS = case.vectors("sealing")
COMMUNITY = bytes.fromhex(VECTORS["community"])


def derived(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, None, info).derive(secret)


def aad(kid: bytes, generation: int, key_no: int, kind: int) -> bytes:
    where = b"wattpact/1" + COMMUNITY + kid + generation.to_bytes(4, "big") + key_no.to_bytes(4, "big") + bytes([kind])
    return cbor2.dumps(["Encrypt0", cbor2.dumps({1: 10}), where])


def open_part(key: bytes, kid: bytes, generation: int, kind: int, part: Any) -> Any:
    """The content of a sealed part, as the specification's rules 7 to 11 give it."""
    key_no, (protected, unprotected, ciphertext) = part
    assert protected == bytes.fromhex("a1010a")
    bound = aad(kid, generation, key_no, kind)
    padded = AESCCM(key[:16], tag_length=8).decrypt(unprotected[5], ciphertext, bound)
    assert hmac.digest(key[16:], bound + padded, "sha256")[:13] == unprotected[5]
    plain, end, rest = padded.rpartition(b"\x80")
    assert end and not rest.strip(b"\x00")
    return cbor2.loads(plain)


def test_the_vectors_are_as_in_the_specification() -> None:
    (keys,) = VECTORS["keys"]
    own_secret = derived(bytes.fromhex(keys["seed"]), b"wattpact/sealing", 32)
    assert own_secret.hex() == keys["sealing_secret"]
    own = X25519PrivateKey.from_private_bytes(own_secret)
    public = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert public.hex() == keys["sealing_key"]
    secret, kid = bytes.fromhex(keys["epoch_secret"]), bytes.fromhex(keys["kid"])
    key = derived(secret, b"wattpact/k" + kid + keys["key_no"].to_bytes(4, "big"), 48)
    assert key.hex() == keys["key"] and hashlib.sha256(key).hexdigest() == keys["commitment"]
    for row in VECTORS["bodies"]:
        opened, shut = cbor2.loads(bytes.fromhex(row["open"])), cbor2.loads(bytes.fromhex(row["sealed"]))
        if row["kind"] == kinds.READING:
            assert opened == [0, open_part(key, kid, 0, row["kind"], shut)]
        else:
            assert opened == {**{n: v for n, v in shut.items() if n}, **open_part(key, kid, 0, row["kind"], shut[0])}
    (wrap,) = VECTORS["wraps"]
    body = cbor2.loads(bytes.fromhex(wrap["body"]))
    shared = own.exchange(X25519PublicKey.from_public_bytes(body[2]))
    info = b"wattpact/w" + COMMUNITY + kid + body[1].to_bytes(4, "big") + body[2] + public
    made = derived(shared, info, 29)
    ((reader, wrapped),) = body[3]
    assert reader == kid and AESCCM(made[:16], tag_length=8).decrypt(made[16:], wrapped, b"") == secret


def test_the_rejected_are_rejected_by_both() -> None:
    (keys,) = VECTORS["keys"]
    key, kid = bytes.fromhex(keys["key"]), bytes.fromhex(keys["kid"])
    for row in VECTORS["refused"]:
        raw = bytes.fromhex(row["part"])
        body = kinds.decode(kinds.USAGE, {1: bodies.ID, 0: cbor.decode(raw)})
        with pytest.raises(period_keys.SealError):
            content.unseal_body(key, (COMMUNITY, kid, 0), kinds.USAGE, body)
        with pytest.raises((InvalidTag, AssertionError, cbor2.CBORDecodeError)):
            held = open_part(key, kid, 0, kinds.USAGE, cbor2.loads(raw))
            assert set(held) == {2, 3} and 0 <= held[3]


@given(st.binary(min_size=48, max_size=48), st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 1), st.data())
def test_whatever_is_sealed_the_other_opens(key: bytes, key_no: int, generation: int, data: st.DataObject) -> None:
    deltas = data.draw(st.lists(st.integers(0, 2**31), max_size=60))
    start = data.draw(st.integers(0, 2**62))
    body = bodies.reading(
        imported=start, deltas=deltas, instantaneous={64: [data.draw(st.integers(-(2**31), 2**31)), []]}
    )
    shut = content.seal_body(key, key_no, (COMMUNITY, bodies.KID, generation), kinds.READING, body)
    raw = cbor2.loads(cbor.encode(kinds.encode(kinds.READING, shut)))
    plain = cbor2.loads(cbor.encode(kinds.encode(kinds.READING, body)))
    assert [0, open_part(key, bodies.KID, generation, kinds.READING, raw)] == plain
    assert content.unseal_body(key, (COMMUNITY, bodies.KID, generation), kinds.READING, shut) == body


@given(st.binary(max_size=799), st.integers(0, 800))
def test_any_content_survives_its_padding(plain: bytes, length: int) -> None:
    key = bytes(range(48))
    part = steps.finish(content.seal_steps(key, b"where", 1, plain, length))
    assert content.unseal(key, b"where", part) == plain
    assert len(part.ciphertext) - 8 >= max(length, len(plain) + 1)


@settings(max_examples=case.cases(100, 25))
@given(
    st.recursive(
        st.none() | st.integers() | st.binary() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.integers(), inner),
    )
)
def test_no_value_is_a_sealed_part_by_accident_or_crashes(value: Any) -> None:
    with pytest.raises(kinds.BodyError):
        kinds.decode(kinds.USAGE, {0: value, 1: bodies.ID})
    with pytest.raises(kinds.BodyError):
        kinds.decode(kinds.READING, [1, value])
