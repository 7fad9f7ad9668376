"""What it costs validators to order trades together: transactions a second, from the first that is given to one of them
until the last is in a block, beside CometBFT's own key-value store.

The trades are those of `ordering`, each entry a transaction; for the key-value store "key=value" of the same lengths,
under the same settings, from the same client. Both are real CometBFT processes, all on this machine: they share its
cores, and what counts is the ratio. `seat` is one of our validators.
"""

import asyncio
import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from wattpact.consensus import home
from wattpact.consensus.process import Process, ProgramError, find_program
from wattpact.consensus.rpc import Client, RpcError
from wattpact.ordering.writer import Writer
from wattpact.quorum import founded
from wattpact.store import open_store

from tools.bench import ordering, seat

FETCH = Path(__file__).parents[1] / "fetch_cometbft.sh"
METERS = 100
# Transactions on their way at the most, each so that it is fastest: ours are checked anew after every block.
WAITING, KEY_VALUE_WAITING = 1_024, 4_000
AT_ONCE = 256
BLOCKS_AT_ONCE = 20  # that one answer of CometBFT's lists
ALONE = 3  # transactions that are given one after another
QUIET_S = 0.5  # before each of these: then CometBFT has made the block without any that follows one with some
LOOK_EVERY_S, LOOK_CLOSELY_S = 0.05, 0.01
START_WITHIN_S, WITHIN_S = 120, 300
KEY_VALUE = "kvstore"  # CometBFT's name for it, in the place of an application's socket
SEAT = (sys.executable, "-m", "tools.bench.seat")
_TICKS = os.sysconf("SC_CLK_TCK")


class Figures(NamedTuple):
    """Of one run; processor seconds and memory are of all validators with their applications, and of a typical one.
    `costs` are of each application, none for the key-value store's."""

    transactions: int
    blocks: int
    elapsed_s: float
    alone_s: float
    processor_s: float
    engine_kib: float
    application_kib: float
    costs: list[seat.Cost]

    @property
    def transactions_per_s(self) -> float:
        return self.transactions / self.elapsed_s

    @property
    def block_s(self) -> float:
        return self.elapsed_s / self.blocks

    @property
    def processor_ms(self) -> float:
        """For a transaction, of all validators."""
        return 1000 * self.processor_s / self.transactions

    @property
    def check_ms(self) -> float:
        """For a transaction, at each validator: whenever it is checked."""
        return self._spent_ms("check")

    @property
    def apply_ms(self) -> float:
        return self._spent_ms("prepare", "process", "finalize")

    @property
    def store_ms(self) -> float:
        return self._spent_ms("commit")

    def _spent_ms(self, *methods: str) -> float:
        spent_s = [sum(cost.spent_s.get(name, 0) for name in methods) for cost in self.costs]
        return 1000 * median(spent_s or [0]) / self.transactions

    @property
    def longest_s(self) -> float:
        """The longest call of an application."""
        return max((cost.longest_s for cost in self.costs), default=0)

    @property
    def rejected(self) -> int:
        return sum(sum(cost.rejected.values()) for cost in self.costs[:1])


class Found(NamedTuple):
    """Runs of both, in turns."""

    ours: list[Figures]
    key_value: list[Figures]

    def typical(self, of: Callable[[Figures], float]) -> tuple[float, float]:
        """Medians, ours and the key-value store's."""
        return median(map(of, self.ours)), median(map(of, self.key_value))


class _Load(NamedTuple):
    """The store that every validator begins with, CometBFT's genesis, and what is given: one by one, then all."""

    database: Path
    genesis: bytes
    alone: list[bytes]
    rest: list[bytes]


@functools.cache
def program() -> Path:
    """CometBFT's, built if it is not there. Raises ProgramError."""
    found = subprocess.run([FETCH], capture_output=True, text=True)
    if found.returncode:
        raise ProgramError(found.stderr.strip())
    return find_program(found.stdout.strip())


def unavailable() -> str:
    """Empty if this can be measured here, else what is missing."""
    try:
        program()
    except ProgramError as error:
        return str(error)
    return ""


def measure(validators: int, trades: int, runs: int = 1) -> Found:
    found = Found([], [])
    with tempfile.TemporaryDirectory() as folder:
        load = _prepared(Path(folder), validators, trades)
        for number in range(runs):
            for runs_of, name in ((found.key_value, KEY_VALUE), (found.ours, "ours")):
                at = Path(folder) / f"{name}{number}"
                at.mkdir()
                runs_of.append(asyncio.run(_run(at, load, validators, name == KEY_VALUE)))
                shutil.rmtree(at)
    return found


def _prepared(folder: Path, validators: int, trades: int) -> _Load:
    now_s = int(time.time())
    street = ordering.Street(METERS, now_s, [seat.seed(number) for number in range(validators)])
    database = folder / seat.DATABASE
    with open_store(database, street.root.community) as store:
        store.append(street.founding, now_s)
        Writer(store, seat.signer(0), lambda: now_s).order()
        founded.begin(store)
        genesis = founded.genesis(store)
    alone, *rest = [[new.entry.raw for new in street.trade()] for _ in range(1 + trades)]
    return _Load(database, genesis, alone[:ALONE], [raw for trade in rest for raw in trade])


def _as_pairs(load: _Load) -> _Load:
    """As many for the key-value store, each as long."""
    names = iter(range(len(load.alone) + len(load.rest)))

    def pair(length: int) -> bytes:
        head = b"%d=" % next(names)
        return head + b"x" * (length - len(head))

    return load._replace(alone=[pair(len(one)) for one in load.alone], rest=[pair(len(one)) for one in load.rest])


class _Watched(Client):
    """A validator's CometBFT, and what is in its blocks: `openings` is 1 where each that has transactions has one more,
    its time."""

    def __init__(self, path: Path, openings: int) -> None:
        super().__init__(path)
        self._openings = openings
        self.height = self.transactions = self.filled = 0

    async def look(self) -> None:
        """Count what is new. Raises RpcError."""
        heights = {"minHeight": str(self.height + 1), "maxHeight": str(self.height + BLOCKS_AT_ONCE)}
        status, found = await self._ask([("status", {}), ("blockchain", heights)])
        if int(status["result"]["sync_info"]["latest_block_height"]) <= self.height or "result" not in found:
            return
        for meta in reversed(found["result"]["block_metas"]):  # the newest is first
            count = int(meta["num_txs"])
            self.height = int(meta["header"]["height"])
            self.transactions += max(0, count - self._openings)
            self.filled += count > 0

    async def give(self, batch: Sequence[bytes]) -> None:
        until_s = time.monotonic() + WITHIN_S
        while True:
            try:
                problems = await self.send(batch)
            except RpcError:
                assert time.monotonic() < until_s
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            assert not any(problems), problems
            return


class _Validator(NamedTuple):
    home: Path
    address: str


class _Running(NamedTuple):
    """The processes of validators: CometBFT's, and applications."""

    engines: list[int]
    applications: list[int]
    costs: list[seat.Cost]

    def processor_s(self) -> float:
        return sum(sum(map(int, _stat(pid)[11:13])) for pid in self.engines + self.applications) / _TICKS


def _stat(pid: int) -> list[str]:
    """What the kernel lists of a process, behind its name: its state, its parent, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _child(pid: int) -> int:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if path.read_text().rpartition(")")[2].split()[1] == str(pid):
                return int(path.parent.name)
    raise AssertionError("a validator's CometBFT has ended")


def _memory_kib(pid: int) -> int:
    """At the most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def _homes(folder: Path, genesis: bytes, validators: int) -> list[_Validator]:
    """CometBFT's, each of which knows those before it."""
    made: list[_Validator] = []
    for number in range(validators):
        at, listen = folder / str(number) / seat.HOME, f"127.0.0.1:{_free_port()}"
        at.parent.mkdir()
        home.write_home(at, seat.signer(number), genesis, listen, [one.address for one in made])
        made.append(_Validator(at, f"{home.node_id(at)}@{listen}"))
    return made


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextlib.asynccontextmanager
async def _key_value(made: list[_Validator]) -> AsyncIterator[Callable[[], _Running]]:
    for one in made:
        path = one.home / "config" / "config.toml"
        its_own, ours = f'proxy_app = "{KEY_VALUE}"', f'proxy_app = "unix://{home.ABCI_SOCKET}"'
        text = path.read_text()
        assert ours in text
        path.write_text(text.replace(ours, its_own))
    async with contextlib.AsyncExitStack() as stack:
        processes = [Process(program(), one.home) for one in made]
        for process in processes:
            await process.start()
            stack.push_async_callback(process.stop)
        yield lambda: _Running([process.pid or 0 for process in processes], [], [])


@contextlib.asynccontextmanager
async def _seats(made: list[_Validator], database: Path) -> AsyncIterator[Callable[[], _Running]]:
    pipe = asyncio.subprocess.PIPE
    processes: list[asyncio.subprocess.Process] = []
    costs: list[seat.Cost] = []
    try:
        for one in made:
            shutil.copy(database, one.home.parent)
            command = (*SEAT, str(one.home.parent), str(program()))
            processes.append(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe))
        pids = [process.pid for process in processes]
        yield lambda: _Running([_child(pid) for pid in pids], pids, costs)
    finally:
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        printed = [(await process.communicate())[0] for process in processes]
    costs += [seat.Cost(**json.loads(text)) for text in printed]


async def _run(folder: Path, load: _Load, validators: int, is_key_value: bool) -> Figures:
    made = _homes(folder, load.genesis, validators)
    given = _as_pairs(load) if is_key_value else load
    async with _key_value(made) if is_key_value else _seats(made, load.database) as running:
        watched = [_Watched(one.home / home.RPC_SOCKET, 0 if is_key_value else 1) for one in made]
        await _until(watched, lambda one: one.height > 0, START_WITHIN_S)
        processes = running()
        alone_s = await _one_by_one(watched[0], given.alone)
        before_s, filled = processes.processor_s(), watched[0].filled
        elapsed_s = await _all_at_once(watched[0], given.rest, KEY_VALUE_WAITING if is_key_value else WAITING)
        blocks = watched[0].filled - filled
        await _until(watched, lambda one: one.height >= watched[0].height)
        processor_s = processes.processor_s() - before_s
        engine_kib = median(map(_memory_kib, processes.engines))
        application_kib = median(map(_memory_kib, processes.applications)) if processes.applications else 0
        for one in watched:
            one.close()
    _check(processes.costs, len(given.alone) + len(given.rest))
    return Figures(
        len(given.rest), blocks, elapsed_s, alone_s, processor_s, engine_kib, application_kib, processes.costs
    )  # fmt: skip


def _check(costs: list[seat.Cost], count: int) -> None:
    """That all validators made the same of all transactions."""
    for cost in costs:
        assert cost.root == costs[0].root, "the validators have different ledgers"
        assert cost.ordered + sum(cost.rejected.values()) == count, cost


async def _one_by_one(watched: _Watched, transactions: list[bytes]) -> float:
    """Seconds from one transaction's being given until it is in a block, while there is nothing else."""
    took_s = []
    for transaction in transactions:
        await asyncio.sleep(QUIET_S)
        wanted, began = watched.transactions + 1, time.perf_counter()
        await watched.give([transaction])
        while watched.transactions < wanted:
            await asyncio.sleep(LOOK_CLOSELY_S)
            await watched.look()
        took_s.append(time.perf_counter() - began)
    return median(took_s)


async def _all_at_once(watched: _Watched, transactions: list[bytes], waiting: int) -> float:
    """Seconds from the first one's being given until the last is in a block, never more than `waiting` on their way."""
    before = watched.transactions
    giving = _Watched(watched._path, 0)

    async def give() -> None:
        for at in range(0, len(transactions), AT_ONCE):
            while before + at + AT_ONCE - watched.transactions > waiting:
                await asyncio.sleep(LOOK_EVERY_S)
            await giving.give(transactions[at : at + AT_ONCE])

    began = time.perf_counter()
    task = asyncio.create_task(give())
    await _until([watched], lambda one: one.transactions >= before + len(transactions))
    elapsed_s = time.perf_counter() - began
    await task
    giving.close()
    return elapsed_s


async def _until(watched: list[_Watched], holds: Callable[[_Watched], bool], within_s: int = WITHIN_S) -> None:
    until_s = time.monotonic() + within_s
    while waiting := [one for one in watched if not holds(one)]:
        for one in waiting:
            with contextlib.suppress(RpcError):  # it has not begun to listen yet
                await one.look()
        assert time.monotonic() < until_s, [(one.height, one.transactions) for one in watched]
        await asyncio.sleep(LOOK_EVERY_S)
