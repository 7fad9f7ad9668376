"""A store's ledger as of its last block, to prove from: its signed head, and the record of any key."""

from wattpact_protocol.ledger import blocks, checkpoints

from wattpact.bundle.format import Head, Record
from wattpact.ordering.cosigning import best_head
from wattpact.ordering.writer import open_ledger
from wattpact.store.interface import Reader
from wattpact.store.records import QUORUM_BLOCKS, WAITS


class OrderingError(ValueError):
    """There is no ledger to prove from; the text says why."""


class Proven:
    """Of one reader at one moment: its `moment`, or a writing transaction, keeps it so."""

    def __init__(self, reader: Reader) -> None:
        self._ledger = open_ledger(reader)
        header = self._ledger.last
        head = None if header is None else best_head(reader, header.height)
        if header is None or head is None:
            raise OrderingError("nothing is ordered here yet; run the node with the host's key first")
        waits = reader.text(WAITS)
        if waits:
            advice = "" if reader.number(QUORUM_BLOCKS) else "; where the clock is right, start the node anew"
            raise OrderingError(f"nothing is ordered now: {waits}{advice}")
        self.header: blocks.Header = header
        self._reader = reader
        self._head = head

    def head(self) -> Head:
        size = checkpoints.decode(self._head).size
        return Head(self._head, self.header.raw, self._ledger.inclusion(self.header.height, size))

    def record(self, key: bytes) -> Record:
        return Record(key, self._reader.ledger_value(key), self._ledger.prove(key))
