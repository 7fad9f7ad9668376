"""CometBFT as its own program, with a small application of this test: what is ordered, and what outlives which end."""

import asyncio
import hashlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import case
import pytest
from simulator.processes import CHECKOUT, ENVIRONMENT
from wattpact.consensus import home, rpc
from wattpact.consensus.abci_server import Finalized, Server
from wattpact.consensus.process import Process, find_program
from wattpact.keys import Signer

WITHIN_S = 20
BUILD_S = 1500
BEGIN_S = 1_700_000_000
ONE, TWO = Signer(bytes(32)), Signer(bytes([1]) * 32)

pytestmark = pytest.mark.timeout(BUILD_S + 300)  # where `make test-tools` has not built it


@pytest.fixture(scope="module")
def program():
    found = subprocess.run(
        [CHECKOUT / "tools/fetch_cometbft.sh"], capture_output=True, text=True, timeout=BUILD_S
    )  # fmt: skip
    if found.returncode:
        raise case.Skip(found.stderr.strip())
    return find_program(found.stdout.strip())


class Chain:
    """An application: transactions in their order, and the hash of them all. A transaction power:KEY=N is about who
    decides; one that begins with "no" is none. What is committed is in a file."""

    def __init__(self, path):
        self.path = path
        self.fails = False
        self.checked = []
        self.load()

    def load(self):
        known = json.loads(self.path.read_text()) if self.path.exists() else {"height": 0, "blocks": []}
        self.height, self.blocks = known["height"], known["blocks"]

    @property
    def transactions(self):
        return [transaction.encode() for _, _, block in self.blocks for transaction in block]

    def hashed(self):
        return hashlib.sha256(json.dumps(self.transactions, default=bytes.decode).encode()).digest()

    def info(self):
        self.load()  # a block that was finalized and not committed is forgotten
        return self.height, self.hashed() if self.height else b""

    def init_chain(self, app_state, validators):
        self.began = json.loads(app_state), validators
        return self.hashed()

    def check(self, transaction, is_new):
        self.checked.append((transaction, is_new))
        return "it is none" if transaction.startswith(b"no") else None

    def prepare(self, transactions, max_bytes):
        return transactions

    def process(self, height, transactions):
        return not any(transaction.startswith(b"no") for transaction in transactions)

    def finalize(self, height, time_s, transactions):
        self.load()
        self.height = height
        self.blocks.append([height, time_s, [transaction.decode() for transaction in transactions]])
        changes = [one[6:].split(b"=") for one in transactions if one.startswith(b"power:")]
        validators = [(bytes.fromhex(key.decode()), int(power)) for key, power in changes]
        return Finalized(self.hashed(), [None] * len(transactions), validators)

    def commit(self):
        if self.fails:
            raise RuntimeError("the disk is full")
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps({"height": self.height, "blocks": self.blocks}))
        part.replace(self.path)


class Host:
    """One host's CometBFT with its application, in a folder; the first is the chain's only validator."""

    def __init__(self, program, folder, signer=ONE, peers=()):
        self.home, self.port = folder / "comet", free_port()
        first = home.genesis("sun-street", BEGIN_S, {"name": "Sun Street"}, b"", [(ONE.public_key, 10, "one")])
        home.write_home(self.home, signer, first, f"127.0.0.1:{self.port}", [peer.address for peer in peers])
        self.chain = Chain(folder / "chain.json")
        self.server = Server(self.chain, self.home / home.ABCI_SOCKET)
        self.process = Process(program, self.home, first_pause_s=0.1)
        self.rpc = rpc.Client(self.home / home.RPC_SOCKET)

    @property
    def address(self):
        return f"{home.node_id(self.home)}@127.0.0.1:{self.port}"

    async def __aenter__(self):
        await self.server.start()
        await self.process.start()
        return self

    async def __aexit__(self, *_):
        self.rpc.close()
        await self.process.stop()
        await self.server.stop()

    async def give(self, *transactions):
        """As soon as it answers."""
        async for _ in tries(f"an answer\n{self.printed}"):
            try:
                return await self.rpc.broadcast(transactions)
            except rpc.RpcError:
                pass

    async def status(self):
        async for _ in tries(f"an answer\n{self.printed}"):
            try:
                return await self.rpc.status()
            except rpc.RpcError:
                pass

    async def until(self, holds, what):
        async for _ in tries(f"{what}: {self.chain.blocks[-3:]}\n{self.printed}"):
            if holds(self.chain):
                return

    async def ordered(self, *transactions):
        await self.until(lambda chain: committed(chain)[-len(transactions) :] == [*transactions], transactions)

    @property
    def printed(self):
        log = self.home / "cometbft.log"
        return log.read_text()[-2000:] if log.exists() else ""


async def tries(what):
    end_s = time.monotonic() + WITHIN_S
    while time.monotonic() < end_s:
        yield
        await asyncio.sleep(0.02)
    raise AssertionError(f"waited {WITHIN_S} s for {what}")


def committed(chain):
    """What is in its file, by transaction."""
    known = json.loads(chain.path.read_text()) if chain.path.exists() else {"blocks": []}
    return [transaction.encode() for _, _, block in known["blocks"] for transaction in block]


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_transactions_become_blocks(tmp_path, program):
    async def live():
        async with Host(program, tmp_path) as host:
            assert await host.give(b"one", b"no, not this", b"x" * 70_000) == [
                None, "it is none", "a transaction has at most 65536 bytes",
            ]  # fmt: skip
            await host.ordered(b"one")
            assert await host.give(b"one") == [None]  # it has it already
            many = [b"%d" % number for number in range(600)]
            assert await host.give(*many) == [None] * 600
            await host.ordered(*many)
            assert host.chain.began == ({"name": "Sun Street"}, [(ONE.public_key, 10)])
            assert host.chain.transactions == [b"one", *many]
            status = await host.status()
            assert status.validators == [(ONE.public_key, 10)]
            assert (status.peers, status.catching_up) == (0, False)
            heights = [height for height, _, _ in host.chain.blocks]
            assert heights == list(range(1, len(heights) + 1))
            times = [time_s for _, time_s, _ in host.chain.blocks]
            assert times == sorted(times) and times[0] == BEGIN_S  # the first has the genesis's time
            assert abs(times[-1] - time.time()) < WITHIN_S
            assert host.process.starts == 1

    asyncio.run(live())


def test_it_goes_on_after_each_end(tmp_path, program, caplog):
    """Of the node, of CometBFT by a signal that nobody can handle, and of an application that raises. The path of its
    folder is longer than a socket's address."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()

    async def live():
        async with Host(program, folder) as host:
            await host.give(b"one")
            await host.ordered(b"one")
        assert not list(folder.glob("comet/*.sock"))
        known = host.chain.info()
        async with Host(program, folder) as host:
            assert host.chain.info() == known
            await host.give(b"two")
            await host.ordered(b"one", b"two")

            os.kill(host.process.pid, signal.SIGKILL)
            await host.until(lambda _: host.process.starts == 2, "a second start")
            await host.give(b"three")
            await host.ordered(b"one", b"two", b"three")

            host.chain.fails = True
            await host.give(b"four")
            await host.until(lambda _: host.process.starts >= 4, "a fourth start")
            assert committed(host.chain) == [b"one", b"two", b"three"]
            host.chain.fails = False
            await host.ordered(b"one", b"two", b"three", b"four")
            await host.give(b"five")
            await host.ordered(b"one", b"two", b"three", b"four", b"five")
            assert [height for height, _, _ in host.chain.blocks] == list(range(1, host.chain.height + 1))

    with caplog.at_level(logging.ERROR):
        asyncio.run(live())
    assert "ended with status -9; it is started again in 0.1 s" in caplog.text
    assert "commit failed" in caplog.text and "the disk is full" in caplog.text


def test_a_second_host_follows_decides_and_comes_back_from_nothing(tmp_path, program):
    async def live():
        first, second = tmp_path / "first", tmp_path / "second"
        for folder in (first, second):
            folder.mkdir()
        async with Host(program, first) as one:
            await one.give(b"one")
            async with Host(program, second, TWO, [one]) as two:
                await two.ordered(b"one")
                await two.give(b"two")
                await one.ordered(b"one", b"two")
                assert (await two.status()).validators == [(ONE.public_key, 10)]

                power = b"power:%s=10" % TWO.public_key.hex().encode()
                await two.give(power)
                async for _ in tries("a second validator"):
                    if len((await two.status()).validators) == 2:
                        break
                await one.give(b"three")
                await two.ordered(b"one", b"two", power, b"three")
                await one.ordered(b"one", b"two", power, b"three")
            # Without half of the power nothing is ordered.
            height = one.chain.height
            await one.give(b"four")
            await asyncio.sleep(0.5)
            assert b"four" not in committed(one.chain)
            (second / "chain.json").unlink()
            await asyncio.to_thread(forget_blocks, second / "comet")
            async with Host(program, second, TWO, [one]) as two:
                await two.ordered(b"one", b"two", power, b"three", b"four")
                await one.ordered(b"one", b"two", power, b"three", b"four")
                assert two.chain.height > height
                assert two.chain.blocks == one.chain.blocks[: len(two.chain.blocks)]

    asyncio.run(live())


def forget_blocks(folder):
    """All but the keys and what was signed last."""
    subprocess.run(["rm", "-r", *[path for path in (folder / "data").iterdir() if path.suffix != ".json"]], check=True)


ORPHAN = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = [{checkout!r} + "/tests", {checkout!r} + "/tests/system"]
from test_cometbft import Host

async def live():
    async with Host(Path({program!r}), Path({folder!r})) as host:
        await host.give(b"one")
        await host.ordered(b"one")
        print(host.process.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(live())
"""


def test_it_ends_when_the_node_is_gone(tmp_path, program):
    typed = ORPHAN.format(checkout=str(CHECKOUT), program=str(program), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", typed], stdout=subprocess.PIPE, env=ENVIRONMENT) as node:
        pid = int(node.stdout.readline())
        assert runs(pid)
        node.kill()
    until_s = time.monotonic() + WITHIN_S
    while runs(pid):
        assert time.monotonic() < until_s, "it runs on"
        time.sleep(0.05)


def test_one_that_never_reached_the_node_ends_too(tmp_path, program):
    """It looks for the application's socket for ever, and nobody reads its output."""
    host = Host(program, tmp_path)
    left, right = os.pipe()
    alone = subprocess.Popen([program, "start", "--home", "."], cwd=host.home, stdout=right, stderr=right)
    os.close(right)
    assert b"failed to connect" in os.read(left, 4096)
    os.close(left)
    assert alone.wait(WITHIN_S) != 0
