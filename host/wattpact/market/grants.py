"""From confirmed contracts to grants. Pure: verified entries and time in, bodies out.

    contract confirmed -> checked against both owners' mandates -> grant for the consumer's meter, once

What always holds: a contract is granted at most once, however often the program restarts; grant numbers only rise;
no meter is granted what its owner's mandate does not cover. docs/spec/contracts.md.
"""

from typing import Any

from wattpact_protocol.log import ids, kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.log.reasons import NO_BUY_MANDATE, NO_SELL_MANDATE, TERMINATED, TOO_LATE
from wattpact_protocol.settlement.contracts import VOID, Agreements, Contract
from wattpact_protocol.settlement.inputs import AGREED

# What a grant rests on; how much of a contract was used since changes nothing, and is most of what meters publish.
RESTS_ON = tuple(kind for kind in AGREED if kind not in (kinds.USAGE, kinds.USAGE_END))
_FINAL = (TOO_LATE, TERMINATED)


class Grants:
    """Applies every verified entry that is no reading, in the order stored; `rejected`: why a contract has no grant."""

    def __init__(self) -> None:
        self.agreements = Agreements()
        self.rejected: dict[bytes, str] = {}
        self.last_number = 0
        self._open: dict[bytes, None] = {}  # confirmations that have no grant and may still get one
        self._granted: set[bytes] = set()
        self._owners: dict[bytes, bytes | None] = {}
        self._mandates: dict[bytes, list[Entry]] = {}
        self._spent: dict[bytes, list[Contract]] = {}  # by mandate: the contracts that were granted under it

    def apply(self, new: Entry) -> None:
        self.agreements.apply(new)
        if new.kind == kinds.MANDATE:
            self._mandates.setdefault(new.body["meter"], []).append(new)
        elif new.kind == kinds.CONTRACT and new.id not in self._granted:
            self._open[new.id] = None
        elif new.kind == kinds.GRANT:
            self._grant(new)
        elif new.kind == kinds.CERTIFICATE:
            self._owners[ids.kid_of(new.body["public_key"])] = new.body.get("owner")

    def _grant(self, new: Entry) -> None:
        name = new.body["contract"]
        self._granted.add(name)
        self._open.pop(name, None)
        self.last_number = max(self.last_number, new.body["number"])
        contract = self.agreements.confirmed.get(name)
        if contract is not None:
            now_s = new.stamp.unix_s or 0
            for mandate in (self._sells(contract, now_s, {}), self._buys(contract, now_s, {})):
                if mandate is not None:
                    self._spent.setdefault(mandate.id, []).append(contract)

    def grants_due(self, now_s: int) -> list[dict[str, Any]]:
        """The bodies of the grants to sign now, in the order of the contracts' ids."""
        due: list[dict[str, Any]] = []
        planned: dict[bytes, int] = {}
        for contract in sorted(self._undecided(), key=lambda contract: contract.id):
            reason = self._problem(contract, now_s, planned)
            if reason is None:
                self.rejected.pop(contract.id, None)
                due.append(_body(contract, self.last_number + len(due) + 1))
                continue
            self.rejected[contract.id] = reason
            if reason in _FINAL:
                del self._open[contract.id]
        return due

    def _undecided(self) -> list[Contract]:
        """Contracts without a grant that may still get one: a mandate, for one, may come late."""
        agreements = self.agreements
        for name in [name for name in self._open if name in agreements.refused and name not in agreements.confirmed]:
            del self._open[name]
        return [agreements.contracts[name] for name in self._open if name in agreements.contracts]

    def _problem(self, contract: Contract, now_s: int, planned: dict[bytes, int]) -> str | None:
        """Why it gets no grant now; if it gets one, its Wh are added to those `planned` under both mandates."""
        if contract.terminated_s is not None:
            return TERMINATED
        if now_s > contract.start_by_s or now_s >= contract.end_s:
            return TOO_LATE
        sell, buy = self._sells(contract, now_s, planned), self._buys(contract, now_s, planned)
        if sell is None:
            return NO_SELL_MANDATE
        if buy is None:
            return NO_BUY_MANDATE
        for mandate in (sell, buy):
            planned[mandate.id] = planned.get(mandate.id, 0) + contract.wh
        return None

    def _sells(self, contract: Contract, now_s: int, planned: dict[bytes, int]) -> Entry | None:
        """The mandate that the supplier's offer names, if the offer is within it and enough of its Wh are left."""
        offer = self.agreements.offers[contract.offer_id]
        mandate = self.agreements.mandates.get(offer.body["mandate"])
        if mandate is None or not self._authorises(mandate, contract.supplier, kinds.SELL):
            return None
        fits = contract.price_micro_per_kwh >= mandate.body["limit_micro_per_kwh"] and _within(contract, mandate)
        fits = fits and offer.body["wh"] <= mandate.body["wh"]
        return mandate if fits and contract.wh <= self._left_wh(mandate, now_s, planned) else None

    def _buys(self, contract: Contract, now_s: int, planned: dict[bytes, int]) -> Entry | None:
        """The mandate of the consumer's owner that covers the contract and has enough Wh left: the one that the
        acceptance's demand names; without a demand, the first."""
        demand = self.agreements.demands.get(
            self.agreements.acceptances[contract.acceptance_id].body.get("demand", b"")
        )
        for mandate in self._mandates.get(contract.consumer, ()):
            if demand is not None and demand.body["mandate"] != mandate.id:
                continue
            if self._authorises(mandate, contract.consumer, kinds.BUY) and _within(contract, mandate):
                affordable = contract.price_micro_per_kwh <= mandate.body["limit_micro_per_kwh"]
                if affordable and contract.wh <= self._left_wh(mandate, now_s, planned):
                    return mandate
        return None

    def _left_wh(self, mandate: Entry, now_s: int, planned: dict[bytes, int]) -> int:
        """What may still be granted under a mandate. A void contract gives its Wh back."""
        spent = [held.wh for held in self._spent.get(mandate.id, ()) if held.state(now_s) != VOID]
        return int(mandate.body["wh"] - sum(spent) - planned.get(mandate.id, 0))

    def _authorises(self, mandate: Entry, meter: bytes, side: int) -> bool:
        body = mandate.body
        return bool(body["meter"] == meter and body["side"] == side and mandate.kid == self._owners.get(meter))


def _within(contract: Contract, mandate: Entry) -> bool:
    """Whether the mandate was in force when the contract was made, and its time overlaps the contract's."""
    body = mandate.body
    in_force = contract.matched_s is not None and contract.matched_s <= body["expires_s"]
    return in_force and bool(contract.start_s < body["end_s"] and body["start_s"] < contract.end_s)


def _body(contract: Contract, number: int) -> dict[str, Any]:
    return {
        "number": number, "meter": contract.consumer, "contract": contract.id, "wh": contract.wh,
        "max_w": contract.max_w, "from_s": contract.start_s, "to_s": contract.end_s,
        "price_micro_per_kwh": contract.price_micro_per_kwh, "priority": contract.priority,
        "start_by_s": min(contract.start_by_s, contract.end_s), "default_supply": False,
    }  # fmt: skip
