"""The registers of meters that seal, unsealed and judged where the key is, after their entries were stored.

    stored readings, in the order of arrival -> opened -> continuity -> points, registers, or the reason they are void

What always holds: how far this came is stored with what it came to, so that nothing counts twice or is left out,
whenever the program dies; what is in memory counts only while it is as far as the store. A reading that nobody here can
open is passed over, and its meter is measured anew from its first reading once another key is here.
docs/spec/ingest.md, "RegisterProjection".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wattpact_protocol.log import entry, kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.log.reasons import BAD_SEAL
from wattpact_protocol.sealing.period_keys import NoKeyError, SealError
from wattpact_protocol.settlement.register_rules import RegisterRules

from wattpact.ingest.pipeline import without_collector
from wattpact.ingest.rejections import Rejections
from wattpact.projections.unsealing import Unsealer
from wattpact.store.sqlite.store import Point, Store, goes_on_from, points_of, registers_of

_CURSOR = "measured"
_AT_ONCE = 2048  # readings a transaction, so that nobody waits long for the write lock
_ROW = "SELECT e.cursor, e.received_s, e.void_reason FROM entries e"
# Outside `sealing`, readings were measured when they were stored. CROSS JOIN: along the new entries, not each log.
_NEW = (
    f"{_ROW} CROSS JOIN sealing s ON s.meter = e.author"
    " WHERE e.cursor > ? AND e.kind = 2 AND e.cursor >= s.since ORDER BY e.cursor LIMIT ?"
)
_OF_METER = (
    f"{_ROW} WHERE e.author = ? AND e.order_id IS NULL AND e.kind = 2 AND e.cursor <= ?"
    " AND (e.generation, e.sequence) > (?, ?) ORDER BY e.generation, e.sequence LIMIT ?"
)


_Row = tuple[int, int, str | None]  # cursor, received_s, void_reason


class RegisterProjection:
    """Follows the readings of one store; `unsealer` stands on it too. What is void is counted in `rejections`."""

    def __init__(self, store: Store, unsealer: Unsealer, rejections: Rejections, clock: Callable[[], int]) -> None:
        self._store = store
        self._unsealer = unsealer
        self._rejections = rejections
        self._clock = clock
        self._signers = b"".join(sorted(unsealer.signers))
        self._cursor = -1
        self._certified = -1
        self._meters: dict[bytes, _Meter] = {}

    def catch_up(self, known: Mapping[int, Entry] | None = None) -> None:
        """Measure what is new; `known` spares decoding entries again, by cursor. Raises StoreError."""
        with without_collector():
            while self._step(known or {}):
                pass

    def _step(self, known: Mapping[int, Entry]) -> bool:
        """One transaction's worth; whether there may be more."""
        store = self._store
        if self._stored_cursor() == store.last_cursor() and not self._closed():
            return False
        with store.transaction():
            last, cursor = store.last_cursor(), self._stored_cursor()
            if cursor != self._cursor:
                self._meters = {}  # another program was here, or a transaction failed
            self._cursor = -1
            closed = self._closed()
            rows = []
            if closed:
                self._measure_anew(closed[0], cursor)
            else:
                rows = self._new(cursor, last, known)
                self._measure(rows, known)
                cursor = rows[-1][0] if len(rows) >= _AT_ONCE else last
                store.set_meta(_CURSOR, cursor.to_bytes(8, "big"))
            self._cursor = cursor
        return bool(closed) or len(rows) >= _AT_ONCE

    def _new(self, cursor: int, last: int, known: Mapping[int, Entry]) -> list[_Row]:
        """The next readings to measure; where all that is new is known, as it is in an ingest, no row is read again."""
        if not known or len(known) != last - cursor or next(iter(known)) != cursor + 1:
            return self._store.rows(_NEW, cursor, _AT_ONCE)
        since = dict(self._store.rows("SELECT meter, since FROM sealing"))
        received_s = self._store.value("SELECT received_s FROM entries WHERE cursor = ?", last)
        return [
            (at, received_s, None) for at, new in known.items()
            if new.kind == kinds.READING and at >= since.get(new.kid, last + 1)
        ]  # fmt: skip

    def _stored_cursor(self) -> int:
        return int.from_bytes(self._store.meta(_CURSOR) or b"", "big")

    def _closed(self) -> list[bytes]:
        """Meters with readings that were tried in vain, and not yet with all the keys that are here now."""
        rows = self._store.rows("SELECT meter, tried FROM sealing WHERE unopened > 0")
        return [meter for meter, tried in rows if not set(_kids(self._signers)) <= set(_kids(tried))]

    def _measure_anew(self, meter: bytes, cursor: int) -> None:
        """From its first reading to that cursor, as if nothing had been measured."""
        store = self._store
        for table in ("points", "registers"):
            store.execute(f"DELETE FROM {table} WHERE meter = ?", [(meter,)])
        store.execute("UPDATE sealing SET unopened = 0 WHERE meter = ?", [(meter,)])
        self._meters.pop(meter, None)
        place = (-1, -1)
        while True:
            rows = store.rows(_OF_METER, meter, cursor, *place, _AT_ONCE)
            last = self._measure(rows, {})
            if last is None or len(rows) < _AT_ONCE:
                return
            place = (last.generation, last.sequence)

    def _measure(self, rows: Sequence[_Row], known: Mapping[int, Entry]) -> Entry | None:
        """Judge them, and keep what they came to; the last of them."""
        made, new = _Made(), None
        newest = self._store.value("SELECT max(cursor) FROM certificates")
        if newest != self._certified:
            self._certified = newest
            self._meters = {}
        for row in rows:
            new = known.get(row[0]) or self._decode(row[0])
            self._judge(row, new, made)
        store = self._store
        store.execute("UPDATE entries SET void_reason = ? WHERE cursor = ?", made.reasons)
        store.keep_points(made.points)
        store.keep_registers([registers_of(kid, *last) for kid, last in made.last.items()])
        unopened = [(count, self._signers, meter) for meter, count in made.unopened.items()]
        store.execute("UPDATE sealing SET unopened = unopened + ?, tried = ? WHERE meter = ?", unopened)
        return new

    def _decode(self, cursor: int) -> Entry:
        raw = self._store.value("SELECT raw FROM entries WHERE cursor = ?", cursor)
        return entry.decode(raw, self._store.community)

    def _judge(self, row: _Row, new: Entry, made: "_Made") -> None:
        kid, (cursor, received_s, judged) = new.kid, row
        meter = self._meters.get(kid) or self._remember(kid)
        reason: str | None
        try:
            body = self._unsealer.body_of(new)
        except NoKeyError:
            made.unopened[kid] = made.unopened.get(kid, 0) + 1
            return
        except SealError:
            reason = BAD_SEAL
        else:
            kept = meter.registers
            kept.rated_w = meter.rated_w(cursor)
            goes_on = goes_on_from(kept, body)
            reason = kept.apply(body)
            if reason is None:
                made.points += points_of(kid, body, goes_on)
                made.last[kid] = (kept, body, received_s)
        if reason != judged:
            made.reasons.append((reason, cursor))
            if reason is not None:
                place = f"{new.generation}/{new.sequence}"
                self._rejections.count(reason, kid, "", self._clock(), place)

    def _remember(self, kid: bytes) -> "_Meter":
        """A meter as the store has it."""
        meter = self._meters[kid] = _Meter(self._store, kid)
        return meter


class _Made:
    """What some readings came to, on its way into the store."""

    def __init__(self) -> None:
        self.reasons: list[tuple[str | None, int]] = []
        self.points: list[Point] = []
        self.last: dict[bytes, tuple[RegisterRules, dict[str, Any], int]] = {}
        self.unopened: dict[bytes, int] = {}


class _Meter:
    """Its last good registers, and what it may carry by the certificates that had come at each time."""

    def __init__(self, store: Store, kid: bytes) -> None:
        self.registers = RegisterRules(0)
        for row in store.registers(kid):
            kept = self.registers
            kept.generation, kept.end_s, kept.values = row.generation, row.end_s, dict(row.energy)
        found = store.rows(
            "SELECT e.cursor, e.raw FROM certificates c JOIN entries e USING (cursor) WHERE c.kid = ?"
            " ORDER BY c.cursor DESC", kid,
        )  # fmt: skip
        said = [(at, entry.decode(raw, store.community)) for at, raw in found]
        self._rated: list[tuple[int, int]] = [(at, new.body.get("rated_w", 0)) for at, new in said]

    def rated_w(self, cursor: int) -> int:
        for at, rated_w in self._rated:
            if at < cursor:
                return rated_w
        return 0


def _kids(joined: bytes) -> list[bytes]:
    return [joined[at : at + 8] for at in range(0, len(joined), 8)]
