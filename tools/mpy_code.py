"""The machine code in a compiled file (MicroPython's .mpy format, version 6): one piece for each viper function.

Only what mpy-cross makes of Python sources is read: nothing that the linker of native modules adds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

VERSION = 6
BYTECODE, NATIVE, VIPER = 0, 1, 2
WITHOUT_LENGTH = range(5)  # the table of functions, None, False, True, ...
TEXTS, TUPLE = (5, 6), 10


class MpyError(ValueError):
    """The file is not one that mpy-cross made of a Python source."""


@dataclass
class _Reader:
    data: bytes
    at: int = 0

    def take(self, size: int) -> bytes:
        self.at += size
        if self.at > len(self.data):
            raise MpyError("the file is cut short")
        return self.data[self.at - size : self.at]

    def number(self) -> int:
        """Seven bits a byte, the highest first; all bytes but the last have their top bit set."""
        number = 0
        while (byte := self.take(1)[0]) & 128:
            number = (number | byte & 127) << 7
        return number | byte


def viper_functions(file: bytes) -> Iterator[bytes]:
    """The code of each, in the order in which the source defines them."""
    reader = _Reader(file)
    mark, version, features, _ = reader.take(4)
    if mark != ord("M") or version != VERSION:
        raise MpyError("not a compiled file of version 6")
    if features & 0x40:
        reader.number()
    names, objects = reader.number(), reader.number()
    for _ in range(names):
        length = reader.number()
        if not length & 1:
            reader.take((length >> 1) + 1)
    for _ in range(objects):
        _skip_object(reader)
    yield from _codes(reader)


def _skip_object(reader: _Reader) -> None:
    kind = reader.take(1)[0]
    if kind in WITHOUT_LENGTH:
        return
    length = reader.number()
    if kind == TUPLE:
        for _ in range(length):
            _skip_object(reader)
    else:
        reader.take(length + (kind in TEXTS))


def _codes(reader: _Reader) -> Iterator[bytes]:
    head = reader.number()
    kind, has_children = head & 3, head & 4
    code = reader.take(head >> 3)
    if kind == VIPER:
        if reader.number() & 0xE0:
            raise MpyError("machine code with data of its own")
        yield code
    elif kind != BYTECODE:
        raise MpyError("machine code that is not viper's")
    for _ in range(reader.number() if has_children else 0):
        yield from _codes(reader)
