"""A bistable relay whose position is one byte in a file: like a real one it stays put when the meter stops."""

CLOSED, OPEN = b"1", b"0"


class FileRelay:
    """FileRelay(path): a new one is open. The file is read at the start alone."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            with open(path, "rb") as file:
                self.closed = file.read(1) == CLOSED
        except OSError:
            self.closed = False

    def drive(self, closed: bool) -> None:
        if closed != self.closed:
            with open(self._path, "wb") as file:
                file.write(CLOSED if closed else OPEN)
        self.closed = closed

    def sensed(self) -> "bool | None":
        return self.closed
