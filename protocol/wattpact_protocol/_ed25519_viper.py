# mypy: ignore-errors
"""Ed25519 (RFC 8032, 5.1) in machine code that MicroPython compiles, for chips with 32-bit integers.

The same signatures and verdicts as `_ed25519_host`. Secrets decide no branch and no address; what is public (keys and
signatures to verify) may. Work comes as generators that give way after at most 400,000 instructions, and owns what it
works on, so that several may run in turns.
"""

import sys
from array import array

# What the others import, before them: an import within an import takes stack.
from wattpact_protocol import _ed25519_table, _field25519_viper, _sha512_constants  # noqa: F401
from wattpact_protocol import _scalar25519_viper as scalar
from wattpact_protocol._sha512_viper import digest_steps

# isort: split
from wattpact_protocol import _curve25519_viper as curve

if sys.maxsize != 0x7FFFFFFF:
    raise ImportError("needs 32-bit integers")

_ORDER_BYTES = bytes.fromhex("edd3f55c1a631258d69cf7a2def9de14" + "00" * 15 + "10")
# y of the points of order 4, 1, 2 and 8, which are all that have small order.
_SMALL_ORDER = tuple([
    bytes.fromhex(y)
    for y in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
])  # fmt: skip


def _limbs(data: bytes, count: int) -> "array[int]":
    """Little-endian bytes as limbs of 13 bits, at least as many as the bytes fill."""
    limbs = array("i", bytes(4 * count))
    scalar.unpack(limbs, data + bytes(2 + (13 * count + 7 >> 3) - len(data)), count)
    return limbs


_ORDER = int.from_bytes(_ORDER_BYTES, "little")
# As scalar.reduce wants it: 20 limbs of L, then 11 of 256 (L - 2^252).
_ORDER_LIMBS = _limbs(_ORDER_BYTES, 20) + _limbs(b"\x00" + _ORDER_BYTES[:16], 11)
_expanded = (b"", b"", b"", b"")  # the last seed, and its secret scalar, prefix and public key: a meter has one seed


def public_key_steps(seed: bytes):
    """A generator; its value is the public key of a 32-byte seed (RFC 8032, 5.1.5)."""
    _, _, key = yield from _expand_steps(seed)
    return key


def sign_steps(seed: bytes, message: bytes):
    """A generator; its value is the 64-byte signature (5.1.6), or None if it does not verify and so is withheld."""
    global _expanded
    secret, prefix, key = yield from _expand_steps(seed)
    nonce = yield from _hash_to_scalar_steps(prefix + message)
    commitment = yield from _multiply_base_steps(nonce)
    challenge = yield from _hash_to_scalar_steps(commitment + key + message)
    yield
    product = array("i", bytes(164))
    scalar.multiply_add(product, 0, product, challenge[:20] + _limbs(secret, 20) + nonce[:20])
    scalar.reduce(product, 0, product, _ORDER_LIMBS)
    s = bytearray(32)
    scalar.pack(s, product)
    signature = commitment + bytes(s)
    valid = yield from verify_steps(key, message, signature)
    # A disturbed nonce makes a valid signature, which beside the right one of the same message would give the key away.
    again = yield from _hash_to_scalar_steps(prefix + message)
    if valid and again == nonce:
        return signature
    _expanded = (b"", b"", b"", b"")
    return None


def verify_steps(public_key: bytes, message: bytes, signature: bytes):
    """A generator; its value is whether libsodium would accept. The caller has checked the lengths, 32 and 64."""
    if not (_is_reduced_scalar(signature[32:]) and _may_be_key(public_key) and _may_be_key(signature[:32])):
        return False
    commitment, s = signature[:32], int.from_bytes(signature[32:], "little")
    challenge = yield from _hash_to_scalar_steps(commitment + public_key + message)
    data = bytearray(32)
    scalar.pack(data, challenge)
    u, v = yield from _halve_steps(int.from_bytes(data, "little"))
    yield
    curves = curve.Curve(curve.VERIFYING)
    if not (yield from curves.decompress_steps(public_key, curve.FIRST, True)):
        return False
    if not (yield from curves.decompress_steps(commitment, curve.SECOND, v > 0)):
        return False
    base_digits = _recoded(_limbs((v * s % _ORDER).to_bytes(32, "little"), 20))
    vanishes = yield from curves.vanishes_steps(base_digits, _nonadjacent(u), _nonadjacent(abs(v)))
    return vanishes


def _halve_steps(challenge: int):
    """(u, v) of some 128 bits with u = challenge v modulo 8L, v odd: then sB - kA - R is zero where vsB - uA - vR is.

    Points have orders that divide 8L, to which v is coprime; half the doublings go (Antipa et al., Accelerated
    Verification of ECDSA Signatures, 2005).
    """
    before, u = 8 * _ORDER, challenge
    v_before, v = 0, 1
    number = 0
    while u >> 128:
        quotient = before // u
        before, u = u, before - quotient * u
        v_before, v = v, v_before - quotient * v
        number += 1
        if number & 15 == 0:
            yield
    return (u, v) if v & 1 else (before, v_before)


def _nonadjacent(number: int) -> bytes:
    digits = bytearray(260)
    scalar.nonadjacent(digits, _limbs(number.to_bytes(32, "little"), 21))
    return bytes(digits)


def _expand_steps(seed: bytes):
    """The secret scalar, the prefix of nonces and the public key (5.1.5)."""
    global _expanded
    if _expanded[0] != seed:
        digest = yield from digest_steps(seed)
        secret = bytearray(digest[:32])
        scalar.clamp(secret)
        key = yield from _multiply_base_steps(_limbs(secret, 20))
        _expanded = (seed, bytes(secret), digest[32:], key)
    return _expanded[1:]


def _hash_to_scalar_steps(data: bytes):
    """SHA-512 modulo L, in 20 limbs and more."""
    digest = yield from digest_steps(data)
    limbs = _limbs(digest, 41)
    scalar.reduce(limbs, 0, limbs, _ORDER_LIMBS)
    return limbs


def _recoded(limbs: "array[int]") -> "array[int]":
    digits = array("i", bytes(80))
    scalar.recode(digits, limbs, _ORDER_LIMBS)
    return digits


def _multiply_base_steps(limbs: "array[int]"):
    """The encoding of the base point times a secret number below 2^255."""
    point = curve.Curve(curve.SIGNING)
    yield from point.multiply_base_steps(_recoded(limbs))
    encoding = yield from point.compress_steps()
    return encoding


def _is_reduced_scalar(data: bytes) -> bool:
    return int.from_bytes(data, "little") < _ORDER


def _may_be_key(data: bytes) -> bool:
    """Whether y is below p and not that of a point of small order (docs/spec/ed25519.md, rules 3 and 4)."""
    y = data[:31] + bytes((data[31] & 127,))
    return y not in _SMALL_ORDER and not (y[31] == 127 and y[0] >= 237 and y[1:31] == b"\xff" * 30)


def _finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def public_key(seed: bytes) -> bytes:
    """The public key of a 32-byte seed."""
    return _finish(public_key_steps(seed))


def sign(seed: bytes, message: bytes) -> "bytes | None":
    """The 64-byte signature of the message, or None if it does not verify and so is withheld."""
    return _finish(sign_steps(seed, message))


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether libsodium would accept: 32-byte key and 64-byte signature, checked by the caller for length."""
    return _finish(verify_steps(public_key, message, signature))
