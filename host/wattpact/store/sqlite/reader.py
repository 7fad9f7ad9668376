"""Questions to the store, on one connection of its own: what was said, by whom, and what it adds up to.

What always holds: nothing here writes, and every failure of SQLite's is a StoreError with a sentence for a person.
A Reader belongs to one thread. docs/spec/ingest.md explains the tables.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from wattpact_protocol.log import entry, kinds, roles

from wattpact.store.records import Certified, Evidence, Pending, Point, Registers, Rejection, Stored, StoreError
from wattpact.store.sqlite import schema

BUSY_TIMEOUT_S = 5


_ENTRY = "SELECT cursor, id, author, kind, generation, sequence, unix_s, received_s, raw, void_reason FROM entries"


def explain(error: sqlite3.Error, path: Path) -> StoreError:
    """What a person can do about an error of SQLite's."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return StoreError(f"{path} is in use by another program; try again in a moment")
    if "full" in text:
        return StoreError(f"there is no space left for {path}")
    if "malformed" in text or "not a database" in text:
        return StoreError(f"{path} is damaged; restore it from a backup")
    if "readonly" in text or "unable to open" in text:
        return StoreError(f"cannot open {path}; is it there, and may you write to it?")
    return StoreError(f"{path}: {text}")


class Reader:
    """One connection to the database at `path`, of the community with that id; `with` closes it. Raises StoreError."""

    def __init__(self, path: Path, read_only: bool = True) -> None:
        self.path = path
        if read_only and not path.exists():
            raise StoreError(f"there is no database at {path}")
        try:
            mode = "ro" if read_only else "rwc"
            uri = f"{path.resolve().as_uri()}?mode={mode}"
            # A Store lets another thread wait for the disk; SQLite serialises what two threads ask of one connection.
            self._db = sqlite3.connect(
                uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=read_only
            )
            self._db.execute("PRAGMA foreign_keys = ON")
            found = schema.version(self._db)
        except sqlite3.Error as error:
            raise explain(error, path) from error
        self.community = self.meta("community") or b"" if found else b""
        if found > len(schema.STEPS):
            self._db.close()
            raise StoreError(f"{path} was made by a newer wattpact; update this one")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def rows(self, sql: str, *values: Any) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row, None where there is no row."""
        found = self.rows(sql, *values)
        return found[0][0] if found else None

    def meta(self, name: str) -> bytes | None:
        found: bytes | None = self.value("SELECT value FROM meta WHERE name = ?", name)
        return found

    def last_cursor(self) -> int:
        return int(self.value("SELECT max(cursor) FROM entries") or 0)

    def entries(
        self,
        after: int = 0,
        before: int | None = None,
        of_kinds: Sequence[int] = (),
        author: bytes | None = None,
        limit: int = -1,
        newest_first: bool = False,
    ) -> list[Stored]:
        """Rows with after < cursor < before, of some kinds and of one author where given."""
        where, values = ["cursor > ?"], [after]  # type: tuple[list[str], list[Any]]
        if before is not None:
            where.append("cursor < ?")
            values.append(before)
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

    def stream(
        self, after: int = 0, chunk: int = 1000, of_kinds: Sequence[int] = (), before: int | None = None
    ) -> Iterator[Stored]:
        """As `entries`, oldest first, with a chunk at a time in memory."""
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
        where = "author = ? AND generation = ? AND sequence = ? AND order_id IS NULL"
        found = self.rows(f"{_ENTRY} WHERE {where}", author, generation, sequence)
        return Stored(*found[0]) if found else None

    def order(self, author: bytes, order_id: bytes) -> Stored | None:
        """A person's entry with that order id."""
        found = self.rows(f"{_ENTRY} WHERE author = ? AND order_id = ?", author, order_id)
        return Stored(*found[0]) if found else None

    def head(self, author: bytes, generation: int) -> tuple[int, bytes] | None:
        """(sequence, id) of the last entry of a chained author's generation, None where there is none."""
        found = self.rows(
            "SELECT sequence, id FROM entries WHERE author = ? AND generation = ? AND order_id IS NULL"
            " ORDER BY sequence DESC LIMIT 1", author, generation,
        )  # fmt: skip
        return (int(found[0][0]), found[0][1]) if found else None

    def key_period(self, meter: bytes, generation: int, key_no: int) -> tuple[int, int, bytes] | None:
        """(sequence, epoch, commitment) of the KEY_OPEN that opened a key of a meter, None where there is none."""
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

    def sealing(self) -> dict[bytes, int]:
        """The meters that seal, each with how many of its readings could not be opened here."""
        return dict(self.rows("SELECT meter, unopened FROM sealing"))

    def certificates(self, after: int = 0) -> list[Certified]:
        """The newest certificate of each author whose newest came after that cursor, oldest first."""
        found = self.rows(
            "SELECT c.kid, c.id, c.cursor, e.raw FROM certificates c JOIN entries e USING (cursor)"
            " WHERE c.cursor > ? AND c.version = (SELECT max(version) FROM certificates WHERE kid = c.kid)"
            " ORDER BY c.cursor", after,
        )  # fmt: skip
        return [
            Certified(kid, name, cursor, entry.decode(raw, self.community).body) for kid, name, cursor, raw in found
        ]

    def has_issuer(self, kids: Sequence[bytes]) -> bool:
        """Whether one of them is, or was, an issuer here."""
        marks = ", ".join("?" * len(kids))
        sql = f"SELECT 1 FROM certificates WHERE role = ? AND kid IN ({marks}) LIMIT 1"
        return bool(self.rows(sql, roles.ISSUER, *kids))

    def points(self, meter: bytes, from_s: int = 0, to_s: int = kinds.MAX_UINT) -> list[Point]:
        """Registers of a meter with from_s <= unix_s <= to_s, in the order of (generation, time)."""
        found = self.rows(
            "SELECT generation, unix_s, import_wh, export_wh, estimated FROM points"
            " WHERE meter = ? AND unix_s BETWEEN ? AND ? ORDER BY generation, unix_s", meter, from_s, to_s,
        )  # fmt: skip
        return [Point(row[0], row[1], row[2], row[3], bool(row[4])) for row in found]

    def registers(self, meter: bytes | None = None) -> list[Registers]:
        """The last good registers of one meter, or of all that have any."""
        where, values = ("", ()) if meter is None else (" WHERE meter = ?", (meter,))
        sql = f"SELECT meter, generation, end_s, received_s, energy, instantaneous FROM registers{where}"
        return [
            Registers(kid, number, end_s, received_s, _numbers(energy), _numbers(instantaneous))
            for kid, number, end_s, received_s, energy, instantaneous in self.rows(sql, *values)
        ]

    def rejections(self) -> list[Rejection]:
        sql = "SELECT reason, author, source, times, first_s, last_s FROM rejections ORDER BY last_s DESC"
        return [Rejection(*row) for row in self.rows(sql)]

    def rejected(self) -> dict[str, int]:
        """How many entries and datagrams were refused, by reason."""
        return dict(self.rows("SELECT reason, sum(times) FROM rejections GROUP BY reason ORDER BY reason"))

    def pending(self) -> list[Pending]:
        return [Pending(*row) for row in self.rows("SELECT public_key, proof, source, first_s, last_s FROM pending")]

    def evidence(self) -> list[Evidence]:
        sql = "SELECT author, generation, sequence, held, other, seen_s FROM evidence ORDER BY seen_s"
        return [Evidence(*row) for row in self.rows(sql)]


def _numbers(text: str) -> dict[int, int]:
    return {int(register): value for register, value in json.loads(text).items()}
