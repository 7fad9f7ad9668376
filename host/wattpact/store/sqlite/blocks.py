"""The ledger's blocks, state and proofs, read back."""

import json
from collections.abc import Sequence

from wattpact_protocol.ledger.machine import RULES

from wattpact.store.records import Block, Ordered, Place, Step, Stored, Witness
from wattpact.store.sqlite.connection import Connection

_BLOCK = "SELECT height, time_s, header, anchors FROM blocks"
_ORDERED = "o.height, b.time_s, o.reason FROM ordered o LEFT JOIN blocks b USING (height)"
_STORED = ", ".join(f"e.{name}" for name in Stored._fields)


class Blocks(Connection):
    """Implements `interface.Blocks`."""

    def last_block(self) -> Block | None:
        found = self.rows(f"{_BLOCK} ORDER BY height DESC LIMIT 1")
        return Block(*found[0]) if found else None

    def block(self, height: int) -> Block | None:
        found = self.rows(f"{_BLOCK} WHERE height = ?", height)
        return Block(*found[0]) if found else None

    def ordered_in(self, height: int) -> list[Stored]:
        sql = f"SELECT {_STORED} FROM ordered o JOIN entries e USING (cursor) WHERE o.height = ? ORDER BY o.position"
        return [Stored(*row) for row in self.rows(sql, height)]

    def waiting_before(self, author: bytes, generation: int, after: int, before: int) -> list[bytes]:
        wanted = ", ".join(f"{kind:d}" for kind in RULES)
        sql = (
            "SELECT id FROM entries e WHERE author = ? AND generation = ? AND order_id IS NULL AND NOT ahead"
            f" AND sequence > ? AND sequence < ? AND kind IN ({wanted})"
            " AND NOT EXISTS (SELECT 1 FROM ordered o WHERE o.cursor = e.cursor) LIMIT 512"
        )
        return [name for (name,) in self.rows(sql, author, generation, after, before)]

    def place(self, cursor: int) -> Place | None:
        found = self.rows("SELECT cursor, height, position, reason FROM ordered WHERE cursor = ?", cursor)
        return Place(*found[0]) if found else None

    def ordered(self, cursors: Sequence[int]) -> dict[int, Ordered]:
        sql = f"SELECT o.cursor, {_ORDERED} WHERE o.cursor IN (SELECT value FROM json_each(?))"
        return {row[0]: Ordered(*row[1:]) for row in self.rows(sql, json.dumps(list(cursors)))}

    def ordered_by_id(self, ids: Sequence[bytes]) -> dict[bytes, Ordered]:
        wanted = ", ".join("?" * len(ids))
        sql = f"SELECT e.id, {_ORDERED} JOIN entries e USING (cursor) WHERE e.kind <> 2 AND e.id IN ({wanted})"
        return {row[0]: Ordered(*row[1:]) for row in self.rows(sql, *ids)}

    def steps(self, contract_id: bytes) -> list[Step]:
        sql = (
            "SELECT e.kind, e.author, o.height, b.time_s FROM contracts c JOIN steps s ON s.contract = c.number"
            " JOIN entries e USING (cursor) JOIN ordered o USING (cursor) JOIN blocks b USING (height)"
            " WHERE c.id = ? ORDER BY o.height, o.position"
        )
        return [Step(*row) for row in self.rows(sql, contract_id)]

    def heads_since(self, cursor: int) -> list[tuple[bytes, int, int, bytes]]:
        sql = (
            "SELECT author, generation, sequence + 1, id FROM entries WHERE cursor IN"
            " (SELECT max(cursor) FROM entries WHERE cursor > ? AND order_id IS NULL AND NOT ahead GROUP BY author)"
            " ORDER BY author"
        )
        return [tuple(row) for row in self.rows(sql, cursor)]

    def ledger_value(self, key: bytes) -> bytes | None:
        found: bytes | None = self.value("SELECT value FROM ledger_state WHERE key = ?", key)
        return found

    def ledger_values(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        sql = "SELECT key, value FROM ledger_state WHERE key >= ? AND key < ? ORDER BY key"
        return [tuple(row) for row in self.rows(sql, prefix, prefix + b"\xff" * 16)]

    def ledger_node(self, depth: int, prefix: int) -> bytes | None:
        found: bytes | None = self.value("SELECT node FROM ledger_map WHERE path = ?", path_of(depth, prefix))
        return found

    def tree_node(self, level: int, number: int) -> bytes | None:
        found: bytes | None = self.value("SELECT node FROM ledger_tree WHERE (level, number) = (?, ?)", level, number)
        return found

    def witnesses(self) -> list[Witness]:
        return [Witness(*row) for row in self.rows(f"SELECT {', '.join(Witness._fields)} FROM witnesses ORDER BY name")]

    def cosigned_heads(self, over: int, limit: int, newest_first: bool = False) -> list[str]:
        order = "DESC" if newest_first else "ASC"
        sql = f"SELECT head FROM cosigned_heads WHERE blocks >= ? ORDER BY blocks {order} LIMIT ?"
        return [head for (head,) in self.rows(sql, over, limit)]


def path_of(depth: int, prefix: int) -> bytes:
    """One key for a node of the map: its depth, and as many bytes as its prefix needs."""
    return depth.to_bytes(2, "big") + prefix.to_bytes((depth + 7) // 8, "big")
