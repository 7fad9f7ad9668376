"""AES-CCM by OpenSSL, through the package cryptography."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM


def seal(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes, tag_length: int) -> bytes:
    """Ciphertext and tag; arguments checked by the caller."""
    return AESCCM(key, tag_length).encrypt(nonce, plaintext, aad)


def open(key: bytes, nonce: bytes, aad: bytes, sealed: bytes, tag_length: int) -> bytes | None:
    """The plaintext; None for what does not authenticate."""
    try:
        return AESCCM(key, tag_length).decrypt(nonce, sealed, aad)
    except InvalidTag:
        return None
