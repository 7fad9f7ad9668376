"""Inboxes: which entries a meter needs to hear, and in what order it hears them.

What always holds: an entry is in a meter's inbox once, behind everything it was told before; a meter's inbox begins
with the certificates that prove its own; the inboxes of the store are as far as `meta.inbox_folded` says, whenever the
program died. The cursor on the wire is the row's position. docs/spec/ingest.md, "Inboxes".
"""

from typing import NamedTuple

from wattpact_protocol import bodies, entry
from wattpact_protocol.contracts import Book
from wattpact_protocol.entry import Entry

from wattpact.reader import Certified, Stored
from wattpact.store import Store

_FOLDED = "inbox_folded"
# What a meter that is new needs of what was said before.
_BACKLOG = (
    bodies.CERTIFICATE, bodies.COMMUNITY, bodies.POLICY, bodies.MANDATE, bodies.OFFER, bodies.DEMAND,
)  # fmt: skip
_TO_ALL = (bodies.CERTIFICATE, bodies.COMMUNITY)


class Told(NamedTuple):
    """An entry for a meter: it follows the one at `after`, 0 where it is the first."""

    after: int
    position: int
    raw: bytes


def awaited(new: Entry, book: Book) -> bytes | None:
    """The id of an entry that must be known before it is clear whom `new` concerns."""
    if new.kind == bodies.ACCEPTANCE and new.body["offer"] not in book.offers:
        return bytes(new.body["offer"])
    if new.kind == bodies.CONTRACT and new.body["acceptance"] not in book.acceptances:
        return bytes(new.body["acceptance"])
    if new.kind == bodies.TERMINATE and new.body["contract"] not in book.confirmed:
        return bytes(new.body["contract"])
    return None


def recipients(new: Entry, meters: set[bytes], book: Book, now_s: int) -> set[bytes]:
    """The meters that need to hear it, for an entry that awaits nothing."""
    body = new.body
    if new.kind in _TO_ALL:
        concerned = set(meters)
    elif new.kind in (bodies.OFFER, bodies.DEMAND):
        concerned = set(meters) if body["valid_until_s"] > now_s else set()
    elif new.kind == bodies.POLICY:
        concerned = {body["meter"]} if "meter" in body else set(meters)
    elif new.kind in (bodies.MANDATE, bodies.GRANT):
        concerned = {body["meter"]}
    elif new.kind == bodies.RECEIPT:
        concerned = {body["author"]}
    elif new.kind == bodies.ACCEPTANCE:
        concerned = {book.offers[body["offer"]].kid}
    elif new.kind == bodies.CONTRACT:
        concerned = {book.acceptances[body["acceptance"]].kid}
    elif new.kind == bodies.TERMINATE:
        contract = book.confirmed[body["contract"]]
        concerned = {contract.consumer, contract.supplier}
    else:
        concerned = set()
    return (concerned & meters) - {new.kid}


class Inbox:
    """The inboxes of all meters, in the store. Everything up to the cursor `folded` is in them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.id = store.inbox_id
        self.folded = int.from_bytes(store.meta(_FOLDED) or b"", "big")
        self._meters: set[bytes] = set()
        self._awaiting: dict[bytes, list[tuple[int, Entry]]] = {}

    def fold(self, row: Stored, new: Entry, book: Book, now_s: int) -> None:
        """Give one stored entry, already in the book, to whom it concerns; inside a transaction of the caller's."""
        if row.cursor > self.folded:
            self._deliver(row.cursor, new, book, now_s)
        elif (missing := awaited(new, book)) is not None:
            self._awaiting.setdefault(missing, []).append((row.cursor, new))
        self._resolve(new.id, book, now_s)
        if new.kind == bodies.CERTIFICATE and new.body["role"] == bodies.ROLE_METER:
            self._welcome(row, entry.kid_of(new.body["public_key"]), book, now_s)

    def _resolve(self, known: bytes, book: Book, now_s: int) -> None:
        """Deliver what awaited this entry, and what awaited that."""
        for cursor, waiting in self._awaiting.pop(known, []):
            self._deliver(cursor, waiting, book, now_s)
            if awaited(waiting, book) is None:
                self._resolve(waiting.id, book, now_s)

    def _deliver(self, cursor: int, new: Entry, book: Book, now_s: int) -> None:
        missing = awaited(new, book)
        if missing is not None:
            self._awaiting.setdefault(missing, []).append((cursor, new))
            return
        for meter in sorted(recipients(new, self._meters, book, now_s)):
            self._add(meter, cursor)

    def _add(self, meter: bytes, cursor: int) -> None:
        self.store.execute("INSERT OR IGNORE INTO inbox (meter, entry) VALUES (?, ?)", [(meter, cursor)])

    def _welcome(self, row: Stored, meter: bytes, book: Book, now_s: int) -> None:
        """A new meter hears what proves its own certificate, then all that still concerns it."""
        is_new = meter not in self._meters
        self._meters.add(meter)
        if not is_new or row.cursor <= self.folded:
            return
        for certified in _path(self.store.certificates(), meter):
            self._add(meter, certified.cursor)
        for old in self.store.entries(before=row.cursor, kinds=_BACKLOG):
            if old.void_reason is None:
                said = entry.decode(old.raw, self.store.community)
                if meter in recipients(said, {meter}, book, now_s):
                    self._add(meter, old.cursor)

    def commit(self, cursor: int) -> None:
        """Everything up to that cursor is in the inboxes, in the same transaction."""
        if cursor > self.folded:
            self.store.set_meta(_FOLDED, cursor.to_bytes(8, "big"))
            self.folded = cursor

    def last(self, meter: bytes) -> int:
        """The position of the newest entry for a meter, 0 where there is none."""
        return int(self.store.value("SELECT max(position) FROM inbox WHERE meter = ?", meter) or 0)

    def holds(self, meter: bytes, position: int) -> bool:
        """Whether that position is one of this meter's, or the start."""
        sql = "SELECT 1 FROM inbox WHERE meter = ? AND position = ?"
        return position == 0 or self.store.value(sql, meter, position) is not None

    def after(self, meter: bytes, position: int, limit: int) -> list[Told]:
        """The entries for a meter that follow a position of its own."""
        found = self.store.rows(
            "SELECT i.position, e.raw FROM inbox i JOIN entries e ON e.cursor = i.entry"
            " WHERE i.meter = ? AND i.position > ? ORDER BY i.position LIMIT ?", meter, position, limit,
        )  # fmt: skip
        told = []
        for at, raw in found:
            told.append(Told(position, at, raw))
            position = at
        return told


def _path(certified: list[Certified], meter: bytes) -> list[Certified]:
    """Root, issuers, hosts, the meter's own certificate and its owner's, in this order."""
    by_kid = {known.kid: known for known in certified}
    trusted = [known for known in certified if known.body["role"] in (bodies.ROLE_ROOT, bodies.ROLE_ISSUER)]
    hosts = [known for known in certified if known.body["role"] == bodies.ROLE_HOST]
    own = [by_kid[meter]] if meter in by_kid else []
    owner = by_kid.get(own[0].body.get("owner", b"")) if own else None
    return sorted(trusted, key=lambda known: known.body["role"]) + hosts + own + ([owner] if owner else [])
