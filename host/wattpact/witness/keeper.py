"""What a witness remembers in its directory, and what it cosigns: C2SP tlog-witness, for one community.

    DIR/keys/witness.key    signs
    DIR/witness.json        name, the community's root key, the ledger's key, the last head that was cosigned
    DIR/fork-812.txt        two heads over 812 blocks, which prove that the host signed two histories; the first is
                            without a signature where it follows from the blocks that the host gave

What always holds: the last head is on the disk before its cosignature leaves, so that no two heads of one size are
ever cosigned, whenever the program dies; one program at a time has the directory. With the blocks at hand only heads
over blocks that keep every rule are cosigned. docs/spec/ledger.md, "Head and witnesses".
"""

import contextlib
import fcntl
import json
import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.ledger import checkpoints, tree
from wattpact_protocol.ledger.checkpoints import Checkpoint, CheckpointError
from wattpact_protocol.log import ids

from wattpact.bundle.cosigned import WitnessKey
from wattpact.keys import Keyring
from wattpact.ordering import exported, submitting
from wattpact.ordering.following import Follower, FollowingError
from wattpact.ordering.submitting import Answer, SubmissionError
from wattpact.store.files import replacing
from wattpact.store.records import StoreError
from wattpact.witness import forks

KEY, STATE, LOCK = "witness", "witness.json", "witness.lock"
MAX_FORKS = 64
NOT_YET = 503
_FORMAT = 1

_LOG = logging.getLogger("wattpact.witness")


class WitnessError(ValueError):
    """A witness's directory that is missing, damaged, in use or there already; the text shows which and what to do."""


class Pinned(NamedTuple):
    """Whom a witness is for: the ledger's key may be None, then the blocks show who signs."""

    name: str
    root_public_key: bytes
    log_key: bytes | None


def create(directory: Path, pinned: Pinned) -> WitnessKey:
    """A new witness with a new key; raises WitnessError, KeyFileError."""
    if (directory / STATE).exists():
        raise WitnessError(f"there is a witness in {directory} already")
    signer = Keyring(directory / "keys").create(KEY, secrets.token_bytes(32))
    _write(directory / STATE, _state_of(pinned, None))
    return WitnessKey(pinned.name, signer.public_key)


class Keeper:
    """`source`: a data directory or an exported file with the ledger's blocks, where there is one."""

    def __init__(self, directory: Path, source: Path | None = None) -> None:
        self._directory = directory
        self.pinned, self.head = _read(directory / STATE)
        if self.pinned.log_key is None and source is None:
            raise WitnessError("without the ledger's key this witness needs the blocks: give them with --blocks")
        self.community = ids.community_id(self.pinned.root_public_key)
        self._signer = Keyring(directory / "keys").load(KEY)
        self._source = source
        self._follower = None if source is None else Follower(self.community)
        self._broken: str | None = None

    @property
    def key(self) -> WitnessKey:
        return WitnessKey(self.pinned.name, self._signer.public_key)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory; the kernel ends the hold when the process dies. Raises WitnessError."""
        handle = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise WitnessError(f"a witness is running on {self._directory} already") from None
            self.pinned, self.head = _read(self._directory / STATE)
            yield
        finally:
            os.close(handle)

    def add_checkpoint(self, body: bytes, now_s: int) -> Answer:
        """The answer to a submission; raises OSError where it cannot be kept, and then nothing was signed."""
        try:
            old, proof, text = submitting.decode(body)
            point = checkpoints.decode(text)
        except (SubmissionError, CheckpointError) as error:
            return Answer(submitting.BAD_REQUEST, f"{error}\n")
        if point.origin != checkpoints.origin_of(self.community):
            return Answer(submitting.NOT_FOUND, "this witness is for another community\n")
        self.catch_up()
        if not self._is_signed(point):
            return Answer(submitting.FORBIDDEN, "no signature by the host of this community\n")
        if old > point.size:
            return Answer(submitting.BAD_REQUEST, "the old size is larger than the head's\n")
        held = self.head or Checkpoint(point.origin, 0, tree.EMPTY_ROOT)
        is_fork = self._look_for_fork(held, point)
        if old != held.size or (is_fork and point.size == held.size):
            return Answer(submitting.CONFLICT, f"{held.size}\n")
        problem = self._problem(held, point, proof)
        if problem is not None:
            return problem
        _write(self._directory / STATE, _state_of(self.pinned, point))
        self.head = point
        mine = Checkpoint(point.origin, point.size, point.root)
        checkpoints.cosign(mine, self.pinned.name, self._signer.public_key, now_s, self._signer.sign)
        return Answer(submitting.OK, mine.text.removeprefix(mine.body + "\n"))

    def catch_up(self) -> None:
        """Apply the blocks that are new at the source."""
        if self._follower is None or self._source is None or self._broken is not None:
            return
        try:
            for raw in exported.blocks_of(self._source, self._follower.ledger.size):
                self._follower.apply(raw)
        except FollowingError as error:
            self._broken = str(error)
            _LOG.critical("THE LEDGER BREAKS ITS RULES, and nothing of it is cosigned any more: %s", error)
        except (OSError, StoreError) as error:
            _LOG.error("the blocks cannot be read: %s", error)

    def _is_signed(self, point: Checkpoint) -> bool:
        if self.pinned.log_key is not None:
            return checkpoints.is_signed(point, self.pinned.log_key, ed25519.verify)
        return self._follower is not None and self._follower.is_signed(point)

    def _problem(self, held: Checkpoint, point: Checkpoint, proof: list[bytes]) -> Answer | None:
        """Why a head is not cosigned that begins where the last one ended."""
        try:
            tree.verify_consistency(held.size, held.root, point.size, point.root, proof)
        except tree.ProofError as error:
            return Answer(submitting.UNPROCESSABLE, f"{error}\n")
        if self._follower is None:
            return None
        if self._broken is not None:
            return Answer(submitting.UNPROCESSABLE, f"{self._broken}\n")
        ledger = self._follower.ledger
        if point.size > ledger.size:
            return Answer(NOT_YET, f"{ledger.size} of {point.size} blocks are here yet\n")
        if point.root != ledger.root(point.size):
            return Answer(submitting.UNPROCESSABLE, "the head is of other blocks than those that were given\n")
        return None

    def _look_for_fork(self, held: Checkpoint, point: Checkpoint) -> bool:
        """Whether a signed head is of another history than the last one, or than the blocks."""
        root = held.root if point.size == held.size else None
        ledger = None if self._follower is None else self._follower.ledger
        if root is None and ledger is not None and point.size <= ledger.size:
            root = ledger.root(point.size)
        if root is None or root == point.root:
            return False
        first = held if point.size == held.size else Checkpoint(point.origin, point.size, root)
        self._keep_fork(first, point)
        return True

    def _keep_fork(self, first: Checkpoint, point: Checkpoint) -> None:
        """Both heads over one number of blocks, the one that was first here above."""
        path = self._directory / f"fork-{point.size}.txt"
        _LOG.critical("THE HOST SIGNED ANOTHER HEAD over %d blocks; both are in %s", point.size, path)
        if not path.exists() and len(list(self._directory.glob("fork-*.txt"))) < MAX_FORKS:
            _write(path, forks.encode(first, point))


def _state_of(pinned: Pinned, head: Checkpoint | None) -> str:
    return json.dumps({
        "wattpact_witness": _FORMAT, "name": pinned.name, "root_public_key": pinned.root_public_key.hex(),
        "log_key": pinned.log_key and pinned.log_key.hex(), "head": head and head.text,
    }, indent=2)  # fmt: skip


def _read(path: Path) -> tuple[Pinned, Checkpoint | None]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        log_key = found["log_key"] and bytes.fromhex(found["log_key"])
        pinned = Pinned(found["name"], bytes.fromhex(found["root_public_key"]), log_key)
        head = found["head"] and checkpoints.decode(found["head"])
        sound = found["wattpact_witness"] == _FORMAT
    except FileNotFoundError:
        raise WitnessError(
            f"{path.parent} is no witness's directory; make one with `wattpact ledger witness init`"
        ) from None
    except OSError as error:
        raise WitnessError(f"cannot read {path}: {error.strerror}") from None
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise WitnessError(
            f"{path} is damaged; a copy from a backup could make this witness cosign two histories, so make a new one"
        )
    return pinned, head or None


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())
