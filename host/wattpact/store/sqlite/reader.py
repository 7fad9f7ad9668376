"""The log read back: entries by place, kind, author and name, and who may publish them.

What always holds: nothing here writes. A Reader belongs to one thread. docs/spec/ingest.md explains the tables.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from wattpact_protocol.log import entry, kinds, roles

from wattpact.store.records import Certified, Fork, Link, Pending, Rejection, Stored
from wattpact.store.sqlite.blocks import Blocks
from wattpact.store.sqlite.projected import Projected

_COLUMNS = "cursor, id, author, kind, generation, sequence, unix_s, received_s, raw, void_reason, ahead"
_ENTRY = f"SELECT {_COLUMNS} FROM entries"
_CERTIFIED = "SELECT c.kid, c.id, c.cursor, e.raw FROM certificates c JOIN entries e USING (cursor)"


class Reader(Projected, Blocks):
    """Implements `interface.Reader`."""

    def last_cursor(self, of_kinds: Sequence[int] = ()) -> int:
        if not of_kinds:
            return int(self.value("SELECT max(cursor) FROM entries") or 0)
        sql = "SELECT max(cursor) FROM entries WHERE kind = ? AND kind <> 2"
        return max(int(self.value(sql, kind) or 0) for kind in of_kinds)

    def entries(
        self,
        after: int = 0,
        before: int | None = None,
        of_kinds: Sequence[int] = (),
        author: bytes | None = None,
        limit: int = -1,
        newest_first: bool = False,
    ) -> list[Stored]:
        where, values = ["cursor > ?"], [after]  # type: tuple[list[str], list[Any]]
        if before is not None:
            where.append("cursor < ?")
            values.append(before)
        if newest_first and author is not None:
            return self._newest_of(author, " AND ".join(where), values, of_kinds or tuple(kinds.NAMES), limit)
        if author is not None:
            where.append("author = ?")
            values.append(author)
        if of_kinds:
            where.append(f"kind IN ({', '.join('?' * len(of_kinds))})")
            values += of_kinds
            if kinds.READING not in of_kinds:
                where.append("kind <> 2")
        order = "DESC" if newest_first else "ASC"
        sql = f"{_ENTRY} WHERE {' AND '.join(where)} ORDER BY cursor {order} LIMIT ?"
        return [Stored(*row) for row in self.rows(sql, *values, limit)]

    def _newest_of(
        self, author: bytes, where: str, values: list[Any], of_kinds: Sequence[int], limit: int
    ) -> list[Stored]:
        """An author's newest, each part by the index that has it in order; a log is in the order of its arrival."""
        others = ", ".join(f"{kind:d}" for kind in of_kinds if kind != kinds.READING)
        parts = [f"kind <> 2 AND +kind IN ({others}) ORDER BY cursor DESC"] if others else []
        if kinds.READING in of_kinds:
            parts.append("order_id IS NULL AND NOT ahead AND +kind = 2 ORDER BY generation DESC, sequence DESC")
        newest = " UNION ALL ".join(
            f"SELECT * FROM ({_ENTRY} WHERE author = ? AND {where} AND {part} LIMIT ?)" for part in parts
        )
        rows = self.rows(f"{newest} ORDER BY cursor DESC LIMIT ?", *[author, *values, limit] * len(parts), limit)
        return [Stored(*row) for row in rows]

    def stream(
        self, after: int = 0, chunk: int = 1000, of_kinds: Sequence[int] = (), before: int | None = None
    ) -> Iterator[Stored]:
        while True:
            rows = self.entries(after, before, of_kinds, limit=chunk)
            yield from rows
            if len(rows) < chunk:
                return
            after = rows[-1].cursor

    def entry_with_id(self, entry_id: bytes) -> Stored | None:
        """The entry of that id; readings are found by place alone."""
        found = self.rows(f"{_ENTRY} WHERE id = ? AND kind <> 2", entry_id)
        return Stored(*found[0]) if found else None

    def entry_at(self, author: bytes, generation: int, sequence: int) -> Stored | None:
        """A chained author's entry at a place of its log."""
        where = "author = ? AND generation = ? AND sequence = ? AND order_id IS NULL AND NOT ahead"
        found = self.rows(f"{_ENTRY} WHERE {where}", author, generation, sequence)
        return Stored(*found[0]) if found else None

    def log(
        self, author: bytes, after: tuple[int, int] = (-1, -1), of_kinds: Sequence[int] = (), limit: int = -1
    ) -> list[Stored]:
        where = "author = ? AND order_id IS NULL AND NOT ahead AND (generation, sequence) > (?, ?)"
        if of_kinds:
            where += f" AND kind IN ({', '.join('?' * len(of_kinds))})"
        sql = f"{_ENTRY} WHERE {where} ORDER BY generation, sequence LIMIT ?"
        return [Stored(*row) for row in self.rows(sql, author, *after, *of_kinds, limit)]

    def has_ahead(self, author: bytes) -> bool:
        return bool(self.rows("SELECT 1 FROM entries WHERE author = ? AND ahead LIMIT 1", author))

    def ahead_at(self, author: bytes, generation: int, sequence: int) -> list[Stored]:
        where = "author = ? AND generation = ? AND sequence = ? AND ahead"
        return [Stored(*row) for row in self.rows(f"{_ENTRY} WHERE {where}", author, generation, sequence)]

    def newest_of(self, author: bytes) -> Stored | None:
        found = self.rows(
            f"{_ENTRY} WHERE author = ? AND order_id IS NULL AND NOT ahead"
            " ORDER BY generation DESC, sequence DESC LIMIT 1",
            author,
        )
        return Stored(*found[0]) if found else None

    def void_entries(self) -> list[Stored]:
        sql = f"{_ENTRY} INDEXED BY entries_void WHERE void_reason IS NOT NULL ORDER BY cursor"
        return [Stored(*row) for row in self.rows(sql)]

    def order(self, author: bytes, order_id: bytes) -> Stored | None:
        """A person's entry with that order id."""
        found = self.rows(f"{_ENTRY} WHERE author = ? AND order_id = ? AND NOT ahead", author, order_id)
        return Stored(*found[0]) if found else None

    def head(self, author: bytes, generation: int) -> tuple[int, bytes] | None:
        """(sequence, id) of the last entry of a chained author's generation, None where there is none."""
        found = self.rows(
            "SELECT sequence, id FROM entries WHERE author = ? AND generation = ? AND order_id IS NULL AND NOT ahead"
            " ORDER BY sequence DESC LIMIT 1", author, generation,
        )  # fmt: skip
        return (int(found[0][0]), found[0][1]) if found else None

    def key_period(self, meter: bytes, generation: int, key_no: int) -> tuple[int, int, bytes] | None:
        """(sequence, epoch, commitment) of the KEY_OPEN that began a key period, None where there is none."""
        sql = "SELECT sequence, epoch, commitment FROM key_periods WHERE (meter, generation, key_no) = (?, ?, ?)"
        found = self.rows(sql, meter, generation, key_no)
        return tuple(found[0]) if found else None

    def epoch(self, meter: bytes, number: int, before: tuple[int, int]) -> Stored | None:
        """A meter's last KEY_EPOCH of that number before a (generation, sequence) of its log."""
        found = self.rows(
            f"{_ENTRY} WHERE cursor = (SELECT cursor FROM epochs WHERE meter = ? AND number = ?"
            " AND (generation, sequence) < (?, ?) ORDER BY generation DESC, sequence DESC LIMIT 1)",
            meter, number, *before,
        )  # fmt: skip
        return Stored(*found[0]) if found else None

    def certificates(self, after: int = 0) -> list[Certified]:
        newest = "c.version = (SELECT max(version) FROM certificates WHERE kid = c.kid)"
        return self._certified(self.rows(f"{_CERTIFIED} WHERE c.cursor > ? AND {newest} ORDER BY c.cursor", after))

    def certificates_of(self, kid: bytes) -> list[Certified]:
        return self._certified(self.rows(f"{_CERTIFIED} WHERE c.kid = ? ORDER BY c.cursor", kid))

    def _certified(self, rows: list[Any]) -> list[Certified]:
        return [Certified(kid, name, cursor, entry.decode(raw, self.community).body) for kid, name, cursor, raw in rows]

    def last_certified(self) -> int:
        return int(self.value("SELECT max(cursor) FROM certificates") or 0)

    def has_issuer(self, kids: Sequence[bytes]) -> bool:
        """Whether one of them is, or was, an issuer here."""
        marks = ", ".join("?" * len(kids))
        sql = f"SELECT 1 FROM certificates WHERE role = ? AND kid IN ({marks}) LIMIT 1"
        return bool(self.rows(sql, roles.ISSUER, *kids))

    def rejections(self) -> list[Rejection]:
        sql = "SELECT reason, author, source, times, first_s, last_s FROM rejections ORDER BY last_s DESC"
        return [Rejection(*row) for row in self.rows(sql)]

    def rejected(self) -> dict[str, int]:
        """How many entries and datagrams were rejected, by reason."""
        return dict(self.rows("SELECT reason, sum(times) FROM rejections GROUP BY reason ORDER BY reason"))

    def pending(self) -> list[Pending]:
        return [Pending(*row) for row in self.rows("SELECT public_key, proof, source, first_s, last_s FROM pending")]

    def forks(self) -> list[Fork]:
        sql = "SELECT author, generation, sequence, held, other, seen_s FROM forks ORDER BY seen_s"
        return [Fork(*row) for row in self.rows(sql)]

    def links(self, digest: bytes | None = None) -> list[Link]:
        sql = (
            "SELECT digest, person, label, created_s, expires_s, last_used_s, (SELECT c.label FROM certificates c"
            " WHERE c.kid = access.person ORDER BY c.version DESC LIMIT 1) FROM access"
        )
        if digest is None:
            return [Link(*row) for row in self.rows(f"{sql} ORDER BY created_s, digest")]
        return [Link(*row) for row in self.rows(f"{sql} WHERE digest = ?", digest)]
