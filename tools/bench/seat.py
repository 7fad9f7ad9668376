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
from wattpact.ordering.writer import open_ledger
from wattpact.quorum.application import Application
from wattpact.store import open_store
from wattpact_protocol.log import ids

DATABASE, HOME = "store.db", "cometbft"


class Cost(NamedTuple):
    """Of one validator's application: processor seconds in each of its methods; the longest call, for which all else in
    a node waits; how many entries it ordered, why it rejected others, and the root of the ledger in its store."""

    spent_s: dict[str, float]
    longest_s: float
    ordered: int
    rejected: dict[str, int]
    root: str


def signer(number: int) -> Signer:
    """The key of a host."""
    return Signer(seed(number), "host")


def seed(number: int) -> bytes:
    return ids.sha256(b"host%d" % number)


class _Timed:
    """An application whose methods are timed, and what it made of the transactions of each block behind its opening."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.spent_s: dict[str, float] = {}
        self.longest_s = 0.0
        self.outcomes: Counter[str | None] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._application, name)

        def timed(*arguments: Any) -> Any:
            began, began_s = time.perf_counter(), time.thread_time()
            made = method(*arguments)
            self.spent_s[name] = self.spent_s.get(name, 0) + time.thread_time() - began_s
            self.longest_s = max(self.longest_s, time.perf_counter() - began)
            if isinstance(made, abci_server.Finalized):
                self.outcomes.update(made.reasons[1:])
            return made

        setattr(self, name, timed)
        return timed


async def live(folder: Path, program: Path) -> Cost:
    with open_store(folder / DATABASE) as store:
        host = signer(int(folder.name))
        application = Application(store, host, lambda: int(time.time()), lambda: None, lambda: None)
        timed = _Timed(application)
        server = abci_server.Server(cast(abci_server.Application, timed), folder / HOME / home.ABCI_SOCKET)
        process = Process(program, folder / HOME)
        await server.start()
        await process.start()
        await asyncio.to_thread(sys.stdin.read)
        await process.stop()
        await server.stop()
        rejected = {reason: count for reason, count in timed.outcomes.items() if reason is not None}
        root = open_ledger(store).root().hex()
        return Cost(timed.spent_s, timed.longest_s, timed.outcomes[None], rejected, root)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(live(Path(sys.argv[1]), Path(sys.argv[2])))._asdict()))
