# mypy: ignore-errors
"""Ed25519 (RFC 8032, 5.1) in machine code that MicroPython compiles, for chips with 32-bit integers.

The same signatures and verdicts as `_ed25519_host`. Secrets decide no branch and no address; what is public (keys and
signatures to verify) may. Work comes as generators that give way after at most 400,000 instructions, and owns what it
works on, so that several may run in turns.
"""

import sys
from array import array

# What the others import, before them: an import within an import takes stack.
from wattpact_protocol.crypto import _scalar25519_viper as scalar
from wattpact_protocol.crypto._sha512_viper import digest_steps
from wattpact_protocol.steps import finish

# isort: split
from wattpact_protocol.crypto import _curve25519_viper as curve

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


_ORDER = int.from_bytes(_ORDER_BYTES, "little")
# As scalar.reduce wants it: 20 limbs of L, then 11 of 256 (L - 2^252).
_ORDER_LIMBS = scalar.limbs(_ORDER_BYTES, 20) + scalar.limbs(b"\x00" + _ORDER_BYTES[:16], 11)
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
    scalar.multiply_add(product, 0, product, challenge[:20] + scalar.limbs(secret, 20) + nonce[:20])
    scalar.reduce(product, 0, product, _ORDER_LIMBS)
    s = bytearray(32)
    scalar.pack(s, product)
    signature = commitment + bytes(s)
    yield
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
    yield
    data = bytearray(32)
    scalar.pack(data, challenge)
    u, v = yield from _halve_steps(int.from_bytes(data, "little"))
    yield
    curves = curve.Curve(curve.VERIFYING)
    yield  # finding that much free memory takes its time
    first = yield from curves.decompress_steps(public_key, True)
    if first is None:
        return False
    second = yield from curves.decompress_steps(commitment, v > 0)
    if second is None:
        return False
    base_digits = recoded(scalar.limbs((v * s % _ORDER).to_bytes(32, "little"), 20))
    yield
    digits, other_digits = _nonadjacent(u), _nonadjacent(abs(v))
    yield
    vanishes = yield from curves.vanishes_steps(base_digits, (first, second), digits, other_digits)
    return vanishes


def _halve_steps(challenge: int):
    """(u, v) of some 128 bits with u = challenge v modulo 8L, v odd: then sB - kA - R is zero where vsB - uA - vR is.

    Points have orders that divide 8L, to which v is coprime; half the doublings go (Antipa et al., Accelerated
    Verification of ECDSA Signatures, 2005). Euclid's steps are found from the leading bits, some eight at once
    (Lehmer); wherever those lead, u = challenge v holds, and one of two neighbouring v is odd.
    """
    before, u = 8 * _ORDER, challenge
    v_before, v = 0, 1
    shift = 227
    while u >> 128:
        leading, a, b, c, d = _leading_steps(before >> shift, u >> shift, max(1 << 15, 1 << max(0, 128 - shift)))
        if b:
            before, u = a * before + b * u, c * before + d * u
            v_before, v = a * v_before + b * v, c * v_before + d * v
        else:
            quotient = before // u
            before, u = u, before - quotient * u
            v_before, v = v, v_before - quotient * v
            while before >> shift == 0:
                shift -= 28
            leading = before >> shift
        while leading < 1 << 28:
            leading <<= 1
            shift -= 1
        yield
    return (u, v) if v & 1 else (before, v_before)


def _leading_steps(x: int, y: int, least: int) -> "tuple[int, int, int, int, int]":
    """Euclid's steps while remainders are `least` or more: what x became; and a, b, c, d of (ax + by, cx + dy).

    From 29 leading bits down to 15, what the other bits would change is less than any of the remainders. b is 0 where
    there is no such step.
    """
    a, b, c, d = 1, 0, 0, 1
    if y < least:
        return x, a, b, c, d
    quotient = x // y
    remainder = x - quotient * y
    while remainder >= least:
        x, y = y, remainder
        a, b, c, d = c, d, a - quotient * c, b - quotient * d
        quotient = x // y
        remainder = x - quotient * y
    return x, a, b, c, d


def _nonadjacent(number: int) -> bytes:
    digits = bytearray(260)
    scalar.nonadjacent(digits, scalar.limbs(number.to_bytes(32, "little"), 21))
    return bytes(digits)


def _expand_steps(seed: bytes):
    """The secret scalar, the prefix of nonces and the public key (5.1.5)."""
    global _expanded
    if _expanded[0] != seed:
        digest = yield from digest_steps(seed)
        secret = bytearray(digest[:32])
        scalar.clamp(secret)
        key = yield from _multiply_base_steps(scalar.limbs(secret, 20))
        _expanded = (seed, bytes(secret), digest[32:], key)
    return _expanded[1:]


def _hash_to_scalar_steps(data: bytes):
    """SHA-512 modulo L, in 20 limbs and more."""
    digest = yield from digest_steps(data)
    limbs = scalar.limbs(digest, 41)
    scalar.reduce(limbs, 0, limbs, _ORDER_LIMBS)
    return limbs


def recoded(limbs: "array[int]") -> "array[int]":
    """The digits by which a Curve multiplies its base point, of a number below 2^259."""
    digits = array("i", bytes(80))
    scalar.recode(digits, limbs, _ORDER_LIMBS)
    return digits


def _multiply_base_steps(limbs: "array[int]"):
    """The encoding of the base point times a secret number below 2^255."""
    point = curve.Curve(curve.SIGNING)
    yield from point.multiply_base_steps(recoded(limbs))
    encoding = yield from point.compress_steps()
    return encoding


def _is_reduced_scalar(data: bytes) -> bool:
    return int.from_bytes(data, "little") < _ORDER


def _may_be_key(data: bytes) -> bool:
    """Whether y is below p and not that of a point of small order (docs/spec/ed25519.md, rules 3 and 4)."""
    y = data[:31] + bytes((data[31] & 127,))
    return y not in _SMALL_ORDER and not (y[31] == 127 and y[0] >= 237 and y[1:31] == b"\xff" * 30)


def public_key(seed: bytes) -> bytes:
    """The public key of a 32-byte seed."""
    return finish(public_key_steps(seed))


def sign(seed: bytes, message: bytes) -> "bytes | None":
    """The 64-byte signature of the message, or None if it does not verify and so is withheld."""
    return finish(sign_steps(seed, message))


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether libsodium would accept: 32-byte key and 64-byte signature, checked by the caller for length."""
    return finish(verify_steps(public_key, message, signature))
