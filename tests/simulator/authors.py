"""Who signs in a simulated community: a key, and an author with the place of its next entry. Runs on both Pythons.

author = Author(Key(seed), community)            stand-in signatures, which cost nothing; Key(seed, REAL): Ed25519
author.publish(kinds.EVENT, {"code": 1}, now_s)  the next entry of its log, or an order where it has none
author.sign_at(kind, body, place, now_s)         an entry at any (generation, sequence, previous)
author.begin_epoch(readers, now_s)               KEY_EPOCH and KEY_OPEN, after which it seals what it measures
author.open_key(now_s)
"""

from wattpact_protocol import steps
from wattpact_protocol.crypto import ed25519, x25519
from wattpact_protocol.log import chain, entry, ids, kinds, roles
from wattpact_protocol.sealing import content, epochs, period_keys

from simulator import bodies

REAL = ed25519
ROOT_SEED = bytes([7]) * 32


class StandIn:
    """Signatures that anyone can make and that name key and message: for tests of everything but cryptography."""

    @staticmethod
    def public_key(seed):
        return ids.sha256(b"public" + seed)

    @staticmethod
    def sign(seed, message):
        return StandIn._signature(StandIn.public_key(seed), message)

    @staticmethod
    def verify(public_key, message, signature):
        return signature == StandIn._signature(public_key, message)

    @staticmethod
    def sign_steps(seed, message):
        yield
        return StandIn.sign(seed, message)

    @staticmethod
    def verify_steps(public_key, message, signature):
        yield
        return StandIn.verify(public_key, message, signature)

    @staticmethod
    def _signature(public_key, message):
        digest = ids.sha256(public_key + message)
        return digest + digest


class Key:
    """A seed and what signs with it: the identity of a meter under test, or a host's Signer without a file."""

    def __init__(self, seed, crypto=StandIn):
        self.seed = seed
        self.code = seed[:16]
        self._crypto = crypto
        self._sealing_key = None
        self.public_key = crypto.public_key(seed)
        self.kid = ids.kid_of(self.public_key)

    def sign(self, message):
        return self._crypto.sign(self.seed, message)

    def sign_steps(self, message):
        return self._crypto.sign_steps(self.seed, message)

    def verify(self, public_key, message, signature):
        return self._crypto.verify(public_key, message, signature)

    @property
    def sealing_secret(self):
        return period_keys.sealing_secret(self.seed)

    @property
    def sealing_key(self):
        """What meters wrap the secrets of their epochs for."""
        if self._sealing_key is None:
            self._sealing_key = x25519.public_key(self.sealing_secret)
        return self._sealing_key

    def unwrap(self, body, community, meter):
        """The secret of the epoch that a meter's KEY_EPOCH gives; raises NoKeyError, SealError."""
        return epochs.unwrap(self.sealing_secret, self.kid, (community, meter), body)


def named(name, crypto=StandIn):
    """The key whose seed is the hash of its name."""
    return Key(ids.sha256(name.encode()), crypto)


class Author:
    """A key and the end of its log. key: a Key, or a host's Signer; community: its id, else that of this key as root.

    A person has no log (`chained` is false): each of its entries is an order, whose place names its certificate."""

    def __init__(self, key, community=None, name=""):
        self.key = key
        self.name = name
        self.public_key = key.public_key
        self.kid = key.kid
        self.sign = key.sign
        self.community_id = community or ids.community_id(key.public_key)
        self.chained = True
        self.owner = None
        self.certificate = None  # the newest, an entry
        self.certificate_id = entry.NO_PREVIOUS
        self.registers = (0, 0)
        self._orders = 0
        self.begin(0, entry.NO_PREVIOUS)

    @classmethod
    def certified(cls, key, community, certificate):
        """The author of a key with a certificate, wherever that was published: its entry, or a store's row of it."""
        made = cls(key, community, certificate.body["label"])
        made.accept(certificate)
        return made

    def accept(self, certificate):
        """A certificate of this author: its log begins where it gives a generation that the log is not of."""
        body = certificate.body
        first = self.certificate is None or body["generation"] != self.generation
        if first and body["role"] != roles.ROOT:  # whose certificate is the first entry of its own log
            self.begin(body["generation"], certificate.id)
        self.certificate, self.certificate_id = certificate, certificate.id
        self.chained = body["role"] != roles.PERSON

    @property
    def sealing_key(self):
        return self.key.sealing_key

    def unwrap(self, body, community, meter):
        return self.key.unwrap(body, community, meter)

    @property
    def generation(self):
        return self.head.generation

    @property
    def sequence(self):
        """Of the next entry."""
        return self.head.next_sequence

    @property
    def previous(self):
        return self.head.previous

    @property
    def place(self):
        """(generation, sequence, previous) of the next entry."""
        if not self.chained:
            return (0, 0, self.certificate_id)
        return (self.generation, self.sequence, self.previous)

    @place.setter
    def place(self, place):
        self.head.generation, self.head.next_sequence, self.head.previous = place

    def begin(self, generation, certificate_id):
        """A log without an entry, that follows this certificate; no key is open in it."""
        self.head = chain.start(self.kid, generation, certificate_id)
        self.epoch = self.key_no = 0
        self.secret = self.period_key = b""
        self.key_day = None  # of the open key, where a key opens for each day

    def order_id(self):
        """For an order of this author: another one each time."""
        self._orders += 1
        return self._orders.to_bytes(8, "big")

    def sign_at(self, kind, body, place, unix_s=1000, clock_status=None):
        """An entry at (generation, sequence, previous), whatever the log's head is; kind: its number or its name."""
        if clock_status is None:
            clock_status = entry.CLOCK_INVALID if unix_s is None else 0
        stamp = entry.Stamp(1, 5, unix_s, clock_status)
        return entry.sign(_number(kind), body, place, stamp, self.kid, self.community_id, self.sign)

    def publish(self, kind, body, unix_s=1000, clock_status=None):
        """The next entry of the log, or an order of a person's; sealed where it is to be and a key is open."""
        if self.key_no:
            body = self.seal(kind, body)
        new = self.sign_at(kind, body, self.place, unix_s, clock_status)
        if self.chained:
            self.head.accept(new)
        return new

    def reading(self, t0_s, steps, step_s=15, **more):
        """The next reading: (import, export) Wh of each step, and registers go on from the last one's."""
        body = bodies.reading_of(t0_s, steps, self.registers, step_s, **more)
        imported, exported = self.registers
        self.registers = (imported + sum([step[0] for step in steps]), exported + sum([step[1] for step in steps]))
        return self.publish("reading", body, t0_s + step_s * len(steps))

    # Sealing

    def begin_epoch(self, readers, unix_s):
        """A KEY_EPOCH: a new secret, for those keys or authors."""
        self.epoch += 1
        seed = b"secret" + self.kid + self.generation.to_bytes(4, "big") + self.epoch.to_bytes(4, "big")
        self.secret = ids.sha256(seed)
        wanted = [(reader.kid, reader.sealing_key) for reader in readers]
        ephemeral, place = ids.sha256(self.secret), (self.community_id, self.kid)
        body = steps.finish(epochs.wrap_steps(self.secret, ephemeral, self.epoch, place, wanted))
        return self.publish("key_epoch", body, unix_s)

    def open_key(self, unix_s, key=None, **more):
        """A KEY_OPEN: what is measured from now on is sealed with the epoch's next key, or with another."""
        self.key_no += 1
        self.period_key = key or period_keys.period_key(self.secret, self.kid, self.key_no)
        body = {
            "key_no": self.key_no, "epoch": self.epoch, "commitment": period_keys.commitment(self.period_key),
        }  # fmt: skip
        body.update(more)
        return self.publish("key_open", body, unix_s)

    def seal(self, kind, body):
        """The body as it travels; one of which nothing is to be sealed, or that is sealed, is left as it is."""
        if not is_to_be_sealed(kind, body):
            return body
        place = (self.community_id, self.kid, self.generation)
        try:
            return content.seal_body(self.period_key, self.key_no, place, _number(kind), body)
        except ValueError as error:
            raise entry.EntryError(str(error))


def is_to_be_sealed(kind, body):
    """Whether a meter that seals publishes this only sealed; a body that is sealed already is published as it is."""
    kind = _number(kind)
    if kinds.SEALED in body:
        return False
    return kind == kinds.READING or any(name in body for name in kinds.SEALABLE.get(kind, ()))


def _number(kind):
    return kinds.KINDS[kind] if isinstance(kind, str) else kind
