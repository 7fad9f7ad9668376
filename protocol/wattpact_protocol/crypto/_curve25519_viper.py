# mypy: ignore-errors
"""Points of Ed25519's curve as programs of the machine in _field25519_viper: the sums and products that RFC 8032 gives.

A point is X, Y, Z, T in numbers 0 to 3 with x = X/Z, y = Y/Z, xy = T/Z (RFC 8032, 5.1.4). A point ready to be added is
four numbers: y + x, y - x and 2dxy, each times z, and 2z; or the first three where z is 1.
"""

from array import array

from wattpact_protocol.crypto import _scalar25519_viper as scalar
from wattpact_protocol.crypto._field25519_viper import run
from wattpact_protocol.crypto._tables_viper import POINTS

SIGNING, VERIFYING = 15, 23  # how many numbers each needs
_ADDEND, _OTHER_ADDEND = 9, 12  # three numbers each, for the comb's points; four for a multiple of another
_MULTIPLES = 18  # of a point, while they are made
_COLUMNS = 26


# Numbers 13 on: 0, 1, d and the root of -1 (RFC 8032, 5.1); the comb's points overwrite the first two.
_CONSTANTS = (
    array("i", bytes(80))
    + scalar.limbs(b"\x01" + bytes(31), 20)
    + scalar.limbs(bytes.fromhex("a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352"), 20)
    + scalar.limbs(bytes.fromhex("b0a00e4a271beec478e42fad0618432fa7d7fb3d99004d2b0bdfc14f8024832b"), 20)
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
_DOUBLE_T = b"\x01\x03\x07\x08"  # T = E H
_ADD_HEAD = (
    b"\x04\x04\x01\x00"
    b"\x01\x04\x04\x0a"  # A = (Y - X) (y - x)
    b"\x03\x05\x01\x00"
    b"\x01\x05\x05\x09"  # B = (Y + X) (y + x)
    b"\x01\x06\x03\x0b"  # C = T 2dxy
)
_ADD_OTHER_HEAD = b"\x04\x04\x01\x00\x01\x04\x04\x0d\x03\x05\x01\x00\x01\x05\x05\x0c\x01\x06\x03\x0e"
_ADD_TAIL = (
    b"\x04\x08\x05\x04"  # E = B - A
    b"\x03\x04\x05\x04"  # H = B + A
    b"\x06\x05\x07\x06"  # F = D - C
    b"\x05\x06\x07\x06"  # G = D + C
    b"\x01\x00\x08\x05"  # X = E F
    b"\x01\x01\x06\x04"  # Y = G H
    b"\x01\x02\x05\x06"  # Z = F G
)
_TWICE_Z = b"\x03\x07\x02\x02"  # D = Z + Z
_ADD_T = b"\x01\x03\x08\x04"  # T = E H
_END = b"\x00"
DOUBLE = (_DOUBLE + _END, _DOUBLE + _DOUBLE_T + _END)
ADD_AFFINE = _ADD_HEAD + _TWICE_Z + _ADD_TAIL + _ADD_T + _END
ADD = _ADD_HEAD + b"\x01\x07\x02\x0c" + _ADD_TAIL + _ADD_T + _END  # D = Z 2z
_COLUMN = DOUBLE[1][:-1] + ADD_AFFINE[:-1] + _ADD_OTHER_HEAD + _TWICE_Z + _ADD_TAIL + _END
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
# u = y^2 - 1 in 19, v = dy^2 + 1 in 20, uv^3 in 22, uv^7 in 2 (RFC 8032, 5.1.3, step 2)
_QUOTIENT = (
    b"\x02\x12\x01\x01\x04\x13\x12\x0e\x01\x14\x12\x0f\x05\x14\x14\x0e\x02\x15\x14\x01\x01\x15\x15\x14\x01\x16\x13\x15"
    b"\x02\x15\x15\x01\x01\x15\x15\x14\x01\x02\x13\x15\x00"
)
# x in 0 is uv^3 (uv^7)^(2^252 - 3); vx^2 - u in 7 and vx^2 + u in 8 (step 3)
_CANDIDATE = (
    b"\x02\x05\x05\x02\x01\x05\x05\x02\x01\x00\x16\x05"
    b"\x02\x06\x00\x01\x01\x06\x06\x14\x06\x07\x06\x13\x05\x08\x06\x13\x00"
)
_TIMES_ROOT = b"\x01\x00\x00\x10\x00"
_NEGATE_X = b"\x06\x00\x0d\x00\x00"
_AFFINE = b"\x01\x03\x00\x01\x05\x02\x0d\x0e\x05\x11\x0f\x0f\x00"  # T = XY, Z = 1, and 2d from d
_NEUTRAL = b"\x04\x00\x0d\x0d\x04\x01\x0e\x0d\x04\x02\x0e\x0d\x04\x03\x0d\x0d\x00"  # X = 0, Y = Z = 1, T = 0
_MONTGOMERY = b"\x05\x00\x02\x01\x06\x02\x02\x01\x00"
# The point, ready to be added, in numbers 9 on; 2d is in 17.
_STORE = b"\x03\x09\x01\x00\x04\x0a\x01\x00\x01\x0b\x03\x11\x03\x0c\x02\x02\x00"
_Y_MINUS_Z = b"\x06\x07\x01\x02\x00"


class Curve:
    """Numbers for the machine to work on, and the point in the first four of them."""

    def __init__(self, numbers: int) -> None:
        self.numbers = array("i", bytes(80 * numbers))
        self._scratch = array("i", bytes(348))
        self._view = memoryview(self.numbers)
        self._addend = self._view[20 * _ADDEND : 20 * _ADDEND + 80]
        self._other_addend = self._view[20 * _OTHER_ADDEND : 20 * _OTHER_ADDEND + 60]
        count = min(80, 20 * numbers - 260)
        self.numbers[260 : 260 + count] = _CONSTANTS[:count]

    def run(self, program: bytes) -> None:
        """Have the machine work on the numbers."""
        run(self._scratch, 0, self.numbers, program)

    def _number(self, index: int) -> "memoryview[int]":
        """The 20 limbs of a number, not a copy."""
        return self._view[20 * index : 20 * index + 20]

    def multiply_base_steps(self, digits: "array[int]"):
        """Make the point the base point times the number whose digits `scalar.recode` wrote."""
        self.run(_NEUTRAL)
        yield  # making a Curve takes its time, with much in the heap
        select, addend, other_addend = scalar.select, self._addend, self._other_addend
        for column in range(_COLUMNS - 1, -1, -1):
            place = (column // 13 << 4) + column % 13
            select(POINTS, place, addend, digits)
            select(POINTS, place + 32, other_addend, digits)
            self.run(_COLUMN)
            if column % 2 == 0:
                yield

    def compress_steps(self):
        """The point in 32 bytes (RFC 8032, 5.1.2), as value of the generator."""
        yield from self._power_steps()
        self.run(_INVERT_AFFINE)
        x, y = self._number(0), self._number(1)
        scalar.canonical(x, 0)
        scalar.canonical(y, 0)
        data = bytearray(32)
        scalar.pack_point(data, x, y)
        return bytes(data)

    def u_steps(self):
        """The point's u = (Z + Y) / (Z - Y) on Curve25519 (RFC 7748, 4.1) in 32 bytes; the neutral element has none."""
        self.run(_MONTGOMERY)
        quotient = yield from self.quotient_steps()
        return quotient

    def quotient_steps(self):
        """X / Z in 32 bytes, 0 where Z is 0."""
        yield from self._power_steps()
        self.run(_INVERT_AFFINE)
        x = self._number(0)
        scalar.canonical(x, 0)
        data = bytearray(32)
        scalar.pack(data, x)
        return bytes(data)

    def _power_steps(self):
        for program in _POWER:
            self.run(program)
            yield

    def decompress_steps(self, data: bytes, negative: bool):
        """Multiples of a point, or of its negative, as `vanishes_steps` wants them.

        The point is the one in 32 bytes whose y is below p (5.1.3); the value is None where there is none.
        """
        self.numbers[20:40] = scalar.limbs(data[:31] + bytes((data[31] & 127,)), 20)
        self.run(_QUOTIENT)
        yield from self._power_steps()
        self.run(_CANDIDATE)
        if not self._is_zero(7):
            if not self._is_zero(8):
                return None
            self.run(_TIMES_ROOT)
        scalar.canonical(self._number(0), 0)
        if (self.numbers[0] & 1 != data[31] >> 7) != negative:
            self.run(_NEGATE_X)
        self.run(_AFFINE)
        yield
        made = self._multiples()
        yield
        return made

    def _is_zero(self, index: int) -> bool:
        number = self._number(index)
        scalar.canonical(number, 0)
        return not any(number)

    def _multiples(self) -> "array[int]":
        """1, 3, 5 and 7 times the point, ready to be added: a piece of memory for itself, since a heap that is nearly
        full has no large one."""
        made = array("i", bytes(1280))
        store, add = bytearray(_STORE), bytearray(ADD)
        self._store(store, _MULTIPLES)
        made[:80] = self.numbers[20 * _MULTIPLES : 20 * _MULTIPLES + 80]
        self.run(DOUBLE[1])
        self._store(store, _ADDEND)
        scalar.aim(add, _MULTIPLES, 1, 1)
        for at in (80, 160, 240):
            self.run(add)
            self._store(store, _MULTIPLES)
            made[at : at + 80] = self.numbers[20 * _MULTIPLES : 20 * _MULTIPLES + 80]
            add = ADD
        return made

    def _store(self, program: bytearray, at: int) -> None:
        """The point, ready to be added, in the four numbers from `at` on."""
        program[1], program[5], program[9], program[13] = at, at + 1, at + 2, at + 3
        self.run(program)

    def vanishes_steps(self, digits: "array[int]", points: "tuple[array[int], ...]", first: bytes, second: bytes):
        """Whether the multiples that the digits name of base point, first and second point add up to nothing.

        `digits` from `scalar.recode`, `points` from `decompress_steps`, the others from `scalar.nonadjacent`; all are
        public.
        """
        self.run(_NEUTRAL)
        # Names of the function itself: looking up others would take a tenth of the time.
        work, numbers, addend, machine, aim = self._scratch, self.numbers, self._addend, run, scalar.aim
        add, add_comb, look_up, double = bytearray(ADD), bytearray(ADD_AFFINE), scalar.look_up, DOUBLE
        copy, (one_point, other_point) = scalar.copy, points
        columns, blocks = _COLUMNS, ((0, 1), (32, 0))
        for place in range(max(len(first.rstrip(b"\0")), len(second.rstrip(b"\0")), columns) - 1, -1, -1):
            one, other, column = first[place], second[place], place < columns
            machine(work, 0, numbers, double[1 if one or other or column else 0])
            if one:
                aim(add, _ADDEND, copy(addend, one_point, one), other or column)
                machine(work, 0, numbers, add)
            if other:
                aim(add, _ADDEND, copy(addend, other_point, other), column)
                machine(work, 0, numbers, add)
            if column:
                for block, more in blocks:
                    at = (place // 13 << 4) + place % 13 + block
                    aim(add_comb, _ADDEND, look_up(POINTS, at, addend, digits), more)
                    machine(work, 0, numbers, add_comb)
            if column or place & 3 == 0:
                yield
        self.run(_Y_MINUS_Z)
        return self._is_zero(0) and self._is_zero(7)
