"""A virtual meter as a process, for tests: started, read, pressed and ended."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
MICROPYTHON = CHECKOUT / "tools" / "micropython"
ENVIRONMENT = {**os.environ, "MICROPYPATH": "protocol:firmware:.frozen"}


class MeterProcess:
    """MeterProcess(configuration file); a context that ends what it started. `events` are the lines that came."""

    def __init__(self, configuration: Path, program: str = "main.py", read: bool = True) -> None:
        self.configuration = configuration
        self.program = program
        self.read = read
        self.events: list[dict[str, object]] = []

    def __enter__(self) -> "MeterProcess":
        self._lines: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            [MICROPYTHON, f"firmware/boards/virtual/{self.program}", self.configuration],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT,
            env=ENVIRONMENT,
        )  # fmt: skip
        if self.read:
            threading.Thread(target=self._pump, daemon=True).start()
        return self

    def _pump(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(10)

    def outcome(self) -> str:
        """The last lines, and what there is to know of one that ended."""
        last = "\n".join(json.dumps(event) for event in self.events[-3:])
        if self.process.poll() is None:
            return last + "\n(running)"
        assert self.process.stderr is not None
        return f"{last}\nstatus {self.process.returncode}: {self.process.stderr.read()}"

    def press(self, **buttons: bool) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(buttons) + "\n")
        self.process.stdin.flush()

    def take(self) -> None:
        """Put the lines that have come into `events`."""
        while not self._lines.empty():
            self.events.append(json.loads(self._lines.get()))

    def wait_for(self, event: str, timeout_s: float = 10, **fields: object) -> dict[str, object]:
        """The first line, from now on, of that event with those fields."""
        end = time.monotonic() + timeout_s
        while True:
            left = end - time.monotonic()
            try:
                self.events.append(json.loads(self._lines.get(timeout=max(left, 0.001))))
            except queue.Empty:
                raise AssertionError(f"no {event} {fields} within {timeout_s} s\n{self.outcome()}") from None
            last = self.events[-1]
            if last["event"] == event and all(last.get(name) == value for name, value in fields.items()):
                return last


def configure(
    folder: Path, name: str, port: int, root_public_key: bytes, source: dict[str, object], **more: object
) -> Path:
    """Write a configuration file for a meter whose flash is in the same folder."""
    path = folder / f"{name}.json"
    values = {
        "flash": str(folder / f"{name}.img"), "host": ["127.0.0.1", port], "root_public_key": root_public_key.hex(),
        "step_s": 1, "intervals": 1, "rated_w": 11000, "source": source, **more,
    }  # fmt: skip
    path.write_text(json.dumps(values))
    return path
