"""The ledger of a node whose community's hosts order together: what is new here goes to them, what they decide comes
back as blocks.

    new entries of the store -> CometBFT on this machine -> the other hosts;   blocks -> Application -> the store

What always holds: an entry is offered again until it has its place; nothing here orders by itself; a quorum that is
away holds up nothing but the order: entries are stored, meters go on by the grants that they have. docs/spec/quorum.md.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from wattpact_protocol.ledger import records
from wattpact_protocol.ledger.ledger import Ledger

from wattpact.consensus import home
from wattpact.consensus.abci_server import Server
from wattpact.consensus.process import Process
from wattpact.consensus.rpc import Client, RpcError
from wattpact.keys import Signer
from wattpact.ordering.writer import ORDERED, heads_due, note_heads
from wattpact.quorum import founded, transactions
from wattpact.quorum.application import QUIET_S, Application, hosts_that_decide
from wattpact.quorum.founded import FoundedError
from wattpact.store.interface import Store
from wattpact.store.records import WAITS, Place, Stored, StoreError

HOME = "cometbft"  # CometBFT's folder in a data directory
OFFER_EVERY_S = 0.1
OFFER_TIME_AGAIN_S = 60
GIVE_UP_S = 60  # for what the application does not take: what it waited for has not come
OFFER_AGAIN_S = 5  # an entry that has no place yet
AT_ONCE = 256  # entries that are on their way
WAITS_AFTER_S = 10  # an entry without a place for so long: the hosts that decide are not all there

_PEERS = "quorum_peers"  # text in the store: those of the last start
_PLACED = "ordered"  # number in the store: the cursor up to which all that is ordered has its place; as the writer's

_LOG = logging.getLogger("wattpact.quorum")


class Network(NamedTuple):
    """How this host reaches the others: CometBFT's folder and program, the address where it listens for them, and
    ID@ADDRESS:PORT of some."""

    home: Path
    program: Path
    listen: str
    peers: Sequence[str]


class Quorum:
    """Orders for one node, which sets what it wants to know: `committed()` is called once a block is in the store, and
    `clock_problem(last_s)` is why this clock may not date a block now."""

    def __init__(self, store: Store, host: Signer, clock: Callable[[], int], network: Network) -> None:
        self._store = store
        self._host = host
        self._clock = clock
        self._network = network
        self.clock_problem: Callable[[int], str | None] | None = None
        self.committed: Callable[[], None] = lambda: None
        self._application = Application(store, host, clock, self._problem, self._on_block)
        self._offered: dict[int, float] = {}  # cursor -> when, of those without a place
        self._offered_to = 0  # which start of CometBFT's
        self._untaken_s: dict[int, float] = {}  # cursor -> since when the application does not take it
        self._waiting_since: float | None = None
        self._timed_s = 0  # when it was last noted that nothing happens
        self._client = Client(network.home / home.RPC_SOCKET)
        self._server: Server | None = None
        self._process: Process | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # What a node needs of whoever orders for it

    @property
    def ledger(self) -> Ledger:
        return self._application.ledger

    @property
    def waits(self) -> bool:
        return bool(self._store.text(WAITS))

    def reset(self) -> None:
        """A transaction of the node was rolled back: blocks have transactions of their own, and memory is right."""

    def order(self) -> None:
        """Note how far the order is; it comes by blocks. Raises StoreError."""
        with self._store.transaction():
            cursor = self._store.number(_PLACED)
            placed = self.placed()
            if placed != cursor:
                self._store.set_number(_PLACED, placed)

    def has_heads_due(self) -> bool:
        return False  # it offers them by itself

    def placed(self) -> int:
        """The cursor up to which every entry that binds others has its place, or the reason why it has none."""
        store = self._store
        cursor, last = store.number(_PLACED), store.last_cursor()
        while rows := store.entries(cursor, of_kinds=ORDERED, limit=AT_ONCE):
            with_place = store.ordered([row.cursor for row in rows])
            for row in rows:
                if row.cursor not in with_place:
                    return row.cursor - 1
            cursor = rows[-1].cursor
        return last

    def check_clock(self) -> None:
        """Store and log why nothing is ordered, once that is so and until it is over; raises StoreError."""
        found = self._problem() or self._absence() or ""
        if found != self._store.text(WAITS):
            self._store.set_text(WAITS, found)
            if found:
                _LOG.error("nothing is ordered now: %s", found)
            else:
                _LOG.info("the ledger goes on")

    def forget_clock(self) -> None:
        """Nobody watches from now on; raises StoreError."""
        if self.waits:
            self._store.set_text(WAITS, "")

    def _problem(self) -> str | None:
        last = self.ledger.last
        return None if self.clock_problem is None or last is None else self.clock_problem(last.time_s)

    def _absence(self) -> str | None:
        now_s = asyncio.get_running_loop().time()
        if self._waiting_since is None or now_s - self._waiting_since < WAITS_AFTER_S:
            return None
        return "no more than two thirds of the hosts that decide can be reached; it goes on by itself once more are"

    def take_changed(self) -> list[int]:
        """Cursors of entries that count otherwise than when they were stored, since the last call."""
        return self._application.take_changed()

    # Its life

    async def start(self) -> None:
        """Raises HomeError, FoundedError, StoreError, OSError."""
        folder, program, listen, peers = self._network
        if self._application.info()[0] and not home.has_blocks(folder):
            raise FoundedError(
                f"CometBFT's folder {folder} is lost, and the database is ahead of an empty one: put"
                " keys/host.key into a new data directory, and join anew"
            )
        if peers:
            self._store.set_text(_PEERS, " ".join(peers))
        home.write_home(
            folder, self._host, founded.genesis(self._store), listen, peers or self._store.text(_PEERS).split()
        )
        self._server = Server(self._application, folder / home.ABCI_SOCKET)
        await self._server.start()
        self._process = Process(program, folder)
        await self._process.start()
        self._tasks = [asyncio.create_task(self._offer_always())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._process is not None:
            await self._process.stop()
        if self._server is not None:
            await self._server.stop()
        self._client.close()

    def _on_block(self) -> None:
        self._waiting_since = None
        asyncio.get_running_loop().call_soon(self.committed)

    async def _offer_always(self) -> None:
        while True:
            await asyncio.sleep(OFFER_EVERY_S)
            try:
                await self._offer()
                await self._offer_heads()
            except (RpcError, StoreError) as error:
                self._offered.clear()
                _LOG.info("entries wait for the quorum: %s", error)
                await asyncio.sleep(1)
            except Exception:
                _LOG.exception("unexpected error while entries were offered to the quorum")
                await asyncio.sleep(1)

    async def _offer(self) -> None:
        """The oldest entries without a place, each once in a while; all of them anew where CometBFT may have lost some,
        so that it never has one of a log without those before it."""
        assert self._process is not None
        if self._process.starts != self._offered_to:
            self._offered_to = self._process.starts
            self._offered.clear()
        now_s = asyncio.get_running_loop().time()
        rows = self._store.entries(self._store.number(_PLACED), of_kinds=ORDERED, limit=2 * AT_ONCE)
        with_place = self._store.ordered([row.cursor for row in rows])
        rows = [row for row in rows if row.cursor not in with_place]
        self._untaken_s = {row.cursor: self._untaken_s[row.cursor] for row in rows if row.cursor in self._untaken_s}
        self._offered = {row.cursor: self._offered[row.cursor] for row in rows if row.cursor in self._offered}
        if not rows:
            self._waiting_since = None
            return
        if self._waiting_since is None:
            self._waiting_since = now_s
        due = [row for row in rows[:AT_ONCE] if now_s - self._offered.get(row.cursor, -OFFER_AGAIN_S) >= OFFER_AGAIN_S]
        if due:
            self._offered.update((row.cursor, now_s) for row in due)
            await self._client.send([row.raw for row in due if self._is_taken(row)])

    def _is_taken(self, row: Stored) -> bool:
        """By this host's application, which CometBFT wants to know from it a moment later."""
        problem = self._application.check(row.raw, True)
        if problem is None:
            self._untaken_s.pop(row.cursor, None)
            return True
        now_s = asyncio.get_running_loop().time()
        if now_s - self._untaken_s.setdefault(row.cursor, now_s) >= GIVE_UP_S:
            _LOG.warning("the quorum does not take entry %s: %s", row.id.hex()[:16], problem)
            self._store.keep_places([Place(row.cursor, None, None, problem)])  # until a block has it after all
        return False

    async def _offer_heads(self) -> None:
        if self._host.public_key not in hosts_that_decide(self._store):
            return
        cursor, heads = self._store.last_cursor(), heads_due(self._store, self.ledger.last, self._clock())
        if not heads:
            await self._offer_time()
            return
        known = [name for kid, *_, name in heads if self.ledger.state.get(records.AUTHOR, kid) is not None]
        last = [row.raw for row in map(self._store.entry_with_id, known) if row is not None]
        for start in range(0, len(last), transactions.MAX_LAST):
            part = last[start : start + transactions.MAX_LAST]
            await self._client.broadcast([transactions.note(self._host, self._store.community, self._clock(), part)])
        with self._store.transaction():
            note_heads(self._store, cursor, self._clock())

    async def _offer_time(self) -> None:
        """A statement rests on a block of about its own time: there is one, however quiet it is."""
        last, now_s = self.ledger.last, self._clock()
        is_due = last is not None and now_s - last.time_s >= QUIET_S and now_s - self._timed_s >= OFFER_TIME_AGAIN_S
        if is_due:
            self._timed_s = now_s
            await self._client.broadcast([transactions.note(self._host, self._store.community, now_s, [])])
