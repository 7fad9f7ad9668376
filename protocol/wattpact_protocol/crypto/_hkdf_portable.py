"""HMAC over hashlib's SHA-256, and comparison, for MicroPython, which has neither."""

import hashlib

_INNER = int.from_bytes(b"\x36" * 64, "big")
_OUTER = int.from_bytes(b"\x5c" * 64, "big")


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """RFC 2104 with SHA-256."""
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    block = int.from_bytes(key + bytes(64 - len(key)), "big")
    inner = hashlib.sha256((block ^ _INNER).to_bytes(64, "big"))
    inner.update(data)
    return hashlib.sha256((block ^ _OUTER).to_bytes(64, "big") + inner.digest()).digest()


def equal(a: bytes, b: bytes) -> bool:
    """Equality in a time that does not depend on where they differ."""
    if len(a) != len(b):
        return False
    difference = 0
    for x, y in zip(a, b):
        difference |= x ^ y
    return difference == 0
