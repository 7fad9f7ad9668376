"""One UDP socket to one host, which never waits: what cannot be sent or received now is lost, as UDP may lose it."""

import socket

from wattpact_meter.drivers.dns import socket_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_meter.drivers.dns import Resolver

_LONGEST = 1201  # one more than a datagram may have, so that an oversized one shows


class Udp:
    """Udp(host, resolver): (address, port). The address may be a name; nothing is sent until the resolver knows it.

    listen: a numeric address and port, for a board that must be found at a fixed one; raises OSError where it is taken.
    failed counts what was not sent. Else the socket is made when there is something to send.
    """

    def __init__(self, host: "tuple[str, int]", resolver: "Resolver", listen: "tuple[str, int] | None" = None) -> None:
        self._host = host
        self._resolver = resolver
        self._address = ""
        self._target: Any = None
        self._socket: Any = None
        self.failed = 0
        if listen is not None:
            self._socket = self._open()
            self._socket.bind(socket_address(listen[0], listen[1]))

    @staticmethod
    def _open() -> "Any":
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        return opened

    def send(self, data: bytes) -> None:
        address = self._resolver.address(self._host[0])
        if address is None:
            self.failed += 1
            return
        try:
            if self._socket is None:
                self._socket = self._open()
            if address != self._address:
                self._target = socket_address(address, self._host[1])
                self._address = address
            self._socket.sendto(data, self._target)
        except OSError:
            self.failed += 1

    def receive(self) -> "bytes | None":
        """The next datagram that has come, None when there is none."""
        if self._socket is None:
            return None
        try:
            data: bytes = self._socket.recvfrom(_LONGEST)[0]
            return data
        except OSError:
            return None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
