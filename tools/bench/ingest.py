"""Ingest against libsodium: entries a second decoded, verified, chained and durably stored, then unsealed and
measured, and bare verifications.

Both get the same entries and the same cores, the reference as many threads as there are of them. A round times the
reference, the ingest, the reference, the ingest with unsealing, and the reference again; the first batch of each ingest
is not timed, so that what is started with it is not counted.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from nacl.bindings import crypto_sign_open
from wattpact.ingest.pipeline import MAX_BATCH, Ingest
from wattpact.projections.follow import Projections
from wattpact.projections.unsealing import Unsealer
from wattpact_protocol.log import entry

from tools.bench import corpus


class Cost(NamedTuple):
    """Seconds that passed, and seconds of all cores together, its helpers' included (0 where nobody counts them)."""

    wall_s: float
    cpu_s: float


class Rate(NamedTuple):
    """Medians over the rounds; the ratios to the reference are of one round each."""

    entries_per_s: float
    ratio: float
    cpu_ratio: float


class Result(NamedTuple):
    """Both rates beside the reference's. Of plain readings they differ by little: there is nothing to unseal."""

    stored: Rate
    measured: Rate
    verifications_per_s: float


@contextmanager
def on_cores(count: int) -> Iterator[int]:
    """Only so many cores for this process and those it starts, where the system can do that; how many they are."""
    if not hasattr(os, "sched_setaffinity"):
        yield os.cpu_count() or 1
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield len(os.sched_getaffinity(0))
    finally:
        os.sched_setaffinity(0, before)


def _children_cpu_s() -> float:
    """What the processes started from here have used so far (Linux only)."""
    total_ns = 0
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in children.read_text().split():
            total_ns += int(Path("/proc", pid, "schedstat").read_text().split()[0])
    return total_ns / 1e9


class _Stopwatch:
    def __init__(self) -> None:
        self._begin = (time.perf_counter(), time.process_time() + _children_cpu_s())

    def stop(self) -> Cost:
        return Cost(time.perf_counter() - self._begin[0], time.process_time() + _children_cpu_s() - self._begin[1])


def _verify_all(pairs: list[tuple[bytes, bytes]]) -> None:
    for signed, public_key in pairs:
        crypto_sign_open(signed, public_key)


def raw_verification(readings: list[entry.Entry], keys: dict[bytes, bytes], threads: int) -> Cost:
    """What libsodium needs to verify them all, on so many threads, and nothing else."""
    pairs = [(one.signature + one.signed, keys[one.kid]) for one in readings]
    share = -(-len(pairs) // threads)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(time.sleep, [0.01] * threads))  # a thread each, waiting
        watch = _Stopwatch()
        list(pool.map(_verify_all, [pairs[i : i + share] for i in range(0, len(pairs), share)]))
        return watch.stop()


def store_all(
    root: corpus.Author, certificates: list[entry.Entry], readings: list[entry.Entry], cores: int, unseals: bool = False
) -> Cost:
    """What it costs to store all but the first batch on disk; where it `unseals`, as a node with the operator's key
    does, also to unseal and measure it. Raises AssertionError unless every entry was stored and counts."""
    raws = [one.raw for one in readings]
    with tempfile.TemporaryDirectory() as folder:
        store = corpus.store_with(Path(folder, "bench.db"), root.community, certificates)
        ingest = Ingest(store, root.public_key, lambda: 1 << 40, cores)
        if unseals:
            unsealer = Unsealer(store, [corpus.ISSUER])
            ingest.follower = Projections(store, unsealer, ingest.rejections, lambda: corpus.NOW_S).catch_up
        try:
            verdicts = ingest.ingest(raws[:MAX_BATCH])
            watch = _Stopwatch()
            verdicts += ingest.ingest(raws[MAX_BATCH:])
            cost = watch.stop()
            voids = len(store.void_entries())
            unread = sum(store.sealing().values())
        finally:
            ingest.close()
            store.close()
    counting = sum(verdict.reason == "stored" for verdict in verdicts) - voids - unread
    assert counting == len(raws), f"only {counting} of {len(raws)} were stored"
    return cost


def measure(intervals: int, cores: int, entries: int = 8192, rounds: int = 7, seals: bool = True) -> Result:
    """Ingest of so many entries after the first batch, beside bare verification of the same, on so many cores."""
    root, certificates, meters = corpus.community(16)
    readings = corpus.readings_of(meters, MAX_BATCH + entries, intervals, seals=seals)
    readings = readings[: MAX_BATCH + entries]
    keys = {meter.kid: meter.public_key for meter in meters}
    stored: list[tuple[Cost, Cost]] = []
    measured: list[tuple[Cost, Cost]] = []
    with on_cores(cores) as count:
        before = raw_verification(readings[MAX_BATCH:], keys, count)
        for _ in range(rounds):
            for costs, unseals in ((stored, False), (measured, True)):
                cost = store_all(root, certificates, readings, count, unseals)
                after = raw_verification(readings[MAX_BATCH:], keys, count)
                costs.append((Cost((before.wall_s + after.wall_s) / 2, (before.cpu_s + after.cpu_s) / 2), cost))
                before = after
    raw = [reference.wall_s for reference, _ in stored + measured]
    return Result(_rate(entries, stored), _rate(entries, measured), entries / median(raw))


def _rate(entries: int, pairs: list[tuple[Cost, Cost]]) -> Rate:
    return Rate(
        entries / median(cost.wall_s for _, cost in pairs),
        median(one.wall_s / other.wall_s for one, other in pairs),
        median(one.cpu_s / other.cpu_s for one, other in pairs),
    )
