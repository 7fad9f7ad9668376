"""A community of real processes, for tests: a node, and meters in MicroPython joined to it by a wire of the test's.

    async with LiveCommunity(folder) as live:
        await live.start_node()                         `wattpact node`, or start_node_here(clock)
        roof = await live.add("roof", watts=-8000)      a person and a meter, enrolled with its sticker's code
        live.sell(roof, wh=40, price=180_000)

Everything it starts it ends, whatever happens. The rules that must hold afterwards are in `rules`.
"""

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import case
from wattpact import keys
from wattpact.consensus.process import find_program
from wattpact.device.virtual_meter import VirtualMeter
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.node import Node
from wattpact.simulation import demo
from wattpact.store.publishing import publish
from wattpact_protocol.log import kinds, roles
from wattpact_protocol.sync import enrolment

from simulator import bodies
from simulator.wire import Rough, Wire, faithful

CHECKOUT = Path(__file__).parents[2]
MICROPYTHON = CHECKOUT / "tools" / "micropython"
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{CHECKOUT}/host:{CHECKOUT}/protocol", "PYTHONUNBUFFERED": "1"}
HOUR_S = 3600
COMETBFT_BUILD_S = 1500
FLASH_BYTES = 1 << 20  # of a meter's image, where its settings name no other


def cometbft() -> Path:
    """The program, built where `make test-tools` has not done so; raises case.Skip where that is not possible."""
    done = subprocess.run(
        [CHECKOUT / "tools" / "fetch_cometbft.sh"], capture_output=True, text=True, timeout=COMETBFT_BUILD_S
    )
    if done.returncode:
        raise case.Skip(done.stderr.strip())
    return find_program(done.stdout.strip())


class NodeProcess:
    """`wattpact node` on a free port; its log is in node.log of the data directory."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "node.log"
        self._command = [
            sys.executable, "-c", "from wattpact.cli import main; main()", "--data", str(folder), "node",
            "--listen", "127.0.0.1", "--port", "0", "--no-http",
        ]  # fmt: skip
        self._process: asyncio.subprocess.Process | None = None
        self.starts = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> int:
        """Start, and give the port once meters reach it; it may be killed before, then it is 0."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdout=asyncio.subprocess.PIPE, stderr=log, env=ENVIRONMENT, start_new_session=True
            )
        self.starts += 1
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        found = re.search(rb"port ([0-9]+)", line)
        return int(found[1]) if found else 0

    async def wait(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    def kill(self) -> bool:
        """Whether there was something to kill: that it has ended is known here a moment later than it ends."""
        if not self.is_running:
            return False
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    async def stop(self) -> int:
        """Ctrl-C; the exit status."""
        if self.is_running:
            assert self._process is not None
            self._process.send_signal(signal.SIGINT)
            try:
                return await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self.kill()
        return await self.wait() if self._process is not None else 0


class Household:
    """A household with one meter, and every line of its meter with the moment it came."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kid = b""
        self.meter: VirtualMeter
        self.events: list[tuple[float, dict[str, Any]]] = []

    def receive(self, event: dict[str, Any]) -> None:
        self.events.append((time.monotonic(), event))
        if event.get("event") == "started":
            self.kid = bytes.fromhex(event["kid"])

    def of(self, name: str) -> "list[tuple[float, dict[str, Any]]]":
        return [(at_s, event) for at_s, event in self.events if event.get("event") == name]

    @property
    def is_closed(self) -> bool:
        moves = self.of("relay")
        return bool(moves) and bool(moves[-1][1]["closed"])

    @property
    def next_sequence(self) -> int:
        """As the meter reported last."""
        return int(([0] + [event["next_sequence"] for _, event in self.events if "next_sequence" in event])[-1])


class LiveCommunity:
    """A community in a folder. `clock()` is the community's time in Unix seconds."""

    def __init__(
        self, folder: Path, slot_s: int = 1, clock: Callable[[], int] = data_directory.clock, rough: Rough = faithful
    ) -> None:
        self.clock = clock
        self.data = data_directory.create(folder / "data", demo.TERMS._replace(slot_s=slot_s), clock())
        self.folder = folder
        self.slot_s = slot_s
        self.households: dict[str, Household] = {}
        self.node: Node | None = None
        self.process = NodeProcess(self.data.path)
        self._rough = rough
        self.publish(self.issuer, kinds.POLICY, demo.POLICY)

    async def __aenter__(self) -> Self:
        self.wire = Wire(self.data.community, self._rough)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(household.meter.stop() for household in self.households.values()))
        await self.stop_node()
        self.wire.close()

    @property
    def issuer(self) -> keys.Signer:
        found = self.data.issuer()
        assert found is not None
        return found

    async def start_node(self) -> None:
        """As a process of its own."""
        self.wire.node_port = await self.process.start() or None

    async def start_node_here(self) -> Node:
        """In this process, by the community's clock."""
        host = self.data.keyring.load(keys.HOST)
        self.node = Node(self.data.store(), self.data.root_public_key, host, self.issuer, self.clock)
        self.wire.node_port = await self.node.start("127.0.0.1", 0)
        return self.node

    async def stop_node(self) -> None:
        node, self.node = self.node, None
        if node is not None:
            await node.stop()
        await self.process.stop()
        self.wire.node_port = None

    async def add(
        self, name: str, watts: int, load: str = "always", kind: str = "synthetic", **configuration: object
    ) -> Household:
        """A person and a meter; the meter runs, and is enrolled when this returns."""
        data_directory.add_person(self.data, name, name, self.clock())
        household = self.households[name] = Household(name)
        source: dict[str, object] = {"kind": kind, "watts": watts, "load": load}
        if kind == "profile":
            profile = self.folder / f"{name}.csv"
            profile.write_text(f"0,{watts}\n")
            source = {"kind": kind, "file": str(profile), "load": load}
        household.meter = VirtualMeter(self.folder / name, {
            "host": ["127.0.0.1", self.wire.port], "root_public_key": self.data.root_public_key.hex(),
            "rated_w": bodies.RATED_W, "step_s": self.slot_s, "seed": len(self.households), "source": source,
            **configuration,
        }, household.receive)  # fmt: skip
        await household.meter.start()
        await self.until(lambda: bool(household.of("started")), f"{name} to start")
        code = enrolment.parse_code(household.of("started")[0][1]["code"])
        await self.until(lambda: self._enrol(household, code), f"{name} to be enrolled")
        return household

    def _enrol(self, household: Household, code: bytes) -> bool:
        with self.data.store() as store:
            owner = members.find(store.certificates(), roles.PERSON, household.name)
            try:
                key = members.with_code(store.pending(), code, store.community)
            except members.EnrolError:
                return False
            members.enrol_meter(
                store, self.issuer, key, household.name, owner.kid, self.clock(), rated_w=bodies.RATED_W
            )
        return True

    # What people sign, through a connection of their own, as the commands do

    def publish(self, signer: keys.Signer, kind: int, body: dict[str, Any]) -> None:
        with self.data.store() as store:
            publish(store, signer, kind, body, self.clock())

    def sell(self, household: Household, wh: int, price: int, expires_s: int = HOUR_S, for_s: int = HOUR_S) -> None:
        self._mandate(household, kinds.SELL, wh, price, expires_s, for_s)

    def buy(self, household: Household, wh: int, price: int, expires_s: int = HOUR_S, for_s: int = HOUR_S) -> None:
        self._mandate(household, kinds.BUY, wh, price, expires_s, for_s)

    def _mandate(self, household: Household, side: int, wh: int, price: int, expires_s: int, for_s: int) -> None:
        now_s = self.clock()
        body = bodies.mandate(
            household.kid, side, secrets.token_bytes(8), now_s, now_s + for_s, price, wh, bodies.RATED_W,
            expires_s=now_s + expires_s,
        )  # fmt: skip
        self.publish(self.data.keyring.person(household.name), kinds.MANDATE, body)

    # What the test waits for

    async def until(self, holds: Callable[[], bool], what: str, timeout_s: float = 20) -> None:
        end_s = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < end_s, f"waited {timeout_s} s for {what}\n{self.outcome()}"
            await asyncio.sleep(0.05)

    async def converge(self, timeout_s: float = 20) -> None:
        """Wait until the store has all that each meter has published by now."""
        households = list(self.households.values())
        reported = {household.name: len(household.of("status")) for household in households}
        await self.until(lambda: all(len(h.of("status")) > reported[h.name] for h in households), "a status of each")
        heads = {household.kid: household.next_sequence for household in households}
        with self.data.reader() as reader:
            await self.until(
                lambda: all(self.head(reader, kid) >= heads[kid] for kid in heads), f"heads {heads}", timeout_s
            )

    def head(self, reader: Any, kid: bytes) -> int:
        """The sequence after the last one stored."""
        found = reader.head(kid, 0)
        return 0 if found is None else int(found[0]) + 1

    def outcome(self) -> str:
        """What there is to know when a test gives up."""
        lines = []
        for household in self.households.values():
            lines += [f"{household.name}: {json.dumps(event)}" for _, event in household.events[-4:]]
            errors = household.meter.folder / "errors.log"
            lines += [errors.read_text()[-500:]] if errors.exists() else []
        lines += [self.process.log.read_text()[-1500:]] if self.process.log.exists() else []
        return "\n".join(lines)


def journal(household: Household) -> dict[int, bytes]:
    """What is in the flash of a meter that was stopped: sequence -> entry."""
    return journal_of(household.meter.folder / "flash.img", FLASH_BYTES)


def journal_of(image: Path, flash_bytes: int) -> dict[int, bytes]:
    command = [MICROPYTHON, "tests/system/print_journal.py", str(image), str(flash_bytes)]
    environment = {**os.environ, "MICROPYPATH": "protocol:firmware:.frozen"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, env=environment, timeout=60)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    return {int(sequence): bytes.fromhex(raw) for sequence, raw in rows}
