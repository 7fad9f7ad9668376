"""A data directory: settings.json, wattpact.db and keys/, all that a node has.

What always holds: settings.json pins the root's public key, so nothing else in the directory can change whom the node
trusts; a directory without it is no data directory, and nothing is created in one by accident.
"""

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wattpact_protocol.log import ids

from wattpact import keys
from wattpact.keys import KeyFileError, Keyring, Signer
from wattpact.membership import members
from wattpact.projections import follow
from wattpact.store import DATABASE, open_reader, open_store
from wattpact.store.files import replacing
from wattpact.store.interface import Reader, Store

SETTINGS, KEYS, LOCK = "settings.json", "keys", "node.lock"
_FORMAT = 1


class DataDirectoryError(Exception):
    """A data directory that is missing, damaged, or there already; the text says which and what to do."""


def clock() -> int:
    """Unix seconds by this machine's clock."""
    return time.time_ns() // 1_000_000_000


class DataDirectory:
    """An existing data directory; raises DataDirectoryError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keyring = Keyring(path / KEYS)
        self.root_public_key = _pinned(path / SETTINGS)
        self.community = ids.community_id(self.root_public_key)

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    def store(self) -> Store:
        """Open for writing; raises StoreError."""
        return open_store(self.database, self.community)

    def reader(self) -> Reader:
        """Open for reading; raises StoreError."""
        return open_reader(self.database)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for the one node that may run on it; the kernel ends the hold when the process dies."""
        handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _flock(handle, fcntl.LOCK_EX):
                raise DataDirectoryError(f"a node is running on {self.path} already")
            yield
        finally:
            os.close(handle)

    def has_node(self) -> bool:
        """Whether a node is running on this directory."""
        try:
            handle = os.open(self.path / LOCK, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return not _flock(handle, fcntl.LOCK_SH, tries=1)
        finally:
            os.close(handle)

    def issuer(self) -> Signer | None:
        return self.keyring.load(keys.ISSUER) if self.keyring.has(keys.ISSUER) else None

    def needed_issuer(self) -> Signer:
        """The issuer's key; raises KeyFileError where it is not here."""
        issuer = self.issuer()
        if issuer is None:
            raise KeyFileError("only the issuer's key can sign this, and it is not in this data directory")
        return issuer

    def host(self) -> Signer | None:
        """The key that signs the ledger's head and statements."""
        return self.keyring.load(keys.HOST) if self.keyring.has(keys.HOST) else None

    def readers(self) -> list[Signer]:
        """The keys here that unseal what meters seal: the operator's, and people's. Raises KeyFileError."""
        issuer = self.issuer()
        return ([] if issuer is None else [issuer]) + self.keyring.people()

    def bring_up(self, now_s: int) -> None:
        """All that is stored is ordered, and in the projections: a node that runs sees to it, and then nothing is
        written here. Raises KeyFileError, StoreError."""
        if not self.has_node():
            with self.store() as store:
                follow.bring_up(store, self.readers(), now_s, self.host())


def _flock(handle: int, kind: int, tries: int = 5) -> bool:
    """Whether the lock was had. `has_node` holds it for a moment, so one who needs it tries more than once."""
    for _ in range(tries):
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return True
        except OSError:
            time.sleep(0.02)
    return False


def _pinned(path: Path) -> bytes:
    try:
        settings: Any = json.loads(path.read_bytes())
        root_public_key = bytes.fromhex(settings["root_public_key"])
        sound = settings["wattpact_data"] == _FORMAT and len(root_public_key) == 32
    except FileNotFoundError:
        raise DataDirectoryError(f"{path.parent} is not a data directory") from None
    except OSError as error:
        raise DataDirectoryError(f"cannot read {path}: {error.strerror}") from None
    except (KeyError, TypeError, ValueError):
        sound, root_public_key = False, b""
    if not sound:
        raise DataDirectoryError(f"{path} is damaged; restore it from a backup")
    return root_public_key


def create(path: Path, terms: members.FoundingTerms, now_s: int) -> DataDirectory:
    """A new data directory with new keys and a community that starts with `terms`; raises
    DataDirectoryError, KeyFileError, and BodyError for terms that fit no entry, before anything is made."""
    members.first_entries(terms)
    if (path / SETTINGS).exists():
        raise DataDirectoryError(f"there is a community in {path} already")
    keyring = Keyring(path / KEYS)
    if any(keyring.has(name) for name in (keys.ROOT, keys.ISSUER, keys.HOST)) or (path / DATABASE).exists():
        raise DataDirectoryError(f"{path} has keys or a database of an unfinished set-up; choose another directory")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirectoryError(f"cannot make {path}: {error.strerror}") from None
    names = (keys.ROOT, keys.ISSUER, keys.HOST)
    signers = {name: keyring.create(name, secrets.token_bytes(32)) for name in names}
    root_public_key = signers[keys.ROOT].public_key
    with open_store(path / DATABASE, ids.community_id(root_public_key)) as store:
        members.found_community(store, signers, terms, now_s)
    _write_settings(path / SETTINGS, {"wattpact_data": _FORMAT, "root_public_key": root_public_key.hex()})
    return DataDirectory(path)


def begin_host(path: Path, root_public_key: bytes) -> DataDirectory:
    """A new data directory of a community that others founded, with a new key for this host and an empty database;
    raises DataDirectoryError, KeyFileError, StoreError."""
    keyring = Keyring(path / KEYS)
    if (path / SETTINGS).exists() or (path / DATABASE).exists():
        raise DataDirectoryError(f"there is a community in {path} already")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirectoryError(f"cannot make {path}: {error.strerror}") from None
    if not keyring.has(keys.HOST):  # one that was kept is the same host again
        keyring.create(keys.HOST, secrets.token_bytes(32))
    open_store(path / DATABASE, ids.community_id(root_public_key)).close()
    _write_settings(path / SETTINGS, {"wattpact_data": _FORMAT, "root_public_key": root_public_key.hex()})
    return DataDirectory(path)


def add_person(directory: DataDirectory, name: str, label: str, now_s: int) -> Signer:
    """A new key for a person, certified; raises EnrolError, KeyFileError, StoreError."""
    issuer = directory.needed_issuer()
    if directory.keyring.person_path(name).exists():
        raise KeyFileError(f"{name} has a key already")
    seed = secrets.token_bytes(32)
    with directory.store() as store, store.transaction():
        person = Signer(seed, name)
        members.enrol_person(store, issuer, person, label, now_s)
        return directory.keyring.create_person(name, seed)


def _write_settings(path: Path, settings: dict[str, Any]) -> None:
    with replacing(path) as file:
        file.write(f"{json.dumps(settings, indent=2)}\n".encode())
