# mypy: ignore-errors
"""The tables that machine code reads by words: points of Ed25519's comb, and the constants of SHA-512's rounds."""

import sys

import micropython

from wattpact_protocol.crypto import _ed25519_table, _sha512_constants

if sys.maxsize != 0x7FFFFFFF:
    raise ImportError("needs 32-bit integers")

WORDS = _ed25519_table.POINTS + _sha512_constants.ROUND


@micropython.viper
def _misaligned(data: ptr8) -> int:
    return int(data) & 3


# In an image that runs from flash, constants are at any address, and words are read at multiples of four alone.
POINTS = bytearray(WORDS) if _misaligned(WORDS) else WORDS
_AT = len(_ed25519_table.POINTS)
ROUND = memoryview(POINTS)[_AT:]
