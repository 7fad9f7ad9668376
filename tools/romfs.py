"""Builds a ROMFS image of the device files: bytecode that a chip runs in place from flash, at almost no cost in heap.

    python -m tools.romfs ARCH IMAGE      ARCH as in compile_device.py, or "source" for plain .py files

The image is MicroPython's own format, written by mpremote, so the unix build can mount the very file a chip gets.
"""

import argparse
import io
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from mpremote.romfs import make_romfs

from tools.compile_device import ARCHITECTURES, CompileError, compile_device
from tools.device_files import device_files


def build_image(arch: str, extra: "dict[str, Path] | None" = None) -> bytes:
    """The image, with `extra` files (name on the device -> file here) beside the device files."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if arch == "source":
            for name, source in device_files():
                copy_file(source, root / name)
        else:
            compile_device(arch, root)
        for name, source in (extra or {}).items():
            copy_file(source, root / name)
        with redirect_stdout(io.StringIO()):  # it lists every file
            return bytes(make_romfs(folder, mpy_cross=False))


def copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def main() -> int:
    parser = argparse.ArgumentParser(description="Build a ROMFS image of the device files.")
    parser.add_argument("arch", choices=("source", *ARCHITECTURES))
    parser.add_argument("image", type=Path)
    arguments = parser.parse_args()
    try:
        image = build_image(arguments.arch)
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    arguments.image.write_bytes(image)
    print(f"{len(image)} bytes in {arguments.image}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
