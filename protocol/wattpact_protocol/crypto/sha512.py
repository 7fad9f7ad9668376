"""SHA-512 (FIPS 180-4), for Ed25519: stock MicroPython on the ESP32 has SHA-256 and no SHA-512.

This is the one place that chooses: hashlib's where the platform has one, machine code compiled from MicroPython where
integers have 32 bits, plain Python integers elsewhere. `digest(data)` is the same 64 bytes on all.
"""

import hashlib


def _hashlib_digest(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


if hasattr(hashlib, "sha512"):
    digest = _hashlib_digest
else:
    try:
        # SyntaxError: no compiler to machine code here; ValueError: compiled ahead for other machines.
        from wattpact_protocol.crypto import _sha512_viper as _backend
    except (ImportError, SyntaxError, ValueError):
        from wattpact_protocol.crypto import _sha512_portable as _backend  # type: ignore[no-redef]
    digest = _backend.digest
