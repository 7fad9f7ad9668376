"""Writes docs/spec/bodies.md from the table that the code decodes by, so that the two cannot part.

python tools/spec_tables.py             write it
python tools/spec_tables.py --check     fail if it would change
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "protocol"))

from wattpact_protocol.log import event_codes, kinds  # noqa: E402  (found by the path above)

PAGE = ROOT / "docs/spec/bodies.md"

INTRO = """# Bodies

Every kind of entry has a closed set of fields. On the wire a body is a map from the number to the value (a reading: an
array, see [readings.md](readings.md)). A decoder MUST refuse an unknown number, a missing required field, and a value
of another type or beyond its range.

This page is made from the table in `protocol/wattpact_protocol/log/kinds.py`; [wire.cddl](wire.cddl) is written by hand
and tested against the same table.

Types: `kid` 8 bytes, `id` 32 bytes (an entry's), `key` 32 bytes; text is UTF-8 with its length in bytes. Prices are in
millionths of the currency per kWh, amounts in thousand-millionths (`nano`), times in Unix seconds. A price has 32 bits
like the Wh of a contract, so that what one contract comes to has 64. Fields marked *sealable* may travel sealed, all
those of a body together, as number 0: [sealing.md](sealing.md).
"""

SAYS = {
    "certificate": "An issuer (or the root) enrols a key. [log.md](log.md), [enrolment.md](enrolment.md)",
    "event": "Something happened at a meter: the codes are below.",
    "community": "The community's own settings. `slot_s` and `silence_s` MUST NOT change once said: see settlement.md.",
    "tariff": "The grid's prices from a time on; a later word on the same time replaces the earlier.",
    "policy": "What a meter's guard goes by; fields left out have the defaults of [guard.md](guard.md).",
    "mandate": "An owner tells a meter what it may commit to by itself.",
    "offer": "A supplier's meter advertises supply.",
    "demand": "A consumer's meter asks for supply.",
    "acceptance": "A consumer's meter takes an offer or part of one.",
    "contract": "The supplier's meter confirms: this entry's id is the contract's.",
    "grant": "The issuer tells the consumer's meter all that it needs to supply under a contract with no network.",
    "usage_start": "The consumer's meter begins to use a contract.",
    "usage": "How much the consumer's meter has counted against a contract so far.",
    "usage_end": "The consumer's meter has done with a contract: 1 used up, 2 expired, 3 terminated, 4 void.",
    "terminate": "A party or the issuer ends a contract. From a person it carries an order id and an expiry.",
    "receipt": "A host holds this author's log up to here, on disk.",
    "statement": "A person's figures for a period, said by a host, with the roots an auditor recomputes.",
    "key_epoch": "A meter gives the secret of an epoch to its readers, wrapped for each. [sealing.md](sealing.md)",
    "key_open": "A meter commits to the key of a key period before it seals with it. [sealing.md](sealing.md)",
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


def page() -> str:
    parts = [INTRO]
    for kind in sorted(kinds.NAMES):
        name = kinds.NAMES[kind]
        if kind == kinds.READING:
            parts.append(f"## {kind} reading\n\nRegisters and their steps: [readings.md](readings.md).\n")
            continue
        lines = [f"## {kind} {name}\n", SAYS[name], "", "| no. | field | type | |", "|---|---|---|---|"]
        for key, field, row, required in kinds.TABLE[kind][1]:
            kind_of_value = "key" if field.endswith("_key") else shape(row)
            notes = [] if required else ["optional"]
            if field in kinds.SEALABLE.get(kind, ()):
                notes.append("sealable")
            lines.append(f"| {key} | `{field}` | {kind_of_value} | {', '.join(notes)} |")
        parts.append("\n".join(lines) + "\n")
    codes = "\n".join(f"| {code} | {text} |" for code, text in sorted(event_codes.NAMES.items()))
    parts.append(f"## Event codes\n\n| code | event |\n|---|---|\n{codes}\n")
    return "\n".join(parts)


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text() == text:
            return 0
        print("docs/spec/bodies.md is not what the table says: run python tools/spec_tables.py", file=sys.stderr)
        return 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
