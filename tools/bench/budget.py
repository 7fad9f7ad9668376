"""What each module takes of a meter's heap, from an image, and whether one takes more than it is given.

python -m tools.bench.budget             who takes more or less than tests/device/heap_budget.txt has
python -m tools.bench.budget --write     what is taken now becomes what is given

The joined module is loaded up to each of its parts, and the difference is that part's. MicroPython's tables of strings
and of a module's names grow in leaps: here each name counts with its own bytes, so that no module pays for others.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from wattpact.device.virtual_meter import micropython

from tools import romfs
from tools.bench import heap
from tools.compile_device import compile_source
from tools.lean.joined import read, sections

FILE = Path(__file__).resolve().parents[2] / "tests" / "device" / "heap_budget.txt"
SLACK_BYTES = 48  # more than it is given, before a module counts as grown
TOTAL = "all"
# What a board may load besides; those of other chips' hardware cannot be loaded here.
MORE = (
    "wattpact_meter.sources.p1_telegram", "wattpact_meter.sources.p1_frame", "wattpact_meter.sources.p1",
    "wattpact_meter.metering.fixedpoint", "wattpact_meter.metering.power", "wattpact_meter.metering.sampler",
    "wattpact_meter.sources.ct", "wattpact_meter.setting_checks", "wattpact_meter.sources.kinds",
    "wattpact_meter.drivers.dns",
    "wattpact_meter.drivers.sntp", "wattpact_meter.drivers.udp",
)  # fmt: skip
_STRING_BYTES = 7  # of MicroPython's table: where it is, its hash and its length
_SLOT_BYTES = 8
_SLOTS = (0, 1, 2, 4, 6, 8, 10, 12, 17, 23, 29, 37, 47, 59, 73, 97, 127, 167, 223, 293, 389, 521, 701)  # py/map.c
_PROGRAM = """
import gc, micropython
for number in range(128):
    sys.modules[number] = None
for number in range(128):
    del sys.modules[number]
import asyncio, json, socket
def show():
    gc.collect()
    print("heap", gc.mem_alloc(), sum([len(sys.modules[name].__dict__) for name in NAMES if name in sys.modules]))
    micropython.qstr_info()
NAMES = %r
show()
for name in NAMES:
    __import__(name)
    show()
"""
_SHOWN = re.compile(
    r"heap (\d+) (\d+)\nqstr pool: n_pool=\d+, n_qstr=(\d+), n_str_data_bytes=(\d+), n_total_bytes=(\d+)"
)


class Shown(NamedTuple):
    """Heap in use; names at the tops of the modules, strings, bytes of those, and these with their tables."""

    heap: int
    names: int
    strings: int
    text: int
    total: int

    @property
    def counted(self) -> int:
        """The heap with a place for each string, and none that is free."""
        return self.heap - (self.total - self.text) + _STRING_BYTES * self.strings


def measure() -> dict[str, int]:
    """Bytes by module, in the order of loading; of all that are joined as `TOTAL`, with what is free in the tables."""
    arch = heap.architecture()
    parts = sections(read(arch))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = folder / "image"
        found: dict[str, int] = {}
        text, before = "", 0
        for module, part in parts:
            text += part
            compile_source(text, "wattpact.py", folder / "part" / "wattpact.mpy", arch)
            image.write_bytes(romfs.image_of(folder / "part"))
            first, last = _show(image, ("wattpact",))
            spread = last.counted - first.counted - _free_slots(last.names)
            found[module] = spread - before
            before = spread
        found[TOTAL] = last.heap - first.heap
        image.write_bytes(romfs.build_image(arch))
        shown = _show(image, ("wattpact", *MORE))[1:]
        for module, (one, other) in zip(MORE, pairwise(shown), strict=True):
            found[module] = other.counted - one.counted
    return found


def _free_slots(names: int) -> int:
    return _SLOT_BYTES * (next(size for size in _SLOTS if size >= names) - names)


def _show(image: Path, names: tuple[str, ...]) -> list[Shown]:
    """The least of two runs: a word on the stack may look like a pointer to what nobody uses any more."""
    return [min(rows) for rows in zip(*(_run(image, names) for _ in range(2)), strict=True)]


def _run(image: Path, names: tuple[str, ...]) -> list[Shown]:
    program = image.with_name("program.py")
    program.write_text("import sys\n" + romfs.mounting(image) + _PROGRAM % (names,))
    result = subprocess.run([micropython(), "-X", "heapsize=4m", program], capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(result.stdout[-500:] + result.stderr)
    return [Shown(*map(int, row)) for row in _SHOWN.findall(result.stdout)]


def given() -> dict[str, int]:
    """The budget: bytes by module."""
    rows = [line.split() for line in FILE.read_text().splitlines() if line and not line.startswith("#")]
    return {name: int(size) for size, name in rows}


def grown(taken: dict[str, int], given: dict[str, int]) -> list[str]:
    """A line for each module that takes more than it is given, by itself and together with those just before it: which
    of them a new block of MicroPython's strings is counted for may change. The largest growth first."""
    more = [size - given.get(name, 0) for name, size in taken.items()]
    together = [
        min(sum(more[first : last + 1]) for first in range(max(0, last - 2), last + 1)) for last in range(len(more))
    ]
    found = zip(together, taken, strict=True)
    rows = sorted(((size, name) for size, name in found if size > SLACK_BYTES), reverse=True)
    return [f"{name} takes {taken[name]:,} bytes, {size:,} more than its {given.get(name, 0):,}" for size, name in rows]


def write(taken: dict[str, int]) -> None:
    head = "# Bytes of heap that each module of a meter takes: python -m tools.bench.budget --write\n"
    FILE.write_text(head + "".join(f"{size:6} {name}\n" for name, size in taken.items()))


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare what modules take of the heap with what they are given.")
    parser.add_argument("--write", action="store_true", help="give each what it takes now")
    arguments = parser.parse_args()
    taken = measure()
    if arguments.write:
        write(taken)
        return 0
    for line in grown(taken, given()) or ["no module has grown"]:
        print(line)
    for name, size in sorted(taken.items(), key=lambda row: -row[1]):
        print(f"{size:6} {name}")
    return int(bool(grown(taken, given())))


if __name__ == "__main__":
    sys.exit(main())
