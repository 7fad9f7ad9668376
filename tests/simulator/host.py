"""A community with real keys, for tests: its store, its ingest, and authors that sign what they are told to.

    community = Community(tmp_path)
    house = community.person("House 1")
    meter = community.meter("House 1 solar", owner=house)
    meter.publish("reading", readings_body(T0, [(5, 0), (4, 0)]), T0 + 30)     a signed entry, next of the meter's log
    community.take([...])                                                  verdicts of the ingest; then what can be
                                                                           opened is measured, as a node does

Meters seal what they measure unless told otherwise: their first two entries open a key, and are taken in at once.
Keys come from their names, so the same test signs the same bytes each time.
"""

from pathlib import Path

from wattpact.ingest.pipeline import STORED, Ingest
from wattpact.keys import Signer
from wattpact.membership import members
from wattpact.projections.follow import Projections
from wattpact.projections.unsealing import Unsealer
from wattpact.store.publishing import publish
from wattpact.store.sqlite.store import Store
from wattpact_protocol.log import entry, ids, kinds, roles
from wattpact_protocol.sealing import content, epochs, period_keys

from simulator.authors import Author

T0 = 1_790_000_000
TERMS = members.FoundingTerms("Sun Street", "EUR", "Europe/Berlin", 900, 300_000, 80_000)


def key(name):
    """The signer whose seed is the hash of its name."""
    return Signer(ids.sha256(b"test key " + name.encode()), name)


def readings_body(t0_s, steps, start=(0, 0), step_s=15, **more):
    """The body of a reading: (import, export) Wh of each step, from start registers."""
    registers = {1: [start[0], [step[0] for step in steps]], 2: [start[1], [step[1] for step in steps]]}
    for number, value in more.pop("instantaneous", {}).items():
        registers[number] = [value, []]
    return {
        "register_generation": 0, "t0_s": t0_s, "step_s": step_s, "quality": 0, "calibration": None,
        "registers": registers, "bad_mask": 0, **more,
    }  # fmt: skip


def value_of(steps):
    """What a generator of steps comes to."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


class EnrolledAuthor(Author):
    """An author of a community with a store; it seals what it measured once it opened a key."""

    def __init__(self, community_id, signer, certificate, certificate_id):
        super().__init__(signer, community_id, signer.name)
        self.certificate = certificate
        self.certificate_id = certificate_id
        self.chained = certificate["role"] != roles.PERSON
        self.begin(certificate["generation"], certificate_id)
        self.registers = (0, 0)
        self.epoch = 0
        self.secret = b""
        self.key_no = 0

    def begin_epoch(self, readers, t):
        """A KEY_EPOCH: a new secret, for those signers."""
        self.epoch += 1
        self.secret = ids.sha256(b"test secret" + self.kid + bytes([self.epoch]))
        wanted = [(reader.kid, reader.sealing_key) for reader in readers]
        place = (self.community_id, self.kid)
        return self.publish(
            "key_epoch", value_of(epochs.wrap_steps(self.secret, self.secret[::-1], self.epoch, place, wanted)), t
        )

    def open_key(self, t, **more):
        """A KEY_OPEN: what is measured from now on is sealed with the next key."""
        self.key_no += 1
        body = {"key_no": self.key_no, "epoch": self.epoch, "commitment": period_keys.commitment(self.period_key)}
        return self.publish("key_open", {**body, **more}, t)

    @property
    def period_key(self):
        return period_keys.period_key(self.secret, self.kid, self.key_no)

    def seal(self, kind, body):
        """The body as it travels; one that says nothing measured, or is sealed, stays as it is."""
        if kinds.SEALED in body or not (kind == kinds.READING or set(body) & set(kinds.SEALABLE.get(kind, ()))):
            return body
        place = (self.community_id, self.kid, self.generation)
        try:
            return content.seal_body(self.period_key, self.key_no, place, kind, body)
        except ValueError as error:
            raise entry.EntryError(str(error)) from None

    def publish(self, kind, body, unix_s, clock_status=None):
        number = kinds.KINDS[kind] if isinstance(kind, str) else kind
        return super().publish(number, self.seal(number, body) if self.key_no else body, unix_s, clock_status)

    def reading(self, t0_s, steps, step_s=15, **more):
        """The next reading: registers go on from the last one's."""
        body = readings_body(t0_s, steps, self.registers, step_s, **more)
        imported, exported = self.registers
        self.registers = (imported + sum(s[0] for s in steps), exported + sum(s[1] for s in steps))
        return self.publish("reading", body, t0_s + step_s * len(steps))


class Community:
    """Root, issuer and host, a store at directory/wattpact.db and an ingest whose clock is `now_s`.

    `readers` are those whose keys open what is sealed here: the issuer, unless said otherwise."""

    def __init__(self, directory: Path, now_s=T0, terms=TERMS, threads=None, seals=True, readers=None):
        self.keys = {name: key(name) for name in ("root", "issuer", "host")}
        self.root, self.issuer, self.host = self.keys["root"], self.keys["issuer"], self.keys["host"]
        self.id = ids.community_id(self.root.public_key)
        self.path = Path(directory) / "wattpact.db"
        self.now_s = now_s
        self._threads = threads
        self.seals = seals
        self.readers = [self.issuer] if readers is None else readers
        self.open()
        members.found_community(self.store, self.keys, terms, now_s)

    def open(self):
        self.store = Store(self.path, self.id)
        self.pipeline = Ingest(self.store, self.root.public_key, lambda: self.now_s, self._threads)
        self.unsealer = Unsealer(self.store, self.readers)
        self.projections = Projections(self.store, self.unsealer, self.pipeline.rejections, lambda: self.now_s)

    def reopen(self):
        """As after a restart: nothing but the files remains."""
        self.close()
        self.open()

    def close(self):
        self.pipeline.close()
        self.store.close()

    def person(self, label):
        signer = key(f"person {label}")
        return self._author(signer, members.enrol_person(self.store, self.issuer, signer, label, self.now_s))

    def meter(self, label, owner=None, rated_w=11_000, seals=None, **more):
        signer = key(label)
        owner = self.person(f"owner of {label}"[:32]) if owner is None else owner
        arguments = (self.store, self.issuer, signer.public_key, label, owner.kid, self.now_s)
        author = self._author(signer, members.enrol_meter(*arguments, rated_w=rated_w, **more))
        author.owner = owner
        if self.seals if seals is None else seals:
            readers = [self.issuer, owner.key]
            self.stored(author.begin_epoch(readers, self.now_s), author.open_key(self.now_s))
        return author

    def _author(self, signer, certificate):
        return EnrolledAuthor(self.id, signer, certificate.body, certificate.id)

    def publish(self, signer, kind, body):
        """What a key of the community's own says now: `community.publish(community.issuer, "policy", {...})`."""
        return publish(self.store, signer, kinds.KINDS[kind], body, self.now_s)

    def take(self, entries, source="test"):
        verdicts = self.pipeline.ingest([getattr(new, "raw", new) for new in entries], source)
        self.projections.follow()
        return verdicts

    def open_entry(self, row):
        """A stored row as who has the readers' keys reads it."""
        return self.unsealer.look(entry.decode(row.raw, self.id))

    def stored(self, *entries):
        """Take entries in and insist that each was stored; gives the last."""
        verdicts = self.take(entries)
        assert [verdict.reason for verdict in verdicts] == [STORED] * len(entries), verdicts
        return entries[-1]

    def reasons(self, entries, source="test"):
        return [verdict.reason for verdict in self.take(entries, source)]


def mandate(meter, side, order=1, t=T0, **more):
    """The body of an owner's order: 40 Wh within the hour, to sell at 0.18 or to buy at 0.25."""
    limit = 180_000 if side == kinds.SELL else 250_000
    return {
        "order_id": order.to_bytes(8, "big"), "expires_s": t + 3600, "meter": meter.kid, "side": side,
        "limit_micro_per_kwh": limit, "wh": 40, "max_w": 8000, "start_s": t, "end_s": t + 3600, **more,
    }  # fmt: skip


class Deal:
    """All that leads to a contract between two meters, signed and not taken in yet: `entries` in their order."""

    def __init__(self, supplier, consumer, order=1, t=T0, sell=None, buy=None, offer=None, acceptance=None):
        self.sell = supplier.owner.publish("mandate", {**mandate(supplier, kinds.SELL, order, t), **(sell or {})}, t)
        self.buy = consumer.owner.publish("mandate", {**mandate(consumer, kinds.BUY, order, t), **(buy or {})}, t)
        terms = {"price_micro_per_kwh": 180_000, "wh": 40, "max_w": 8000, "start_s": t, "end_s": t + 3600}
        said = {**terms, "valid_until_s": t + 3600, "mandate": self.sell.id, **(offer or {})}
        self.offer = supplier.publish("offer", said, t)
        self.demand = consumer.publish("demand", {**terms, "valid_until_s": t + 3600, "mandate": self.buy.id}, t)
        said = {"offer": self.offer.id, "wh": 40, "priority": 1, "start_timeout_s": 600, "demand": self.demand.id}
        self.acceptance = consumer.publish("acceptance", {**said, **(acceptance or {})}, t + 1)
        self.contract = supplier.publish("contract", {"acceptance": self.acceptance.id}, t + 1)

    @property
    def entries(self):
        return [self.sell, self.buy, self.offer, self.demand, self.acceptance, self.contract]
