"""The CBOR profile on CPython: cbor2 decodes the common case, `_cbor_portable` decides every other.

cbor2 alone is too lenient: it takes longer heads, trailing bytes, any tag and any order of keys. So a pattern
first checks that the data is nothing but heads of the profile, each the shortest of its value, and whole strings; cbor2
then checks that these nest as arrays and maps of at most MAX_DEPTH levels, that text is UTF-8, and that keys differ;
`_ascending` that keys are in order; and `_fits` counts empty arrays and maps, which are no level to cbor2. What any of
them rejects goes to the portable decoder.

That the data is one item and no more is seen by decoding it as the first of two: the second is then `undefined`, put
there by this module and in no data that the pattern takes.

Most of what a host decodes is of two shapes: a sealed reading, and the content of one of import, export and perhaps
power, which a plain reading has in itself. Their patterns fix every head and every count, so there cbor2's value needs
no further check.
"""

import re
from typing import Any

from cbor2 import CBORError, loads, undefined

from wattpact_protocol.encoding import _cbor_portable as portable
from wattpact_protocol.encoding._cbor_portable import MAX_DEPTH, MAX_LENGTH


def _strings() -> bytes:
    """Byte and text strings of 1 to 255 bytes, each with the head for just its length (RFC 8949, 3)."""
    short = [rb"[\x%02x\x%02x].{%d}" % (0x40 | n, 0x60 | n, n) for n in range(1, 24)]
    long = [rb"[\x58\x78]\x%02x.{%d}" % (n, n) for n in range(24, 256)]
    return b"|".join(short + long)


# Integers, arrays and maps by the size of their argument; empty strings, false, true and null count as the smallest.
# The lookaheads hold the shortest form: the argument would not fit half as many bytes (RFC 8949, 4.2.1).
_HEADS_AND_STRINGS = re.compile(
    rb"(?:[\x00-\x17\x20-\x37\x80-\x97\xa0-\xb7\x40\x60\xf4-\xf6]++"
    rb"|[\x18\x38\x98\xb8][\x18-\xff]"
    rb"|[\x1a\x3a\x9a\xba](?!\0\0).{4}"
    rb"|[\x19\x39\x99\xb9](?!\0).{2}"
    rb"|\x58\x20.{32}"
    rb"|[\x1b\x3b\x9b\xbb](?!\0\0\0\0).{8}"
    rb"|(?=[\x41-\x58\x61-\x78])(?:" + _strings() + rb"))*+",
    re.DOTALL,
)
_UINT = rb"(?:[\x00-\x17]|\x18[\x18-\xff]|\x19(?!\0).{2}|\x1a(?!\0\0).{4}|\x1b(?!\0\0\0\0).{8})"
_NEGATIVE = rb"(?:[\x20-\x37]|\x38[\x18-\xff]|\x39(?!\0).{2}|\x3a(?!\0\0).{4}|\x3b(?!\0\0\0\0).{8})"
_UINT_OR_NULL = rb"(?:\xf6|" + _UINT + rb")"
# [value, [deltas]] with up to 23 of them.
_REGISTER = rb"\x82" + _UINT + rb"(?:" + rb"|".join(rb"\x%02x%s{%d}" % (0x80 | n, _UINT, n) for n in range(24)) + rb")"
_HEADER = (
    rb"\x86\x02" + _UINT + _UINT + rb"\x58\x20.{32}"  # kind, generation, sequence, previous
    + rb"\x84" + _UINT + _UINT + _UINT_OR_NULL + _UINT  # stamp
)  # fmt: skip
_CONTENT = (
    rb"\x87" + _UINT * 4 + _UINT_OR_NULL  # register generation, t0, step, quality, calibration
    + rb"(?:(\xa3)|\xa2)\x01" + _REGISTER + rb"\x02" + _REGISTER  # import, export
    + rb"(?(1)\x18\x40\x82(?:" + _UINT + rb"|" + _NEGATIVE + rb")\x80)" + _UINT  # power if there are three; bad mask
)  # fmt: skip
# Contents are padded to multiples of 32, and have a tag of 8.
_CIPHERTEXT = rb"|".join(rb"\x58\x%02x.{%d}" % (n, n) for n in range(40, 256, 32))
_SEALED = rb"\x82" + _UINT + rb"\x83\x43\xa1\x01\x0a\xa1\x05\x4d.{13}(?:" + _CIPHERTEXT + rb")"
_OPEN = rb"\x82\x00" + _CONTENT.replace(rb"(?(1)", rb"(?(2)")
_READING = re.compile(_HEADER + _SEALED + rb"|" + _CONTENT + rb"|" + _HEADER + _OPEN, re.DOTALL)
_TWO_ITEMS, _UNDEFINED = b"\x82", b"\xf7"


def decode(data: bytes | bytearray | memoryview, limit: int = MAX_LENGTH) -> Any:
    """The value of exactly one item of at most `limit` bytes; raises DecodeError."""
    if type(data) is not bytes or len(data) > limit:
        return portable.decode(data, limit)
    if _READING.fullmatch(data):
        return loads(data)
    if _HEADS_AND_STRINGS.fullmatch(data):
        try:
            value, end = loads(
                _TWO_ITEMS + data + _UNDEFINED, max_depth=MAX_DEPTH + 1, allow_duplicate_keys=False,
                object_hook=_ascending,
            )  # fmt: skip
        except (CBORError, ValueError, RecursionError):
            return portable.decode(data, limit)
        may_hold_empty = b"\x80" in data or b"\xa0" in data
        if end is undefined and (not may_hold_empty or _fits((value,), MAX_DEPTH)):
            return value
    return portable.decode(data, limit)


def _fits(items: Any, levels: int) -> bool:
    """Whether arrays and maps among the items, empty ones too, nest in at most so many levels."""
    for item in items:
        if type(item) is list:
            if not levels or (item and not _fits(item, levels - 1)):
                return False
        elif type(item) is dict and (not levels or not _fits(item.values(), levels - 1)):
            return False
    return True


def _ascending(pairs: Any, _: bool) -> Any:
    """The map as it is, its keys integers and text in the bytewise order of their encodings (RFC 8949, 4.2.1)."""
    before = -1
    for key in pairs:
        # Integers that are not negative are in the order of their encodings.
        if type(key) is not int or key <= before:
            return _ascending_encodings(pairs)
        before = key
    return pairs


def _ascending_encodings(pairs: Any) -> Any:
    if not all(type(key) is int or type(key) is str for key in pairs):
        raise portable.DecodeError("map key is neither integer nor text")
    encoded = [portable.encode(key) for key in pairs]
    if not all(one < other for one, other in zip(encoded, encoded[1:])):
        raise portable.DecodeError("map keys are out of order")
    return pairs
