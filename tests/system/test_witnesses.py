"""A live community whose head is cosigned by two witnesses as real processes: transparency-dev's omniwitness, which
knows nothing of Wattpact, and our own, which applies the blocks. Neither cosigns a host that has two histories."""

import asyncio
import base64
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import case
import pytest
from simulator.processes import CHECKOUT, ENVIRONMENT, NodeProcess
from wattpact.bundle.cosigned import WitnessKey
from wattpact.keys import Signer
from wattpact.node.data_directory import DataDirectory
from wattpact.ordering.cosigning import Cosigning
from wattpact_protocol.ledger import checkpoints

OMNI, OURS = "omniwitness.example/w1", "pi.example/house-4"
COMMAND = [sys.executable, "-c", "from wattpact.cli import main; main()"]
WITHIN_S = 30
BUILD_S = 1500

pytestmark = pytest.mark.timeout(BUILD_S + 300)  # where `make test-tools` has not built it


@pytest.fixture(scope="module")
def program():
    found = subprocess.run(
        [CHECKOUT / "tools/fetch_omniwitness.sh"], capture_output=True, text=True, timeout=BUILD_S
    )  # fmt: skip
    if found.returncode:
        raise case.Skip(found.stderr.strip())
    return found.stdout.strip()


def wattpact(*typed, status=0):
    """What a command prints."""
    done = subprocess.run([*COMMAND, *map(str, typed)], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert done.returncode == status, (typed, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def wait_for(port):
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing answers on port {port}")


class Neighbourhood:
    """A community's data directory with both witnesses; `end` ends what runs."""

    def __init__(self, folder, program):
        self.folder, self.data = folder, folder / "data"
        wattpact("keys", "init", "--name", "Sun Street", self.data)
        wattpact("--data", self.data, "bill")  # orders what the community begins with
        self.running = []
        self.keys = [self._start_omniwitness(program), self._start_ours()]

    def _start_omniwitness(self, program):
        """A key as Go's note package writes it, and the ledger among the witness's additional logs."""
        seed, port = bytes(range(32)), free_port()
        public_key = Signer(seed).public_key
        hashed = checkpoints.key_hash(OMNI, public_key, checkpoints.ED25519).hex()
        key = f"PRIVATE+KEY+{OMNI}+{hashed}+{base64.b64encode(bytes([checkpoints.ED25519]) + seed).decode()}"
        (self.folder / "omni.key").write_text(key)
        log_key = self.head()["key"]
        (self.folder / "logs.yaml").write_text(
            f"Logs:\n  - Origin: {log_key.split('+')[0]}\n    URL: http://127.0.0.1/\n    PublicKey: {log_key}\n"
        )
        self._run(
            program, "--listen", f"127.0.0.1:{port}", "--metrics_listen", "", "--db_file", self.folder / "omni.db",
            "--private_key_path", self.folder / "omni.key", "--additional_logs", self.folder / "logs.yaml",
        )  # fmt: skip
        return self._add(WitnessKey(OMNI, public_key).text, port)

    def _start_ours(self):
        root, port = json.loads((self.data / "settings.json").read_text())["root_public_key"], free_port()
        made = wattpact("ledger", "witness", "init", self.folder / "ours", "--name", OURS, "--root", root)
        self._run(*COMMAND, "ledger", "witness", "run", self.folder / "ours", "--port", port, "--blocks", self.data)
        return self._add(next(part for part in made.split() if part.startswith(OURS)), port)

    def _add(self, key, port):
        wait_for(port)
        shown = wattpact("--data", self.data, "ledger", "witness", "add", key, "--url", f"http://127.0.0.1:{port}")
        assert self.head()["key"] in shown
        return key

    def _run(self, *typed):
        with (self.folder / "witnesses.log").open("ab") as log:
            self.running.append(subprocess.Popen([str(one) for one in typed], stdout=log, stderr=log, env=ENVIRONMENT))

    def end(self):
        for process in self.running:
            process.kill()
            process.wait()

    def head(self):
        return json.loads(wattpact("--data", self.data, "ledger", "head", "--json"))

    def cosigned(self):
        """Once both witnesses have cosigned the newest head; how many seconds that took."""
        began = time.monotonic()
        while time.monotonic() < began + WITHIN_S:
            head = self.head()
            if head["witnesses"] and all(one["blocks"] == head["blocks"] for one in head["witnesses"]):
                assert all(one["problem"] is one["conflict"] is None for one in head["witnesses"]), head
                return time.monotonic() - began
            time.sleep(0.2)
        raise AssertionError(head)


@pytest.fixture
def neighbourhood(tmp_path, program):
    made = Neighbourhood(tmp_path, program)
    yield made
    made.end()


def disputed(data: Path):
    """What each witness answers to the host of that directory: name -> the conflict."""
    directory = DataDirectory(data)
    with directory.store() as store:
        asyncio.run(Cosigning(store, lambda: int(time.time())).submit())
        return {one.name: one.conflict for one in store.witnesses()}


def test_a_witness_that_nobody_here_wrote_cosigns_a_live_community(neighbourhood):
    async def live():
        node = NodeProcess(neighbourhood.data)
        await node.start()
        try:
            took = [await asyncio.to_thread(neighbourhood.cosigned)]
            for number in range(3):
                await asyncio.to_thread(wattpact, "--data", neighbourhood.data, "keys", "person", f"person{number}")
                took.append(await asyncio.to_thread(neighbourhood.cosigned))
            await asyncio.to_thread(is_audited, neighbourhood)
        finally:
            node.kill()
            await node.wait()
        return took

    took = asyncio.run(live())
    print(f"cosigned by both after {', '.join(f'{one:.1f}' for one in took)} s")


def is_audited(neighbourhood):
    """The bundle of a bill has both cosignatures, and an audit can require them; of a third it names that it lacks."""
    bundle, (omni, ours) = neighbourhood.folder / "one.bundle", neighbourhood.keys
    wattpact("--data", neighbourhood.data, "bill", "--owner", "person0", "--export", bundle)
    root = neighbourhood.data / "settings.json"
    shown = wattpact("audit", bundle, "--root", root, "--witness", omni, "--witness", ours, "--cosigned", 2)
    assert "AGREES" in shown and f"by {OMNI} at " in shown and f"by {OURS} at " in shown
    third = WitnessKey("third.example", bytes(32)).text
    lacking = wattpact("audit", bundle, "--root", root, "--witness", omni, "--witness", third, status=1)
    assert "1 of the 2 cosignatures" in lacking and "missing: third.example" in lacking


def test_neither_witness_cosigns_a_ledger_that_shrank_or_has_two_histories(neighbourhood):
    data, copy = neighbourhood.data, neighbourhood.folder / "copy"
    assert disputed(data) == {OMNI: None, OURS: None}
    shutil.copytree(data, copy)
    for name in ("east", "west"):
        wattpact("--data", data, "keys", "person", name)
        wattpact("--data", data, "bill")
    assert disputed(data) == {OMNI: None, OURS: None}
    size = neighbourhood.head()["blocks"]

    wattpact("--data", copy, "keys", "person", "mallory")
    wattpact("--data", copy, "bill")
    shrunk = disputed(copy)
    assert shrunk.keys() == {OMNI, OURS}
    assert all(f"it saw a ledger of {size} blocks" in found for found in shrunk.values()), shrunk

    while json.loads(wattpact("--data", copy, "ledger", "head", "--json"))["blocks"] < size + 1:
        wattpact("--data", copy, "keys", "person", f"more{time.monotonic_ns()}")
        wattpact("--data", copy, "bill")
    forked = disputed(copy)
    assert forked.keys() == {OMNI, OURS}
    assert all("it saw another" in found for found in forked.values()), forked
    assert list((neighbourhood.folder / "ours").glob("fork-*.txt")), "the two heads are kept"
    assert "SAW ANOTHER HISTORY" in wattpact("--data", copy, "ledger", "witness", "list")
    assert disputed(data) == {OMNI: None, OURS: None}
    with DataDirectory(copy).reader() as reader:
        heads = reader.cosigned_heads(0, 99)
        assert heads and all(checkpoints.decode(head).size < size for head in heads)
