"""Allocation: which contract carries which Wh of one slot.

    claims in order of (priority, id), consumption and export by meter -> Wh carried and Wh short by contract
    claims left, export left by meter -> Wh spare by contract

What always holds: no contract carries more than its claim, no consumer's contracts more than it consumed, no
supplier's more than it exported; nothing is left where a claim, a need and a supply still meet.
Specification: docs/spec/settlement.md, "One slot".
"""

from wattpact_protocol.settlement import contracts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wattpact_protocol.settlement.contracts import Contract

    Claim = tuple[Contract, int]  # a contract and the most Wh that it may carry in the slot


def share(amount: int, claims: "list[tuple[bytes, int]]") -> "dict[bytes, int]":
    """`amount` pro rata to (id, claim) by largest remainder, ties to the smaller id; none gets more than it claims."""
    total = sum([claim for _, claim in claims])
    if total <= amount:
        return dict(claims)
    shares = {name: amount * claim // total for name, claim in claims}
    left = amount - sum(shares.values())
    for _, name in sorted([(-(amount * claim % total), name) for name, claim in claims])[:left]:
        shares[name] += 1
    return shares


def allocate(
    consumption_wh: "dict[bytes, int]", export_wh: "dict[bytes, int]", claims: "list[Claim]"
) -> "tuple[dict[bytes, int], dict[bytes, int]]":
    """One slot: (Wh carried, Wh short) by contract id; short is what the supplier's export did not cover.

    Each consumer draws on its contracts in order; where a supplier's export is not enough for all who draw on it in one
    round, it is shared, and the rest of each need goes on to the consumer's next contract in the next round."""
    need = dict(consumption_wh)
    supply = dict(export_wh)
    queues: dict[bytes, list[Claim]] = {}
    for claim in sorted(claims, key=_last_first, reverse=True):
        queues.setdefault(claim[0].consumer, []).append(claim)
    carried: dict[bytes, int] = {}
    short: dict[bytes, int] = {}
    while True:
        requested = _request(queues, need)
        if not requested:
            return carried, short
        for supplier, requests in requested.items():
            shares = share(supply.get(supplier, 0), [(contract.id, wh) for contract, wh in requests])
            for contract, wh in requests:
                got = shares[contract.id]
                carried[contract.id] = got
                short[contract.id] = wh - got
                need[contract.consumer] -= got
                supply[supplier] = supply.get(supplier, 0) - got


def spare(left_wh: "dict[bytes, int]", claims: "list[Claim]") -> "dict[bytes, int]":
    """What suppliers could have delivered besides, by contract id: the export that no contract carried, shared among
    what their contracts may still claim, so that no Wh is counted for two of them."""
    claimed: dict[bytes, list[tuple[bytes, int]]] = {}
    for contract, wh in claims:
        if wh > 0 and left_wh.get(contract.supplier, 0) > 0:
            claimed.setdefault(contract.supplier, []).append((contract.id, wh))
    found: dict[bytes, int] = {}
    for supplier, rows in claimed.items():
        found.update(share(left_wh[supplier], rows))
    return found


def _last_first(claim: "Claim") -> "tuple[int, bytes]":
    return contracts.order_of(claim[0])


def _request(queues: "dict[bytes, list[Claim]]", need: "dict[bytes, int]") -> "dict[bytes, list[Claim]]":
    """The next contract of each consumer that still needs energy, and how much it requests, by supplier."""
    requested: dict[bytes, list[Claim]] = {}
    for consumer, queue in queues.items():
        while queue and need.get(consumer, 0) > 0:
            contract, most_wh = queue.pop()
            wh = min(need[consumer], most_wh)
            if wh > 0:
                requested.setdefault(contract.supplier, []).append((contract, wh))
                break
    return requested
