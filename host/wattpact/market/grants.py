"""From contracts to grants: the bodies of the grants to sign now.

What always holds: what may be granted at all, and once, the ledger decides; a grant repeats the contract's terms, and
its number is the next of the consumer's meter. docs/spec/contracts.md.
"""

from collections.abc import Iterable
from typing import Any

from wattpact_protocol.ledger import records
from wattpact_protocol.ledger.records import State

from wattpact.store.interface import Reader
from wattpact.store.records import Agreed


def due(
    reader: Reader, state: State, now_s: int, waiting: Iterable[dict[str, Any]] = ()
) -> list[dict[str, Any]]:  # fmt: skip
    """A grant for each contract that has none and can still start, in the order of the contracts' ids; `waiting` are
    grants that are signed and not in the state yet."""
    numbers: dict[bytes, int] = {}
    granted = set()
    for body in waiting:
        numbers[body["meter"]] = max(numbers.get(body["meter"], 0), body["number"])
        granted.add(body["contract"])
    found = []
    for contract in reader.ungranted(now_s):
        if contract.terminated_s is not None or now_s > contract.start_by_s or contract.id in granted:
            continue
        meter = contract.consumer
        numbers[meter] = max(numbers.get(meter, 0), _last_number(state, meter)) + 1
        found.append(_body(contract, numbers[meter]))
    return found


def _last_number(state: State, meter: bytes) -> int:
    """Of the last grant of a meter; 0 where it has none."""
    held = state.get(records.GRANTED, meter)
    return int(held["number"]) if held else 0


def _body(contract: Agreed, number: int) -> dict[str, Any]:
    return {
        "number": number, "meter": contract.consumer, "contract": contract.id, "wh": contract.wh,
        "max_w": contract.max_w, "from_s": contract.start_s, "to_s": contract.end_s,
        "price_micro_per_kwh": contract.price_micro_per_kwh, "priority": contract.priority,
        "start_by_s": contract.start_by_s, "default_supply": False,
    }  # fmt: skip
