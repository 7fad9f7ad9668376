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
from itertools import product
from pathlib import Path

from mpremote.romfs import make_romfs
from wattpact_protocol.crypto._ed25519_table import POINTS
from wattpact_protocol.crypto._sha512_constants import ROUND

from tools.compile_device import ARCHITECTURES, CompileError, compile_device
from tools.device_files import device_files

PADDING = (".before", "~after")  # before and after the other files; an image's length is made even from its front
_MOUNTING = """
import ffi, os, uctypes, vfs
size = os.stat({image!r})[6]
image = uctypes.bytearray_at(ffi.open("libc.so.6").func("p", "malloc", "i")(size), size)
with open({image!r}, "rb") as file:
    file.readinto(image)
vfs.mount(vfs.VfsRom(image), "/rom")
sys.path[:] = ["/rom", ".frozen"]
"""


def build_image(arch: str, programs: "dict[str, str] | None" = None, links: bool = True) -> bytes:
    """The image as a meter has it, or with each module by itself; `programs` are more files, name -> source."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if arch == "source":
            for name, source in device_files():
                copy_file(source, root / name)
        else:
            compile_device(arch, root, links, programs)
        return image_of(root)


def image_of(root: Path) -> bytes:
    """An image of the files in a folder, in which the tables that machine code reads by words cost a meter no copy in
    RAM."""
    for sizes in product(range(4), range(2)):
        for name, size in zip(PADDING, sizes, strict=True):
            (root / name).write_bytes(bytes(size))
        with redirect_stdout(io.StringIO()):  # it lists every file
            image = bytes(make_romfs(str(root), mpy_cross=False))
        at = image.find(POINTS + ROUND)
        if at < 0 or at % 4 == 0:
            return image
    raise CompileError("the tables cannot be aligned")


def mounting(image: Path) -> str:
    """What a program begins with to import from an image that is outside of its heap, as a chip has it in mapped flash;
    it must have imported sys. For MicroPython with Linux's C library of 32 bits."""
    return _MOUNTING.format(image=str(image))


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
