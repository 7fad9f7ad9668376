"""Ed25519 (RFC 8032, 5.1) in plain Python integers, for platforms without libsodium.

The same signatures, and the same verdict on every input, as `_ed25519_host`. Not constant in time: the runtime's
big integers are not. Points are extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z (RFC 8032, 5.1.4).
"""

from wattpact_protocol.crypto import sha512

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

_P = (1 << 255) - 19
_ORDER = (1 << 252) + 27742317777372353535851937790883648493
_Y_MASK = (1 << 255) - 1
_D = 37095705934669439343138083508754565189542113879843219016388785533085940283555
_ROOT_OF_MINUS_1 = 19681161376707505956807079304988542015446066515923890162744021073123829784752
_ZERO = (0, 1, 1, 0)
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y = 46316835694926478169428394003475163141307993866256225615783033603165251855960
_BASE = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)


def public_key(seed: bytes) -> bytes:
    """The public key of a 32-byte seed."""
    scalar, _ = _expand(seed)
    return _compress(_multiply_base(scalar))


def sign(seed: bytes, message: bytes) -> bytes:
    """The 64-byte signature of the message (RFC 8032, 5.1.6)."""
    scalar, prefix = _expand(seed)
    key = _compress(_multiply_base(scalar))
    nonce = _hash_to_scalar(prefix + message)
    commitment = _compress(_multiply_base(nonce))
    challenge = _hash_to_scalar(commitment + key + message)
    return commitment + ((nonce + challenge * scalar) % _ORDER).to_bytes(32, "little")


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether libsodium would accept: 32-byte key and 64-byte signature, checked by the caller for length."""
    s = int.from_bytes(signature[32:], "little")
    key = _decompress(public_key)
    if s >= _ORDER or key is None or _has_small_order(key):
        return False
    challenge = _hash_to_scalar(signature[:32] + public_key + message)
    commitment = _multiply_both(s, challenge, _negate(key))
    return _compress(commitment) == signature[:32] and not _has_small_order(commitment)


def sign_steps(seed: bytes, message: bytes) -> "Generator[None, None, bytes]":
    """As `sign`, in one step."""
    yield
    return sign(seed, message)


def verify_steps(public_key: bytes, message: bytes, signature: bytes) -> "Generator[None, None, bool]":
    """As `verify`, in one step."""
    yield
    return verify(public_key, message, signature)


def _expand(seed: bytes) -> "tuple[int, bytes]":
    """The secret scalar and the prefix of nonces (RFC 8032, 5.1.5)."""
    digest = sha512.digest(seed)
    scalar = int.from_bytes(digest[:32], "little")
    return (scalar & (1 << 254) - 8) | 1 << 254, digest[32:]


def _hash_to_scalar(data: bytes) -> int:
    return int.from_bytes(sha512.digest(data), "little") % _ORDER


def _compress(point: "tuple[int, int, int, int]") -> bytes:
    x, y, z, _ = point
    inverse = pow(z, _P - 2, _P)
    return (y * inverse % _P | (x * inverse % _P & 1) << 255).to_bytes(32, "little")


def _decompress(data: bytes) -> "tuple[int, int, int, int] | None":
    """The point of 32 bytes (RFC 8032, 5.1.3); None where there is none or y is not reduced."""
    number = int.from_bytes(data, "little")
    y = number & _Y_MASK
    if y >= _P:
        return None
    u = (y * y - 1) % _P
    v = (_D * y * y + 1) % _P
    v3 = v * v * v % _P
    x = u * v3 * pow(u * v3 * v3 * v % _P, (_P - 5) // 8, _P) % _P
    vxx = v * x * x % _P
    if vxx != u:
        if vxx != _P - u:
            return None
        x = x * _ROOT_OF_MINUS_1 % _P
    if x & 1 != number >> 255:
        x = (_P - x) % _P
    return (x, y, 1, x * y % _P)


def _has_small_order(point: "tuple[int, int, int, int]") -> bool:
    """Whether 8 times the point is the neutral element."""
    for _ in range(3):
        point = _double(point)
    return point[0] == 0 and point[1] == point[2]


def _negate(point: "tuple[int, int, int, int]") -> "tuple[int, int, int, int]":
    x, y, z, t = point
    return (_P - x, y, z, _P - t)


def _add(p: "tuple[int, int, int, int]", q: "tuple[int, int, int, int]") -> "tuple[int, int, int, int]":
    """Complete for every pair of points of the curve (RFC 8032, 5.1.4)."""
    x1, y1, z1, t1 = p
    x2, y2, z2, t2 = q
    a = (y1 - x1) * (y2 - x2) % _P
    b = (y1 + x1) * (y2 + x2) % _P
    c = 2 * t1 * t2 * _D % _P
    d = 2 * z1 * z2 % _P
    e = b - a
    f = d - c
    g = d + c
    h = b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _double(p: "tuple[int, int, int, int]") -> "tuple[int, int, int, int]":
    x, y, z, _ = p
    a = x * x % _P
    b = y * y % _P
    h = a + b
    e = h - (x + y) * (x + y) % _P
    g = a - b
    f = 2 * z * z + g
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _multiples(point: "tuple[int, int, int, int]") -> "list[tuple[int, int, int, int]]":
    """0 to 15 times the point."""
    multiples = [_ZERO]
    for _ in range(15):
        multiples.append(_add(multiples[-1], point))
    return multiples


_BASE_MULTIPLES = _multiples(_BASE)


def _multiply_base(scalar: int) -> "tuple[int, int, int, int]":
    """scalar times the base point, four bits a step."""
    result = _ZERO
    for shift in range(252, -4, -4):
        result = _double(_double(_double(_double(result))))
        result = _add(result, _BASE_MULTIPLES[scalar >> shift & 15])
    return result


def _multiply_both(base_scalar: int, scalar: int, point: "tuple[int, int, int, int]") -> "tuple[int, int, int, int]":
    """base_scalar times the base point plus scalar times the point, sharing the doublings."""
    multiples = _multiples(point)
    result = _ZERO
    for shift in range(252, -4, -4):
        result = _double(_double(_double(_double(result))))
        result = _add(result, _BASE_MULTIPLES[base_scalar >> shift & 15])
        result = _add(result, multiples[scalar >> shift & 15])
    return result
