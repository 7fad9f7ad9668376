"""A community of one meter in a process of its own, and its peer on a socket of this machine or on a pipe.

It keeps entries only in sequence, each verified and following the one before; anything else is in `faults`.
"""

import socket
import time

from wattpact_protocol.log import entry, ids, reasons
from wattpact_protocol.sync import enrolment

from simulator import bodies
from simulator.authors import REAL
from simulator.peer import with_peer

QUICK_POLICY = bodies.quick_policy(hold_budget_s=0)
HARMLESS = (reasons.DUPLICATE, reasons.GAP)  # a meter sends again what it does not know to be stored


class Sticker:
    """What is known of a meter before it is enrolled, in the place of its key."""

    sign = None

    def __init__(self, started: dict[str, str]) -> None:
        self.code = enrolment.parse_code(started["code"])
        self.public_key = bytes.fromhex(started["public_key"])
        self.kid = ids.kid_of(self.public_key)


class SmallHost:
    """Receives on a free port of this machine; `serve` receives and answers for a while."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.community = with_peer(REAL, now_s=int(time.time()))
        self.peer = self.community.sink
        self.root = self.community.root
        self.sticker: Sticker | None = None
        self.address: tuple[str, int] | None = None

    @property
    def received(self) -> dict[int, int]:
        """Datagrams by kind."""
        return self.peer.received

    @property
    def entries(self) -> list[entry.Entry]:
        """The meter's, in the order of its log."""
        return [] if self.sticker is None else [new for new in self.peer.entries if new.kid == self.sticker.kid]

    @property
    def faults(self) -> list[str]:
        return [reason for reason in self.peer.rejected if reason not in HARMLESS]

    def of_kind(self, kind: int) -> list[entry.Entry]:
        return [held for held in self.entries if held.kind == kind]

    def enrol(self, started: dict[str, str]) -> None:
        """Accept the meter whose `started` line this is, when it sends the proof of its code."""
        self.sticker = Sticker(started)

    def publish(self, kind: int, body: dict[str, object]) -> entry.Entry:
        """The issuer publishes, and the meter gets it at once."""
        self.community.now_s = int(time.time())
        made = self.community.publish(self.community.issuer, kind, body)
        self._send_newest()
        return made

    def grant(self, wh: int) -> bytes:
        """Grant the meter so many Wh, for a contract nobody else knows."""
        assert self.sticker is not None
        now_s = self.community.now_s = int(time.time())
        made = self.community.give(self.sticker, wh, from_s=now_s - 10, to_s=now_s + 3600)
        self._send_newest()
        return made.body["contract"]

    def _send_newest(self) -> None:
        if self.address is not None and self.sticker is not None:
            for data in self.peer.newest(self.sticker.kid):
                self.socket.sendto(data, self.address)

    def serve(self, seconds: float, until=lambda: False) -> bool:
        """Receive and answer until `until()` is true, or for so long; whether it was."""
        end = time.monotonic() + seconds
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.socket.settimeout(min(left, 0.1))
            try:
                data, self.address = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            for reply in self.receive(data):
                self.socket.sendto(reply, self.address)
        return True

    def receive(self, data: bytes) -> list[bytes]:
        """One datagram in, the answers out."""
        sender = bytes(8) if self.sticker is None else self.sticker.kid
        answers = self.peer.receive_datagram(data, sender)
        if self.sticker is not None and sender in self.peer.pending and sender not in self.community.authors:
            self._enrol(self.sticker, *self.peer.pending[sender])
        return answers

    def _enrol(self, sticker: Sticker, public_key: bytes, proof: bytes) -> None:
        if proof == enrolment.proof(sticker.code, self.community.id, public_key):
            self.community.now_s = int(time.time())
            self.community.meter("house", key=sticker)

    def close(self) -> None:
        self.socket.close()
