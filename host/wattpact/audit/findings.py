"""What an audit finds: the entry that refutes a bundle, the keys that it needs, or a report of what was verified and
what was not shown."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from wattpact_protocol.log import kinds
from wattpact_protocol.log.entry import Entry

from wattpact.bundle.cosigned import NOBODY, Required


class Refuted(Exception):
    """The bundle is wrong. `entry` names the first entry that shows it."""

    def __init__(self, reason: str, entry: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.entry = entry

    def sentence(self) -> str:
        if self.entry is None:
            return f"refuted: {self.reason}"
        named = self.entry
        author = f"author {named['author']}" if named["author"] else "author unreadable"
        place = "place unreadable"
        if named["sequence"] is not None:
            place = f"generation {named['generation']} sequence {named['sequence']}"
        kind = named["kind"] or "kind unreadable"
        return f"refuted: entry {named['number']} ({kind}, {author}, {place}, byte {named['offset']}): {self.reason}"


class Undecided(Exception):
    """Neither agrees nor refuted: readings are sealed, and no key that fits was given for them.

    `misfits` are those of `missing` for which a key was given that is not the one that the meter committed to."""

    def __init__(
        self, missing: list[dict[str, Any]], misfits: list[dict[str, Any]], unsealed: list[dict[str, Any]]
    ) -> None:
        self.missing = missing
        self.misfits = misfits
        self.unsealed = unsealed
        super().__init__(self.sentence())

    def sentence(self) -> str:
        parts = [
            f"the key given for {_of_meters([row])} in {row['file']!r} is not the one that the meter committed to in "
            f"entry {row['entry']['number']} (key_open, author {row['meter']}, byte {row['entry']['offset']})"
            for row in self.misfits
        ]  # fmt: skip
        wrong = [_place(row) for row in self.misfits]
        absent = [row for row in self.missing if _place(row) not in wrong]
        if absent:
            parts.append(f"readings are sealed, and no key was given for {_of_meters(absent)}")
        return "undecided: " + "; ".join(parts)


class Uncosigned(Undecided):
    """Every figure agrees, and the ledger's head has not the cosignatures that the community's entry requires: nothing
    shows that others are shown the same ledger. `report` is what was verified."""

    def __init__(self, report: "Report", reason: str) -> None:
        self.report = report
        self.reason = reason
        super().__init__([], [], report.unsealed)

    def sentence(self) -> str:
        return f"undecided: every figure agrees, and {self.reason}"


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["meter"], row["generation"], row["key_no"])


def _of_meters(rows: list[dict[str, Any]]) -> str:
    """key period 7 of House 1, key periods 3 to 5 and 9 of House 2: of rows in order of meter, generation, number."""
    logs: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        logs.setdefault((row["meter"], row["generation"]), []).append(row)
    named = []
    for (meter, generation), found in logs.items():
        whose = found[0]["label"] or meter
        log = f", generation {generation}," if generation else ""
        named.append(f"{key_periods(row['key_no'] for row in found)} of {whose}{log}")
    return ", ".join(named)


def key_periods(key_nos: Iterable[int]) -> str:
    """key period 7; key periods 3 to 5, 9: of rising numbers."""
    numbers = list(key_nos)
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    named = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans)
    return f"{'key period' if len(numbers) == 1 else 'key periods'} {named}"


@dataclass
class Report:
    """An audit that agrees. Wh and nano-units as in the statement; `fields` are the statement's."""

    community: dict[str, Any]
    subject: bytes
    fields: dict[str, Any]
    stated_s: int
    stated_by: bytes
    labels: dict[bytes, str]
    counts: dict[str, int] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    meters: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    estimated: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    void: list[str] = field(default_factory=list)
    unsealed: list[dict[str, Any]] = field(default_factory=list)  # key periods, with disclosed keys
    cosigned: dict[str, int] = field(default_factory=dict)  # of the witnesses that count: name, Unix seconds
    corrects: dict[str, Any] | None = None  # the ledger's record of the statement that it corrects
    promised: Required = NOBODY  # by the community's entry
    keys: list[str] = field(default_factory=list)  # remarks on given keys that did not fit or were not needed


def name_of(new: Entry, number: int, offset: int) -> dict[str, Any]:
    """How a report names an entry."""
    return {
        "number": number, "offset": offset, "kind": new.name, "author": new.kid.hex(),
        "generation": new.generation, "sequence": new.sequence,
    }  # fmt: skip


def name_of_bytes(raw: bytes, number: int, offset: int) -> dict[str, Any]:
    """The same for bytes that are no entry: what is where an entry has its name, as far as it can be read."""
    named: dict[str, Any] = {
        "number": number, "offset": offset, "kind": None, "author": raw[8:16].hex() or None, "generation": None,
        "sequence": None,
    }  # fmt: skip
    start = raw.find(b"\x86", 18, 21)
    if start < 0:
        return named
    items = []
    position = start + 1
    for _ in range(3):
        item, position = _uint(raw, position)
        items.append(item)
    if None not in items:
        named.update(kind=kinds.NAMES.get(items[0] or 0), generation=items[1], sequence=items[2])
    return named


def _uint(raw: bytes, position: int) -> tuple[int | None, int]:
    """The CBOR unsigned integer at a position, None where there is none; and the position after it."""
    head = raw[position] if position < len(raw) else 0xFF
    if head < 24:
        return head, position + 1
    if head > 27:
        return None, position
    size = 1 << (head - 24)
    return int.from_bytes(raw[position + 1 : position + 1 + size], "big"), position + 1 + size
