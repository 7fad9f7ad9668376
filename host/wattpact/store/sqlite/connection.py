"""One connection to the database, and what a person can do about its errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from wattpact.store.records import StoreError
from wattpact.store.sqlite import schema

BUSY_TIMEOUT_S = 5


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


class Connection:
    """A connection to the database at `path`; `with` closes it. Raises StoreError."""

    def __init__(self, path: Path, read_only: bool = True) -> None:
        self.path = path
        if read_only and not path.exists():
            raise StoreError(f"there is no database at {path}")
        try:
            mode = "ro" if read_only else "rwc"
            uri = f"{path.resolve().as_uri()}?mode={mode}"
            # A Store lets another thread wait for the disk; SQLite serialises what two threads do with one connection.
            self._db = sqlite3.connect(
                uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=read_only
            )
            self._db.execute("PRAGMA foreign_keys = ON")
            found = schema.version(self._db)
        except sqlite3.Error as error:
            raise explain(error, path) from error
        if found not in (0, schema.VERSION):
            self._db.close()
            raise StoreError(
                f"{path} was made by another version of wattpact: its tables are version {found}, this program's "
                f"{schema.VERSION}; use the version that made it, or choose another data directory with --data"
            )
        self.community = self.meta("community") or b"" if found else b""

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

    def each(self, sql: str, *values: Any) -> Iterator[Any]:
        """Rows as they are wanted, so that whoever stops early pays for no more."""
        try:
            yield from self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    @contextmanager
    def moment(self) -> Iterator[None]:
        """All that is read inside is of one moment, whatever other programs write meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row, None where there is no row."""
        found = self.rows(sql, *values)
        return found[0][0] if found else None

    def meta(self, name: str) -> bytes | None:
        found: bytes | None = self.value("SELECT value FROM meta WHERE name = ?", name)
        return found

    def number(self, name: str) -> int:
        """A number that `set_number` kept; 0 where there is none."""
        return int.from_bytes(self.meta(name) or b"", "big")

    def text(self, name: str) -> str:
        """A text that `set_text` kept; empty where there is none."""
        return (self.meta(name) or b"").decode()
