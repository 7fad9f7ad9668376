"""Counts the instructions that 32-bit MicroPython executes, exactly, with valgrind's callgrind on the i386 build.

A program calls `mark()` around what it measures. The counts are of i386: the same viper code on an ESP32 compiles to
about as many instructions, but to others, so a figure from here is no measurement of a chip.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.compile_device import compile_device

ROOT = Path(__file__).resolve().parent.parent.parent
FETCHED = ROOT / ".cache" / "micropython" / "i386"
COUNTABLE = ROOT / ".cache" / "micropython" / "i386-countable"
LIBRARIES = "usr/lib/i386-linux-gnu"
HEAP = "8m"
# Two paddings that Debian's compiler emits and valgrind 3.19 does not decode, for a prefix without effect.
PADDINGS = (b"\x2e\x8d\xb4\x26\x00\x00\x00\x00", b"\x2e\x8d\x74\x26\x00")
# getppid stands for "here": it is cheap, MicroPython never calls it, and callgrind writes its counts before each call.
HEAD = """
import gc, sys
import ffi
mark = ffi.open("libc.so.6").func("i", "getppid", "")
sys.path.insert(0, sys.argv[1])
"""


class CountError(Exception):
    """The count could not be made; the text says why."""


def available() -> str:
    """Empty if instructions can be counted here, else what is missing."""
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    if not (FETCHED / "usr/bin/micropython").exists():
        return "the i386 MicroPython is not there: run `make micropython`"
    return ""


def counts(program: str) -> list[int]:
    """Instructions between one mark and the next, for each pair; the device's modules come compiled ahead for x86."""
    return printed_counts(program)[1]


def printed_counts(program: str, heap: str = HEAP) -> tuple[list[str], list[int]]:
    """The lines that the program prints, and its counts."""
    _make_countable()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        compile_device("x86", place / "device", links=False)
        (place / "program.py").write_text(HEAD + program)
        printed, marks = _run(place, heap)
    # A program begins with three marks, the first two with nothing between. After those every other period is measured.
    return printed.splitlines(), [count - marks[1] for count in marks[4::2]]


def _run(place: Path, heap: str) -> tuple[str, list[int]]:
    command: list[str | Path] = [
        "valgrind", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={place}/out",
        COUNTABLE / "usr/lib/ld-linux.so.2", "--library-path", COUNTABLE / LIBRARIES,
        COUNTABLE / "usr/bin/micropython", "-X", f"heapsize={heap}", place / "program.py", place / "device",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, cwd=ROOT)
    if result.returncode:
        raise CountError((result.stdout + result.stderr)[-2000:])
    dumps = sorted(place.glob("out.*"), key=lambda path: int(path.suffix[1:]))
    found = (re.search(r"^summary: (\d+)$", path.read_text(), re.MULTILINE) for path in dumps)
    return result.stdout, [int(match.group(1)) for match in found if match]


def _make_countable() -> None:
    """A copy of MicroPython and its libraries with the paddings changed to ones of equal length and effect."""
    if COUNTABLE.exists():
        return
    reason = available()
    if reason:
        raise CountError(reason)
    work = Path(tempfile.mkdtemp(dir=COUNTABLE.parent))
    shutil.copytree(FETCHED / "usr", work / "usr", symlinks=True)
    for path in [*(work / "usr/lib").rglob("*.so*"), work / "usr/bin/micropython"]:
        if path.is_file() and not path.is_symlink():
            code = path.read_bytes()
            for padding in PADDINGS:
                code = code.replace(padding, b"\x90" + padding[1:])
            path.write_bytes(code)
    work.rename(COUNTABLE)
