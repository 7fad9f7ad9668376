"""Contracts as settlement sees them: what the ledger has recorded of each, and what that means at a time.

    Matched -> Granted -> Active -> Ended -> Settled;  Matched or Granted -> Void

What always holds: everything here follows from the ledger's records of contracts; which entries make them, and when,
the ledger's rules alone decide. Specification: docs/spec/contracts.md.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MATCHED, GRANTED, ACTIVE, ENDED, VOID, SETTLED = "matched", "granted", "active", "ended", "void", "settled"


class Contract:
    """One contract. Times are Unix seconds; `id` is the confirming entry's, which makes it binding. `fields` are those
    of the ledger's record. What its consumer's meter reported of its use is beside them."""

    def __init__(self, contract_id: bytes, fields: "dict[str, Any]") -> None:
        self.id = contract_id
        self.offer_id = fields["offer"]
        self.acceptance_id = fields["acceptance"]
        self.supplier = fields["supplier"]
        self.consumer = fields["consumer"]
        self.wh = fields["wh"]
        self.max_w = fields["max_w"]
        self.price_micro_per_kwh = fields["price_micro_per_kwh"]
        self.start_s = fields["start_s"]
        self.end_s = fields["end_s"]
        self.priority = fields["priority"]
        self.start_by_s = fields["start_by_s"]
        self.matched_s = fields["matched_s"]
        self.attributed_wh = 0
        self.end_reason: int | None = None
        self.follow(fields)

    def follow(self, fields: "dict[str, Any]") -> None:
        """The record as it is now: grant, start and end may have come."""
        self.grant_number: int | None = fields["grant"] or None
        self.granted_s = fields["granted_s"]
        self.used_from_s: int | None = fields["used_from_s"]
        self.terminated_s: int | None = fields["terminated_s"]
        self.terminated_by: str | None = fields["terminated_by"] or None

    @property
    def active_to_s(self) -> int:
        """When it stops carrying energy at the latest."""
        if self.terminated_s is None:
            return int(self.end_s)
        return int(min(self.end_s, self.terminated_s))

    @property
    def is_void(self) -> bool:
        """It was not started, or was over by then."""
        return self.used_from_s is None or self.used_from_s >= self.active_to_s

    def state(self, now_s: int) -> str:
        """The state a person is shown. Only settlement knows whether it is settled."""
        if not self.is_void:
            over = now_s >= self.active_to_s or self.end_reason is not None
            return ENDED if over else ACTIVE
        if self.used_from_s is not None or now_s > min(self.start_by_s, self.active_to_s):
            return VOID
        return MATCHED if self.grant_number is None else GRANTED


class Contracts:
    """All contracts by id. `changed_from_s` is the earliest second for which they have changed since the reader last
    set it to None."""

    def __init__(self) -> None:
        self.by_id: dict[bytes, Contract] = {}
        self.changed_from_s: int | None = None

    def follow(self, contract_id: bytes, fields: "dict[str, Any]") -> Contract:
        """A record of the ledger, new or changed."""
        held = self.by_id.get(contract_id)
        if held is None:
            held = self.by_id[contract_id] = Contract(contract_id, fields)
            self._touch(held.start_s)
            return held
        before = (held.used_from_s, held.active_to_s, held.terminated_by)
        held.follow(fields)
        if before != (held.used_from_s, held.active_to_s, held.terminated_by):
            self._touch(min(before[1], held.active_to_s) - 1)
            if held.used_from_s is not None and before[0] != held.used_from_s:
                self._touch(held.used_from_s)
        return held

    def _touch(self, unix_s: int) -> None:
        if self.changed_from_s is None or unix_s < self.changed_from_s:
            self.changed_from_s = unix_s


def order_of(contract: "Any") -> "tuple[int, bytes]":
    """The order in which consumption fills contracts."""
    return (contract.priority, contract.id)
