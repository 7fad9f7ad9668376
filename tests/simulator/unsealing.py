"""What readers can read of what meters sealed: the tests' one unsealing. Runs on both Pythons."""

from wattpact_protocol.log import kinds
from wattpact_protocol.sealing import period_keys, unsealing


class Unsealer:
    """Follows entries about keys, and unseals with the secrets that are wrapped for `readers` (keys or authors).

    `keys` are further ones that are known: (kid, generation, key_no): key."""

    def __init__(self, community_id, readers=(), keys=None):
        self.community_id = community_id
        self.readers = readers
        self.keys = {} if keys is None else keys
        self.unsealing = unsealing.Unsealing(community_id, self._key_of)
        self.numbers = {}  # (kind, kid, generation, number): id of the entry that used it first
        self._secrets = {}
        self._epochs = {}

    def follow(self, new):
        """Take note of an entry about keys; whether its number was not used before."""
        if new.kind not in (kinds.KEY_EPOCH, kinds.KEY_OPEN):
            return True
        number = new.body["number" if new.kind == kinds.KEY_EPOCH else "key_no"]
        place = (new.kid, new.generation, number)
        first = self.numbers.setdefault((new.kind,) + place, new.id) == new.id
        if new.kind == kinds.KEY_OPEN:
            self._epochs.setdefault(place, new.body["epoch"])
            return self.unsealing.follow(new) and first
        if first:
            self._secrets[place] = self._unwrapped(new)
        return first

    def unseal(self, new):
        """The entry as it was measured, or as it is where there is no key. Raises SealError for a seal that is bad."""
        try:
            return self.unsealing.unseal(new)
        except period_keys.NoKeyError:
            return new

    def all(self, entries):
        """Each entry unsealed with what its log committed to before it, or as it is where it does not unseal."""
        found = []
        for new in entries:
            self.follow(new)
            try:
                found.append(self.unseal(new))
            except period_keys.SealError:
                found.append(new)
        return found

    def _unwrapped(self, new):
        for reader in self.readers:
            try:
                return reader.unwrap(new.body, self.community_id, new.kid)
            except period_keys.NoKeyError:
                pass
        return None

    def _key_of(self, kid, generation, key_no):
        place = (kid, generation, key_no)
        if place in self.keys:
            return self.keys[place]
        secret = self._secrets.get((kid, generation, self._epochs[place]))
        return None if secret is None else period_keys.period_key(secret, kid, key_no)
