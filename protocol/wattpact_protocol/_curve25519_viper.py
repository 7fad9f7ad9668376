# mypy: ignore-errors
"""Points of Ed25519's curve as programs of the machine in _field25519_viper: the sums and products that RFC 8032 gives.

A point is X, Y, Z, T in numbers 0 to 3 with x = X/Z, y = Y/Z, xy = T/Z (RFC 8032, 5.1.4). A point to be added is
y + x, y - x, 2dxy in numbers 9 to 11, each times z where number 12 is 2z.
"""

from array import array

import micropython

from wattpact_protocol import _ed25519_table
from wattpact_protocol import _scalar25519_viper as scalar
from wattpact_protocol._field25519_viper import run

FIRST, SECOND = 18, 34  # multiples of points: four of four numbers, and four again
SIGNING, VERIFYING = 15, 50  # how many numbers each needs
_COLUMNS = 26


def _limbs(data: bytes) -> "array[int]":
    limbs = array("i", bytes(80))
    scalar.unpack(limbs, data + bytes(2), 20)
    return limbs


# Numbers 13 on: 0, 1, d and the root of -1 (RFC 8032, 5.1).
_CONSTANTS = (
    array("i", bytes(80))
    + _limbs(b"\x01" + bytes(31))
    + _limbs(bytes.fromhex("a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352"))
    + _limbs(bytes.fromhex("b0a00e4a271beec478e42fad0618432fa7d7fb3d99004d2b0bdfc14f8024832b"))
)

_DOUBLE = (
    b"\x02\x04\x00\x01"  # A = X^2
    b"\x02\x05\x01\x01"  # B = Y^2
    b"\x02\x06\x02\x01"  # Z^2
    b"\x03\x07\x00\x01"  # X + Y
    b"\x02\x07\x07\x01"
    b"\x03\x06\x06\x06"  # C = 2 Z^2
    b"\x03\x08\x04\x05"  # H = A + B
    b"\x04\x04\x04\x05"  # G = A - B
    b"\x06\x07\x08\x07"  # E = H - (X + Y)^2
    b"\x05\x06\x06\x04"  # F = C + G
    b"\x01\x00\x07\x06"  # X = E F
    b"\x01\x01\x04\x08"  # Y = G H
    b"\x01\x02\x06\x04"  # Z = F G
)
_DOUBLE_T = b"\x01\x03\x07\x08\x00"  # T = E H
_ADD_HEAD = (
    b"\x04\x04\x01\x00"
    b"\x01\x04\x04\x0a"  # A = (Y - X) (y - x)
    b"\x03\x05\x01\x00"
    b"\x01\x05\x05\x09"  # B = (Y + X) (y + x)
    b"\x01\x06\x03\x0b"  # C = T 2dxy
)
_ADD_TAIL = (
    b"\x04\x08\x05\x04"  # E = B - A
    b"\x03\x04\x05\x04"  # H = B + A
    b"\x06\x05\x07\x06"  # F = D - C
    b"\x05\x06\x07\x06"  # G = D + C
    b"\x01\x00\x08\x05"  # X = E F
    b"\x01\x01\x06\x04"  # Y = G H
    b"\x01\x02\x05\x06"  # Z = F G
)
_ADD_T = b"\x01\x03\x08\x04\x00"  # T = E H
_END = b"\x00"
DOUBLE = (_DOUBLE + _END, _DOUBLE + _DOUBLE_T)
ADD_AFFINE = (_ADD_HEAD + b"\x03\x07\x02\x02" + _ADD_TAIL + _END, _ADD_HEAD + b"\x03\x07\x02\x02" + _ADD_TAIL + _ADD_T)
ADD = (_ADD_HEAD + b"\x01\x07\x02\x0c" + _ADD_TAIL + _END, _ADD_HEAD + b"\x01\x07\x02\x0c" + _ADD_TAIL + _ADD_T)

# Number 2 to the power 2^250 - 1 in number 5, and to the power 11 in number 4.
_POWER = (
    (
        b"\x02\x04\x02\x01\x02\x05\x04\x02\x01\x05\x02\x05\x01\x04\x04\x05\x02\x06\x04\x01\x01\x05\x05\x06"  # 2^5 - 1
        b"\x02\x06\x05\x05\x01\x05\x06\x05\x02\x06\x05\x0a\x01\x06\x06\x05"  # 2^10 - 1, 2^20 - 1
        b"\x02\x07\x06\x14\x01\x06\x07\x06\x02\x06\x06\x0a\x01\x05\x06\x05\x00"  # 2^40 - 1, 2^50 - 1
    ),
    b"\x02\x06\x05\x32\x01\x06\x06\x05\x00",  # 2^100 - 1
    b"\x02\x07\x06\x64\x01\x06\x07\x06\x00",  # 2^200 - 1
    b"\x02\x06\x06\x32\x01\x05\x06\x05\x00",
)
_INVERT_AFFINE = b"\x02\x05\x05\x05\x01\x05\x05\x04\x01\x00\x00\x05\x01\x01\x01\x05\x00"  # 1/Z; X/Z, Y/Z
# u = y^2 - 1 in 41, v = dy^2 + 1 in 42, uv^3 in 44, uv^7 in 2 (RFC 8032, 5.1.3, step 2)
_QUOTIENT = (
    b"\x02\x28\x01\x01\x04\x29\x28\x0e\x01\x2a\x28\x0f\x05\x2a\x2a\x0e\x02\x2b\x2a\x01\x01\x2b\x2b\x2a\x01\x2c\x29\x2b"
    b"\x02\x2b\x2b\x01\x01\x2b\x2b\x2a\x01\x02\x29\x2b\x00"
)
# x in 0 is uv^3 (uv^7)^(2^252 - 3); vx^2 - u in 7 and vx^2 + u in 8 (step 3)
_CANDIDATE = (
    b"\x02\x05\x05\x02\x01\x05\x05\x02\x01\x00\x2c\x05"
    b"\x02\x06\x00\x01\x01\x06\x06\x2a\x06\x07\x06\x29\x05\x08\x06\x29\x00"
)
_TIMES_ROOT = b"\x01\x00\x00\x10\x00"
_NEGATE_X = b"\x06\x00\x0d\x00\x00"
_AFFINE = b"\x01\x03\x00\x01\x05\x02\x0d\x0e\x05\x11\x0f\x0f\x00"  # T = XY, Z = 1, and 2d from d
_NEUTRAL = b"\x04\x00\x0d\x0d\x04\x01\x0e\x0d\x04\x02\x0e\x0d\x04\x03\x0d\x0d\x00"  # X = 0, Y = Z = 1, T = 0
_Y_MINUS_Z = b"\x06\x07\x01\x02\x00"


@micropython.viper
def _misaligned(data: ptr8) -> int:
    return int(data) & 3


# In an image that runs from flash, constants stand at any address, and words are read at multiples of four alone.
_POINTS = bytearray(_ed25519_table.POINTS) if _misaligned(_ed25519_table.POINTS) else _ed25519_table.POINTS


class Curve:
    """Numbers for the machine to work on, and the point in the first four of them."""

    def __init__(self, numbers: int) -> None:
        self._numbers = array("i", bytes(80 * numbers))
        self._scratch = array("i", bytes(480))
        self._view = memoryview(self._numbers)
        self._addend = self._view[180:240]
        count = min(80, 20 * numbers - 260)
        self._numbers[260 : 260 + count] = _CONSTANTS[:count]

    def _run(self, program: bytes) -> None:
        run(self._scratch, 0, self._numbers, program)

    def _number(self, index: int) -> "memoryview[int]":
        """The 20 limbs of a number, not a copy."""
        return self._view[20 * index : 20 * index + 20]

    def multiply_base_steps(self, digits: "array[int]"):
        """Make the point the base point times the number whose digits `scalar.recode` wrote."""
        self._run(_NEUTRAL)
        for column in range(_COLUMNS - 1, -1, -1):
            self._run(DOUBLE[1])
            self._add_base(digits, column)
            if column % 2 == 0:
                yield

    def _add_base(self, digits: "array[int]", column: int) -> None:
        """Add the comb's two points for one column of the digits; leaves no T."""
        place = (column // 13) << 4 | column % 13
        scalar.select(_POINTS, place, self._addend, digits)
        self._run(ADD_AFFINE[1])
        scalar.select(_POINTS, place + 32, self._addend, digits)
        self._run(ADD_AFFINE[0])

    def compress_steps(self):
        """The point in 32 bytes (RFC 8032, 5.1.2), as value of the generator."""
        yield from self._power_steps()
        self._run(_INVERT_AFFINE)
        x, y = self._number(0), self._number(1)
        scalar.canonical(x, 0)
        scalar.canonical(y, 0)
        data = bytearray(32)
        scalar.pack_point(data, x, y)
        return bytes(data)

    def _power_steps(self):
        for program in _POWER:
            self._run(program)
            yield

    def decompress_steps(self, data: bytes, at: int, negative: bool):
        """Put multiples of a point, or of its negative, in the numbers from `at` on: FIRST, then SECOND.

        The point is the one in 32 bytes whose y is below p (5.1.3); the value is False where there is none.
        """
        self._numbers[20:40] = _limbs(data[:31] + bytes((data[31] & 127,)))
        self._run(_QUOTIENT)
        yield from self._power_steps()
        self._run(_CANDIDATE)
        if not self._is_zero(7):
            if not self._is_zero(8):
                return False
            self._run(_TIMES_ROOT)
        scalar.canonical(self._number(0), 0)
        if (self._numbers[0] & 1 != data[31] >> 7) != negative:
            self._run(_NEGATE_X)
        self._run(_AFFINE)
        yield
        self._make_multiples(at)
        yield
        return True

    def _is_zero(self, index: int) -> bool:
        number = self._number(index)
        scalar.canonical(number, 0)
        return not any(number)

    def _make_multiples(self, at: int) -> None:
        """1, 3, 5 and 7 times the point, ready to be added."""
        kept = at + 12  # the point itself, until the last multiple comes there
        self._store(at)
        self._run(bytes((4, kept, 0, 13, 4, kept + 1, 1, 13, 4, kept + 2, 2, 13, 4, kept + 3, 3, 13, 0)))
        self._run(DOUBLE[1])
        self._store(9)
        self._run(bytes((4, 0, kept, 13, 4, 1, kept + 1, 13, 4, 2, kept + 2, 13, 4, 3, kept + 3, 13, 0)))
        for multiple in range(at + 4, at + 16, 4):
            self._run(ADD[1])
            self._store(multiple)

    def _store(self, at: int) -> None:
        """The point, ready to be added, in the four numbers from `at` on."""
        self._run(bytes((3, at, 1, 0, 4, at + 1, 1, 0, 1, at + 2, 3, 17, 3, at + 3, 2, 2, 0)))

    def _fetch(self, multiples: int, digit: int) -> None:
        """The multiple for a digit from `nonadjacent` to where it is added from."""
        if digit < 128:
            at = multiples + 2 * (digit - 1)
            self._run(bytes((4, 9, at, 13, 4, 10, at + 1, 13, 4, 11, at + 2, 13, 4, 12, at + 3, 13, 0)))
        else:
            at = multiples + 2 * (255 - digit)
            self._run(bytes((4, 9, at + 1, 13, 4, 10, at, 13, 4, 11, 13, at + 2, 4, 12, at + 3, 13, 0)))

    def vanishes_steps(self, base_digits: "array[int]", first: bytes, second: bytes):
        """Whether the multiples that the digits name of base point, first and second point add up to nothing.

        `base_digits` from `scalar.recode`, the others from `scalar.nonadjacent`.
        """
        self._run(_NEUTRAL)
        for place in range(max(len(first.rstrip(b"\0")), len(second.rstrip(b"\0")), _COLUMNS) - 1, -1, -1):
            one, other, column = first[place], second[place], place < _COLUMNS
            self._run(DOUBLE[bool(one or other or column)])
            if one:
                self._fetch(FIRST, one)
                self._run(ADD[bool(other or column)])
            if other:
                self._fetch(SECOND, other)
                self._run(ADD[column])
            if column:
                self._add_base(base_digits, place)
            if column or place % 4 == 0:
                yield
        self._run(_Y_MINUS_Z)
        return self._is_zero(0) and self._is_zero(7)
