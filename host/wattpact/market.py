"""The market as it is so far: from confirmed contracts to grants. Pure: verified entries and time in, bodies out.

    contract confirmed -> checked against both owners' mandates -> grant for the consumer's meter, once

What always holds: a contract is granted at most once, however often the program restarts; grant numbers only rise;
no meter is granted what its owner's mandate does not cover. docs/spec/contracts.md.
"""

from typing import Any

from wattpact_protocol import bodies, entry
from wattpact_protocol.contracts import Book, Contract
from wattpact_protocol.entry import Entry

TOO_LATE = "too_late"
TERMINATED = "terminated"
NO_SELL_MANDATE = "no_sell_mandate"
NO_BUY_MANDATE = "no_buy_mandate"
_FOR_GOOD = (TOO_LATE, TERMINATED)


class Market:
    """Fed with every verified entry that is no reading, in the order stored. `refused` says why a contract got none."""

    def __init__(self) -> None:
        self.book = Book()
        self.refused: dict[bytes, str] = {}
        self.last_number = 0
        self._open: dict[bytes, None] = {}  # confirmations that have no grant and may still get one
        self._granted: set[bytes] = set()
        self._owners: dict[bytes, bytes | None] = {}
        self._mandates: dict[bytes, list[Entry]] = {}

    def apply(self, new: Entry) -> None:
        self.book.apply(new)
        if new.kind == bodies.MANDATE:
            self._mandates.setdefault(new.body["meter"], []).append(new)
        elif new.kind == bodies.CONTRACT and new.id not in self._granted:
            self._open[new.id] = None
        elif new.kind == bodies.GRANT:
            self._granted.add(new.body["contract"])
            self._open.pop(new.body["contract"], None)
            self.last_number = max(self.last_number, new.body["number"])
        elif new.kind == bodies.CERTIFICATE:
            self._owners[entry.kid_of(new.body["public_key"])] = new.body.get("owner")

    def grants_due(self, now_s: int) -> list[dict[str, Any]]:
        """The bodies of the grants to sign now, in the order of the contracts' ids."""
        due: list[dict[str, Any]] = []
        for contract in sorted(self._undecided(), key=lambda contract: contract.id):
            reason = self._problem(contract, now_s)
            if reason:
                self.refused[contract.id] = reason
                if reason in _FOR_GOOD:
                    del self._open[contract.id]
            else:
                self.refused.pop(contract.id, None)
                due.append(_grant(contract, self.last_number + len(due) + 1))
        return due

    def _undecided(self) -> list[Contract]:
        """Contracts without a grant that may still get one: a mandate, for one, may come late."""
        book = self.book
        for name in [name for name in self._open if name in book.refused and name not in book.confirmed]:
            del self._open[name]
        return [book.contracts[name] for name in self._open if name in book.contracts]

    def _problem(self, contract: Contract, now_s: int) -> str | None:
        if contract.terminated_s is not None:
            return TERMINATED
        if now_s > contract.start_by_s or now_s >= contract.end_s:
            return TOO_LATE
        if not self._sells(contract):
            return NO_SELL_MANDATE
        return None if self._buys(contract) else NO_BUY_MANDATE

    def _sells(self, contract: Contract) -> bool:
        """Whether the supplier's offer keeps within the mandate that it names."""
        offer = self.book.offers[contract.offer_id]
        mandate = self.book.mandates.get(offer.body["mandate"])
        if mandate is None or not self._is_for(mandate, contract.supplier, bodies.SELL):
            return False
        price, limit = contract.price_micro_per_kwh, mandate.body["limit_micro_per_kwh"]
        return bool(price >= limit and offer.body["wh"] <= mandate.body["wh"] and _within(contract, mandate))

    def _buys(self, contract: Contract) -> bool:
        """Whether some mandate of the consumer's owner covers the contract."""
        for mandate in self._mandates.get(contract.consumer, ()):
            if self._is_for(mandate, contract.consumer, bodies.BUY):
                affordable = contract.price_micro_per_kwh <= mandate.body["limit_micro_per_kwh"]
                if affordable and contract.wh <= mandate.body["wh"] and _within(contract, mandate):
                    return True
        return False

    def _is_for(self, mandate: Entry, meter: bytes, side: int) -> bool:
        body = mandate.body
        return bool(body["meter"] == meter and body["side"] == side and mandate.kid == self._owners.get(meter))


def _within(contract: Contract, mandate: Entry) -> bool:
    """Whether the mandate held when the contract was made, for a stretch of time that they share."""
    body = mandate.body
    in_force = contract.matched_s is not None and contract.matched_s <= body["expires_s"]
    return in_force and bool(contract.start_s < body["end_s"] and body["start_s"] < contract.end_s)


def _grant(contract: Contract, number: int) -> dict[str, Any]:
    return {
        "number": number, "meter": contract.consumer, "contract": contract.id, "wh": contract.wh,
        "max_w": contract.max_w, "from_s": contract.start_s, "to_s": contract.end_s,
        "price_micro_per_kwh": contract.price_micro_per_kwh, "priority": contract.priority,
        "start_by_s": min(contract.start_by_s, contract.end_s), "default_supply": False,
    }  # fmt: skip
