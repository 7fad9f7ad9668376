"""The flash of a meter in the field: real files, whose power may go between any two writes, and whose blocks rot.

The firmware's modules open files by `Flash.open` and find `Flash.os` as their `os`, so that each write, rename and
removal counts; with the power gone, or a block unreadable, they fail as they do on a chip.
"""

import os

import case

BLOCK_BYTES = 4096
_UNREADABLE = 84  # EILSEQ, as littlefs has it for a block that does not check
_BROKEN = 5  # EIO
_FOLDER = 0x4000


class PowerCut(BaseException):
    """The power went; nothing of the firmware catches this."""


class Flash:
    """Flash(folder). writes_left: until the power goes, None while it does not; failing: writes that will fail."""

    def __init__(self, folder):
        self.folder = folder
        self.os = _Os(self)
        self.is_off = False
        self.writes = 0
        self.writes_left = None
        self.failing = 0
        self.unreadable = set()

    def open(self, path, mode="r", *more):
        self.check()
        if path in self.unreadable and "r" in mode:
            raise OSError(_UNREADABLE)
        return _File(self, open(path, mode, *more))

    def check(self):
        if self.is_off:
            raise PowerCut()

    def write(self, half, whole):
        """One write: whole, or half of it and then the power is gone."""
        self.check()
        self.writes += 1
        if self.failing:
            self.failing -= 1
            raise OSError(_BROKEN)
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left <= 0:
                self.writes_left = None
                half()
                self.is_off = True
                raise PowerCut()
        return whole()

    def files(self):
        """Every file in a folder, by its path."""
        paths = []
        for name in sorted(os.listdir(self.folder)):
            folder = self.folder + "/" + name
            if not os.stat(folder)[0] & _FOLDER:
                continue  # power went while the folder above was turned
            paths += [folder + "/" + file for file in sorted(os.listdir(folder))]
        return paths

    def damage(self, bits, kept=()):
        """Spoil one block of any file but those named in `kept`; (path, block, how)."""
        paths = [path for path in self.files() if path.rsplit("/", 1)[1] not in kept and os.stat(path)[6]]
        if not paths:
            return None
        path = bits.choice(paths)
        with open(path, "rb") as file:
            data = file.read()
        block = bits.below(-(-len(data) // BLOCK_BYTES))
        how = bits.choice(("ff", "00", "half", "random", "unreadable", "empty"))
        self._spoil(bits, path, data, block, how)
        return path[len(self.folder) + 1 :], block, how

    def _spoil(self, bits, path, data, block, how):
        start, end = block * BLOCK_BYTES, min(len(data), (block + 1) * BLOCK_BYTES)
        if how == "unreadable":
            self.unreadable.add(path)
            return
        fresh = {
            "ff": b"\xff" * (end - start), "00": bytes(end - start), "random": bits.bytes(end - start),
            "half": data[start : (start + end) // 2] + b"\xff" * (end - (start + end) // 2), "empty": b"",
        }  # fmt: skip
        data = data[:start] + fresh[how] + data[end:]
        with open(path, "wb") as file:
            file.write(data if how != "empty" or start else b"")


class _File:
    """A file of that flash, as far as the firmware uses one."""

    def __init__(self, flash, file):
        self._flash = flash
        self._file = file
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell

    def write(self, data):
        def half():
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        return self._flash.write(half, lambda: self._file.write(data))

    def flush(self):
        self._flash.check()
        self._file.flush()

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


class _Os:
    """What of `os` the firmware's storage uses."""

    def __init__(self, flash):
        self._flash = flash

    def __getattr__(self, name):
        return getattr(os, name)

    def rename(self, old, new):
        self._flash.write(_nothing, lambda: os.rename(old, new))
        self._flash.unreadable.discard(new)

    def remove(self, path):
        self._flash.write(_nothing, lambda: os.remove(path))
        self._flash.unreadable.discard(path)


def _nothing():
    pass


class Folder:
    """An empty folder for a flash: of the host's memory under CPython, littlefs in memory under MicroPython."""

    def __enter__(self):
        if case.MICROPYTHON:
            from simulator.flash import Blocks, Mounted

            self._held = Mounted(Blocks(count=128), fresh=True)
            return self._held.__enter__().path
        import tempfile

        self._held = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        return self._held.__enter__()

    def __exit__(self, *raised):
        self._held.__exit__(*raised)
