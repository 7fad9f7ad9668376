# mypy: ignore-errors
"""Limbs and bytes, numbers modulo p and modulo the order L of Ed25519, and the signed comb, for 32-bit integers.

Limbs have 13 bits, least significant first, 20 to a number. No value read from a limb decides a branch or an address,
except in `nonadjacent`, which is for public numbers.
"""

import micropython


@micropython.viper
def clamp(data: ptr8):
    """Make a secret scalar of 32 bytes (RFC 8032, 5.1.5, step 2)."""
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
def carry(x: ptr32):
    """Bring limbs 0 to 18 between 0 and 8191; limb 19 takes what is left, with its sign."""
    left = 0
    k = 0
    while k < 19:
        left += x[k]
        x[k] = left & 8191
        left >>= 13
        k += 1
    x[19] = x[19] + left


@micropython.viper
def canonical(x: ptr32):
    """Reduce the number modulo p = 2^255 - 19 to its one form between 0 and p - 1."""
    x[0] = x[0] + 7584  # 32p, so that nothing is negative
    k = 1
    while k < 20:
        x[k] = x[k] + 8191
        k += 1
    rounds = 0
    while rounds < 3:
        left = 0
        k = 0
        while k < 19:
            left += x[k]
            x[k] = left & 8191
            left >>= 13
            k += 1
        left += x[19]
        x[19] = left & 255
        x[0] = x[0] + 19 * (left >> 8)
        rounds += 1
    left = 19  # now below 2^255; adding 19 reaches 2^255 exactly where the number is p or more
    k = 0
    while k < 19:
        left = (left + x[k]) >> 13
        k += 1
    left = 19 * ((left + x[19]) >> 8)
    k = 0
    while k < 19:
        left += x[k]
        x[k] = left & 8191
        left >>= 13
        k += 1
    x[19] = (x[19] + left) & 255


@micropython.viper
def multiply_add(x: ptr32, a: ptr32, b: ptr32, c: ptr32):
    """a times b plus c in 41 limbs."""
    left = 0
    k = 0
    while k < 40:
        i = 0
        last = k
        if k > 19:
            i = k - 19
            last = 19
        if k < 20:
            left += c[k]
        while i <= last:
            left += a[i] * b[k - i]
            i += 1
        x[k] = left & 8191
        left >>= 13
        k += 1
    x[40] = left


@micropython.viper
def reduce(x: ptr32, order: ptr32):
    """41 limbs modulo L, into limbs 0 to 19. `order` is ORDER: 20 limbs of L, then 11 of 256 (L - 2^252)."""
    i = 40
    while i >= 20:  # 2^260 = -256 (L - 2^252) modulo L
        low = ptr32(int(x) + 4 * (i - 20))
        top = x[i]
        x[i] = 0
        j = 0
        while j < 11:
            low[j] = low[j] - top * order[20 + j]
            j += 1
        left = 0
        j = 0
        while j < 19:
            left += low[j]
            low[j] = left & 8191
            left >>= 13
            j += 1
        low[19] = low[19] + left
        i -= 1
    top = (x[19] >> 5) - 1  # 2^252 = -(L - 2^252) modulo L; and L more, so that nothing is negative
    x[19] = (x[19] & 31) + 32
    j = 0
    while j < 10:
        x[j] = x[j] - top * order[j]
        j += 1
    rounds = 0
    while rounds < 3:
        left = 0
        j = 0
        while j < 19:
            left += x[j]
            x[j] = left & 8191
            left >>= 13
            j += 1
        x[19] = x[19] + left
        if rounds < 2:
            j = 0
            while j < 20:
                x[j] = x[j] - order[j]
                j += 1
            left = 0
            j = 0
            while j < 19:
                left += x[j]
                x[j] = left & 8191
                left >>= 13
                j += 1
            x[19] = x[19] + left
            top = x[19] >> 31  # all ones where L was too much
            j = 0
            while j < 20:
                x[j] = x[j] + (order[j] & top)
                j += 1
        rounds += 1


@micropython.viper
def recode(digits: ptr32, k: ptr32, order: ptr32):
    """260 digits of -1 or 1 whose sum, the i-th times 2^i, is k modulo L; a digit is a bit, 0 for -1. k is below 2^259."""
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
def select(point: ptr32, words: ptr32, digits: ptr32, place: int):
    """The table's point for the digits at `place`, 16 times a limb plus a bit, read past all 16 of its block.

    Three numbers, as _ed25519_table has them, negated where the highest tooth's digit is -1.
    """
    limb = place >> 4
    bit = place & 15
    minus = (digits[16 + limb] >> bit & 1) - 1
    index = digits[limb] >> bit & 1 | (digits[4 + limb] >> bit & 1) << 1
    index |= (digits[8 + limb] >> bit & 1) << 2 | (digits[12 + limb] >> bit & 1) << 3
    index ^= minus & 15
    k = 0
    while k < 60:
        point[k] = 0
        k += 1
    t = ptr32(int(words) + 1920 * (limb >> 1))
    entry = 0
    while entry < 16:
        mask = ((index ^ entry) - 1) >> 31
        k = 0
        while k < 30:
            point[k] = t[k] & mask | point[k]
            point[k + 1] = t[k + 1] & mask | point[k + 1]
            point[k + 2] = t[k + 2] & mask | point[k + 2]
            k += 3
        t = ptr32(int(t) + 120)
        entry += 1
    k = 29
    while k >= 0:  # two limbs a word; from above, so that none is written over unread
        left = point[k]
        point[2 * k] = left & 8191
        point[2 * k + 1] = left >> 16
        k -= 1
    k = 0
    while k < 20:
        left = (point[k] ^ point[20 + k]) & minus
        point[k] = point[k] ^ left
        point[20 + k] = point[20 + k] ^ left
        point[40 + k] = (point[40 + k] ^ minus) - minus
        k += 1


@micropython.viper
def nonadjacent(digits: ptr8, k: ptr32):
    """The odd digits from -15 to 15, as bytes, of a public k below 2^255; the next four after one are 0."""
    left = 0
    at = 0
    limb = 0
    bit = 0
    while at < 256:
        window = (k[limb] | k[limb + 1] << 13) >> bit & 31
        step = 1
        if (window ^ left) & 1:
            window += left
            left = window >> 4
            digits[at] = window - (left << 5)
            step = 5
        at += step
        bit += step
        if bit > 12:
            bit -= 13
            limb += 1
