"""Sealed contents: what a meter measured, encrypted under the key of a key period, at a length fixed by its shape.

    key of a key period -> sealed body (AES-CCM, synthetic nonce, padded) -> the same body

What always holds: a nonce follows from key and content, so that no history of a meter's flash uses one twice with
different content; a sealed part's length follows from its shape, whatever was measured. docs/spec/sealing.md.
"""

from wattpact_protocol import steps
from wattpact_protocol.crypto import ccm, hkdf
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import kinds, readings
from wattpact_protocol.log.sealed_part import NONCE_BYTES, PROTECTED, Sealed
from wattpact_protocol.sealing.period_keys import KEY_BYTES, SealError, context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

MAX_PADDED_BYTES = 800
_STEP_BYTES = 32
_END = b"\x80"  # behind the content, before the zeros that fill it up


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


def unseal(key: bytes, where: bytes, part: Sealed) -> bytes:
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
        raise SealError("the key of a key period is %d bytes" % KEY_BYTES)


def _enc_structure(where: bytes) -> bytes:
    """RFC 9052, 5.3."""
    return cbor.encode(["Encrypt0", PROTECTED, where])


def _nonce(key: bytes, aad: bytes, padded: bytes) -> bytes:
    """Another content has another nonce, without a counter or randomness: a flash that was set back repeats neither."""
    return hkdf.hmac_sha256(key[16:], aad + padded)[:NONCE_BYTES]


def length_of(kind: int, body: "dict[str, Any]") -> int:
    """How long a content of this shape is sealed to, whatever its values: the bytes they can need, in steps of 32.

    Above MAX_PADDED_BYTES it is not sealed at all, however small its values: else a rejection would show them."""
    if kind == kinds.READING:
        numbers = body["registers"]
        shown = len([number for number in numbers if number >= readings.FIRST_INSTANTANEOUS])
        # Head, generation, times, quality, calibration and mask; id, value and deltas below 2^16; id and value.
        most = 37 + (len(numbers) - shown) * (14 + 3 * readings.intervals(body)) + 9 * shown
    elif kind == kinds.EVENT:
        most = 4 + 11 * len(body["registers"])
    else:
        most = 18
    return -(-most // _STEP_BYTES) * _STEP_BYTES


def seal_body_steps(
    key: bytes, key_no: int, place: "tuple[bytes, bytes, int]", kind: int, body: "dict[str, Any]"
) -> "Generator[None, None, dict[str, Any]]":
    """A generator; its value is the body with what was measured sealed. `place` is (community, kid, generation).

    A body in which nothing is to be sealed comes back as it is. Raises SealError, BodyError."""
    raw: Any = kinds.encode(kind, body)
    yield
    content: Any = {}
    clear: dict[str, Any] = {}
    if kind == kinds.READING:
        content = raw[1]
    else:
        hidden = kinds.sealable(kind)
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
    clear[kinds.SEALED] = yield from seal_steps(key, where, key_no, plain, length)
    return clear


def seal_body(
    key: bytes, key_no: int, place: "tuple[bytes, bytes, int]", kind: int, body: "dict[str, Any]"
) -> "dict[str, Any]":
    """As `seal_body_steps`, at once, for tools that make logs."""
    return steps.finish(seal_body_steps(key, key_no, place, kind, body))


def unseal_body(key: bytes, place: "tuple[bytes, bytes, int]", kind: int, body: "dict[str, Any]") -> "dict[str, Any]":
    """The body as it was before `seal_body`; raises SealError."""
    part = body[kinds.SEALED]
    where = context(place[0], place[1], place[2], part.key_no, kind)
    content = unseal(key, where, part)
    try:
        value = cbor.decode(content)
        if kind == kinds.READING:
            return readings.decode([0, value], kinds.BodyError)
        raw: Any = kinds.encode(kind, body)
        numbers = _numbers(kind)
        if not isinstance(value, dict) or not value or any(number not in numbers for number in value):
            raise SealError("the content is not what may be sealed here")
        del raw[kinds.SEALED_KEY]
        raw.update(value)
        return kinds.decode(kind, raw)
    except (cbor.DecodeError, kinds.BodyError) as error:
        raise SealError("the content is malformed: %s" % error)


def _numbers(kind: int) -> "list[int]":
    """The fields of a kind that may be sealed."""
    hidden = kinds.sealable(kind)
    return [number for number, name, _, _ in kinds.fields(kind) if name in hidden]
