"""AES-GCM: sealing bytes so that they cannot be read or changed without the key (NIST SP 800-38D), tags of 16 bytes.

    seal(key, nonce, aad, plaintext) -> ciphertext || tag
    open(key, nonce, aad, sealed) -> plaintext           raises GcmError for what is not authentic

A nonce must never serve twice under one key: who sees two texts of one nonce can forge. GCM does not commit to its key.

OpenSSL does the work where the package cryptography is installed; elsewhere it is done over `aes`.
"""

try:
    from wattpact_protocol.crypto import _gcm_host as _backend
except ImportError:
    from wattpact_protocol.crypto import _gcm_portable as _backend  # type: ignore[no-redef]

KEY_LENGTHS = (16, 24, 32)
TAG_BYTES = 16
MAX_LENGTH = 1 << 20  # of plaintext and of aad: a bound of this module, far above an entry's


class GcmError(ValueError):
    """What was given has a wrong type or size, or does not authenticate."""


def seal(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
    """Ciphertext and tag, 16 bytes longer than the plaintext; raises GcmError. A nonce of 12 bytes is the cheapest."""
    _check(key, nonce, aad, plaintext, 0)
    return _backend.seal(key, nonce, aad, plaintext)


def open(key: bytes, nonce: bytes, aad: bytes, sealed: bytes) -> bytes:
    """The plaintext that was sealed under this key and nonce with this aad; raises GcmError."""
    _check(key, nonce, aad, sealed, TAG_BYTES)
    plaintext = _backend.open(key, nonce, aad, sealed)
    if plaintext is None:
        raise GcmError("what is sealed does not authenticate")
    return plaintext


def _check(key: bytes, nonce: bytes, aad: bytes, data: bytes, tag_length: int) -> None:
    for value in (key, nonce, aad, data):
        if not isinstance(value, bytes):
            raise GcmError("key, nonce, aad and data are bytes")
    if len(key) not in KEY_LENGTHS:
        raise GcmError("an AES key is 16, 24 or 32 bytes")
    if not 8 <= len(nonce) <= 128:
        raise GcmError("a nonce is 8 to 128 bytes here")
    if len(data) < tag_length:
        raise GcmError("what is sealed is shorter than its tag")
    if len(data) - tag_length > MAX_LENGTH or len(aad) > MAX_LENGTH:
        raise GcmError("data or aad is too long")
