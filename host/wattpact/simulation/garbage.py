"""A host that proposes garbage: the real node, whose application spoils each block that it would propose.

    python -m wattpact.simulation.garbage FOLDER ADDRESS:PORT COMETBFT [ID@ADDRESS:PORT ...]

In all else it is as every host: it votes, decides and stores. What it proposes is a line on standard output, named as
in GARBAGE. For the demo and its test alone.
"""

import asyncio
import itertools
import logging
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from wattpact import keys
from wattpact.consensus.abci_server import Finalized
from wattpact.keys import Signer
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectory
from wattpact.node.node import Node
from wattpact.quorum import transactions
from wattpact.quorum.application import Application
from wattpact.quorum.engine import HOME, Network, Quorum
from wattpact.simulation import attended
from wattpact.store.interface import Store

PROPOSES = "proposes "  # what each such line begins with
STARTED = "started"
WRONG_BY_S = 3600


def _random(_: list[bytes]) -> list[bytes]:
    return [secrets.token_bytes(200) for _ in range(3)]


def _changed(good: list[bytes]) -> list[bytes]:
    raw = bytearray(good[-1])
    raw[secrets.randbelow(len(raw))] ^= 1 << secrets.randbelow(8)
    return [*good[:-1], bytes(raw)]


def _ahead(good: list[bytes]) -> list[bytes]:
    return [transactions.opening(transactions.time_of(good[0]) + WRONG_BY_S), *good[1:]]


def _behind(good: list[bytes]) -> list[bytes]:
    return [transactions.opening(transactions.time_of(good[0]) - WRONG_BY_S), *good[1:]]


def _two_times(good: list[bytes]) -> list[bytes]:
    return [good[0], transactions.opening(transactions.time_of(good[0]) + 1), *good[1:]]


def _twice(good: list[bytes]) -> list[bytes]:
    return [*good, good[-1]]


def _backwards(good: list[bytes]) -> list[bytes]:
    return [good[0], *reversed(good[1:])]


RANDOM = "random bytes"
# In turn.
GARBAGE: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    RANDOM: _random,
    "an entry with a changed bit": _changed,
    "the time of an hour later": _ahead,
    "the time of an hour before": _behind,
    "two times": _two_times,
    "an entry twice": _twice,
    "the last entry first": _backwards,
}


class Garbling(Application):
    def __init__(
        self, store: Store, host: Signer, clock: Callable[[], int], problem: Callable[[], str | None],
        committed: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(store, host, clock, problem, committed)
        self._names = itertools.cycle(GARBAGE)
        self._decided: list[bytes] = []
        self._spoiled: list[bytes] = []

    def prepare(self, waiting: Sequence[bytes], max_bytes: int) -> list[bytes]:
        """Where nothing waits, of the last block once more; random bytes where it has seen none."""
        good = super().prepare(waiting, max_bytes) or self._decided
        name = next(self._names) if good else RANDOM
        self._spoiled = GARBAGE[name](good)
        print(PROPOSES + name, flush=True)
        return self._spoiled

    def finalize(self, height: int, time_s: int, decided: Sequence[bytes]) -> Finalized:
        self._decided = list(decided) or self._decided
        return super().finalize(height, time_s, decided)

    def process(self, height: int, proposed: Sequence[bytes]) -> bool:
        """It votes for its own."""
        return list(proposed) == self._spoiled or super().process(height, proposed)


class GarblingQuorum(Quorum):
    def __init__(self, store: Store, host: Signer, clock: Callable[[], int], network: Network) -> None:
        super().__init__(store, host, clock, network)
        self._application = Garbling(store, host, clock, self._problem, self._on_block)


async def run(directory: DataDirectory, network: Network) -> None:
    """As `wattpact node` does; until it is interrupted."""
    store, host = directory.store(), directory.keyring.load(keys.HOST)
    quorum = GarblingQuorum(store, host, data_directory.clock, network)
    running = Node(store, directory.root_public_key, host, None, data_directory.clock, checks_clock=True, quorum=quorum)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        await running.start("127.0.0.1", 0)
        print(STARTED, flush=True)
        await stopping.wait()
    finally:
        await running.stop()


def main() -> None:
    attended.watch()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    folder, listen, program, *peers = sys.argv[1:]
    directory = DataDirectory(Path(folder))
    with directory.lock():
        asyncio.run(run(directory, Network(directory.path / HOME, Path(program), listen, peers)))


if __name__ == "__main__":
    main()
