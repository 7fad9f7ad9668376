"""Who signs in a simulated community: a key, and an author with the place of its next entry. Runs on both Pythons.

author = Author(Key(seed), community)            stand-in signatures, which cost nothing; Key(seed, REAL): Ed25519
author.publish(kinds.EVENT, {"code": 1}, now_s)  the next entry of its log, or an order where it has none
author.sign_at(kind, body, place, now_s)         an entry at any (generation, sequence, previous)
"""

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import chain, entry, ids, kinds
from wattpact_protocol.sealing import period_keys

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
    """A seed and what signs with it; a meter under test has one for its identity."""

    def __init__(self, seed, crypto=StandIn):
        self.seed = seed
        self.code = seed[:16]
        self._crypto = crypto
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
        self.certificate_id = entry.NO_PREVIOUS
        self.head = chain.start(self.kid, 0, entry.NO_PREVIOUS)

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
        """A log without an entry, that follows this certificate."""
        self.head = chain.start(self.kid, generation, certificate_id)

    def sign_at(self, kind, body, place, unix_s=1000, clock_status=None):
        """An entry at (generation, sequence, previous), whatever the log's head is; kind: its number or its name."""
        if isinstance(kind, str):
            kind = kinds.KINDS[kind]
        if clock_status is None:
            clock_status = entry.CLOCK_INVALID if unix_s is None else 0
        stamp = entry.Stamp(1, 5, unix_s, clock_status)
        return entry.sign(kind, body, place, stamp, self.kid, self.community_id, self.sign)

    def publish(self, kind, body, unix_s=1000, clock_status=None):
        """The next entry of the log, or an order of a person's."""
        new = self.sign_at(kind, body, self.place, unix_s, clock_status)
        if self.chained:
            self.head.accept(new)
        return new
