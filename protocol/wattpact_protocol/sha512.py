"""SHA-512 (FIPS 180-4), for Ed25519: stock MicroPython on the ESP32 has SHA-256 and no SHA-512.

`digest(data)` is hashlib's where the platform has one, and `portable_digest` elsewhere; both are the same function.
"""

import hashlib

_MASK = (1 << 64) - 1

# First 64 bits of the fractional parts of the square roots of the first 8 primes (FIPS 180-4, 5.3.5).
_START: "tuple[int, ...]" = (
    0x6A09E667F3BCC908,
    0xBB67AE8584CAA73B,
    0x3C6EF372FE94F82B,
    0xA54FF53A5F1D36F1,
    0x510E527FADE682D1,
    0x9B05688C2B3E6C1F,
    0x1F83D9ABFB41BD6B,
    0x5BE0CD19137E2179,
)

# The same of the cube roots of the first 80 primes (FIPS 180-4, 4.2.3), one after the other, big-endian.
_ROUND_BYTES = bytes.fromhex(
    "428a2f98d728ae227137449123ef65cdb5c0fbcfec4d3b2fe9b5dba58189dbbc3956c25bf348b53859f111f1b605d019"
    "923f82a4af194f9bab1c5ed5da6d8118d807aa98a303024212835b0145706fbe243185be4ee4b28c550c7dc3d5ffb4e2"
    "72be5d74f27b896f80deb1fe3b1696b19bdc06a725c71235c19bf174cf692694e49b69c19ef14ad2efbe4786384f25e3"
    "0fc19dc68b8cd5b5240ca1cc77ac9c652de92c6f592b02754a7484aa6ea6e4835cb0a9dcbd41fbd476f988da831153b5"
    "983e5152ee66dfaba831c66d2db43210b00327c898fb213fbf597fc7beef0ee4c6e00bf33da88fc2d5a79147930aa725"
    "06ca6351e003826f142929670a0e6e7027b70a8546d22ffc2e1b21385c26c9264d2c6dfc5ac42aed53380d139d95b3df"
    "650a73548baf63de766a0abb3c77b2a881c2c92e47edaee692722c851482353ba2bfe8a14cf10364a81a664bbc423001"
    "c24b8b70d0f89791c76c51a30654be30d192e819d6ef5218d69906245565a910f40e35855771202a106aa07032bbd1b8"
    "19a4c116b8d2d0c81e376c085141ab532748774cdf8eeb9934b0bcb5e19b48a8391c0cb3c5c95a634ed8aa4ae3418acb"
    "5b9cca4f7763e373682e6ff3d6b2b8a3748f82ee5defb2fc78a5636f43172f6084c87814a1f0ab728cc702081a6439ec"
    "90befffa23631e28a4506cebde82bde9bef9a3f7b2c67915c67178f2e372532bca273eceea26619cd186b8c721c0c207"
    "eada7dd6cde0eb1ef57d4f7fee6ed17806f067aa72176fba0a637dc5a2c898a6113f9804bef90dae1b710b35131c471b"
    "28db77f523047d8432caab7b40c724933c9ebe0a15c9bebc431d67c49c100d4c4cc5d4becb3e42b6597f299cfc657e2a"
    "5fcb6fab3ad6faec6c44198c4a475817"
)
_ROUND = tuple([int.from_bytes(_ROUND_BYTES[i : i + 8], "big") for i in range(0, 640, 8)])
del _ROUND_BYTES


def portable_digest(data: bytes) -> bytes:
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
        # A word next to itself turns each rotation into one shift; the mask then drops what lies above 64 bits.
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


def _hashlib_digest(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


digest = _hashlib_digest if hasattr(hashlib, "sha512") else portable_digest
