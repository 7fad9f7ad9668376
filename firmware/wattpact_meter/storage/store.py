"""The store: small named values that outlive a reset, such as the guard's memory, registers and cursors.

Each value is a file of its own, written beside the old one and renamed over it: littlefs and POSIX rename in one step,
so that after a power cut at any byte there is the old value or the new one, never half of one, and never neither.

    file = "WS" | length (2) | CRC-32 (4) | deterministic CBOR

Encoding a long value takes long, so that `save_steps` gives way in it; the file is written in one step behind that.

There is one copy. A value that does not check is reported in `corrupt` and not replaced by an older one: an old
register would be a falling one, and the guard would rather know.

littlefs has a folder in two blocks, which take turns: one is written until it is full, then the other gets all that is
left. Where one is damaged it goes on with the other, as of its last turn; of a new folder the other is empty, and of
a folder that hardly changes it names what has been moved since. So folders are turned: at first, and the one above now
and then.
"""

import binascii
import os

from wattpact_protocol import steps
from wattpact_protocol.encoding import cbor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, BinaryIO

MAX_VALUE_BYTES = 12 * 1024
_MAGIC = b"WS"
_HEAD_BYTES = 8
_NEW = ".new"
_LEVELS = 4  # of lists within lists that are encoded item by item
_TURNING = "/" + 200 * "t"  # a long name, for few writes to fill a block
_TURNS = 24  # that fill both blocks
_TURN_EVERY = 16  # writes; littlefs moves a folder after some 1,000
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_"


class StateError(Exception):
    """A value cannot be kept; the one before it still is."""


def flushed(file: "BinaryIO") -> None:
    file.flush()


def turn(folder: str) -> None:
    """Write something into a folder, and remove it: a step towards its other block."""
    path = folder + _TURNING
    try:
        with open(path, "wb") as file:
            file.write(bytes(100))
        os.remove(path)
    except OSError:
        pass  # what matters is written elsewhere, and reported there


def settle(*folders: str) -> None:
    """Both blocks of these new folders hold what is in them when this returns."""
    for _ in range(_TURNS):
        for folder in folders:
            turn(folder)


class Store:
    """Store(directory): opens it, or makes it. `fsync(file)` makes what was written durable.

    corrupt: the names whose value was there and did not check; saving a name takes it out. is_saving: a value is on its
    way to flash, and whoever drives those steps must drive them to their end: what they keep has had its effect.
    """

    def __init__(self, directory: str, fsync: "Callable[[BinaryIO], None]" = flushed) -> None:
        self._directory = directory
        self._fsync = fsync
        self.corrupt: set[str] = set()
        self.is_saving = False
        self._writes = 0
        self._names: set[str] = set()  # that are sound
        try:
            os.mkdir(directory)
        except OSError as error:
            if error.errno != 17:  # EEXIST
                raise StateError("%s cannot be made: %s" % (directory, error))
        for name in os.listdir(directory):
            if name.endswith(_NEW):
                self._remove(self._path(name))

    def load(self, name: str) -> "Any":
        """The value last saved under the name; None where there is none, or it is damaged."""
        self._check_name(name)
        try:
            with open(self._path(name), "rb") as file:
                size = min(file.seek(0, 2), _HEAD_BYTES + MAX_VALUE_BYTES + 1)
                file.seek(0)
                data = file.read(size)  # room for the most would be wanted in one piece
        except OSError as error:
            if error.errno != 2:  # ENOENT
                self.corrupt.add(name)
                self._remove(self._path(name))
            return None
        body = data[_HEAD_BYTES:]
        try:
            if data[:_HEAD_BYTES] != _head(body):
                raise ValueError(name)
            return cbor.decode(body, limit=MAX_VALUE_BYTES)
        except (ValueError, OverflowError):
            self.corrupt.add(name)
            return None

    def save(self, name: str, value: "Any") -> None:
        """Keep the value; durable when this returns. Raises StateError, and the value before it is kept."""
        steps.finish(self.save_steps(name, value))

    def save_steps(self, name: str, value: "Any") -> "Generator[None, None, None]":
        """As `save`, giving way around the file that is written, and while the value is encoded; until this ends it
        must not change. Lists may hold records: what has a `to_list`, and is encoded as what that gives."""
        self._check_name(name)
        self.is_saving = True
        try:
            yield
            body = yield from cbor.encode_steps(value, _LEVELS)
            yield
            self._write(name, body)
            self._writes += 1
            if self._writes % _TURN_EVERY == 0:
                yield
                turn(self._directory.rsplit("/", 1)[0])
        except cbor.EncodeError as error:
            raise StateError("%s: %s" % (name, error))
        finally:
            self.is_saving = False

    def _write(self, name: str, body: bytes) -> None:
        if len(body) > MAX_VALUE_BYTES:
            raise StateError("%s is %d bytes, and %d fit" % (name, len(body), MAX_VALUE_BYTES))
        path = self._path(name)
        new = path + _NEW  # made once: MicroPython looks for each text among all that it has
        try:
            with open(new, "wb") as file:
                file.write(_head(body) + body)
                self._fsync(file)
            os.rename(new, path)
        except OSError as error:
            raise StateError("%s: flash failed: %s" % (name, error))
        self.corrupt.discard(name)

    def condemn(self, name: str) -> None:
        """Give a value up that is sound but of no use: it is gone, and `corrupt` from now on."""
        self._check_name(name)
        if self.load(name) is not None:
            try:
                os.remove(self._path(name))
            except OSError as error:
                raise StateError("%s: flash failed: %s" % (name, error))
            self.corrupt.add(name)

    def _remove(self, path: str) -> None:
        """While littlefs meets a file that it cannot follow, it finds no free block to write to."""
        try:
            os.remove(path)
        except OSError:
            pass

    def _check_name(self, name: str) -> None:
        if name in self._names:
            return
        if not 0 < len(name) <= 24 or [c for c in name if c not in _LETTERS]:
            raise StateError("%r is no name: up to 24 of a to z, 0 to 9 and _" % name)
        self._names.add(name)

    def _path(self, name: str) -> str:
        return self._directory + "/" + name


def _head(body: bytes) -> bytes:
    return _MAGIC + len(body).to_bytes(2, "big") + (binascii.crc32(body) & 0xFFFFFFFF).to_bytes(4, "big")
