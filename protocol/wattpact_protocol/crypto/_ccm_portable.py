"""CCM (RFC 3610, 2; SP 800-38C) over AES in ECB and CBC: one call of each, whatever the length.

The counter blocks A_0, A_1, ... are encrypted in one ECB call, and A_0's part masks the tag: so the tag precedes
the text as if it were its block 0, and one XOR does both. T is the last block of CBC over B_0, aad and plaintext.
"""

from wattpact_protocol.crypto import aes
from wattpact_protocol.crypto.hkdf import equal


def seal(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes, tag_length: int) -> bytes:
    """Ciphertext and tag; arguments checked by the caller."""
    mac = aes.cbc_mac(key, _authenticated(nonce, aad, plaintext, tag_length))
    masked = bytearray(mac)
    masked.extend(plaintext)
    aes.mask(key, _counters(nonce, len(plaintext)), masked)
    return bytes(masked[16:] + masked[:tag_length])


def open(key: bytes, nonce: bytes, aad: bytes, sealed: bytes, tag_length: int) -> "bytes | None":
    """The plaintext; None for what does not authenticate."""
    length = len(sealed) - tag_length
    unmasked = bytearray(16)
    unmasked[:tag_length] = sealed[length:]
    unmasked.extend(memoryview(sealed)[:length])
    aes.mask(key, _counters(nonce, length), unmasked)
    plaintext = bytes(memoryview(unmasked)[16:])
    mac = aes.cbc_mac(key, _authenticated(nonce, aad, plaintext, tag_length))
    return plaintext if equal(mac[:tag_length], bytes(unmasked[:tag_length])) else None


def _counters(nonce: bytes, length: int) -> bytearray:
    """A_0 and one more for each block of the text (RFC 3610, 2.3)."""
    size, count = 15 - len(nonce), (length + 15) // 16 + 1
    blocks = bytearray((bytes([size - 1]) + nonce + bytes(size)) * count)
    number = 0
    for at in range(31, 16 * count, 16):
        number += 1
        blocks[at] = number & 0xFF
    for number in range(256, count):
        blocks[16 * number + 16 - size : 16 * number + 16] = number.to_bytes(size, "big")
    return blocks


def _authenticated(nonce: bytes, aad: bytes, plaintext: bytes, tag_length: int) -> bytearray:
    """B_0, aad with its length before it, and plaintext, in whole blocks (RFC 3610, 2.2)."""
    size = 15 - len(nonce)
    flags = (64 if aad else 0) + 8 * (tag_length // 2 - 1) + size - 1
    blocks = bytearray(bytes([flags]) + nonce + len(plaintext).to_bytes(size, "big"))
    if aad:
        blocks.extend(len(aad).to_bytes(2, "big") if len(aad) < 0xFF00 else b"\xff\xfe" + len(aad).to_bytes(4, "big"))
        blocks.extend(aad)
        blocks.extend(bytes(-len(blocks) % 16))
    blocks.extend(plaintext)
    blocks.extend(bytes(-len(blocks) % 16))
    return blocks
