"""The serial port of MicroPython's console as bytes, without waiting for any."""

import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 256  # in one reading


class ConsoleBytes:
    """ended: whether the other side has closed it, where it can."""

    def __init__(self) -> None:
        self.ended = False
        self._poll = select.poll()
        self._input: Any = sys.stdin.buffer
        self._poll.register(self._input, select.POLLIN)

    def read(self) -> bytes:
        """What has come."""
        data = b""
        some = select.POLLIN | select.POLLHUP
        while len(data) < _MOST and not self.ended and [True for _, ready in self._poll.poll(0) if ready & some]:
            try:
                byte = self._input.read(1)  # more at once would wait until they have come
            except OSError:
                byte = b""
            self.ended = not byte
            data += byte
        return data

    def write(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
