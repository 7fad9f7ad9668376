"""A community of one meter, for tests: keys, certificates, and just enough of a host to hear a meter out.

It takes entries only in sequence, each verified and following the one before; anything else is in `faults`.
"""

import socket
import time

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import chain, entry, ids, kinds, reasons, roles
from wattpact_protocol.sync import datagram, enrolment

from simulator.authors import REAL, Author, Key

YEAR_S = 365 * 86400
QUICK_POLICY = {
    "version": 1, "emergency_credit_wh": 0, "quiet_hours": False, "quiet_weekends": False, "warn_wait_max_s": 0,
    "reconnect_wait_max_s": 0, "consent_required": False, "hold_budget_s": 0,
}  # fmt: skip


class SmallHost:
    """Listens on a free port of this machine; `serve` hears and answers for a while."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.root = Author(Key(bytes([1]) * 32, REAL))
        self.community = self.root.community_id
        self.issuer = Author(Key(bytes([2]) * 32, REAL), self.community)
        self.store_id = b"thestore"
        self.inbox: list[entry.Entry] = []
        self.entries: list[entry.Entry] = []
        self.faults: list[str] = []
        self.code = b""
        self.public_key = b""
        self.heard: dict[int, int] = {}  # datagrams by kind
        self.head: chain.Head | None = None
        self.address: tuple[str, int] | None = None
        self.grants = 0
        self._certify(self.root, self.root.public_key, roles.ROOT, "root")
        self.issuer.begin(0, self._certify(self.root, self.issuer.public_key, roles.ISSUER, "issuer").id)

    def _certify(self, by: Author, public_key: bytes, role: int, label: str) -> entry.Entry:
        now_s = int(time.time())
        body: dict[str, object] = {
            "version": 1, "public_key": public_key, "role": role, "label": label, "generation": 0, "epoch": 0,
            "not_before_s": now_s - 60, "not_after_s": now_s + YEAR_S, "assurance": 0, "rated_w": 11000,
        }  # fmt: skip
        return self._publish(by.publish(kinds.CERTIFICATE, body, now_s))

    def _publish(self, made: entry.Entry) -> entry.Entry:
        self.inbox.append(made)
        return made

    def enrol(self, started: dict[str, str]) -> None:
        """Accept the meter whose `started` line this is, when it asks with the proof of its code."""
        self.code = enrolment.parse_code(started["code"])
        self.public_key = bytes.fromhex(started["public_key"])

    def publish(self, kind: int, body: dict[str, object]) -> entry.Entry:
        """The issuer says it, and the meter gets it at once."""
        made = self._publish(self.issuer.publish(kind, body, int(time.time())))
        if self.address is not None:
            self.socket.sendto(self._inbox(len(self.inbox) - 1), self.address)
        return made

    def grant(self, wh: int) -> bytes:
        """Grant the meter so many Wh, for a contract nobody else knows."""
        self.grants += 1
        now_s, contract = int(time.time()), bytes([self.grants]) * 32
        self.publish(kinds.GRANT, {
            "number": self.grants, "meter": ids.kid_of(self.public_key), "contract": contract, "wh": wh,
            "max_w": 11000, "from_s": now_s - 10, "to_s": now_s + 3600, "price_micro_per_kwh": 180_000, "priority": 1,
            "start_by_s": now_s + 600, "default_supply": False,
        })  # fmt: skip
        return contract

    def serve(self, seconds: float, until=lambda: False) -> bool:
        """Hear and answer until `until()` is true, or for so long; whether it was."""
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
        kind, body = datagram.decode(data, self.community)
        self.heard[kind] = self.heard.get(kind, 0) + 1
        if kind == datagram.ENROL:
            self._enrol(body)
        elif kind == datagram.DIGEST:
            return self._answer_digest(body)
        elif kind == datagram.ENTRY:
            return self._take(body)
        return []

    def of_kind(self, kind: int) -> list[entry.Entry]:
        return [held for held in self.entries if held.kind == kind]

    def _inbox(self, index: int) -> bytes:
        body = [self.store_id, index, index + 1, self.inbox[index].raw]
        return datagram.encode(datagram.INBOX, self.community, body)

    def _head(self) -> bytes:
        assert self.head is not None
        return datagram.encode(datagram.HEAD, self.community, [self.head.kid, 0, self.head.next_sequence])

    def _enrol(self, body: list[bytes]) -> None:
        public_key, proof = body
        asked = public_key == self.public_key and enrolment.proof(self.code, self.community, public_key) == proof
        if asked and self.head is None:
            certificate = self._certify(self.issuer, public_key, roles.METER, "house")
            self.head = chain.start(ids.kid_of(public_key), 0, certificate.id)

    def _answer_digest(self, body: list[object]) -> list[bytes]:
        inbox, cursor = body[3], body[4]
        start = cursor if inbox == self.store_id else 0
        assert isinstance(start, int)
        heads = [] if self.head is None else [self._head()]
        return heads + [self._inbox(index) for index in range(start, min(start + 8, len(self.inbox)))]

    def _take(self, raw: bytes) -> list[bytes]:
        new = entry.decode(raw, self.community)
        assert self.head is not None
        if not entry.verify(new, self.public_key, ed25519.verify):
            self.faults.append(f"bad signature at {new.sequence}")
        known = self.entries[new.sequence].id if new.sequence < len(self.entries) else None
        verdict = chain.judge(self.head, new, known)
        if verdict == chain.NEXT:
            self.head.accept(new)
            self.entries.append(new)
        elif verdict not in (reasons.DUPLICATE, reasons.GAP):
            self.faults.append(f"{verdict} at {new.sequence}")
        return [self._head()]

    def close(self) -> None:
        self.socket.close()
