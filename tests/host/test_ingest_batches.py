"""Batches overlap on their way to the disk; verdicts and what is stored are those of entries taken one by one."""

import os
import random
from pathlib import Path

import pytest
from wattpact.ingest import pipeline as module
from wattpact.ingest.pipeline import Ingest
from wattpact.projections.follow import Projections
from wattpact.projections.unsealing import Unsealer
from wattpact_protocol.log import entry, kinds, reasons

from tools.bench import corpus

GROUPS = 3 * module.MAX_BATCH + 100


def stream(seals: bool) -> tuple[corpus.Author, list[entry.Entry], list[bytes]]:
    """A root, certificates, and entries in an order that needs no second look: repeated, forged, of strangers, falling
    registers, and a meter that is certified in the middle."""
    rng = random.Random(11)
    root, certificates, meters = corpus.community(5)
    late = meters.pop()
    certified = certificates.pop()
    said = corpus.readings_of(meters, GROUPS, 2, seals=seals)
    fell = meters[0].seal(kinds.READING, corpus.reading(corpus.NOW_S + 10**6, 5, [0], 60))
    falling = meters[0].publish(kinds.READING, fell, corpus.NOW_S + 10**6)
    stranger = corpus.Author(b"?" * 32, root.community)
    raws: list[bytes] = []
    for number, one in enumerate([*said, falling]):
        if number == GROUPS // 2:
            raws.append(certified.raw)
            raws += [new.raw for new in corpus.readings_of([late], 40, 1, seals=seals)]
        what = rng.randrange(8)
        if what == 0:
            raws.append(one.raw[:-1] + bytes([one.raw[-1] ^ 1]))
        elif what == 1:
            # A genuine one: of a forged copy the verdict is duplicate or bad signature, whichever shows first.
            raws.append(said[rng.randrange(number + 1)].raw if number < len(said) else one.raw)
        elif what == 2:
            raws.append(one.raw[: rng.randrange(len(one.raw))])
        elif what == 3:
            raws.append(stranger.publish(kinds.CONTRACT, {"acceptance": bytes(32)}).raw)
        raws.append(one.raw)
    return root, certificates, raws


def taken(path: Path, size: int, cores: int, said: tuple[corpus.Author, list[entry.Entry], list[bytes]]):
    """(verdicts, rows of the store, points) with so many entries at a time."""
    root, certificates, raws = said
    store = corpus.store_with(path, root.community, certificates)
    ingest = Ingest(store, root.public_key, lambda: 1 << 40, cores)
    unsealer = Unsealer(store, [corpus.ISSUER])
    ingest.follower = Projections(store, unsealer, ingest.rejections, lambda: corpus.NOW_S).catch_up
    verdicts = []
    for start in range(0, len(raws), size):
        verdicts += ingest.ingest(raws[start : start + size])
    rows = [(row.cursor, row.id, row.raw, row.void_reason) for row in store.stream()]
    points = store.rows("SELECT * FROM points ORDER BY meter, unix_s")
    ingest.close()
    store.close()
    return [(verdict.reason, verdict.void_reason, verdict.cursor) for verdict in verdicts], rows, points


def test_it_has_the_cores_that_it_may_use_or_one_where_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    for there, used in ((3, 3), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda there=there: there)
        assert module._cores() == used


@pytest.mark.parametrize(("cores", "seals"), [(1, False), (3, True), (1, True)])
def test_many_at_once_end_as_one_by_one(tmp_path: Path, cores: int, seals: bool) -> None:
    said = stream(seals)
    one_by_one = taken(tmp_path / "one.db", 1, 1, said)
    assert taken(tmp_path / "all.db", len(said[2]), cores, said) == one_by_one
    assert taken(tmp_path / "some.db", 300, cores, said) == one_by_one
    found = {reason for reason, _, _ in one_by_one[0]}
    assert found == {
        "stored", reasons.BAD_SIGNATURE, reasons.ENTRY_MALFORMED, reasons.UNKNOWN_AUTHOR, reasons.DUPLICATE,
    }  # fmt: skip
    keys = 2 * 5 if seals else 0
    assert len(one_by_one[1]) == len(said[1]) + keys + GROUPS + 1 + 1 + 40
    assert len(one_by_one[2]) == 2 * GROUPS + 4 + 40 + 1
    assert [void for _, _, _, void in one_by_one[1] if void] == ["falling_register"]
