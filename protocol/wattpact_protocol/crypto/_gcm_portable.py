"""GCM (SP 800-38D, 7) over AES in ECB; GHASH in integers.

GHASH multiplies in GF(2^128). Here such a number is an integer with one byte for each of its 128 coefficients: sums of
integers then never carry from one into the next, so the interpreter's own product, and the lowest bit of each of its
bytes, is the product of the polynomials. No table and no branch depends on a secret.
"""

from wattpact_protocol.crypto import aes
from wattpact_protocol.crypto.hkdf import equal

_WIDTHS = (128, 64, 32, 16, 8, 4, 2, 1)
# For each width, that many bits in every field of eight times as many.
_FIELDS = [((1 << width) - 1) * (((1 << 1024) - 1) // ((1 << 8 * width) - 1)) for width in _WIDTHS]
_ONES = ((1 << 2040) - 1) // 255  # of the 255 coefficients of a product
_HIGH_DEGREES = (1 << 8 * 127) - 1


def seal(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
    """Ciphertext and tag; arguments checked by the caller."""
    hash_key = _hash_key(key)
    masked = aes.ctr(key, _counters(hash_key, nonce, len(plaintext)), bytes(16) + plaintext)
    ciphertext = masked[16:]
    return ciphertext + _tag(hash_key, masked[:16], aad, ciphertext)


def open(key: bytes, nonce: bytes, aad: bytes, sealed: bytes) -> "bytes | None":
    """The plaintext; None for what does not authenticate."""
    hash_key, ciphertext = _hash_key(key), sealed[:-16]
    unmasked = aes.ctr(key, _counters(hash_key, nonce, len(ciphertext)), bytes(16) + ciphertext)
    authentic = equal(_tag(hash_key, unmasked[:16], aad, ciphertext), sealed[-16:])
    return unmasked[16:] if authentic else None


def _hash_key(key: bytes) -> int:
    """H, spread."""
    return _spread(int.from_bytes(aes.ecb(key, bytes(16)), "big"))


def _counters(hash_key: int, nonce: bytes, length: int) -> bytes:
    """J_0, whose part masks the tag, and one more for each block of the text (SP 800-38D, 7.1)."""
    if len(nonce) == 12:
        first = nonce + b"\0\0\0\1"
    else:
        first = _ghash(hash_key, _padded(nonce) + (8 * len(nonce)).to_bytes(16, "big"))
    head, start = first[:12], int.from_bytes(first[12:], "big")
    blocks = (length + 15) // 16 + 1
    return b"".join([head + (start + number & 0xFFFFFFFF).to_bytes(4, "big") for number in range(blocks)])


def _tag(hash_key: int, mask: bytes, aad: bytes, ciphertext: bytes) -> bytes:
    lengths = (8 * len(aad)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
    tag = bytearray(mask)
    aes.xor_into(tag, _ghash(hash_key, _padded(aad) + _padded(ciphertext) + lengths))
    return bytes(tag)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def _ghash(hash_key: int, blocks: bytes) -> bytes:
    """GHASH of whole blocks (SP 800-38D, 6.4)."""
    state = 0
    for at in range(0, len(blocks), 16):
        state = _multiply(state ^ _spread(int.from_bytes(blocks[at : at + 16], "big")), hash_key)
    return _gathered(state).to_bytes(16, "big")


def _spread(block: int) -> int:
    """Each bit of a block in the lowest bit of a byte of its own: halves move apart, then halves of these."""
    for step in range(1, 8):
        block = (block | block << 7 * _WIDTHS[step]) & _FIELDS[step]
    return block


def _gathered(spread: int) -> int:
    """The block that was spread."""
    for step in range(7, 0, -1):
        spread = (spread | spread >> 7 * _WIDTHS[step]) & _FIELDS[step - 1]
    return spread


def _multiply(x: int, y: int) -> int:
    """The product of two spread numbers (SP 800-38D, 6.3), spread. The first bit of a block is the coefficient of 1."""
    product = x * y & _ONES
    for _ in range(2):  # x^128 = x^7 + x^2 + x + 1; what that leaves above x^127 is gone the second time
        over = product & _HIGH_DEGREES
        product ^= over ^ over << 8 * 128 ^ over << 8 * 127 ^ over << 8 * 126 ^ over << 8 * 121
    return product >> 8 * 127
