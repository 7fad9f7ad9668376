"""The simulated community: who is in it, and what they publish. Runs on both Pythons.

community = Community()                             entries are kept in community.entries; stand-in signatures
community = Community(crypto=REAL, seals=DAILY)     Ed25519, and meters that seal what they measure
community = Community(sink=...)                     entries go to a peer of meters under test (simulator.peer), or
                                                    to a host with a store (simulator.host)
roof = community.meter("roof", community.person("east"))
offer = community.offer(roof, 180_000, 40, 8000, START_S, START_S + 3600)

Every key follows from its name, so the same test signs the same bytes each time. Grant numbers are counted
here, order ids by their author. Times default to `now_s`.
"""

from wattpact_protocol.log import ids, kinds, roles

from simulator import bodies
from simulator.authors import Author, StandIn, is_to_be_sealed, named
from simulator.unsealing import Unsealer

START_S = 1_790_812_800  # 2026-10-01 00:00 UTC, a multiple of every slot used here
DAY_S = 86_400
YEAR_S = 365 * DAY_S
NOW = object()

# What meters seal: nothing; what they measure, with a key for each day that opens when it is due; or with one that is
# open from the start, for tests that let a meter sign without publishing. Meters under test seal by themselves, for
# readers that have sealing keys here.
NEVER, DAILY, AT_ONCE, BY_THEMSELVES = range(4)


class InMemory:
    """A sink that keeps entries. Every sink has these two methods."""

    def __init__(self):
        self.entries = []

    def append(self, new):
        self.entries.append(new)

    def catch_up(self, author):
        """Called before an author signs: others may have published with its key. Here nobody has."""


class Community:
    """slot_s: None where no terms are published; sink: makes what entries go to, of this community; key: makes a key of
    a name; prices: of the first tariff."""

    def __init__(
        self, slot_s=900, silence_s=None, crypto=StandIn, name="", seals=NEVER, sink=None, key=None, prices=None,
        now_s=START_S,
    ):  # fmt: skip
        self.crypto = crypto
        self.now_s = now_s
        self.slot_s = slot_s
        self.seals = seals
        self.by_name = {}
        self.authors = {}  # kid: an author with a certificate
        self.keys = {}  # (kid, generation, key_no): the key of a key period
        self.key = key or (lambda label: named(name + label, crypto))
        self._grants = 0
        self._mandates = {}  # what `backed` has left: (id, Wh)
        self.id = None
        self.root = self.author("root")
        self.id = self.root.community_id
        self.issuer, self.host = self.author("issuer"), self.author("host")
        self.sink = InMemory() if sink is None else sink(self)
        self.certify(self.root, self.root, roles.ROOT)
        self.certify(self.issuer, self.root, roles.ISSUER)
        self.certify(self.host, self.issuer, roles.HOST)
        if slot_s is not None:
            more = {} if silence_s is None else {"silence_s": silence_s}
            self.publish(self.issuer, kinds.COMMUNITY, bodies.community(slot_s, **more))
        if prices is not None:
            self.tariff(0, *prices)

    @property
    def entries(self):
        """In order of arrival, where the sink keeps them."""
        return self.sink.entries

    @property
    def certificates(self):
        return [new for new in self.entries if new.kind == kinds.CERTIFICATE]

    def publish(self, who, kind, body, unix_s=NOW, clock_status=None):
        """The next entry of `who`, to where entries go; before it the key that it is sealed with, where one is due."""
        unix_s = self.now_s if unix_s is NOW else unix_s
        if self.seals == DAILY and is_to_be_sealed(kind, body) and _is_meter(who):
            self.open_due_key(who, unix_s or START_S)
        self.sink.catch_up(who)
        return self._append(who.publish(kind, body, unix_s, clock_status))

    def _append(self, new):
        self.sink.append(new)
        return new

    # Members

    def author(self, name, key=None):
        """Nobody certified it yet; its key is that of its name, where none is given."""
        made = self.by_name[name] = Author(key or self.key(name), self.id, name)
        return made

    def certify(self, who, by, role, version=1, begin_s=None, **more):
        """A certificate for `who`, whom it gives; begin_s: its not_before_s."""
        begin_s = self.now_s - DAY_S if begin_s is None else begin_s
        if self.seals != NEVER and role in (roles.ISSUER, roles.PERSON):
            more.setdefault("sealing_key", who.sealing_key)
        body = bodies.certificate(
            who, role, who.name, version=version, not_before_s=begin_s, not_after_s=self.now_s + 10 * YEAR_S, **more
        )
        who.accept(self.publish(by, kinds.CERTIFICATE, body))
        who.owner = self.authors.get(more.get("owner"), who.owner)
        self.authors[who.kid] = who
        return who

    def person(self, name):
        return self.certify(self.author(name), self.issuer, roles.PERSON)

    def meter(self, name, owner=None, rated_w=bodies.RATED_W, seals=True, key=None, **more):
        """Without an owner it pays for itself; one that `seals` does so as this community's meters do."""
        if owner is not None:
            more["owner"] = owner.kid
        made = self.certify(self.author(name, key), self.issuer, roles.METER, rated_w=rated_w, **more)
        if self.seals == AT_ONCE and seals:
            self.begin_epoch(made)
            self.open_key(made)
        return made

    def owned_meter(self, name, **more):
        """A meter with an owner of its own."""
        return self.meter(name, self.person(("owner of " + name)[:32]), **more)

    def enrol(self, meter, owner=None, **more):
        """A meter under test: whatever has a name, and the key of that name."""
        return self.meter(meter.name, owner, 10_000, **more)

    def enrol_again(self, meter, owner, **more):
        """A newer certificate for a meter, with another owner."""
        author = self.authors[meter.kid]
        version = author.certificate.body["version"] + 1
        return self.certify(author, self.issuer, roles.METER, version, owner=owner.kid, rated_w=10_000, **more)

    # Sealing

    def begin_epoch(self, meter, unix_s=NOW):
        """A new secret for the issuer and the owner; a key of it opens when it is due."""
        unix_s = self.now_s if unix_s is NOW else unix_s
        meter.key_day = None
        readers = [self.issuer] + ([] if meter.owner is None else [meter.owner])
        return self._append(meter.begin_epoch(readers, unix_s))

    def open_key(self, meter, unix_s=NOW, key=None):
        """The next key of the meter's epoch, or another that is given."""
        new = meter.open_key(self.now_s if unix_s is NOW else unix_s, key)
        self.keys[meter.kid, meter.generation, meter.key_no] = meter.period_key
        return self._append(new)

    def open_due_key(self, meter, unix_s):
        """The key of that day, and the epoch before it, where they are not open yet."""
        if not meter.epoch:
            self.begin_epoch(meter, unix_s)
        if meter.key_day != unix_s // DAY_S:
            meter.key_day = unix_s // DAY_S
            self.open_key(meter, unix_s)

    def unsealed(self):
        """All entries, as whoever has every key reads them."""
        return Unsealer(self.id, keys=self.keys).all(self.entries)

    # What they publish

    def tariff(self, from_s, import_price, export_price, unix_s=NOW):
        return self.publish(self.issuer, kinds.TARIFF, bodies.tariff(from_s, import_price, export_price), unix_s)

    def quick_policy(self, **more):
        return self.publish(self.issuer, kinds.POLICY, bodies.quick_policy(**more))

    def reading(self, meter, t0_s, imports, exports=None, step_s=None, **more):
        """Registers at t0_s and after each step: lists of values."""
        step_s = step_s or self.slot_s
        body = bodies.reading_at(t0_s, imports, exports, step_s, **more)
        return self.publish(meter, kinds.READING, body, t0_s + step_s * (len(imports) - 1))

    def order(self, person, kind, body, unix_s=NOW, **more):
        """An order of a person, who has no log: it has an id, and expires after a day where nothing else is given."""
        body = dict(body)
        body.setdefault("order_id", person.order_id())
        body.setdefault("expires_s", (self.now_s if unix_s is NOW else unix_s) + DAY_S)
        body.update(more)
        return self.publish(person, kind, body, unix_s)

    def mandate(
        self, person, meter, side, limit, wh, max_w=8000, start_s=None, end_s=None, unix_s=NOW, **more
    ):  # fmt: skip
        """Half an hour from now where no times are given."""
        start_s = self.now_s if start_s is None else start_s
        end_s = start_s + 1800 if end_s is None else end_s
        body = bodies.mandate(meter.kid, side, person.order_id(), start_s, end_s, limit, wh, max_w, **more)
        return self.publish(person, kinds.MANDATE, body, unix_s)

    def backed(self, meter, side, limit, wh, start_s, end_s):
        """The mandate of a meter's owner that covers such an offer or demand; the one before, where it still does."""
        key = (meter.kid, side, limit, start_s, end_s)
        held = self._mandates.get(key)
        if held is None or held[1] < wh:
            held = (self.mandate(meter.owner, meter, side, limit, 4 * wh, start_s=start_s, end_s=end_s,
                                 expires_s=end_s + DAY_S).id, 4 * wh)  # fmt: skip
        self._mandates[key] = (held[0], held[1] - wh)
        return held[0]

    def offer(self, supplier, price, wh, max_w, start_s, end_s, mandate=bytes(32), unix_s=NOW, **more):
        body = bodies.offer(start_s, end_s, price, wh, max_w, mandate, **more)
        return self.publish(supplier, kinds.OFFER, body, unix_s)

    def demand(self, consumer, price, wh, max_w, start_s, end_s, mandate=bytes(32), unix_s=NOW, **more):
        body = bodies.offer(start_s, end_s, price, wh, max_w, mandate, **more)
        return self.publish(consumer, kinds.DEMAND, body, unix_s)

    def accept(self, consumer, offer, wh, priority=1, timeout_s=600, unix_s=NOW, **more):
        body = bodies.acceptance(offer.id, wh, priority, timeout_s, **more)
        return self.publish(consumer, kinds.ACCEPTANCE, body, unix_s)

    def need(self, consumer, offer, wh):
        """A demand that covers an acceptance of the offer, with a mandate of the consumer's owner behind it."""
        body = offer.body
        terms = (body["price_micro_per_kwh"], wh, body["max_w"], body["start_s"], body["end_s"])
        buys = self.backed(consumer, kinds.BUY, terms[0], wh, body["start_s"], body["end_s"])
        return self.demand(consumer, *terms, buys)

    def confirm(self, supplier, acceptance, unix_s=NOW):
        return self.publish(supplier, kinds.CONTRACT, {"acceptance": acceptance.id}, unix_s)

    def grant(self, contract, offer, acceptance, unix_s=NOW, **more):
        self._grants += 1
        body = bodies.grant_of(self._grants, contract, offer, acceptance, **more)
        return self.publish(self.issuer, kinds.GRANT, body, unix_s)

    def give(self, meter, wh, **more):
        """A grant of ten minutes by itself, of whose contract nobody knows."""
        self._grants += 1
        contract = ids.sha256(b"%d" % self._grants)
        body = bodies.grant(self._grants, meter.kid, contract, self.now_s, self.now_s + 600, wh)
        body.update(more)
        return self.publish(self.issuer, kinds.GRANT, body)

    def start(self, consumer, contract, unix_s, import_wh=0):
        return self.publish(consumer, kinds.USAGE_START, bodies.usage_start(contract.id, import_wh), unix_s)

    def use(self, consumer, contract, attributed_wh, import_wh, unix_s=NOW, **more):
        body = bodies.usage(contract.id, attributed_wh, import_wh)
        return self.publish(consumer, kinds.USAGE, body, unix_s, **more)

    def end_use(self, consumer, contract, attributed_wh, import_wh, reason, unix_s=NOW, **more):
        body = bodies.usage(contract.id, attributed_wh, import_wh, reason=reason)
        return self.publish(consumer, kinds.USAGE_END, body, unix_s, **more)

    def terminate(self, who, contract, unix_s=NOW):
        publish = self.publish if who.chained else self.order
        return publish(who, kinds.TERMINATE, bodies.terminate(contract.id), unix_s)

    def agree(self, supplier, consumer, price, wh, max_w, start_s, end_s, priority=1, used_s=None):
        """A whole contract, used from `used_s`: its start where none is given, never with -1."""
        sells = self.backed(supplier, kinds.SELL, price, wh, start_s, end_s)
        offer = self.offer(supplier, price, wh, max_w, start_s, end_s, sells)
        acceptance = self.accept(consumer, offer, wh, priority, demand=self.need(consumer, offer, wh).id)
        contract = self.confirm(supplier, acceptance)
        self.grant(contract, offer, acceptance)
        if used_s != -1:
            self.start(consumer, contract, start_s if used_s is None else used_s)
        return contract


def _is_meter(who):
    return who.certificate is not None and who.certificate.body["role"] == roles.METER


def inputs_of(entries):
    """(SettlementInputs, Settlement) of those entries; nothing is settled yet."""
    from wattpact_protocol.settlement.folding import Folding
    from wattpact_protocol.settlement.slots import Settlement

    folding = Folding()
    for new in entries:
        folding.apply(new)
    inputs = folding.inputs
    return inputs, Settlement(inputs.slot_s, inputs.silence_s, inputs.load_profiles, inputs.contracts)
