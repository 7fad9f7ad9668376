"""Inputs of settlement from entries alone, in memory: those that a block orders go through the ledger's rules.

    folding = Folding()
    folding.apply(entry, ordered_s)      why it counts for nothing, or None
    folding.inputs                       what money rests on

For who has all entries and no ledger, and for tests; a host and an auditor follow the ledger's records.
"""

from wattpact_protocol.ledger import records
from wattpact_protocol.ledger.machine import RULES, Machine
from wattpact_protocol.ledger.records import State
from wattpact_protocol.log import ids
from wattpact_protocol.settlement.inputs import SettlementInputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wattpact_protocol.log.entry import Entry


class Folding:
    """`rejected`: why entries were not ordered, by id."""

    def __init__(self) -> None:
        self.inputs = SettlementInputs()
        self.rejected: dict[bytes, str] = {}
        self._machine: Machine | None = None

    def apply(self, new: "Entry", ordered_s: "int | None" = None) -> "str | None":
        """`ordered_s`: the time of the block that orders it; its stamp, where that is not given."""
        if new.kind in RULES:
            reason = self._order(new, (new.stamp.unix_s or 0) if ordered_s is None else ordered_s)
            if reason is not None:
                self.rejected[new.id] = reason
                return reason
        return self.inputs.apply(new)

    def _order(self, new: "Entry", ordered_s: int) -> "str | None":
        if self._machine is None:
            self._machine = Machine(State({}), ids.community_id(new.body.get("public_key", b"")))
        state = self._machine.state
        reason = self._machine.apply(new, ordered_s)
        for name, value in state.changes.items():
            record, key = records.parts_of(name)
            self.inputs.follow(record, key, records.decode(record, value))
        state.keep()
        return reason
