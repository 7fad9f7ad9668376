"""A community in memory, for tests: its authors, and the entries they say, in order.

Keys and signatures are stand-ins unless `ed25519` is given, so that rules can be tested where signing is slow.
"""

import hashlib

from wattpact_protocol.log import kinds, roles

from simulator.authors import REAL, Author, Key, StandIn

START_S = 1_790_812_800  # a multiple of every slot used here


class Community:
    def __init__(self, slot_s=900, silence_s=None, ed25519=None, name="village"):
        self.entries = []
        self.by_name = {}
        self._crypto = StandIn if ed25519 is None else REAL
        self._name = name
        self.id = None
        self.root = self.author("root")
        self.id = self.root.community_id
        self.certify(self.root, self.root, roles.ROOT)
        self.issuer = self.certify(self.author("issuer"), self.root, roles.ISSUER)
        self.host = self.certify(self.author("host"), self.issuer, roles.HOST)
        body = {"version": 1, "name": "Test", "currency": "EUR", "slot_s": slot_s, "timezone": "Europe/Amsterdam"}
        if silence_s is not None:
            body["silence_s"] = silence_s
        self.slot_s = slot_s
        self.publish(self.issuer, kinds.COMMUNITY, body)
        self._orders = 0
        self._grants = 0

    def author(self, name):
        key = Key(hashlib.sha256((self._name + name).encode()).digest(), self._crypto)
        made = self.by_name[name] = Author(key, self.id, name)
        return made

    def certify(self, who, by, role, version=1, begin_s=START_S - 86400, generation=0, **more):
        body = {
            "version": version, "public_key": who.public_key, "role": role, "label": who.name,
            "generation": generation, "epoch": 0, "not_before_s": begin_s, "not_after_s": START_S + 20 * 365 * 86400,
            "assurance": 0,
        }  # fmt: skip
        body.update(more)
        new = self.publish(by, kinds.CERTIFICATE, body)
        if version == 1 or generation != who.generation:
            if who is not by:
                who.begin(generation, new.id)
        if version == 1:
            who.certificate_id = new.id
        who.chained = role != roles.PERSON
        return who

    def person(self, name):
        return self.certify(self.author(name), self.issuer, roles.PERSON)

    def meter(self, name, owner=None, rated_w=0):
        more = {"rated_w": rated_w}
        if owner is not None:
            more["owner"] = owner.kid
        return self.certify(self.author(name), self.issuer, roles.METER, **more)

    def publish(self, who, kind, body, unix_s=START_S, clock_status=0):
        """The next entry of `who`, stamped unix_s."""
        new = who.publish(kind, body, unix_s, clock_status)
        self.entries.append(new)
        return new

    def tariff(self, from_s, import_price, export_price, unix_s=START_S):
        body = {"from_s": from_s, "import_micro_per_kwh": import_price, "export_micro_per_kwh": export_price}
        return self.publish(self.issuer, kinds.TARIFF, body, unix_s)

    def reading(self, meter, t0_s, imports, exports=None, step_s=None, deltas=True, **more):
        """Registers at t0 and after each step: lists of values."""
        exports = exports or [0] * len(imports)
        step_s = step_s or self.slot_s
        body = {
            "register_generation": 0, "t0_s": t0_s, "step_s": step_s, "quality": 0, "calibration": None,
            "registers": {1: _steps(imports), 2: _steps(exports)}, "bad_mask": 0,
        }  # fmt: skip
        body.update(more)
        return self.publish(meter, kinds.READING, body, t0_s + step_s * (len(imports) - 1))

    def mandate(self, person, meter, side, limit, wh, max_w, start_s, end_s, unix_s=START_S):
        body = {
            "order_id": self._order_id(), "expires_s": end_s, "meter": meter.kid, "side": side,
            "limit_micro_per_kwh": limit, "wh": wh, "max_w": max_w, "start_s": start_s, "end_s": end_s,
        }  # fmt: skip
        return self.publish(person, kinds.MANDATE, body, unix_s)

    def _order_id(self):
        self._orders += 1
        return self._orders.to_bytes(8, "big")

    def offer(self, supplier, price, wh, max_w, start_s, end_s, mandate=bytes(32), unix_s=START_S):
        body = {
            "price_micro_per_kwh": price, "wh": wh, "max_w": max_w, "start_s": start_s, "end_s": end_s,
            "valid_until_s": end_s, "mandate": mandate,
        }  # fmt: skip
        return self.publish(supplier, kinds.OFFER, body, unix_s)

    def accept(self, consumer, offer, wh, priority=1, timeout_s=600, unix_s=START_S):
        body = {"offer": offer.id, "wh": wh, "priority": priority, "start_timeout_s": timeout_s}
        return self.publish(consumer, kinds.ACCEPTANCE, body, unix_s)

    def confirm(self, supplier, acceptance, unix_s=START_S):
        return self.publish(supplier, kinds.CONTRACT, {"acceptance": acceptance.id}, unix_s)

    def start(self, consumer, contract, unix_s, import_wh=0):
        body = {"contract": contract.id, "grant": 1, "import_wh": import_wh}
        return self.publish(consumer, kinds.USAGE_START, body, unix_s)

    def terminate(self, who, contract, unix_s):
        body = {"contract": contract.id, "reason": "enough"}
        if not who.chained:
            body["order_id"], body["expires_s"] = self._order_id(), unix_s + 86400
        return self.publish(who, kinds.TERMINATE, body, unix_s)

    def grant(self, consumer, contract, offer, acceptance, unix_s=START_S):
        self._grants += 1
        terms = offer.body
        body = {
            "number": self._grants, "meter": consumer.kid, "contract": contract.id, "wh": acceptance.body["wh"],
            "max_w": terms["max_w"], "from_s": terms["start_s"], "to_s": terms["end_s"],
            "price_micro_per_kwh": terms["price_micro_per_kwh"], "priority": acceptance.body["priority"],
            "start_by_s": terms["start_s"] + acceptance.body["start_timeout_s"], "default_supply": False,
        }  # fmt: skip
        return self.publish(self.issuer, kinds.GRANT, body, unix_s)

    def agree(self, supplier, consumer, price, wh, max_w, start_s, end_s, priority=1, used_s=None, offer_wh=None):
        """A whole contract, used from `used_s` (its start unless said; -1: never)."""
        offer = self.offer(supplier, price, offer_wh or wh, max_w, start_s, end_s)
        acceptance = self.accept(consumer, offer, wh, priority)
        contract = self.confirm(supplier, acceptance)
        self.grant(consumer, contract, offer, acceptance)
        if used_s != -1:
            self.start(consumer, contract, start_s if used_s is None else used_s)
        return contract


def _steps(values):
    return [values[0], [values[i + 1] - values[i] for i in range(len(values) - 1)]]


def facts_of(entries):
    """(SettlementInputs, Settlement) of those entries; nothing is settled yet."""
    from wattpact_protocol.settlement.inputs import SettlementInputs
    from wattpact_protocol.settlement.slots import Settlement

    inputs = SettlementInputs()
    for new in entries:
        inputs.apply(new)
    return inputs, Settlement(inputs.slot_s, inputs.silence_s, inputs.load_profiles, inputs.agreements)
