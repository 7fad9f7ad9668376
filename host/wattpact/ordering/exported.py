"""A ledger as a file, for who follows it elsewhere: its head, then every block, as a CBOR sequence (RFC 8742).

    head      a text string
    block     a byte string around each block as it travels, from the first on

What always holds: a file appears whole or not at all; nothing in it is accepted before it was applied. Where a ledger
is read from is a data directory or such a file, whichever the path names.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import blocks, checkpoints

from wattpact.ordering.following import FollowingError
from wattpact.ordering.keeping import CHECKPOINT
from wattpact.ordering.writer import block_bytes
from wattpact.store import DATABASE, open_reader
from wattpact.store.files import replacing
from wattpact.store.interface import Reader

_BYTES, _TEXT = 2, 3  # CBOR's major types
_SIZES = {24: 1, 25: 2, 26: 4}


def write(path: Path, reader: Reader) -> int:
    """Every block of a store; gives how many. Raises FollowingError, OSError."""
    with reader.moment():
        head, last = reader.text(CHECKPOINT), reader.last_block()
        if not head or last is None:
            raise FollowingError("nothing is ordered here yet; start the node with `wattpact node`")
        write_blocks(path, reader, head, last.height + 1)
        return last.height + 1


def write_blocks(path: Path, reader: Reader, head: str, count: int) -> None:
    """The first `count` blocks, under that head. Raises OSError."""
    with replacing(path) as file:
        file.write(cbor.encode(head))
        for height in range(count):
            raw = block_bytes(reader, height)
            assert raw is not None
            file.write(cbor.encode(raw))


def head_of(path: Path) -> str:
    """The signed head of a ledger, not checked. Raises FollowingError, StoreError, OSError."""
    if path.is_dir():
        with open_reader(path / DATABASE) as reader:
            found = reader.text(CHECKPOINT)
        if not found:
            raise FollowingError(f"nothing is ordered in {path} yet")
        return found
    with path.open("rb") as file:
        return _string(file, _TEXT, checkpoints.MAX_BYTES).decode(errors="replace")


def blocks_of(path: Path, after: int = 0) -> Iterator[bytes]:
    """Its blocks from that height on. Raises FollowingError, StoreError, OSError."""
    if path.is_dir():
        with open_reader(path / DATABASE) as reader:
            while (raw := block_bytes(reader, after)) is not None:
                yield raw
                after += 1
        return
    with path.open("rb") as file:
        _string(file, _TEXT, checkpoints.MAX_BYTES)
        for height in range(1 << 62):
            raw = _string(file, _BYTES, blocks.MAX_BLOCK_BYTES)
            if not raw:
                return
            if height >= after:
                yield raw


def _string(file: BinaryIO, kind: int, limit: int) -> bytes:
    """The next string, empty at the end of the file."""
    first = file.read(1)
    if not first:
        return b""
    more = first[0] & 31
    size = _SIZES.get(more, 0)
    counted = file.read(size)
    length = int.from_bytes(counted, "big") if size else more
    raw = file.read(min(length, limit))
    if first[0] >> 5 != kind or more > max(_SIZES) or len(counted) < size or not 0 < length == len(raw):
        raise FollowingError("this is no file that `wattpact ledger export` wrote, or its end is missing")
    return raw
