"""A bundle: all that an auditor needs for one person's statement, as a CBOR sequence (RFC 8742).

    head      the ledger's signed checkpoint, and a block's header with its place in the tree under it
    records   of the ledger's state after that block, each with its proof
    entries   certificates, community, tariffs, orders, the issuer's others, meters' logs, and last the statement

What always holds: nothing in a bundle is unsigned, or unproven under what is signed; every entry has one place, by
`order_of`. Head and records are byte strings around their CBOR, so that each item's length is at its front.
docs/spec/bundle.md.
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from wattpact_protocol.encoding import cbor, cose
from wattpact_protocol.ledger.state_map import Proof
from wattpact_protocol.log import ids, kinds, roles
from wattpact_protocol.log.entry import Entry

MAX_BYTES = 512 << 20
BEGIN = b"\xd2\x84"  # of every entry: the tag and the array of COSE_Sign1

# Where an entry's length is found: tag, array, protected header and unprotected header take 17 bytes, then the
# payload's head (docs/spec/cose.md); after the payload, two bytes of head and the signature.
_HEAD = 20
_TAIL = 66
_BYTE_STRING = 2  # CBOR's major type

MAX_HEAD_BYTES = 32 << 10
MAX_RECORD_BYTES = 2 << 20


class BundleError(ValueError):
    """Bytes that are no bundle; the text says why, `offset` where, `raw` is what is there."""

    def __init__(self, text: str, offset: int, raw: bytes) -> None:
        super().__init__(text)
        self.offset = offset
        self.raw = raw


def order_of(new: Entry, role: int) -> tuple[Any, ...]:
    """An entry's place in a bundle, `role` being its author's."""
    if new.kind == kinds.CERTIFICATE:
        return (0, new.body["role"], ids.kid_of(new.body["public_key"]), new.body["version"])
    if new.kind == kinds.COMMUNITY:
        return (1, new.kid, new.generation, new.sequence)
    if new.kind == kinds.TARIFF:
        return (2, new.kid, new.generation, new.sequence)
    if role == roles.PERSON:
        return (3, new.kid, new.body.get("order_id", b""), 0)
    if role == roles.ISSUER:
        return (4, new.kid, new.generation, new.sequence)
    if role == roles.METER:
        return (5, new.kid, new.generation, new.sequence)
    return (6, new.kid, new.generation, new.sequence)


class Head(NamedTuple):
    """The state that a statement rests on: `header` of a block, proven by `inclusion` under the checkpoint's root."""

    checkpoint: str
    header: bytes
    inclusion: list[bytes]


class Record(NamedTuple):
    """A record of the state by its key, None where the state has none; and the proof of it."""

    key: bytes
    value: bytes | None
    proof: Proof


def is_begin(data: bytes) -> bool:
    """Whether a bundle may begin so: with a byte string of hundreds of bytes around an array of three, the head."""
    return len(data) > 3 and data[0] == 0x59 and data[3] == 0x83


def read(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of each item: what begins as an entry is one, else `decode_head` and `decode_record` read it.
    Holds one item in memory. Raises BundleError."""
    offset = 0
    while True:
        head = file.read(_HEAD)
        if not head:
            return
        length = _length_of_string(head) if head[0] >> 5 == _BYTE_STRING else _length(head)
        if length is None:
            raise BundleError("no entry begins here", offset, head + file.read(cose.MAX_LENGTH - len(head)))
        rest = file.read(max(0, length - len(head)))
        raw = (head + rest)[:length]
        if len(raw) < length:
            raise BundleError("the bundle ends within this entry", offset, raw)
        file.seek(offset + length)
        yield offset, raw
        offset += length


def entries_of(file: BinaryIO) -> Iterator[bytes]:
    """The entries alone. Raises BundleError."""
    return (raw for _, raw in read(file) if is_entry(raw))


def is_entry(raw: bytes) -> bool:
    return raw[0] >> 5 != _BYTE_STRING


def decode_head(raw: bytes) -> Head:
    """Raises ValueError."""
    fields = _inner(raw, MAX_HEAD_BYTES)
    if not isinstance(fields, list) or len(fields) != 3:
        raise ValueError("the head of a bundle has three parts")
    checkpoint, header, inclusion = fields
    if not isinstance(checkpoint, str) or not isinstance(header, bytes) or not _are_hashes(inclusion):
        raise ValueError("the head of the bundle is malformed")
    return Head(checkpoint, header, inclusion)


def decode_record(raw: bytes) -> Record:
    """Raises ValueError."""
    fields = _inner(raw, MAX_RECORD_BYTES)
    if not isinstance(fields, list) or len(fields) != 4:
        raise ValueError("a record of a bundle has four parts")
    key, value, siblings, other = fields
    good = isinstance(key, bytes) and isinstance(value, bytes | None) and isinstance(other, bytes | None)
    if not good or not _are_hashes(siblings):
        raise ValueError("a record of the bundle is malformed")
    return Record(key, value, Proof(siblings, other))


def _inner(raw: bytes, limit: int) -> Any:
    """What a byte string holds; raises ValueError."""
    return cbor.decode(cbor.decode(raw, limit=limit), limit=limit)


def _are_hashes(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(one, bytes) and len(one) == 32 for one in found)


def _length_of_string(head: bytes) -> int | None:
    """The bytes of a byte string with its head, None where it is longer than any that a bundle has."""
    more = head[0] & 31
    if more < 24:
        return 1 + more
    size = {24: 1, 25: 2, 26: 4}.get(more)
    if size is None or len(head) < 1 + size:
        return None
    length = int.from_bytes(head[1 : 1 + size], "big")
    return 1 + size + length if length <= MAX_RECORD_BYTES else None


def _length(head: bytes) -> int | None:
    """The bytes of the entry that begins so, None where none can."""
    if len(head) < _HEAD or head[: len(BEGIN)] != BEGIN:
        return None
    size = head[17]
    if size < 0x58:
        # An entry's payload is never so short: six items, one of them 32 bytes.
        return None
    if size == 0x58:
        start, length = 19, head[18]
    elif size == 0x59:
        start, length = 20, head[18] << 8 | head[19]
    else:
        return None
    return start + length + _TAIL if start + length + _TAIL <= cose.MAX_LENGTH else None


def write(head: Head, records: Iterable[Record], entries: Iterable[Entry], statement: Entry) -> bytes:
    """The bundle of a statement over its evidence; records and entries are in order."""
    parts = [cbor.encode(cbor.encode(list(head))), *map(encode_record, records)]
    return b"".join([*parts, *(new.raw for new in entries), statement.raw])


def encode_record(one: Record) -> bytes:
    return cbor.encode(cbor.encode([one.key, one.value, one.proof.siblings, one.proof.other]))
