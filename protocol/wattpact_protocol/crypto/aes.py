"""AES encryption of whole blocks (FIPS 197, SP 800-38A): what CCM and GCM are made of.

This is the one place that chooses who does the work: OpenSSL where the package cryptography is installed; MicroPython's
cryptolib, which on an ESP32 is the chip's own AES; plain Python integers elsewhere. All give the same bytes.
"""

try:
    from wattpact_protocol.crypto import _aes_host as _backend
except ImportError:
    try:
        from wattpact_protocol.crypto import _aes_cryptolib as _backend  # type: ignore[no-redef]
    except ImportError:
        from wattpact_protocol.crypto import _aes_portable as _backend  # type: ignore[no-redef]

try:
    # SyntaxError: no compiler to machine code here; ValueError: compiled ahead for other machines.
    from wattpact_protocol.crypto._xor_viper import xor_into as xor_into
except (ImportError, SyntaxError, ValueError):
    from wattpact_protocol.crypto._xor_portable import xor_into as xor_into


class AesError(ValueError):
    """A key is not 16, 24 or 32 bytes, or data is not of whole blocks."""


def ecb(key: bytes, blocks: "bytes | bytearray") -> bytes:
    """One or more blocks of 16 bytes, each encrypted by itself; raises AesError."""
    _check(key, blocks)
    return _backend.ecb(key, blocks)


def cbc_mac(key: bytes, blocks: "bytes | bytearray") -> bytes:
    """The last block of CBC over one or more blocks, from a zero vector; raises AesError."""
    _check(key, blocks)
    return _backend.cbc_mac(key, blocks)


def ctr(key: bytes, counters: "bytes | bytearray", data: "bytes | bytearray") -> bytes:
    """Data, no longer than the counter blocks, XORed with what these encrypt to; raises AesError."""
    if not isinstance(data, (bytes, bytearray)) or len(data) > len(counters):
        raise AesError("there are fewer counter blocks than data")
    masked = bytearray(data)
    mask(key, counters, masked)
    return bytes(masked)


def mask(key: bytes, counters: "bytes | bytearray", data: bytearray) -> None:
    """As `ctr`, in place, with blocks enough. It spares MicroPython the copies: each `bytes` made is hashed there."""
    xor_into(data, ecb(key, counters))


def _check(key: bytes, blocks: "bytes | bytearray") -> None:
    if not isinstance(key, bytes) or len(key) not in (16, 24, 32):
        raise AesError("an AES key is 16, 24 or 32 bytes")
    if not isinstance(blocks, (bytes, bytearray)) or not blocks or len(blocks) % 16:
        raise AesError("AES takes whole blocks of 16 bytes")
