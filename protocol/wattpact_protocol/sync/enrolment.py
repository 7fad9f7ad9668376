"""How a meter requests enrolment: its public key, proved with the 128-bit code on its sticker.

    proof = HMAC-SHA256(code, "wattpact/enrol" || community || public key)          RFC 2104

Whoever types the code in at the host accepts that key and no other. Specification: docs/spec/enrolment.md.
"""

from wattpact_protocol.crypto import hkdf

CODE_BYTES = 16
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648 section 6


class CodeError(ValueError):
    """A sticker code that was mistyped."""


def proof(code: bytes, community: bytes, public_key: bytes) -> bytes:
    """32 bytes that only a holder of the sticker code can make."""
    return hkdf.hmac_sha256(code, b"wattpact/enrol" + community + public_key)


def format_code(code: bytes) -> str:
    """26 base32 characters in groups, as printed on the sticker."""
    value = int.from_bytes(code, "big") << 2
    digits = "".join([_BASE32[(value >> (125 - 5 * i)) & 31] for i in range(26)])
    return "-".join([digits[i : i + 5] for i in range(0, 26, 5)])


def parse_code(text: str) -> bytes:
    """The 16 bytes of a typed code, in any case and grouping; raises CodeError."""
    digits = "".join([c for c in text.upper() if c not in "- "])
    if len(digits) != 26:
        raise CodeError("a sticker code has 26 letters and digits, not %d" % len(digits))
    value = 0
    for digit in digits:
        place = _BASE32.find(digit)
        if place < 0:
            raise CodeError("%r is not in a sticker code: it has letters and the digits 2 to 7" % digit)
        value = value << 5 | place
    if value & 3:
        raise CodeError("the last character of the code is mistyped")
    return (value >> 2).to_bytes(CODE_BYTES, "big")
