"""Ingest against libsodium: entries a second through decode, verify, chain and a durable commit, and bare verifications."""

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from nacl.bindings import crypto_sign_open

from tools.bench import corpus
from wattpact.ingest import Ingest
from wattpact_protocol import entry

ENTRIES = 4096
BATCH = 256
ROUNDS = 5


def _verify_all(pairs: list[tuple[bytes, bytes]]) -> None:
    for signed, public_key in pairs:
        crypto_sign_open(signed, public_key)


def raw_verification_s(said: list[entry.Entry], keys: dict[bytes, bytes], threads: int) -> float:
    """Seconds for libsodium to verify them all, on so many threads, and nothing else."""
    pairs = [(one.signature + one.signed, keys[one.kid]) for one in said]
    share = -(-len(pairs) // threads)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(time.sleep, [0] * threads))
        begin = time.perf_counter()
        list(pool.map(_verify_all, [pairs[i : i + share] for i in range(0, len(pairs), share)]))
        return time.perf_counter() - begin


def ingest_s(root: corpus.Author, certificates: list[entry.Entry], said: list[entry.Entry], threads: int) -> float:
    """Seconds to take them all in, in batches, into a store on disk."""
    raws = [one.raw for one in said]
    with tempfile.TemporaryDirectory() as folder:
        store = corpus.store_with(Path(folder, "bench.db"), root.community, certificates)
        ingest = Ingest(store, root.public_key, lambda: 1 << 40, threads)
        begin = time.perf_counter()
        stored = 0
        for start in range(0, len(raws), BATCH):
            stored += sum(v.reason == "stored" and not v.void_reason for v in ingest.take(raws[start : start + BATCH]))
        took = time.perf_counter() - begin
        ingest.close()
        store.close()
    assert stored == len(raws), f"only {stored} of {len(raws)} were stored"
    return took


def measure(intervals: int) -> tuple[float, float, float]:
    """(entries a second taken in, bare verifications a second, median ratio) on all cores this process may use."""
    threads = len(os.sched_getaffinity(0))
    root, certificates, meters, _ = corpus.community(16)
    said = corpus.readings_of(meters, ENTRIES, intervals)
    keys = {meter.kid: meter.public_key for meter in meters}
    rows = [
        (ingest_s(root, certificates, said, threads), raw_verification_s(said, keys, threads)) for _ in range(ROUNDS)
    ]
    ratio = median(raw / whole for whole, raw in rows)
    return ENTRIES / median(row[0] for row in rows), ENTRIES / median(row[1] for row in rows), ratio
