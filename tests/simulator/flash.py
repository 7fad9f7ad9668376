"""Places for the tests to keep files: a folder of the host under CPython, littlefs in memory under MicroPython.

Under MicroPython the memory is a block device whose power can be cut after any number of writes.
"""

import os

import case

BLOCK_BYTES = 4096


class Blocks:
    """A NOR flash of `count` blocks. After `writes_left` programs and erases the power is gone: the last one to get
    through is cut in the middle, and what comes later fails.
    """

    def __init__(self, count=32, image=None):
        self.image = bytearray(b"\xff" * (count * BLOCK_BYTES)) if image is None else image
        self.writes_left = None
        self.writes = 0

    def _powered(self):
        self.writes += 1
        if self.writes_left is None:
            return 1
        self.writes_left -= 1
        return 1 if self.writes_left > 0 else 0 if self.writes_left == 0 else -1

    def readblocks(self, block, buffer, offset=0):
        at = block * BLOCK_BYTES + offset
        buffer[:] = self.image[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        power = self._powered()
        if power < 0:
            return -5
        length = len(buffer) if power else len(buffer) // 2
        at = block * BLOCK_BYTES + offset
        self.image[at : at + length] = buffer[:length]
        return 0 if power else -5

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.image) // BLOCK_BYTES
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            power = self._powered()
            if power < 0:
                return -5
            length = BLOCK_BYTES if power else BLOCK_BYTES // 2
            at = argument * BLOCK_BYTES
            self.image[at : at + length] = b"\xff" * length
            return 0 if power else -5
        return 0


DAMAGE = ("ff", "00", "half", "random")


def damaged(image, block, how, bits):
    """A copy of the image in which one block is erased, zeroed, half erased or full of anything."""
    at = block * BLOCK_BYTES
    copy = bytearray(image)
    if how == "half":
        at += BLOCK_BYTES // 2
    end = (block + 1) * BLOCK_BYTES
    copy[at:end] = bits.bytes(end - at) if how == "random" else (b"\0" if how == "00" else b"\xff") * (end - at)
    return copy


class Mounted:
    """littlefs on a block device, as a context; .path is where it is mounted."""

    path = "/flash_under_test"

    def __init__(self, blocks, fresh=False):
        self.blocks = blocks
        self.fresh = fresh

    def __enter__(self):
        import vfs

        if self.fresh:
            vfs.VfsLfs2.mkfs(self.blocks)
        vfs.mount(vfs.VfsLfs2(self.blocks, readsize=32, progsize=32, lookahead=32), self.path)
        return self

    def __exit__(self, *_):
        import vfs

        vfs.umount(self.path)


class Folder:
    """An empty folder, as a context that gives its path."""

    def __enter__(self):
        if case.MICROPYTHON:
            self._held = Mounted(Blocks(), fresh=True)
            return self._held.__enter__().path
        import tempfile

        self._held = tempfile.TemporaryDirectory()
        return self._held.__enter__()

    def __exit__(self, *raised):
        self._held.__exit__(*raised)


def names(folder):
    return sorted(os.listdir(folder))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def clear(folder):
    """Remove the files of a folder, and the folder."""
    for name in os.listdir(folder):
        os.remove(folder + "/" + name)
    os.rmdir(folder)
