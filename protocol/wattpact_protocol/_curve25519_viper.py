# mypy: ignore-errors
"""Points of Ed25519's curve as programs of the machine in _field25519_viper: the sums and products that RFC 8032 gives.

A point is X, Y, Z, T in numbers 0 to 3 with x = X/Z, y = Y/Z, xy = T/Z (RFC 8032, 5.1.4). A point to be added is
y + x, y - x, 2dxy in numbers 9 to 11, each times z where number 12 is 2z. Generators give way within 400,000 instructions.
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

_DOUBLE = bytes((
    2, 4, 0, 1,  # A = X^2
    2, 5, 1, 1,  # B = Y^2
    2, 6, 2, 1,  # Z^2
    3, 7, 0, 1,  # X + Y
    2, 7, 7, 1,
    3, 6, 6, 6,  # C = 2 Z^2
    3, 8, 4, 5,  # H = A + B
    4, 4, 4, 5,  # G = A - B
    6, 7, 8, 7,  # E = H - (X + Y)^2
    5, 6, 6, 4,  # F = C + G
    1, 0, 7, 6,  # X = E F
    1, 1, 4, 8,  # Y = G H
    1, 2, 6, 4,  # Z = F G
))  # fmt: skip
_DOUBLE_T = bytes((1, 3, 7, 8, 0))  # T = E H
_ADD_HEAD = bytes((
    4, 4, 1, 0,
    1, 4, 4, 10,  # A = (Y - X) (y - x)
    3, 5, 1, 0,
    1, 5, 5, 9,  # B = (Y + X) (y + x)
    1, 6, 3, 11,  # C = T 2dxy
))  # fmt: skip
_ADD_TAIL = bytes((
    4, 8, 5, 4,  # E = B - A
    3, 4, 5, 4,  # H = B + A
    6, 5, 7, 6,  # F = D - C
    5, 6, 7, 6,  # G = D + C
    1, 0, 8, 5,  # X = E F
    1, 1, 6, 4,  # Y = G H
    1, 2, 5, 6,  # Z = F G
))  # fmt: skip
_ADD_T = bytes((1, 3, 8, 4, 0))  # T = E H
_END = bytes(1)
DOUBLE = (_DOUBLE + _END, _DOUBLE + _DOUBLE_T)
ADD_AFFINE = (_ADD_HEAD + bytes((3, 7, 2, 2)) + _ADD_TAIL + _END, _ADD_HEAD + bytes((3, 7, 2, 2)) + _ADD_TAIL + _ADD_T)
ADD = (_ADD_HEAD + bytes((1, 7, 2, 12)) + _ADD_TAIL + _END, _ADD_HEAD + bytes((1, 7, 2, 12)) + _ADD_TAIL + _ADD_T)

# Number 2 to the power 2^250 - 1 in number 5, and to the power 11 in number 4.
_POWER = (
    bytes((
        2, 4, 2, 1, 2, 5, 4, 2, 1, 5, 2, 5, 1, 4, 4, 5, 2, 6, 4, 1, 1, 5, 5, 6,  # 2^5 - 1
        2, 6, 5, 5, 1, 5, 6, 5, 2, 6, 5, 10, 1, 6, 6, 5, 2, 7, 6, 20, 1, 6, 7, 6,  # 2^10 - 1, 2^20 - 1, 2^40 - 1
        2, 6, 6, 10, 1, 5, 6, 5, 0,  # 2^50 - 1
    )),
    bytes((2, 6, 5, 50, 1, 6, 6, 5, 0)),  # 2^100 - 1
    bytes((2, 7, 6, 100, 1, 6, 7, 6, 0)),  # 2^200 - 1
    bytes((2, 6, 6, 50, 1, 5, 6, 5, 0)),
)  # fmt: skip
_INVERT_AFFINE = bytes((2, 5, 5, 5, 1, 5, 5, 4, 1, 0, 0, 5, 1, 1, 1, 5, 0))  # 1/Z; X/Z, Y/Z
# u = y^2 - 1 in 41, v = dy^2 + 1 in 42, uv^3 in 44, uv^7 in 2 (RFC 8032, 5.1.3, step 2)
_QUOTIENT = bytes((
    2, 40, 1, 1, 4, 41, 40, 14, 1, 42, 40, 15, 5, 42, 42, 14, 2, 43, 42, 1, 1, 43, 43, 42, 1, 44, 41, 43,
    2, 43, 43, 1, 1, 43, 43, 42, 1, 2, 41, 43, 0,
))  # fmt: skip
# x in 0 is uv^3 (uv^7)^(2^252 - 3); vx^2 - u in 7 and vx^2 + u in 8 (step 3)
_CANDIDATE = bytes((2, 5, 5, 2, 1, 5, 5, 2, 1, 0, 44, 5, 2, 6, 0, 1, 1, 6, 6, 42, 6, 7, 6, 41, 5, 8, 6, 41, 0))
_TIMES_ROOT = bytes((1, 0, 0, 16, 0))
_NEGATE_X = bytes((6, 0, 13, 0, 0))
_AFFINE = bytes((1, 3, 0, 1, 5, 2, 13, 14, 5, 17, 15, 15, 0))  # T = XY, Z = 1, and 2d from d
_NEUTRAL = bytes((4, 0, 13, 13, 4, 1, 14, 13, 4, 2, 14, 13, 4, 3, 13, 13, 0))  # X = 0, Y = Z = 1, T = 0
_Y_MINUS_Z = bytes((6, 7, 1, 2, 0))


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
