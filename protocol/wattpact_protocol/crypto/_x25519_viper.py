# mypy: ignore-errors
"""X25519 (RFC 7748, 5) in machine code that MicroPython compiles, for chips with 32-bit integers.

The same bytes as `_x25519_host`. Secrets decide no branch and no address. The base point is multiplied on Ed25519's
curve, with its comb, and mapped (4.1). Work comes as generators that give way after at most 400,000 instructions.
"""

from wattpact_protocol.crypto import _curve25519_viper as curve
from wattpact_protocol.crypto import _scalar25519_viper as scalar
from wattpact_protocol.crypto._ed25519_viper import recoded
from wattpact_protocol.steps import finish

_POINT = 9  # the number that is the point's u; 0 to 3 are x_2, x_3, z_2 and z_3
_START = b"\x04\x00\x0e\x0d\x06\x01\x09\x0d\x04\x02\x0d\x0d\x04\x03\x0e\x0d\x00"  # x_2 = 1, x_3 = u, z_2 = 0, z_3 = 1
_STEP = (
    b"\x03\x04\x00\x02"  # A = x_2 + z_2
    b"\x04\x05\x00\x02"  # B = x_2 - z_2
    b"\x03\x06\x01\x03"  # C = x_3 + z_3
    b"\x04\x07\x01\x03"  # D = x_3 - z_3
    b"\x01\x07\x07\x04"  # DA
    b"\x01\x06\x06\x05"  # CB
    b"\x02\x04\x04\x01"  # AA
    b"\x02\x05\x05\x01"  # BB
    b"\x03\x01\x07\x06"
    b"\x02\x01\x01\x01"  # x_3 = (DA + CB)^2
    b"\x04\x03\x07\x06"
    b"\x02\x03\x03\x01"
    b"\x01\x03\x03\x09"  # z_3 = x_1 (DA - CB)^2
    b"\x01\x00\x04\x05"  # x_2 = AA BB
    b"\x06\x05\x04\x05"  # E = AA - BB
    b"\x07\x04\x04\x05"
    b"\x01\x02\x05\x04"  # z_2 = E (AA + a24 E)
    b"\x00"
)


def public_key_steps(secret: bytes):
    """A generator; its value is the public key of 32 secret bytes."""
    point = curve.Curve(curve.SIGNING)
    yield from point.multiply_base_steps(recoded(scalar.limbs(_clamped(secret), 20)))
    public = yield from point.u_steps()
    return public


def shared_steps(secret: bytes, public: bytes):
    """A generator; its value is the secret shared with the holder of a public key, 32 bytes of 0 for small orders."""
    secret = _clamped(secret)
    ladder = curve.Curve(curve.SIGNING)
    numbers = ladder.numbers
    numbers[20 * _POINT : 20 * _POINT + 20] = scalar.limbs(public[:31] + bytes((public[31] & 127,)), 20)
    ladder.run(_START)
    yield  # making a Curve takes its time, with much in the heap
    exchange, run, step = scalar.exchange, ladder.run, _STEP
    for place in range(254, -1, -1):
        exchange(numbers, 0, secret, place)
        run(step)
        if place % 6 == 0:
            yield
    # A clamped secret is even: nothing is left to be exchanged.
    agreed = yield from ladder.quotient_steps()
    return agreed


def _clamped(secret: bytes) -> bytearray:
    secret = bytearray(secret)
    scalar.clamp(secret)
    return secret


def public_key(secret: bytes) -> bytes:
    """The public key of 32 secret bytes."""
    return finish(public_key_steps(secret))


def shared(secret: bytes, public: bytes) -> bytes:
    """The secret shared with the holder of a public key, 32 bytes of 0 for points of small order."""
    return finish(shared_steps(secret, public))
