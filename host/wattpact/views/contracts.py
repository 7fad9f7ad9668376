"""Contracts as a person is shown them: how far each got, what it carries now, and why it ended."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from wattpact_protocol.log import kind_texts, kinds
from wattpact_protocol.settlement.contracts import ACTIVE, ENDED, GRANTED, SETTLED, VOID, Contract, order_of

from wattpact.projections.contracts import StoredContract
from wattpact.store.records import Agreed, Totals

MAX_ROWS = 1000
_NEVER = "not started in time"


class Shown(NamedTuple):
    """A contract, what settlement made of it, and when its consumer's meter reported its end."""

    contract: Contract
    totals: Totals
    used_to_s: int | None


def shown(rows: Iterable[tuple[Agreed, Totals]]) -> Iterator[Shown]:
    return (Shown(StoredContract(row), totals, row.ended_s) for row, totals in rows)


def state_of(one: Shown, now_s: int) -> str:
    """The contract's own state, or settled once its last slot is."""
    state = one.contract.state(now_s)
    return SETTLED if state == ENDED and one.totals.closed_s is not None else state


def left_wh(one: Shown) -> int:
    """Wh not yet carried: the consumer's meter reports it first, settlement confirms it."""
    return max(0, int(one.contract.wh) - max(one.contract.attributed_wh, one.totals.carried_wh))


def flows(live: Iterable[Shown], power_w: Mapping[bytes, int | None], now_s: int) -> dict[bytes, int]:
    """W that each contract carries now: in order of priority, up to its limit and what its supplier exports."""
    drawn = {kid: watts for kid, watts in power_w.items() if watts is not None and watts > 0}
    exported = {kid: -watts for kid, watts in power_w.items() if watts is not None and watts < 0}
    found = {}
    for one in sorted(running(live, now_s), key=_order_of):
        contract = one.contract
        watts = min(drawn.get(contract.consumer, 0), exported.get(contract.supplier, 0), contract.max_w)
        if watts > 0 and left_wh(one) > 0:
            drawn[contract.consumer] -= watts
            exported[contract.supplier] -= watts
            found[contract.id] = watts
    return found


def running(live: Iterable[Shown], now_s: int) -> list[Shown]:
    return [one for one in live if one.contract.state(now_s) == ACTIVE]


def supplying(live: Iterable[Shown], meter: bytes, now_s: int) -> Shown | None:
    """The contract that a consumer's meter fills first now."""
    mine = [one for one in running(live, now_s) if one.contract.consumer == meter and left_wh(one) > 0]
    return min(mine, key=_order_of, default=None)


def ready(live: Iterable[Shown], meter: bytes, now_s: int) -> Shown | None:
    """The contract that a consumer's meter will fill first as soon as its relay is closed."""
    mine = [
        one for one in live
        if one.contract.consumer == meter and one.contract.grant_number is not None and one.contract.start_s <= now_s
        and one.contract.state(now_s) in (GRANTED, ACTIVE) and left_wh(one) > 0
    ]  # fmt: skip
    return min(mine, key=_order_of, default=None)


def _order_of(one: Shown) -> tuple[int, bytes]:
    return order_of(one.contract)


def ended_s(one: Shown, now_s: int) -> int | None:
    """When it ended, None while it has not."""
    contract, state = one.contract, one.contract.state(now_s)
    if state == VOID:
        return int(min(contract.start_by_s, contract.active_to_s))
    if state != ENDED:
        return None
    return one.used_to_s or min(contract.active_to_s, now_s)


def end_reason_text(contract: Contract, state: str) -> str | None:
    if state == VOID:
        return _NEVER
    if state not in (ENDED, SETTLED):
        return None
    if contract.terminated_s is not None and contract.terminated_s < contract.end_s:
        return f"ended early by the {contract.terminated_by}"
    return kind_texts.ENDS.get(contract.end_reason or kinds.END_EXPIRED)


def row(one: Shown, labels: Mapping[bytes, str], flow_w: int, now_s: int) -> dict[str, Any]:
    contract, totals, state = one.contract, one.totals, state_of(one, now_s)
    return {
        "id": contract.id.hex(),
        "supplier": contract.supplier.hex(), "supplier_label": labels.get(contract.supplier, contract.supplier.hex()),
        "consumer": contract.consumer.hex(), "consumer_label": labels.get(contract.consumer, contract.consumer.hex()),
        "state": state, "wh": contract.wh, "carried_wh": totals.carried_wh, "short_wh": totals.short_wh,
        "unused_wh": totals.unused_wh, "attributed_wh": contract.attributed_wh,
        "price_micro_per_kwh": contract.price_micro_per_kwh, "max_w": contract.max_w, "priority": contract.priority,
        "start_s": contract.start_s, "end_s": contract.end_s, "used_from_s": contract.used_from_s,
        "ended_s": ended_s(one, now_s), "end_reason": end_reason_text(contract, state),
        "due_nano": (totals.carried_wh + totals.unused_wh) * contract.price_micro_per_kwh, "flow_w": flow_w,
    }  # fmt: skip
