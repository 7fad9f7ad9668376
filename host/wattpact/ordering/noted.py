"""What the ledger has noted of a log: up to which entry, when, and in which block."""

from typing import Any, NamedTuple

from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import blocks, records
from wattpact_protocol.ledger.ledger import Ledger

from wattpact.store.interface import Reader


class Noted(NamedTuple):
    """The log's entries before `next_sequence` of that generation; the block of that height, of `time_s`, has its
    head."""

    generation: int
    next_sequence: int
    height: int
    time_s: int


def shown_to(ledger: Ledger, kid: bytes, generation: int) -> dict[str, Any]:
    """The fields of a receipt that say so: of a log's generation, and of the ledger itself."""
    head = ledger.state.get(records.HEAD, kid)
    count = head["next_sequence"] if head is not None and head["generation"] == generation else 0
    return {"noted": count, "blocks": ledger.size, "root": ledger.root()}


def noted_of(reader: Reader, kid: bytes) -> Noted | None:
    """As of the last block; None where no block has a head of that log."""
    found = reader.ledger_value(records.key_of(records.HEAD, kid))
    if found is None:
        return None
    head = records.decode(records.HEAD, found)
    height = _height_of(reader, kid, head["next_sequence"], head["anchored_s"])
    return Noted(head["generation"], head["next_sequence"], height, head["anchored_s"])


def _height_of(reader: Reader, kid: bytes, next_sequence: int, time_s: int) -> int:
    """The block of that time with that head: times of blocks never fall, so the first of that time is soon found."""
    low, last = 0, reader.last_block()
    high = last.height if last is not None else 0
    while low < high:
        middle = (low + high) // 2
        block = reader.block(middle)
        if block is not None and block.time_s < time_s:
            low = middle + 1
        else:
            high = middle
    while (block := reader.block(low)) is not None and block.time_s == time_s:
        heads = cbor.decode(block.anchors, limit=blocks.MAX_BLOCK_BYTES)
        if any(one[0] == kid and one[2] == next_sequence for one in heads):
            break
        low += 1
    return low
