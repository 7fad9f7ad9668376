"""CometBFT as a process of this one: started, watched, and started again where it ended by itself.

What always holds: from `start` to `stop` it runs, or is started again within MAX_PAUSE_S; it ends with this process,
however that ends, since it cannot go on without the application's socket nor without a reader of its output; what it
prints is kept in a file of bounded size.
"""

import asyncio
import collections
import contextlib
import logging
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from wattpact.consensus.home import RPC_SOCKET

MAX_PAUSE_S = 60
STEADY_S = 60  # who ran that long is started again at once
END_S = 10
MAX_LOG_BYTES = 1 << 20
SHOWN_LINES = 8
MAX_LINE = 300

_LOG = logging.getLogger("wattpact.consensus")
_VERSION = re.compile(r"v?0\.38\.[0-9]+\S*")
_TELLING = re.compile(r"E\[|ERROR:|panic:|fatal error:|failed")  # how a line begins that has a cause, unlike a stack's
_STUCK = b"CONSENSUS FAILURE"  # it goes on running after that, and orders nothing


class ProgramError(ValueError):
    """There is no CometBFT that can be used; the text says what to do."""


def find_program(given: str | None) -> Path:
    """The CometBFT to run: the one that is given, WATTPACT_COMETBFT's, or the one on the PATH. Raises ProgramError."""
    chosen = given or os.environ.get("WATTPACT_COMETBFT") or shutil.which("cometbft")
    if not chosen:
        raise ProgramError(
            "CometBFT is not here; `tools/fetch_cometbft.sh` builds it and prints its path, which --cometbft or"
            " WATTPACT_COMETBFT takes"
        )
    try:
        done = subprocess.run([chosen, "version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramError(f"{chosen} cannot be run as CometBFT: {error}") from None
    version = done.stdout.strip()
    if done.returncode or not _VERSION.fullmatch(version):
        raise ProgramError(
            f"{chosen} is not CometBFT 0.38 but {version[:40] or 'something else'}; `tools/fetch_cometbft.sh` builds it"
        )
    return Path(chosen).absolute()


class Process:
    """`cometbft start` in a folder that `home` wrote. The application's server must listen before it is started."""

    def __init__(self, program: Path, home: Path, first_pause_s: float = 1) -> None:
        self._command = [str(program), "start", "--home", "."]
        self._home = home
        self._first_pause_s = first_pause_s
        self._process: asyncio.subprocess.Process | None = None
        self._supervision: asyncio.Task[None] | None = None
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        self._supervision = asyncio.create_task(self._supervise())

    async def stop(self) -> None:
        """It has ended when this returns."""
        task, self._supervision = self._supervision, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _supervise(self) -> None:
        pause_s = self._first_pause_s
        while True:
            began_s = time.monotonic()
            printed = _Printed(self._home / "cometbft.log")
            try:
                how = f"ended with status {await self._run(printed)}"
            except OSError as error:
                how = f"could not be started: {error}"
            if time.monotonic() - began_s >= STEADY_S:
                pause_s = self._first_pause_s
            _LOG.error("CometBFT %s; it is started again in %g s. %s", how, pause_s, printed.shown)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    async def _run(self, printed: "_Printed") -> int:
        """Start it, and wait for its end; the exit status."""
        self.starts += 1
        (self._home / RPC_SOCKET).unlink(missing_ok=True)  # who was killed leaves it, and nobody could listen there
        process = self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=self._home, env=_environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the node, which then stops it
        )  # fmt: skip
        assert process.stdout is not None
        try:
            while data := await process.stdout.read(1 << 16):
                printed.add(data)
                if printed.is_stuck:
                    await _end(process)
            return await process.wait()
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM; where that is not enough, SIGKILL."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_S)
    except TimeoutError:
        _LOG.error("CometBFT did not end within %d s and was killed", END_S)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _environment() -> dict[str, str]:
    """Without the variables by which CometBFT's settings can be changed: its folder has them."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("CMT", "TM"))}


class _Printed:
    """What one run prints: in a file, of which there is one older, and its last errors for the node's log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._lines: collections.deque[str] = collections.deque(maxlen=SHOWN_LINES)
        self.is_stuck = False

    def add(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-MAX_LINE:]
        for line in lines:
            self.is_stuck = self.is_stuck or _STUCK in line
            text = line[:MAX_LINE].decode(errors="replace")
            if _TELLING.match(text):
                self._lines.append(text)
        try:
            self._keep(data)
        except OSError as error:
            _LOG.error("what CometBFT printed is not in %s: %s", self._path, error)

    def _keep(self, data: bytes) -> None:
        if self._path.exists() and self._path.stat().st_size + len(data) > MAX_LOG_BYTES:
            self._path.replace(self._path.with_suffix(".log.1"))
        with self._path.open("ab") as file:
            file.write(data)

    @property
    def shown(self) -> str:
        return "Its last errors:\n  " + "\n  ".join(self._lines) if self._lines else "It printed no error."
