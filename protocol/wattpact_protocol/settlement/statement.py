"""A statement: what one payer's meters amount to in a window, and which meters and times it rests on.

    settled slots -> lines per contract and a balance per meter -> totals -> the body of a `statement` entry

What always holds: net = bought + unused + grid import - sold - unused earned - grid export; summed over all payers and
the grid, every figure paid is a figure received. Specification: docs/spec/settlement.md, "A statement".
"""

from wattpact_protocol.crypto import merkle
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_protocol.ledger.blocks import Header
    from wattpact_protocol.settlement.contracts import Contract, Contracts
    from wattpact_protocol.settlement.inputs import SettlementInputs
    from wattpact_protocol.settlement.slots import Settlement


class Line:
    """One side of a contract in one window."""

    def __init__(self, contract: "Contract", side: int) -> None:
        self.contract = contract
        self.side = side  # kinds.BUY or kinds.SELL
        self.carried_wh = 0
        self.unused_wh = 0

    @property
    def carried_nano(self) -> int:
        return int(self.carried_wh * self.contract.price_micro_per_kwh)

    @property
    def unused_nano(self) -> int:
        return int(self.unused_wh * self.contract.price_micro_per_kwh)

    def leaf(self) -> bytes:
        """The line as the statement's Merkle root names it."""
        return cbor.encode(
            [self.contract.id, self.side, self.carried_wh, self.carried_nano, self.unused_wh, self.unused_nano]
        )


class Balance:
    """Meters' energy in a window, as far as it is settled. The grid's part is what no contract carried."""

    def __init__(self) -> None:
        self.bought_wh = 0
        self.sold_wh = 0
        self.grid_import_wh = 0
        self.grid_export_wh = 0
        self.grid_import_nano = 0
        self.grid_export_nano = 0
        self.alone_nano = 0  # what the grid alone would have charged, net
        self.estimated_wh = 0


class Statement:
    """All of one payer's meters in one window."""

    def __init__(self, subject: bytes, from_s: int, to_s: int) -> None:
        self.subject = subject
        self.from_s = from_s
        self.to_s = to_s
        self.settled_to_s = to_s  # the earliest of all meters'
        self.balance = Balance()
        self.lines: list[Line] = []
        self.meters: list[bytes] = []  # the subject's
        self.closure: list[bytes] = []  # all meters that it rests on
        self.evidence_from_s = from_s
        self.unsettled: list[bytes] = []  # of the closure: not settled to the window's end

    def total(self, side: int) -> "tuple[int, int]":
        """(nano-units for energy carried, nano-units for energy owed unused) of one side."""
        lines = [line for line in self.lines if line.side == side]
        return sum([line.carried_nano for line in lines]), sum([line.unused_nano for line in lines])

    def fields(self, evidence: "list[bytes]", header: "Header") -> "dict[str, Any]":
        """The body of the statement entry, `evidence` being the ids of all entries that it rests on, in order, and
        `header` that of the block whose state it rests on."""
        fields = self.figures()
        fields.update({
            "height": header.height, "state_root": header.state_root,
            "lines": len(self.lines), "lines_root": merkle.root([line.leaf() for line in self.lines]),
            "evidence": len(evidence), "evidence_root": merkle.root(evidence),
        })  # fmt: skip
        return fields

    def figures(self) -> "dict[str, Any]":
        """What a bill shows: `fields` without the Merkle roots, which cost a hash for each line."""
        balance = self.balance
        bought_nano, unused_nano = self.total(kinds.BUY)
        sold_nano, unused_earned_nano = self.total(kinds.SELL)
        paid_nano = bought_nano + unused_nano + balance.grid_import_nano
        net_nano = paid_nano - sold_nano - unused_earned_nano - balance.grid_export_nano
        return {
            "subject": self.subject, "from_s": self.from_s, "to_s": self.to_s,
            "bought_wh": balance.bought_wh, "bought_nano": bought_nano,
            "sold_wh": balance.sold_wh, "sold_nano": sold_nano,
            "grid_import_wh": balance.grid_import_wh, "grid_import_nano": balance.grid_import_nano,
            "grid_export_wh": balance.grid_export_wh, "grid_export_nano": balance.grid_export_nano,
            "unused_nano": unused_nano, "unused_earned_nano": unused_earned_nano,
            "net_nano": net_nano, "saved_nano": balance.alone_nano - net_nano,
            "estimated_wh": balance.estimated_wh, "unsettled_meters": len(self.unsettled),
            "settled_to_s": self.settled_to_s,
        }  # fmt: skip


def state(inputs: "SettlementInputs", settlement: "Settlement", subject: bytes, from_s: int, to_s: int) -> Statement:
    """What `subject` bought, sold and took from the grid in the slots from from_s to to_s, both slot boundaries."""
    made = Statement(subject, from_s, to_s)
    lines: dict[tuple[bytes, int], Line] = {}
    for kid in inputs.meters:
        spans = [span for span in inputs.payers(kid, from_s, to_s) if span[2] == subject]
        if not spans:
            continue
        made.meters.append(kid)
        settled_s = settlement.settled_to(kid, to_s)
        made.settled_to_s = max(from_s, min(made.settled_to_s, settled_s))
        for start_s, end_s, _ in spans:
            end_s = min(end_s, settled_s)
            if start_s < end_s:
                add_lines(settlement, kid, start_s, end_s, lines)
                add_balance(inputs, settlement, kid, start_s, end_s, made.balance)
    made.lines = [lines[key] for key in sorted(lines)]
    made.closure, made.evidence_from_s = closure(inputs.contracts, settlement, made.meters, from_s, to_s)
    made.unsettled = [kid for kid in made.closure if settlement.settled_to(kid, to_s) < to_s]
    return made


def add_lines(
    settlement: "Settlement", kid: bytes, from_s: int, to_s: int, lines: "dict[tuple[bytes, int], Line]"
) -> None:
    """Add what a meter's contracts amount to in a window to `lines`, by (contract id, side)."""
    for fill in settlement.of_meter.get(kid, ()):
        carried_wh, unused_wh = fill.carried_in(from_s, to_s), fill.unused_in(from_s, to_s)
        if carried_wh or unused_wh:
            side = kinds.BUY if fill.contract.consumer == kid else kinds.SELL
            line = lines.setdefault((fill.contract.id, side), Line(fill.contract, side))
            line.carried_wh += carried_wh
            line.unused_wh += unused_wh


def add_balance(
    inputs: "SettlementInputs", settlement: "Settlement", kid: bytes, from_s: int, to_s: int, into: Balance
) -> None:
    """Add a meter's energy in a window that is settled to `into`, each slot at the tariff of its start."""
    load = inputs.load_profiles.get(kid)
    if load is None:
        return
    into.estimated_wh += load.estimated_wh(from_s, to_s)
    cuts = [inputs.ceil(unix_s) for unix_s in inputs.tariff.changes(from_s, to_s)]
    for start_s, end_s in zip([from_s] + cuts, cuts + [to_s]):
        if start_s == end_s:
            continue
        before, after = load.at(start_s), load.at(end_s)
        imported, exported = after[0] - before[0], after[1] - before[1]
        bought = sold = 0
        for fill in settlement.of_meter.get(kid, ()):
            carried_wh = fill.carried_in(start_s, end_s)
            if fill.contract.consumer == kid:
                bought += carried_wh
            else:
                sold += carried_wh
        _add_flows(into, (imported, exported, bought, sold), inputs.tariff.at(start_s))


def _add_flows(into: Balance, flows: "tuple[int, int, int, int]", prices: "tuple[int, int]") -> None:
    imported, exported, bought, sold = flows
    into.bought_wh += bought
    into.sold_wh += sold
    into.grid_import_wh += imported - bought
    into.grid_export_wh += exported - sold
    into.grid_import_nano += (imported - bought) * prices[0]
    into.grid_export_nano += (exported - sold) * prices[1]
    into.alone_nano += imported * prices[0] - exported * prices[1]


def closure(
    agreed: "Contracts", settlement: "Settlement", meters: "list[bytes]", from_s: int, to_s: int
) -> "tuple[list[bytes], int]":
    """(meters, from_s): all that a window of some meters depends on.

    Contracts that overlap the window link meters, and what a contract carries depends on all it carried before: so the
    window's start moves back to that of each contract in it, and meters join, until nothing changes any more."""
    linked = set(meters)
    start_s = settlement.floor(from_s)
    waiting = sorted(agreed.by_id.values(), key=_end_of, reverse=True)
    grown = True
    while grown:
        grown = False
        for kid in linked:
            start_s = min(start_s, settlement.stuck.get(kid, start_s))
        left = []
        for contract in waiting:
            parties = (contract.consumer, contract.supplier)
            if contract.start_s >= to_s or contract.end_s <= start_s or not linked.intersection(parties):
                left.append(contract)
                continue
            linked.update(parties)
            start_s = min(start_s, settlement.floor(contract.start_s))
            grown = True
        waiting = left
    return sorted(linked), start_s


def _end_of(contract: "Contract") -> "tuple[int, bytes]":
    return (contract.end_s, contract.id)
