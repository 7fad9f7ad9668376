"""What the ledger has noted of a log: up to which entry, when, and in which block."""

from typing import Any, NamedTuple

from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import blocks, records
from wattpact_protocol.ledger.ledger import Ledger

from wattpact.store.interface import Reader
from wattpact.store.recorded import record_of


class Noted(NamedTuple):
    """The log's entries before `next_sequence` of that generation, by a block of that time."""

    generation: int
    next_sequence: int
    time_s: int


def shown_to(ledger: Ledger, kid: bytes, generation: int) -> dict[str, Any]:
    """The fields of a receipt about a log's generation in the ledger, and about the ledger itself."""
    head = ledger.state.get(records.HEAD, kid)
    count = head["next_sequence"] if head is not None and head["generation"] == generation else 0
    return {"noted": count, "blocks": ledger.size, "root": ledger.root()}


def noted_of(reader: Reader, kid: bytes) -> Noted | None:
    """As of the last block; None where no block has a head of that log."""
    head = record_of(reader, records.HEAD, kid)
    return None if head is None else Noted(head["generation"], head["next_sequence"], head["anchored_s"])


def height_of(reader: Reader, kid: bytes, noted: Noted) -> int | None:
    """The block that noted it: times of blocks never fall, so the first of that time is soon found."""
    low, last = 0, reader.last_block()
    high = last.height if last is not None else 0
    while low < high:
        middle = (low + high) // 2
        block = reader.block(middle)
        if block is not None and block.time_s < noted.time_s:
            low = middle + 1
        else:
            high = middle
    while (block := reader.block(low)) is not None and block.time_s == noted.time_s:
        heads = cbor.decode(block.anchors, limit=blocks.MAX_BLOCK_BYTES)
        if any(one[0] == kid and one[1:3] == [noted.generation, noted.next_sequence] for one in heads):
            return low
        low += 1
    return None
