"""A person's computer at a meter's serial port, for tests: a pty, with a meter's process at its other end."""

import json
import os
import select
import subprocess
import termios
import time
import tty
from collections.abc import Callable, Sequence
from pathlib import Path

from simulator.meter_process import CHECKOUT, ENVIRONMENT, MICROPYTHON
from simulator.service import packets

PROGRAM = (str(MICROPYTHON), "firmware/boards/virtual/main.py")


class SerialClient:
    """SerialClient(configuration): a context that starts the meter and ends it. received: all bytes that came."""

    def __init__(self, configuration: Path, program: Sequence[str] = PROGRAM) -> None:
        self._command = [*program, str(configuration)]
        self.received = b""
        self._read = 0  # bytes of it that were looked at
        self._errors = b""

    def __enter__(self) -> "SerialClient":
        self._ours, theirs = os.openpty()
        tty.setraw(theirs, termios.TCSANOW)
        self.process = subprocess.Popen(
            self._command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, cwd=CHECKOUT, env=ENVIRONMENT
        )
        os.close(theirs)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self._ours)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def errors(self) -> bytes:
        """What it printed on standard error, once it has ended."""
        assert self.process.stderr is not None
        if self.process.poll() is not None:
            self._errors += self.process.stderr.read()
        return self._errors

    def send(self, data: bytes) -> None:
        os.write(self._ours, data)

    def _wait(self, found: Callable[[], object], what: str, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        while not found():
            ready, _, _ = select.select([self._ours], [], [], max(end - time.monotonic(), 0))
            try:
                data = os.read(self._ours, 4096) if ready else b""
            except OSError:  # the process has ended
                data = b""
            if not data:
                raise AssertionError(f"no {what}: {self.received[-500:]!r} {self.errors()!r}")
            self.received += data

    def packets(self, count: int, timeout_s: float = 10) -> list[tuple[int, bytes]]:
        """The next packets, so many at least."""
        self._wait(lambda: len(packets(self.received[self._read :])) >= count, f"{count} packets", timeout_s)
        found = packets(self.received[self._read :])
        self._read = len(self.received)
        return found

    def exchange(self, data: bytes, count: int = 1, timeout_s: float = 10) -> list[tuple[int, bytes]]:
        """Send this, and the packets that answer it."""
        self._read = len(self.received)
        self.send(data)
        return self.packets(count, timeout_s)

    def events(self) -> list[dict[str, object]]:
        """Of the lines that have come whole, those that are events."""
        lines = self.received[: self.received.rfind(b"\n") + 1].split(b"\n")
        return [json.loads(line) for line in lines if line.startswith(b"{")]

    def wait_for(self, event: str, timeout_s: float = 15) -> dict[str, object]:
        """The first of these events."""
        self._wait(lambda: [one for one in self.events() if one["event"] == event], event, timeout_s)
        return next(one for one in self.events() if one["event"] == event)
