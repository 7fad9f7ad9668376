"""What is sealed in a bundle, and the keys that were given for it: which fit, and what they unseal.

What always holds: a part is unsealed only with a key whose SHA-256 is in a KEY_OPEN before it in its log, so that
nobody can choose its content afterwards; what no key is given for is counted and named. docs/spec/sealing.md, rule 11.
"""

from collections.abc import Iterable
from typing import Any

from wattpact_protocol.crypto import hkdf
from wattpact_protocol.log import kinds, readings
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.log.reasons import KEY_OPENED_TWICE
from wattpact_protocol.sealing import period_keys, unsealing

from wattpact.bundle.disclosure import Disclosure, DisclosureError, PeriodKey

Place = tuple[bytes, int, int]  # meter, generation, number of the key


class KeyPeriod:
    """What one key seals in the bundle. `named` is its KEY_OPEN's name in the report; energy: unsealed readings."""

    def __init__(self, place: Place, named: dict[str, Any], has_key: bool) -> None:
        self.place = place
        self.named = named
        self.has_key = has_key
        self.readings = 0
        self.others = 0
        self.from_s: int | None = None
        self.to_s: int | None = None
        self.import_wh = self.export_wh = 0

    def count(self, new: Entry) -> None:
        """A sealed entry of this key period."""
        if new.kind == kinds.READING:
            self.readings += 1
        else:
            self.others += 1
        unix_s = new.stamp.unix_s
        if unix_s is not None:
            self.from_s = unix_s if self.from_s is None else min(self.from_s, unix_s)
            self.to_s = unix_s if self.to_s is None else max(self.to_s, unix_s)

    def add(self, body: dict[str, Any]) -> None:
        """An unsealed reading."""
        self.import_wh += sum(body["registers"][readings.IMPORT_WH][1])
        self.export_wh += sum(body["registers"][readings.EXPORT_WH][1])


class Seals:
    """Follows the keys that meters commit to, and unseals with those that were given; raises DisclosureError for keys
    of another community."""

    def __init__(self, community: bytes, disclosures: Iterable[Disclosure]) -> None:
        self.key_periods: dict[Place, KeyPeriod] = {}
        self.misfits: list[tuple[Place, str]] = []  # keys that are not what was committed to, and whose file
        self._given: dict[Place, list[tuple[PeriodKey, str]]] = {}
        self._keys: dict[Place, bytes] = {}  # those that fit
        self._unsealing = unsealing.Unsealing(community, lambda *place: self._keys.get(place))
        for given in disclosures:
            if given.community != community:
                raise DisclosureError(f"the keys in {given.name!r} are of another community than the root key")
            for key in given.keys:
                self._given.setdefault(key.place, []).append((key, given.name))

    def follow(self, new: Entry, named: dict[str, Any]) -> str | None:
        """Apply a KEY_OPEN; gives why it has no effect, or None."""
        place = (new.kid, new.generation, new.body["key_no"])
        is_first = self._unsealing.follow(new)
        if place in self.key_periods:
            return None if is_first else KEY_OPENED_TWICE
        for key, name in self._given.get(place, ()):
            if hkdf.equal(period_keys.commitment(key.key), new.body["commitment"]):
                self._keys[place] = key.key
            else:
                self.misfits.append((place, name))
        self.key_periods[place] = KeyPeriod(place, named, place in self._keys)
        return None

    def is_committed(self, new: Entry) -> bool:
        """Whether a KEY_OPEN before a sealed entry committed to its key."""
        return self._unsealing.commitment_of(new) is not None

    def unseal(self, new: Entry) -> Entry:
        """The entry as it was measured; raises NoKeyError without a key, SealError for a void one."""
        key_period = self.key_periods.get((new.kid, new.generation, new.body[kinds.SEALED].key_no))
        if key_period is not None:
            key_period.count(new)
        unsealed = self._unsealing.unseal(new)
        if new.kind == kinds.READING and key_period is not None:
            key_period.add(unsealed.body)
        return unsealed

    @property
    def unreadable(self) -> list[KeyPeriod]:
        """The key periods with readings and without a key: figures depend on them."""
        return [one for one in self._sorted() if one.readings and not one.has_key]

    @property
    def unsealed(self) -> list[KeyPeriod]:
        return [one for one in self._sorted() if one.has_key and one.readings + one.others]

    @property
    def unreadable_others(self) -> list[KeyPeriod]:
        """Those without a key and without a reading: no figure depends on them."""
        return [one for one in self._sorted() if one.others and not one.readings and not one.has_key]

    @property
    def unused(self) -> int:
        """How many of the given keys are for key periods that the bundle does not have."""
        return sum(len(rows) for place, rows in self._given.items() if place not in self.key_periods)

    def _sorted(self) -> list[KeyPeriod]:
        return [self.key_periods[place] for place in sorted(self.key_periods)]
