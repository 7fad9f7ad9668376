"""What meters reported of the ledger, in events of a bundle: heads that the bundle's own head cannot follow, and what
they found wrong themselves. docs/spec/bundle.md, "What an auditor checks".
"""

from typing import TYPE_CHECKING

from wattpact_protocol.ledger.checkpoints import Checkpoint
from wattpact_protocol.log import event_codes, kind_texts, kinds
from wattpact_protocol.log.entry import Entry

from wattpact.audit.times import utc

if TYPE_CHECKING:
    from wattpact.audit.checker import _Checker

CLOCKS_S = 300  # by how much a meter's clock may be behind a host's
_ROOT_DIGITS = 64


def remarks(checker: "_Checker", host: bytes) -> list[str]:
    """A line for each head that is of another ledger, and one for each meter and what it reported, with how often."""
    labels, header = checker.inputs.labels, checker.proven.header
    assert header is not None  # since the head was checked
    found: list[str] = []
    repeated: dict[tuple[bytes, int], list[tuple[int, Entry]]] = {}
    for number, new in sorted(checker.numbers.values(), key=lambda row: row[0]):
        code = new.body["code"] if new.kind == kinds.EVENT else None
        if code in (event_codes.LEDGER_FORKED, event_codes.NOT_NOTED):
            repeated.setdefault((new.kid, code), []).append((number, new))
        elif code == event_codes.LEDGER_HEAD:
            wrong = _other_head(new, checker.proven.checkpoint(), header.time_s)
            if wrong:
                who = f"{_named(new.kid, labels)} (entry {number})"
                text = f"the head of this bundle, signed by {_named(host, labels)}, has {wrong.format(who=who)}"
                found.append(f"{text}: a host signed two ledgers, or that meter is at fault")
    for (kid, code), rows in repeated.items():
        number, new = rows[0]
        more = len(rows) - 1
        times = f" and {'once' if more == 1 else f'{more} times'} more" if more else ""
        when = "an unknown time" if new.stamp.unix_s is None else utc(new.stamp.unix_s)
        report = kind_texts.of_ledger(code, new.body.get("detail", 0), new.body.get("text", ""))
        found.append(f"{_named(kid, labels)} at {when} (entry {number}){times}: {report}")
    return found


def _other_head(new: Entry, point: Checkpoint, time_s: int) -> str | None:
    """What of the bundle's head shows that it is of another ledger than the one that a meter, `who`, reported."""
    blocks, root, unix_s = new.body.get("detail", 0), new.body.get("text", ""), new.stamp.unix_s
    if len(root) != _ROOT_DIGITS:
        return None
    if blocks == point.size and root != point.root.hex():
        return f"another root of {blocks:,} blocks than the one that {{who}} reported"
    is_early = unix_s is not None and not new.stamp.doubtful and unix_s + CLOCKS_S < time_s
    if blocks > point.size and is_early:
        return f"{point.size:,} blocks, and {{who}} reported one of {blocks:,} before"
    return None


def _named(kid: bytes, labels: dict[bytes, str]) -> str:
    return f"{labels.get(kid, 'unknown')} ({kid.hex()})"
