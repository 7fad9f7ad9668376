"""The virtual flash: littlefs, as on the chip, on a block device that is a file, or memory for simulations.

A NOR flash erases 4,096-byte blocks to 0xff. Every write goes straight to the operating system, so that whatever was
written outlives the end of the process at any moment; `image` None is memory and outlives nothing.
"""

import os

import vfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

BLOCK_BYTES = 4096
LEAST_BLOCKS = 32
_BLANK = b"\xff" * 256  # a part of a block: whole ones would take 4 KB of the heap in one piece
_PARTS = BLOCK_BYTES // len(_BLANK)
# The requests of ioctl in MicroPython's block device protocol: library/os, "Block devices".
_COUNT, _SIZE, _ERASE = 4, 5, 6


class FlashError(Exception):
    """The image cannot be used; the text names the reason."""


class FileBlocks:
    """A block device over a file, which is made, blank, where there is none."""

    def __init__(self, path: str, size_bytes: int) -> None:
        self._count = size_bytes // BLOCK_BYTES
        if self._count < LEAST_BLOCKS or size_bytes % BLOCK_BYTES:
            raise FlashError("flash_bytes must be a multiple of 4096 and at least 131072")
        try:
            self.fresh = _make_blank(path, self._count)
            self._file: BinaryIO = open(path, "r+b")
        except OSError as error:
            raise FlashError("the flash image %s cannot be used: %s" % (path, error))
        if self._file.seek(0, 2) != size_bytes:
            raise FlashError("the flash image %s is not %d bytes long" % (path, size_bytes))

    def readblocks(self, block: int, buffer: "bytearray", offset: int = 0) -> int:
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.readinto(buffer)  # type: ignore[attr-defined]
        return 0

    def writeblocks(self, block: int, buffer: "bytearray", offset: int = 0) -> int:
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.write(buffer)
        return 0

    def ioctl(self, operation: int, argument: int) -> int:
        if operation == _COUNT:
            return self._count
        if operation == _SIZE:
            return BLOCK_BYTES
        if operation == _ERASE:
            self._file.seek(argument * BLOCK_BYTES)
            for _ in range(_PARTS):
                self._file.write(_BLANK)
        return 0


class MemoryBlocks:
    """A block device in memory, which holds the blocks that were ever written."""

    fresh = True

    def __init__(self, size_bytes: int) -> None:
        self._blocks: "list[bytearray | None]" = [None] * (size_bytes // BLOCK_BYTES)

    def readblocks(self, block: int, buffer: "bytearray", offset: int = 0) -> int:
        held = self._blocks[block]
        buffer[:] = b"\xff" * len(buffer) if held is None else memoryview(held)[offset : offset + len(buffer)]
        return 0

    def writeblocks(self, block: int, buffer: "bytearray", offset: int = 0) -> int:
        held = self._blocks[block]
        if held is None:
            held = self._blocks[block] = bytearray(_BLANK * _PARTS)
        held[offset : offset + len(buffer)] = buffer
        return 0

    def ioctl(self, operation: int, argument: int) -> int:
        if operation == _COUNT:
            return len(self._blocks)
        if operation == _SIZE:
            return BLOCK_BYTES
        if operation == _ERASE:
            self._blocks[argument] = None
        return 0


def mount(image: "str | None", size_bytes: int, place: str) -> None:
    """Mount the flash at `place`, formatted first where it is new. Raises FlashError."""
    blocks = MemoryBlocks(size_bytes) if image is None else FileBlocks(image, size_bytes)
    try:
        if blocks.fresh:
            vfs.VfsLfs2.mkfs(blocks)
        vfs.mount(vfs.VfsLfs2(blocks), place)
    except OSError as error:
        raise FlashError("the flash image %s holds no littlefs: %s" % (image, error))


def _make_blank(path: str, count: int) -> bool:
    """Make the image where there is none, in one step; whether it was blank, that is, never formatted."""
    try:
        with open(path, "rb") as file:
            return all(file.read(len(_BLANK)) == _BLANK for _ in range(2 * _PARTS))
    except OSError as error:
        if error.errno != 2:  # ENOENT
            raise
    with open(path + ".new", "wb") as file:
        for _ in range(count * _PARTS):
            file.write(_BLANK)
    os.rename(path + ".new", path)
    return True
