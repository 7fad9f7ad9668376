"""One UDP socket to one host, which never waits: what cannot be sent or received now is lost, as UDP may lose it."""

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST = 1201  # one more than a datagram may have, so that an oversized one shows


class Udp:
    """Udp(host): (address, port). The address may be a name; it is looked up again after a failure.

    listen: where to bind, for a board that must be found at a fixed port. failed counts what could not be sent.
    """

    def __init__(self, host: "tuple[str, int]", listen: "tuple[str, int] | None" = None) -> None:
        self._host = host
        self._address: Any = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if listen is not None:
            self._socket.bind(socket.getaddrinfo(listen[0], listen[1])[0][-1])
        self._socket.setblocking(False)
        self.failed = 0

    def send(self, data: bytes) -> None:
        try:
            if self._address is None:
                self._address = socket.getaddrinfo(self._host[0], self._host[1])[0][-1]
            self._socket.sendto(data, self._address)
        except OSError:
            self.failed += 1
            self._address = None

    def receive(self) -> "bytes | None":
        """The next datagram that has come, None when there is none."""
        try:
            return self._socket.recvfrom(_LONGEST)[0]
        except OSError:
            return None

    def close(self) -> None:
        self._socket.close()
