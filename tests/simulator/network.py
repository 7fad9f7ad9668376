"""A small community in virtual time: a host stub that speaks the protocol, meters with flash in memory, a bad network.

The host keeps what is signed and fits its log, tells each meter what concerns it, grants contracts and signs receipts.
Keys sign either with Ed25519 or with a stand-in that costs nothing; the meters under test are the real ones.
"""

import hashlib

from case import Bits
from wattpact_meter import load_order
from wattpact_protocol.log import reasons, roles
from wattpact_protocol.sealing import epochs, period_keys, unsealing

load_order.load()  # from the bottom up: nested imports take more stack than MicroPython has

from wattpact_meter.clock import Now  # noqa: E402
from wattpact_meter.core.meter import Meter  # noqa: E402
from wattpact_meter.storage.journal import Journal as FileJournal  # noqa: E402
from wattpact_meter.storage.journal import JournalFull  # noqa: E402
from wattpact_meter.storage.store import MAX_VALUE_BYTES  # noqa: E402
from wattpact_meter.storage.store import Store as FileStore  # noqa: E402
from wattpact_protocol.crypto import x25519  # noqa: E402
from wattpact_protocol.encoding import cbor  # noqa: E402
from wattpact_protocol.log import chain, entry, kinds, readings  # noqa: E402
from wattpact_protocol.sync import datagram  # noqa: E402

from simulator.authors import Author, StandIn, named  # noqa: E402
from simulator.driving import Around, measure, power, receive, tick  # noqa: E402

START_S = 1_800_000_000
YEAR_S = 31_536_000
TICKS_A_STEP = 5  # a tick says one entry at the most


class PowerCut(Exception):
    """The meter lost power in the middle of what it did."""


class Flash:
    """What survives a power cut. cut_in: durable writes until the power goes, before or after the last takes effect."""

    def __init__(self, limit=100_000):
        self.entries = []
        self.first = 0
        self.values = {}
        self.limit = limit
        self.writes = 0
        self.cut_in = None
        self.cut_after = False

    def write(self, effect):
        self.writes += 1
        if self.cut_in is not None:
            self.cut_in -= 1
            if self.cut_in <= 0:
                self.cut_in = None
                if self.cut_after:
                    effect()
                raise PowerCut("at write %d" % self.writes)
        effect()


class Journal:
    def __init__(self, flash):
        self._flash = flash
        self.corrupt = False
        self.missing = []

    @property
    def first(self):
        return self._flash.first

    @property
    def next_sequence(self):
        return self._flash.first + len(self._flash.entries)

    def append(self, raw, sequence):
        assert sequence == self.next_sequence, "sequence %d is used twice or skipped" % sequence
        if len(self._flash.entries) >= self._flash.limit:
            raise JournalFull("full")
        self._flash.write(lambda: self._flash.entries.append(raw))

    def read(self, sequence):
        place = sequence - self._flash.first
        return self._flash.entries[place] if 0 <= place < len(self._flash.entries) else None

    def last(self):
        return self._flash.entries[-1] if self._flash.entries else None

    lost_to = 0

    def drop_broken(self):
        pass

    def skip_to(self, sequence):
        assert sequence == self.next_sequence

    def clear(self):
        def drop():
            self._flash.entries = []
            self._flash.first = 0

        self._flash.write(drop)

    def prune(self, before):
        count = min(before - self._flash.first, len(self._flash.entries) - 1)
        if count > 0:

            def drop():
                del self._flash.entries[:count]
                self._flash.first += count

            self._flash.write(drop)


class Store:
    """Keeps bytes, as flash does, so that nothing is shared with what the meter changes later."""

    def __init__(self, flash):
        self._flash = flash
        self.corrupt = {name for name, data in flash.values.items() if data is None}
        self.is_saving = False

    def load(self, name):
        data = self._flash.values.get(name)
        return None if data is None else cbor.decode(data, limit=MAX_VALUE_BYTES)

    def condemn(self, name):
        self._flash.values[name] = None
        self.corrupt.add(name)

    def save(self, name, value):
        self._write(name, cbor.encode(value))

    def save_steps(self, name, value):
        self.is_saving = True
        try:
            data = yield from cbor.encode_steps(value, 4)
        finally:
            self.is_saving = False
        self._write(name, data)

    def _write(self, name, data):
        assert len(data) <= MAX_VALUE_BYTES, "%s is %d bytes" % (name, len(data))

        def put():
            self._flash.values[name] = data

        self._flash.write(put)
        self.corrupt.discard(name)


class Settings:
    def __init__(self, root_public_key, step_s=5, intervals=1, rated_w=10_000):
        self.root_public_key = root_public_key
        self.step_s = step_s
        self.intervals = intervals
        self.rated_w = rated_w
        self.calibration_id = None


class Household:
    """A meter and what it is wired to. load(unix_ms, closed) -> W, import positive."""

    def __init__(self, community, name, load, step_s=5, intervals=1, limit=100_000, folder=None):
        self.community = community
        self.name = name
        self.load = load
        self.flash = Flash(limit)
        self.folder = folder  # where the meter's own journal and store keep files, instead of `flash`
        self.identity = named(name, community.crypto)
        self.kid = self.identity.kid
        self.urandom = Bits("chance of " + name).bytes
        self.settings = Settings(community.root.public_key, step_s, intervals)
        self.closed = False
        self.boots = 0
        self.boot_ms = 0
        self.at_ms = 0
        self.operations = []  # (unix ms, closed, reason)
        self.around = Around()
        self.clock_off_s = 0
        self.clock_known = True
        self.journal = None
        self.meter = None

    def now(self, world_ms):
        unix_s = START_S + world_ms // 1000 + self.clock_off_s if self.clock_known else None
        return Now(world_ms - self.boot_ms, unix_s)

    def boot(self, world_ms, power_failed=False):
        self.boot_ms = world_ms
        self.at_ms = world_ms
        self.boots += 1
        self.journal, store = Journal(self.flash), Store(self.flash)
        if self.folder:
            self.journal, store = FileJournal(self.folder + "/journal"), FileStore(self.folder + "/state")
        self.meter = Meter(
            self.identity, self.journal, store, self.settings, lambda n: n // 2, self.urandom,
            self.community.crypto.verify_steps,
        )  # fmt: skip
        self.meter.boot(self.now(world_ms), power_failed, self.closed)

    def step(self, world_ms):
        """Measure since the last step, let the guard decide, move the relay; the datagrams to send."""
        now = self.now(world_ms)
        watts = self.load(world_ms, self.closed)
        measure(self.meter, now, power(watts * 1000, (world_ms - self.at_ms) * 1000))
        self.at_ms = world_ms
        for _ in range(TICKS_A_STEP):
            self.around.sensed_closed = self.closed
            decision = tick(self.meter, now, self.around)
            if decision.operate:
                self.closed = decision.closed
                self.operations.append((world_ms, decision.closed, decision.reason))
            if decision.operate or self.meter.next_tick_ms(now) > now.uptime_ms:
                break
        return self.meter.pop_datagrams()

    def entries(self, kind=None):
        """What this meter has said and still holds, opened as the operator would."""
        journal = self.journal
        raws = [journal.read(sequence) for sequence in range(journal.first, journal.next_sequence)]
        decoded = [entry.decode(raw, self.community.id) for raw in raws if raw is not None]
        operator = self.community.operator
        for new in decoded:
            operator.follow(new)
        return [operator.unseal(new) for new in decoded if kind is None or new.kind == kind]


class Operator:
    """Opens what meters sealed, with the sealing secret of one reader and what their logs say of keys."""

    def __init__(self, community, reader):
        self._community = community
        self._reader = reader
        self._secrets = {}
        self._epochs = {}
        self._said = {}
        self.opening = unsealing.Unsealing(community.id, self._key_of)

    def follow(self, new):
        """Take note of an entry about keys: each number is used once."""
        if new.kind == kinds.KEY_EPOCH:
            place = (new.kid, new.generation, new.body["number"])
            self._once(kinds.KEY_EPOCH, place, new)
            try:
                reader = self._reader
                secret = epochs.unwrap(reader.key.sealing_secret, reader.kid, (self._community.id, new.kid), new.body)
            except period_keys.NoKeyError:
                secret = None
            self._secrets[place] = secret
        elif new.kind == kinds.KEY_OPEN:
            place = (new.kid, new.generation, new.body["key_no"])
            self._once(kinds.KEY_OPEN, place, new)
            self._epochs[place] = new.body["epoch"]
            assert self.opening.follow(new)

    def _once(self, kind, place, new):
        assert self._said.setdefault((kind,) + place, new.id) == new.id, "a number was used twice"

    def unseal(self, new):
        """The entry as it was measured, or as it is where this reader has no key."""
        try:
            return self.opening.unseal(new)
        except period_keys.NoKeyError:
            return new

    def _key_of(self, kid, generation, key_no):
        secret = self._secrets.get((kid, generation, self._epochs[kid, generation, key_no]))
        return None if secret is None else period_keys.period_key(secret, kid, key_no)


class Community:
    """The operator's keys and the host in one. rows are entries in order of arrival, opened; row n has cursor n + 1.

    sealed: whether its certificates have sealing keys."""

    def __init__(self, crypto=StandIn, grants=True, sealed=True):
        self.crypto = crypto
        self.sealed = sealed
        self.verify = crypto.verify
        self.id = None
        self.root = self.author("root")
        self.id = self.root.community_id
        self.inbox = b"stub-db0"
        self.rows = []
        self.authors = {}
        self.ids = {}
        self.refused = {}
        self.grants = grants
        self.grant_number = 0
        self.offers = {}
        self.acceptances = {}
        self.contracts = {}
        self.receipted = {}
        self.pending = {}
        self.heard_by = {}  # kid -> (cursors of what concerns it, rows that were looked at)
        self.now_s = START_S
        self.issuer = self.author("issuer")
        self.operator = Operator(self, self.issuer)
        self.host = self.author("host")
        self.certify(self.root, self.root, roles.ROOT)
        self.certify(self.issuer, self.root, roles.ISSUER)
        self.certify(self.host, self.issuer, roles.HOST)

    def author(self, name):
        """A key that nobody certified yet."""
        return Author(named(name, self.crypto), self.id, name)

    # What the operator and the people sign

    def certify(self, subject, signer, role, version=1, **more):
        body = {
            "version": version, "public_key": subject.public_key, "role": role, "label": "x", "generation": 0,
            "epoch": 0, "not_before_s": START_S - 10, "not_after_s": START_S + YEAR_S, "assurance": 0,
        }  # fmt: skip
        if self.sealed and role in (roles.ISSUER, roles.PERSON):
            body["sealing_key"] = x25519.public_key(subject.key.sealing_secret)
        body.update(more)
        new = self.publish(signer, kinds.CERTIFICATE, body)
        is_first = subject.certificate_id == entry.NO_PREVIOUS and subject is not signer
        if is_first or body["generation"] > subject.generation:
            subject.begin(body["generation"], new.id)
        subject.chained = role != roles.PERSON
        subject.certificate_id, subject.certificate = new.id, new
        self.authors[subject.kid] = subject
        return new

    def publish(self, author, kind, body, stamp_s=None):
        """An entry of the operator's own, stored."""
        new = author.publish(kind, body, self.now_s if stamp_s is None else stamp_s)
        self.keep(new)
        return new

    def person(self, name):
        person = self.author(name)
        self.certify(person, self.issuer, roles.PERSON)
        return person

    def enrol(self, household, owner=None):
        subject = self.author(household.name)
        more = {"rated_w": 10_000}
        if owner is not None:
            more["owner"] = owner.kid
        return self.certify(subject, self.issuer, roles.METER, **more)

    def enrol_again(self, household, owner, **more):
        """A newer certificate for a meter, with another owner."""
        subject = self.authors[household.kid]
        version = subject.certificate.body["version"] + 1
        more = dict(more, rated_w=10_000, owner=owner.kid)
        return self.certify(subject, self.issuer, roles.METER, version, **more)

    def order(self, person, kind, body, name):
        """An order of a person: no log, but an id and an expiry."""
        body = dict(body)
        body["order_id"] = hashlib.sha256(name.encode()).digest()[:8]
        body.setdefault("expires_s", self.now_s + 3600)
        new = person.publish(kind, body, self.now_s)
        self.keep(new)
        return new

    def mandate(self, person, household, side, limit, wh, name, **more):
        body = {
            "meter": household.kid, "side": side, "limit_micro_per_kwh": limit, "wh": wh, "max_w": 8000,
            "start_s": self.now_s, "end_s": self.now_s + 1800,
        }  # fmt: skip
        body.update(more)
        return self.order(person, kinds.MANDATE, body, name)

    def demo_policy(self, **more):
        body = {
            "version": 1, "emergency_credit_wh": 0, "quiet_hours": False, "quiet_weekends": False,
            "warn_wait_max_s": 0, "reconnect_wait_max_s": 0, "consent_required": False,
        }  # fmt: skip
        body.update(more)
        return self.publish(self.issuer, kinds.POLICY, body)

    def grant(self, contract_id, offer, acceptance, **more):
        self.grant_number += 1
        body = {
            "number": self.grant_number, "meter": acceptance.kid, "contract": contract_id, "wh": acceptance.body["wh"],
            "max_w": offer.body["max_w"], "from_s": offer.body["start_s"], "to_s": offer.body["end_s"],
            "price_micro_per_kwh": offer.body["price_micro_per_kwh"], "priority": acceptance.body["priority"],
            "start_by_s": offer.body["start_s"] + acceptance.body["start_timeout_s"], "default_supply": False,
        }  # fmt: skip
        body.update(more)
        return self.publish(self.issuer, kinds.GRANT, body)

    def give(self, household, wh, **more):
        """A grant by itself, whose contract the meter has never heard of."""
        self.grant_number += 1
        contract = hashlib.sha256(b"%d" % self.grant_number).digest()
        body = {
            "number": self.grant_number, "meter": household.kid, "contract": contract,
            "wh": wh, "max_w": 10_000, "from_s": self.now_s, "to_s": self.now_s + 600, "price_micro_per_kwh": 200_000,
            "priority": 1, "start_by_s": self.now_s + 600, "default_supply": False,
        }  # fmt: skip
        body.update(more)
        return self.publish(self.issuer, kinds.GRANT, body)

    # What the host keeps

    def keep(self, new):
        self.operator.follow(new)
        new = self.operator.unseal(new)
        self.rows.append(new)
        self.ids[new.kid, new.generation, new.sequence] = new.id
        if new.kind == kinds.OFFER:
            self.offers[new.id] = new
        elif new.kind == kinds.ACCEPTANCE:
            self.acceptances[new.id] = new
        elif new.kind == kinds.CONTRACT:
            self.contracts[new.id] = new
            acceptance = self.acceptances[new.body["acceptance"]]
            if self.grants:
                self.grant(new.id, self.offers[acceptance.body["offer"]], acceptance)

    def refuse(self, reason):
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def take_entry(self, raw):
        try:
            new = entry.decode(raw, self.id)
        except entry.EntryError:
            return self.refuse("entry_malformed")
        author = self.authors.get(new.kid)
        if author is None:
            return self.refuse("unknown_author")
        verdict = chain.judge(author.head, new, self.ids.get((new.kid, new.generation, new.sequence)))
        if verdict == reasons.FORK and not self.verify(author.public_key, new.signed, new.signature):
            return self.refuse("bad_signature")
        assert verdict != reasons.FORK, "two entries at %r" % new
        if verdict != chain.NEXT:
            return self.refuse(verdict)
        if not self.verify(author.public_key, new.signed, new.signature):
            return self.refuse("bad_signature")
        author.head.accept(new)
        self.keep(new)
        if new.sequence % 16 == 15:
            receipt = {"author": new.kid, "generation": new.generation, "sequence": new.sequence, "head": new.id}
            self.publish(self.host, kinds.RECEIPT, receipt)

    def concerns(self, new, kid):
        """Whether a meter is to hear this entry."""
        kind, body = new.kind, new.body
        if kind in (kinds.CERTIFICATE, kinds.COMMUNITY):
            return True
        if kind in (kinds.MANDATE, kinds.GRANT):
            return body["meter"] == kid
        if kind == kinds.POLICY:
            return body.get("meter", kid) == kid
        if kind in (kinds.OFFER, kinds.DEMAND):
            return new.kid != kid and body["valid_until_s"] >= self.now_s
        if kind == kinds.ACCEPTANCE:
            return self.offers[body["offer"]].kid == kid
        if kind == kinds.CONTRACT:
            return self.acceptances[body["acceptance"]].kid == kid
        if kind == kinds.RECEIPT:
            return body["author"] == kid
        return kind == kinds.TERMINATE

    def tell(self, kid, inbox, cursor, limit=8):
        """INBOX datagrams for a meter that stands at that cursor; from the start where it is none of this store's."""
        relevant, seen = self.heard_by.get(kid, ([], 0))
        relevant += [place + 1 for place, new in enumerate(self.rows[seen:], seen) if self.concerns(new, kid)]
        self.heard_by[kid] = (relevant, len(self.rows))
        if inbox != self.inbox or cursor > len(self.rows) or (cursor and cursor not in relevant):
            cursor = 0
        told = []
        first = relevant.index(cursor) + 1 if cursor else 0
        for place in relevant[first : first + limit]:
            body = [self.inbox, cursor, place, self.rows[place - 1].raw]
            told.append(datagram.encode(datagram.INBOX, self.id, body))
            cursor = place
        return told

    def receive_datagram(self, data, sender):
        """The answers to a datagram of the meter with that kid."""
        try:
            kind, body = datagram.decode(data, self.id)
        except datagram.DatagramError as error:
            self.refuse(str(error))
            return []
        if kind == datagram.ENROL:
            self.pending[sender] = body
            return []
        author = self.authors.get(sender)
        if author is None:
            return []
        if kind == datagram.ENTRY:
            self.take_entry(body)
        answers = [datagram.encode(datagram.HEAD, self.id, [sender, author.head.generation, author.head.next_sequence])]
        if kind == datagram.DIGEST and body[0] == sender:
            answers += self.tell(sender, body[3], body[4])
        return answers


class Network:
    """Carries datagrams with a delay; loses, repeats, reorders and damages some, by permille and a seeded generator."""

    def __init__(self, bits=None, lose=0, repeat=0, damage=0, delay_ms=20, jitter_ms=0):
        self.bits = bits
        self.lose, self.repeat, self.damage = lose, repeat, damage
        self.delay_ms, self.jitter_ms = delay_ms, jitter_ms
        self.up = True
        self._under_way = []
        self._count = 0

    def send(self, to, data, world_ms):
        if not self.up or (self.lose and self.bits.below(1000) < self.lose):
            return
        copies = 2 if self.repeat and self.bits.below(1000) < self.repeat else 1
        for _ in range(copies):
            if self.damage and self.bits.below(1000) < self.damage:
                place = self.bits.below(len(data))
                data = data[:place] + bytes([data[place] ^ (1 << self.bits.below(8))]) + data[place + 1 :]
            late_ms = self.delay_ms + (self.bits.below(self.jitter_ms) if self.jitter_ms else 0)
            self._count += 1
            self._under_way.append((world_ms + late_ms, self._count, to, data))

    def arrivals(self, world_ms):
        due = sorted([packet for packet in self._under_way if packet[0] <= world_ms], key=lambda packet: packet[:2])
        self._under_way = [packet for packet in self._under_way if packet[0] > world_ms]
        return [(to, data) for _, _, to, data in due]


class World:
    """Houses, a host and the network between them, in steps of virtual time."""

    def __init__(self, community, households, network=None, step_ms=100):
        self.community = community
        self.households = households
        self.network = network or Network()
        self.step_ms = step_ms
        self.ms = 0
        self.on_cut = None  # called with the household whose power went; None: it is a failure
        for household in households:
            if household.meter is None:
                household.boot(0)

    def step(self):
        self.ms += self.step_ms
        self.community.now_s = START_S + self.ms // 1000
        for to, data in self.network.arrivals(self.ms):
            if isinstance(to, Household):
                self._guarded(
                    to, lambda household=to, told=data: receive(household.meter, household.now(self.ms), told)
                )
            else:
                household = to[0]
                for answer in self.community.receive_datagram(data, household.kid):
                    self.network.send(household, answer, self.ms)
        for household in self.households:
            datagrams = self._guarded(household, lambda household=household: household.step(self.ms))
            for data in datagrams or []:
                self.network.send((household,), data, self.ms)

    def _guarded(self, household, action):
        try:
            return action()
        except PowerCut:
            if self.on_cut is None:
                raise
            self.on_cut(household)
            return None

    def run(self, seconds):
        end_ms = self.ms + seconds * 1000
        while self.ms < end_ms:
            self.step()

    def run_until(self, condition, seconds):
        """Step until the condition holds; how many ms that took. Fails after so many seconds."""
        start_ms = self.ms
        while not condition():
            assert self.ms - start_ms < seconds * 1000, "not within %d s" % seconds
            self.step()
        return self.ms - start_ms


def alone(load=lambda ms, closed: 0, step_ms=100, policy=True, **settings):
    """(World, Community, Household) of one enrolled meter with an owner."""
    community = Community()
    household = Household(community, "alone", load, **settings)
    world = World(community, [household], step_ms=step_ms)
    world.owner = community.person("owner")
    community.enrol(household, world.owner)
    if policy:
        community.demo_policy()
    return world, community, household


def attributed(household):
    """Contract -> Wh, as the newest usage entries of a household say."""
    found = {}
    for new in household.entries():
        if new.kind in (kinds.USAGE, kinds.USAGE_END):
            found[new.body["contract"]] = new.body["attributed_wh"]
    return found


def last_reading(household):
    said = household.entries(kinds.READING)
    return said[-1].body if said else None


def import_at_end(body):
    return readings.end_value(body, readings.IMPORT_WH)
