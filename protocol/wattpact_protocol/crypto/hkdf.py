"""Keys derived from secrets: HKDF with SHA-256 (RFC 5869), the HMAC below it (RFC 2104), and equality of secrets.

    prk = extract(salt, secret)       key = expand(prk, info, length)       derive() is one after the other

CPython's library does HMAC and comparison where it is there; the bytes are the same everywhere.
"""

HASH_BYTES = 32
MAX_LENGTH = 255 * HASH_BYTES

try:
    from wattpact_protocol.crypto import _hkdf_host as _backend
except ImportError:
    from wattpact_protocol.crypto import _hkdf_portable as _backend  # type: ignore[no-redef]


class HkdfError(ValueError):
    """Something is not bytes, a length is not from 1 to 8160, or a pseudorandom key is shorter than 32 bytes."""


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """32 bytes that only a holder of the key can make; raises HkdfError."""
    _check(key, data)
    return _backend.hmac_sha256(key, data)


def extract(salt: bytes, secret: bytes) -> bytes:
    """The 32-byte pseudorandom key of a secret (RFC 5869, 2.2); raises HkdfError."""
    return hmac_sha256(salt, secret)


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    """So many bytes for one use of a pseudorandom key (RFC 5869, 2.3); raises HkdfError."""
    _check(prk, info)
    if not isinstance(length, int) or isinstance(length, bool) or not 1 <= length <= MAX_LENGTH:
        raise HkdfError("a derived key has 1 to 8160 bytes")
    if len(prk) < HASH_BYTES:
        raise HkdfError("a pseudorandom key has 32 bytes or more")
    block, blocks = b"", []
    for number in range(1, (length + HASH_BYTES - 1) // HASH_BYTES + 1):
        block = _backend.hmac_sha256(prk, block + info + bytes([number]))
        blocks.append(block)
    return b"".join(blocks)[:length]


def derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """So many bytes for the use that `info` names, from a secret and a salt that need not be; raises HkdfError."""
    return expand(extract(salt, secret), info, length)


def equal(a: bytes, b: bytes) -> bool:
    """Equality of two byte strings, in a time that does not depend on where they differ; raises HkdfError."""
    _check(a, b)
    return _backend.equal(a, b)


def _check(*values: bytes) -> None:
    for value in values:
        if not isinstance(value, bytes):
            raise HkdfError("keys and data are bytes")
