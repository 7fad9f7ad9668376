"""Runs programs in a whole MicroPython for RV32, in QEMU: the machine code that an ESP32-C3 gets, and its runtime.

The device's files, compiled ahead, are in a ROMFS image in the machine's memory, as in a chip's flash. A program comes
over the serial line, as a person's would. Where instructions are counted, the machine's time is their number: QEMU
advances it by one with each. The machine's counter, which `instructions()` reads, is exact and the same every time.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.romfs import build_image

FIRMWARE = Path(__file__).resolve().parent.parent / ".cache" / "micropython" / "rv32" / "firmware.elf"
EMULATOR = "qemu-system-riscv32"
ARCH = "rv32imc"
# Above the firmware's code, data and stack (ports/qemu/mcu/rv32/virt.ld).
IMAGE_ADDRESS = 0x80800000
# minstret counts what was executed; a difference of two readings is less than 2^32 here.
HEAD = """
import machine, sys, uctypes, vfs
vfs.mount(vfs.VfsRom(uctypes.bytearray_at({address}, {size})), "/rom")
sys.path[:] = ["/rom"]

@micropython.asm_rv32
def instructions():
    csrrs(a0, zero, 0xB02)

"""
RAW_MODE, END, LEAVE = b"\x01", b"\x04", b"import machine\nmachine.reset()\n"


class MachineError(Exception):
    """The machine did not run the program to its end; the text is what it printed."""


def available() -> str:
    """Empty if programs can be run here, else what is missing."""
    if not shutil.which(EMULATOR):
        return f"{EMULATOR} is not installed"
    if not FIRMWARE.exists():
        return "MicroPython for RV32 is not there: run tools/fetch_riscv_micropython.sh"
    return ""


def run(program: str, programs: "dict[str, str] | None" = None, counted: bool = False, timeout_s: int = 120) -> str:
    """What the program prints; `programs` are files beside the device's, by their names in the image."""
    image = build_image(ARCH, programs, links=False)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "image"
        place.write_bytes(image)
        text = HEAD.format(address=IMAGE_ADDRESS, size=len(image)) + program
        loader = ["-device", f"loader,file={place},addr={IMAGE_ADDRESS},force-raw=on"]
        output = execute(FIRMWARE, counted, loader, RAW_MODE + text.encode() + END + LEAVE + END, timeout_s)
    # After "OK" comes what the program printed, up to the first mark, and after that what it raised.
    printed, mark, rest = output.partition(b"raw REPL; CTRL-B to exit\r\n>OK")[2].partition(END)
    raised = rest.partition(END)[0]
    if not mark or raised:
        raise MachineError((raised or output).decode(errors="replace")[-2000:])
    return printed.decode().replace("\r\n", "\n")


def execute(kernel: Path, counted: bool, more: Sequence[str] = (), typed: bytes = b"", timeout_s: int = 120) -> bytes:
    """What a program for the bare machine writes to the serial line, until it switches the machine off."""
    command = [
        EMULATOR, "-machine", "virt", "-bios", "none", "-nographic", "-monitor", "none", "-serial", "stdio",
        "-semihosting", "-kernel", str(kernel), *more,
    ]  # fmt: skip
    if counted:
        command += ["-icount", "shift=0"]
    try:
        result = subprocess.run(command, input=typed, capture_output=True, timeout=timeout_s)
    except subprocess.TimeoutExpired as late:
        raise MachineError(f"not done after {timeout_s} s") from late
    if result.returncode:
        raise MachineError(result.stderr.decode(errors="replace")[-2000:])
    return result.stdout
