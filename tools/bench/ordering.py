"""What the ledger costs its one writer: transactions a second, durable and with the state's root, the time of a block,
the size of the state and of a proof, and memory, by the number of meters.

Trades of eight entries each (two mandates, offer, demand, acceptance, contract, grant and start of use) wait in the
store, verified, as ingest leaves them; the reference is the rate at which the same store appends entries durably.
Each community is in a process of its own: python -m tools.bench.ordering METERS
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from wattpact.bundle import format
from wattpact.keys import Signer
from wattpact.ordering.proven import Proven
from wattpact.ordering.writer import Writer
from wattpact.store import open_store
from wattpact.store.interface import Store
from wattpact.store.records import Accepted
from wattpact_protocol.ledger import records
from wattpact_protocol.log import ids, kinds, roles

from tools.bench import corpus

START_S = 1_790_812_800  # 2026-10-01 00:00 UTC
LASTS_S = 86_400
IN_A_BLOCK = 64  # transactions
A_TRADE = 8
HOST_SEED = b"h" * 32


class Figures(NamedTuple):
    """Medians: seconds for a block, and for the store to append as many entries as durably, and bytes."""

    block_s: float
    appended_s: float
    state_bytes_a_meter: float
    stored_bytes_a_meter: float
    proof_bytes: float
    memory_kib: int

    @property
    def transactions_per_s(self) -> float:
        return IN_A_BLOCK / self.block_s

    @property
    def appended_per_s(self) -> float:
        return IN_A_BLOCK / self.appended_s


class Street:
    """Meters with an owner each; half of them sell to the other half, from `start_s` on. The first of its hosts has
    HOST_SEED."""

    def __init__(self, meters: int, start_s: int = START_S, hosts: Sequence[bytes] = (HOST_SEED,)) -> None:
        self._start_s = start_s
        self.root = corpus.Author(b"r" * 32)
        self.founding: list[Accepted] = []
        self._add(self.root, kinds.CERTIFICATE, corpus.certificate(self.root, roles.ROOT, "root"))
        self.issuer = self._enrolled(b"i" * 32, self.root, roles.ISSUER, "issuer")
        for number, seed in enumerate(hosts):
            self._enrolled(seed, self.issuer, roles.HOST, f"host {number}")
        self._add(self.issuer, kinds.COMMUNITY, {
            "version": 1, "name": "Bench", "currency": "EUR", "slot_s": 900, "timezone": "UTC",
        })  # fmt: skip
        self.households: list[corpus.Household] = []
        for number in range(meters):
            owner = self._enrolled(ids.sha256(b"owner%d" % number), self.issuer, roles.PERSON, f"owner {number}")
            more = {"owner": owner.kid, "rated_w": 11_000}
            seed = ids.sha256(b"meter%d" % number)
            meter = self._enrolled(seed, self.issuer, roles.METER, f"meter {number}", **more)
            self.households.append(corpus.Household(meter, owner))
        self._trades = 0

    def _add(self, by: corpus.Author, kind: int, body: dict[str, object]) -> None:
        self.founding.append(Accepted(by.publish(kind, body, self._start_s)))

    def _enrolled(self, seed: bytes, by: corpus.Author, role: int, label: str, **more: object) -> corpus.Author:
        made, certified = corpus.enrolled(seed, by, role, label, self._start_s, **more)
        self.founding.append(Accepted(certified))
        return made

    def trade(self) -> list[Accepted]:
        """The eight entries of the next trade."""
        half = len(self.households) // 2
        at = self._trades % half
        self._trades += 1
        supplier, consumer = self.households[at], self.households[half + at]
        terms = corpus.Terms(self._trades, 100, 8000, 180_000, self._start_s, self._start_s + LASTS_S)
        made = corpus.trade(self.issuer, supplier, consumer, terms, self._start_s)
        start = consumer.meter.publish(kinds.USAGE_START, made.start(0), self._start_s)
        return [Accepted(new, new.kind != kinds.MANDATE) for new in (*made.entries, start)]

    def trades(self, count: int) -> list[Accepted]:
        return [new for _ in range(count) for new in self.trade()]


def measure(meters: int, trades: int) -> Figures:
    """In this process: enrol all, then order the trades, a block of them at a time."""
    street = Street(meters)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with open_store(path, street.root.community) as store:
            writer = Writer(store, Signer(HOST_SEED, "host"), lambda: START_S)
            store.append(street.founding, START_S)
            writer.order()
            appended_s, block_s = [], []
            batches = max(1, trades * A_TRADE // IN_A_BLOCK)
            for _ in range(batches):
                batch = street.trades(IN_A_BLOCK // A_TRADE)
                began = time.perf_counter()
                store.append(batch, START_S)
                appended_s.append(time.perf_counter() - began)
                began = time.perf_counter()
                writer.order()
                block_s.append(time.perf_counter() - began)
            ordered = store.ordered_in(writer.ledger.size - 1)
            assert len(ordered) == IN_A_BLOCK, [store.place(row.cursor) for row in store.stream()][-IN_A_BLOCK:]
            state = _state(store)
            proofs = _proofs(store, [household.meter.kid for household in street.households[:32]])
        stored = sum(found.stat().st_size for found in Path(folder).iterdir())
    return Figures(
        median(block_s), median(appended_s), state / meters, stored / meters, median(proofs),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    )  # fmt: skip


def _state(store: Store) -> int:
    """Bytes of all records, with their keys."""
    rows = [
        row
        for record in records.ROWS
        for parts in range(4)
        for row in store.ledger_values(records.prefix_of(record, parts))
    ]
    return sum(len(key) + len(value) for key, value in rows)


def _proofs(store: Store, kids: list[bytes]) -> list[int]:
    """Bytes of the records of those authors as they are in a bundle, each with its proof."""
    proven = Proven(store)
    return [len(format.encode_record(proven.record(records.key_of(records.AUTHOR, kid)))) for kid in kids]


def apart(meters: int, trades: int) -> Figures:
    """Measured in a process of its own, whose memory is nothing else's."""
    command = [sys.executable, "-m", "tools.bench.ordering", str(meters), str(trades)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Figures(**json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))._asdict()))
