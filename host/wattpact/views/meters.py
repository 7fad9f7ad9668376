"""Meters as a person is shown them: power now, the relay and its reason, and the last contact."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wattpact_protocol.log import entry, reason_texts, register_table, roles

from wattpact.bundle import money
from wattpact.projections.ledger_events import seen_of
from wattpact.store.interface import Reader
from wattpact.store.records import Registers, RelayState
from wattpact.views import contracts

if TYPE_CHECKING:
    from wattpact.views.held import Held

ONLINE_S = 15  # a meter that is connected sends something every 2 s

_ENDED_SUPPLY = ("no_contract", "resting")
# The sentence of "resting" behind another one, whose subject is not the relay.
_RESTS = "The relay stays open for a while before it may close again."
NO_RELAY = "No relay has been operated here."


def power_w(reader: Reader, registers: Registers, now_s: int) -> int | None:
    """Power now: what the meter reports, else the last interval's mean; None once that is too long ago."""
    last = reader.points_around(registers.meter, registers.end_s)[0]
    before = reader.points_around(registers.meter, last.unix_s - 1)[0]
    step_s = last.unix_s - before.unix_s
    if now_s - registers.end_s > max(ONLINE_S, 3 * step_s):
        return None
    if register_table.POWER_W in registers.instantaneous:
        return registers.instantaneous[register_table.POWER_W]
    if not step_s:
        return None
    risen_wh = last.import_wh - before.import_wh - (last.export_wh - before.export_wh)
    return risen_wh * 3600 // step_s


def rows(held: "Held", seen_s: Mapping[bytes, int]) -> list[dict[str, Any]]:
    """All meters by label; `seen_s` is the last contact with each."""
    found = [row(held, kid, seen_s.get(kid, 0)) for kid in held.inputs.meters]
    return sorted(found, key=lambda row: (row["label"], row["kid"]))


def row(held: "Held", kid: bytes, seen_s: int) -> dict[str, Any]:
    """A meter with its `audience`, and whether it has readings that this host has no key to."""
    inputs, newest, now_s = held.inputs, held.reader.newest_of(kid), held.now_s
    registers = held.registers.get(kid)
    certificate = inputs.certificates[kid]
    owner: bytes | None = certificate.get("owner")
    last_seen_s = max(seen_s, newest.received_s if newest else 0) or None
    energy = registers.energy if registers else {}
    generation = newest.generation if newest else certificate["generation"]
    next_sequence = newest.sequence + 1 if newest else 0
    return {
        "kid": kid.hex(), "label": certificate["label"], "supply_point": certificate.get("supply_point"),
        "owner": owner.hex() if owner else None, "owner_label": inputs.labels.get(owner) if owner else None,
        "assurance": roles.ASSURANCES[certificate["assurance"]], "rated_w": certificate.get("rated_w"),
        "online": last_seen_s is not None and now_s - last_seen_s <= ONLINE_S, "last_seen_s": last_seen_s,
        "clock_status": entry.decode(newest.raw, held.reader.community).stamp.clock_status if newest else None,
        "import_wh": energy.get(register_table.IMPORT_WH), "export_wh": energy.get(register_table.EXPORT_WH),
        "power_w": held.powers.get(kid), "relay": relay(held, kid),
        "log": {"generation": generation, "next_sequence": next_sequence},
        "ledger": ledger(held.reader, kid, generation, next_sequence),
        "register_time_s": registers.end_s if registers else None,
        "audience": {inputs.payer_at(kid, now_s)}, "sealed": kid in held.unread,
    }  # fmt: skip


def ledger(reader: Reader, kid: bytes, generation: int, next_sequence: int) -> dict[str, Any]:
    """How far the ledger has noted the log that ends there, and what the meter last reported of the ledger."""
    seen = seen_of(reader, kid, generation, next_sequence)
    noted, head = seen.noted, seen.head
    return {
        "noted": None if noted is None else {
            "generation": noted.generation, "next_sequence": noted.next_sequence, "time_s": noted.time_s,
        },
        "waiting": seen.waiting,
        "head": None if head is None else {"blocks": head.detail, "root": head.text, "reported_s": head.unix_s},
        "problem": seen.problem, "problem_s": seen.problem_s,
    }  # fmt: skip


def relay(held: "Held", kid: bytes) -> dict[str, Any]:
    """The relay as the meter last reported it, why it is so, and until when the wait it is in lasts."""
    state = held.relays.get(kid)
    if state is None:
        return {"closed": None, "reason": None, "text": NO_RELAY, "since_s": None, "wait_until_s": None}
    waiting = state.wait_until_s is not None and state.wait_until_s > held.now_s
    return {
        "closed": state.is_closed, "reason": state.reason or None, "text": _relay_text(held, kid, state, waiting),
        "since_s": state.since_s, "wait_until_s": state.wait_until_s if waiting else None,
    }  # fmt: skip


def _relay_text(held: "Held", kid: bytes, state: RelayState, waiting: bool) -> str:
    if state.is_closed:
        found = contracts.supplying(held.live, kid, held.now_s) if state.reason == "grant" else None
        if found is None:
            return reason_texts.relay_text(state.reason, True)
        currency = (held.inputs.community or {}).get("currency", "")
        price = money.price(found.contract.price_micro_per_kwh, currency)
        return f"{held.label(found.contract.supplier)} supplies it: {contracts.left_wh(found)} Wh left at {price}."
    text = reason_texts.relay_text(state.reason, False)
    ready = contracts.ready(held.live, kid, held.now_s) if state.reason in _ENDED_SUPPLY else None
    if ready is not None:
        text = f"A contract with {held.label(ready.contract.supplier)} is ready."
    return f"{text} {_RESTS}" if waiting and state.reason != "resting" else text
