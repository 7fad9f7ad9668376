"""A virtual meter: the firmware in a MicroPython process of its own, started, followed, and started again if it dies.

The host knows a meter's files and its command line, never its code: they exchange UDP, and lines of JSON on the
process's output, which docs/how-to/virtual-meter.md lists. What always holds: a meter ends with the program that
started it, however that ended, and no two run on one flash image.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wattpact_protocol import __file__ as protocol_file

RESTART_AFTER_S = 1
LET_GO_S = 5
_LONGEST_LINE = 1 << 16


class VirtualMeterError(RuntimeError):
    """A meter that cannot be started here; the text says what is missing."""


def firmware_folder() -> Path:
    """Where the firmware's sources are: beside this checkout's host, or inside the installed package."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parents[1].joinpath("firmware"), package.joinpath("firmware")):
        if folder.joinpath("boards", "virtual", "main.py").exists():
            return folder
    raise VirtualMeterError("this installation has no firmware files")


def micropython() -> Path:
    """The 32-bit MicroPython to run meters with: WATTPACT_MICROPYTHON, or the checkout's own."""
    named = os.environ.get("WATTPACT_MICROPYTHON")
    found = Path(named) if named else Path(__file__).resolve().parents[3].joinpath("tools", "micropython")
    if not os.access(found, os.X_OK):
        raise VirtualMeterError(f"there is no MicroPython at {found}; set WATTPACT_MICROPYTHON to its path")
    return found


def command(program: str, *arguments: str) -> list[str]:
    """The command that runs `program`, a file of boards/virtual, in MicroPython."""
    path = firmware_folder().joinpath("boards", "virtual", program)
    return [str(micropython()), "-X", "heapsize=4m", str(path), *arguments]


def environment() -> dict[str, str]:
    """What MicroPython needs to find protocol and firmware."""
    protocol = Path(protocol_file).resolve().parents[1]
    return {**os.environ, "MICROPYPATH": f"{protocol}:{firmware_folder()}:.frozen"}


class VirtualMeter:
    """One meter. `configuration` is its board's; `follow(event)` is called with every line that it prints."""

    def __init__(self, folder: Path, configuration: dict[str, Any], follow: Callable[[dict[str, Any]], None]) -> None:
        self.folder = folder
        self.starts = 0
        self._configuration = {"flash": str(folder.joinpath("flash.img")), "attended": True, **configuration}
        self._follow = follow
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock: int | None = None

    async def start(self) -> None:
        """Write the configuration and run; raises VirtualMeterError where MicroPython or the firmware is missing, or
        the meter runs already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        await self._take_lock()
        path = self.folder.joinpath("board.json")
        path.write_text(json.dumps(self._configuration, indent=1) + "\n")
        arguments = command("main.py", str(path))
        self._task = asyncio.create_task(self._keep_running(arguments))

    async def _take_lock(self) -> None:
        """The process inherits the lock: it is free once nobody runs on this folder, whoever died first."""
        self._lock = os.open(self.folder.joinpath("meter.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        deadline = asyncio.get_running_loop().time() + LET_GO_S
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                if asyncio.get_running_loop().time() >= deadline:
                    self._let_go()
                    raise VirtualMeterError(f"a meter is running on {self.folder} already") from None
            await asyncio.sleep(0.1)

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _keep_running(self, arguments: list[str]) -> None:
        assert self._lock is not None
        while True:
            with self.folder.joinpath("errors.log").open("ab") as errors:
                self._process = await asyncio.create_subprocess_exec(
                    *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
                    env=environment(), limit=_LONGEST_LINE, start_new_session=True, pass_fds=(self._lock,),
                )  # fmt: skip
            self.starts += 1
            await self._read()
            status = await self._process.wait()
            self._follow({"event": "ended", "status": status})
            await asyncio.sleep(RESTART_AFTER_S)

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        async for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    self._follow(event)

    def kill(self) -> None:
        """End the process as a power cut would; it is started again."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """Interrupt it as Ctrl-C would, and make sure that it does."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(self._process.wait(), 3)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._let_go()
