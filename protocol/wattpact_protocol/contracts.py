"""Contracts: what offers, acceptances and confirmations agree on, and how a contract ends.

    offer (supplier's meter) <- acceptance (consumer's meter) <- contract (supplier's meter) <- grant (issuer)
    Proposed -> Matched -> Granted -> Active -> Ended -> Settled;  Proposed -> Expired;  no start in time -> Void

What always holds: a contract's terms are the offer's, taken for part of its Wh by one acceptance; the confirmed parts
of an offer never exceed it; the first end counts. `Book.apply` takes verified entries in any order that keeps each
author's own order, and gives the same contracts. Specification: docs/spec/contracts.md.
"""

from wattpact_protocol import bodies, entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROPOSED, EXPIRED, MATCHED, GRANTED = "proposed", "expired", "matched", "granted"
ACTIVE, ENDED, VOID, SETTLED = "active", "ended", "void", "settled"

BY_CONSUMER, BY_SUPPLIER, BY_OPERATOR = "consumer", "supplier", "operator"


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
        """It never started, or too late."""
        return self.used_from_s is None or self.used_from_s > self.start_by_s

    def state(self, now_s: int) -> str:
        """The state a person is shown. Settled is the ledger's to say."""
        if self.used_from_s is not None and not self.is_void:
            over = now_s >= self.active_to_s or self.end_reason is not None
            return ENDED if over else ACTIVE
        if self.is_void and (self.used_from_s is not None or now_s > min(self.start_by_s, self.active_to_s)):
            return VOID
        return MATCHED if self.grant_number is None else GRANTED


class Book:
    """All offers, demands, mandates and contracts that verified entries have made."""

    def __init__(self) -> None:
        self.mandates: dict[bytes, entry.Entry] = {}
        self.offers: dict[bytes, entry.Entry] = {}
        self.demands: dict[bytes, entry.Entry] = {}
        self.acceptances: dict[bytes, entry.Entry] = {}
        self.contracts: dict[bytes, Contract] = {}
        self.taken_wh: dict[bytes, int] = {}
        self.refused: list[tuple[bytes, str]] = []
        self._waiting: dict[bytes, list[tuple[entry.Entry, bytes | None]]] = {}

    def apply(self, new: entry.Entry, owner_meter: "bytes | None" = None) -> None:
        """Fold one verified entry; what the rules refuse lands in `refused` with its reason, never raises.

        For a person's termination, `owner_meter` is that person's meter among the contract's parties, None if neither."""
        kind = new.kind
        if kind == bodies.MANDATE:
            self.mandates[new.id] = new
        elif kind == bodies.OFFER:
            self.offers[new.id] = new
            self._retry(new.id)
        elif kind == bodies.DEMAND:
            self.demands[new.id] = new
        elif kind == bodies.ACCEPTANCE:
            self._accept(new)
        elif kind == bodies.CONTRACT:
            self._confirm(new)
        elif kind in (bodies.GRANT, bodies.USAGE_START, bodies.USAGE, bodies.USAGE_END, bodies.TERMINATE):
            self._follow(new, owner_meter)

    def _retry(self, awaited: bytes) -> None:
        for waiting, owner_meter in self._waiting.pop(awaited, []):
            self.apply(waiting, owner_meter)

    def _wait(self, awaited: bytes, new: entry.Entry, owner_meter: "bytes | None" = None) -> None:
        self._waiting.setdefault(awaited, []).append((new, owner_meter))

    def _refuse(self, new: entry.Entry, reason: str) -> None:
        self.refused.append((new.id, reason))

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
        reason = self._unfit(new, offer, acceptance)
        if reason:
            self._refuse(new, reason)
            return
        contract = Contract(new.id, offer, acceptance)
        contract.matched_s = new.stamp.unix_s
        self.taken_wh[offer.id] = self.taken_wh.get(offer.id, 0) + contract.wh
        self.contracts[new.id] = contract
        self._retry(new.id)

    def _unfit(self, new: entry.Entry, offer: entry.Entry, acceptance: entry.Entry) -> "str | None":
        if new.kid != offer.kid:
            return "confirmed_by_a_stranger"
        if acceptance.kid == offer.kid:
            return "supplier_is_consumer"
        if self.taken_wh.get(offer.id, 0) + acceptance.body["wh"] > offer.body["wh"]:
            return "offer_exceeded"
        times = (acceptance.stamp.unix_s, new.stamp.unix_s)
        if None in times or max(times) > offer.body["valid_until_s"]:
            return "offer_expired"
        if any(contract.acceptance_id == acceptance.id for contract in self.contracts.values()):
            return "confirmed_twice"
        return None

    def _follow(self, new: entry.Entry, owner_meter: "bytes | None") -> None:
        contract = self.contracts.get(new.body["contract"])
        if contract is None:
            self._wait(new.body["contract"], new, owner_meter)
        elif new.kind == bodies.GRANT:
            contract.grant_number = new.body["number"]
        elif new.kind == bodies.TERMINATE:
            self._terminate(contract, new, owner_meter)
        elif new.kid != contract.consumer:
            self._refuse(new, "usage_by_a_stranger")
        else:
            _count_usage(contract, new)

    def _terminate(self, contract: Contract, new: entry.Entry, owner_meter: "bytes | None") -> None:
        party = owner_meter or new.kid
        if new.stamp.unix_s is None:
            self._refuse(new, "no_time")
        elif contract.terminated_s is not None and contract.terminated_s <= new.stamp.unix_s:
            self._refuse(new, "ended_before")
        else:
            contract.terminated_s = new.stamp.unix_s
            contract.terminated_by = {contract.consumer: BY_CONSUMER, contract.supplier: BY_SUPPLIER}.get(party, BY_OPERATOR)

    def offer_left_wh(self, offer_id: bytes) -> int:
        return int(self.offers[offer_id].body["wh"] - self.taken_wh.get(offer_id, 0))


def _count_usage(contract: Contract, new: entry.Entry) -> None:
    if new.kind == bodies.USAGE_START:
        if contract.used_from_s is None and new.stamp.unix_s is not None:
            contract.used_from_s = max(new.stamp.unix_s, contract.start_s)
        return
    contract.attributed_wh = max(contract.attributed_wh, new.body["attributed_wh"])
    if new.kind == bodies.USAGE_END and contract.end_reason is None:
        contract.end_reason = new.body["reason"]


def order_of(contract: "Any") -> "tuple[int, bytes]":
    """The order in which consumption fills contracts."""
    return (contract.priority, contract.id)
