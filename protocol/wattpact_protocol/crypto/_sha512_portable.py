"""SHA-512 (FIPS 180-4) in plain Python integers, for platforms without any other."""

from wattpact_protocol.crypto import _sha512_constants

_MASK = (1 << 64) - 1
_START, _ROUND = [
    tuple([int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)])
    for data in (_sha512_constants.START, _sha512_constants.ROUND)
]


def digest(data: bytes) -> bytes:
    """The 64 bytes of SHA-512(data)."""
    length = len(data)
    zeros = (111 - length) % 128
    tail = data[length - length % 128 :] + b"\x80" + bytes(zeros + 8) + (length << 3).to_bytes(8, "big")
    state = _START
    for at in range(0, length - length % 128, 128):
        state = _compress(state, data, at)
    for at in range(0, len(tail), 128):
        state = _compress(state, tail, at)
    return b"".join([word.to_bytes(8, "big") for word in state])


def _compress(state: "tuple[int, ...]", data: bytes, at: int) -> "tuple[int, ...]":
    """The state after the block of 128 bytes at `at` (FIPS 180-4, 6.4.2)."""
    mask = _MASK
    schedule = _expand(data, at)
    a, b, c, d, e, f, g, h = state
    for i in range(80):
        # A word next to itself turns each rotation into one shift; the mask then drops what is above 64 bits.
        ee = e << 64 | e
        aa = a << 64 | a
        first = h + ((ee >> 14 ^ ee >> 18 ^ ee >> 41) & mask) + (g ^ e & (f ^ g)) + _ROUND[i] + schedule[i]
        second = ((aa >> 28 ^ aa >> 34 ^ aa >> 39) & mask) + (a & b ^ c & (a ^ b))
        h = g
        g = f
        f = e
        e = d + first & mask
        d = c
        c = b
        b = a
        a = first + second & mask
    after = (a, b, c, d, e, f, g, h)
    return tuple([before + change & mask for before, change in zip(state, after)])


def _expand(data: bytes, at: int) -> "list[int]":
    """The 80 words of the message schedule (FIPS 180-4, 6.4.2, step 1)."""
    mask = _MASK
    words = [int.from_bytes(data[i : i + 8], "big") for i in range(at, at + 128, 8)]
    for i in range(16, 80):
        x = words[i - 15]
        y = words[i - 2]
        xx = x << 64 | x
        yy = y << 64 | y
        low = (xx >> 1 ^ xx >> 8 ^ x >> 7) & mask
        high = (yy >> 19 ^ yy >> 61 ^ y >> 6) & mask
        words.append(words[i - 16] + low + words[i - 7] + high & mask)
    return words
