# mypy: ignore-errors
"""Limbs and bytes, numbers modulo p and modulo the order L of Ed25519, and the signed comb, for 32-bit integers.

Limbs have 13 bits, least significant first, 20 to a number. No value read from a limb decides a branch or an address,
except in `nonadjacent`, which is for public numbers.
"""

from array import array

import micropython


def limbs(data: bytes, count: int) -> "array[int]":
    """Little-endian bytes as limbs, at least as many as the bytes fill."""
    made = array("i", bytes(4 * count))
    unpack(made, data + bytes(2 + (13 * count + 7 >> 3) - len(data)), count)
    return made


@micropython.viper
def clamp(data: ptr8):
    """Make a secret scalar of 32 bytes (RFC 8032, 5.1.5, step 2; RFC 7748, 5)."""
    data[0] = data[0] & 248
    data[31] = data[31] & 63 | 64


@micropython.viper
def unpack(x: ptr32, data: ptr8, count: int):
    """`count` limbs from little-endian bytes; two bytes beyond the last limb are read."""
    bit = 0
    k = 0
    while k < count:
        at = bit >> 3
        x[k] = (int(data[at]) | int(data[at + 1]) << 8 | int(data[at + 2]) << 16) >> (bit & 7) & 8191
        bit += 13
        k += 1


@micropython.viper
def pack(data: ptr8, x: ptr32):
    """32 little-endian bytes of 20 limbs of 0 to 8191."""
    ready = 0
    bits = 0
    at = 0
    k = 0
    while k < 20:
        ready |= x[k] << bits
        bits += 13
        while bits >= 8 and at < 32:
            data[at] = ready & 255
            ready >>= 8
            bits -= 8
            at += 1
        k += 1


@micropython.viper
def pack_point(data: ptr8, x: ptr32, y: ptr32):
    """y of a point in 32 bytes with the lowest bit of x on top (RFC 8032, 5.1.2); both canonical. Writes over y."""
    y[19] = y[19] | (x[0] & 1) << 8
    pack(data, y)


@micropython.viper
def canonical(t: ptr32, left: int):
    """Reduce the number modulo p = 2^255 - 19 to its one form between 0 and p - 1; `left` is no matter."""
    x = t
    t[0] = t[0] + 7584  # 32p, so that nothing is negative
    n = 19
    while n:
        t = ptr32(int(t) + 4)
        t[0] = t[0] + 8191
        n -= 1
    rounds = 5
    while rounds:
        t = x
        left = 0
        if rounds == 2:  # now below 2^255; adding 19 reaches 2^255 exactly where the number is p or more
            left = 19
        n = 19
        while n:
            left += t[0]
            if rounds != 2:
                t[0] = left & 8191
            left >>= 13
            t = ptr32(int(t) + 4)
            n -= 1
        left += t[0]
        if rounds != 2:
            t[0] = left & 255
        if rounds != 1:
            x[0] = x[0] + 19 * (left >> 8)
        rounds -= 1


@micropython.viper
def multiply_add(t: ptr32, left: int, x: ptr32, factors: ptr32):
    """a times b plus c in 41 limbs of x; a, b and c are the 60 limbs of `factors`. t and `left` are no matter."""
    left = 0
    k = 0
    while k < 40:
        n = k + 1
        t = factors
        if k < 20:
            left += factors[40 + k]
        else:
            n = 39 - k
            t = ptr32(int(t) + 4 * (k - 19))
        other = ptr32(2 * int(factors) + 4 * (20 + k) - int(t))
        while n:
            left = t[0] * other[0] + left
            t = ptr32(int(t) + 4)
            other = ptr32(int(other) - 4)
            n -= 1
        x[k] = left & 8191
        left >>= 13
        k += 1
    x[40] = left


@micropython.viper
def reduce(t: ptr32, left: int, x: ptr32, order: ptr32):
    """41 limbs of x modulo L, into its first 20; t and `left` are no matter.

    `order` is 20 limbs of L, then 11 of 256 (L - 2^252). 2^260 = -256 (L - 2^252) modulo L takes limbs 40 to 20 down.
    """
    bottom = int(x)
    x = ptr32(bottom + 160)
    while int(x) != bottom + 76:
        left = x[0]
        x[0] = 0
        t = ptr32(int(x) - 80)
        q = ptr32(int(order) + 80)
        n = 11
        while n:
            t[0] = t[0] - q[0] * left
            t = ptr32(int(t) + 4)
            q = ptr32(int(q) + 4)
            n -= 1
        t = ptr32(int(x) - 80)
        left = 0
        n = 19
        while n:
            left += t[0]
            t[0] = left & 8191
            left >>= 13
            t = ptr32(int(t) + 4)
            n -= 1
        t[0] = t[0] + left
        x = ptr32(int(x) - 4)
    x = ptr32(bottom)
    top = (x[19] >> 5) - 1  # 2^252 = -(L - 2^252) modulo L; and L more, so that nothing is negative
    x[19] = (x[19] & 31) + 32
    rounds = 5  # subtract; try L and take it back where it was too much, twice over
    n = 10
    q = order
    while rounds:
        t = x
        while n:
            t[0] = t[0] - q[0] * top
            t = ptr32(int(t) + 4)
            q = ptr32(int(q) + 4)
            n -= 1
        t = x
        left = 0
        n = 19
        while n:
            left += t[0]
            t[0] = left & 8191
            left >>= 13
            t = ptr32(int(t) + 4)
            n -= 1
        t[0] = t[0] + left
        top = 1
        if rounds & 1 == 0:
            top = t[0] >> 31
        n = 20
        q = order
        rounds -= 1


@micropython.viper
def recode(digits: ptr32, k: ptr32, order: ptr32):
    """260 digits of -1 or 1 whose sum, the i-th times 2^i, is k modulo L, as bits, 0 for -1; k is below 2^259."""
    mask = (k[0] & 1) - 1  # L is odd: an even k takes it
    left = 0
    i = 0
    while i < 20:
        left += k[i] + (order[i] & mask) + 8191
        digits[i] = left & 8191
        left >>= 13
        i += 1
    i = 0
    while i < 19:
        digits[i] = digits[i] >> 1 | (digits[i + 1] & 1) << 12
        i += 1
    digits[19] = digits[19] >> 1 | (left & 1) << 12


@micropython.viper
def select(t: ptr32, s: int, point: ptr32, digits: ptr32):
    """The table's point for the digits at place `s`, 16 times a limb plus a bit, read past all 16 of its block.

    Three numbers, as _ed25519_table has them, negated where the highest tooth's digit is -1.
    """
    limb = s >> 4
    bit = s & 15
    t = ptr32(int(t) + 1920 * (limb >> 1))
    minus = (digits[16 + limb] >> bit & 1) - 1
    index = digits[limb] >> bit & 1 | (digits[4 + limb] >> bit & 1) << 1
    index |= (digits[8 + limb] >> bit & 1) << 2 | (digits[12 + limb] >> bit & 1) << 3
    index ^= minus & 15
    m0 = ((index ^ 0) - 1) >> 31
    m1 = ((index ^ 1) - 1) >> 31
    m2 = ((index ^ 2) - 1) >> 31
    m3 = ((index ^ 3) - 1) >> 31
    m4 = ((index ^ 4) - 1) >> 31
    m5 = ((index ^ 5) - 1) >> 31
    m6 = ((index ^ 6) - 1) >> 31
    m7 = ((index ^ 7) - 1) >> 31
    m8 = ((index ^ 8) - 1) >> 31
    m9 = ((index ^ 9) - 1) >> 31
    m10 = ((index ^ 10) - 1) >> 31
    m11 = ((index ^ 11) - 1) >> 31
    m12 = ((index ^ 12) - 1) >> 31
    m13 = ((index ^ 13) - 1) >> 31
    m14 = ((index ^ 14) - 1) >> 31
    m15 = ((index ^ 15) - 1) >> 31
    bottom = int(point)
    n = 30
    while n:
        s = t[0] & m0
        s = t[1] & m1 | s
        s = t[2] & m2 | s
        s = t[3] & m3 | s
        s = t[4] & m4 | s
        s = t[5] & m5 | s
        s = t[6] & m6 | s
        s = t[7] & m7 | s
        s = t[8] & m8 | s
        s = t[9] & m9 | s
        s = t[10] & m10 | s
        s = t[11] & m11 | s
        s = t[12] & m12 | s
        s = t[13] & m13 | s
        s = t[14] & m14 | s
        s = t[15] & m15 | s
        point[0] = s
        point = ptr32(int(point) + 4)
        t = ptr32(int(t) + 64)
        n -= 1
    t = ptr32(bottom)
    n = 10
    while n:  # y + x and y - x change places
        s = (t[0] ^ t[10]) & minus
        t[0] = t[0] ^ s
        t[10] = t[10] ^ s
        t = ptr32(int(t) + 4)
        n -= 1
    t = ptr32(bottom + 240)
    n = 30
    while n:  # two limbs a word; from above, so that none is written over unread
        t = ptr32(int(t) - 8)
        point = ptr32(int(point) - 4)
        s = point[0]
        t[0] = s & 65535
        t[1] = s >> 16
        n -= 1
    t = ptr32(bottom + 160)
    n = 20
    while n:
        t[0] = (t[0] ^ minus) - minus
        t = ptr32(int(t) + 4)
        n -= 1


@micropython.viper
def look_up(t: ptr32, s: int, point: ptr32, digits: ptr32) -> int:
    """As `select`, for public digits: one point, left as it is; 1, or 255 where its negative is meant."""
    limb = s >> 4
    bit = s & 15
    minus = (digits[16 + limb] >> bit & 1) - 1
    s = digits[limb] >> bit & 1 | (digits[4 + limb] >> bit & 1) << 1
    s |= (digits[8 + limb] >> bit & 1) << 2 | (digits[12 + limb] >> bit & 1) << 3
    t = ptr32(int(t) + 1920 * (limb >> 1) + 4 * (s ^ minus & 15))
    n = 30
    while n:
        s = t[0]
        point[0] = s & 65535
        point[1] = s >> 16
        point = ptr32(int(point) + 8)
        t = ptr32(int(t) + 64)
        n -= 1
    return minus & 254 | 1


@micropython.viper
def copy(point: ptr32, multiples: ptr32, digit: int) -> int:
    """Four numbers of the multiple of a point that `digit` names, as `aim` has it; 1, or 255 for its negative."""
    if digit >> 7:
        multiples = ptr32(int(multiples) + 160 * (255 - digit))
    else:
        multiples = ptr32(int(multiples) + 160 * (digit - 1))
    n = 40
    while n:
        point[0] = multiples[0]
        point[1] = multiples[1]
        point = ptr32(int(point) + 8)
        multiples = ptr32(int(multiples) + 8)
        n -= 1
    return 254 * (digit >> 7) | 1


@micropython.viper
def aim(program: ptr8, at: int, digit: int, more: int):
    """Have a program of `curve` that adds a point add what `digit`, 1 to 7 or -1 to -7 as a byte, names in a table.

    The table has 1, 3, 5, 7 times a point in four numbers each from `at` on. T is made where `more` is not 0.
    """
    negative = digit >> 7
    if negative:
        at += 2 * (255 - digit)
    else:
        at += 2 * (digit - 1)
    program[7] = at + 1 - negative  # y + x and y - x change places
    program[15] = at + negative
    program[19] = at + 2
    if program[20] == 1:
        program[23] = at + 3
    program[32] = 6 - negative  # and 2dxy its sign
    program[36] = 5 + negative
    program[52] = int(more != 0)


@micropython.viper
def exchange(t: ptr32, s: int, secret: ptr8, place: int):
    """Numbers 0 and 1 of t change places, and 2 and 3, where two bits of the secret, `place` and the next, differ."""
    s = int(secret[place >> 3]) >> (place & 7)
    place += 1
    s ^= int(secret[place >> 3]) >> (place & 7)
    mask = 0 - (s & 1)
    blocks = 2
    while blocks:
        n = 20
        while n:
            s = (t[0] ^ t[20]) & mask
            t[0] = t[0] ^ s
            t[20] = t[20] ^ s
            t = ptr32(int(t) + 4)
            n -= 1
        t = ptr32(int(t) + 80)
        blocks -= 1


@micropython.viper
def nonadjacent(digits: ptr8, k: ptr32):
    """The odd digits from -7 to 7, as bytes, of a public k below 2^255; the next three after one are 0."""
    left = 0
    at = 0
    limb = 0
    bit = 0
    while at < 256:
        window = (k[limb] | k[limb + 1] << 13) >> bit & 15
        step = 1
        if (window ^ left) & 1:
            window += left
            left = window >> 3
            digits[at] = window - (left << 4)
            step = 4
        at += step
        bit += step
        if bit > 12:
            bit -= 13
            limb += 1
