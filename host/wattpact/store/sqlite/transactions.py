"""Transactions of the one writing connection: all or nothing, and durable when they have ended.

What always holds: a commit has reached the disk when it returns (WAL, synchronous FULL), or when `settle` does where
another thread waits for the disk.
"""

import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wattpact.store.records import StoreError
from wattpact.store.sqlite import schema
from wattpact.store.sqlite.connection import explain
from wattpact.store.sqlite.reader import Reader


class Transactions(Reader):
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
            if not schema.version(self._db):
                with self.transaction():
                    if not schema.version(self._db):  # not made by another program meanwhile
                        schema.create(self._db)
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

    def each(self, sql: str, *values: Any) -> Iterator[Any]:
        self.settle()
        return super().each(sql, *values)

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

    def set_number(self, name: str, value: int) -> None:
        self.set_meta(name, value.to_bytes(8, "big"))

    def set_text(self, name: str, value: str) -> None:
        self.set_meta(name, value.encode())

    def execute(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for each row, inside a transaction of its own or the caller's."""
        with self.transaction():
            self._db.executemany(sql, rows)
