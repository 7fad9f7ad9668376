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

_ZERO, _ONE, _D, _ROOT, _TWICE_D = 13, 14, 15, 16, 17
_MULTIPLES = 18  # eight of four numbers; before they are made, room for finding a point
SIGNING, VERIFYING = 12, 50  # how many numbers each needs
_COLUMNS = 26
_D_BYTES = bytes.fromhex("a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352")
_ROOT_BYTES = bytes.fromhex("b0a00e4a271beec478e42fad0618432fa7d7fb3d99004d2b0bdfc14f8024832b")

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
# u = y^2 - 1 in 21, v = dy^2 + 1 in 22, uv^3 in 24, uv^7 in 2 (RFC 8032, 5.1.3, step 2)
_QUOTIENT = bytes((
    2, 20, 1, 1, 4, 21, 20, 14, 1, 22, 20, 15, 5, 22, 22, 14, 2, 23, 22, 1, 1, 23, 23, 22, 1, 24, 21, 23,
    2, 23, 23, 1, 1, 23, 23, 22, 1, 2, 21, 23, 0,
))  # fmt: skip
# x in 0 is uv^3 (uv^7)^(2^252 - 3); vx^2 - u in 7 and vx^2 + u in 8 (step 3)
_CANDIDATE = bytes((2, 5, 5, 2, 1, 5, 5, 2, 1, 0, 24, 5, 2, 6, 0, 1, 1, 6, 6, 22, 6, 7, 6, 21, 5, 8, 6, 21, 0))
_TIMES_ROOT = bytes((1, 0, 0, _ROOT, 0))
_NEGATE_X = bytes((6, 0, _ZERO, 0, 0))
_KEEP = bytes((4, 46, 0, 13, 4, 47, 1, 13, 4, 48, 2, 13, 4, 49, 3, 13, 0))  # to where the last multiple will be
_BRING_BACK = bytes((4, 0, 46, 13, 4, 1, 47, 13, 4, 2, 48, 13, 4, 3, 49, 13, 0))
_AFFINE = bytes((1, 3, 0, 1, 5, 2, _ZERO, _ONE, 5, 17, 15, 15, 0))  # T = XY, Z = 1, and 2d from d


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

    def _run(self, program: bytes) -> None:
        run(self._scratch, 0, self._numbers, program)

    def number(self, index: int) -> "memoryview[int]":
        """The 20 limbs of a number, not a copy."""
        return self._view[20 * index : 20 * index + 20]

    def _load(self, index: int, data: bytes) -> None:
        scalar.unpack(self.number(index), data + bytes(2), 20)

    def _clear(self) -> None:
        """The neutral element: X = 0, Y = Z = 1, T = 0."""
        for index, value in ((0, 0), (1, 1), (2, 1), (3, 0)):
            self._load(index, bytes((value,)) + bytes(31))

    def _add_base(self, digits: "array[int]", column: int, t_follows: bool) -> None:
        """Add the comb's two points for one column of the digits."""
        place = (column // 13) << 4 | column % 13
        scalar.select(self._addend, _POINTS, digits, place)
        self._run(ADD_AFFINE[1])
        scalar.select(self._addend, _POINTS, digits, place + 32)
        self._run(ADD_AFFINE[t_follows])

    def multiply_base_steps(self, digits: "array[int]"):
        """Make the point the base point times the number whose digits `scalar.recode` wrote."""
        self._clear()
        for column in range(_COLUMNS - 1, -1, -1):
            self._run(DOUBLE[1])
            self._add_base(digits, column, False)
            if column % 3 == 0:
                yield

    def _power_steps(self):
        for program in _POWER:
            self._run(program)
            yield

    def compress_steps(self):
        """The point in 32 bytes (RFC 8032, 5.1.2), as value of the generator."""
        yield from self._power_steps()
        self._run(_INVERT_AFFINE)
        x, y = self.number(0), self.number(1)
        scalar.canonical(x)
        scalar.canonical(y)
        data = bytearray(32)
        scalar.pack_point(data, x, y)
        return bytes(data)

    def decompress_negative_steps(self, data: bytes):
        """Make the point the negative of the one in 32 bytes whose y is below p (5.1.3); False where there is none."""
        for index, constant in ((_ZERO, bytes(32)), (_ONE, b"\x01" + bytes(31)), (_D, _D_BYTES), (_ROOT, _ROOT_BYTES)):
            self._load(index, constant)
        self._load(1, data[:31] + bytes((data[31] & 127,)))
        self._run(_QUOTIENT)
        yield from self._power_steps()
        self._run(_CANDIDATE)
        if not self._is_zero(7):
            if not self._is_zero(8):
                return False
            self._run(_TIMES_ROOT)
        x = self.number(0)
        scalar.canonical(x)
        if x[0] & 1 == data[31] >> 7:
            self._run(_NEGATE_X)
        self._run(_AFFINE)
        yield
        return True

    def _is_zero(self, index: int) -> bool:
        number = self.number(index)
        scalar.canonical(number)
        return not any(number)

    def _store(self, at: int) -> None:
        """The point, ready to be added, in the four numbers from `at` on."""
        self._run(bytes((3, at, 1, 0, 4, at + 1, 1, 0, 1, at + 2, 3, _TWICE_D, 3, at + 3, 2, 2, 0)))

    def _fetch(self, at: int, negative: bool) -> None:
        """The four numbers from `at` on, or those of the negative point, to where they are added from."""
        first, second = (at + 1, at) if negative else (at, at + 1)
        plus, minus = (_ZERO, at + 2) if negative else (at + 2, _ZERO)
        self._run(bytes((4, 9, first, 13, 4, 10, second, 13, 4, 11, plus, minus, 4, 12, at + 3, 13, 0)))

    def _multiples_steps(self):
        """1, 3, 5 to 15 times the point, ready to be added, from number _MULTIPLES on."""
        self._store(_MULTIPLES)
        self._run(_KEEP)
        self._run(DOUBLE[1])
        self._store(9)
        self._run(_BRING_BACK)
        for at in range(_MULTIPLES + 4, _MULTIPLES + 32, 4):
            self._run(ADD[1])
            self._store(at)
            if at & 4:
                yield

    def multiply_both_steps(self, base_digits: "array[int]", digits: bytearray):
        """Make the point the sum of a multiple of the base point and one of itself, by `recode` and `nonadjacent`."""
        yield from self._multiples_steps()
        self._clear()
        for place in range(255, -1, -1):
            digit, column = digits[place], place < _COLUMNS
            self._run(DOUBLE[digit != 0 or column])
            if digit:
                negative = digit > 127
                self._fetch(_MULTIPLES + 2 * ((256 - digit if negative else digit) - 1), negative)
                self._run(ADD[column])
            if column:
                self._add_base(base_digits, place, False)
            if place % (2 if column else 6) == 0:
                yield
