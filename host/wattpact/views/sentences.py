"""Each entry as one plain sentence, for the log of the page and the command line: the template of its kind
(`kind_texts`), filled in with its fields and with what else there is to know of them: labels, prices, contracts."""

from collections.abc import Callable, Mapping
from typing import Any

from wattpact_protocol.log import event_codes, ids, kind_texts, kinds, reason_texts, roles
from wattpact_protocol.log import readings as reading
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.contracts import Contract
from wattpact_protocol.settlement.inputs import SettlementInputs

from wattpact.bundle import cosigned, money
from wattpact.projections import ledger_events


class Sentences:
    """Knows the labels, contracts and offers that sentences name. `inputs` may know less than the entries it is
    given; `offers(id)` gives the ledger's record of an offer."""

    def __init__(self, inputs: SettlementInputs, offers: Callable[[bytes], dict[str, Any] | None]) -> None:
        self._inputs = inputs
        self._offers = offers
        self.currency = (inputs.community or {}).get("currency", "")

    def sentence(self, new: Entry) -> str:
        return kind_texts.sentence(new.kind).format_map(_Parts(self, new))

    def label(self, kid: bytes) -> str:
        return self._inputs.labels.get(kid, kid.hex())

    def price(self, micro_per_kwh: int) -> str:
        return money.price(micro_per_kwh, self.currency)

    def contract(self, contract_id: bytes) -> Contract | None:
        return self._inputs.contracts.by_id.get(contract_id)

    def offer(self, offer_id: bytes) -> dict[str, Any] | None:
        """The ledger's record of an offer."""
        return self._offers(offer_id)

    def parties(self, contract_id: bytes, author: bytes) -> str:
        """The contract, named by the other party as the author sees it."""
        contract = self.contract(contract_id)
        if contract is None:
            return f"contract {contract_id.hex()[:8]}"
        if author == contract.consumer:
            return f"the contract with {self.label(contract.supplier)}"
        if author == contract.supplier:
            return f"the contract with {self.label(contract.consumer)}"
        return f"the contract of {self.label(contract.consumer)} with {self.label(contract.supplier)}"


class _Parts(dict[str, str]):
    """The parts of one entry's sentence, each made when the template names it: one of _PARTS, or the field."""

    def __init__(self, known: Sentences, new: Entry) -> None:
        super().__init__()
        self._known = known
        self._new = new

    def __missing__(self, name: str) -> str:
        made = _PARTS.get(name)
        return made(self._known, self._new) if made else _field(self._known, name, self._new.body[name])


def _field(known: Sentences, name: str, value: Any) -> str:
    if name.endswith("_micro_per_kwh"):
        return known.price(value)
    if isinstance(value, bytes):
        return known.label(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _enrolled(known: Sentences, new: Entry) -> str:
    return "Renewed the certificate of" if new.body["version"] > 1 else "Enrolled"


def _certified(known: Sentences, new: Entry) -> str:
    return "itself" if ids.kid_of(new.body["public_key"]) == new.kid else str(new.body["label"])


def _role(known: Sentences, new: Entry) -> str:
    role = roles.NAMES[new.body["role"]]
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


def _owned(known: Sentences, new: Entry) -> str:
    return f", owned by {known.label(new.body['owner'])}" if "owner" in new.body else ""


def _measured(known: Sentences, new: Entry) -> str:
    if new.is_sealed:
        return kind_texts.private(kinds.READING) or ""
    body = new.body
    count = reading.intervals(body)
    import_wh, export_wh = (reading.end_value(body, n) for n in (reading.IMPORT_WH, reading.EXPORT_WH))
    totals = f"registers at {import_wh:,} Wh import and {export_wh:,} Wh export"
    if not count:
        return f"Measured {totals}"
    in_wh = import_wh - body["registers"][reading.IMPORT_WH][0]
    out_wh = export_wh - body["registers"][reading.EXPORT_WH][0]
    bad = body["bad_mask"].bit_count()
    doubt = f"; {bad} of {count} intervals estimated" if bad else ""
    doubt = "; estimated" if body["quality"] & reading.ESTIMATED else doubt
    span = f"{count * body['step_s']:,} s"
    return f"Measured {in_wh:,} Wh imported and {out_wh:,} Wh exported in {span}; {totals}{doubt}"


def _happened(known: Sentences, new: Entry) -> str:
    body = new.body
    made = _EVENTS.get(body["code"])
    if made is not None:
        return made(known, body)
    if body["code"] in ledger_events.CODES:
        return kind_texts.of_ledger(body["code"], body.get("detail", 0), body.get("text", ""))
    name = kind_texts.event(body["code"])
    text = body.get("text", "")
    if text in reason_texts.TEXTS:
        name += f": {_clause(reason_texts.TEXTS[text])}"
    elif text and text not in reason_texts.RELAY_OPEN:  # of an over-current or a weld the name has it
        name += f" ({text})"
    return name[0].upper() + name[1:]


def _closed(known: Sentences, body: Mapping[str, Any]) -> str:
    contract = known.contract(body["contract"]) if "contract" in body else None
    if contract is not None:
        return f"Closed the relay: contract with {known.label(contract.supplier)}, {contract.wh:,} Wh"
    return f"Closed the relay: {_clause(reason_texts.relay_text(body.get('text', ''), True))}"


def _opened(known: Sentences, body: Mapping[str, Any]) -> str:
    return f"Opened the relay: {_clause(reason_texts.relay_text(body.get('text', ''), False))}"


def _boot(known: Sentences, body: Mapping[str, Any]) -> str:
    return f"Started, start number {body['detail']:,}" if body.get("detail", 0) > 0 else "Started"


def _clock_set(known: Sentences, body: Mapping[str, Any]) -> str:
    moved_s = body.get("detail", 0)
    if not moved_s:
        return "Set its clock"
    return f"Set its clock {abs(moved_s):,} s {'forward' if moved_s > 0 else 'back'}"


def _warned(known: Sentences, body: Mapping[str, Any]) -> str:
    return f"Warned that supply ends in {body.get('detail', 0):,} s"


_EVENTS: dict[int, Callable[[Sentences, Mapping[str, Any]], str]] = {
    event_codes.RELAY_CLOSED: _closed,
    event_codes.RELAY_OPENED: _opened,
    event_codes.BOOT: _boot,
    event_codes.CLOCK_SET: _clock_set,
    event_codes.WARNING: _warned,
}


def _meters(known: Sentences, new: Entry) -> str:
    return known.label(new.body["meter"]) if "meter" in new.body else "all meters"


def _cosigned_by(known: Sentences, new: Entry) -> str:
    try:
        required = cosigned.promised(new.body)
    except cosigned.WitnessKeyError:
        return ", malformed witnesses"  # the ledger rejects it
    return f"; {required.sentence}" if required.witnesses else ""


def _trade(known: Sentences, new: Entry) -> str:
    return "sell" if new.body["side"] == kinds.SELL else "buy"


def _bound(known: Sentences, new: Entry) -> str:
    return "less" if new.body["side"] == kinds.SELL else "more"


def _offered(known: Sentences, new: Entry) -> str:
    offer = known.offer(new.body["offer"])
    if offer is None:
        return f"of offer {new.body['offer'].hex()[:8]}"
    return f"from {known.label(offer['meter'])} at {known.price(offer['price_micro_per_kwh'])}"


def _agreed(known: Sentences, new: Entry) -> str:
    contract = known.contract(new.id)
    if contract is None:
        return "a contract"
    price = known.price(contract.price_micro_per_kwh)
    return f"the contract: {contract.wh:,} Wh to {known.label(contract.consumer)} at {price}"


def _supply(known: Sentences, new: Entry) -> str:
    if new.body["default_supply"]:
        return "default supply"
    contract = known.contract(new.body["contract"])
    source = f" from {known.label(contract.supplier)}" if contract else ""
    return f"{new.body['wh']:,} Wh{source}"


def _contract(known: Sentences, new: Entry) -> str:
    return known.parties(new.body["contract"], new.kid)


def _register(known: Sentences, new: Entry) -> str:
    value = "sealed" if new.is_sealed else f"at {new.body['import_wh']:,} Wh"
    return f"the import register is {value}"


def _used(known: Sentences, new: Entry) -> str:
    contract = known.contract(new.body["contract"])
    if "attributed_wh" not in new.body:
        return "a sealed amount" + (f", at most {contract.wh:,} Wh," if contract else "")
    return f"{new.body['attributed_wh']:,} Wh" + (f" of {contract.wh:,} Wh" if contract else "")


def _end(known: Sentences, new: Entry) -> str:
    return kind_texts.ENDS[new.body["reason"]]


def _because(known: Sentences, new: Entry) -> str:
    return f": {new.body['reason']}" if new.body["reason"] else ""


def _stated(known: Sentences, new: Entry) -> str:
    return "Corrected bill" if "corrects" in new.body else "Bill"


def _net(known: Sentences, new: Entry) -> str:
    return money.due(new.body["net_nano"], known.currency, money.exact)


def _readers(known: Sentences, new: Entry) -> str:
    readers = [known.label(kid) for kid, _ in new.body["wraps"]]
    return " and ".join([", ".join(readers[:-1]), readers[-1]] if readers[1:] else readers)


def _clause(sentence: str) -> str:
    """A sentence as the end of another one."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


_PARTS: dict[str, Callable[[Sentences, Entry], str]] = {
    "enrolled": _enrolled, "certified": _certified, "role": _role, "owned": _owned, "measured": _measured,
    "happened": _happened, "meters": _meters, "trade": _trade, "bound": _bound, "offered": _offered,
    "agreed": _agreed, "supply": _supply, "contract": _contract, "register": _register, "used": _used, "end": _end,
    "because": _because, "net": _net, "stated": _stated, "cosigned_by": _cosigned_by, "readers": _readers,
}  # fmt: skip
