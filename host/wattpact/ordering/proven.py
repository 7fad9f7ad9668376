"""A store's ledger as of its last block, to prove from: its signed head, and the record of any key."""

from wattpact_protocol.ledger import blocks
from wattpact_protocol.ledger.ledger import Ledger

from wattpact.bundle.format import Head, Record
from wattpact.ordering.storage import StoredLedger
from wattpact.ordering.writer import CHECKPOINT, last_header
from wattpact.store.interface import Reader


class OrderingError(ValueError):
    """There is no ledger to prove from; the text says why."""


class Proven:
    """Of one reader at one moment: a writing transaction keeps it so."""

    def __init__(self, reader: Reader) -> None:
        header, checkpoint = last_header(reader), reader.meta(CHECKPOINT)
        if header is None or checkpoint is None:
            raise OrderingError("nothing is ordered here yet; run the node with the host's key first")
        self.header: blocks.Header = header
        self._reader = reader
        self._checkpoint = checkpoint.decode()
        self._ledger = Ledger(StoredLedger(reader), reader.community, header)

    def head(self) -> Head:
        return Head(self._checkpoint, self.header.raw, self._ledger.inclusion(self.header.height))

    def record(self, key: bytes) -> Record:
        return Record(key, self._reader.ledger_value(key), self._ledger.prove(key))
