"""Disclosing: what each key of a meter's log shows, and the file that gives some of these keys to an auditor.

    a meter and a time, or a bundle -> key periods, each with what is sealed in it -> their keys -> Disclosure

What always holds: a key period is disclosed whole or not at all, and what it would show can be listed without giving
its key; keys are given for all that was requested and can be unsealed, or for nothing. docs/spec/sealing.md,
"Disclosure".
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wattpact_protocol.crypto import ed25519, merkle
from wattpact_protocol.log import entry, ids, kinds, readings
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.sealing.period_keys import NoKeyError, SealError

from wattpact.bundle import format
from wattpact.bundle.disclosure import Disclosure, PeriodKey
from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Reader
from wattpact.store.records import Certified

_SEALABLE = tuple(kinds.SEALABLE)

Place = tuple[bytes, int, int]  # meter, generation, number of the key


class DisclosingError(ValueError):
    """Nothing was disclosed; the text says why and what to do."""


@dataclass
class KeyPeriod:
    """What one key shows. The times are of all that it unseals, and of stamps where it unseals nothing."""

    meter: bytes
    generation: int
    key_no: int
    from_s: int | None = None
    to_s: int | None = None
    readings: int = 0
    others: int = 0  # events and usages
    is_unreadable: bool = False  # its key is not here
    is_void: bool = False  # its meter committed to no key, or to another than it gave: nobody can unseal it

    @property
    def place(self) -> Place:
        return (self.meter, self.generation, self.key_no)

    def as_json(self, label: str | None) -> dict[str, Any]:
        return {
            "meter": self.meter.hex(), "label": label, "generation": self.generation, "key_no": self.key_no,
            "from_s": self.from_s, "to_s": self.to_s, "readings": self.readings, "others": self.others,
        }  # fmt: skip

    def meets(self, from_s: int, to_s: int) -> bool:
        """Whether anything in it is of that time; what has no time is of none."""
        if self.from_s is None or self.to_s is None:
            return False
        return self.from_s < to_s and max(self.to_s, self.from_s + 1) > from_s

    def reach(self, first_s: int | None, last_s: int | None) -> None:
        if first_s is not None and last_s is not None:
            self.from_s = first_s if self.from_s is None else min(self.from_s, first_s)
            self.to_s = last_s if self.to_s is None else max(self.to_s, last_s)


def periods_of(reader: Reader, unsealer: Unsealer, meter: bytes, among: Sequence[Place] = ()) -> list[KeyPeriod]:
    """All key periods of a meter's log that anything is sealed in, or those `among` them, in their order."""
    wanted = set(among)
    found: dict[Place, KeyPeriod] = {}
    before_s: int | None = None
    for row in reader.log(meter, of_kinds=_SEALABLE):
        new = entry.decode(row.raw, reader.community)
        if new.is_sealed:
            place = (meter, new.generation, new.body[kinds.SEALED].key_no)
            if not wanted or place in wanted:
                _count(found.setdefault(place, KeyPeriod(*place)), new, unsealer, before_s)
        before_s = row.unix_s or before_s
    for place, one in found.items():
        one.is_void = not one.is_unreadable and unsealer.key_of(*place) is None
    return [found[place] for place in sorted(found)]


def _count(key_period: KeyPeriod, new: Entry, unsealer: Unsealer, before_s: int | None) -> None:
    """Count an entry in; a reading that stays unreadable may cover the time since the last entry."""
    first_s = last_s = new.stamp.unix_s
    is_reading = new.kind == kinds.READING
    try:
        body = unsealer.unseal(new).body
        if is_reading:
            first_s, last_s = body["t0_s"], readings.end_s(body)
    except NoKeyError:
        key_period.is_unreadable = True
        if is_reading and first_s is not None and before_s is not None:
            first_s = min(before_s, first_s)
    except SealError:
        pass  # void; the key shows that it is
    key_period.readings += is_reading
    key_period.others += not is_reading
    key_period.reach(first_s, last_s)


def of_bundle(data: bytes, reader: Reader) -> list[Place]:
    """The key periods that seal the readings of a bundle; raises DisclosingError for what no host here has signed.

    So nobody is led to disclose more than a bill rests on."""
    entries = []
    try:
        entries = [entry.decode(raw, reader.community) for raw in format.entries_of(io.BytesIO(data))]
    except (format.BundleError, entry.EntryError) as error:
        raise DisclosingError(f"this is no bundle of this community: {error}") from None
    if not entries or not _is_stated(entries, reader.certificates()):
        raise DisclosingError("this bundle was not signed by a host of this community, or was changed since")
    places = {
        (new.kid, new.generation, new.body[kinds.SEALED].key_no)
        for new in entries if new.kind == kinds.READING and new.is_sealed
    }  # fmt: skip
    return sorted(places)


def _is_stated(entries: list[Entry], certified: list[Certified]) -> bool:
    """Whether the last is a host's statement about all before it."""
    *evidence, stated = entries
    keys = [one.body["public_key"] for one in certified if one.kid == stated.kid]
    if stated.kind != kinds.STATEMENT or stated.body["evidence_root"] != merkle.root([new.id for new in evidence]):
        return False
    return any(entry.verify(stated, key, ed25519.verify) for key in keys)


def for_bundle(
    reader: Reader, unsealer: Unsealer, data: bytes, own: set[bytes] | None = None
) -> tuple[list[KeyPeriod], list[KeyPeriod]]:
    """The key periods that a bundle's readings are in: those to disclose, and those of meters that are not `own`.

    Raises DisclosingError."""
    places = of_bundle(data, reader)
    meters = sorted({place[0] for place in places})
    every = {one.place: one for meter in meters for one in periods_of(reader, unsealer, meter, places)}
    if not every.keys() >= set(places):
        raise DisclosingError("the bundle holds readings that are not in this store")
    found = [every[place] for place in places]
    if own is None:
        return found, []
    mine = [one for one in found if one.meter in own]
    if not mine and found:
        raise DisclosingError("no meter in this bundle is that person's; the operator can disclose it")
    return mine, [one for one in found if one.meter not in own]


def labels_of(reader: Reader) -> dict[bytes, str]:
    return {known.kid: known.body["label"] for known in reader.certificates()}


def owners_of(reader: Reader) -> dict[bytes, set[bytes]]:
    """Who owns each meter, or has owned it, by certificates that count."""
    found: dict[bytes, set[bytes]] = {}
    for row in reader.entries(of_kinds=(kinds.CERTIFICATE,)):
        body = entry.decode(row.raw, reader.community).body
        if row.void_reason is None and "owner" in body:
            found.setdefault(ids.kid_of(body["public_key"]), set()).add(body["owner"])
    return found


def disclose(reader: Reader, unsealer: Unsealer, shown: Sequence[KeyPeriod]) -> Disclosure:
    """The keys of these key periods, but for void ones; raises DisclosingError, naming them, where one is not here."""
    labels = labels_of(reader)
    keys, absent = [], []
    for one in shown:
        key = unsealer.key_of(*one.place)
        if key is not None:
            keys.append(PeriodKey(*one.place, key, one.from_s, one.to_s))
        elif not one.is_void:
            absent.append(one)
    if absent:
        reason = "the operator, or who had the meter then, can disclose them with their own key"
        raise DisclosingError(f"there is no key here for {named(absent, labels)}: {reason}")
    if shown and not keys:
        reason = "their meter did not commit to the key that it sealed with, so nobody can show them"
        raise DisclosingError(f"{named(shown, labels)}: void; {reason}")
    return Disclosure(reader.community, keys)


def named(key_periods: Iterable[KeyPeriod], labels: dict[bytes, str]) -> str:
    """key periods 3, 4 of House 1; key period 7 of House 2"""
    logs: dict[bytes, list[str]] = {}
    for one in key_periods:
        logs.setdefault(one.meter, []).append(str(one.key_no))
    parts = []
    for meter, numbers in logs.items():
        noun = "key period" if len(numbers) == 1 else "key periods"
        parts.append(f"{noun} {', '.join(numbers)} of {labels.get(meter, meter.hex())}")
    return "; ".join(parts)
