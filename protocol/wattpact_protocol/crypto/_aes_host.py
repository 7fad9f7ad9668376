"""AES by OpenSSL, through the package cryptography."""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB


def ecb(key: bytes, blocks: bytes | bytearray) -> bytes:
    """Whole blocks, each encrypted by itself."""
    return Cipher(AES(key), ECB()).encryptor().update(blocks)


def cbc_mac(key: bytes, blocks: bytes | bytearray) -> bytes:
    """The last block of CBC from a zero vector."""
    return Cipher(AES(key), CBC(bytes(16))).encryptor().update(blocks)[-16:]
