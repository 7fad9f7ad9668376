"""A community in virtual time: a node and meters on one clock, connected by a network without loss or delay.

What always holds: the node is the real one over a real store, the meters are the firmware in processes of their own;
only sockets and clocks are replaced. Time passes by `advance` alone.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wattpact_protocol.sync import enrolment

from wattpact import keys
from wattpact.keys import Signer
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectory
from wattpact.node.node import Node
from wattpact.projections.unsealing import Unsealer
from wattpact.simulation import ReplayError
from wattpact.simulation.lockstep import Lockstep, decode, encode
from wattpact.sync.peer import Address, Datagrams

Power = Sequence[tuple[int, int]]  # (mean mW, import positive; µs), in order
MAX_EXCHANGES = 200
SETTLE_S = 1


class Simulator:
    """Made in an empty folder; `start_s` is Unix time. Close it, or use it in a `with`."""

    def __init__(self, folder: Path, terms: members.FoundingTerms, start_s: int) -> None:
        self.start_s = start_s
        self.now_s = start_s
        self.data: DataDirectory = data_directory.create(folder, terms, start_s)
        self.issuer: Signer = self.data.keyring.load(keys.ISSUER)
        self.node = Node(
            self.data.store(), self.data.root_public_key, self.data.keyring.load(keys.HOST), self.issuer,
            lambda: self.now_s, lambda: self.t_ms,
        )  # fmt: skip
        self.node.join(self)
        self.store = self.node.store
        self.unsealer = Unsealer(self.store, self.node.readers)
        self.meters: dict[str, Lockstep] = {}
        self.people: dict[str, Signer] = {}
        self._folder = folder
        self._queues: dict[Address, list[bytes]] = {}

    def __enter__(self) -> "Simulator":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def t_ms(self) -> int:
        return (self.now_s - self.start_s) * 1000

    def add_person(self, name: str) -> Signer:
        self.people[name] = data_directory.add_person(self.data, name, name, self.now_s)
        self.node.catch_up()
        return self.people[name]

    def add_meter(self, label: str, owner: str, configuration: Mapping[str, Any]) -> Lockstep:
        """Start a meter, let it send its request, and enrol it with its code for a person."""
        settings = {"host": ["simulator", 1], "root_public_key": self.data.root_public_key.hex(), "flash": None}
        meter = Lockstep(self._folder.joinpath("meters", label), {**settings, **configuration})
        self.meters[label] = meter
        self._queues[self._address(label)] = []
        self._carry(label, meter.state["out"])
        self.advance(SETTLE_S, {})
        code = enrolment.parse_code(meter.code)
        public_key = members.with_code(self.store.pending(), code, self.store.community)
        rated_w = int(configuration["rated_w"])
        members.enrol_meter(
            self.store, self.issuer, public_key, label, self.people[owner].kid, self.now_s, rated_w=rated_w
        )
        self.node.catch_up()
        return meter

    def _address(self, label: str) -> Address:
        return (label, 1)

    # The node's edge

    def send(self, datagrams: Datagrams) -> None:
        for data, address in datagrams:
            self._queues[address].append(data)

    def flush(self) -> None:
        pass

    # Time

    def advance(
        self, seconds: int, powers: "Mapping[str, Power]", telegrams: "Mapping[str, bytes] | None" = None
    ) -> None:
        """Let time pass; `powers` by meter's label fill it, `telegrams` are P1 bytes that have come at its end."""
        self.now_s += seconds
        lines: dict[str, dict[str, Any]] = {}
        for label in self.meters:
            lines[label] = {"power": powers.get(label) or [(0, seconds * 1_000_000)]}
            if telegrams and label in telegrams:
                lines[label] = {"p1": encode(telegrams[label])}
        self._exchange(lines)

    def _exchange(self, lines: dict[str, dict[str, Any]]) -> None:
        """Step the meters, and carry datagrams to and fro until none is left at this moment."""
        for _ in range(MAX_EXCHANGES):
            for label, line in lines.items():
                self.meters[label].ask(to=[self.t_ms, self.now_s], **line)
            for label in lines:
                self._carry(label, self.meters[label].answer()["out"])
            batch = self.node.link.pop_batch()
            if batch:
                self.node.ingest(batch)
            else:
                self.node.catch_up()
            lines = {}
            for label in self.meters:
                queue = self._queues[self._address(label)]
                if queue:
                    lines[label] = {"in": [encode(data) for data in queue]}
                    queue.clear()
            if not lines:
                return
        raise ReplayError("the meters and the node never stop sending to each other")

    def _carry(self, label: str, out: list[str]) -> None:
        address = self._address(label)
        for text in out:
            self.send(self.node.link.receive(decode(text), address, self.t_ms, self.now_s))

    def is_at_rest(self) -> bool:
        """Whether every meter's log is in the store and every inbox has been received."""
        for meter in self.meters.values():
            head = self.store.head(meter.kid, 0)
            if (0 if head is None else head[0] + 1) != meter.state["next_sequence"]:
                return False
            peer = self.node.link.peers.get(meter.kid)
            if peer is None or self.node.inbox.after(meter.kid, peer.cursor, 1):
                return False
        return True

    def close(self) -> None:
        for meter in self.meters.values():
            meter.close()
        self.node.pipeline.close()
        self.store.close()
