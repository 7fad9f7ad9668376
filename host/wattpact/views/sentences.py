"""Each entry as one plain sentence, for the log of the page and the command line."""

from collections.abc import Callable, Mapping
from typing import Any

from wattpact_protocol.log import event_codes, ids, kinds, readings, roles
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.contracts import Contract
from wattpact_protocol.settlement.inputs import SettlementInputs

from wattpact.bundle import money
from wattpact.views.meters import CLOSED_WORDS, OPEN_WORDS

Body = Mapping[str, Any]


class Sentences:
    """Knows the labels and contracts that sentences name. `inputs` may know less than the entries it is asked about."""

    def __init__(self, inputs: SettlementInputs) -> None:
        self._inputs = inputs
        self.currency = (inputs.community or {}).get("currency", "")

    def sentence(self, said: Entry) -> str:
        return _SENTENCES[said.kind](self, said)

    def label(self, kid: bytes) -> str:
        return self._inputs.labels.get(kid, kid.hex())

    def price(self, micro_per_kwh: int) -> str:
        return money.price(micro_per_kwh, self.currency)

    def contract(self, contract_id: bytes) -> Contract | None:
        return self._inputs.agreements.confirmed.get(contract_id)

    def offer(self, offer_id: bytes) -> Entry | None:
        return self._inputs.agreements.offers.get(offer_id)

    def parties(self, contract_id: bytes, speaker: bytes) -> str:
        """The contract, named by the other party as the speaker sees it."""
        contract = self.contract(contract_id)
        if contract is None:
            return f"contract {contract_id.hex()[:8]}"
        if speaker == contract.consumer:
            return f"the contract with {self.label(contract.supplier)}"
        if speaker == contract.supplier:
            return f"the contract with {self.label(contract.consumer)}"
        return f"the contract of {self.label(contract.consumer)} with {self.label(contract.supplier)}"


def _certificate(teller: Sentences, said: Entry) -> str:
    body = said.body
    role, own = roles.NAMES[body["role"]], ids.kid_of(body["public_key"]) == said.kid
    renewed = "Renewed" if body["version"] > 1 else "Enrolled"
    owner = f", owned by {teller.label(body['owner'])}" if "owner" in body else ""
    article = "an" if role[0] in "aeiou" else "a"
    return f"{renewed} {'itself' if own else body['label']} as {article} {role}{owner}"


def _reading(teller: Sentences, said: Entry) -> str:
    if said.is_sealed:
        return "A sealed reading"
    body = said.body
    count = readings.intervals(body)
    imported = readings.end_value(body, readings.IMPORT_WH)
    exported = readings.end_value(body, readings.EXPORT_WH)
    registers = f"registers at {imported} Wh import, {exported} Wh export"
    if not count:
        return f"Measured: {registers}"
    in_wh = imported - body["registers"][readings.IMPORT_WH][0]
    out_wh = exported - body["registers"][readings.EXPORT_WH][0]
    bad = body["bad_mask"].bit_count()
    doubt = f"; {bad} of {count} intervals estimated" if bad else ""
    doubt = "; estimated" if body["quality"] & readings.ESTIMATED else doubt
    return f"Measured {in_wh} Wh in and {out_wh} Wh out in {count * body['step_s']} s; {registers}{doubt}"


def _event(teller: Sentences, said: Entry) -> str:
    body = said.body
    tell = _EVENTS.get(body["code"])
    if tell is not None:
        return tell(teller, said, body)
    name = event_codes.NAMES.get(body["code"], f"event {body['code']}")
    text = body.get("text", "")
    return f"Noticed: {name}" + (f" ({text.replace('_', ' ')})" if text else "")


def _closed(teller: Sentences, said: Entry, body: Body) -> str:
    contract = teller.contract(body["contract"]) if "contract" in body else None
    if contract is not None:
        supplier = teller.label(contract.supplier)
        return f"Closed the relay: contract with {supplier}, {contract.wh} Wh"
    return f"Closed the relay: {_lower(CLOSED_WORDS.get(body.get('text', ''), 'no reason given'))}"


def _opened(teller: Sentences, said: Entry, body: Body) -> str:
    return f"Opened the relay: {_lower(OPEN_WORDS.get(body.get('text', ''), 'no reason given'))}"


def _boot(teller: Sentences, said: Entry, body: Body) -> str:
    return f"Started, start number {body['detail']}" if body.get("detail", 0) > 0 else "Started"


def _clock_set(teller: Sentences, said: Entry, body: Body) -> str:
    moved_s = body.get("detail", 0)
    if not moved_s:
        return "Set its clock"
    return f"Set its clock {abs(moved_s)} s {'forward' if moved_s > 0 else 'back'}"


def _warned(teller: Sentences, said: Entry, body: Body) -> str:
    return f"Warned that supply ends in {body.get('detail', 0)} s"


_EVENTS: dict[int, Callable[[Sentences, Entry, Body], str]] = {
    event_codes.RELAY_CLOSED: _closed,
    event_codes.RELAY_OPENED: _opened,
    event_codes.BOOT: _boot,
    event_codes.CLOCK_SET: _clock_set,
    event_codes.WARNING: _warned,
}


def _community(teller: Sentences, said: Entry) -> str:
    body = said.body
    return f"Named the community {body['name']}: {body['currency']}, slots of {body['slot_s']} s, {body['timezone']}"


def _tariff(teller: Sentences, said: Entry) -> str:
    body = said.body
    buy, sell = teller.price(body["import_micro_per_kwh"]), teller.price(body["export_micro_per_kwh"])
    return f"Set the grid's prices: {buy} to buy, {sell} to sell"


def _policy(teller: Sentences, said: Entry) -> str:
    whom = teller.label(said.body["meter"]) if "meter" in said.body else "all meters"
    return f"Set the supply policy for {whom}, version {said.body['version']}"


def _mandate(teller: Sentences, said: Entry) -> str:
    body = said.body
    does, bound = ("sell", "at least") if body["side"] == kinds.SELL else ("buy", "at most")
    limit = teller.price(body["limit_micro_per_kwh"])
    return f"Told {teller.label(body['meter'])} to {does} up to {body['wh']} Wh for {bound} {limit}"


def _offer(teller: Sentences, said: Entry) -> str:
    body = said.body
    return f"Offered {body['wh']} Wh at {teller.price(body['price_micro_per_kwh'])}, at most {body['max_w']} W"


def _demand(teller: Sentences, said: Entry) -> str:
    body = said.body
    return f"Asked for {body['wh']} Wh at no more than {teller.price(body['price_micro_per_kwh'])}"


def _acceptance(teller: Sentences, said: Entry) -> str:
    body = said.body
    offer = teller.offer(body["offer"])
    price = f" at {teller.price(offer.body['price_micro_per_kwh'])}" if offer else ""
    source = f"from {teller.label(offer.kid)}" if offer else "on offer"
    return f"Accepted {body['wh']} Wh {source}{price}, as priority {body['priority']}"


def _contract(teller: Sentences, said: Entry) -> str:
    contract = teller.contract(said.id)
    if contract is None:
        return "Confirmed a contract"
    price = teller.price(contract.price_micro_per_kwh)
    return f"Confirmed the contract: {contract.wh} Wh to {teller.label(contract.consumer)} at {price}"


def _grant(teller: Sentences, said: Entry) -> str:
    body = said.body
    if body["default_supply"]:
        return f"Granted {teller.label(body['meter'])} default supply, grant {body['number']}"
    contract = teller.contract(body["contract"])
    source = f" from {teller.label(contract.supplier)}" if contract else ""
    return f"Granted {teller.label(body['meter'])} {body['wh']} Wh{source}, grant {body['number']}"


def _usage_start(teller: Sentences, said: Entry) -> str:
    body = said.body
    register = "a sealed register" if said.is_sealed else f"import register at {body['import_wh']} Wh"
    return f"Began to use {teller.parties(body['contract'], said.kid)}, {register}"


def _usage(teller: Sentences, said: Entry) -> str:
    return f"Used {_of(teller, said.body)} under {teller.parties(said.body['contract'], said.kid)}"


def _usage_end(teller: Sentences, said: Entry) -> str:
    done = {
        kinds.END_USED_UP: "Used up", kinds.END_EXPIRED: "Reached the end of",
        kinds.END_TERMINATED: "Left", kinds.END_VOID: "Never started",
    }[said.body["reason"]]  # fmt: skip
    return f"{done} {teller.parties(said.body['contract'], said.kid)}: {_of(teller, said.body)}"


def _of(teller: Sentences, body: Body) -> str:
    contract = teller.contract(body["contract"])
    used = f"{body['attributed_wh']} Wh" if "attributed_wh" in body else "a sealed amount"
    return used + (f" of {contract.wh} Wh" if contract else "")


def _terminate(teller: Sentences, said: Entry) -> str:
    reason = f": {said.body['reason']}" if said.body["reason"] else ""
    return f"Ended {teller.parties(said.body['contract'], said.kid)}{reason}"


def _receipt(teller: Sentences, said: Entry) -> str:
    body = said.body
    return f"Holds the log of {teller.label(body['author'])} up to entry {body['sequence']} on disk"


def _statement(teller: Sentences, said: Entry) -> str:
    net = money.exact(abs(said.body["net_nano"]), teller.currency)
    comes_to = f"{net} to {'pay' if said.body['net_nano'] >= 0 else 'receive'}"
    return f"Stated the bill of {teller.label(said.body['subject'])}: {comes_to}"


def _key_epoch(teller: Sentences, said: Entry) -> str:
    readers = [teller.label(kid) for kid, _ in said.body["wraps"]]
    named = " and ".join([", ".join(readers[:-1]), readers[-1]] if readers[1:] else readers)
    return f"Seals from now on for {named}, epoch {said.body['number']}"


def _key_open(teller: Sentences, said: Entry) -> str:
    return f"Opened key {said.body['key_no']}, of epoch {said.body['epoch']}, for what it seals from now on"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


_SENTENCES: dict[int, Callable[[Sentences, Entry], str]] = {
    kinds.CERTIFICATE: _certificate, kinds.READING: _reading, kinds.EVENT: _event, kinds.COMMUNITY: _community,
    kinds.TARIFF: _tariff, kinds.POLICY: _policy, kinds.MANDATE: _mandate, kinds.OFFER: _offer,
    kinds.DEMAND: _demand, kinds.ACCEPTANCE: _acceptance, kinds.CONTRACT: _contract, kinds.GRANT: _grant,
    kinds.USAGE_START: _usage_start, kinds.USAGE: _usage, kinds.USAGE_END: _usage_end,
    kinds.TERMINATE: _terminate, kinds.RECEIPT: _receipt, kinds.STATEMENT: _statement,
    kinds.KEY_EPOCH: _key_epoch, kinds.KEY_OPEN: _key_open,
}  # fmt: skip
