"""python -m tools.soak --seed N --events 100000: meters in the field, one life after the other.

Each life has a seed of its own, `N/k`, and at most LIFE_EVENTS events: a rule that does not hold is printed with the
seed of that life, which `--life k` runs again, and with what happened before it. That life ends there, and the next
begins, until the events are over or, with --first, at once. The status is 1 where anything was found.
"""

import argparse
import itertools
import sys
import time
from collections import Counter
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT / folder) for folder in ("tests", "firmware", "protocol")]

from simulator.field.flash import Folder  # noqa: E402
from simulator.field.life import Life  # noqa: E402
from simulator.field.rules import Violation  # noqa: E402
from simulator.field.truth import WMS_PER_WH  # noqa: E402

LIFE_EVENTS = 5_000
_SHOWN_S = 5
_AROUND = 15  # lines of what happened before a rule did not hold


class Totals:
    """What all lives amount to."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.sums: Counter[str] = Counter()
        self.found: list[str] = []

    def add(self, life: Life) -> None:
        self.events.update(life.counts)
        ledger = life.ledger
        self.sums.update({
            "simulated hours": life.truth.ms // 3_600_000, "starts": life.starts,
            "imported Wh": life.truth.import_wms // WMS_PER_WH, "exported Wh": life.truth.export_wms // WMS_PER_WH,
            "charged import Wh": ledger.registers.charged_wh(1), "charged export Wh": ledger.registers.charged_wh(2),
            "nobody's import Wh": ledger.more_wms[1] // WMS_PER_WH, "attributed Wh": sum(ledger.attributed.values()),
            "grants": len(life.host.grants), "register generations": len(ledger.registers.spans),
            "entries": sum(ledger.counts.values()), "sequences": len(ledger.sequences),
            "sequences again that nobody had": ledger.sequences.unsent_again,
            "log generations": life.host.generation + 1, "closings": life.relay.closings, "writes": life.flash.writes,
        })  # fmt: skip

    def print(self) -> None:
        for name, count in sorted(self.events.items()):
            print(f"  {name:32} {count:10,}")
        print()
        for name, count in self.sums.items():
            print(f"  {name:32} {count:10,}")
        for text in self.found:
            print(text)


def live(seed: str, events: int, totals: Totals) -> bool:
    """One life; whether every rule held."""
    began = shown = time.monotonic()

    def progress(life: Life, number: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _SHOWN_S:
            shown = time.monotonic()
            print(f"{seed}: {number:,} of {events:,} events, day {life.truth.ms / 86_400_000:.1f}", flush=True)

    with Folder() as folder:
        life = Life(seed, folder)
        violated: Violation | None = None
        try:
            life.run(events, progress=progress)
        except Violation as violation:
            violated = violation
        totals.add(life)
    took = (
        f"{sum(life.counts.values()):,} events, {life.truth.ms / 86_400_000:.1f} days, {time.monotonic() - began:.0f} s"
    )
    print(f"{seed}: {violated or 'every rule holds'} ({took})", flush=True)
    if violated is not None:
        print("\n".join("    " + line for line in life.log[-_AROUND:]), flush=True)
        totals.found.append(f"{seed}: {violated}")
    return violated is None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description="Live meters' lives in the field.")
    parser.add_argument("--seed", default="1", help="what everything is drawn from (1)")
    parser.add_argument("--events", type=int, default=100_000, help="how many, in all lives together (100000)")
    parser.add_argument("--life", type=int, help="run this life of the seed alone")
    parser.add_argument("--life-events", type=int, default=LIFE_EVENTS, help=f"events in one life ({LIFE_EVENTS})")
    parser.add_argument("--first", action="store_true", help="stop where a rule does not hold")
    options = parser.parse_args()
    totals = Totals()
    for life in itertools.count() if options.life is None else [options.life]:
        events = min(options.events - totals.events.total(), options.life_events)
        if events <= 0 or (not live(f"{options.seed}/{life}", events, totals) and options.first):
            break
    totals.print()
    return 1 if totals.found else 0


if __name__ == "__main__":
    sys.exit(main())
