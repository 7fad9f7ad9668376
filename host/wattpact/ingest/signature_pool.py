"""Signatures checked on every core: by processes of their own, and by this one while it would otherwise wait.

    python -P -m wattpact.ingest.signature_pool
            such a process: groups on its standard input, a byte a signature on its output
    group = length of what follows (4 bytes), then for each signature: length of the message (2), key (32),
            signature (64), message

What always holds: a verdict is libsodium's, from a process or, where that has died, from here. A process ends with its
standard input, so none outlives who started it. docs/decisions/verifying-processes.md has why not threads.
"""

import contextlib
import select
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from typing import IO

from wattpact_protocol.crypto import ed25519

Claim = tuple[bytes, bytes, bytes]  # public key, message, signature

_PIPE_BYTES = 1 << 18
_HEAD_BYTES = 2 + 32 + 64
# Groups that a process has at once: one in work, and one more so that it need not wait for this process.
_IN_HAND = 2


def verify(claims: Sequence[Claim]) -> list[bool]:
    """The verdict on each, from this process."""
    return [ed25519.verify(*claim) for claim in claims]


class Group:
    """Claims, and the verdicts on them once they are known."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = claims
        self.verdicts: list[bool] | None = None


class SignaturePool:
    """So many processes, started with the first group, besides this one. close() ends them."""

    def __init__(self, processes: int) -> None:
        self._wanted = processes
        self._processes: list[_Process] | None = None
        self._queue: deque[Group] = deque()

    def submit(self, claims: Sequence[Claim]) -> Group:
        """Have them verified, each with a key of 32 and a signature of 64 bytes; `result` waits for it."""
        if self._processes is None:
            self._processes = [_Process() for _ in range(self._wanted)]
        group = Group(claims)
        self._queue.append(group)
        self.hand_out()
        return group

    def result(self, group: Group) -> list[bool]:
        """The verdicts on a group; until they are here, this process verifies what nobody has in hand."""
        while group.verdicts is None:
            self.hand_out()
            if group.verdicts is None and self._queue:
                mine = self._queue.popleft()
                mine.verdicts = verify(mine.claims)
            elif group.verdicts is None:
                for process in self._processes or ():
                    if group in process.groups:
                        process.answer()
        return group.verdicts

    def hand_out(self) -> None:
        """Take the answers that are there, and see that every process has enough to do; to be called now and then by
        who has other work meanwhile."""
        for process in self._processes or ():
            process.take_answers()
            while self._queue and process.alive and len(process.groups) < _IN_HAND:
                process.give(self._queue.popleft())

    def close(self) -> None:
        for process in self._processes or ():
            process.close()
        self._processes = None


class _Process:
    """One process, and the groups that it has not answered yet, in their order."""

    def __init__(self) -> None:
        self.alive = True
        self.groups: deque[Group] = deque()
        # A session of its own: Ctrl-C is for the one who started it, and ends this through its input.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __spec__.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0, pipesize=_PIPE_BYTES, start_new_session=True,
        )  # fmt: skip

        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def give(self, group: Group) -> None:
        self.groups.append(group)
        data = b"".join(
            [len(message).to_bytes(2, "big") + key + signature + message for key, message, signature in group.claims]
        )
        try:
            _write(self._stdin, len(data).to_bytes(4, "big") + data)
        except OSError:
            self._fail()

    def take_answers(self) -> None:
        """The answers that are there by now."""
        while self.groups and select.select([self._stdout], [], [], 0)[0]:
            self.answer()

    def answer(self) -> None:
        """Wait for the verdicts on the oldest group."""
        count = len(self.groups[0].claims)
        answer = _read(self._stdout, count)
        if len(answer) < count:
            self._fail()
        else:
            self.groups.popleft().verdicts = [verdict == 1 for verdict in answer]

    def _fail(self) -> None:
        """It has died: what it owes is verified here, and it is given no more."""
        self.alive = False
        while self.groups:
            group = self.groups.popleft()
            group.verdicts = verify(group.claims)

    def close(self) -> None:
        for stream in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                stream.close()
        self._process.wait()


def _write(stream: IO[bytes], data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[stream.write(left) :]


def _read(stream: IO[bytes], count: int) -> bytes:
    """So many bytes, fewer only at the end of the stream."""
    data = b""
    while len(data) < count:
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
