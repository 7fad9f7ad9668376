"""python -m tools.bench: measure, and print each figure beside its reference. docs/reference/bench.md explains them."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tools import riscv_system
from tools.bench import audit, heap, ingest, month, ordering, quorum, riscv, slices, wire

INGEST_BAR = 0.6
AUDIT_BAR = 3
BILL_BAR_S, BILL_BAR_MB = 2, 200
ANSWER_BAR_MS = 100
# Python heap that an ESP32 without PSRAM had in all, ready to connect: github.com/micropython/micropython issue 14421,
# comment of 2025-03-07. Taken from there, not measured by us.
ESP32_HEAP_BYTES = 143_744
# Of a chip's machine code, in RV32 instructions and bytes: a meter signs and verifies while it samples.
CRYPTO_BARS = {"sign 96 bytes, the key known": 5_000_000, "verify": 12_000_000}
AHEAD_BAR = 13
# Transactions a second of others' ledgers for local energy: what Quartierstrom's was built for, and what Project Origin
# states for its registry. Taken from them, not measured by us.
QUARTIERSTROM_PER_S, PROJECT_ORIGIN_PER_S = 10, 170
QUORUM_BAR, QUORUM_BAR_AT = 0.5, 4  # of CometBFT's key-value store, at so many validators
CODE_BAR_BYTES = 24_000


class Row(NamedTuple):
    """One line of the table; `holds` is None where there is no bar."""

    what: str
    figure: str
    reference: str
    ratio: str
    bar: str = ""
    holds: bool | None = None


def ingest_rows(quick: bool) -> Iterator[Row]:
    entries, rounds = (64, 1) if quick else (8192, 7)
    with ingest.on_cores(2) as cores:
        pass
    for intervals, count, seals in ((1, cores, True), (1, 1, True), (15, cores, True), (1, cores, False)):
        result = ingest.measure(intervals, count, entries, rounds, seals)
        has_bar = seals and intervals == 1 and count == cores and not quick  # a few entries show no rate
        kind = "" if seals else "plain, "
        name = f"ingest, {kind}{intervals} interval{'s' if intervals > 1 else ''} an entry, {_cores(count)}"
        reference = f"{result.verifications_per_s:,.0f} verifications/s"
        rates = ((name, result.stored), ("   with unsealing and measuring", result.measured))
        for what, rate in rates if seals else rates[:1]:
            yield Row(
                what, f"{rate.entries_per_s:,.0f} entries/s", reference, f"{rate.ratio:.2f}",
                f">= {INGEST_BAR}" if has_bar else "", rate.ratio >= INGEST_BAR if has_bar else None,
            )  # fmt: skip
            cpu = f"{rate.cpu_ratio:.2f}" if rate.cpu_ratio else "unknown"
            yield Row("   the same by processor time", "", "", cpu)
        if intervals > 1:
            yield Row("   readings", f"{result.measured.entries_per_s * intervals:,.0f} readings/s", "", "")


def _cores(count: int) -> str:
    return f"{count} core" if count == 1 else f"{count} cores"


def wire_rows(quick: bool) -> Iterator[Row]:
    for intervals in (1, 15):
        result = wire.measure(intervals, 16 if quick else 512)
        for what, centibytes in (("entry", result.entry_centibytes), ("datagram", result.datagram_centibytes)):
            yield Row(
                f"wire, {intervals} an entry: {what}", f"{centibytes / 100:.1f} bytes a reading",
                f"{result.json_centibytes / 100:.1f} as unsigned JSON", f"{centibytes / result.json_centibytes:.2f}",
            )  # fmt: skip


def audit_rows(quick: bool) -> Iterator[Row]:
    result = audit.measure(*((1, 1) if quick else (31, 5)))
    yield Row(
        f"audit of {result.entries:,} entries, 1 thread", f"{result.audit_s * 1000:,.0f} ms",
        f"{result.verification_s * 1000:,.0f} ms of verification", f"{result.ratio:.2f}", f"<= {AUDIT_BAR}",
        result.ratio <= AUDIT_BAR,
    )  # fmt: skip


def month_rows(quick: bool) -> Iterator[Row]:
    size = month.Size(10, 2) if quick else month.Size(200, 31)
    found = month.measure(size, 1 if quick else 5)
    points_ms = found.raw_s * 1000
    yield Row(
        f"a bill of {size.meters} meters' month, {found.entries:,} entries", f"{found.bill_s:.2f} s",
        f"{points_ms:.2f} ms to read a meter's points", f"{found.bill_s / found.raw_s:,.0f}", f"<= {BILL_BAR_S} s",
        found.bill_s <= BILL_BAR_S,
    )  # fmt: skip
    megabytes = found.bill_kib / 1024
    yield Row(
        "   its memory", f"{megabytes:.0f} MB", f"{BILL_BAR_MB} MB", f"{megabytes / BILL_BAR_MB:.2f}",
        f"<= {BILL_BAR_MB}", megabytes <= BILL_BAR_MB,
    )  # fmt: skip
    for name, answer_s in found.answers_s.items():
        has_bar = name != month.ALL_BILLS
        yield Row(
            f"the page's first answer: {name}" if has_bar else name, f"{answer_s * 1000:.0f} ms",
            f"{points_ms:.2f} ms (the same)", f"{answer_s / found.raw_s:,.0f}",
            *((f"<= {ANSWER_BAR_MS}", answer_s * 1000 <= ANSWER_BAR_MS) if has_bar else ()),
        )  # fmt: skip


def ledger_rows(quick: bool) -> Iterator[Row]:
    for meters in (100,) if quick else (100, 1_000, 10_000):
        found = ordering.apart(meters, 16 if quick else 400)
        ratio = found.transactions_per_s / found.appended_per_s
        yield Row(
            f"the ledger of {meters:,} meters, with its root", f"{found.transactions_per_s:,.0f} transactions/s",
            f"{found.appended_per_s:,.0f} entries/s appended", f"{ratio:.2f}",
        )  # fmt: skip
        yield from stated_rows(found.transactions_per_s)
        yield Row(f"   a block of {ordering.IN_A_BLOCK}", f"{found.block_s * 1000:,.0f} ms", "", "")
        yield Row("   its state", f"{found.state_bytes_a_meter:,.0f} bytes a meter", "", "")
        yield Row("   all that is stored", f"{found.stored_bytes_a_meter:,.0f} bytes a meter", "", "")
        yield Row("   a meter's record with its proof", f"{found.proof_bytes:,.0f} bytes", "", "")
        yield Row("   memory of the writer", f"{found.memory_kib / 1024:,.0f} MB", "", "")


def stated_rows(transactions_per_s: float) -> Iterator[Row]:
    for name, rate in (("Quartierstrom", QUARTIERSTROM_PER_S), ("Project Origin", PROJECT_ORIGIN_PER_S)):
        yield Row("", "", f"{rate} by {name} (stated)", f"{transactions_per_s / rate:.1f}")


def quorum_rows(quick: bool) -> Iterator[Row]:
    if quorum.unavailable():
        yield Row(f"quorum: {quorum.unavailable()}", "", "", "")
        return
    for validators, trades in ((1, 4), (4, 4)) if quick else ((1, 1_000), (4, 1_000), (16, 100)):
        found = quorum.measure(validators, trades, 1 if quick else 3)
        (rate, other), count = found.typical(lambda run: run.transactions_per_s), trades * ordering.A_TRADE
        has_bar = validators == QUORUM_BAR_AT and not quick  # a few transactions show no rate
        yield Row(
            f"{count:,} transactions, {validators} validator{'s' if validators > 1 else ''}",
            f"{rate:,.0f} transactions/s", f"{other:,.0f} by CometBFT's kvstore", f"{rate / other:.2f}",
            f">= {QUORUM_BAR}" if has_bar else "", rate / other >= QUORUM_BAR if has_bar else None,
        )  # fmt: skip
        yield from stated_rows(rate)
        for what, of, unit in (
            ("processor time of one, of all validators", lambda run: run.processor_ms, "ms"),
            ("one transaction alone", lambda run: 1000 * run.alone_s, "ms"),
            ("a block", lambda run: 1000 * run.block_s, "ms"),
            ("   transactions in it", lambda run: run.transactions / run.blocks, ""),
            ("memory of a validator's CometBFT", lambda run: run.engine_kib / 1024, "MB"),
            ("   and of its application", lambda run: run.application_kib / 1024, "MB"),
        ):  # type: tuple[str, Callable[[quorum.Figures], float], str]
            ours, theirs = found.typical(of)
            digits = 2 if ours < 10 else 0
            yield Row(
                f"   {what}", f"{ours:,.{digits}f} {unit}", f"{theirs:,.{digits}f} {unit}" if theirs else "",
                f"{ours / theirs:.2f}" if theirs else "",
            )  # fmt: skip
        for what, of in (
            ("to check one, at each validator", lambda run: run.check_ms),
            ("to apply it, with the state's root", lambda run: run.apply_ms),
            ("to store it", lambda run: run.store_ms),
            ("the longest that all else in a process waited", lambda run: 1000 * run.longest_s),
        ):  # type: tuple[str, Callable[[quorum.Figures], float]]
            yield Row(f"   {what}", f"{found.typical(of)[0]:,.2f} ms", "", "")
        rejected = max(run.rejected for run in found.ours)
        if rejected:
            yield Row("   rejected: they came before what they rest on", f"{rejected} in a run", "", "")


def heap_rows(quick: bool) -> Iterator[Row]:
    span = "4 minutes" if quick else "a day"
    names = {
        "py": "source files", "mpy": "compiled files", heap.BARE: f"image, bare ({heap.BARE_BYTES // 1024} KiB)",
        heap.FULL: f"image, full ({heap.FULL_BYTES // 1024} KiB)",
    }  # fmt: skip
    for result in heap.measure(4 if quick else 1440):
        is_bare = result.form == heap.BARE
        yield Row(
            f"heap after {span}, {names[result.form]}", f"{result.heap:,} bytes",
            f"{ESP32_HEAP_BYTES:,} in an ESP32 (stated)", f"{result.heap / ESP32_HEAP_BYTES:.2f}",
            f"<= {heap.LIVE_BAR_BYTES // 1000} kB" if is_bare else "",
            result.heap <= heap.LIVE_BAR_BYTES if is_bare else None,
        )  # fmt: skip
    size = heap.least(4 if quick else 240, 16 * heap.KIB if quick else 4 * heap.KIB)
    yield Row(
        "   the least in which one starts and lives", f"{size // heap.KIB} KiB",
        f"{heap.BARE_BYTES // heap.KIB} KiB", f"{size / heap.BARE_BYTES:.2f}",
    )  # fmt: skip


def crypto_rows(quick: bool) -> Iterator[Row]:
    if riscv_system.available():
        yield Row(f"cryptography: {riscv_system.available()}", "", "", "")
        return
    for work in riscv.works():
        bar = CRYPTO_BARS.get(work.what)
        peer = min(work.c.values()) if work.c else 0
        yield Row(
            work.what, f"{work.machine_code:,} RV32 instr.", f"{peer:,} in C" if peer else "",
            f"{work.machine_code / peer:.2f}" if peer else "", f"<= {bar / 1e6:.0f} M" if bar else "",
            work.machine_code <= bar if bar else None,
        )  # fmt: skip
        if work.big_integers:
            ratio = work.big_integers / work.machine_code
            yield Row("   in big integers", "", f"{work.big_integers:,}", f"{ratio:.1f}", *(
                (f">= {AHEAD_BAR}", ratio >= AHEAD_BAR) if work.what.startswith("sign") else ()
            ))  # fmt: skip
    kept = riscv.loaded("sealing.content", "sealing.epochs")
    code = kept.machine_code + kept.tables
    yield Row(
        "machine code and tables in RAM, from an image", f"{code:,} bytes", f"{CODE_BAR_BYTES:,}",
        f"{code / CODE_BAR_BYTES:.2f}", "<= 24 kB", code <= CODE_BAR_BYTES,
    )  # fmt: skip
    yield Row("   all of the heap that their modules take", f"{kept.heap:,} bytes", "", "")


def slices_rows(quick: bool) -> Iterator[Row]:
    if slices.unavailable():
        yield Row(f"slices: {slices.unavailable()}", "", "", "")
        return
    for profile, heap_bytes in ((heap.BARE, heap.BARE_BYTES), (heap.FULL, heap.FULL_BYTES)):
        found = slices.measure(3 if quick else slices.ROUNDS, heap_bytes)
        for name in sorted(found.longest, key=lambda name: (name == slices.COLLECTING, -found.longest[name])):
            count, has_bar = found.longest[name], name != slices.COLLECTING
            yield Row(
                f"{profile}: the sampler waits longest while {name}", f"{count:,} instructions",
                f"{slices.BAR:,} (i386, callgrind)", f"{count / slices.BAR:.2f}", "<= 1" if has_bar else "",
                count <= slices.BAR if has_bar else None,
            )  # fmt: skip


PARTS: dict[str, Callable[[bool], Iterator[Row]]] = {
    "ingest": ingest_rows, "wire": wire_rows, "audit": audit_rows, "ledger": ledger_rows, "quorum": quorum_rows,
    "month": month_rows, "heap": heap_rows, "crypto": crypto_rows, "slices": slices_rows,
}  # fmt: skip
_WIDTHS = (50, 24, 30, 6, 7, 3)


def line(cells: tuple[str, ...]) -> str:
    """Cells under their headings: names and words to the left, ratios to the right."""
    padded = [
        cell.rjust(width) if number == 3 else cell.ljust(width)
        for number, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    ]
    return "  ".join(padded).rstrip()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description="Measure, beside a reference.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="a few entries and minutes, to see that it works")
    parser.add_argument("--strict", action="store_true", help="status 1 where a bar is missed")
    options = parser.parse_args(arguments)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    print(line(("what", "measured", "reference", "ratio", "bar", "")))
    missed = 0
    for part in options.parts or PARTS:
        for row in PARTS[part](options.quick):
            missed += row.holds is False
            verdict = "" if row.holds is None else "ok" if row.holds else "no"
            print(line((row.what, row.figure, row.reference, row.ratio, row.bar, verdict)), flush=True)
    if os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
        print("\nThis machine was busy with other things too: times are less certain than they look.")
    return 1 if options.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())
