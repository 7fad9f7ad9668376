"""The heads of the ledger that meters reported in their logs, compared with the blocks themselves."""

from pathlib import Path
from typing import NamedTuple

from wattpact_protocol.ledger.ledger import Ledger
from wattpact_protocol.log import entry, event_codes, kinds

from wattpact.store import DATABASE, open_reader


class ReportedHead(NamedTuple):
    """Of so many blocks, by the meter of that label."""

    label: str
    blocks: int
    root: str
    unix_s: int | None


def heads_of(path: Path) -> list[ReportedHead]:
    """Those in a data directory; a file of blocks has none. Raises StoreError."""
    if not path.is_dir():
        return []
    found = []
    with open_reader(path / DATABASE) as reader:
        labels = {known.kid: known.body["label"] for known in reader.certificates()}
        for row in reader.stream(of_kinds=(kinds.EVENT,)):
            new = entry.decode(row.raw, reader.community)
            if new.body["code"] == event_codes.LEDGER_HEAD and row.void_reason is None:
                label = labels.get(new.kid, new.kid.hex())
                body = new.body
                found.append(ReportedHead(label, body.get("detail", 0), body.get("text", ""), new.stamp.unix_s))
    return found


def differing(ledger: Ledger, heads: list[ReportedHead]) -> list[ReportedHead]:
    """Those that are not of these blocks."""
    return [one for one in heads if not 0 < one.blocks <= ledger.size or ledger.root(one.blocks).hex() != one.root]
