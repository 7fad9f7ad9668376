"""Postings in double entry: every nano-unit that one account pays, another receives.

Accounts are payers (the owners of meters) and the grid, which takes and gives all that no contract carried.
What always holds: the balances of all accounts sum to zero. docs/spec/settlement.md, "Accounts".
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from wattpact_protocol.log import kinds
from wattpact_protocol.settlement import statement
from wattpact_protocol.settlement.inputs import NOBODY, SettlementInputs
from wattpact_protocol.settlement.slots import Settlement
from wattpact_protocol.settlement.statement import Balance, Line

GRID = b"the grid"  # eight bytes, like every account's

CARRIED, UNUSED, GRID_IMPORT, GRID_EXPORT = "carried", "unused", "grid_import", "grid_export"


class Posting(NamedTuple):
    """`wh` at `payer`'s cost: nano from payer to receiver. `contract` is None for the grid's."""

    payer: bytes
    receiver: bytes
    what: str
    wh: int
    nano: int
    contract: bytes | None


def post(inputs: SettlementInputs, settlement: Settlement, from_s: int, to_s: int) -> list[Posting]:
    """All postings of a window between two slot boundaries, as far as it is settled."""
    cuts = {span[0] for kid in inputs.meters for span in inputs.payers(kid, from_s, to_s)} | {from_s, to_s}
    edges = sorted(cuts)
    return [
        posting
        for start_s, end_s in zip(edges, edges[1:], strict=False)
        for kid in inputs.meters
        for posting in _of_meter(inputs, settlement, kid, start_s, end_s)
    ]


def _of_meter(
    inputs: SettlementInputs, settlement: Settlement, kid: bytes, from_s: int, to_s: int
) -> Iterator[Posting]:
    """A meter's purchases and its dealings with the grid; its sales are posted as its partners' purchases."""
    to_s = min(to_s, settlement.settled_to(kid, to_s))
    if from_s >= to_s:
        return
    payer = inputs.payer_at(kid, from_s)
    if payer == NOBODY:
        return
    lines: dict[tuple[bytes, int], Line] = {}
    statement.add_lines(settlement, kid, from_s, to_s, lines)
    for (contract_id, side), line in sorted(lines.items()):
        if side == kinds.BUY:
            receiver = inputs.payer_at(line.contract.supplier, from_s)
            yield Posting(payer, receiver, CARRIED, line.carried_wh, line.carried_nano, contract_id)
            yield Posting(payer, receiver, UNUSED, line.unused_wh, line.unused_nano, contract_id)
    grid = Balance()
    statement.add_balance(inputs, settlement, kid, from_s, to_s, grid)
    yield Posting(payer, GRID, GRID_IMPORT, grid.grid_import_wh, grid.grid_import_nano, None)
    yield Posting(GRID, payer, GRID_EXPORT, grid.grid_export_wh, grid.grid_export_nano, None)


def balances(postings: Iterable[Posting]) -> dict[bytes, int]:
    """What each account has received less what it has paid, nano-units."""
    found: dict[bytes, int] = {}
    for posting in postings:
        found[posting.payer] = found.get(posting.payer, 0) - posting.nano
        found[posting.receiver] = found.get(posting.receiver, 0) + posting.nano
    return found
