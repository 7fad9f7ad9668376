"""The firmware's heap on 32-bit MicroPython: what lives in it after a simulated day, and the least one that will do.

Meters in virtual time beside a real node: a producer, and up to three consumers that differ in how their code is
loaded, or in the size of their heap, and in nothing else. Each measures every minute, publishes a reading every
fifteen, and buys under contracts all day. At the end each collects its garbage and reports what is left. A ROMFS image
is outside of the heap, as a chip has it in mapped flash, so that the heap of a form is the size that is named.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from wattpact.device.virtual_meter import micropython
from wattpact.membership import members
from wattpact.simulation.lockstep import Lockstep, LockstepError
from wattpact.simulation.simulator import Simulator
from wattpact.store.publishing import publish
from wattpact_protocol.log import kinds

from tools import compile_device, romfs
from tools.device_files import ROOTS, device_files

BOOT = ROOTS["boards"] / "esp32" / "boot.py"

START_S = 1_783_900_800  # a Monday, 00:00 UTC
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
ORDERS_EVERY_H = 4
KIB = 1024
BARE, FULL = "bare", "full"
BARE_BYTES = 112 * KIB  # a chip without PSRAM, with MicroPython, Wi-Fi and its buffers started
FULL_BYTES = 2 * KIB * KIB  # the least PSRAM that a module has
PLAIN_BYTES = 4 * KIB * KIB  # for code that is loaded into the heap
FORMS = {"py": PLAIN_BYTES, "mpy": PLAIN_BYTES, BARE: BARE_BYTES, FULL: FULL_BYTES}  # both profiles from an image
CONSUMERS = 3  # at once, which is how many acceptances of an offer a supplier remembers
LIVE_BAR_BYTES = 72_000
POLICY = {
    "version": 1, "emergency_credit_wh": 0, "quiet_hours": False, "quiet_weekends": False, "warn_wait_max_s": 0,
    "reconnect_wait_max_s": 0, "consent_required": False,
}  # fmt: skip

TERMS = members.FoundingTerms("Bench", "EUR", "UTC", 900, 300_000, 80_000)

_LAUNCHER = """
import gc, sys
{loading}
if gc.mem_free() < {roomy_bytes}:
    gc.threshold({collect_bytes})
from boards.virtual.lockstep import run
sys.exit(run(sys.argv[-1]))
"""


class Form(NamedTuple):
    """One way to load the code: the bytes of what is loaded, and what starts a meter with it."""

    name: str
    size: int
    program: Path

    def heap(self, meter: Lockstep) -> int:
        """Bytes in use in a meter of this form."""
        return int(meter.do(do="heap")["heap"])


def architecture() -> str:
    """What native code this MicroPython runs, as compile_device names it."""
    printed = subprocess.run(
        [micropython(), "-c", "import sys; print(sys.implementation._mpy >> 10)"], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return compile_device.ARCHITECTURES[int(printed.stdout)]


def collect_bytes() -> int:
    """After how many bytes garbage is collected, as the boot.py of a chip without PSRAM sets it."""
    return _of_boot("COLLECT_BYTES")


def _of_boot(name: str) -> int:
    found = re.search(rf"^{name} = (\d+) \* 1024$", BOOT.read_text(), re.MULTILINE)
    assert found, BOOT
    return int(found[1]) * KIB


def make_form(name: str, folder: Path, heap_bytes: int) -> Form:
    """Build what the form loads, and a program that runs lockstep.py in it, with exactly so much heap."""
    folder.mkdir(parents=True)
    loading = f"sys.path[:] = [{str(folder / 'code')!r}, '.frozen']"
    if name == "py":
        size = sum(source.stat().st_size for _, source in device_files())
        for target, source in device_files():
            romfs.copy_file(source, folder / "code" / target)
    elif name == "mpy":
        size = sum(compile_device.compile_device(architecture(), folder / "code").values())
    else:
        image = folder / "image.romfs"
        size = image.write_bytes(romfs.build_image(architecture()))
        loading = romfs.mounting(image)
    launcher = folder / "launcher.py"
    bounds = {"collect_bytes": collect_bytes(), "roomy_bytes": _of_boot("ROOMY_BYTES")}
    launcher.write_text(_LAUNCHER.format(loading=loading, **bounds))
    program = folder / "micropython"
    # A program in MicroPython's place: of the arguments it is given, only the configuration matters.
    program.write_text(
        '#!/bin/sh\nfor last; do :; done\nunset WATTPACT_MICROPYTHON\nexec '
        f'"{micropython()}" -X heapsize={heap_bytes} "{launcher}" "$last"\n'
    )  # fmt: skip
    program.chmod(0o755)
    return Form(name, size, program)


@contextmanager
def running(program: Path) -> Iterator[None]:
    """Meters started now run in this MicroPython."""
    before = os.environ.get("WATTPACT_MICROPYTHON")
    os.environ["WATTPACT_MICROPYTHON"] = str(program)
    try:
        yield
    finally:
        if before is None:
            del os.environ["WATTPACT_MICROPYTHON"]
        else:
            os.environ["WATTPACT_MICROPYTHON"] = before


class Day:
    """A community in which each form of the code is a consumer."""

    def __init__(self, folder: Path, forms: "list[Form]") -> None:
        self.simulator = simulator = Simulator(folder, TERMS, START_S - HOUR_S)
        self.orders = 0
        publish(simulator.store, simulator.issuer, kinds.POLICY, POLICY, simulator.now_s)
        self.roof = self._add("roof", folder)
        self.meters = []
        for form in forms:
            with running(form.program):
                self.meters.append(self._add(form.name, folder))
        self._rest()
        simulator.advance(START_S - simulator.now_s, {})

    def _add(self, label: str, folder: Path) -> Lockstep:
        self.simulator.add_person(f"owner-of-{label}")
        source = {"kind": "profile", "load": "always" if label == "roof" else "relay"}
        return self.simulator.add_meter(label, f"owner-of-{label}", {
            "rated_w": 9000, "step_s": MINUTE_S, "intervals": 15, "source": source,
            "flash": str(folder / f"{label}.flash"), "flash_bytes": 1 << 20,
        })  # fmt: skip

    def _mandate(self, label: str, meter: Lockstep, side: int, wh: int, hours: int) -> None:
        simulator, self.orders = self.simulator, self.orders + 1
        publish(simulator.store, simulator.people[f"owner-of-{label}"], kinds.MANDATE, {
            "order_id": self.orders.to_bytes(8, "big"), "expires_s": simulator.now_s + hours * HOUR_S,
            "meter": meter.kid, "side": side, "limit_micro_per_kwh": 200_000, "wh": wh, "max_w": 9000,
            "start_s": simulator.now_s, "end_s": simulator.now_s + hours * HOUR_S,
        }, simulator.now_s)  # fmt: skip

    def trade(self, hours: int) -> None:
        """Sun for all, and a mandate to buy for each, for the next hours."""
        self._mandate("roof", self.roof, kinds.SELL, 2000 * hours * len(self.meters), hours)
        for label, meter in self.simulator.meters.items():
            if meter is not self.roof:
                self._mandate(label, meter, kinds.BUY, 1200 * hours, hours)
        self.simulator.node.catch_up()
        self._rest()

    def _rest(self) -> None:
        for _ in range(60):
            self._go(2)
            if self.simulator.is_at_rest():
                return

    def _go(self, seconds: int) -> None:
        powers = {label: [(1_500_000, seconds * 1_000_000)] for label in self.simulator.meters}
        powers["roof"] = [(-6_000_000, seconds * 1_000_000)]
        self.simulator.advance(seconds, powers)

    def live(self, minutes: int, pace_s: int = MINUTE_S) -> None:
        """So many minutes, with new orders every four hours."""
        for second in range(0, minutes * MINUTE_S, pace_s):
            if second % (ORDERS_EVERY_H * HOUR_S) == 0:
                self.trade(ORDERS_EVERY_H)
            self._go(pace_s - (self.simulator.now_s - START_S) % pace_s)

    def __enter__(self) -> "Day":
        return self

    def __exit__(self, *_: object) -> None:
        self.simulator.close()


class Result(NamedTuple):
    """Of one form: bytes loaded, bytes of heap in use at the end, entries published, Wh bought, what was rejected."""

    form: str
    size: int
    heap: int
    entries: int
    bought_wh: int
    rejected: "dict[str, int]"


def measure(minutes: int = 1440, forms: "dict[str, int] | None" = None, pace_s: int = MINUTE_S) -> list[Result]:
    """Each form, with so many bytes of heap, after so many minutes; raises LockstepError where one does not live."""
    results = []
    sizes = list((forms or FORMS).items())
    while sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            made = [make_form(form, folder / form, size) for form, size in sizes[:CONSUMERS]]
            with Day(folder / "node", made) as day:
                day.live(minutes, pace_s)
                results += [_result(form, meter) for form, meter in zip(made, day.meters, strict=True)]
        del sizes[:CONSUMERS]
    return results


def _result(form: Form, meter: Lockstep) -> Result:
    state: dict[str, Any] = meter.state
    return Result(
        form.name, form.size, form.heap(meter), state["next_sequence"], meter.registers[1], state["rejected"]
    )  # fmt: skip


def least(minutes: int, step: int = 4 * KIB) -> int:
    """The smallest heap, in steps, in which a meter starts from an image and lives so long under contracts."""
    size = BARE_BYTES
    while lives(size - step, minutes):
        size -= step
    return size


def lives(heap_bytes: int, minutes: int) -> bool:
    """Whether a meter starts from an image, and lives so long under contracts, in a heap of that size."""
    try:
        measure(minutes, {BARE: heap_bytes})
    except LockstepError:
        return False
    return True
