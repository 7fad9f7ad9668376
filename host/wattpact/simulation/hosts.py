"""The hosts that order the ledger of a demo together: the first in this process, three more in processes of their own.

    FOLDER/                  the first host's data directory, as of any demo
    FOLDER/founded.ledger    what the others join with
    FOLDER/hosts/host-2/     another's data directory, which `wattpact node` runs on; its log is beside it

What always holds: all listen on this machine alone, at ports that were free; the others end with this process, however
that ended. Who orders, and what a host must keep, is in `wattpact.quorum`.
"""

import asyncio
import contextlib
import shutil
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wattpact import keys
from wattpact.consensus import home
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectory
from wattpact.ordering.writer import open_ledger
from wattpact.quorum import founded
from wattpact.quorum.application import hosts_that_decide
from wattpact.quorum.engine import HOME, Network
from wattpact.store.interface import Store
from wattpact.store.records import QUORUM_BLOCKS

COUNT = 4  # the fewest that go on without one of them
NEEDED = 3
FILE = "founded.ledger"
START_S = 60
END_S = 20

_HERE = "127.0.0.1"
_NODE = "from wattpact.simulation import attended; attended.watch(); from wattpact.cli import main; main()"
_STARTED = ("Meters reach this node", "started")  # what the line begins with by which either program shows that it runs


class HostError(RuntimeError):
    """A host of the demo that does not run; the text says why."""


class Head(NamedTuple):
    """How many blocks a host has, and their root."""

    blocks: int
    root: bytes


class Host:
    """Another host, by its number. `printed` are the lines that its process has printed, each with how often."""

    def __init__(self, number: int, first: DataDirectory, program: Path) -> None:
        self.number = number
        self.name = f"host-{number}"
        self.label = f"Host {number}"
        self.folder = first.path / "hosts" / self.name
        self.log = self.folder.with_suffix(".log")
        self.port = free_port()
        self.ended = asyncio.Event()  # by itself, or killed
        self.printed: Counter[str] = Counter()
        self._first = first
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def data(self) -> DataDirectory:
        return DataDirectory(self.folder)

    def join(self, now_s: int) -> None:
        """Make its data directory, unless it has joined already; its key stays, if it is there. Raises what
        `founded.join` raises."""
        if not self._has_joined():
            self.lose_disk()
            data_directory.begin_host(self.folder, self._first.root_public_key)
            with self.data.store() as store:
                founded.join(store, self._first.path / FILE, self.data.keyring.load(keys.HOST), now_s)
        make_home(self.data, self.port)

    def _has_joined(self) -> bool:
        if not (self.folder / data_directory.SETTINGS).exists():
            return False
        with self.data.reader() as reader:
            return reader.number(QUORUM_BLOCKS) > 0

    def lose_disk(self) -> None:
        """All but its key is gone. A CometBFT of before may be about to end, and write until then."""
        end_s = time.monotonic() + END_S
        for path in self.folder.iterdir() if self.folder.exists() else ():
            while path.name != data_directory.KEYS and path.exists():
                try:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                except OSError:
                    if time.monotonic() >= end_s:
                        raise
                    time.sleep(0.1)

    async def start(self, peers: Sequence[str], spoils: bool = False) -> None:
        """Until it runs; `spoils`: it proposes garbage. Raises HostError."""
        address = f"{_HERE}:{self.port}"
        if spoils:
            command = ["-m", "wattpact.simulation.garbage", str(self.folder), address, str(self._program), *peers]
        else:
            command = [
                "-c", _NODE, "--data", str(self.folder), "node", "--listen", _HERE, "--port", "0", "--no-http",
                "--engine", "cometbft", "--cometbft", str(self._program), "--p2p-listen", address,
            ]  # fmt: skip
            command += [word for peer in peers for word in ("--peer", peer)]
        await self._released()
        with self.log.open("ab") as log:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops it
            )  # fmt: skip
        self.ended.clear()
        self.printed.clear()
        started = asyncio.Event()
        self._reading = asyncio.create_task(self._read(process, started))
        waiting = [asyncio.create_task(event.wait()) for event in (started, self.ended)]
        await asyncio.wait(waiting, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if not started.is_set():
            raise HostError(f"{self.label} does not start; {self.log} has what it printed")

    async def _released(self) -> None:
        """Nobody runs on its folder any more."""
        end_s = time.monotonic() + END_S
        while self.data.has_node():
            if time.monotonic() >= end_s:
                raise HostError(f"a node runs on {self.folder} already")
            await asyncio.sleep(0.1)

    async def _read(self, process: asyncio.subprocess.Process, started: asyncio.Event) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            if text.startswith(_STARTED):
                started.set()
            self.printed[text] += 1
        await process.wait()
        self.ended.set()

    async def kill(self) -> None:
        """As a crash would; it has ended when this returns."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._over()

    async def stop(self) -> None:
        """As Ctrl-C would, and make sure that it does."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(self._process.wait(), END_S)
        except TimeoutError:
            self._process.kill()
        await self._over()

    async def _over(self) -> None:
        if self._process is not None:
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    def head(self, blocks: int | None = None) -> Head:
        return head(self.data, blocks)


class Hosts:
    """All of them: the first, and three others."""

    def __init__(self, first: DataDirectory, program: Path) -> None:
        self.first = first
        self._program = program
        self.port = free_port()
        self.others = [Host(number, first, program) for number in range(2, COUNT + 1)]

    def found(self, now_s: int) -> None:
        """Before the first host runs, and once all that it has is ordered: from now on a quorum orders, and all have
        the blocks until then."""
        with self.first.store() as store:
            founded.begin(store)
            if not (self.first.path / FILE).exists():
                founded.write(self.first.path / FILE, store)
            make_home(self.first, self.port)
            certified = {known.body["public_key"] for known in store.certificates()}
            for host in self.others:
                host.join(now_s)
                key = host.data.keyring.load(keys.HOST).public_key
                if key not in certified:
                    members.enrol_host(store, self.first.needed_issuer(), key, host.name, now_s)

    def begin_log(self, host: Host, store: Store, now_s: int) -> None:
        """What a host signed before it lost its disk is not to be signed again otherwise: its log begins anew."""
        key = host.data.keyring.load(keys.HOST).public_key
        members.enrol_host(store, self.first.needed_issuer(), key, host.name, now_s, again=True)

    def network(self) -> Network:
        """The first host's, to be started in this process."""
        return Network(self.first.path / HOME, self._program, f"{_HERE}:{self.port}", self.peers_of(self.first))

    def peers_of(self, which: DataDirectory) -> list[str]:
        """Where one reaches the others."""
        known = [(self.first.path, self.port), *((host.folder, host.port) for host in self.others)]
        homes = [(path / HOME, port) for path, port in known if path != which.path and (path / HOME).exists()]
        return [f"{home.node_id(folder)}@{_HERE}:{port}" for folder, port in homes]

    async def start(self, host: Host, spoils: bool = False) -> None:
        await host.start(self.peers_of(host.data), spoils)

    async def stop(self) -> None:
        await asyncio.gather(*(host.stop() for host in self.others))

    def decide(self, store: Store) -> bool:
        """Whether all four decide, as of the last block."""
        return len(hosts_that_decide(store)) == COUNT

    def heads(self, blocks: int | None = None) -> list[Head]:
        """The first host's, and then the others', over so many blocks."""
        return [head(self.first, blocks), *(host.head(blocks) for host in self.others)]


def make_home(of: DataDirectory, port: int) -> None:
    """CometBFT's folder, as the node will bring it up to date: others know a host by the key in it."""
    with of.reader() as reader:
        genesis = founded.genesis(reader)
    home.write_home(of.path / HOME, of.keyring.load(keys.HOST), genesis, f"{_HERE}:{port}", [])


def head(of: DataDirectory, blocks: int | None = None) -> Head:
    """Over so many blocks, which it must have; without a number over all."""
    with of.reader() as reader, reader.moment():
        last = reader.last_block()
        count = blocks if blocks is not None else 0 if last is None else last.height + 1
        return Head(count, open_ledger(reader).root(count))


def free_port() -> int:
    with socket.socket() as held:
        held.bind((_HERE, 0))
        return int(held.getsockname()[1])
