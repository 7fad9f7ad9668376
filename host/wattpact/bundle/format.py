"""A bundle: all that an auditor needs for one person's statement, as a CBOR sequence (RFC 8742) of whole entries.

    certificates, community, tariffs, orders, the issuer's other entries, meters' logs, and last the statement

What always holds: nothing in a bundle is unsigned; every entry has one place, by `order_of`, so there is exactly one
bundle for one statement. docs/spec/bundle.md.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from wattpact_protocol.encoding import cose
from wattpact_protocol.log import ids, kinds, roles
from wattpact_protocol.log.entry import Entry

MAX_BYTES = 512 << 20
BEGIN = b"\xd2\x84"  # of every entry: the tag and the array of COSE_Sign1

# Where an entry's length is found: tag, array, protected header and unprotected header take 17 bytes, then the
# payload's head (docs/spec/cose.md); after the payload, two bytes of head and the signature.
_HEAD = 20
_TAIL = 66


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


def read(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of each entry; holds one entry in memory. Raises BundleError."""
    offset = 0
    while True:
        head = file.read(_HEAD)
        if not head:
            return
        length = _length(head)
        if length is None:
            raise BundleError("no entry begins here", offset, head + file.read(cose.MAX_LENGTH - len(head)))
        rest = file.read(length - len(head))
        if len(head) + len(rest) < length:
            raise BundleError("the bundle ends within this entry", offset, head + rest)
        yield offset, head + rest
        offset += length


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


def write(entries: list[Entry], statement: Entry) -> bytes:
    """The bundle of a statement over its evidence, which is in order."""
    return b"".join(new.raw for new in entries) + statement.raw
