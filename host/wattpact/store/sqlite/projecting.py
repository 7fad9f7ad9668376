"""What the projections make of the entries, written."""

import json
from collections.abc import Iterable

from wattpact.store.records import (
    Agreed,
    Block,
    Place,
    Point,
    Progress,
    Registers,
    RelayState,
    Reported,
    Totals,
    Waiting,
    Witness,
    Written,
)
from wattpact.store.sqlite.blocks import path_of
from wattpact.store.sqlite.projected import AGREED
from wattpact.store.sqlite.transactions import Transactions

_FIELDS = Agreed._fields
# Its number and what settlement made of it stay as they are.
_KEEP_CONTRACT = (
    f"INSERT INTO contracts ({AGREED}) VALUES ({', '.join('?' * len(_FIELDS))}) ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _FIELDS[1:])
)
_NUMBER = "(SELECT number FROM contracts WHERE id = ?)"


class Projecting(Transactions):
    """Implements the writing part of `interface.Store`."""

    def set_void_reasons(self, reasons: Iterable[tuple[str | None, int]]) -> None:
        self.execute("UPDATE entries SET void_reason = ? WHERE cursor = ?", reasons)

    def keep_points(self, points: Iterable[tuple[bytes, Point]]) -> None:
        self.execute(
            "INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?, ?, ?)", ((meter, *point) for meter, point in points)
        )

    def keep_registers(self, registers: Iterable[Registers]) -> None:
        self.execute(
            "INSERT OR REPLACE INTO registers VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (*row[:4], json.dumps(row.energy), json.dumps(row.instantaneous), json.dumps(row.profile))
                for row in registers
            ],
        )

    def count_unread(self, counted: Iterable[tuple[bytes, int]], tried: bytes) -> None:
        self.execute(
            "INSERT INTO sealing VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
            " SET unread = unread + excluded.unread, tried = excluded.tried",
            [(meter, times, tried) for meter, times in counted],
        )

    def forget_measured(self, meter: bytes) -> None:
        with self.transaction():
            self.execute("DELETE FROM points WHERE meter = ?", [(meter,)])
            self.execute("DELETE FROM registers WHERE meter = ?", [(meter,)])
            self.execute("UPDATE sealing SET unread = 0 WHERE meter = ?", [(meter,)])

    def keep_relay(self, meter: bytes, relay: RelayState) -> None:
        self.execute("INSERT OR REPLACE INTO relays VALUES (?, ?, ?, ?, ?, ?)", [(meter, *relay)])

    def keep_reported(self, meter: bytes, code: int, event: Reported) -> None:
        self.execute("INSERT OR REPLACE INTO reported VALUES (?, ?, ?, ?, ?)", [(meter, code, *event)])

    def keep_contracts(self, agreed: Iterable[Agreed]) -> None:
        self.execute(_KEEP_CONTRACT, agreed)

    def keep_steps(self, steps: Iterable[tuple[bytes, bytes]]) -> None:
        entry = "SELECT cursor FROM entries WHERE id = ? AND kind <> 2"
        self.execute(f"INSERT OR IGNORE INTO steps VALUES ({_NUMBER}, ({entry}))", steps)

    def attribute(self, contract_id: bytes, wh: int) -> None:
        self.execute("UPDATE contracts SET attributed_wh = max(attributed_wh, ?) WHERE id = ?", [(wh, contract_id)])

    def changed_from(self, unix_s: int) -> None:
        self.execute("UPDATE settled SET changed_s = min(?, ifnull(changed_s, ?))", [(unix_s, unix_s)])

    def rewind_settlement(self, slot_s: int) -> None:
        # A contract carries nothing after its end, so only those that end later have slots to forget.
        later = "SELECT number FROM contracts WHERE end_s > ?"
        with self.transaction():
            self.execute(f"DELETE FROM fills WHERE contract IN ({later}) AND start_s >= ?", [(slot_s, slot_s)])
            self.execute(
                "UPDATE contracts SET closed_s = NULL, unused_wh = 0 WHERE end_s > ? AND closed_s >= ?",
                [(slot_s, slot_s)],
            )
            for name in ("carried_wh", "short_wh", "spare_wh"):
                last = f"SELECT f.{name} FROM fills f WHERE f.contract = number ORDER BY f.start_s DESC LIMIT 1"
                self.execute(f"UPDATE contracts SET {name} = ifnull(({last}), 0) WHERE end_s > ?", [(slot_s,)])
            self.execute("DELETE FROM waiting WHERE slot_s >= ?", [(slot_s,)])
            self.execute("UPDATE settled SET frontier_s = min(frontier_s, ?)", [(slot_s,)])

    def keep_settled(
        self,
        waiting: Iterable[Waiting],
        fills: Iterable[tuple[bytes, int, int, int, int]],
        totals: Iterable[tuple[bytes, Totals]],
    ) -> None:
        with self.transaction():
            self.execute(f"INSERT INTO fills VALUES ({_NUMBER}, ?, ?, ?, ?)", fills)
            self.execute(
                "UPDATE contracts SET carried_wh = ?, short_wh = ?, spare_wh = ?, closed_s = ?, unused_wh = ?"
                " WHERE id = ?",
                [(*total, contract_id) for contract_id, total in totals],
            )
            self.execute("DELETE FROM waiting", [()])
            self.execute("INSERT INTO waiting VALUES (?, ?, ?, ?)", waiting)

    def set_progress(self, progress: Progress) -> None:
        self.execute("UPDATE settled SET frontier_s = ?, now_s = ?, changed_s = ?", [progress])

    def keep_places(self, places: Iterable[Place]) -> None:
        sql = (
            "INSERT INTO ordered VALUES (?, ?, ?, ?) ON CONFLICT (cursor) DO UPDATE SET height = excluded.height,"
            " position = excluded.position, reason = excluded.reason WHERE ordered.height IS NULL"
        )
        self.execute(sql, places)

    def keep_block(self, block: Block, written: Written) -> None:
        with self.transaction():
            self.execute("INSERT INTO blocks VALUES (?, ?, ?, ?)", [block])
            self.execute("INSERT OR REPLACE INTO ledger_state VALUES (?, ?)", written.values.items())
            nodes = [(path_of(*place), node) for place, node in written.state_nodes.items()]
            self.execute(
                "INSERT OR REPLACE INTO ledger_map VALUES (?, ?)", [row for row in nodes if row[1] is not None]
            )
            self.execute("DELETE FROM ledger_map WHERE path = ?", [row[:1] for row in nodes if row[1] is None])
            self.execute(
                "INSERT INTO ledger_tree VALUES (?, ?, ?)",
                [(*place, node) for place, node in written.tree_nodes.items()],
            )

    def keep_witness(self, witness: Witness) -> None:
        self.execute("INSERT OR REPLACE INTO witnesses VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [witness])

    def remove_witness(self, name: str) -> None:
        self.execute("DELETE FROM witnesses WHERE name = ?", [(name,)])

    def keep_cosigned(self, blocks: int, head: str) -> None:
        self.execute("INSERT OR REPLACE INTO cosigned_heads VALUES (?, ?)", [(blocks, head)])
