"""Following: what is new in the store, folded into the projections, each entry once.

    new entries -> blocks -> contracts;  readings -> registers, load profiles;  events -> relays, reports of the ledger;
    then settlement

What always holds: how far this got is stored with its result, so that nothing counts twice or is left out,
whenever the program dies; what is in memory counts only while it is as far as the store. When another key is here, the
meters that it unseals are measured anew from their first reading. docs/spec/ingest.md, "Projections".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from wattpact_protocol.log import entry, kinds
from wattpact_protocol.log.entry import Entry

from wattpact.ingest.pipeline import without_collector
from wattpact.ingest.rejections import Rejections
from wattpact.keys import Signer
from wattpact.ordering.writer import Orders, Writer
from wattpact.projections import ledger_events, relays, settled
from wattpact.projections.contracts import USED, ContractProjection
from wattpact.projections.registers import NO_SLOT_S, New, RegisterProjection
from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Store
from wattpact.store.records import QUORUM_BLOCKS

_CURSOR = "projected"
_AT_ONCE = 2048  # entries a transaction, so that nobody waits long for the write lock
_ALL = (kinds.READING, *USED, kinds.EVENT)


class Projections:
    """Follow one store; `unsealer` reads it too. Readings that are void are counted in `rejections`. Without a `writer`
    nothing new is ordered here."""

    def __init__(
        self, store: Store, unsealer: Unsealer, rejections: Rejections, clock: Callable[[], int],
        writer: Orders | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._writer = writer
        self._clock = clock
        self._cursor = -1
        self._rules: tuple[int, int] | None = None
        self._registers = RegisterProjection(store, unsealer, rejections, clock)
        self._contracts = ContractProjection(store, unsealer)

    def catch_up(self, known: Mapping[int, Entry] | None = None) -> None:
        """Apply what is new; `known` spares decoding entries again, by cursor. Raises StoreError."""
        with without_collector():
            self.order()
            while self._step(known or {}):
                pass

    def order(self) -> None:
        """Order what is new, and follow what that made of contracts. Raises StoreError."""
        with self._store.transaction():
            if self._writer is not None:
                self._writer.order()
            self._contracts.follow()

    def settle(self) -> None:
        """Settle what can be settled by now. Raises StoreError."""
        rules = self._community()
        if rules is not None:
            settled.settle(self._store, self._clock(), *rules)

    def follow(self) -> None:
        """All of it: what is new, and what can be settled then."""
        self.catch_up()
        self.settle()

    def _community(self) -> tuple[int, int] | None:
        """(slot_s, silence_s), which the first community entry sets for good."""
        if self._rules is None:
            self._rules = settled.rules_of(self._store)
        return self._rules

    def _step(self, known: Mapping[int, Entry]) -> bool:
        """One transaction's worth; whether there may be more."""
        store = self._store
        if store.number(_CURSOR) == store.last_cursor() and not self._registers.unread():
            return False
        with store.transaction():
            last, cursor = store.last_cursor(), store.number(_CURSOR)
            if cursor != self._cursor:
                self._registers.forget()  # another program was here, or a transaction failed
            self._cursor = -1
            unread = self._registers.unread()
            if unread:
                self._measure_anew(unread[0], cursor)
                more = True
            else:
                new_ones, cursor = self._new(cursor, last, known)
                self._apply(new_ones)
                more = cursor < last
                store.set_number(_CURSOR, cursor)
            self._cursor = cursor
        return more

    def _new(self, cursor: int, last: int, known: Mapping[int, Entry]) -> tuple[list[New], int]:
        """The next entries to apply, and the cursor up to which they are all; where all that is new is known, as it is
        in an ingest, no entry is read again."""
        store = self._store
        if known and len(known) == last - cursor and next(iter(known)) == cursor + 1:
            (row,) = store.entries(last - 1)
            return [New(at, row.received_s, None, new) for at, new in known.items() if new.kind in _ALL], last
        rows = store.entries(cursor, of_kinds=_ALL, limit=_AT_ONCE)
        new_ones = [
            New(row.cursor, row.received_s, row.void_reason, entry.decode(row.raw, store.community)) for row in rows
        ]
        return new_ones, rows[-1].cursor if len(rows) == _AT_ONCE else last

    def _apply(self, new_ones: Iterable[New]) -> None:
        measured: list[New] = []
        used: list[Entry] = []
        for new in new_ones:
            if new.entry.kind == kinds.READING:
                measured.append(new)
            elif new.entry.kind == kinds.EVENT:
                relays.apply(self._store, new.entry)
                ledger_events.apply(self._store, new.entry)
            else:
                used.append(new.entry)
        if measured:
            self._measure(measured)
        self._contracts.attribute(used)

    def _measure(self, new_ones: Iterable[New]) -> None:
        rules = self._community()
        self._registers.measure(new_ones, rules[0] if rules else NO_SLOT_S)

    def _measure_anew(self, meter: bytes, cursor: int) -> None:
        """From its first reading to that cursor, as if nothing had been measured."""
        store = self._store
        store.forget_measured(meter)
        store.changed_from(0)
        self._registers.forget()
        place = (-1, -1)
        while True:
            rows = store.log(meter, place, (kinds.READING,), _AT_ONCE)
            self._measure(
                New(row.cursor, row.received_s, row.void_reason, entry.decode(row.raw, store.community))
                for row in rows
                if row.cursor <= cursor
            )
            if len(rows) < _AT_ONCE:
                break
            place = (rows[-1].generation, rows[-1].sequence)
        self._contracts.attribute_anew(meter)


def bring_up(
    store: Store, signers: Sequence[Signer], now_s: int, host: Signer | None = None, fresh: bool = False
) -> Unsealer:
    """What a command needs that reads projections: all that is stored is in them, settled as of now, and ordered where
    the host's key is here; `fresh`: by a block of now. Gives what unseals with those keys."""
    rejections, unsealer = Rejections(), Unsealer(store, signers)
    is_writer = host is not None and not store.number(QUORUM_BLOCKS)  # a quorum orders while its nodes run
    writer = Writer(store, host, lambda: now_s) if host is not None and is_writer else None
    if fresh and writer is not None:
        writer.refresh()
    Projections(store, unsealer, rejections, lambda: now_s, writer).follow()
    counted = rejections.drain(now_s)
    if counted:
        store.count_rejections(counted)
    return unsealer
