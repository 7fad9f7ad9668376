"""Meters as a person is shown them: power now, the relay and why it stands so, and how well each is heard."""

from typing import Any

from wattpact_protocol.log import reason_texts, register_table, roles

from wattpact.bundle import money
from wattpact.store.records import Registers
from wattpact.store.sqlite.reader import Reader
from wattpact.views import contracts
from wattpact.views.fold import Fold, RelayWord

HEARD_WITHIN_S = 15  # a meter on the link says something every 2 s

_ENDED_SUPPLY = ("no_contract", "resting")
NO_RELAY = "No relay has been operated here."


def power_w(reader: Reader, registers: Registers, now_s: int) -> int | None:
    """Power now: what the meter says, else the last interval's mean; None once that is too long ago."""
    last = reader.rows(
        "SELECT unix_s, import_wh, export_wh FROM points WHERE meter = ? AND generation = ? AND unix_s <= ?"
        " ORDER BY unix_s DESC LIMIT 2", registers.meter, registers.generation, registers.end_s,
    )  # fmt: skip
    step_s = last[0][0] - last[1][0] if len(last) == 2 else 0
    if now_s - registers.end_s > max(HEARD_WITHIN_S, 3 * step_s):
        return None
    if register_table.POWER_W in registers.instantaneous:
        return registers.instantaneous[register_table.POWER_W]
    if not step_s:
        return None
    risen_wh = last[0][1] - last[1][1] - (last[0][2] - last[1][2])
    return int(risen_wh * 3600 // step_s)


def rows(fold: Fold, powers: dict[bytes, int | None], registers: dict[bytes, Registers],
         seen_s: dict[bytes, int], now_s: int) -> list[dict[str, Any]]:  # fmt: skip
    """All meters by label; `seen_s` is when the link last heard each."""
    found = [
        _row(fold, kid, powers.get(kid), registers.get(kid), seen_s.get(kid, 0), now_s)
        for kid in fold.ledger.inputs.meters
    ]
    return sorted(found, key=lambda row: (row["label"], row["kid"]))


def _row(fold: Fold, kid: bytes, watts: int | None, registers: Registers | None, seen_s: int,
         now_s: int) -> dict[str, Any]:  # fmt: skip
    inputs, said = fold.ledger.inputs, fold.said.get(kid)
    certificate = inputs.certificate_at(kid, now_s)
    owner: bytes | None = certificate.get("owner")
    last_seen_s = max(seen_s, said.received_s if said else 0) or None
    energy = registers.energy if registers else {}
    return {
        "kid": kid.hex(), "label": certificate["label"], "supply_point": certificate.get("supply_point"),
        "owner": owner.hex() if owner else None, "owner_label": inputs.labels.get(owner) if owner else None,
        "assurance": roles.ASSURANCES[certificate["assurance"]], "rated_w": certificate.get("rated_w"),
        "online": last_seen_s is not None and now_s - last_seen_s <= HEARD_WITHIN_S, "last_seen_s": last_seen_s,
        "clock_status": said.clock_status if said else None,
        "import_wh": energy.get(register_table.IMPORT_WH), "export_wh": energy.get(register_table.EXPORT_WH),
        "power_w": watts, "relay": relay(fold, kid, now_s),
        "log": {
            "generation": said.generation if said else certificate["generation"],
            "next_sequence": said.next_sequence if said else 0,
        },
        "register_time_s": registers.end_s if registers else None,
    }  # fmt: skip


def relay(fold: Fold, kid: bytes, now_s: int) -> dict[str, Any]:
    """The relay as the meter last said, why, and until when the wait it is in lasts."""
    word = fold.relays.get(kid)
    if word is None:
        return {"closed": None, "reason": None, "text": NO_RELAY, "since_s": None, "wait_until_s": None}
    waiting = word.wait_until_s is not None and word.wait_until_s > now_s
    return {
        "closed": word.closed, "reason": word.reason or None, "text": _words(fold, kid, word, waiting, now_s),
        "since_s": word.since_s, "wait_until_s": word.wait_until_s if waiting else None,
    }  # fmt: skip


def _words(fold: Fold, kid: bytes, word: RelayWord, waiting: bool, now_s: int) -> str:
    if word.closed:
        contract = contracts.supplying(fold, kid, now_s) if word.reason == "grant" else None
        if contract is None:
            return reason_texts.relay_text(word.reason, True)
        supplier = fold.ledger.inputs.labels.get(contract.supplier, contract.supplier.hex())
        community = fold.ledger.inputs.community or {}
        price = money.price(contract.price_micro_per_kwh, community.get("currency", ""))
        return f"{supplier} supplies it: {contracts.left_wh(fold, contract)} Wh left at {price}."
    said = reason_texts.relay_text(word.reason, False)
    ready = contracts.ready(fold, kid, now_s) if word.reason in _ENDED_SUPPLY else None
    if ready is not None:
        supplier = fold.ledger.inputs.labels.get(ready.supplier, ready.supplier.hex())
        said = f"A contract with {supplier} is ready."
    return f"{said} {reason_texts.relay_text('resting', False)}" if waiting and word.reason != "resting" else said
