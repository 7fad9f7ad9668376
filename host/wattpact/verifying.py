"""Signatures checked by processes of their own, so that libsodium fills every core while this process runs Python.

    python -P -m wattpact.verifying      such a process: groups on its standard input, a byte a signature on its output
    group = length of what follows (4 bytes), then for each signature: length of the message (2), key (32),
            signature (64), message

What always holds: a verdict is libsodium's, from a process or, where that has died, from here. A process ends with its
standard input, so none outlives who started it. docs/decisions/verifying-processes.md has why not threads.
"""

import contextlib
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from typing import IO

from wattpact_protocol import ed25519

Claim = tuple[bytes, bytes, bytes]  # public key, message, signature

_PIPE_BYTES = 1 << 18  # two batches in one pipe, so that giving never waits for the one who verifies
_HEAD_BYTES = 2 + 32 + 64


def verify(claims: Sequence[Claim]) -> list[bool]:
    """The verdict on each, from this process."""
    return [ed25519.verify(*claim) for claim in claims]


class Group:
    """Claims under way; `result()` waits for the verdicts."""

    def __init__(self, claims: Sequence[Claim], process: "_Process | None") -> None:
        self.claims = claims
        self.verdicts: list[bool] | None = None
        self._process = process
        if process is not None:
            process.give(self)

    def result(self) -> list[bool]:
        while self.verdicts is None:
            if self._process is None:
                self.verdicts = verify(self.claims)
            else:
                self._process.answer()
        return self.verdicts


class Verifying:
    """So many processes, started with the first group. close() ends them."""

    def __init__(self, processes: int) -> None:
        self._wanted = processes
        self._processes: list[_Process] = []

    def submit(self, claims: Sequence[Claim]) -> Group:
        """Give the claims, each with a key of 32 and a signature of 64 bytes, to whoever has least to do."""
        if not self._processes:
            self._processes = [_Process() for _ in range(self._wanted)]
        alive = [process for process in self._processes if process.alive]
        return Group(claims, min(alive, key=lambda process: process.waiting) if alive else None)

    def close(self) -> None:
        for process in self._processes:
            process.close()
        self._processes = []


class _Process:
    """One process, and the groups that it has not answered yet, in their order."""

    def __init__(self) -> None:
        self.waiting = 0
        self.alive = True
        self._groups: deque[Group] = deque()
        # A session of its own: Ctrl-C is for the one who started it, and ends this through its input.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "wattpact.verifying"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0, pipesize=_PIPE_BYTES, start_new_session=True,
        )  # fmt: skip

    def give(self, group: Group) -> None:
        self._groups.append(group)
        self.waiting += len(group.claims)
        data = b"".join(
            [len(message).to_bytes(2, "big") + key + signature + message for key, message, signature in group.claims]
        )
        try:
            _write(self._process.stdin, len(data).to_bytes(4, "big") + data)
        except OSError:
            self._fail()

    def answer(self) -> None:
        """Wait for the verdicts on the oldest group."""
        count = len(self._groups[0].claims)
        answer = _read(self._process.stdout, count)
        if len(answer) < count:
            self._fail()
            return
        self._groups.popleft().verdicts = [verdict == 1 for verdict in answer]
        self.waiting -= count

    def _fail(self) -> None:
        """It has died: what it owes is verified here, and it is given no more."""
        self.alive = False
        while self._groups:
            group = self._groups.popleft()
            group.verdicts = verify(group.claims)

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()


def _write(stream: "IO[bytes] | None", data: bytes) -> None:
    left = memoryview(data)
    while left and stream is not None:
        left = left[stream.write(left) :]


def _read(stream: "IO[bytes] | None", count: int) -> bytes:
    """So many bytes, fewer only at the end of the stream."""
    data = b""
    while len(data) < count and stream is not None:
        more = stream.read(count - len(data))
        if not more:
            break
        data += more
    return data


def _claims(group: bytes) -> list[Claim]:
    claims, at = [], 0
    while at < len(group):
        message = at + _HEAD_BYTES
        end = message + int.from_bytes(group[at : at + 2], "big")
        claims.append((group[at + 2 : at + 34], group[message:end], group[at + 34 : message]))
        at = end
    return claims


def serve(stdin: IO[bytes], stdout: IO[bytes]) -> None:
    """Answer groups until there are no more."""
    while len(head := _read(stdin, 4)) == 4:
        length = int.from_bytes(head, "big")
        group = _read(stdin, length)
        if len(group) < length:
            return
        _write(stdout, bytes(verify(_claims(group))))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        serve(open(0, "rb", buffering=0, closefd=False), open(1, "wb", buffering=0, closefd=False))
