"""Keys on disk: one file a key, readable by its owner alone; its seed signs, and unseals what is sealed for its holder.

What always holds: a seed, and what follows from it, leaves this module only inside a Signer, never in a message or a
repr, and once for the host's CometBFT (`Signer.secret_for_votes`); a key file appears whole or not at all, mode 0600,
and no key file is ever overwritten. docs/spec/enrolment.md says who holds which key, docs/spec/sealing.md what the
sealing key is for.
"""

import functools
import json
import os
import re
from pathlib import Path
from typing import Any

from wattpact_protocol.crypto import ed25519, x25519
from wattpact_protocol.log import ids
from wattpact_protocol.sealing import epochs, period_keys

ROOT, ISSUER, HOST = "root", "issuer", "host"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}")
_FORMAT = 1


class KeyFileError(ValueError):
    """A key that is missing, unreadable, damaged or already there; the text says which file and what to do."""


class Signer:
    """A key that signs, and reads what meters sealed for its holder. `name` is its file's, for messages."""

    def __init__(self, seed: bytes, name: str = "") -> None:
        self._seed = seed
        self.name = name
        self.public_key = ed25519.public_key(seed)
        self.kid = ids.kid_of(self.public_key)

    def sign(self, message: bytes) -> bytes:
        return ed25519.sign(self._seed, message)

    @functools.cached_property
    def sealing_key(self) -> bytes:
        """The X25519 key that meters wrap the secrets of their epochs for; a certificate's `sealing_key`."""
        return x25519.public_key(period_keys.sealing_secret(self._seed))

    def unwrap(self, body: dict[str, Any], community: bytes, meter: bytes) -> bytes:
        """The secret of the epoch that a meter's KEY_EPOCH gives; raises NoKeyError, SealError."""
        return epochs.unwrap(period_keys.sealing_secret(self._seed), self.kid, (community, meter), body)

    def secret_for_votes(self) -> bytes:
        """Seed and public key, for the one file of the host's own CometBFT that it signs votes with: the one way in
        which a seed leaves this module. Nothing but wattpact.consensus.home calls it."""
        return self._seed + self.public_key

    def __repr__(self) -> str:
        return f"<Signer {self.name} {self.kid.hex()}>"


def check_name(name: str) -> str:
    """A name that is safe as a file's; raises KeyFileError."""
    if not _NAME.fullmatch(name):
        raise KeyFileError(f"{name!r} cannot name a key; use up to 31 letters, digits, dots and dashes")
    return name


class Keyring:
    """The keys of one data directory: keys/root.key, issuer.key, host.key and keys/people/NAME.key."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, name: str) -> Path:
        return self.directory / f"{name}.key"

    def person_path(self, name: str) -> Path:
        return self.directory / "people" / f"{check_name(name)}.key"

    def has(self, name: str) -> bool:
        return self.path(name).exists()

    def create(self, name: str, seed: bytes) -> Signer:
        """A new key of the community; raises KeyFileError where there is one."""
        return _write(self.path(name), name, seed)

    def create_person(self, name: str, seed: bytes) -> Signer:
        return _write(self.person_path(name), name, seed)

    def load(self, name: str) -> Signer:
        return _read(self.path(name), name)

    def person(self, name: str) -> Signer:
        return _read(self.person_path(name), name)

    def people(self) -> list[Signer]:
        """Every person whose key is here, by name; raises KeyFileError for a damaged file."""
        return [_read(path, path.stem) for path in sorted((self.directory / "people").glob("*.key"))]


def _write(path: Path, name: str, seed: bytes) -> Signer:
    signer = Signer(seed, name)
    content = {"wattpact_key": _FORMAT, "name": name, "public_key": signer.public_key.hex(), "seed": seed.hex()}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write_whole(part, json.dumps(content).encode())
        os.link(part, path)  # unlike a rename, a link never replaces a file
    except FileExistsError:
        raise KeyFileError(f"{path} exists already; keys are never overwritten") from None
    except OSError as error:
        raise KeyFileError(f"cannot write {path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    _sync_directory(path.parent)
    return signer


def _write_whole(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path, name: str) -> Signer:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise KeyFileError(f"the key {name!r} is missing: there is no file {path}") from None
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise KeyFileError(f"{path} is damaged; restore it from a backup") from None
    try:
        signer = Signer(bytes.fromhex(content["seed"]), name)
        sound = content["wattpact_key"] == _FORMAT and signer.public_key.hex() == content["public_key"]
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise KeyFileError(f"{path} is damaged; restore it from a backup")
    return signer
