"""Random bytes where the radio could not be switched on: the chip's own are true ones beside the radio alone, so they
are hashed with a converter's noise and with the time that each conversion took."""

import hashlib
import os
import time

from machine import ADC, Pin

CONVERSIONS = 1024  # a bit of each would do for four keys


def urandom(n: int, pin: int) -> bytes:
    """n bytes, at most 32; pin is one of ADC1."""
    converter = ADC(Pin(pin), atten=ADC.ATTN_11DB)
    digest = hashlib.sha256(os.urandom(32))
    for _ in range(CONVERSIONS):
        digest.update(b"%d %d" % (converter.read_uv(), time.ticks_us()))  # type: ignore[attr-defined]
    return digest.digest()[:n]
