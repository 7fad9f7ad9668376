"""Unix sockets in a folder whose path may be longer than the some hundred bytes that a socket's address holds."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

MAX_PATH_BYTES = 100  # Linux has room for 107, other systems for 103


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """What to bind or connect to instead of `path`, while inside; its folder must exist. Raises OSError."""
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listening(path: Path) -> socket.socket:
    """A socket at `path` that its owner alone can connect to, in place of one that nobody listens at any more."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(path) as name:
            made.bind(name)
        path.chmod(0o600)
    except OSError:
        made.close()
        raise
    return made


def connected(path: Path, timeout_s: float) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(timeout_s)
        with reachable(path) as name:
            made.connect(name)
    except OSError:
        made.close()
        raise
    return made
