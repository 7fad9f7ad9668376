"""What is sealed in a bundle, and the keys that were given for it: what opens, what does not, and which key fits.

What always holds: a part is opened only with a key whose SHA-256 a KEY_OPEN before it in its log holds, so that nobody
chooses afterwards what an entry says; what no key is given for is counted and named. docs/spec/sealing.md, rule 11.
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
    """What one key seals in the bundle. `named` is its KEY_OPEN's name in the report; energy is of what was opened."""

    def __init__(self, place: Place, named: dict[str, Any], is_open: bool) -> None:
        self.place = place
        self.named = named
        self.is_open = is_open
        self.readings = 0
        self.others = 0
        self.from_s: int | None = None
        self.to_s: int | None = None
        self.import_wh = self.export_wh = 0

    def count(self, new: Entry) -> None:
        """A sealed entry of this key period, as it came."""
        if new.kind == kinds.READING:
            self.readings += 1
        else:
            self.others += 1
        unix_s = new.stamp.unix_s
        if unix_s is not None:
            self.from_s = unix_s if self.from_s is None else min(self.from_s, unix_s)
            self.to_s = unix_s if self.to_s is None else max(self.to_s, unix_s)

    def add(self, body: dict[str, Any]) -> None:
        """An opened reading."""
        self.import_wh += sum(body["registers"][readings.IMPORT_WH][1])
        self.export_wh += sum(body["registers"][readings.EXPORT_WH][1])


class Seals:
    """Follows the keys that meters commit to, and opens with those that were given; raises DisclosureError for keys of
    another community."""

    def __init__(self, community: bytes, disclosures: Iterable[Disclosure]) -> None:
        self.key_periods: dict[Place, KeyPeriod] = {}
        self.misfits: list[tuple[Place, str]] = []  # keys that are not what was committed to, and whose file
        self._given: dict[Place, list[tuple[PeriodKey, str]]] = {}
        self._keys: dict[Place, bytes] = {}  # those that fit
        self._opening = unsealing.Unsealing(community, lambda *place: self._keys.get(place))
        for given in disclosures:
            if given.community != community:
                raise DisclosureError(f"the keys in {given.name!r} are of another community than the root key's")
            for key in given.keys:
                self._given.setdefault(key.place, []).append((key, given.name))

    def follow(self, new: Entry, named: dict[str, Any]) -> str | None:
        """Take note of a KEY_OPEN; why it counts for nothing, or None."""
        place = (new.kid, new.generation, new.body["key_no"])
        is_first = self._opening.follow(new)
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
        """Whether the key of a sealed entry was opened before it."""
        return self._opening.commitment_of(new) is not None

    def unseal(self, new: Entry) -> Entry:
        """The entry as it was measured; raises NoKeyError without a key, SealError for a void one."""
        key_period = self.key_periods.get((new.kid, new.generation, new.body[kinds.SEALED].key_no))
        if key_period is not None:
            key_period.count(new)
        opened = self._opening.unseal(new)
        if new.kind == kinds.READING and key_period is not None:
            key_period.add(opened.body)
        return opened

    @property
    def shut(self) -> list[KeyPeriod]:
        """The key periods that hold readings and stay closed: figures rest on them."""
        return [one for one in self._sorted() if one.readings and not one.is_open]

    @property
    def opened(self) -> list[KeyPeriod]:
        return [one for one in self._sorted() if one.is_open and one.readings + one.others]

    @property
    def half_shut(self) -> list[KeyPeriod]:
        """Those that stay closed and hold no reading: no figure rests on them."""
        return [one for one in self._sorted() if one.others and not one.readings and not one.is_open]

    @property
    def unused(self) -> int:
        """How many of the given keys are for key periods that the bundle does not have."""
        return sum(len(rows) for place, rows in self._given.items() if place not in self.key_periods)

    def _sorted(self) -> list[KeyPeriod]:
        return [self.key_periods[place] for place in sorted(self.key_periods)]
