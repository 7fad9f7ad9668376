"""AES by MicroPython's cryptolib: on an ESP32, the chip's own.

Stock firmware has ECB and CBC, no CTR, and keys of 16 and 32 bytes. A key of 24 goes to portable Python, which is not
loaded before there is one.
"""

import cryptolib

_ECB, _CBC = 1, 2


def ecb(key: bytes, blocks: "bytes | bytearray") -> bytes:
    """Whole blocks, each encrypted by itself."""
    if len(key) == 24:
        from wattpact_protocol.crypto import _aes_portable

        return _aes_portable.ecb(key, blocks)
    encrypted: bytes = cryptolib.aes(key, _ECB).encrypt(blocks)
    return encrypted


def cbc_mac(key: bytes, blocks: "bytes | bytearray") -> bytes:
    """The last block of CBC from a zero vector."""
    if len(key) == 24:
        from wattpact_protocol.crypto import _aes_portable

        return _aes_portable.cbc_mac(key, blocks)
    encrypted = bytearray(len(blocks))
    cryptolib.aes(key, _CBC, bytes(16)).encrypt(blocks, encrypted)
    return bytes(encrypted[-16:])
