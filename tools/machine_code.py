"""Executes viper functions as a chip gets them: mpy-cross's machine code for RV32 and Xtensa, under QEMU's user mode.

A small program takes calls over a pipe: which function, its arguments, and the memory they point to. What MicroPython
does around a viper function is left out: its arguments need no conversion, and it calls nothing.
"""

import os
import re
import shutil
import struct
import subprocess
import threading
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tools.compile_device import compile_file
from tools.device_files import ROOTS
from tools.mpy_code import viper_functions

CODE, ARENA = 0x100000, 0x200000
ONE_BY_ONE = {"QEMU_SINGLESTEP": "1", "QEMU_ONE_INSN_PER_TB": "1"}  # the older name and the newer
ARENA_BYTES = 1 << 16
REQUEST = struct.Struct("<16I")  # function, number of arguments, bytes of memory, arguments

# A viper function is called with itself, the counts of its arguments, and where they are. It finds the table of the
# runtime's functions in its module's constants; the first of those put values into objects and take them out.
DATA = """
.section .code, "ax"
.incbin "code"
.section .arena, "aw"
.space {arena}
.section .data
.balign 16
function: .word 0, module
module: .word 0, 0, constants, constants
constants: .rept 64
 .word runtime
 .endr
runtime: .word 0, 0, 0
 .rept 100
 .word same
 .endr
.balign 16
request: .space 64
"""
RV32 = """
.section .text
.globl _start
_start:
 li a0, 0
 la a1, request
 li a2, 64
 li a7, 63
 ecall
 beqz a0, leave
 la s0, request
 la a1, {arena}
 lw a2, 8(s0)
more:
 beqz a2, call
 li a0, 0
 ecall
 add a1, a1, a0
 sub a2, a2, a0
 j more
call:
 la a0, function
 lw a1, 4(s0)
 li a2, 0
 addi a3, s0, 12
 lw t0, 0(s0)
 jalr t0
 sw a0, 0(s0)
 li a7, 64
 li a0, 1
 mv a1, s0
 li a2, 4
 ecall
 li a0, 1
 la a1, {arena}
 lw a2, 8(s0)
 ecall
 j _start
leave:
 li a7, 93
 ecall
same: ret
"""
# The assembler is one for chips without register windows: entry a1, 32; retw and callx8 a8 are written as bytes.
# The call moves the window by eight registers: a10 becomes the function's a2.
XTENSA = """
.section .text
.literal_position
.globl _start
_start:
 movi a2, 12
 movi a6, 0
 movi a3, request
 movi a4, 64
 syscall
 beqz a2, leave
 movi a5, request
 movi a3, {arena}
 l32i a4, a5, 8
more:
 beqz a4, call
 movi a2, 12
 syscall
 add a3, a3, a2
 sub a4, a4, a2
 j more
call:
 movi a10, function
 l32i a11, a5, 4
 movi a12, 0
 addi a13, a5, 12
 l32i a8, a5, 0
 .byte 0xe0, 0x08, 0x00
 s32i a10, a5, 0
 movi a2, 13
 movi a6, 1
 mov a3, a5
 movi a4, 4
 syscall
 movi a2, 13
 movi a3, {arena}
 l32i a4, a5, 8
 syscall
 j _start
leave:
 movi a2, 118
 syscall
.balign 4
same:
 .byte 0x36, 0x41, 0x00
 .byte 0x90, 0x00, 0x00
"""


@dataclass(frozen=True)
class Chip:
    """An instruction set, and the programs that assemble and execute it."""

    arch: str
    program: str
    assembler: Sequence[str]
    linker: Sequence[str]
    emulator: Sequence[str]

    def missing(self) -> str:
        """The first tool that is not on this machine, or nothing."""
        return next((tool for tool, *_ in (self.assembler, self.linker, self.emulator) if not shutil.which(tool)), "")


CHIPS = {
    "rv32imc": Chip(
        "rv32imc", RV32, ("riscv64-unknown-elf-as", "-march=rv32imac", "-mabi=ilp32"),
        ("riscv64-unknown-elf-ld", "-m", "elf32lriscv", "--no-relax"), ("qemu-riscv32",),
    ),
    "xtensawin": Chip(
        "xtensawin", XTENSA, ("xtensa-lx106-elf-as", "--text-section-literals"), ("xtensa-lx106-elf-ld",),
        ("qemu-xtensa", "-cpu", "dc233c"),
    ),
}  # fmt: skip


def missing() -> str:
    """Empty if the code of every chip can be executed here, else what is missing."""
    return next((f"{chip.missing()} is not installed" for chip in CHIPS.values() if chip.missing()), "")


class Machine:
    """A process that executes the viper functions of some modules; `with` starts and ends it.

    Where instructions are counted, `instructions` is, after the end, how many were executed of the functions' own.
    """

    def __init__(self, chip: Chip, modules: Sequence[str], folder: Path, counted: bool = False) -> None:
        self._chip, self._folder, self._counted = chip, folder, counted
        self._places: dict[tuple[str, str], int] = {}
        self._code = b""
        self.instructions = 0
        for module in modules:
            self._place(module)
        (folder / "code").write_bytes(self._code)
        (folder / "program.s").write_text(chip.program.format(arena=ARENA) + DATA.format(arena=ARENA_BYTES))
        self._run(*chip.assembler, "program.s", "-o", "program.o")
        sections = [f"--section-start={name}={at:#x}" for name, at in ((".code", CODE), (".arena", ARENA))]
        self._run(*chip.linker, *sections, "-Ttext=0x10000", "-Tdata=0x80000", "program.o", "-o", "program")

    def _place(self, module: str) -> None:
        """One module's machine code behind what is there, each function where its first instruction may be."""
        source = ROOTS["wattpact_protocol"] / "crypto" / f"{module}.py"
        compile_file(source, module, self._folder / "module.mpy", self._chip.arch)
        names = re.findall(r"@micropython\.viper\ndef (\w+)", source.read_text())
        codes = viper_functions((self._folder / "module.mpy").read_bytes())
        for name, code in zip(names, codes, strict=True):
            self._places[module, name] = CODE + len(self._code)
            self._code += code + bytes(-len(code) % 16)

    def _run(self, *command: str) -> None:
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True, timeout=60)

    def __enter__(self) -> "Machine":
        command = [*self._chip.emulator]
        if self._counted:
            os.mkfifo(self._folder / "executed")
            command += ["-d", "exec,nochain", "-D", "executed"]
            self._counter = threading.Thread(target=self._count)
            self._counter.start()
        self._process = subprocess.Popen(
            [*command, "./program"],
            cwd=self._folder,
            env=os.environ | (ONE_BY_ONE if self._counted else {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)
        if self._counted:
            self._counter.join()

    def _count(self) -> None:
        """A line of the log for each instruction; its address is between the first two slashes."""
        end = CODE + len(self._code)
        with open(self._folder / "executed", "rb") as log:
            for line in log:
                if line.startswith(b"Trace ") and CODE <= int(line.split(b"/", 2)[1], 16) < end:
                    self.instructions += 1

    def call(self, module: str, name: str, *arguments: "int | bytes | bytearray | memoryview | array[int]") -> int:
        """What the function returns; it works on the very buffers given, where they can be written."""
        places: dict[int, int] = {}
        memory = bytearray()
        words = []
        for argument in arguments:
            if isinstance(argument, int):
                words.append(argument & 0xFFFFFFFF)
                continue
            if id(argument) not in places:
                places[id(argument)] = len(memory)
                data = bytes(argument)
                memory += data + bytes(-len(data) % 16)
            words.append(ARENA + places[id(argument)])
        returned, left = self._exchange(self._places[module, name], words, bytes(memory))
        for argument in arguments:
            if not isinstance(argument, int) and not (view := memoryview(argument)).readonly:
                at = places[id(argument)]
                view.cast("B")[:] = left[at : at + view.nbytes]
        return returned

    def _exchange(self, place: int, words: list[int], memory: bytes) -> tuple[int, bytes]:
        request = REQUEST.pack(place, len(words), len(memory), *words, *bytes(13 - len(words)))
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(request + memory)
        self._process.stdin.flush()
        answer = self._process.stdout.read(4 + len(memory))
        if len(answer) != 4 + len(memory):
            raise EOFError("the emulated program ended")
        return int.from_bytes(answer[:4], "little"), answer[4:]
