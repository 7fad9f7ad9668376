"""Blocks: what was ordered together, at one time, and the state after it.

    header   CBOR [height, time_s, id of the block before, entries root, anchors root, state root]
    block    CBOR [header, [entry, ...], [[kid, generation, next sequence, head], ...]]

The first block has height 0 and 32 zero bytes before it. A block's id is the leaf hash of its header in the tree over
all blocks (`tree`), so that the tree's root at a size names every block, entry and state up to there. Entries are in
the order in which they take effect; roots are RFC 9162's over the ids of the entries and over the CBOR of the anchors.
docs/spec/ledger.md, "Blocks".
"""

from wattpact_protocol.crypto import merkle
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger.tree import leaf_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Anchor = tuple[bytes, int, int, bytes]  # kid, generation, next sequence, id of the last entry

MAX_BLOCK_BYTES = 1 << 20
MAX_ENTRIES = 512
MAX_ANCHORS = 4096
MAX_HEADER_BYTES = 256
NO_BLOCK = bytes(32)


class BlockError(ValueError):
    """Bytes that are no block, or a block that does not follow; the text says why."""


class Header:
    __slots__ = ("anchors_root", "before", "entries_root", "height", "raw", "state_root", "time_s")

    def __init__(
        self, height: int, time_s: int, before: bytes, entries_root: bytes, anchors_root: bytes, state_root: bytes
    ) -> None:
        self.height, self.time_s, self.before = height, time_s, before
        self.entries_root, self.anchors_root, self.state_root = entries_root, anchors_root, state_root
        self.raw = cbor.encode([height, time_s, before, entries_root, anchors_root, state_root])

    @property
    def id(self) -> bytes:
        return leaf_hash(self.raw)


def decode_header(raw: bytes) -> Header:
    """Raises BlockError."""
    fields = _decode(raw, MAX_HEADER_BYTES)
    if not isinstance(fields, list) or len(fields) != 6:
        raise BlockError("a header is an array of six")
    height, time_s = fields[:2]
    if not (_is_uint(height) and _is_uint(time_s)) or not all(_is_id(field) for field in fields[2:]):
        raise BlockError("a field of the header is out of range")
    return Header(*fields)


def encode(header: Header, raws: "list[bytes]", anchors: "list[Anchor]") -> bytes:
    return cbor.encode([header.raw, raws, [list(anchor) for anchor in anchors]])


def decode(raw: bytes) -> "tuple[Header, list[bytes], list[Anchor]]":
    """(header, entries as they travel, anchors); raises BlockError. The entries are not decoded here."""
    fields = _decode(raw, MAX_BLOCK_BYTES)
    if not isinstance(fields, list) or len(fields) != 3 or not isinstance(fields[0], bytes):
        raise BlockError("a block is an array of header, entries and anchors")
    header, raws, anchors = decode_header(fields[0]), fields[1], fields[2]
    if not isinstance(raws, list) or len(raws) > MAX_ENTRIES or not all(isinstance(one, bytes) for one in raws):
        raise BlockError("a block has at most %d entries" % MAX_ENTRIES)
    if not isinstance(anchors, list) or len(anchors) > MAX_ANCHORS or not all(is_anchor(one) for one in anchors):
        raise BlockError("a block has at most %d anchors of four fields" % MAX_ANCHORS)
    found = [tuple(one) for one in anchors]
    if header.anchors_root != anchors_root(found):
        raise BlockError("the header has another root of anchors")
    return header, raws, found


def entries_root(names: "list[bytes]") -> bytes:
    """The root over the ids of a block's entries."""
    return merkle.root(names)


def anchors_root(anchors: "list[Anchor]") -> bytes:
    return merkle.root([cbor.encode(list(anchor)) for anchor in anchors])


def check_follows(header: Header, before: "Header | None") -> None:
    """Whether a header comes after another, or is the first. Raises BlockError."""
    height, name, time_s = (before.height + 1, before.id, before.time_s) if before else (0, NO_BLOCK, 0)
    if header.height != height:
        raise BlockError("block %d does not follow block %d" % (header.height, height - 1))
    if header.before != name:
        raise BlockError("block %d names another block before it" % height)
    if header.time_s < time_s:
        raise BlockError("block %d is from before the block before it" % height)


def _decode(raw: bytes, limit: int) -> "Any":
    if not isinstance(raw, bytes) or len(raw) > limit:
        raise BlockError("this is more than %d bytes" % limit)
    try:
        return cbor.decode(raw, limit=limit)
    except ValueError as error:
        raise BlockError(str(error))


def _is_uint(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _is_id(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 32


def is_anchor(value: object) -> bool:
    """Whether it is the head of a log, as a block lists it."""
    if not isinstance(value, list) or len(value) != 4:
        return False
    kid, generation, next_sequence, head = value
    return (
        isinstance(kid, bytes) and len(kid) == 8 and _is_uint(generation) and _is_uint(next_sequence) and _is_id(head)
    )
