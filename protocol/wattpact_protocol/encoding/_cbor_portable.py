"""The CBOR profile in plain Python: what MicroPython runs, and what decides every doubtful case on CPython.

One value has exactly one encoding (RFC 8949, 4.2.1) and the decoder takes no other; docs/spec/cbor.md has the rules.
"""

MAX_DEPTH = 6
MAX_LENGTH = 1024
SIGN1_TAG = 18

_HIGHEST = (1 << 64) - 1
_LOWEST = -(1 << 64)
_STEP_COST = 160  # between two moments at which others may: bytes, and as many more for each part
_PART_COST = 32
_STEP_BYTES = 32  # the same of what is decoded, whose parts are small
_PART_BYTES = 4

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any


class DecodeError(ValueError):
    """Bytes are not one item of the profile."""


class EncodeError(ValueError):
    """A value has no encoding in the profile."""


class Tag:
    """A tagged item (RFC 8949, 3.4). The profile has tag 18 alone."""

    def __init__(self, tag: int, value: "Any") -> None:
        self.tag = tag
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tag) and self.tag == other.tag and self.value == other.value

    def __repr__(self) -> str:
        return "Tag(%r, %r)" % (self.tag, self.value)


def encode(value: "Any") -> bytes:
    """The one encoding of the value; raises EncodeError where it has none."""
    out = bytearray()
    _write(out, value, MAX_DEPTH)
    return bytes(out)


def encode_steps(value: "Any", levels: int) -> "Generator[None, None, bytes]":
    """As `encode`, giving way between the items of a list or map, and of those in a list down to so many levels; the
    value must not change until then. An item that has a `to_list` is encoded as what that gives."""
    out = bytearray()
    spent, limit = 0, _STEP_COST
    for count in _parts(out, value, levels):
        spent += _PART_COST * count
        if spent + len(out) >= limit:
            limit = spent + len(out) + _STEP_COST
            yield
    return bytes(out)


def decode(data: "bytes | bytearray | memoryview", limit: int = MAX_LENGTH) -> "Any":
    """The value of exactly one item of at most `limit` bytes; raises DecodeError."""
    reader = _reader(data, limit)
    value = reader.item(MAX_DEPTH)
    if reader.at != reader.end:
        raise DecodeError("bytes after the item")
    return value


def decode_steps(data: bytes, levels: int, limit: int = MAX_LENGTH) -> "Generator[None, None, Any]":
    """As `decode`, giving way between the items of lists and maps down to so many levels."""
    reader = _reader(data, limit)
    value = yield from reader.item_steps(MAX_DEPTH, levels)
    if reader.at != reader.end:
        raise DecodeError("bytes after the item")
    return value


def _reader(data: "bytes | bytearray | memoryview", limit: int) -> "_Reader":
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise DecodeError("not bytes")
    if len(data) > limit:
        raise DecodeError("longer than %d bytes" % limit)
    return _Reader(bytes(data))


def is_unicode(text: str) -> bool:
    """Whether the text has a UTF-8 form (RFC 3629); MicroPython lets surrogates and overlong forms into a str."""
    for character in text:
        code = ord(character)
        if 0xD800 <= code < 0xE000 or code > 0x10FFFF or chr(code) != character:
            return False
    return True


class _Reader:
    """A place in the bytes of one item; every read checks that the bytes are there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = self.paused = 0
        self.end = len(data)

    def item(self, depth: int) -> "Any":
        """The item here; `depth` is how many arrays, maps and tags may still open."""
        at = self.at
        if at >= self.end:
            raise DecodeError("cut short")
        initial = self.data[at]
        if initial < 0x18:
            self.at = at + 1
            return initial
        major = initial >> 5
        if major == 7:
            self.at = at + 1
            return _simple(initial)
        argument = self.argument(initial & 31)
        if major == 0:
            return argument
        if major == 1:
            return -1 - argument
        if major == 2:
            return self.take(argument)
        if major == 3:
            return self.text(argument)
        if depth == 0:
            raise DecodeError("more than %d levels" % MAX_DEPTH)
        if major == 4:
            return self.array(argument, depth - 1)
        if major == 5:
            return self.map(argument, depth - 1)
        if argument != SIGN1_TAG:
            raise DecodeError("tag %d" % argument)
        return Tag(SIGN1_TAG, self.item(depth - 1))

    def item_steps(self, depth: int, levels: int) -> "Generator[None, None, Any]":
        """As `item`, giving way after some bytes."""
        major = self.data[self.at] >> 5 if self.at < self.end else 0
        if not levels or not depth or (major != 4 and major != 5):
            self.paused -= _PART_BYTES
            if self.at - self.paused >= _STEP_BYTES:
                self.paused = self.at
                yield
            return self.item(depth)
        count = self.argument(self.data[self.at] & 31)
        if count > self.end - self.at:
            raise DecodeError("cut short")
        items: list[Any] = []
        pairs: dict[int | str, Any] = {}
        before = b""
        for _ in range(count):
            if major == 5:
                key, before = self.key(before)
            value = yield from self.item_steps(depth - 1, levels - 1)
            if major == 4:
                items.append(value)
            else:
                pairs[key] = value
        return items if major == 4 else pairs

    def argument(self, info: int) -> int:
        """The argument of the head here, in the shortest of its forms (RFC 8949, 3 and 4.2.1)."""
        at = self.at + 1
        if info < 24:
            self.at = at
            return info
        if info > 27:
            raise DecodeError("indefinite length or reserved head")
        size = 1 << (info - 24)
        if self.end - at < size:
            raise DecodeError("cut short")
        self.at = at + size
        value = self.data[at] if size == 1 else int.from_bytes(self.data[at : at + size], "big")
        if value < 24 or (size > 1 and value >> (size << 2) == 0):
            raise DecodeError("head longer than its value needs")
        return value

    def take(self, length: int) -> bytes:
        at = self.at
        if length > self.end - at:
            raise DecodeError("cut short")
        self.at = at + length
        return self.data[at : at + length]

    def text(self, length: int) -> str:
        raw = self.take(length)
        try:
            text = str(raw, "utf-8")
        except ValueError:
            raise DecodeError("text is not UTF-8")
        if len(text) != length and not is_unicode(text):
            raise DecodeError("text is not UTF-8")
        return text

    def array(self, count: int, depth: int) -> "list[Any]":
        if count > self.end - self.at:
            raise DecodeError("cut short")
        return [self.item(depth) for _ in range(count)]

    def map(self, count: int, depth: int) -> "dict[int | str, Any]":
        """Keys ascend bytewise in their encoding, so none comes twice (RFC 8949, 4.2.1)."""
        if count > self.end - self.at:
            raise DecodeError("cut short")
        pairs = {}
        before = b""
        for _ in range(count):
            key, before = self.key(before)
            pairs[key] = self.item(depth)
        return pairs

    def key(self, before: bytes) -> "tuple[int | str, bytes]":
        """The key of a map, and its encoding, which has to be above the one before."""
        start = self.at
        if start < self.end and self.data[start] >> 5 not in (0, 1, 3):
            raise DecodeError("map key is neither integer nor text")
        key = self.item(0)
        encoded = self.data[start : self.at]
        if encoded <= before:
            raise DecodeError("map keys repeat or are out of order")
        return key, encoded


def _simple(initial: int) -> "bool | None":
    if initial == 0xF4:
        return False
    if initial == 0xF5:
        return True
    if initial == 0xF6:
        return None
    raise DecodeError("float, undefined or other simple value")


def _write(out: bytearray, value: "Any", depth: int) -> None:
    """Append the encoding of the value; `depth` as in decoding. What is met most comes first."""
    kind = type(value)
    if kind is int:
        if 0 <= value < 24:
            out.append(value)
        else:
            _write_integer(out, value)
    elif kind is bytes:
        _write_head(out, 0x40, len(value))
        out.extend(value)
    elif value is None or value is True or value is False:
        out.append(0xF6 if value is None else 0xF5 if value else 0xF4)
    elif isinstance(value, int):
        _write_integer(out, value)
    elif isinstance(value, str):
        _write_text(out, value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _write_head(out, 0x40, len(value))
        out.extend(value)
    elif depth == 0:
        raise EncodeError("no encoding for this value, or more than %d levels" % MAX_DEPTH)
    elif isinstance(value, (list, tuple)):
        _write_head(out, 0x80, len(value))
        for item in value:
            _write(out, item, depth - 1)
    elif isinstance(value, dict):
        _write_map(out, value, depth - 1)
    elif isinstance(value, Tag) and value.tag == SIGN1_TAG:
        out.append(0xC0 | SIGN1_TAG)
        _write(out, value.value, depth - 1)
    else:
        raise EncodeError("no encoding for this value")


def _write_head(out: bytearray, major: int, argument: int) -> None:
    """The shortest head (RFC 8949, 4.2.1); `major` is the major type in its place, the top three bits."""
    if argument < 24:
        out.append(major | argument)
    elif argument < 0x100:
        out.append(major | 24)
        out.append(argument)
    elif argument < 0x10000:
        out.append(major | 25)
        out.extend(argument.to_bytes(2, "big"))
    elif argument <= 0xFFFFFFFF:
        out.append(major | 26)
        out.extend(argument.to_bytes(4, "big"))
    else:
        out.append(major | 27)
        out.extend(argument.to_bytes(8, "big"))


def _write_integer(out: bytearray, value: int) -> None:
    if 0 <= value < 0x10000:
        _write_head(out, 0x00, value)
    elif not _LOWEST <= value <= _HIGHEST:
        raise EncodeError("integer beyond 64 bits")
    elif value >= 0:
        _write_head(out, 0x00, value)
    else:
        _write_head(out, 0x20, -1 - value)


def _write_text(out: bytearray, text: str) -> None:
    try:
        raw = text.encode()
    except ValueError:
        raise EncodeError("text has no UTF-8 form")
    if len(raw) != len(text) and not is_unicode(text):
        raise EncodeError("text has no UTF-8 form")
    _write_head(out, 0x60, len(raw))
    out.extend(raw)


def _write_map(out: bytearray, pairs: "dict[Any, Any]", depth: int) -> None:
    _write_head(out, 0xA0, len(pairs))
    for key in _in_order(pairs):
        _write(out, key, 0)
        _write(out, pairs[key], depth)


def _in_order(pairs: "dict[Any, Any]") -> "list[Any]":
    """The keys in the order of their encodings, which is that of numbers where all are such."""
    for key in pairs:
        if type(key) is not int or key < 0:
            break
    else:
        return sorted(pairs)
    by_encoding = {}
    for key in pairs:
        if key is True or key is False or not isinstance(key, (int, str)):
            raise EncodeError("map key is neither integer nor text")
        by_encoding[encode(key)] = key
    return [by_encoding[encoding] for encoding in sorted(by_encoding)]


def _parts(out: bytearray, value: "Any", levels: int) -> "Generator[int, None, None]":
    """Append the encoding, and stop behind some items of lists and maps: how many there were."""
    if isinstance(value, dict):
        _write_head(out, 0xA0, len(value))
        for key in _in_order(value):
            yield 3  # a key, and mostly a list
            _write(out, key, 0)
            _write(out, value[key], MAX_DEPTH)
    elif isinstance(value, list):
        _write_head(out, 0x80, len(value))
        for item in value:
            yield 1
            if type(item) is not int and hasattr(item, "to_list"):
                item = item.to_list()
            if levels > 1 and isinstance(item, (list, dict)):
                yield from _parts(out, item, levels - 1)
            else:
                _write(out, item, MAX_DEPTH)
    else:
        _write(out, value, MAX_DEPTH)
    yield 1
