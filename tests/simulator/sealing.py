"""A community whose meters seal: each opens a key for the day before it says what it measured, with real sealing.

community = SealedCommunity(900, ed25519=ed25519)
community.reading(meter, ...)        KEY_EPOCH and KEY_OPEN where they are due, then the reading, sealed
community.opened()                   every entry as who has the keys reads it
community.disclosure(...)            keys of key periods, as an auditor gets them
"""

import hashlib

from wattpact.bundle.disclosure import Disclosure, PeriodKey
from wattpact_protocol import steps
from wattpact_protocol.crypto import x25519
from wattpact_protocol.log import kinds, roles
from wattpact_protocol.sealing import content, epochs, period_keys, unsealing

from simulator.community import Community

DAY_S = 86400


def sealing_key(author):
    return x25519.public_key(author.key.sealing_secret)


class _Sealing:
    """What a meter seals with."""

    def __init__(self):
        self.epoch = 0
        self.key_no = 0
        self.day = None
        self.generation = 0
        self.secrets = {}


class SealedCommunity(Community):
    def __init__(self, *arguments, **named):
        self._sealing = {}
        self.keys = {}  # (kid, generation, key_no): the key
        super().__init__(*arguments, **named)

    def certify(self, who, by, role, *arguments, **more):
        if role in (roles.ISSUER, roles.PERSON):
            more["sealing_key"] = sealing_key(who)
        made = super().certify(who, by, role, *arguments, **more)
        if role == roles.METER:
            self._sealing.setdefault(who.kid, _Sealing())
            who.owner = next((one for one in self.by_name.values() if one.kid == more.get("owner")), None)
        return made

    def publish(self, who, kind, body, unix_s=None, clock_status=0):
        given = {} if unix_s is None else {"unix_s": unix_s}
        if who.kid in self._sealing and is_to_be_sealed(kind, body):
            body = self.seal(who, kind, body, given)
        return super().publish(who, kind, body, clock_status=clock_status, **given)

    def seal(self, meter, kind, body, given):
        state = self._sealing[meter.kid]
        day = given.get("unix_s", 0) // DAY_S
        if state.generation != meter.generation:
            state.generation, state.key_no, state.day = meter.generation, 0, None
        if not state.epoch:
            self.begin_epoch(meter, given)
        if state.day != day:
            state.day = day
            self.open_key(meter, given)
        place = (self.id, meter.kid, meter.generation)
        key = self.keys[meter.kid, meter.generation, state.key_no]
        return content.seal_body(key, state.key_no, place, kind, body)

    def begin_epoch(self, meter, given):
        """A new secret for the issuer and the owner."""
        state = self._sealing[meter.kid]
        state.epoch += 1
        state.day = None
        secret = hashlib.sha256(meter.key.seed + b"epoch" + bytes([state.epoch])).digest()
        state.secrets[state.epoch] = secret
        readers = [(one.kid, sealing_key(one)) for one in (self.issuer, meter.owner) if one is not None]
        ephemeral = hashlib.sha256(secret).digest()
        body = steps.finish(epochs.wrap_steps(secret, ephemeral, state.epoch, (self.id, meter.kid), readers))
        super().publish(meter, kinds.KEY_EPOCH, body, **given)

    def open_key(self, meter, given, key=None):
        """The next number, committed to the epoch's key, or to another that is given."""
        state = self._sealing[meter.kid]
        state.key_no += 1
        own = period_keys.period_key(state.secrets[state.epoch], meter.kid, state.key_no)
        self.keys[meter.kid, meter.generation, state.key_no] = own if key is None else key
        body = {"key_no": state.key_no, "epoch": state.epoch, "commitment": period_keys.commitment(key or own)}
        return super().publish(meter, kinds.KEY_OPEN, body, **given)

    # What who has the keys sees

    def opened(self):
        """All entries, opened with what was committed to before each; what does not open is as it is."""
        opening, found = unsealing.Unsealing(self.id, lambda *place: self.keys.get(place)), []
        for new in self.entries:
            if new.kind == kinds.KEY_OPEN:
                opening.follow(new)
            try:
                found.append(opening.unseal(new))
            except period_keys.SealError:
                found.append(new)
        return found

    def disclosure(self, places=None, name="all.keys"):
        """The keys of these key periods, or of all."""
        wanted = sorted(self.keys) if places is None else places
        return Disclosure(self.id, [PeriodKey(*place, self.keys[place], 0, 1) for place in wanted], name)


def is_to_be_sealed(kind, body):
    """What a meter that seals does not say openly; a body that is sealed already is said as it is."""
    if kinds.SEALED in body:
        return False
    return kind == kinds.READING or any(name in body for name in kinds.SEALABLE.get(kind, ()))
