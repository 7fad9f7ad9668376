"""Transactions of a community as a seed has them: most can be ordered, some are against a rule. Runs on both Pythons.

transactions = Transactions(seed)
now_s, entries, heads = transactions.block()      what the next block is offered, in that order
transactions.rejected(names)                      what of it was rejected
"""

import case
from wattpact_protocol.log import ids, kinds, roles

from simulator import bodies
from simulator.community import START_S, Community

RECENT = 12  # what later entries refer to is among so many of the newest


class Transactions:
    def __init__(self, seed, people=3, meters=5):
        self.bits = case.Bits("transactions %s" % seed)
        self.community = community = Community(name="transactions")
        self.people = [community.person("person %d" % i) for i in range(people)]
        self.meters = [community.meter("meter %d" % i, self.people[i % people]) for i in range(meters)]
        self.recent = {}
        self.number = 0
        self.statements = {}  # (subject, begin) -> what may have been ordered about it
        self.version = 1
        self._given = 0

    def block(self):
        bits = self.bits
        self.community.now_s += bits.choice([0] * 6 + [1, 1, 7, 7, 20, 60, 300])
        for _ in range(1 + bits.below(8)):
            self.publish()
        entries = self.community.entries
        new = entries[self._given :]
        self._given = len(entries)
        if bits.below(5) == 0:
            new.append(entries[bits.below(len(entries))])  # once more
        heads = []
        if bits.below(4) == 0:
            meter = bits.choice(self.meters)
            back = bits.below(3)
            published = (new for new in reversed(entries) if new.kid == meter.kid)
            last = next((one for at, one in enumerate(published) if at == back), None)
            if last is not None:
                heads.append((meter.kid, last.generation, last.sequence + 1, last.id))
        return self.community.now_s, new, heads

    def rejected(self, names):
        """The ids of what was rejected: little of it is referred to any more."""
        for kind in sorted(self.recent):
            self.recent[kind] = [new for new in self.recent[kind] if new.id not in names or self.bits.below(20) == 0]
        for stated in self.statements.values():
            stated[:] = [new for new in stated if new.id not in names]

    def publish(self):
        roll = self.bits.below(200)
        for most, make in (
            (20, self.mandate), (46, self.offer), (71, self.demand), (106, self.accept), (136, self.confirm),
            (158, self.grant), (172, self.start), (180, self.terminate), (183, self.end), (185, self.tariff),
            (187, self.certify), (195, self.state), (197, self.open), (198, self.policy), (200, self.wrong),
        ):  # fmt: skip
            if roll < most:
                new = make()
                if new is not None:
                    self.recent.setdefault(new.kind, []).append(new)
                    del self.recent[new.kind][:-RECENT]
                return

    def some(self, kind):
        return self.bits.choice(self.recent[kind]) if self.recent.get(kind) else None

    def period(self):
        bits, now_s = self.bits, self.community.now_s
        start_s = now_s + bits.choice([-4000] + [-600, 0, 0, 60] * 3)
        return start_s, start_s + bits.choice([0, 60, 40 * 86400] + [1800, 7200] * 6)

    def mandate(self):
        bits = self.bits
        meter = bits.choice(self.meters)
        owner = meter.owner if bits.below(20) else bits.choice(self.people)
        start_s = self.community.now_s - 600
        return self.community.mandate(
            owner, meter, bits.below(2), bits.choice([100, 200]), 500 + bits.below(2000), start_s=start_s,
            end_s=start_s + bits.choice([0] + [8000] * 7), expires_s=start_s + bits.choice([500] + [90_000] * 7),
        )  # fmt: skip

    def _terms(self, side):
        mandate = self.some(kinds.MANDATE)
        if mandate is None:
            return None
        meter = self.community.authors[mandate.body["meter"]]
        if self.bits.below(20) and mandate.body["side"] != side:
            return None
        return meter, mandate

    def offer(self):
        bits, found = self.bits, self._terms(kinds.SELL)
        if found is None:
            return None
        start_s, end_s = self.period()
        return self.community.offer(
            found[0], bits.choice([50, 1 << 31] + [100, 150, 200] * 4), 1 + bits.below(600),
            bits.choice([100, 8000, 8000, 11_001]), start_s, end_s, found[1].id,
            valid_until_s=self.community.now_s + bits.choice([-1, 60] + [4000] * 6),
        )  # fmt: skip

    def demand(self):
        bits, found = self.bits, self._terms(kinds.BUY)
        if found is None:
            return None
        start_s, end_s = self.period()
        return self.community.demand(
            found[0], bits.choice([201] + [50, 100, 150] * 3), 1 + bits.below(1500), 8000, start_s, end_s, found[1].id
        )

    def accept(self):
        bits, offer, demand = self.bits, self.some(kinds.OFFER), self.some(kinds.DEMAND)
        if offer is None or demand is None or (offer.kid == demand.kid and bits.below(20)):
            return None
        meter = self.community.authors[demand.kid] if bits.below(10) else bits.choice(self.meters)
        wh = 1 + bits.below(bits.choice([20] * 8 + [300, 1500, 1 << 31]))
        more = {"demand": demand.id} if bits.below(20) else {}
        return self.community.accept(meter, offer, wh, bits.below(3), bits.choice([0] + [600, 4000] * 3), **more)

    def confirm(self):
        accepted = self.some(kinds.ACCEPTANCE)
        if accepted is None:
            return None
        offers = [new for new in self.recent.get(kinds.OFFER, []) if new.id == accepted.body["offer"]]
        if not offers or self.bits.below(12) == 0:
            return self.community.confirm(self.bits.choice(self.meters), accepted)
        return self.community.confirm(self.community.authors[offers[0].kid], accepted)

    def _parts(self):
        """(contract, acceptance, offer) as far as they are recent."""
        contract = self.some(kinds.CONTRACT)
        if contract is None:
            return None
        for accepted in self.recent.get(kinds.ACCEPTANCE, []):
            for offer in self.recent.get(kinds.OFFER, []):
                if accepted.id == contract.body["acceptance"] and offer.id == accepted.body["offer"]:
                    return contract, accepted, offer
        return None

    def grant(self):
        bits, found = self.bits, self._parts()
        if found is None or bits.below(20) == 0:
            return self.community.give(bits.choice(self.meters), 5, default_supply=bool(bits.below(8)))
        more = {"wh": 1} if bits.below(10) == 0 else {}
        return self.community.grant(found[0], found[2], found[1], **more)

    def start(self):
        bits, found = self.bits, self._parts()
        if found is None:
            return None
        meter = self.community.authors[found[1].kid] if bits.below(10) else bits.choice(self.meters)
        stamp_s = self.community.now_s + bits.choice([-700, 0, 0, 200, 400])
        return self.community.start(meter, found[0], stamp_s if bits.below(15) else None)

    def end(self):
        found = self._parts()
        if found is None:
            return None
        return self.community.end_use(self.community.authors[found[1].kid], found[0], 1, 1, kinds.END_USED_UP)

    def terminate(self):
        contract = self.some(kinds.CONTRACT)
        if contract is None:
            return None
        who = self.bits.choice(self.meters + self.people + [self.community.issuer])
        return self.community.terminate(who, contract)

    def tariff(self):
        from_s = self.community.now_s + self.bits.choice([-900, 0, 900, 1800, 40 * 86400, 80 * 86400])
        return self.community.tariff(from_s // 900 * 900, self.bits.below(9), self.bits.below(9))

    def certify(self):
        bits, community = self.bits, self.community
        self.version += 1
        if bits.below(3) == 0:
            owner = bits.choice(self.people)
            return community.meter("meter of %d" % self.version, owner).certificate
        if bits.below(20) == 0:
            return community.certify(bits.choice(self.meters), community.issuer, roles.HOST, self.version).certificate
        meter, owner = bits.choice(self.meters), bits.choice(self.people)
        body = bodies.certificate(
            meter, roles.METER, meter.name, version=bits.choice([1, self.version, self.version]), owner=owner.kid,
            not_before_s=community.now_s + bits.choice([-86400, 0, 500]), not_after_s=community.now_s + 10**8,
            rated_w=bits.choice([0, 5000, 11_000]),
        )  # fmt: skip
        if body["version"] > 1:
            meter.owner = owner
        return community.publish(community.issuer, kinds.CERTIFICATE, body)

    def state(self):
        bits, community = self.bits, self.community
        names = [name for _, name, _, required in kinds.fields(kinds.STATEMENT) if required]
        body = {name: bytes(32) if name.endswith("root") else 0 for name in names}
        person = bits.below(len(self.people))
        from_s = START_S + 900 * bits.below(2) - 20 * 86400 * (person % 2)  # of every other, time that is closed
        subject, to_s = self.people[person].kid, from_s + 900 * bits.choice([0, 1, 1, 1, 2, 2])
        net_nano = bits.below(1000) - 500
        body.update(subject=subject, from_s=from_s, to_s=to_s, net_nano=net_nano)
        stated = self.statements.setdefault((subject, from_s), [])
        if stated and bits.below(2):
            body.update(corrects=stated[-1].id, to_s=stated[-1].body["to_s"] + 900 * (bits.below(8) == 0))
        stated.append(community.publish(community.host, kinds.STATEMENT, body))
        return stated[-1]

    def open(self):
        self.number += 1
        body = {"key_no": 1 + self.bits.below(9), "epoch": 1, "commitment": ids.sha256(b"%d" % self.number)}
        return self.community.publish(self.bits.choice(self.meters), kinds.KEY_OPEN, body)

    def policy(self):
        more = {"meter": self.bits.choice(self.meters).kid} if self.bits.below(2) else {}
        return self.community.quick_policy(version=1 + self.bits.below(40), **more)

    def wrong(self):
        """By whom it is not for, or of a kind that no block orders."""
        bits, community = self.bits, self.community
        if bits.below(4) == 0:
            return community.publish(bits.choice(self.meters), kinds.EVENT, {"code": 1})
        if bits.below(4) == 0:
            body = bodies.community(bits.choice([900, 60]), version=1 + bits.below(4))
            return community.publish(community.issuer, kinds.COMMUNITY, body)
        if bits.below(2) == 0:
            stranger = community.author("stranger %d" % bits.below(3))
            return community.publish(stranger, kinds.TARIFF, bodies.tariff())
        return community.publish(bits.choice(self.meters), kinds.TARIFF, bodies.tariff())
