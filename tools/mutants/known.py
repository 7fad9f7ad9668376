"""The mutants that once lived: nine small mistakes, found by hand, that the tests of that day did not notice."""

import re
from typing import NamedTuple

from tools.mutants.operators import Mutant
from tools.mutants.runner import Job
from tools.mutants.targets import CHECKOUT, HOST, METER, Target, files


class Known(NamedTuple):
    """`pattern`, found in exactly one place of `folder`, becomes `new`; `tests` must notice."""

    what: str
    folder: str
    pattern: str
    new: str
    tests: tuple[str, ...]


KNOWN = (
    Known(
        "a meter that comes back from elsewhere is sent to at its old address",
        HOST + "sync", r"(peer\.address\b.* = )address\b", r"\1peer.address", ("tests/host/test_link.py",),
    ),
    Known(
        "usage is published before events",
        METER + "log",
        r"(self\.\w*event\w*\([^()]*\))(\)\s+or \(yield from )(self\._publish_usage\([^()]*\))", r"\3\2\1",
        ("tests/firmware/test_usage.py", "tests/firmware/test_meter.py"),
    ),
    Known(
        "the longest time between two tries of an offer",
        METER + "trade", r"\bLONGEST_RETRY_S = 600\b", "LONGEST_RETRY_S = 601", ("tests/firmware/test_trader.py",),
    ),
    Known(
        "an entry 512 ahead of its log is verified",
        HOST + "ingest", r"\b_REACH = 2 \* MAX_BATCH", "_REACH = 2 * MAX_BATCH + 1", ("tests/host/test_ingest.py",),
    ),
    Known(
        "an entry 511 ahead of its log is not",
        HOST + "ingest", r"\b_REACH = 2 \* MAX_BATCH", "_REACH = 2 * MAX_BATCH - 1", ("tests/host/test_ingest.py",),
    ),
    Known(
        "registers are held against no rated power",
        HOST + "projections", r"(\.rated_w) = .*", r"\1 = 0", ("tests/host/test_measuring.py",),
    ),
    Known(
        "no contract is shown to supply a meter",
        HOST + "views", r"contracts\.supplying\(.*", "None",
        ("tests/host/test_api.py", "tests/host/test_keyless.py", "tests/host/test_access.py"),
    ),
    Known(
        "a reading whose seal is bad is not named among those that count for nothing",
        HOST + "projections", r"reason(: str \| None)? = BAD_SEAL", "reason = None",
        ("tests/host/test_measuring.py", "tests/host/test_opening.py"),
    ),
    Known(
        "how long a task may be stuck",
        METER + "app.py", r"\bSTUCK_MS = 30_000\b", "STUCK_MS = 30_001", ("tests/firmware/test_app.py",),
    ),
)  # fmt: skip


def jobs() -> "list[tuple[Known, Target, Job]]":
    """Raises SystemExit where the code has changed so that one of them is found no more."""
    return [(known, Target((known.folder,), known.tests), _job(known)) for known in KNOWN]


def _job(known: Known) -> Job:
    found = []
    for path in files(known.folder):
        source = (CHECKOUT / path).read_text()
        found += [(path, source, match) for match in re.finditer(known.pattern, source)]
    if len(found) != 1:
        raise SystemExit("mutants: %s: found in %d places of %s" % (known.what, len(found), known.folder))
    path, source, match = found[0]
    start, end = len(source[: match.start()].encode()), len(source[: match.end()].encode())
    return Job(path, Mutant(source.encode(), start, end, match.expand(known.new)))
