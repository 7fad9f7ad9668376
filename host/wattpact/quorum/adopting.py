"""What a block ordered or rejected, in this host's store: entries that another host received come in by their block.

What always holds: an entry joins its log only as the next of it, so that a meter that moves here sends what is
missing; until then it is ahead of its log. The place of each entry is kept with its block, and whatever the ledger
ordered counts.
"""

from collections.abc import Iterable

from wattpact_protocol.ledger import records
from wattpact_protocol.log import entry, kinds, roles
from wattpact_protocol.log.entry import Entry

from wattpact.store.interface import Store
from wattpact.store.recorded import record_of
from wattpact.store.records import Accepted, Place, Stored

# What the rest of the store is built on, unless it is void.
_VOIDABLE = (kinds.CERTIFICATE, kinds.KEY_OPEN)


def adopt(
    store: Store, entries: Iterable[Entry], rejected: dict[bytes, str], height: int | None, now_s: int
) -> list[int]:
    """The entries of one decided block, each once, those not `rejected` ordered at that height; in the transaction that
    keeps the block. Gives the cursors of those that count otherwise than before. Raises StoreError."""
    logs = _Logs(store, now_s)
    places: list[Place] = []
    changed: list[int] = []
    position = 0
    for new in entries:
        reason = rejected.get(new.id)
        held = logs.held(new)
        cursor = held.cursor if held is not None else logs.join(new, reason)
        before = None if held is None else store.place(cursor)
        if reason is None and height is not None:
            places.append(Place(cursor, height, position, None))
            position += 1
        elif cursor and before is None:
            places.append(Place(cursor, None, None, reason))
        if held is not None and _counts_otherwise(store, held, new, reason, before):
            changed.append(cursor)
    logs.append()
    store.keep_places(places)
    return changed


def _counts_otherwise(store: Store, held: Stored, new: Entry, reason: str | None, before: Place | None) -> bool:
    """Whether the ledger decided otherwise on what was held than this host, or than it did itself before."""
    if new.kind in _VOIDABLE and reason != held.void_reason and (reason is None or before is None):
        store.count_anew(held.cursor, new, reason)
        return True
    return reason is None and before is not None and before.height is None


class _Logs:
    """The logs of a store, which a block's entries join: all at once, unless one has to be looked for."""

    def __init__(self, store: Store, now_s: int) -> None:
        self._store = store
        self._now_s = now_s
        self._last = store.last_cursor()
        self._joined: list[Accepted] = []
        self._orders: set[tuple[bytes, bytes]] = set()  # of people, that have joined
        self._heads: dict[tuple[bytes, int], tuple[int, bytes] | None] = {}
        self._roles: dict[bytes, int] = {}
        self._ahead: dict[bytes, bool] = {}

    def held(self, new: Entry) -> Stored | None:
        """The entry as it is stored; it is not looked for where it can be behind the end of its log alone."""
        if self._is_chained(new):
            head = self._head(new)
            if (head is None or new.sequence > head[0]) and not self._has_ahead(new.kid):
                return None
        elif (new.kid, new.body["order_id"]) in self._orders:
            self.append()
        return self._store.entry_with_id(new.id)

    def join(self, new: Entry, reason: str | None) -> int:
        """Where it is now: in its log, or ahead of it. 0 where it was rejected and nothing here waits for it."""
        chained = self._is_chained(new)
        is_next = chained and self._follows(new)
        if reason is not None and not is_next:
            return 0
        # A person's order is beside another one with its id, which this host received and the ledger did not order.
        is_ahead = not is_next if chained else self._store.order(new.kid, new.body["order_id"]) is not None
        self._joined.append(Accepted(new, chained, reason if new.kind in _VOIDABLE else None, is_ahead))
        cursor = self._last + len(self._joined)
        if not chained:
            self._orders.add((new.kid, new.body["order_id"]))
        elif is_next:
            self._reached(new.kid, new.generation, new.sequence, new.id)
        else:
            self._ahead[new.kid] = True
        return cursor

    def _reached(self, kid: bytes, generation: int, sequence: int, name: bytes) -> None:
        """The log ends there, or behind what is ahead of it and follows."""
        while True:
            self._heads[kid, generation] = sequence, name
            if not self._has_ahead(kid):
                return
            self.append()
            for row in self._store.ahead_at(kid, generation, sequence + 1):
                if entry.decode(row.raw, self._store.community).previous == name:
                    self._store.reach(row.cursor)
                    sequence, name = row.sequence, row.id
                    break
            else:
                return

    def _is_chained(self, new: Entry) -> bool:
        """By its author's role: a meter's entry may have an order's id in it."""
        if new.kid not in self._roles:
            author = record_of(self._store, records.AUTHOR, new.kid)
            self._roles[new.kid] = roles.ROOT if author is None else int(author["role"])
        return self._roles[new.kid] != roles.PERSON

    def _has_ahead(self, kid: bytes) -> bool:
        if kid not in self._ahead:
            self._ahead[kid] = self._store.has_ahead(kid)
        return self._ahead[kid]

    def _head(self, new: Entry) -> tuple[int, bytes] | None:
        log = new.kid, new.generation
        if log not in self._heads:
            self._heads[log] = self._store.head(*log)
        return self._heads[log]

    def _follows(self, new: Entry) -> bool:
        head = self._head(new)
        if head is not None:
            return (head[0] + 1, head[1]) == (new.sequence, new.previous)
        if new.sequence:
            return False
        self.append()  # its certificate may be among them
        certificates = self._store.certificates_of(new.kid)
        begins = [one.id for one in certificates if one.body["generation"] == new.generation]
        return new.previous in begins or new.previous == entry.NO_PREVIOUS

    def append(self) -> None:
        """Store what has joined. Raises StoreError."""
        if self._joined:
            self._last = self._store.append(self._joined, self._now_s)
            self._joined = []
