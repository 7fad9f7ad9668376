"""AES-CCM: sealing bytes so that they cannot be read or changed without the key (RFC 3610, NIST SP 800-38C).

    seal(key, nonce, aad, plaintext, tag_length=8) -> ciphertext || tag
    open(key, nonce, aad, sealed, tag_length=8) -> plaintext           raises CcmError for what is not authentic

A nonce must never serve twice under one key with other content. CCM does not commit to its key: two keys may open one
ciphertext to two contents, and who seals can look for them. Specification: docs/spec/aes-ccm.md.

OpenSSL does the work where the package cryptography is installed; elsewhere it is done over `aes`.
"""

try:
    from wattpact_protocol.crypto import _ccm_host as _backend
except ImportError:
    from wattpact_protocol.crypto import _ccm_portable as _backend  # type: ignore[no-redef]

KEY_LENGTHS = (16, 24, 32)
TAG_LENGTHS = (4, 6, 8, 10, 12, 14, 16)
MAX_LENGTH = 1 << 20  # of plaintext and of aad: a bound of this module, far above an entry's


class CcmError(ValueError):
    """What was given has a wrong type or size, or does not authenticate."""


def seal(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes, tag_length: int = 8) -> bytes:
    """Ciphertext and tag, longer than the plaintext by tag_length; raises CcmError."""
    _check(key, nonce, aad, plaintext, tag_length)
    _check_length(len(plaintext), nonce)
    return _backend.seal(key, nonce, aad, plaintext, tag_length)


def open(key: bytes, nonce: bytes, aad: bytes, sealed: bytes, tag_length: int = 8) -> bytes:
    """The plaintext that was sealed under this key and nonce with this aad; raises CcmError."""
    _check(key, nonce, aad, sealed, tag_length)
    if len(sealed) < tag_length:
        raise CcmError("what is sealed is shorter than its tag")
    _check_length(len(sealed) - tag_length, nonce)
    plaintext = _backend.open(key, nonce, aad, sealed, tag_length)
    if plaintext is None:
        raise CcmError("what is sealed does not authenticate")
    return plaintext


def _check(key: bytes, nonce: bytes, aad: bytes, data: bytes, tag_length: int) -> None:
    for value in (key, nonce, aad, data):
        if not isinstance(value, bytes):
            raise CcmError("key, nonce, aad and data are bytes")
    if len(key) not in KEY_LENGTHS:
        raise CcmError("an AES key is 16, 24 or 32 bytes")
    if not 7 <= len(nonce) <= 13:
        raise CcmError("a nonce of CCM is 7 to 13 bytes")
    if not isinstance(tag_length, int) or tag_length not in TAG_LENGTHS:
        raise CcmError("a tag of CCM is 4, 6, 8, 10, 12, 14 or 16 bytes")
    if len(aad) > MAX_LENGTH:
        raise CcmError("aad is too long")


def _check_length(length: int, nonce: bytes) -> None:
    """The length of the text must fit what the nonce leaves for it in a block (RFC 3610, 2.1)."""
    if length > MAX_LENGTH or length >> 8 * (15 - len(nonce)):
        raise CcmError("the text is too long for its nonce")
