"""What a block ordered or rejected, in this host's store: entries that another host received come in by their block.

What always holds: an entry joins its log only as the next of it, so that a meter that moves here sends what is
missing; until then it is kept beside the logs, in its block. The place of each entry is kept with its block.
"""

from collections.abc import Iterable

from wattpact_protocol.log import entry, kinds
from wattpact_protocol.log.entry import Entry

from wattpact.store.interface import Store
from wattpact.store.records import Accepted, Elsewhere, Place

# What the rest of the store is built on, unless it is void.
_VOIDABLE = (kinds.CERTIFICATE, kinds.KEY_OPEN)


def adopt(store: Store, entries: Iterable[Entry], rejected: dict[bytes, str], height: int | None, now_s: int) -> None:
    """The entries of one decided block, those not `rejected` ordered at that height; in the transaction that keeps the
    block. Raises StoreError."""
    logs = _Logs(store, now_s)
    places: list[Place] = []
    others: list[Elsewhere] = []
    position = 0
    for new in entries:
        reason = rejected.get(new.id)
        is_ordered = reason is None
        cursor, has_place = logs.join(new, reason)
        if cursor and not has_place:
            places.append(Place(cursor, height if is_ordered else None, position if is_ordered else None, reason))
        elif not cursor and is_ordered and height is not None:
            named = (new.id, new.kid, new.kind, new.generation, new.sequence, new.stamp.unix_s)
            others.append(Elsewhere(height, position, *named, now_s, new.raw))
        position += is_ordered
    logs.append()
    store.keep_places(places)
    store.keep_elsewhere(others)


class _Logs:
    """The logs of a store, which a block's entries join: all at once, unless one has to be looked for."""

    def __init__(self, store: Store, now_s: int) -> None:
        self._store = store
        self._now_s = now_s
        self._last = store.last_cursor()
        self._joined: list[Accepted] = []
        self._orders: set[tuple[bytes, bytes]] = set()  # of people, that have joined
        self._heads: dict[tuple[bytes, int], tuple[int, bytes] | None] = {}

    def join(self, new: Entry, reason: str | None) -> tuple[int, bool]:
        """Its cursor, and whether it has its place already; it joins if it is the next of its log. (0, False) where it
        is in no log."""
        chained = "order_id" not in new.body
        head = self._head(new) if chained else None
        name = (new.kid, new.body.get("order_id"))
        if name in self._orders or (head is not None and new.sequence <= head[0]):
            self.append()
        if not chained or (head is not None and new.sequence <= head[0]):  # else it is behind the end of its log
            held = self._store.entry_with_id(new.id)
            if held is not None:
                return held.cursor, self._store.place(held.cursor) is not None
        if not (self._follows(new, head) if chained else self._store.order(*name) is None):
            return 0, False
        self._joined.append(Accepted(new, chained, reason if new.kind in _VOIDABLE else None))
        if chained:
            self._heads[new.kid, new.generation] = new.sequence, new.id
        else:
            self._orders.add(name)
        return self._last + len(self._joined), False

    def _head(self, new: Entry) -> tuple[int, bytes] | None:
        log = new.kid, new.generation
        if log not in self._heads:
            self._heads[log] = self._store.head(*log)
        return self._heads[log]

    def _follows(self, new: Entry, head: tuple[int, bytes] | None) -> bool:
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


def take_in(store: Store, rows: Iterable[tuple[int, bytes]]) -> None:
    """Entries, by (cursor, id), that have come in their logs after their blocks: they get their places. Raises
    StoreError."""
    with store.transaction():
        for cursor, name in rows:
            place = store.place_elsewhere(name)
            if place is not None:
                store.keep_places([Place(cursor, *place, None)])
                store.forget_elsewhere([name])
