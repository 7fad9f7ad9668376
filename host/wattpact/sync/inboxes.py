"""Inboxes: which entries a meter needs, and in what order it receives them.

What always holds: an entry is in a meter's inbox once, behind everything that was put in before; a meter's inbox begins
with the certificates that prove its own; the inboxes of the store are as far as `meta.inbox_folded`, whenever the
program died. The cursor on the wire is the row's position. docs/spec/ingest.md, "Inboxes".
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from wattpact_protocol.ledger import records
from wattpact_protocol.ledger.machine import RULES
from wattpact_protocol.log import entry, ids, kinds, roles
from wattpact_protocol.log.entry import Entry

from wattpact.store.interface import Store
from wattpact.store.records import Certified, Stored

_FOLDED = "inbox_folded"
# What a new meter needs of the entries before it; what answers another entry, or acknowledges one, is none of its.
_FOR_NEW_METERS = (kinds.ALL, kinds.ALL_WHILE_VALID, kinds.NAMED_OR_ALL, kinds.NAMED)
_BACKLOG = tuple(kind for kind in kinds.NAMES if kinds.concerns(kind) in _FOR_NEW_METERS)


Known = Callable[..., dict[str, Any] | None]  # a record of the ledger: (which, key) -> fields


class Delivery(NamedTuple):
    """An entry for a meter: it follows the one at `after`, 0 where it is the first."""

    after: int
    position: int
    raw: bytes


def recipients(new: Entry, meters: set[bytes], known: Known, now_s: int) -> set[bytes]:
    """The meters that receive it; none where it names what the ledger does not know."""
    return (_CONCERNED[kinds.concerns(new.kind)](new.body, meters, known, now_s) & meters) - {new.kid}


def _author_of(record: int, name: bytes, known: Known) -> set[bytes]:
    found = known(record, name)
    return set() if found is None else {found["meter"]}


def _parties(body: dict[str, Any], meters: set[bytes], known: Known, now_s: int) -> set[bytes]:
    found = known(records.CONTRACT, body["contract"])
    return set() if found is None else {found["consumer"], found["supplier"]}


_CONCERNED: dict[str, Callable[[dict[str, Any], set[bytes], Known, int], set[bytes]]] = {
    kinds.NOBODY: lambda body, meters, known, now_s: set(),
    kinds.ALL: lambda body, meters, known, now_s: meters,
    kinds.ALL_WHILE_VALID: lambda body, meters, known, now_s: meters if body["valid_until_s"] > now_s else set(),
    kinds.NAMED_OR_ALL: lambda body, meters, known, now_s: {body["meter"]} if "meter" in body else meters,
    kinds.NAMED: lambda body, meters, known, now_s: {body["meter"]},
    kinds.ACKNOWLEDGED: lambda body, meters, known, now_s: {body["author"]},
    kinds.OFFERER: lambda body, meters, known, now_s: _author_of(records.OFFER, body["offer"], known),
    kinds.ACCEPTER: lambda body, meters, known, now_s: _author_of(records.ACCEPTANCE, body["acceptance"], known),
    kinds.PARTIES: _parties,
}


class Inboxes:
    """The inboxes of all meters, in the store. Everything up to the cursor `folded` is in them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.id = store.inbox_id
        self.folded = store.number(_FOLDED)
        self._meters: set[bytes] = set()

    def fold(self, row: Stored, new: Entry, known: Known, now_s: int, is_late: bool = False) -> None:
        """Put a stored entry, ordered or rejected before, into the inboxes of those it concerns; in the caller's
        transaction. What the ledger rejected concerns nobody; `is_late`: it did so before, and has ordered it now."""
        if (is_late or row.cursor > self.folded) and not self._is_rejected(row):
            for meter in sorted(recipients(new, self._meters, known, now_s)):
                self._add(meter, row.cursor)
        if new.kind == kinds.CERTIFICATE and new.body["role"] == roles.METER:
            self._welcome(row, ids.kid_of(new.body["public_key"]), known, now_s)

    def _is_rejected(self, row: Stored) -> bool:
        if row.kind not in RULES:
            return False
        place = self.store.place(row.cursor)
        return place is None or place.height is None

    def _add(self, meter: bytes, cursor: int) -> None:
        self.store.inbox_add(meter, cursor)

    def _welcome(self, row: Stored, meter: bytes, known: Known, now_s: int) -> None:
        """A new meter receives what proves its own certificate, then all that still concerns it."""
        is_new = meter not in self._meters
        self._meters.add(meter)
        if not is_new or row.cursor <= self.folded:
            return
        for certified in _path(self.store.certificates(), meter):
            self._add(meter, certified.cursor)
        for old in self.store.entries(before=row.cursor, of_kinds=_BACKLOG):
            if not self._is_rejected(old):
                held = entry.decode(old.raw, self.store.community)
                if meter in recipients(held, {meter}, known, now_s):
                    self._add(meter, old.cursor)

    def commit(self, cursor: int) -> None:
        """Everything up to that cursor is in the inboxes, in the same transaction."""
        self.store.set_number(_FOLDED, cursor)
        self.folded = cursor

    def last(self, meter: bytes) -> int:
        """The position of the newest entry for a meter, 0 where there is none."""
        return self.store.inbox_last(meter)

    def holds(self, meter: bytes, position: int) -> bool:
        """Whether that position is one of this meter's, or the start."""
        return position == 0 or self.store.inbox_holds(meter, position)

    def after(self, meter: bytes, position: int, limit: int) -> list[Delivery]:
        """The entries for a meter that follow a position of its own."""
        deliveries = []
        for at, raw in self.store.inbox_after(meter, position, limit):
            deliveries.append(Delivery(position, at, raw))
            position = at
        return deliveries


def _path(certified: list[Certified], meter: bytes) -> list[Certified]:
    """Root, issuers, hosts, the meter's own certificate and its owner's, in this order."""
    by_kid = {known.kid: known for known in certified}
    trusted = [known for known in certified if known.body["role"] in (roles.ROOT, roles.ISSUER)]
    hosts = [known for known in certified if known.body["role"] == roles.HOST]
    own = [by_kid[meter]] if meter in by_kid else []
    owner = by_kid.get(own[0].body.get("owner", b"")) if own else None
    return sorted(trusted, key=lambda known: known.body["role"]) + hosts + own + ([owner] if owner else [])
