"""Contracts: what offers, acceptances and confirmations agree on, and how a contract ends.

    offer (supplier's meter) <- acceptance (consumer's meter) <- contract (supplier's meter) <- grant (issuer)
    Proposed -> Matched -> Granted -> Active -> Ended -> Settled;  Proposed -> Expired;  no start in time -> Void

What always holds: a contract's terms are the offer's, taken for part of its Wh by one acceptance; the confirmed parts
of an offer never exceed it; the first end counts. `Agreements.apply` takes verified entries in any order
that keeps each author's own, and gives the same contracts. Specification: docs/spec/contracts.md.
"""

from wattpact_protocol.log import entry, ids, kinds, reasons, roles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROPOSED, EXPIRED, MATCHED, GRANTED = "proposed", "expired", "matched", "granted"
ACTIVE, ENDED, VOID, SETTLED = "active", "ended", "void", "settled"

BY_CONSUMER, BY_SUPPLIER, BY_OPERATOR = "consumer", "supplier", "operator"
# Of two ends in one second the one that costs the consumer least counts.
_RANK = {BY_OPERATOR: 0, BY_SUPPLIER: 1, BY_CONSUMER: 2}

_FOLLOWS = (kinds.GRANT, kinds.USAGE_START, kinds.USAGE, kinds.USAGE_END, kinds.TERMINATE)


class Contract:
    """One contract. Times are Unix seconds; `id` is the confirming entry's, which makes it binding."""

    def __init__(self, contract_id: bytes, offer: entry.Entry, acceptance: entry.Entry) -> None:
        self.id = contract_id
        self.offer_id = offer.id
        self.acceptance_id = acceptance.id
        self.supplier = offer.kid
        self.consumer = acceptance.kid
        self.wh = acceptance.body["wh"]
        self.max_w = offer.body["max_w"]
        self.price_micro_per_kwh = offer.body["price_micro_per_kwh"]
        self.start_s = offer.body["start_s"]
        self.end_s = offer.body["end_s"]
        self.priority = acceptance.body["priority"]
        self.start_by_s = self.start_s + acceptance.body["start_timeout_s"]
        self.matched_s: int | None = None
        self.grant_number: int | None = None
        self.used_from_s: int | None = None
        self.terminated_s: int | None = None
        self.terminated_by: str | None = None
        self.attributed_wh = 0
        self.end_reason: int | None = None

    @property
    def active_to_s(self) -> int:
        """When it stops carrying energy at the latest."""
        if self.terminated_s is None:
            return int(self.end_s)
        return int(min(self.end_s, self.terminated_s))

    @property
    def is_void(self) -> bool:
        """It never started, or too late, or was over before."""
        first_s = self.used_from_s
        return first_s is None or first_s > self.start_by_s or first_s >= self.active_to_s

    def state(self, now_s: int) -> str:
        """The state a person is shown. Only the ledger knows whether it is settled."""
        if not self.is_void:
            over = now_s >= self.active_to_s or self.end_reason is not None
            return ENDED if over else ACTIVE
        if self.used_from_s is not None or now_s > min(self.start_by_s, self.active_to_s):
            return VOID
        return MATCHED if self.grant_number is None else GRANTED


class Agreements:
    """All offers, demands, mandates and contracts that verified entries have made.

    `refused` holds, by its id, why an entry made nothing. `changed_from_s` is the earliest second for which the
    contracts have changed since the reader last set it to None."""

    def __init__(self) -> None:
        self.mandates: dict[bytes, entry.Entry] = {}
        self.offers: dict[bytes, entry.Entry] = {}
        self.demands: dict[bytes, entry.Entry] = {}
        self.acceptances: dict[bytes, entry.Entry] = {}
        self.contracts: dict[bytes, Contract] = {}
        self.confirmed: dict[bytes, Contract] = {}  # `contracts`, and those that their offer had no Wh left for
        self.taken_wh: dict[bytes, int] = {}
        self.refused: dict[bytes, str] = {}
        self.changed_from_s: int | None = None
        self._waiting: dict[bytes, list[entry.Entry]] = {}
        self._order: dict[bytes, list[tuple[int, int, bytes]]] = {}  # by offer, in the supplier's order
        self._started: dict[bytes, tuple[int, int]] = {}
        self._ends: dict[bytes, list[entry.Entry]] = {}
        self._roles: dict[bytes, int] = {}
        self._owners: dict[bytes, set[bytes]] = {}

    def apply(self, new: entry.Entry) -> None:
        """Fold one verified entry; one that breaks the rules goes into `refused` with its reason; never raises."""
        kind = new.kind
        if kind in _FOLLOWS:
            self._follow(new)
        elif kind == kinds.CERTIFICATE:
            self._enrol(new)
        elif kind == kinds.MANDATE:
            self.mandates[new.id] = new
        elif kind == kinds.OFFER:
            self._offer(new)
        elif kind == kinds.DEMAND:
            self.demands[new.id] = new
        elif kind == kinds.ACCEPTANCE:
            self._accept(new)
        elif kind == kinds.CONTRACT:
            self._confirm(new)

    def waiting(self) -> "list[entry.Entry]":
        """Entries that name one which has not been seen."""
        return [new for entries in self._waiting.values() for new in entries]

    def offer_left_wh(self, offer_id: bytes) -> int:
        return int(self.offers[offer_id].body["wh"] - self.taken_wh.get(offer_id, 0))

    def _wait(self, awaited: bytes, new: entry.Entry) -> None:
        self._waiting.setdefault(awaited, []).append(new)

    def _retry(self, awaited: bytes) -> None:
        for waiting in self._waiting.pop(awaited, []):
            self.apply(waiting)

    def _touch(self, unix_s: int) -> None:
        if self.changed_from_s is None or unix_s < self.changed_from_s:
            self.changed_from_s = unix_s

    def _enrol(self, new: entry.Entry) -> None:
        kid = ids.kid_of(new.body["public_key"])
        self._roles[kid] = new.body["role"]
        if "owner" in new.body:
            self._owners.setdefault(kid, set()).add(new.body["owner"])
        for contract_id in list(self._ends):
            self._decide_end(contract_id)

    def _offer(self, new: entry.Entry) -> None:
        if new.body["end_s"] <= new.body["start_s"]:
            self.refused[new.id] = reasons.NO_PERIOD
            return
        self.offers[new.id] = new
        self._retry(new.id)

    def _accept(self, new: entry.Entry) -> None:
        if new.body["offer"] not in self.offers:
            self._wait(new.body["offer"], new)
            return
        self.acceptances[new.id] = new
        self._retry(new.id)

    def _confirm(self, new: entry.Entry) -> None:
        acceptance = self.acceptances.get(new.body["acceptance"])
        if acceptance is None:
            self._wait(new.body["acceptance"], new)
            return
        offer = self.offers[acceptance.body["offer"]]
        reason = _unfit(new, offer, acceptance)
        if reason:
            self.refused[new.id] = reason
            return
        contract = Contract(new.id, offer, acceptance)
        contract.matched_s = new.stamp.unix_s
        self.confirmed[new.id] = contract
        self._order.setdefault(offer.id, []).append((new.generation, new.sequence, new.id))
        self._take(offer)
        self._retry(new.id)

    def _take(self, offer: entry.Entry) -> None:
        """Confirmations in the order in which the supplier's log has them, each while the offer lasts."""
        taken_wh = 0
        accepted = set()
        order = self._order[offer.id]
        order.sort()
        for _, _, contract_id in order:
            contract = self.confirmed[contract_id]
            reason = None
            if contract.acceptance_id in accepted:
                reason = reasons.CONFIRMED_TWICE
            elif taken_wh + contract.wh > offer.body["wh"]:
                reason = reasons.OFFER_EXCEEDED
            else:
                taken_wh += contract.wh
                accepted.add(contract.acceptance_id)
            self._admit(contract, reason)
        self.taken_wh[offer.id] = taken_wh

    def _admit(self, contract: Contract, reason: "str | None") -> None:
        if (reason is None) != (contract.id in self.contracts):
            self._touch(contract.start_s)
        if reason is None:
            self.contracts[contract.id] = contract
            self.refused.pop(contract.id, None)
        else:
            self.contracts.pop(contract.id, None)
            self.refused[contract.id] = reason

    def _follow(self, new: entry.Entry) -> None:
        contract = self.confirmed.get(new.body["contract"])
        if contract is None:
            self._wait(new.body["contract"], new)
        elif new.kind == kinds.GRANT:
            contract.grant_number = new.body["number"]
        elif new.kind == kinds.TERMINATE:
            self._ends.setdefault(contract.id, []).append(new)
            self._decide_end(contract.id)
        elif new.kid != contract.consumer:
            self.refused[new.id] = reasons.NOT_THE_CONSUMER
        elif new.kind == kinds.USAGE_START:
            self._start(contract, new)
        else:
            # Sealed to whoever folds this without the key; settlement does not rest on it.
            contract.attributed_wh = max(contract.attributed_wh, new.body.get("attributed_wh", 0))
            if new.kind == kinds.USAGE_END and contract.end_reason is None:
                contract.end_reason = new.body["reason"]

    def _start(self, contract: Contract, new: entry.Entry) -> None:
        """The first start in the consumer's log counts."""
        place = (new.generation, new.sequence)
        if new.stamp.unix_s is None:
            self.refused[new.id] = reasons.NO_TIME
        elif contract.id not in self._started or place < self._started[contract.id]:
            self._started[contract.id] = place
            contract.used_from_s = max(new.stamp.unix_s, contract.start_s, contract.matched_s or 0)
            self._touch(contract.used_from_s)

    def _decide_end(self, contract_id: bytes) -> None:
        """Of all who may end it the earliest does; certificates that come later may add to them."""
        contract = self.confirmed[contract_id]
        ends = []
        for new in self._ends[contract_id]:
            party = self._party(contract, new.kid)
            if party is None:
                self.refused[new.id] = reasons.NOT_A_PARTY
            elif new.stamp.unix_s is None:
                self.refused[new.id] = reasons.NO_TIME
            elif new.stamp.unix_s >= contract.end_s:
                self.refused[new.id] = reasons.ENDED_BEFORE
            else:
                self.refused.pop(new.id, None)
                ends.append((new.stamp.unix_s, _RANK[party], new.id, party))
        if ends:
            first = min(ends)
            if (first[0], first[3]) != (contract.terminated_s, contract.terminated_by):
                self._touch(min(contract.active_to_s, first[0]) - 1)
                contract.terminated_s, contract.terminated_by = first[0], first[3]

    def _party(self, contract: Contract, kid: bytes) -> "str | None":
        """For whom that author may end the contract: a meter for itself, a person for the own meter, the issuer."""
        if kid == contract.consumer or kid in self._owners.get(contract.consumer, ()):
            return BY_CONSUMER
        if kid == contract.supplier or kid in self._owners.get(contract.supplier, ()):
            return BY_SUPPLIER
        return BY_OPERATOR if self._roles.get(kid) == roles.ISSUER else None


def _unfit(new: entry.Entry, offer: entry.Entry, acceptance: entry.Entry) -> "str | None":
    if new.kid != offer.kid:
        return reasons.NOT_THE_SUPPLIER
    if acceptance.kid == offer.kid:
        return reasons.SUPPLIER_IS_CONSUMER
    times = (acceptance.stamp.unix_s, new.stamp.unix_s)
    if None in times or max(times) > offer.body["valid_until_s"]:
        return reasons.OFFER_EXPIRED
    return None


def order_of(contract: "Any") -> "tuple[int, bytes]":
    """The order in which consumption fills contracts."""
    return (contract.priority, contract.id)
