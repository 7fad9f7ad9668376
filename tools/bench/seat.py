"""One validator under measure: the application that orders trades, over a store of its own, and its CometBFT, in a
process as in a host's node, but without the node.

    python -m tools.bench.seat FOLDER PROGRAM       FOLDER is named by a number, and has DATABASE and CometBFT's HOME

It runs until its standard input ends, and then prints what that cost, as JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

from wattpact.consensus import abci_server, home
from wattpact.consensus.process import Process
from wattpact.keys import Signer
from wattpact.ordering.writer import ORDERED
from wattpact.quorum.application import Application
from wattpact.store import open_store
from wattpact.store.interface import Store
from wattpact_protocol.log import ids

DATABASE, HOME = "store.db", "cometbft"
LOOKS_EVERY_S = 0.01


class Cost(NamedTuple):
    """Of one validator's application: processor seconds in each of its methods, and the longest call; the longest that
    all else in its process waited for a turn; how many entries it ordered, why it rejected others, and the root."""

    spent_s: dict[str, float]
    longest_s: float
    waited_s: float
    ordered: int
    rejected: dict[str, int]
    root: str


def signer(number: int) -> Signer:
    """The key of a host."""
    return Signer(seed(number), "host")


def seed(number: int) -> bytes:
    return ids.sha256(b"host%d" % number)


class _Timed:
    """An application whose methods are timed."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.spent_s: Counter[str] = Counter()
        self.longest_s = 0.0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._application, name)

        def timed(*arguments: Any) -> Any:
            began, began_s = time.perf_counter(), time.thread_time()
            try:
                return method(*arguments)
            finally:
                self.spent_s[name] += time.thread_time() - began_s
                self.longest_s = max(self.longest_s, time.perf_counter() - began)

        setattr(self, name, timed)
        return timed


class _Turns:
    """How late whoever waits in this process gets a turn, at the most."""

    late_s = 0.0

    async def look(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(LOOKS_EVERY_S)
            self.late_s = max(self.late_s, time.perf_counter() - began - LOOKS_EVERY_S)


async def live(folder: Path, program: Path) -> Cost:
    with open_store(folder / DATABASE) as store:
        before = store.last_cursor()
        host = signer(int(folder.name))
        application = Application(store, host, lambda: int(time.time()), lambda: None, lambda: None)
        timed, turns = _Timed(application), _Turns()
        server = abci_server.Server(cast(abci_server.Application, timed), folder / HOME / home.ABCI_SOCKET)
        process = Process(program, folder / HOME)
        await server.start()
        await process.start()
        looking = asyncio.create_task(turns.look())
        await asyncio.to_thread(sys.stdin.read)
        looking.cancel()
        await process.stop()
        await server.stop()
        root = application.ledger.root().hex()
        return Cost(dict(timed.spent_s), timed.longest_s, turns.late_s, *_outcome(store, before), root)


def _outcome(store: Store, before: int) -> tuple[int, dict[str, int]]:
    """Of the entries behind a cursor and of those in no log: how many were ordered, and why the others were not."""
    last = store.last_block()
    assert last is not None
    elsewhere = sum(row.cursor == 0 for height in range(last.height + 1) for row in store.ordered_in(height))
    rows = store.entries(before, of_kinds=ORDERED)
    places = [place for row in rows if (place := store.place(row.cursor)) is not None]
    rejected = Counter(place.reason for place in places if place.reason is not None)
    return elsewhere + sum(place.reason is None for place in places), dict(rejected)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(live(Path(sys.argv[1]), Path(sys.argv[2])))._asdict()))
