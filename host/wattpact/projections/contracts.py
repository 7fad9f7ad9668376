"""Contracts: what offers, acceptances, confirmations and usages amount to, stored as one row each.

    an entry -> what it names, up to the offer -> all entries that name these -> Agreements (the protocol's) -> rows

What always holds: a contract's row is what the protocol makes of all entries of its offer and of the certificates of
its parties, in the order of arrival; so an entry that was missing changes all that waited for it, and nothing of this
has to be in memory. Settlement learns from which second on a contract changed. docs/spec/contracts.md.
"""

from collections.abc import Iterable

from wattpact_protocol.log import entry, ids, kinds, roles
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.contracts import Agreements, Contract

from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Store
from wattpact.store.records import Agreed, Stored

# Which field of a kind names the entry that it belongs to.
_NAMES = {
    kinds.ACCEPTANCE: "offer", kinds.CONTRACT: "acceptance", kinds.GRANT: "contract", kinds.USAGE_START: "contract",
    kinds.USAGE: "contract", kinds.USAGE_END: "contract", kinds.TERMINATE: "contract",
}  # fmt: skip
FOLLOWED = (*_NAMES, kinds.OFFER, kinds.CERTIFICATE)


class StoredContract(Contract):
    """A contract as its row has it."""

    def __init__(self, row: Agreed) -> None:
        self.id, self.offer_id, self.acceptance_id = row.id, row.offer, row.acceptance
        self.supplier, self.consumer = row.supplier, row.consumer
        self.wh, self.max_w, self.price_micro_per_kwh = row.wh, row.max_w, row.price_micro_per_kwh
        self.start_s, self.end_s, self.priority, self.start_by_s = row.start_s, row.end_s, row.priority, row.start_by_s
        self.matched_s, self.grant_number, self.used_from_s = row.matched_s, row.grant_number, row.used_from_s
        self.terminated_s, self.terminated_by = row.terminated_s, row.terminated_by
        self.attributed_wh, self.end_reason = row.attributed_wh, row.end_reason


class ContractProjection:
    """The contracts of one store; `unsealer` reads it too."""

    def __init__(self, store: Store, unsealer: Unsealer) -> None:
        self._store = store
        self._unsealer = unsealer

    def apply(self, new_ones: Iterable[tuple[int, Entry]]) -> None:
        """Entries of kinds FOLLOWED by cursor, oldest first; inside a transaction of the caller's."""
        named: list[tuple[bytes, int]] = []
        plain: list[Entry] = []
        certified: list[Entry] = []
        for cursor, new in new_ones:
            if new.kind == kinds.CERTIFICATE:
                certified.append(new)
            else:
                plain.append(new)
                if new.kind in _NAMES:
                    named.append((new.body[_NAMES[new.kind]], cursor))
        self._store.keep_naming(named)
        offers: dict[bytes, None] = {}
        for new in plain:
            if not self._is_attributed(new):
                offers.update(dict.fromkeys(self._offer_of(new)))
        for new in certified:
            offers.update(dict.fromkeys(self._ended_by(new)))
        for offer in offers:
            self._fold(offer)

    def fold_anew(self, consumer: bytes) -> None:
        """What the meter of a consumer sealed can be read now."""
        for offer in {agreed.offer for agreed, _ in self._store.contracts(meter=consumer)}:
            self._fold(offer)

    def _is_attributed(self, new: Entry) -> bool:
        """Whether it is a usage of a contract that is there, which changes one figure alone."""
        if new.kind != kinds.USAGE:
            return False
        found = self._store.contract(new.body["contract"])
        if found is None:
            return False
        if new.kid == found[0].consumer:
            self._store.attribute(found[0].id, self._unsealer.look(new).body.get("attributed_wh", 0))
        return True

    def _offer_of(self, new: Entry) -> list[bytes]:
        """The id of the offer that an entry belongs to, if all between them is here."""
        while new.kind != kinds.OFFER:
            row = self._store.entry_with_id(new.body[_NAMES[new.kind]]) if new.kind in _NAMES else None
            if row is None:
                return []
            new = self._decode(row)
        return [new.id]

    def _ended_by(self, certificate: Entry) -> list[bytes]:
        """Offers with contracts that somebody ended who may be a party of theirs since that certificate."""
        body = certificate.body
        if body["role"] == roles.METER and "owner" in body:
            rows = self._store.contracts(meter=ids.kid_of(body["public_key"]))
            return [agreed.offer for agreed, _ in rows]
        if body["role"] != roles.ISSUER:
            return []
        ended = (self._offer_of(self._decode(row)) for row in self._store.stream(of_kinds=(kinds.TERMINATE,)))
        return [offer for found in ended for offer in found]

    def _fold(self, offer_id: bytes) -> None:
        """Everything that belongs to an offer, folded and stored."""
        family = self._family(offer_id)
        agreements = Agreements()
        if any(new.kind == kinds.TERMINATE for new in family):
            for certificate in self._certificates({new.kid for new in family}):
                agreements.apply(certificate)
        ended_s: dict[bytes, int | None] = {}
        for new in family:
            agreements.apply(new)
            if new.kind == kinds.USAGE_END:
                ended_s.setdefault(new.body["contract"], new.stamp.unix_s)
        before = {agreed.id: agreed for agreed, _ in self._store.contracts(offer=offer_id)}
        rows = [_row(one, agreements, ended_s.get(one.id)) for one in agreements.confirmed.values()]
        changed = [row for row in rows if before.get(row.id) != row]
        self._store.keep_contracts(changed)
        since = [unix_s for row in changed for unix_s in _changed_s(before.get(row.id), row)]
        if since:
            self._store.changed_from(min(since))

    def _family(self, offer_id: bytes) -> list[Entry]:
        """The offer and every entry that names it, or one that does, in the order of arrival."""
        offer = self._store.entry_with_id(offer_id)
        found = {offer.cursor: offer} if offer else {}
        waiting = [offer_id]
        while waiting:
            for row in self._store.naming(waiting.pop()):
                if row.cursor not in found:
                    found[row.cursor] = row
                    waiting.append(row.id)
        return [self._unsealer.look(self._decode(found[cursor])) for cursor in sorted(found)]

    def _certificates(self, kids: set[bytes]) -> list[Entry]:
        """Those of the authors, which show who may end a contract for whom."""
        rows = [self._store.entry_with_id(known.id) for kid in kids for known in self._store.certificates_of(kid)]
        return [self._decode(row) for row in rows if row is not None]

    def _decode(self, row: Stored) -> Entry:
        return entry.decode(row.raw, self._store.community)


def _row(one: Contract, agreements: Agreements, ended_s: int | None) -> Agreed:
    return Agreed(
        one.id, one.offer_id, one.acceptance_id, one.supplier, one.consumer, one.wh, one.max_w,
        one.price_micro_per_kwh, one.start_s, one.end_s, one.priority,
        min(one.start_by_s, kinds.MAX_UINT), one.matched_s, one.grant_number,
        one.used_from_s, one.terminated_s, one.terminated_by, one.attributed_wh, one.end_reason, ended_s,
        agreements.refused.get(one.id),
    )  # fmt: skip


def _changed_s(old: Agreed | None, new: Agreed) -> list[int]:
    """From which seconds on energy may be carried otherwise than before."""
    if old is None or old.void_reason != new.void_reason:
        return [new.start_s]
    found = []
    if old.used_from_s != new.used_from_s:
        found += [unix_s for unix_s in (old.used_from_s, new.used_from_s) if unix_s is not None]
    if (old.terminated_s, old.terminated_by) != (new.terminated_s, new.terminated_by):
        found.append(min(StoredContract(old).active_to_s, StoredContract(new).active_to_s) - 1)
    return found
