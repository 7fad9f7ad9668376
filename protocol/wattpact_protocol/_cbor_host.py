"""The CBOR profile on CPython: cbor2 decodes the common case, `_cbor_portable` decides every other.

cbor2 alone is too lenient: it takes longer heads, trailing bytes, any tag and any order of keys. Yet with definite
lengths an encoding of plain values is longer than the profile's, unless it is that very one or orders its keys
otherwise. So where cbor2's value is plain, its maps (which keep the order of the wire) ascend, and the profile's
encoding would be as long as the data, the data is that encoding. All else, tags and errors included, goes to the
portable decoder.
"""

from collections.abc import Callable
from typing import Any

from cbor2 import CBORError, loads

from wattpact_protocol import _cbor_portable as portable
from wattpact_protocol._cbor_portable import MAX_DEPTH, MAX_LENGTH

_NEVER = 1 << 40  # added to a size for what is not plain: no data is as long


def _refuse_tag(*_: object) -> Any:
    raise portable.DecodeError("tag")


# Every tag that cbor2 gives a meaning. References (25, 29) could make a value longer than its data, and what the
# others build (dates, patterns, mail) costs time for nothing.
_MEANINGFUL_TAGS = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)
_REFUSE_TAGS: dict[int, Callable[..., Any]] = dict.fromkeys(_MEANINGFUL_TAGS, _refuse_tag)


def decode(data: bytes | bytearray | memoryview, limit: int = MAX_LENGTH) -> Any:
    """The value of exactly one item of at most `limit` bytes; raises DecodeError."""
    if type(data) is bytes and len(data) <= limit:
        try:
            value = loads(data, max_depth=MAX_DEPTH, allow_indefinite=False, semantic_decoders=_REFUSE_TAGS)
        except (CBORError, ValueError, RecursionError):
            return portable.decode(data, limit)
        if _size((value,), MAX_DEPTH) == len(data):
            return value
    return portable.decode(data, limit)


def _size(items: Any, depth: int) -> int:
    """How long the encodings of plain items in at most `depth` levels are together; _NEVER or more for others."""
    size = 0
    for item in items:
        kind = type(item)
        if kind is int:
            if item < 0:
                item = -1 - item
            size += 1 if item < 24 else 2 if item < 0x100 else _head_size(item)
        elif kind is bytes:
            length = len(item)
            size += length + (1 if length < 24 else _head_size(length))
        elif kind is list and depth:
            size += _head_size(len(item))
            if item:
                size += _size(item, depth - 1)
        elif item is None or kind is bool:
            size += 1
        elif kind is str:
            length = len(item) if item.isascii() else len(item.encode())
            size += length + _head_size(length)
        elif kind is dict and depth:
            size += _head_size(len(item)) + _keys_size(item) + _size(item.values(), depth - 1)
        else:
            size += _NEVER
    return size


def _head_size(argument: int) -> int:
    if argument < 24:
        return 1
    if argument < 0x100:
        return 2
    if argument < 0x10000:
        return 3
    if argument < 0x100000000:
        return 5
    return 9 if argument < 0x10000000000000000 else _NEVER


def _keys_size(pairs: dict[Any, Any]) -> int:
    """How long the keys are together; _NEVER or more unless they are integers and text that ascend.

    The order is the bytewise one of their encodings (RFC 8949, 4.2.1), which small integers keep as they are."""
    before, size = -1, 0
    for key in pairs:
        if type(key) is not int or key <= before:
            return _mixed_keys_size(pairs)
        before = key
        size += 1 if key < 24 else _head_size(key)
    return size


def _mixed_keys_size(pairs: dict[Any, Any]) -> int:
    if not all(type(key) is int or type(key) is str for key in pairs):
        return _NEVER
    encoded = [portable.encode(key) for key in pairs]
    if not all(one < other for one, other in zip(encoded, encoded[1:])):
        return _NEVER
    return sum(len(key) for key in encoded)
