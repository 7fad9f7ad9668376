"""A block that was applied goes into the store, with the state after it and the head over it."""

from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import blocks, checkpoints
from wattpact_protocol.ledger.ledger import Ledger

from wattpact.keys import Signer
from wattpact.ordering.storage import StoredLedger
from wattpact.store.interface import Store
from wattpact.store.records import Block

CHECKPOINT = "checkpoint"  # the text of the head that this host signed last


def keep_block(store: Store, ledger: Ledger, storage: StoredLedger, raw: bytes, host: Signer) -> None:
    """The last block of a ledger over that storage; in a transaction of the caller's. Raises StoreError."""
    header, _, anchors = blocks.decode(raw)
    noted = cbor.encode([list(anchor) for anchor in anchors])
    store.keep_block(Block(header.height, header.time_s, header.raw, noted), storage.take())
    head = checkpoints.Checkpoint(checkpoints.origin_of(store.community), ledger.size, ledger.root())
    checkpoints.sign(head, host.public_key, host.sign)
    store.set_text(CHECKPOINT, head.text)
