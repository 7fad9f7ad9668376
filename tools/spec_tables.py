"""Writes docs/spec/bodies.md and docs/spec/reasons.md, and the tables in log.md and ingest.md, from the registries
that the code uses, so that they cannot differ.

python tools/spec_tables.py             write it
python tools/spec_tables.py --check     fail if it would change
"""

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "protocol"))

from wattpact_protocol.ledger import records as ledger_records  # noqa: E402
from wattpact_protocol.log import kind_texts, kinds, reason_texts, roles  # noqa: E402  (found by the path above)

INTRO = """# Bodies

Every kind of entry has a closed set of fields. On the wire a body is a map from the number to the value (a reading: an
array, see [readings.md](readings.md)). A decoder MUST reject an unknown number, a missing required field, and a value
of another type or beyond its range.

This page is made from the registry in `protocol/wattpact_protocol/log/kinds.py`; [wire.cddl](wire.cddl) is written by
hand and tested against the same rows. Of each kind there is here which roles may publish it ([log.md](log.md)), whom it
concerns, so that a host passes it on to those meters but its author ([ingest.md](ingest.md)), and what of it may travel
sealed.

Types: `kid` 8 bytes, `id` 32 bytes (an entry's), `key` 32 bytes; text is UTF-8 with its length in bytes. Prices are in
millionths of the currency per kWh, amounts in thousand-millionths (`nano`), times in Unix seconds. A price has 32 bits
like the Wh of a contract, so that what one contract amounts to has 64. Fields marked *sealable* may travel sealed, all
those of a body together, as number 0: [sealing.md](sealing.md).
"""

REASONS_INTRO = """# Reasons

Why a datagram, an entry or a telegram is rejected, and why an entry that is stored counts for nothing: one code for one
reason, in the counts of meters and hosts, in `void_reason`, and in the logs of programs. A code MUST NOT change its
meaning. Which is counted when: [datagrams.md](datagrams.md), [ingest.md](ingest.md), [meter.md](meter.md),
[contracts.md](contracts.md).

This page is made from `protocol/wattpact_protocol/log/reasons.py` and `reason_texts.py`.

| code | the sentence that people are shown |
|---|---|
{reasons}

## The relay

A guard's reason ([guard.md](guard.md)) is the `text` of the event that the relay closed or opened.

| while open | |
|---|---|
{relay_open}

| while closed | |
|---|---|
{relay_closed}
"""

# Where more is to be read about a kind, beside its meaning.
MORE = {
    "certificate": "[log.md](log.md), [enrolment.md](enrolment.md)",
    "reading": "[readings.md](readings.md)",
    "event": "The codes are below.",
    "community": "`slot_s` and `silence_s` MUST NOT change once published: [settlement.md](settlement.md).",
    "policy": "Fields left out have the defaults of [guard.md](guard.md).",
    "key_epoch": "[sealing.md](sealing.md)",
    "key_open": "[sealing.md](sealing.md)",
}


def shape(row: tuple[str, int, int]) -> str:
    name, low, high = row
    if name == "int":
        if high < 1 << 62:
            return f"{low:,} to {high:,}"
        return "uint, 63 bits" if low == 0 else "int, 63 bits and a sign"
    if name == "bytes":
        return {8: "kid", 32: "id"}[high]
    if name == "text":
        return f"text, {low} to {high} bytes"
    return {
        "bool": "true or false",
        "kids": f"up to {high} kids",
        "days": f"up to {high} days since 1970-01-01",
        "registers": f"map of up to {high}: register to value",
        "wraps": f"{low} to {high} of [kid, 40 bytes], each kid once",
    }[name]


def bodies() -> str:
    parts = [INTRO]
    for kind in sorted(kinds.NAMES):
        parts.append(f"## {kind} {kinds.NAMES[kind]}\n\n" + "\n".join([*about(kind), *field_table(kind)]) + "\n")
    codes = "\n".join(f"| {code} | {text} |" for code, text in sorted(kind_texts.EVENTS.items()))
    parts.append(f"## Event codes\n\n| code | event |\n|---|---|\n{codes}\n")
    return "\n".join(parts)


def about(kind: int) -> list[str]:
    """What the kind is for, and its row but for the fields."""
    more = MORE.get(kinds.NAMES[kind])
    sealed = "everything" if kind == kinds.READING else ", ".join(f"`{name}`" for name in kinds.SEALABLE.get(kind, ()))
    return [
        kind_texts.meaning(kind) + (f" {more}" if more else ""), "",
        f"Published by: {', '.join(kinds.publishers(kind).split())}. Concerns: {kinds.concerns(kind) or 'no meter'}. "
        f"May be sealed: {sealed or 'nothing'}.",
    ]  # fmt: skip


def field_table(kind: int) -> list[str]:
    if not kinds.fields(kind):
        return []
    lines = ["", "| no. | field | type | |", "|---|---|---|---|"]
    for number, field, row, required in kinds.fields(kind):
        kind_of_value = "key" if field.endswith("_key") else shape(row)
        notes = [] if required else ["optional"]
        if field in kinds.SEALABLE.get(kind, ()):
            notes.append("sealable")
        lines.append(f"| {number} | `{field}` | {kind_of_value} | {', '.join(notes)} |")
    return lines


def reason_page() -> str:
    lines = [f"| `{code}` | {text} |" for code, text in reason_texts.TEXTS.items()]
    relay = [f"| `{code}` | {text} |" for code, text in reason_texts.RELAY_OPEN.items()]
    closed = [f"| `{code}` | {text} |" for code, text in reason_texts.RELAY_CLOSED.items()]
    return REASONS_INTRO.format(reasons="\n".join(lines), relay_open="\n".join(relay), relay_closed="\n".join(closed))


def publishers() -> list[str]:
    """By role, what it publishes and who certifies it."""
    lines = ["| role | publishes | certified by |", "|---|---|---|"]
    for role, name in sorted(roles.NAMES.items()):
        published = [_words(kind) for kind in sorted(kinds.NAMES) if name in kinds.publishers(kind)]
        by = [roles.NAMES[other] for other, may in sorted(roles.MAY_CERTIFY.items()) if role in may]
        lines.append(f"| {name} | {', '.join(published) or 'nothing'} | {', '.join(by)} |")
    return lines


def inboxes() -> list[str]:
    """By whom they concern, the kinds that a host puts into inboxes."""
    concerned: dict[str, list[str]] = {}
    for kind in sorted(kinds.NAMES):
        if kinds.concerns(kind) != kinds.NOBODY:
            concerned.setdefault(kinds.concerns(kind), []).append(_words(kind))
    return ["| entry | goes to |", "|---|---|", *(f"| {', '.join(names)} | {to} |" for to, names in concerned.items())]


def records() -> list[str]:
    """Of the ledger's state: the number of each record, its key and fields."""
    rows = sorted(ledger_records.ROWS.items())
    lines = [
        f"| {number} | {name} | {key or 'nothing'} | {', '.join(fields.split())} |"
        for number, (name, key, fields) in rows
    ]  # fmt: skip
    return ["| no. | record | key | fields |", "|---|---|---|---|", *lines]


def _words(kind: int) -> str:
    return kinds.NAMES[kind].replace("_", " ")


def with_blocks(path: Path) -> str:
    """The page with what is between its marks made anew, each line indented as its mark is."""
    text = path.read_text()
    for name, make in BLOCKS.items():
        mark = re.compile(rf"^( *)<!-- {name}: tools/spec_tables.py -->\n.*?^ *<!-- end -->$", re.DOTALL | re.MULTILINE)
        for found in mark.finditer(text):
            lines = [f"<!-- {name}: tools/spec_tables.py -->", "", *make(), "", "<!-- end -->"]
            made = "\n".join(found.group(1) + line if line else "" for line in lines)
            text = text.replace(found.group(), made)
    return text


BLOCKS = {"publishers": publishers, "inboxes": inboxes, "records": records}
PAGES: dict[str, Callable[[], str]] = {
    "docs/spec/bodies.md": bodies,
    "docs/spec/reasons.md": reason_page,
    "docs/spec/log.md": partial(with_blocks, ROOT / "docs/spec/log.md"),
    "docs/spec/ledger.md": partial(with_blocks, ROOT / "docs/spec/ledger.md"),
    "docs/spec/ingest.md": partial(with_blocks, ROOT / "docs/spec/ingest.md"),
}


def main() -> int:
    status = 0
    for name, make in PAGES.items():
        path, text = ROOT / name, make()
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{name} is not what the code has: run python tools/spec_tables.py", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
