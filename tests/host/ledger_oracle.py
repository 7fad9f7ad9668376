"""The ledger's state once more, from the text of docs/spec/ledger.md: plain dicts, sharing no code with the real one.

oracle = Oracle(community_id)
oracle.order(entry, now_s)           the reason, or None
oracle.note(kid, place, now_s)       the head of a log
oracle.records()                     {(number of the record, part, ...): [field, ...]}
oracle.root()
"""

import hashlib
from copy import deepcopy

from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import kinds as k

HOUR = 3600
PERIOD = 2_678_400
ROOT, ISSUER, HOST, METER, PERSON = 1, 2, 3, 4, 5

ROLES_OF = {
    k.CERTIFICATE: {ROOT, ISSUER}, k.COMMUNITY: {ISSUER}, k.TARIFF: {ISSUER}, k.POLICY: {ISSUER}, k.MANDATE: {PERSON},
    k.OFFER: {METER}, k.DEMAND: {METER}, k.ACCEPTANCE: {METER}, k.CONTRACT: {METER}, k.GRANT: {ISSUER},
    k.USAGE_START: {METER}, k.USAGE_END: {METER}, k.TERMINATE: {ISSUER, METER, PERSON}, k.STATEMENT: {HOST},
    k.KEY_EPOCH: {METER}, k.KEY_OPEN: {METER},
}  # fmt: skip


def sha(data):
    return hashlib.sha256(data).digest()


class Rejected(Exception):
    pass


def reject_if(wrong, reason):
    if wrong:
        raise Rejected(reason)


class Oracle:
    def __init__(self, community):
        self.community = community
        self.authors, self.heads, self.owned, self.rows, self.policies = {}, {}, {}, {}, {}
        self.orders, self.mandates, self.offers, self.demands, self.accepted = {}, {}, {}, {}, {}
        self.contracts, self.listed, self.holds, self.granted, self.keys, self.stated = {}, {}, {}, {}, {}, {}
        self.founded = None
        self.tariffs_top = None
        self.tariffs_before = {}

    def order(self, new, now):
        rules = {
            k.CERTIFICATE: self.certificate, k.COMMUNITY: self.found, k.TARIFF: self.tariff, k.POLICY: self.policy,
            k.MANDATE: self.mandate, k.OFFER: self.offer, k.DEMAND: self.demand, k.ACCEPTANCE: self.acceptance,
            k.CONTRACT: self.contract, k.GRANT: self.grant, k.USAGE_START: self.start, k.USAGE_END: self.end_of_use,
            k.TERMINATE: self.terminate, k.STATEMENT: self.statement, k.KEY_OPEN: self.key_open,
            k.KEY_EPOCH: lambda new, body, now: None,
        }  # fmt: skip
        if new.kind not in rules:
            return "not_ordered"
        try:
            self.check_author(new, now)
            rules[new.kind](new, new.body, now)
        except Rejected as rejection:
            return str(rejection)
        author = self.authors[new.kid]
        if author["role"] == PERSON:
            self.orders[new.kid, new.body["order_id"]] = new.id
        elif author["generation"] == new.generation:
            author["ordered"] = new.sequence
        return None

    def check_author(self, new, now):
        author = self.authors.get(new.kid)
        if author is None:
            own = new.kind == k.CERTIFICATE and new.body["role"] == ROOT and new.kid == sha(new.body["public_key"])[:8]
            reject_if(not own, "unknown_author")
            return
        role = author["role"]
        allowed = role in ROLES_OF[new.kind]
        if new.kind == k.CERTIFICATE and allowed:
            gives = new.body["role"]
            allowed = gives in ({ROOT, ISSUER} if role == ROOT else {HOST, METER, PERSON, 6})
            allowed = allowed and (gives != ROOT or sha(new.body["public_key"])[:8] == new.kid)
        reject_if(not allowed, "not_allowed")
        newest = author["certificates"][-1]
        reject_if(now < newest[2] or now > newest[3], "certificate_expired")
        reject_if(new.stamp.unix_s is not None and new.stamp.unix_s > now + 300, "future_time")
        if role == PERSON:
            reject_if("order_id" not in new.body or "expires_s" not in new.body, "no_order_id")
            reject_if(new.body["expires_s"] < now, "order_expired")
            reject_if((new.kid, new.body["order_id"]) in self.orders, "duplicate")
        else:
            reject_if(new.generation != author["generation"], "stale_generation")
            reject_if(new.sequence <= author["ordered"], "duplicate")

    # Members

    def certificate(self, new, body, now):
        kid = sha(body["public_key"])[:8]
        author = self.authors.get(kid)
        begin = max(now, body["not_before_s"])
        if author is None:
            author = {
                "key": body["public_key"], "role": body["role"], "generation": body["generation"], "ordered": -1,
                "certificates": [],
            }  # fmt: skip
        else:
            last = author["certificates"][-1]
            reject_if(author["role"] != body["role"], "role_changed")
            reject_if(body["version"] <= last[1] or body["generation"] < author["generation"], "stale_version")
            reject_if(len(author["certificates"]) == 64, "authors_full")
            begin = max(begin, last[2])
            if body["generation"] > author["generation"]:
                author.update(generation=body["generation"], ordered=-1)
        owner = body.get("owner", b"")
        author["certificates"].append(
            [new.id, body["version"], begin, body["not_after_s"], owner, body.get("rated_w", 0)]
        )
        self.authors[kid] = author
        if owner and body["role"] == METER:
            self.owned[owner] = sorted({*self.owned.get(owner, []), kid})

    def found(self, new, body, now):
        if self.founded is None:
            self.founded = {"slot": body["slot_s"], "silence": body.get("silence_s", 0), "since": now, "version": -1}
        reject_if(body["version"] <= self.founded["version"], "stale_version")
        same = (body["slot_s"], body.get("silence_s", 0)) == (self.founded["slot"], self.founded["silence"])
        reject_if(not same, "slot_changed")
        self.founded.update(id=new.id, version=body["version"])

    def tariff(self, new, body, now):
        reject_if(self.founded is None, "not_founded")
        since, slot = body["from_s"], self.founded["slot"]
        reject_if(self.tariffs_top is not None and since < -(-now // slot) * slot, "slot_begun")
        period = since // PERIOD
        top = -1 if self.tariffs_top is None else self.tariffs_top
        later = []
        while top > period:
            later.append(top)
            top = self.tariffs_before[top]
        kept = [row for row in self.rows.get(period, []) if row[0] < since] if top == period else []
        reject_if(len(kept) >= 1024, "too_many_tariffs")
        for one in later:
            self.rows[one] = []
        if top != period:
            self.tariffs_before[period] = top
        self.rows[period] = [*kept, [since, body["import_micro_per_kwh"], body["export_micro_per_kwh"], new.id]]
        self.tariffs_top = period

    def policy(self, new, body, now):
        meter = body.get("meter", b"")
        reject_if(meter in self.policies and body["version"] <= self.policies[meter][1], "stale_version")
        self.policies[meter] = [new.id, body["version"]]

    def key_open(self, new, body, now):
        place = (new.kid, new.generation, body["key_no"])
        reject_if(place in self.keys, "key_opened_twice")
        self.keys[place] = [new.id, body["commitment"]]

    def statement(self, new, body, now):
        since, until, corrects = body["from_s"], body["to_s"], body.get("corrects")
        reject_if(until <= since, "no_period")
        reject_if(until - since > 32 * 24 * 3600, "period_too_long")
        periods = self.stated.setdefault((new.kid, body["subject"]), {})  # begin -> the last statement about it
        held = periods.get(since)
        closed = held is not None and now - held[1] >= 14 * 24 * 3600
        if corrects is not None:
            reject_if(not closed or held[:2] != [corrects, until], "corrects_nothing")
        elif held is not None and held[1] == until:
            reject_if(closed, "period_closed")
        else:
            overlaps = [begin for begin, one in periods.items() if begin < until and since < one[1]]
            ends = [one[1] for one in periods.values()]
            holes = sum(begin not in ends for begin in periods)
            joins = (since in ends) + (until in periods)
            reject_if(bool(overlaps) or holes + 1 - joins > 64, "stated_before")
        first = [body["net_nano"], now, 0]
        if corrects is not None:
            first = [held[4], held[5], held[6] + 1]
        periods[since] = [new.id, until, body["net_nano"], now, *first]

    def note(self, kid, place, now):
        generation, following, head = place
        if kid not in self.authors:
            return
        held = self.heads.get(kid, [-1, -1])
        if (generation, following) > (held[0], held[1]) and generation <= self.authors[kid]["generation"]:
            self.heads[kid] = [generation, following, head, now]

    # Trade

    def owner(self, meter):
        return self.authors[meter]["certificates"][-1][4] if meter in self.authors else b""

    def in_force(self, name, meter, side, now):
        mandate = self.mandates.get(name)
        good = mandate and mandate["meter"] == meter and mandate["side"] == side and mandate["expires"] >= now
        return mandate if good and mandate["owner"] == self.owner(meter) else None

    def mandate(self, new, body, now):
        reject_if(self.owner(body["meter"]) != new.kid, "not_owner")
        reject_if(body["end_s"] <= body["start_s"], "no_period")
        reject_if(body["end_s"] <= now, "begun_before")
        self.mandates[new.id] = {
            "owner": new.kid, "meter": body["meter"], "side": body["side"], "limit": body["limit_micro_per_kwh"],
            "wh": body["wh"], "used": 0, "max_w": body["max_w"], "start": body["start_s"], "end": body["end_s"],
            "expires": body["expires_s"], "unstarted": [],
        }  # fmt: skip

    @staticmethod
    def check_period(body, now):
        reject_if(body["end_s"] <= body["start_s"], "no_period")
        reject_if(body["end_s"] - body["start_s"] > PERIOD, "period_too_long")
        reject_if(body["start_s"] < now - HOUR or body["end_s"] <= now, "begun_before")

    def offer(self, new, body, now):
        self.check_period(body, now)
        reject_if(body["valid_until_s"] < now, "offer_expired")
        mandate = self.in_force(body["mandate"], new.kid, k.SELL, now)
        reject_if(mandate is None or body["price_micro_per_kwh"] < mandate["limit"], "no_sell_mandate")
        apart = body["end_s"] <= mandate["start"] or mandate["end"] <= body["start_s"]
        reject_if(apart or body["wh"] > mandate["wh"], "mandate_exceeded")
        rated = self.authors[new.kid]["certificates"][-1][5]
        reject_if(rated and body["max_w"] > rated, "above_rating")
        self.offers[new.id] = {
            "meter": new.kid, "mandate": body["mandate"], "price": body["price_micro_per_kwh"], "wh": body["wh"],
            "bound": 0, "max_w": body["max_w"], "start": body["start_s"], "end": body["end_s"],
            "until": body["valid_until_s"],
        }  # fmt: skip

    def demand(self, new, body, now):
        self.check_period(body, now)
        mandate = self.in_force(body["mandate"], new.kid, k.BUY, now)
        reject_if(mandate is None or body["price_micro_per_kwh"] > mandate["limit"], "no_buy_mandate")
        self.demands[new.id] = [new.kid, body["mandate"]]

    def reserving(self, place, now):
        return [name for name in self.holds.get(place, []) if self.accepted[name]["lapses"] >= now]

    def left(self, mandate, now):
        """Wh that are bound no more, or not yet; those of contracts that were never started come back an hour after."""
        for name in list(mandate["unstarted"]):
            contract = self.contracts[name]
            over = contract["end"] if contract["over"] is None else contract["over"]
            if now > contract["by"] + HOUR or now >= over + HOUR:
                mandate["unstarted"].remove(name)
                mandate["used"] -= contract["wh"]
        return mandate["wh"] - mandate["used"]

    def acceptance(self, new, body, now):
        offer = self.offers.get(body["offer"])
        reject_if(offer is None, "unknown_offer")
        reject_if(offer["meter"] == new.kid, "supplier_is_consumer")
        reject_if(now > offer["until"] or now >= offer["end"], "offer_expired")
        demand = self.demands.get(body.get("demand"))
        mandate = demand and demand[0] == new.kid and self.in_force(demand[1], new.kid, k.BUY, now)
        good = mandate and offer["price"] <= mandate["limit"]
        reject_if(not good or offer["end"] <= mandate["start"] or mandate["end"] <= offer["start"], "no_buy_mandate")
        of_offer, of_meter = self.reserving(body["offer"], now), self.reserving(new.kid, now)
        reject_if(len(of_offer) >= 16 or len(of_meter) >= 16, "too_many_acceptances")
        reject_if(body["wh"] * offer["price"] > 1 << 50, "worth_too_much")
        held = sum(self.accepted[name]["wh"] for name in of_offer)
        reject_if(body["wh"] > offer["wh"] - offer["bound"] - held, "offer_exceeded")
        held = sum(self.accepted[name]["wh"] for name in of_meter if self.accepted[name]["mandate"] == demand[1])
        reject_if(body["wh"] > self.left(deepcopy(mandate), now) - held, "mandate_exceeded")
        self.accepted[new.id] = {
            "meter": new.kid, "offer": body["offer"], "mandate": demand[1], "wh": body["wh"],
            "priority": body["priority"], "by": min(offer["start"] + body["start_timeout_s"], offer["end"]),
            "lapses": now + 600, "contract": b"",
        }  # fmt: skip
        self.holds[body["offer"]] = [*of_offer, new.id]
        self.holds[new.kid] = [*of_meter, new.id]

    def contract(self, new, body, now):
        accepted = self.accepted.get(body["acceptance"])
        reject_if(accepted is None, "unknown_acceptance")
        offer = self.offers[accepted["offer"]]
        reject_if(offer["meter"] != new.kid, "not_the_supplier")
        reject_if(accepted["contract"], "confirmed_twice")
        reject_if(now > accepted["lapses"], "stale_acceptance")
        sells = self.in_force(offer["mandate"], new.kid, k.SELL, now)
        buys = self.in_force(accepted["mandate"], accepted["meter"], k.BUY, now)
        reject_if(sells is None, "no_sell_mandate")
        reject_if(buys is None, "no_buy_mandate")
        sells, buys = deepcopy(sells), deepcopy(buys)
        reject_if(accepted["wh"] > min(self.left(sells, now), self.left(buys, now)), "mandate_exceeded")
        reject_if(len(sells["unstarted"]) >= 16 or len(buys["unstarted"]) >= 16, "too_many_contracts")
        period = offer["start"] // PERIOD
        lists = [self.listed.setdefault((kid, period), []) for kid in (new.kid, accepted["meter"])]
        reject_if(max(len(rows) for rows in lists) >= 4096, "too_many_contracts")
        for rows in lists:
            rows.append(new.id)
        for name, mandate in ((offer["mandate"], sells), (accepted["mandate"], buys)):
            mandate["used"] += accepted["wh"]
            mandate["unstarted"].append(new.id)
            self.mandates[name] = mandate
        accepted["contract"] = new.id
        offer["bound"] += accepted["wh"]
        for place in (accepted["offer"], accepted["meter"]):
            self.holds[place] = [name for name in self.holds[place] if name != body["acceptance"]]
        self.contracts[new.id] = {
            "offer": accepted["offer"], "accepted": body["acceptance"], "supplier": new.kid,
            "consumer": accepted["meter"], "wh": accepted["wh"], "max_w": offer["max_w"], "price": offer["price"],
            "start": offer["start"], "end": offer["end"], "priority": accepted["priority"], "by": accepted["by"],
            "matched": now, "grant": 0, "granted": None, "used": None, "over": None, "over_by": "", "ended": None,
        }  # fmt: skip

    def grant(self, new, body, now):
        reject_if(body["number"] <= self.granted.get(body["meter"], -1), "old_grant")
        if not body["default_supply"]:
            contract = self.contracts.get(body["contract"])
            reject_if(contract is None, "unknown_contract")
            reject_if(contract["granted"] is not None, "old_grant")
            reject_if(contract["over"] is not None, "terminated")
            reject_if(now > contract["by"] or now >= contract["end"], "too_late")
            terms = [body[name] for name in ("meter", "wh", "max_w", "from_s", "to_s", "price_micro_per_kwh")]
            terms += [body["priority"], body["start_by_s"]]
            names = ("consumer", "wh", "max_w", "start", "end", "price", "priority", "by")
            reject_if(terms != [contract[name] for name in names], "other_terms")
            contract.update(grant=body["number"], granted=now)
        self.granted[body["meter"]] = body["number"]

    def start(self, new, body, now):
        contract = self.contracts.get(body["contract"])
        reject_if(contract is None, "unknown_contract")
        reject_if(contract["consumer"] != new.kid, "not_the_consumer")
        reject_if(contract["granted"] is None, "not_granted")
        reject_if(contract["used"] is not None, "started_before")
        reject_if(new.stamp.unix_s is None, "no_time")
        used = max(new.stamp.unix_s, contract["start"], contract["granted"])
        over = contract["end"] if contract["over"] is None else contract["over"]
        reject_if(used > contract["by"] or used >= over, "too_late")
        reject_if(now > contract["by"] + HOUR or now >= over + HOUR, "too_late")
        contract["used"] = used
        for name in (self.offers[contract["offer"]]["mandate"], self.accepted[contract["accepted"]]["mandate"]):
            if body["contract"] in self.mandates[name]["unstarted"]:
                self.mandates[name]["unstarted"].remove(body["contract"])

    def end_of_use(self, new, body, now):
        contract = self.contracts.get(body["contract"])
        reject_if(contract is None, "unknown_contract")
        reject_if(contract["consumer"] != new.kid, "not_the_consumer")
        reject_if(contract["ended"] is not None, "ended_before")
        contract["ended"] = now

    def terminate(self, new, body, now):
        contract = self.contracts.get(body["contract"])
        reject_if(contract is None, "unknown_contract")
        slot = self.founded["slot"]
        noticed = (now + slot + slot - 1) // slot * slot
        if new.kid in (contract["consumer"], self.owner(contract["consumer"])):
            party, when = "consumer", now
        elif new.kid in (contract["supplier"], self.owner(contract["supplier"])):
            party, when = "supplier", noticed
        else:
            reject_if(self.authors[new.kid]["role"] != ISSUER, "not_a_party")
            party, when = "operator", noticed
        reject_if(when >= (contract["end"] if contract["over"] is None else contract["over"]), "ended_before")
        contract.update(over=when, over_by=party)

    # What it amounts to

    def records(self):
        found = {}
        if self.founded:
            one = self.founded
            found[1,] = [one["id"], one["version"], one["slot"], one["silence"], one["since"]]
        for kid, one in self.authors.items():
            found[2, kid] = [one["key"], one["role"], one["generation"], one["ordered"], one["certificates"]]
        if self.tariffs_top is not None:
            found[5,] = [self.tariffs_top, []]
        for period, rows in self.rows.items():
            found[5, period] = [self.tariffs_before[period], rows]
        for (kid, order), name in self.orders.items():
            found[7, kid, order] = [name]
        for number, rows in ((8, self.mandates), (9, self.offers), (11, self.accepted), (12, self.contracts)):
            for name, one in rows.items():
                found[number, name] = list(one.values())
        for number, rows in ((3, self.heads), (6, self.policies), (10, self.demands)):
            for name, fields in rows.items():
                found[number, name] = fields
        for place, periods in self.stated.items():
            if periods:
                ends = {one[1] for one in periods.values()}
                begins = sorted(begin for begin in periods if begin not in ends)
                stops = sorted(end for end in ends if end not in periods)
                found[17, *place] = [[list(span) for span in zip(begins, stops, strict=True)]]
            for since, one in periods.items():
                found[18, *place, since] = one
        for number, rows in ((4, self.owned), (14, self.holds), (15, self.granted)):
            for name, value in rows.items():
                found[number, name] = [value]
        for number, rows in ((13, self.listed), (16, self.keys)):
            for place, value in rows.items():
                if number == 16 or value:
                    found[number, *place] = value if number == 16 else [value]
        return found

    def root(self):
        leaves = []
        for key, fields in self.records().items():
            path = sha(cbor.encode(list(key)))
            leaves.append((int.from_bytes(path, "big"), sha(b"\x00" + path + sha(cbor.encode(fields)))))
        return trie(sorted(leaves), 255)


def trie(leaves, bit):
    if len(leaves) < 2:
        return leaves[0][1] if leaves else bytes(32)
    left = [leaf for leaf in leaves if not leaf[0] >> bit & 1]
    return sha(b"\x01" + trie(left, bit - 1) + trie(leaves[len(left) :], bit - 1))
