"""What the projections made of the entries, read back."""

import json
from collections.abc import Iterator, Sequence

from wattpact.store.interface import MAX_UNIX_S
from wattpact.store.records import Agreed, Point, Progress, Registers, RelayState, Reported, Totals, Waiting
from wattpact.store.sqlite.connection import Connection

_POINT = "SELECT unix_s, import_wh, export_wh, measured_wh, estimated FROM points"
AGREED = ", ".join(Agreed._fields)
TOTALS = ", ".join(Totals._fields)
_AGREED_COLUMNS = len(Agreed._fields)


class Projected(Connection):
    """Implements `interface.Projected`."""

    def sealing(self) -> dict[bytes, int]:
        return dict(self.rows("SELECT meter, unread FROM sealing"))

    def unread(self) -> dict[bytes, bytes]:
        return dict(self.rows("SELECT meter, tried FROM sealing WHERE unread > 0"))

    def registers(self, meter: bytes | None = None) -> list[Registers]:
        where, values = ("", ()) if meter is None else (" WHERE meter = ?", (meter,))
        sql = f"SELECT meter, generation, end_s, received_s, energy, instantaneous, profile FROM registers{where}"
        return [
            Registers(*row)._replace(
                energy=_numbers(row[4]), instantaneous=_numbers(row[5]), profile=json.loads(row[6])
            )
            for row in self.rows(sql, *values)
        ]

    def points(self, meter: bytes, from_s: int = 0, to_s: int = MAX_UNIX_S) -> list[Point]:
        sql = f"{_POINT} WHERE meter = ? AND unix_s BETWEEN ? AND ? ORDER BY unix_s"
        return [Point(*row) for row in self.rows(sql, meter, from_s, to_s)]

    def points_around(self, meter: bytes, unix_s: int) -> list[Point]:
        before = f"{_POINT} WHERE meter = ? AND unix_s <= ? ORDER BY unix_s DESC LIMIT 1"
        after = f"{_POINT} WHERE meter = ? AND unix_s > ? ORDER BY unix_s LIMIT 1"
        found = self.rows(before, meter, unix_s) + self.rows(after, meter, unix_s)
        return [Point(*row) for row in found]

    def measured_at(self, meter: bytes, times: Sequence[int]) -> set[int]:
        found = self.rows(
            "SELECT point.unix_s FROM json_each(?) wanted CROSS JOIN points point ON point.meter = ?"
            " AND point.unix_s = wanted.value WHERE NOT point.estimated", json.dumps(list(times)), meter,
        )  # fmt: skip
        return {row[0] for row in found}

    def relays(self) -> dict[bytes, RelayState]:
        found = self.rows("SELECT meter, is_closed, reason, since_s, contract, wait_until_s FROM relays")
        return {row[0]: RelayState(bool(row[1]), *row[2:]) for row in found}

    def reported(self, meter: bytes) -> dict[int, Reported]:
        found = self.rows("SELECT code, detail, text, unix_s FROM reported WHERE meter = ?", meter)
        return {row[0]: Reported(*row[1:]) for row in found}

    def contract(self, contract_id: bytes) -> tuple[Agreed, Totals] | None:
        found = self.rows(f"SELECT {AGREED}, {TOTALS} FROM contracts WHERE id = ?", contract_id)
        return _contract(found[0]) if found else None

    def contracts(
        self, ends_after_s: int = 0, starts_before_s: int = MAX_UNIX_S, meter: bytes | None = None
    ) -> Iterator[tuple[Agreed, Totals]]:
        where = "start_s < ?2 AND (end_s > ?1 OR ended_s > ?1)"
        extra = [] if meter is None else [meter]
        # Unions, so that each part is found by an index of its own; `+` keeps a part from that of all earlier starts.
        if meter is not None:
            parts = [f"{side} = ?3 AND {where}" for side in ("supplier", "consumer")]
        elif ends_after_s:
            parts = [f"{end} > ?1 AND +start_s < ?2" for end in ("end_s", "ended_s")]
        else:
            parts = ["start_s < ?2"]
        source = " UNION ".join(f"SELECT * FROM contracts WHERE {part}" for part in parts)
        order = "ORDER BY start_s DESC, ifnull(matched_s, 0) DESC, id DESC"
        sql = f"SELECT {AGREED}, {TOTALS} FROM ({source}) {order}"
        return map(_contract, self.each(sql, ends_after_s, starts_before_s, *extra))

    def ungranted(self, now_s: int) -> list[Agreed]:
        sql = f"SELECT {AGREED} FROM contracts WHERE grant_number IS NULL AND end_s > ? ORDER BY id"
        return [Agreed(*row) for row in self.rows(sql, now_s)]

    def carried_before(self, contract_id: bytes, unix_s: int) -> int:
        found = self.filled_before(contract_id, unix_s)
        return 0 if found is None else found[1]

    def filled_before(self, contract_id: bytes, unix_s: int) -> tuple[int, int, int, int] | None:
        found = self.rows(
            "SELECT f.start_s, f.carried_wh, f.short_wh, f.spare_wh"
            " FROM fills f JOIN contracts c ON c.number = f.contract"
            " WHERE c.id = ? AND f.start_s < ? ORDER BY f.start_s DESC LIMIT 1", contract_id, unix_s,
        )  # fmt: skip
        return tuple(found[0]) if found else None

    def progress(self) -> Progress:
        return Progress(*self.rows("SELECT frontier_s, now_s, changed_s FROM settled")[0])

    def waiting(self) -> list[Waiting]:
        return [Waiting(*row) for row in self.rows("SELECT meter, what, slot_s, known_s FROM waiting")]

    def inbox_last(self, meter: bytes) -> int:
        return int(self.value("SELECT max(position) FROM inbox WHERE meter = ?", meter) or 0)

    def inbox_holds(self, meter: bytes, position: int) -> bool:
        return self.value("SELECT 1 FROM inbox WHERE meter = ? AND position = ?", meter, position) is not None

    def inbox_after(self, meter: bytes, position: int, limit: int) -> list[tuple[int, bytes]]:
        return self.rows(
            "SELECT i.position, e.raw FROM inbox i JOIN entries e ON e.cursor = i.entry"
            " WHERE i.meter = ? AND i.position > ? ORDER BY i.position LIMIT ?", meter, position, limit,
        )  # fmt: skip


def _contract(row: Sequence[object]) -> tuple[Agreed, Totals]:
    return Agreed._make(row[:_AGREED_COLUMNS]), Totals._make(row[_AGREED_COLUMNS:])


def _numbers(text: str) -> dict[int, int]:
    return {int(register): value for register, value in json.loads(text).items()}
