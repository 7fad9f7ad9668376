"""The one writer of a community's ledger: new entries of the store, in the order of arrival, become blocks.

    new entries that bind others -> blocks of what the state machine allows -> places, state, the signed head

What always holds: how far this got is stored with its result, so an entry is ordered once or rejected once, whenever
the program dies; the head is signed for each block in the transaction that stores it, and never for two of one height.
docs/spec/ledger.md.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import blocks
from wattpact_protocol.ledger.blocks import Header
from wattpact_protocol.ledger.ledger import Ledger
from wattpact_protocol.ledger.machine import RULES
from wattpact_protocol.log import entry
from wattpact_protocol.log.entry import Entry

from wattpact.keys import Signer
from wattpact.ordering.keeping import keep_block
from wattpact.ordering.storage import StoredLedger
from wattpact.store.interface import Reader, Store
from wattpact.store.records import WAITS, Place

ORDERED = tuple(RULES)  # the kinds that blocks order
REFRESHED_EVERY_S = 60
ANCHOR_EVERY_S = 300  # heads of logs are noted so often, if there is anything new

_LOG = logging.getLogger(__name__)

Head = tuple[bytes, int, int, bytes]  # of a log: author, generation, next sequence, id of the last entry

_CURSOR, _ANCHORED, _ANCHORED_S = "ordered", "anchored", "anchored_s"


def open_ledger(reader: Reader) -> Ledger:
    """The ledger of a store, to read."""
    return Ledger(StoredLedger(reader), reader.community, last_header(reader))


def last_header(reader: Reader) -> Header | None:
    found = reader.last_block()
    return None if found is None else blocks.decode_header(found.header)


def heads_due(reader: Reader, last: Header | None, now_s: int) -> list[Head]:
    """The heads of logs that have grown since they were last noted, if that was long enough ago."""
    if last is None or now_s - reader.number(_ANCHORED_S) < ANCHOR_EVERY_S:
        return []
    return reader.heads_since(reader.number(_ANCHORED))


def note_heads(store: Store, cursor: int, now_s: int) -> None:
    """The heads of what is stored up to a cursor are noted. Raises StoreError."""
    store.set_number(_ANCHORED, cursor)
    store.set_number(_ANCHORED_S, now_s)


class Orders(Protocol):
    """Who orders for a node: this machine's one writer, or several hosts together."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def waits(self) -> bool:
        """Whether nothing is ordered now; the store's text WAITS is the reason."""

    def reset(self) -> None:
        """Begin again from the store: a transaction was rolled back, and memory may be ahead of it."""

    def order(self) -> None:
        """See to what is new; raises StoreError, and then `reset` is due."""

    def has_heads_due(self) -> bool:
        """Whether `order` would note heads of logs though nothing is new; raises StoreError."""

    def placed(self) -> int:
        """The cursor up to which every entry that binds others has its place, or the reason why it has none."""

    def check_clock(self) -> None:
        """Notice that nothing can be ordered, or can be again, with nothing to order; raises StoreError."""

    def forget_clock(self) -> None:
        """Nobody watches from now on, so nothing is known of it; raises StoreError."""


class Writer:
    """`host` signs the head; `clock()` gives Unix seconds; `problem(last_s)`, where one is given, why that clock may
    not date a block now that comes after one of `last_s`."""

    def __init__(
        self, store: Store, host: Signer, clock: Callable[[], int], problem: Callable[[int], str | None] | None = None
    ) -> None:
        self._store = store
        self._host = host
        self._clock = clock
        self._problem = problem
        self.reset()

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def waits(self) -> bool:
        """Whether nothing is ordered now: what a node found of its clock holds for every program here."""
        return bool(self._store.text(WAITS))

    def reset(self) -> None:
        """Begin again from the store: a transaction was rolled back, and memory may be ahead of it."""
        self._storage = StoredLedger(self._store)
        self._ledger = Ledger(self._storage, self._store.community, last_header(self._store))

    def order(self) -> None:
        """Order what is new, and note heads when that is due; raises StoreError, and then `reset` is due."""
        store = self._store
        with store.transaction():
            held, found = self.ledger.last, store.last_block()
            if (held and held.height) != (found and found.height):
                self.reset()  # another program was here
            self._look_at_clock()
            if self.waits:
                return
            last = store.last_cursor(ORDERED)
            heads = heads_due(store, self.ledger.last, self._clock())
            if heads:
                note_heads(store, store.last_cursor(), self._clock())
            while (cursor := store.number(_CURSOR)) < last:
                rows = store.entries(cursor, of_kinds=ORDERED, limit=blocks.MAX_ENTRIES)
                decoded = [(row.cursor, entry.decode(row.raw, store.community)) for row in rows]
                self._write(decoded, [])
                store.set_number(_CURSOR, rows[-1].cursor)
            while heads:
                self._write([], heads[: blocks.MAX_ANCHORS])
                heads = heads[blocks.MAX_ANCHORS :]

    def has_heads_due(self) -> bool:
        return not self.waits and bool(heads_due(self._store, self.ledger.last, self._clock()))

    def placed(self) -> int:
        """The cursor up to which every entry that binds others has its place, or the reason why it has none."""
        return self._store.number(_CURSOR) if self.waits else self._store.last_cursor()

    def check_clock(self) -> None:
        """Notice that the clock has stepped, or is right again, with nothing to order; raises StoreError."""
        with self._store.transaction():
            self._look_at_clock()

    def forget_clock(self) -> None:
        """Nobody watches the clock from now on, so nothing is known of it; raises StoreError."""
        if self.waits:
            self._store.set_text(WAITS, "")

    def _look_at_clock(self) -> None:
        if self._problem is None or self.ledger.last is None:
            return
        found = self._problem(self.ledger.last.time_s) or ""
        if found != self._store.text(WAITS):
            self._store.set_text(WAITS, found)
            if found:
                _LOG.error("nothing is ordered now: %s", found)
            else:
                _LOG.info("the ledger goes on")

    def refresh(self) -> None:
        """See that the last block is of this time, so that what rests on it is of now; raises StoreError."""
        with self._store.transaction():
            self.order()
            last = self.ledger.last
            if last is not None and not self.waits and self._clock() - last.time_s > REFRESHED_EVERY_S:
                raw, _ = self.ledger.propose([], [], self._clock(), even_empty=True)
                assert raw is not None
                keep_block(self._store, self.ledger, self._storage, raw, self._host)

    def _write(self, decoded: Sequence[tuple[int, Entry]], heads: Sequence[Head]) -> None:
        """One block of these, or none where nothing can be ordered."""
        raw, rejected = self.ledger.propose([new for _, new in decoded], heads, self._clock())
        placed: list[Place] = []
        positions = 0
        height = self.ledger.size - 1
        for cursor, new in decoded:
            if new.id in rejected:
                placed.append(Place(cursor, None, None, rejected[new.id]))
            else:
                placed.append(Place(cursor, height, positions, None))
                positions += 1
        if raw is not None:
            keep_block(self._store, self.ledger, self._storage, raw, self._host)
        self._store.keep_places(placed)


def block_bytes(reader: Reader, height: int) -> bytes | None:
    """A block as it travels; None where there is none of that height."""
    found = reader.block(height)
    if found is None:
        return None
    raws = [row.raw for row in reader.ordered_in(height)]
    return cbor.encode([found.header, raws, cbor.decode(found.anchors, limit=blocks.MAX_BLOCK_BYTES)])
