"""A serial line that is a file (a recording, played a telegram at a time) or a pty (what has come is read)."""

import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from boards.virtual.virtual_clock import Clock

_KIND, _DEVICE = 0xF000, 0x2000  # of a mode: the kind of file, a character device
_MOST = 4096
_LONGEST_LINE = 1024


class Recording:
    """A file, a telegram every `every_ms`: its bytes up to the next line that ends one; nothing after the end."""

    def __init__(self, file: "BinaryIO", clock: "Clock", every_ms: int) -> None:
        self._file = file
        self._clock = clock
        self._every_ms = every_ms
        self._due_ms = clock.uptime_ms()

    def read(self) -> bytes:
        if self._clock.uptime_ms() < self._due_ms:
            return b""
        self._due_ms += self._every_ms
        lines = []
        while True:
            line = self._file.readline(_LONGEST_LINE)
            lines.append(line)
            if not line or line.startswith(b"!"):
                return b"".join(lines)


class Terminal:
    """A character device, in whatever mode its other side has put it."""

    def __init__(self, file: "BinaryIO") -> None:
        self._file = file
        self._poll = select.poll()
        self._poll.register(file, select.POLLIN)

    def read(self) -> bytes:
        data = bytearray()
        while len(data) < _MOST and [event for _, event in self._poll.poll(0) if event & select.POLLIN]:
            try:
                byte = self._file.read(1)  # more at once would wait until they have come
            except OSError:  # the other side has gone
                byte = b""
            if not byte:
                break
            data.extend(byte)
        return bytes(data)


def open_serial(path: str, clock: "Clock", every_ms: int) -> "Recording | Terminal":
    """Raises OSError."""
    if os.stat(path)[0] & _KIND == _DEVICE:
        return Terminal(open(path, "rb"))
    return Recording(open(path, "rb"), clock, every_ms)
