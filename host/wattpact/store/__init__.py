"""Where entries and projections are stored durably. SQL is in `sqlite` and nowhere else."""

from pathlib import Path

from wattpact.store.interface import Reader, Store
from wattpact.store.sqlite import reader, store

DATABASE = "wattpact.db"  # in a data directory


def open_reader(path: Path) -> Reader:
    """The database at `path`, for reading, in this thread; raises StoreError."""
    return reader.Reader(path)


def open_store(path: Path, community: bytes | None = None) -> Store:
    """The database at `path`, for writing; `community` is 16 bytes, needed where it is new. Raises StoreError."""
    return store.Store(path, community)
