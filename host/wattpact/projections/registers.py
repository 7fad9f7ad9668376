"""Registers: readings checked against those before them, and what they add to their meter's load profile.

    readings, in the order of arrival -> unsealed -> register rules -> points, registers, or the reason they are void

What always holds: a reading is checked by the certificate that holds at its end, by the ledger, so a meter folded anew
from its first reading gets the same points. A reading that no key here unseals is counted and skipped.
docs/spec/ingest.md, "Projections".
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from wattpact_protocol.ledger import members, records
from wattpact_protocol.log import kinds, readings
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.log.reasons import BAD_SEAL
from wattpact_protocol.sealing.period_keys import NoKeyError, SealError
from wattpact_protocol.settlement.load_profile import LoadProfile
from wattpact_protocol.settlement.register_rules import RegisterRules

from wattpact.ingest.rejections import Rejections
from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Reader, Store
from wattpact.store.recorded import record_of
from wattpact.store.records import Point, Registers

# Before a community is founded no slot is known: no boundary but 1970's is one.
NO_SLOT_S = 1 << 53


class New(NamedTuple):
    """A reading to check; `void_reason` is the result of the last check, if there was one."""

    cursor: int
    received_s: int
    void_reason: str | None
    entry: Entry


class RegisterProjection:
    """The readings of one store; `unsealer` reads it too. What is void is counted in `rejections`."""

    def __init__(self, store: Store, unsealer: Unsealer, rejections: Rejections, clock: Callable[[], int]) -> None:
        self._store = store
        self._unsealer = unsealer
        self._rejections = rejections
        self._clock = clock
        self._signers = b"".join(sorted(unsealer.signers))
        self._certified = -1
        self._meters: dict[bytes, _Meter] = {}

    def forget(self) -> None:
        """What is in memory may be ahead of the store, or behind it."""
        self._meters = {}

    def unread(self) -> list[bytes]:
        """Meters with readings that could not be unsealed, and were not tried with all the keys that are here now."""
        ours = set(_kids(self._signers))
        return [meter for meter, tried in self._store.unread().items() if not ours <= set(_kids(tried))]

    def measure(self, readings: Iterable[New], slot_s: int) -> None:
        """Check them, and store what they amount to; inside a transaction of the caller's."""
        made, store = _Made(), self._store
        newest = store.last_certified()
        if newest != self._certified:
            self._certified = newest
            self._meters = {}
        for new in readings:
            self._check(new, made, slot_s)
        store.set_void_reasons(made.reasons)
        store.count_unread(made.unread.items(), self._signers)
        store.keep_points((kid, point) for kid in made.last for point in self._meters[kid].profile.take())
        store.keep_registers([self._meters[kid].registers_after(*last) for kid, last in made.last.items()])

    def _check(self, new: New, made: "_Made", slot_s: int) -> None:
        sealed = new.entry
        kid = sealed.kid
        if sealed.is_sealed:
            made.unread.setdefault(kid, 0)
        try:
            body = self._unsealer.body_of(sealed)
        except NoKeyError:
            made.unread[kid] += 1
            return
        except SealError:
            reason: str | None = BAD_SEAL
        else:
            meter = self._meters.get(kid)
            if meter is None:
                meter = self._meters[kid] = _Meter(self._store, kid, slot_s)
            reason = meter.apply(body)
            if reason is None:
                made.last[kid] = (body, new.received_s)
        if reason != new.void_reason:
            made.reasons.append((reason, new.cursor))
            if reason is not None:
                place = f"{sealed.generation}/{sealed.sequence}"
                self._rejections.count(reason, kid, "", self._clock(), place)


class _Made:
    """What some readings amount to, on its way into the store."""

    def __init__(self) -> None:
        self.reasons: list[tuple[str | None, int]] = []
        self.last: dict[bytes, tuple[dict[str, Any], int]] = {}
        self.unread: dict[bytes, int] = {}


class _Meter:
    """Its last good registers, the end of its load profile, and its certificates, by which it may carry so much."""

    def __init__(self, store: Reader, kid: bytes, slot_s: int) -> None:
        self._kid = kid
        self._author = record_of(store, records.AUTHOR, kid)
        self._rules = RegisterRules(0)
        stored = store.registers(kid)
        for row in stored:
            self._rules.generation, self._rules.end_s, self._rules.values = row.generation, row.end_s, dict(row.energy)
        self.profile = _Profile(slot_s, stored[0].profile if stored else [])

    def apply(self, body: dict[str, Any]) -> str | None:
        """Why the reading is void; None, and its points are in the profile."""
        if self._author is not None:
            self._rules.rated_w = members.certificate_at(self._author, readings.end_s(body))["rated_w"]
        reason = self._rules.apply(body)
        if reason is None:
            self.profile.add(body)
        return reason

    def registers_after(self, body: dict[str, Any], received_s: int) -> Registers:
        """The last good registers, which that reading led to."""
        rules = self._rules
        shown = {number: value[0] for number, value in body["registers"].items() if number >= _INSTANTANEOUS}
        return Registers(
            self._kid, rules.generation, rules.end_s, received_s, dict(rules.values), shown, self.profile.state()
        )


_INSTANTANEOUS = readings.FIRST_INSTANTANEOUS


class _Profile(LoadProfile):
    """The end of a meter's load profile, and the points that readings add to it."""

    def __init__(self, slot_s: int, state: list[int]) -> None:
        super().__init__(slot_s)
        self._new: list[Point] = []
        if state:
            self._generation, *rest = state
            self._offsets = (rest[0], rest[1])
            self._boundary = (rest[2], rest[3], rest[4])
            self._is_clean = bool(rest[5])
            self.times, self.imports, self.exports, self.measured = ([value] for value in rest[6:])
            self.end_s = self.times[0]

    def state(self) -> list[int]:
        """What `__init__` begins with again."""
        last = (self.times[-1], self.imports[-1], self.exports[-1], self.measured[-1])
        return [self._generation, *self._offsets, *self._boundary, int(self._is_clean), *last]

    def take(self) -> list[Point]:
        """The points since the last call; only the last stays in memory."""
        taken, self._new = self._new, []
        for values in (self.times, self.imports, self.exports, self.measured):
            del values[:-1]
        return taken

    def _add_point(self, unix_s: int, imported: int, exported: int, estimated: bool) -> None:
        before_s = self.end_s
        super()._add_point(unix_s, imported, exported, estimated)
        if self.end_s > before_s:
            self._new.append(
                Point(
                    unix_s, _bounded(self.imports[-1]), _bounded(self.exports[-1]), _bounded(self.measured[-1]),
                    estimated,
                )
            )  # fmt: skip


def _bounded(wh: int) -> int:
    """As a store can hold it: over several register generations, absurd registers sum up to more."""
    return min(wh, kinds.MAX_UINT)


def _kids(joined: bytes) -> list[bytes]:
    return [joined[at : at + 8] for at in range(0, len(joined), 8)]
