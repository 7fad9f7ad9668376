"""X25519 (RFC 7748, 5) in plain Python integers, for platforms without libsodium.

The same bytes as `_x25519_host`. Not constant in time: the runtime's big integers are not.
"""

from wattpact_protocol.steps import in_one

_P = (1 << 255) - 19
_A24 = 121665
_BASE = b"\x09" + bytes(31)


def public_key(secret: bytes) -> bytes:
    """The public key of 32 secret bytes."""
    return shared(secret, _BASE)


def shared(secret: bytes, public: bytes) -> bytes:
    """The secret shared with the holder of a public key, 32 bytes of 0 for points of small order."""
    scalar = int.from_bytes(secret, "little") & (1 << 254) - 8 | 1 << 254
    x_1 = (int.from_bytes(public, "little") & (1 << 255) - 1) % _P
    x_2, z_2 = _climb(scalar, x_1)
    return (x_2 * pow(z_2, _P - 2, _P) % _P).to_bytes(32, "little")


public_key_steps = in_one(public_key)
shared_steps = in_one(shared)


def _climb(scalar: int, x_1: int) -> "tuple[int, int]":
    """The Montgomery ladder: x and z of scalar times the point."""
    x_2, z_2, x_3, z_3 = 1, 0, x_1, 1
    for place in range(254, -1, -1):
        exchanged = scalar >> place & 1
        if exchanged:
            x_2, x_3, z_2, z_3 = x_3, x_2, z_3, z_2
        a, b = x_2 + z_2, x_2 - z_2
        da, cb = (x_3 - z_3) * a % _P, (x_3 + z_3) * b % _P
        aa, bb = a * a % _P, b * b % _P
        e = aa - bb
        x_3, z_3 = (da + cb) * (da + cb) % _P, x_1 * ((da - cb) * (da - cb) % _P) % _P
        x_2, z_2 = aa * bb % _P, e * (aa + _A24 * e) % _P
        if exchanged:
            x_2, x_3, z_2, z_3 = x_3, x_2, z_3, z_2
    return x_2, z_2
