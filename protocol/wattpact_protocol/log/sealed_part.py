"""The sealed part of a body as it travels: the number of a key, and a COSE_Encrypt0 (RFC 9052, 5.2) of one shape.

    [key_no, [ << {1: 10} >>, {5: nonce}, ciphertext ]]              AES-CCM-16-64-128, a nonce of 13 bytes, a tag of 8

Who has no key can carry it, count it and check the signature over it, and knows nothing else. `sealing` makes and opens
it. Specification: docs/spec/sealing.md.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

AES_CCM_16_64_128 = 10
PROTECTED = b"\xa1\x01\x0a"  # << {1: 10} >>
NONCE_BYTES = 13
TAG_BYTES = 8
MAX_CIPHERTEXT_BYTES = 832  # what an entry of 1,024 bytes has room for
MAX_KEY_NO = (1 << 32) - 1

_IV = 5


class Sealed:
    """A key's number, a nonce and a ciphertext with its tag; nothing in it is known."""

    __slots__ = ("ciphertext", "key_no", "nonce")

    def __init__(self, key_no: int, nonce: bytes, ciphertext: bytes) -> None:
        self.key_no = key_no
        self.nonce = nonce
        self.ciphertext = ciphertext

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and (self.key_no, self.nonce, self.ciphertext) == (
            other.key_no, other.nonce, other.ciphertext
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.key_no, self.nonce, self.ciphertext))

    def __repr__(self) -> str:
        return "<Sealed under key %d, %d bytes>" % (self.key_no, len(self.ciphertext))


def decode(raw: object) -> "Sealed | None":
    """The sealed part in a decoded CBOR value; None where it is none."""
    if not isinstance(raw, list) or len(raw) != 2:
        return None
    key_no, envelope = raw
    if type(key_no) is not int or not 1 <= key_no <= MAX_KEY_NO:
        return None
    if not isinstance(envelope, list) or len(envelope) != 3:
        return None
    protected, unprotected, ciphertext = envelope
    if protected != PROTECTED or not isinstance(unprotected, dict) or len(unprotected) != 1:
        return None
    nonce = unprotected.get(_IV)
    if not isinstance(nonce, bytes) or len(nonce) != NONCE_BYTES:
        return None
    if not isinstance(ciphertext, bytes) or not TAG_BYTES < len(ciphertext) <= MAX_CIPHERTEXT_BYTES:
        return None
    return Sealed(key_no, nonce, ciphertext)


def encode(part: Sealed) -> "list[Any]":
    """What `decode` takes."""
    return [part.key_no, [PROTECTED, {_IV: part.nonce}, part.ciphertext]]
