"""The store: every entry taken in, in SQLite, durable before anyone is told so.

What always holds: a batch is stored whole or not at all; a commit has reached the disk when it returns (WAL,
synchronous FULL); two processes that say something in one log never use a sequence twice, because the place is
chosen inside the transaction that fills it. docs/spec/ingest.md explains the tables.
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wattpact_protocol.log import entry, ids, kinds, readings, roles
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.register_rules import RegisterRules

from wattpact.keys import Signer
from wattpact.store.records import Accepted, Evidence, Registers, Rejection, StoreError
from wattpact.store.sqlite import schema
from wattpact.store.sqlite.reader import Reader, explain

MAX_BATCH = 256
MAX_PENDING = 256
MAX_REJECTION_ROWS = 1000
MAX_EVIDENCE_PER_AUTHOR = 16

_INSERT_ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_POINT = "INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?, ?, ?)"


Point = tuple[bytes, int, int, int, int, int]  # meter, register generation, time, import, export, estimated


class Store(Reader):
    """The one writing connection of a program. `community` is 16 bytes, needed where the database is new."""

    def __init__(self, path: Path, community: bytes | None = None) -> None:
        if community is None and not path.exists():
            raise StoreError(f"there is no database at {path}")
        self._depth = 0
        self._committing: Future[sqlite3.Cursor] | None = None
        super().__init__(path, read_only=False)
        self._readers = threading.local()
        try:
            self._db.execute("PRAGMA page_size = 8192")  # of a new database: fewer pages for entries of some 300 bytes
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA cache_size = -16384")
            self._db.execute("PRAGMA wal_autocheckpoint = 1000")
            if schema.version(self._db) < len(schema.STEPS):
                with self.transaction():
                    schema.migrate(self._db)
            self.community = self._claim(community)
        except sqlite3.Error as error:
            self._db.close()
            raise explain(error, path) from error
        except StoreError:
            self._db.close()
            raise
        self.inbox_id: bytes = self.meta("inbox") or b""

    def _claim(self, community: bytes | None) -> bytes:
        """The community of this database; a new one takes it on, with an id for its inboxes."""
        if self.meta("community") is None and community is not None:
            with self.transaction():
                self.set_meta("community", community)
                self.set_meta("inbox", secrets.token_bytes(8))
        found = self.meta("community")
        if found is None:
            raise StoreError(f"{self.path} belongs to no community yet")
        if community not in (None, found):
            raise StoreError(f"{self.path} belongs to another community, {found.hex()}")
        return found

    def reader(self) -> Reader:
        """This thread's own reading connection."""
        found: Reader | None = getattr(self._readers, "reader", None)
        if found is None:
            found = self._readers.reader = Reader(self.path)
        return found

    def rows(self, sql: str, *values: Any) -> list[Any]:
        self.settle()
        return super().rows(sql, *values)

    @contextmanager
    def transaction(self, committer: Executor | None = None) -> Iterator[None]:
        """All or nothing, with the write lock held from the start; inside another it is part of that one.

        With a committer the disk is waited for in its thread, and nothing is durable until `settle` has returned."""
        if self._depth:
            yield
            return
        self.settle()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._depth = 1
            yield
            if committer is None:
                self._db.execute("COMMIT")
            else:
                self._committing = committer.submit(self._db.execute, "COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise explain(error, self.path) from error
            raise
        finally:
            self._depth = 0

    def settle(self) -> None:
        """Wait for a commit that is under way; every other use of the store does so by itself."""
        committing, self._committing = self._committing, None
        if committing is None:
            return
        try:
            committing.result()
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise explain(error, self.path) from error

    def set_meta(self, name: str, value: bytes) -> None:
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def execute(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for each row, inside a transaction of its own or the caller's."""
        with self.transaction():
            self._db.executemany(sql, rows)

    def append(self, batch: Sequence[Accepted], received_s: int, registers: Iterable[Registers] = ()) -> int:
        """Store entries whose places are free, and the registers they lead to; the cursor of the last."""
        with self.transaction():
            cursor = self.last_cursor()
            rows: list[tuple[Any, ...]] = []
            points: list[Point] = []
            others: list[tuple[int, Entry, str | None]] = []
            sealing: dict[bytes, int] = {}
            for new, chained, void_reason, goes_on, deferred in batch:
                cursor += 1
                order_id = None if chained else new.body["order_id"]
                rows.append((
                    cursor, new.id, new.kid, new.kind, new.generation, new.sequence, order_id,
                    new.stamp.unix_s, received_s, new.raw, void_reason,
                ))  # fmt: skip
                if new.kind != kinds.READING:
                    others.append((cursor, new, void_reason))
                elif new.is_sealed:
                    sealing.setdefault(new.kid, cursor)
                elif void_reason is None and not deferred:
                    points += points_of(new.kid, new.body, goes_on)
            self._db.executemany(_INSERT_ENTRY, rows)
            self._db.executemany(_INSERT_POINT, points)
            self._db.executemany("INSERT OR IGNORE INTO sealing VALUES (?, ?, 0, x'')", sealing.items())
            self._keep_what_others_rest_on(others)
            self.keep_registers(registers)
        return cursor

    def _keep_what_others_rest_on(self, said: Iterable[tuple[int, Entry, str | None]]) -> None:
        """Certificates, and keys that were opened, by cursor."""
        for cursor, new, void_reason in said:
            if void_reason is not None:
                continue
            if new.kind == kinds.CERTIFICATE:
                self._keep_certificate(cursor, new)
            elif new.kind == kinds.KEY_EPOCH:
                values = (new.kid, new.body["number"], new.generation, new.sequence, cursor)
                self._db.execute("INSERT INTO epochs VALUES (?, ?, ?, ?, ?)", values)
            elif new.kind == kinds.KEY_OPEN:
                body = new.body
                opened = (new.kid, new.generation, body["key_no"], new.sequence, body["epoch"], body["commitment"])
                self._db.execute("INSERT OR IGNORE INTO key_periods VALUES (?, ?, ?, ?, ?, ?)", opened)

    def _keep_certificate(self, cursor: int, new: Entry) -> None:
        body = new.body
        values = (cursor, new.id, ids.kid_of(body["public_key"]), body["version"], body["role"], body["label"])
        self._db.execute("INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?)", values)
        self._db.execute("DELETE FROM pending WHERE public_key = ?", (body["public_key"],))

    def keep_points(self, rows: Iterable[Point]) -> None:
        """Rows of `points_of`; a time that is there already stays as it is."""
        self.execute(_INSERT_POINT, rows)

    def keep_registers(self, registers: Iterable[Registers]) -> None:
        """The last good registers of meters; inside a transaction of the caller's."""
        self._db.executemany(
            "INSERT OR REPLACE INTO registers VALUES (?, ?, ?, ?, ?, ?)",
            [(*row[:4], json.dumps(row.energy), json.dumps(row.instantaneous)) for row in registers],
        )

    def publish(self, signer: Signer, kind: int, body: dict[str, Any], now_s: int) -> Entry:
        """Append an entry to the signer's own log, or give its order; raises StoreError, EntryError."""
        with self.transaction():
            place, chained = self._place(signer, kind, body)
            stamp = entry.Stamp(0, 0, now_s)
            new = entry.sign(kind, body, place, stamp, signer.kid, self.community, signer.sign)
            self.append([Accepted(new, chained)], now_s)
        return new

    def _place(self, signer: Signer, kind: int, body: dict[str, Any]) -> tuple[tuple[int, int, bytes], bool]:
        """(generation, sequence, previous) of the signer's next entry, and whether it stands in a chain."""
        found = self.rows(
            "SELECT c.id, c.role, e.raw FROM certificates c JOIN entries e USING (cursor) WHERE c.kid = ?"
            " ORDER BY c.version DESC LIMIT 1", signer.kid,
        )  # fmt: skip
        if not found:
            if kind == kinds.CERTIFICATE and body.get("public_key") == signer.public_key:
                return (0, 0, entry.NO_PREVIOUS), True
            raise StoreError(f"{signer.name or signer.kid.hex()} has no certificate in this community")
        certificate_id, role, raw = found[0]
        generation = entry.decode(raw, self.community).body["generation"]
        if role == roles.PERSON:
            return (generation, 0, certificate_id), False
        head = self.head(signer.kid, generation)
        return ((generation, 0, certificate_id) if head is None else (generation, head[0] + 1, head[1])), True

    def keep_evidence(self, found: Evidence) -> None:
        """Keep both entries of a fork; a bounded number for each author."""
        with self.transaction():
            kept = self.value("SELECT count(*) FROM evidence WHERE author = ?", found.author)
            if kept < MAX_EVIDENCE_PER_AUTHOR:
                self._db.execute("INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?, ?)", found)

    def keep_pending(self, public_key: bytes, proof: bytes, source: str, now_s: int) -> None:
        """Remember a meter that asks to be enrolled; beyond a bound, the one silent for longest is forgotten."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO pending VALUES (?, ?, ?, ?, ?) ON CONFLICT (public_key) DO UPDATE"
                " SET proof = excluded.proof, source = excluded.source, last_s = excluded.last_s",
                (public_key, proof, source, now_s, now_s),
            )
            self._db.execute(
                "DELETE FROM pending WHERE public_key IN"
                " (SELECT public_key FROM pending ORDER BY last_s DESC LIMIT -1 OFFSET ?)", (MAX_PENDING,),
            )  # fmt: skip

    def count_rejections(self, counted: Iterable[Rejection]) -> None:
        """Add to the counts by (reason, author, source); beyond a bound of rows, by reason alone."""
        with self.transaction():
            left = MAX_REJECTION_ROWS - self.value("SELECT count(*) FROM rejections")
            for new in counted:
                known = self.rows("SELECT 1 FROM rejections WHERE (reason, author, source) = (?, ?, ?)", *new[:3])
                if not known:
                    new = new if left > 0 else new._replace(author=b"", source="")
                    left -= 1
                self._db.execute(
                    "INSERT INTO rejections VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                    " SET times = times + excluded.times, last_s = excluded.last_s", new,
                )  # fmt: skip


def points_of(kid: bytes, body: dict[str, Any], goes_on: bool) -> list[Point]:
    """Rows of `points`: the registers at t0, unless they are there from the reading before, and after each step."""
    generation, unix_s, step_s = body["register_generation"], body["t0_s"], body["step_s"]
    import_wh, imports = body["registers"][readings.IMPORT_WH]
    export_wh, exports = body["registers"][readings.EXPORT_WH]
    all_estimated, bad_mask = body["quality"] & readings.ESTIMATED, body["bad_mask"]
    points = [] if goes_on else [(kid, generation, unix_s, import_wh, export_wh, all_estimated)]
    for imported, exported in zip(imports, exports, strict=True):
        unix_s += step_s
        import_wh += imported
        export_wh += exported
        points.append((kid, generation, unix_s, import_wh, export_wh, all_estimated or bad_mask & 1))
        bad_mask >>= 1
    return points


def goes_on_from(last: RegisterRules, body: dict[str, Any]) -> bool:
    """Whether a reading begins where the last one ended, so that its first point is there already."""
    return bool(last.end_s == body["t0_s"] and last.generation == body["register_generation"])


def registers_of(meter: bytes, kept: RegisterRules, body: dict[str, Any], received_s: int) -> Registers:
    """A meter's last good registers, which a reading led to."""
    shown = {
        number: value[0] for number, value in body["registers"].items() if number >= readings.FIRST_INSTANTANEOUS
    }  # fmt: skip
    return Registers(meter, kept.generation, kept.end_s, received_s, dict(kept.values), shown)
