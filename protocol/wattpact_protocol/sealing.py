"""Sealing: what a meter measured, readable only with a key that it committed to beforehand.

    secret of an epoch -> key of a stretch (HKDF) -> sealed body (AES-CCM, synthetic nonce, padded) -> the same body
    secret of an epoch -> wrapped for each reader (X25519, HKDF, AES-CCM) in a KEY_EPOCH entry

What always holds: a nonce follows from key and content, so that no history of a meter's flash uses one twice with
different content; a sealed part is as long as its shape says, whatever was measured; an entry is opened only with the
key whose hash a KEY_OPEN entry holds. Specification: docs/spec/sealing.md.
"""

import hashlib

from wattpact_protocol import bodies, cbor, ccm, hkdf, readings, steps, x25519
from wattpact_protocol.sealed import NONCE_BYTES, PROTECTED, Sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from wattpact_protocol.entry import Entry

SECRET_BYTES = 32
KEY_BYTES = 48  # 16 to encrypt, 32 to make nonces
MAX_PADDED_BYTES = 800
_STEP_BYTES = 32
_END = b"\x80"  # behind the content, before the zeros that fill it up


class SealError(ValueError):
    """What cannot be sealed or opened; the text says why and holds nothing secret."""


class NoKeyError(SealError):
    """There is no key for this here."""


# Keys


def sealing_secret(seed: bytes) -> bytes:
    """The X25519 secret of whoever signs with that seed: one file to keep, two keys that share nothing."""
    return hkdf.derive(seed, b"", b"wattpact/sealing", 32)


def stretch_key(secret: bytes, kid: bytes, key_no: int) -> bytes:
    """The key of one stretch of a meter's log."""
    return hkdf.derive(secret, b"", b"wattpact/k" + kid + key_no.to_bytes(4, "big"), KEY_BYTES)


def commitment(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def context(community: bytes, kid: bytes, generation: int, key_no: int, kind: int) -> bytes:
    """The external_aad: a sealed part is void in any other place than a body of this kind, key and log."""
    return b"wattpact/1" + community + kid + generation.to_bytes(4, "big") + key_no.to_bytes(4, "big") + bytes((kind,))


# Contents


def seal_steps(key: bytes, where: bytes, key_no: int, content: bytes, length: int) -> "Generator[None, None, Sealed]":
    """A generator; its value is the content sealed, filled up to `length` bytes or, beyond it, to a multiple of 32.

    Raises SealError."""
    if not isinstance(content, bytes) or len(content) >= MAX_PADDED_BYTES:
        raise SealError("the content is not bytes, or is too long")
    _check_key(key)
    length = max(length, -(-(len(content) + 1) // _STEP_BYTES) * _STEP_BYTES)
    padded = content + _END + bytes(length - len(content) - 1)
    aad = _enc_structure(where)
    yield
    nonce = _nonce(key, aad, padded)
    yield
    return Sealed(key_no, nonce, ccm.seal(key[:16], nonce, aad, padded))


def seal(key: bytes, where: bytes, key_no: int, content: bytes, length: int) -> Sealed:
    """As `seal_steps`, at once."""
    return steps.finish(seal_steps(key, where, key_no, content, length))


def open(key: bytes, where: bytes, part: Sealed) -> bytes:
    """The content; raises SealError for another key, another place, and what no honest meter would make."""
    _check_key(key)
    aad = _enc_structure(where)
    try:
        padded = ccm.open(key[:16], part.nonce, aad, part.ciphertext)
    except ValueError:
        raise SealError("the sealed part does not open with this key")
    if not hkdf.equal(part.nonce, _nonce(key, aad, padded)):
        raise SealError("the nonce is not the content's")
    content = padded.rstrip(b"\x00")
    if content[-1:] != _END:
        raise SealError("the padding is malformed")
    return content[:-1]


def _check_key(key: bytes) -> None:
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        raise SealError("a key of a stretch is %d bytes" % KEY_BYTES)


def _enc_structure(where: bytes) -> bytes:
    """RFC 9052, 5.3."""
    return cbor.encode(["Encrypt0", PROTECTED, where])


def _nonce(key: bytes, aad: bytes, padded: bytes) -> bytes:
    """Another content has another nonce, without a counter or chance: a flash that was set back repeats neither."""
    return hkdf.hmac_sha256(key[16:], aad + padded)[:NONCE_BYTES]


# Bodies


def length_of(kind: int, body: "dict[str, Any]") -> int:
    """How long a content of this shape is sealed to, whatever its values: the bytes they can need, in steps of 32.

    Above MAX_PADDED_BYTES it is not sealed at all, be its values as small as they may: to be refused would tell."""
    if kind == bodies.READING:
        numbers = body["registers"]
        shown = len([number for number in numbers if number >= readings.FIRST_INSTANTANEOUS])
        # Head, generation, times, quality, calibration and mask; id, value and deltas below 2^16; id and value.
        most = 37 + (len(numbers) - shown) * (14 + 3 * readings.intervals(body)) + 9 * shown
    elif kind == bodies.EVENT:
        most = 4 + 11 * len(body["registers"])
    else:
        most = 18
    return -(-most // _STEP_BYTES) * _STEP_BYTES


def seal_body_steps(
    key: bytes, key_no: int, place: "tuple[bytes, bytes, int]", kind: int, body: "dict[str, Any]"
) -> "Generator[None, None, dict[str, Any]]":
    """A generator; its value is the body with what was measured sealed. `place` is (community, kid, generation).

    A body in which nothing is to be sealed comes back as it is. Raises SealError, BodyError."""
    raw: Any = bodies.encode(kind, body)
    content: Any = {}
    clear: dict[str, Any] = {}
    if kind == bodies.READING:
        content = raw[1]
    else:
        hidden = bodies.SEALABLE.get(kind, ())
        content = {number: raw[number] for number in _numbers(kind) if number in raw}
        clear = {name: value for name, value in body.items() if name not in hidden}
    if not content:
        return body
    length = length_of(kind, body)
    if length > MAX_PADDED_BYTES:
        raise SealError("a content of this shape may be too long")
    where = context(place[0], place[1], place[2], key_no, kind)
    yield
    plain = yield from cbor.encode_steps(content, 2)
    yield
    clear[bodies.SEALED] = yield from seal_steps(key, where, key_no, plain, length)
    return clear


def seal_body(
    key: bytes, key_no: int, place: "tuple[bytes, bytes, int]", kind: int, body: "dict[str, Any]"
) -> "dict[str, Any]":
    """As `seal_body_steps`, at once."""
    return steps.finish(seal_body_steps(key, key_no, place, kind, body))


def open_body(key: bytes, place: "tuple[bytes, bytes, int]", kind: int, body: "dict[str, Any]") -> "dict[str, Any]":
    """The body as it was before `seal_body`; raises SealError."""
    part = body[bodies.SEALED]
    where = context(place[0], place[1], place[2], part.key_no, kind)
    content = open(key, where, part)
    try:
        value = cbor.decode(content)
        if kind == bodies.READING:
            return readings.decode([0, value], bodies.BodyError)
        raw: Any = bodies.encode(kind, body)
        numbers = _numbers(kind)
        if not isinstance(value, dict) or not value or any(number not in numbers for number in value):
            raise SealError("the content is not what may be sealed here")
        del raw[bodies.SEALED_KEY]
        raw.update(value)
        return bodies.decode(kind, raw)
    except (cbor.DecodeError, bodies.BodyError) as error:
        raise SealError("the content is malformed: %s" % error)


def _numbers(kind: int) -> "list[int]":
    """The fields of a kind that may be sealed."""
    hidden = bodies.SEALABLE.get(kind, ())
    return [number for number, name, _, _ in bodies.TABLE[kind][1] if name in hidden]


class Opening:
    """Opens entries with the keys that `key_of(kid, generation, key_no)` finds, each only where it was committed to."""

    def __init__(self, community: bytes, key_of: "Callable[[bytes, int, int], bytes | None]") -> None:
        self._community = community
        self._key_of = key_of
        self._commitments: dict[tuple[bytes, int, int], bytes] = {}

    def follow(self, new: "Entry") -> bool:
        """Take note of a KEY_OPEN; of two with one number the first counts, and False is the answer to the other."""
        place = (new.kid, new.generation, new.body["key_no"])
        held = self._commitments.setdefault(place, new.body["commitment"])
        return bool(held == new.body["commitment"])

    def commitment_of(self, new: "Entry") -> "bytes | None":
        """The hash of the key that a sealed entry is sealed with, None where it was never opened."""
        return self._commitments.get((new.kid, new.generation, new.body[bodies.SEALED].key_no))

    def open(self, new: "Entry") -> "Entry":
        """The entry with its body as it was measured; an open one as it is. Raises NoKeyError, SealError."""
        if not new.is_sealed:
            return new
        key_no = new.body[bodies.SEALED].key_no
        committed = self.commitment_of(new)
        if committed is None:
            raise SealError("no key of that number was opened before it")
        key = self._key_of(new.kid, new.generation, key_no)
        if key is None:
            raise NoKeyError("there is no key for this entry here")
        if not hkdf.equal(commitment(key), committed):
            raise SealError("the key is not the one that was committed to")
        return new.with_body(open_body(key, (self._community, new.kid, new.generation), new.kind, new.body))


# Secrets of epochs


def wrap_steps(
    secret: bytes, ephemeral: bytes, number: int, place: "tuple[bytes, bytes]", readers: "list[tuple[bytes, bytes]]"
) -> "Generator[None, None, dict[str, Any]]":
    """A generator; its value is the body of a KEY_EPOCH that gives a secret of 32 bytes to each reader.

    `ephemeral` is 32 fresh random bytes, `place` (community, meter's kid), `readers` (kid, X25519 key); a reader whose
    key is no key is left out. Raises SealError where none is left, or the secret is none."""
    if not isinstance(secret, bytes) or len(secret) != SECRET_BYTES:
        raise SealError("a secret is %d bytes" % SECRET_BYTES)
    yield
    ephemeral_key = yield from x25519.public_key_steps(ephemeral)
    wraps = []
    for kid, key in readers:
        yield
        try:
            shared = yield from x25519.shared_steps(ephemeral, key)
        except x25519.AgreementError:
            continue
        yield
        wrapping, nonce = _wrapping(shared, place, number, ephemeral_key, key)
        yield
        wraps.append([kid, ccm.seal(wrapping, nonce, b"", secret)])
    yield
    if not wraps:
        raise SealError("nobody could read what is sealed")
    return {"number": number, "ephemeral_key": ephemeral_key, "wraps": wraps}


def unwrap(own_secret: bytes, kid: bytes, place: "tuple[bytes, bytes]", body: "dict[str, Any]") -> bytes:
    """The secret of an epoch for the reader of that kid; raises NoKeyError where it is not for them, SealError."""
    for reader, wrapped in body["wraps"]:
        if reader == kid:
            try:
                shared = x25519.shared(own_secret, body["ephemeral_key"])
                own_key = x25519.public_key(own_secret)
                wrapping, nonce = _wrapping(shared, place, body["number"], body["ephemeral_key"], own_key)
                return ccm.open(wrapping, nonce, b"", wrapped)
            except ValueError:
                raise SealError("the secret of the epoch does not unwrap")
    raise NoKeyError("the epoch is not for this reader")


def _wrapping(
    shared: bytes, place: "tuple[bytes, bytes]", number: int, ephemeral_key: bytes, reader_key: bytes
) -> "tuple[bytes, bytes]":
    """Key and nonce, used once: the ephemeral secret is fresh for each epoch."""
    info = b"wattpact/w" + place[0] + place[1] + number.to_bytes(4, "big") + ephemeral_key + reader_key
    made = hkdf.derive(shared, b"", info, 16 + NONCE_BYTES)
    return made[:16], made[16:]
