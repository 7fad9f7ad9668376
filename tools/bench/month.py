"""A month of a community: a database of households with meters, quarter hours and contracts, and what a bill of one
household and the page's first answer cost on it.

The entries are signed with real keys and sealed as meters seal them; they are appended without being verified again, as
an ingest has done that, and the projections follow them as a node's do.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from wattpact import keys
from wattpact.keys import Keyring
from wattpact.projections import follow
from wattpact.store import open_store
from wattpact.store.records import Accepted
from wattpact.views.stored import StoredViews
from wattpact_protocol.log import chain, entry, ids, kinds, roles

from tools.bench import corpus
from tools.bench.corpus import Author, Household

START_S = 1_790_805_600  # 2026-10-01 00:00 in Berlin
MONTH = "2026-10"
ALL_BILLS = "the bills of all households, for the operator"
STEP_S = 900
A_READING = 15  # intervals
DAY_S = 86400
BATCH = 2000


class Size(NamedTuple):
    meters: int
    days: int
    seals: bool = True


class Month:
    """A data directory of that size in `folder`: half of the meters sell to the other half, a contract a day each."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder, self.size = folder, size
        self.now_s = START_S + size.days * DAY_S + 7200
        self.root, self._unstored, _ = corpus.community(0)
        self.issuer = Author(b"i" * 32, self.root.community)
        self.issuer.head = chain.start(self.issuer.kid, 0, self._unstored[-1].id)
        self.households = [self._household(number) for number in range(size.meters)]
        self._publish(kinds.COMMUNITY, {
            "version": 1, "name": "Month", "currency": "EUR", "slot_s": STEP_S, "timezone": "Europe/Berlin",
        })  # fmt: skip
        self._publish(kinds.TARIFF, {
            "from_s": 0, "import_micro_per_kwh": 310_000, "export_micro_per_kwh": 80_000
        })  # fmt: skip
        self.host = self._enrolled(b"h" * 32, roles.HOST, "host")
        folder.joinpath("settings.json").write_text(
            json.dumps({"wattpact_data": 1, "root_public_key": self.root.public_key.hex()})
        )
        ring = Keyring(folder / "keys")
        ring.create(keys.ISSUER, b"i" * 32)
        ring.create(keys.HOST, b"h" * 32)
        self.path = folder / "wattpact.db"
        self._fill([ring.load(keys.ISSUER)], ring.load(keys.HOST))

    def _publish(self, kind: int, body: dict[str, Any]) -> None:
        self._unstored.append(self.issuer.publish(kind, body, START_S - DAY_S))

    def _enrolled(self, seed: bytes, role: int, label: str, **more: object) -> Author:
        author, certified = corpus.enrolled(seed, self.issuer, role, label, START_S - DAY_S, **more)
        self._unstored.append(certified)
        return author

    def _household(self, number: int) -> Household:
        owner = self._enrolled(ids.sha256(b"o%d" % number), roles.PERSON, f"House {number}")
        more = {"rated_w": 25000, "owner": owner.kid}
        meter = self._enrolled(ids.sha256(b"m%d" % number), roles.METER, f"Meter {number}", **more)
        if self.size.seals:
            self._unstored += meter.open_key()
        return Household(meter, owner)

    def _fill(self, signers: list[keys.Signer], host: keys.Signer) -> None:
        """Each day's trade is ordered an hour before the day, its starts as it begins; its readings come in the end."""
        with open_store(self.path, self.root.community) as store:
            for day in range(self.size.days):
                start_s = START_S + day * DAY_S
                begun = self._trade(start_s, day)
                ends_s = start_s + DAY_S - 3600  # when the next day is traded
                for entries, now_s in (
                    (self._unstored, start_s - 3600 + 10), (begun, start_s + 10),
                    (self._readings(start_s, day), ends_s),
                ):  # fmt: skip
                    for at in range(0, len(entries), BATCH):
                        batch = entries[at : at + BATCH]
                        store.append([Accepted(one, one.kind != kinds.MANDATE) for one in batch], self.now_s)
                    follow.bring_up(store, signers, now_s, host)
                self._unstored = []
            follow.bring_up(store, signers, self.now_s, host)

    def _trade(self, start_s: int, day: int) -> list[entry.Entry]:
        """A contract for each pair, to be stored; gives the starts of their use."""
        half = len(self.households) // 2
        pairs = zip(self.households[:half], self.households[half : 2 * half], strict=True)
        return [self._agree(supplier, consumer, start_s, day) for supplier, consumer in pairs]

    def _readings(self, start_s: int, day: int) -> list[entry.Entry]:
        half = len(self.households) // 2
        return [
            new for number, household in enumerate(self.households)
            for new in self._measure(household.meter, start_s, day, number < half)
        ]  # fmt: skip

    def _agree(self, supplier: Household, consumer: Household, start_s: int, day: int) -> entry.Entry:
        terms = corpus.Terms(day + 1, 20_000, 9000, 180_000, start_s, start_s + DAY_S)
        made = corpus.trade(self.issuer, supplier, consumer, terms, start_s - 3600)
        self._unstored += made.entries
        body = consumer.meter.seal(kinds.USAGE_START, made.start(0))
        return consumer.meter.publish(kinds.USAGE_START, body, start_s)

    def _measure(self, meter: Author, start_s: int, day: int, sells: bool) -> Iterator[entry.Entry]:
        wh = 100 * 96 * day
        for first in range(0, 96, A_READING):
            deltas = [100] * min(A_READING, 96 - first)
            t0_s = start_s + first * STEP_S
            body: dict[str, object] = {
                "register_generation": 0, "t0_s": t0_s, "step_s": STEP_S, "quality": 0, "calibration": None,
                "registers": {
                    1: [0 if sells else wh, [0] * len(deltas) if sells else deltas],
                    2: [wh if sells else 0, deltas if sells else [0] * len(deltas)], 64: [400, []],
                }, "bad_mask": 0,
            }  # fmt: skip
            end_s = t0_s + STEP_S * len(deltas)
            yield meter.publish(kinds.READING, meter.seal(kinds.READING, body), end_s)
            wh += sum(deltas)


class Figures(NamedTuple):
    """Medians, seconds; `raw_s` is SQLite's time to read the month's points of one meter from the same database."""

    entries: int
    bill_s: float
    bill_kib: int
    answers_s: dict[str, float]
    raw_s: float
    made_s: float


_BILL = """
import resource, sys
from wattpact.cli import main
from wattpact.node import data_directory
data_directory.clock = lambda: {now_s}
try:
    main(sys.argv[1:])
except SystemExit as done:
    assert not done.code, done.code
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def measure(size: Size, rounds: int) -> Figures:
    """Make the month, then bill one household in a process of its own, and build each view of a page."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        made = Month(Path(folder), size)
        made_s = time.perf_counter() - began
        bills = [_bill(made) for _ in range(rounds)]
        answers = [_answers(made) for _ in range(rounds)]
        with sqlite3.connect(made.path) as raw:
            entries = raw.execute("SELECT max(cursor) FROM entries").fetchone()[0]
            began = time.perf_counter()
            raw.execute("SELECT * FROM points WHERE meter = ?", (made.households[0].meter.kid,)).fetchall()
            raw_s = time.perf_counter() - began
        raw.close()
    return Figures(
        entries, median(row[0] for row in bills), max(row[1] for row in bills),
        {name: median(row[name] for row in answers) for name in answers[0]}, raw_s, made_s,
    )  # fmt: skip


def _bill(made: Month) -> tuple[float, int]:
    """(seconds, KiB) of the whole command."""
    program = _BILL.format(now_s=made.now_s)
    arguments = ["--data", str(made.folder), "bill", "--owner", "House 0", "--month", MONTH, "--json"]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=os.environ)
    passed_s = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sold_wh"] == made.size.days * 9600, done.stdout
    return passed_s, int(done.stderr.split()[-1])


def _answers(made: Month) -> dict[str, float]:
    """Seconds that each request takes a node's views that have answered nothing before."""
    owner = made.households[0].owner.kid
    requests: dict[str, Callable[[StoredViews], object]] = {
        "community": lambda views: views.community(),
        "meters": lambda views: views.meters(),
        "contracts": lambda views: views.contracts(),
        "the bill of a household": lambda views: views.bills(MONTH, owner),
        ALL_BILLS: lambda views: views.bills(MONTH, None),
    }
    found = {}
    for name, request in requests.items():
        views = StoredViews(made.path, lambda: made.now_s)
        began = time.perf_counter()
        request(views)
        found[name] = time.perf_counter() - began
    return found
