"""libsodium's portable C, compiled for RV32 and counted in the same QEMU: what the meter's code is compared with.

Its source is fetched by tools/fetch_riscv_micropython.sh; no part of it is in this repository.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from tools import riscv_system

SOURCE = riscv_system.FIRMWARE.parent / "libsodium"
COMPILER = "riscv64-unknown-elf-gcc"
FILES = (
    "crypto_core/ed25519/ref10/ed25519_ref10.c",
    "crypto_sign/ed25519/ref10/keypair.c",
    "crypto_sign/ed25519/ref10/sign.c",
    "crypto_sign/ed25519/ref10/open.c",
    "crypto_scalarmult/curve25519/ref10/x25519_ref10.c",
    "crypto_hash/sha512/cp/hash_sha512_cp.c",
    "crypto_verify/sodium/verify.c",
)
INCLUDES = ("include", "include/sodium", "crypto_scalarmult/curve25519/ref10", "crypto_scalarmult/curve25519")
# The same instructions as MicroPython is built of; what they do to memory outside their arguments is nothing here.
FLAGS = (
    "-march=rv32imc", "-misa-spec=2.2", "-mabi=ilp32", "--specs=picolibc.specs", "-nostartfiles", "-std=gnu99", "-w",
    "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-Wl,--no-relax", "-DCONFIGURED=1",
    "-DNATIVE_LITTLE_ENDIAN=1",
)  # fmt: skip
LAYOUT = """
ENTRY(_start)
SECTIONS {
  . = 0x80000000;
  .text : { KEEP(*(.start)) *(.text*) *(.rodata*) *(.srodata*) }
  .data : { *(.data*) *(.sdata*) }
  .bss : { *(.bss*) *(.sbss*) *(COMMON) }
}
"""


class Operation(NamedTuple):
    instructions: int
    result: bytes


def available() -> str:
    """Empty if the C code can be compiled and counted here, else what is missing."""
    return riscv_system.available() or ("" if SOURCE.exists() else "libsodium's source is not there")


def measure(level: str) -> "dict[str, Operation]":
    """Instructions and results by operation, compiled with -O2 or -Os."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "peer.elf"
        (Path(folder) / "version.h").write_text("")
        (Path(folder) / "layout.ld").write_text(LAYOUT)
        command = [COMPILER, level, *FLAGS, "-T", f"{folder}/layout.ld", "-I", folder]
        command += [f"-I{SOURCE / place}" for place in INCLUDES]
        command += [str(Path(__file__).with_suffix(".c")), *(str(SOURCE / name) for name in FILES), "-o", str(program)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        printed = riscv_system.execute(program, counted=True)
    rows = [line.split() for line in printed.decode().splitlines()]
    return {name: Operation(int(count), bytes.fromhex(result)) for name, count, result in rows}
