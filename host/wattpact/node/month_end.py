"""The end of a month, on a node: what is due of bills is signed by `wattpact bill --close`, in a process of its own.

What always holds: the node answers meters meanwhile, since what every bill rests on is collected there; whatever
fails there is logged here and tried again next time.
"""

import asyncio
import logging
import sys
from pathlib import Path

_LOG = logging.getLogger("wattpact.node")

FIRST_S = 120  # after the start, once meters have published what they had
EVERY_S = 6 * 3600
_PROGRAM = "import os; os.nice(10); from wattpact.cli import main; main()"


class MonthEnd:
    def __init__(self, data: Path) -> None:
        self._command = [sys.executable, "-P", "-c", _PROGRAM, "--data", str(data.absolute()), "bill", "--close"]

    async def run(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            await self.close()
            await asyncio.sleep(EVERY_S)

    async def close(self) -> None:
        """Sign what is due, and log it."""
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        level = logging.INFO if process.returncode == 0 else logging.WARNING
        for line in output.decode(errors="replace").splitlines():
            _LOG.log(level, "bills: %s", line)
