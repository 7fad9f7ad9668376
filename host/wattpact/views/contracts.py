"""Contracts as a person is shown them: how far each got, what it carries now, and why it ended."""

from collections.abc import Iterable
from typing import Any

from wattpact_protocol.log import kinds
from wattpact_protocol.settlement.contracts import ACTIVE, ENDED, GRANTED, SETTLED, VOID, Contract, order_of
from wattpact_protocol.settlement.slots import Fill

from wattpact.views.fold import Fold

MAX_ROWS = 1000
_NEVER = "not started in time"


def state_of(fold: Fold, contract: Contract, now_s: int) -> str:
    """The contract's own state, or settled once its last slot is."""
    state = contract.state(now_s)
    fill = _fill(fold, contract)
    return SETTLED if state == ENDED and fill.closed_s is not None else state


def left_wh(fold: Fold, contract: Contract) -> int:
    """Wh not yet carried: the consumer's meter says it first, settlement confirms it."""
    return max(0, int(contract.wh) - max(contract.attributed_wh, _fill(fold, contract).carried_wh))


def flows(fold: Fold, power_w: dict[bytes, int], now_s: int) -> dict[bytes, int]:
    """W that each contract carries now: in order of priority, up to its limit and what its supplier exports."""
    drawn = {kid: watts for kid, watts in power_w.items() if watts > 0}
    exported = {kid: -watts for kid, watts in power_w.items() if watts < 0}
    found = {}
    for contract in sorted(running(fold, now_s), key=order_of):
        watts = min(drawn.get(contract.consumer, 0), exported.get(contract.supplier, 0), contract.max_w)
        if watts > 0 and left_wh(fold, contract) > 0:
            drawn[contract.consumer] -= watts
            exported[contract.supplier] -= watts
            found[contract.id] = watts
    return found


def running(fold: Fold, now_s: int) -> list[Contract]:
    return [one for one in fold.ledger.inputs.agreements.contracts.values() if one.state(now_s) == ACTIVE]


def supplying(fold: Fold, meter: bytes, now_s: int) -> Contract | None:
    """The contract that a consumer's meter fills first now."""
    mine = [one for one in running(fold, now_s) if one.consumer == meter and left_wh(fold, one) > 0]
    return min(mine, key=order_of, default=None)


def ready(fold: Fold, meter: bytes, now_s: int) -> Contract | None:
    """The contract that a consumer's meter will fill first as soon as its relay is closed."""
    mine = [
        one for one in fold.ledger.inputs.agreements.contracts.values()
        if one.consumer == meter and one.grant_number is not None and one.start_s <= now_s
        and one.state(now_s) in (GRANTED, ACTIVE) and left_wh(fold, one) > 0
    ]  # fmt: skip
    return min(mine, key=order_of, default=None)


def rows(fold: Fold, chosen: Iterable[Contract], flowing: dict[bytes, int], now_s: int) -> list[dict[str, Any]]:
    """The newest MAX_ROWS of them, newest first."""
    ordered = sorted(chosen, key=lambda one: (one.start_s, one.matched_s or 0, one.id), reverse=True)
    return [_row(fold, one, flowing, now_s) for one in ordered[:MAX_ROWS]]


def ended_s(fold: Fold, contract: Contract, now_s: int) -> int | None:
    """When it ended, None while it has not."""
    state = contract.state(now_s)
    if state == VOID:
        return int(min(contract.start_by_s, contract.active_to_s))
    if state != ENDED:
        return None
    return fold.ended_s.get(contract.id) or min(contract.active_to_s, now_s)


def end_reason_text(contract: Contract, state: str) -> str | None:
    if state == VOID:
        return _NEVER
    if state not in (ENDED, SETTLED):
        return None
    if contract.terminated_s is not None and contract.terminated_s < contract.end_s:
        return f"ended early by the {contract.terminated_by}"
    return kinds.ENDS.get(contract.end_reason or kinds.END_EXPIRED)


def _fill(fold: Fold, contract: Contract) -> Fill:
    return fold.ledger.fill(contract.id)


def _row(fold: Fold, contract: Contract, flowing: dict[bytes, int], now_s: int) -> dict[str, Any]:
    fill, state, labels = _fill(fold, contract), state_of(fold, contract, now_s), fold.ledger.inputs.labels
    return {
        "id": contract.id.hex(),
        "supplier": contract.supplier.hex(), "supplier_label": labels.get(contract.supplier, contract.supplier.hex()),
        "consumer": contract.consumer.hex(), "consumer_label": labels.get(contract.consumer, contract.consumer.hex()),
        "state": state, "wh": contract.wh, "carried_wh": fill.carried_wh, "short_wh": fill.short_wh,
        "unused_wh": fill.unused_wh, "attributed_wh": contract.attributed_wh,
        "price_micro_per_kwh": contract.price_micro_per_kwh, "max_w": contract.max_w, "priority": contract.priority,
        "start_s": contract.start_s, "end_s": contract.end_s, "used_from_s": contract.used_from_s,
        "ended_s": ended_s(fold, contract, now_s), "end_reason": end_reason_text(contract, state),
        "due_nano": (fill.carried_wh + fill.unused_wh) * contract.price_micro_per_kwh,
        "flow_w": flowing.get(contract.id, 0),
    }  # fmt: skip
