"""What of the ledger a statement rests on: which records its bundle proves, and the head that they are proven under.

What always holds: the records are those of one state, which the statement names; whoever has them sees every contract,
owner, tariff and key of the meters and times that the statement is about, and that there is no other.
docs/spec/bundle.md, "Records".
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from wattpact_protocol.ledger import members, records
from wattpact_protocol.ledger.blocks import Header
from wattpact_protocol.log import ids, kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.statement import Statement

from wattpact.billing import collect
from wattpact.bundle.format import Head, Record


class Proven(Protocol):
    """A ledger as of its last block: the header and head of that, and the record of a key with its proof."""

    header: Header

    def head(self) -> Head: ...

    def record(self, key: bytes) -> Record: ...


def records_of(ledger: Proven, statement: Statement, picked: Iterable[Entry], host: bytes) -> list[Record]:
    """Every record that the bundle of a statement by `host` has, `picked` being its entries."""
    found: dict[bytes, Record] = {}

    def add(record: int, *key: bytes | int) -> dict[str, Any] | None:
        name = records.key_of(record, *key)
        if name not in found:
            found[name] = ledger.record(name)
        value = found[name].value
        return None if value is None else records.decode(record, value)

    entries = list(picked)
    add(records.COMMUNITY)
    _add_tariffs(add, statement.from_s)
    add(records.STATED, host, statement.subject)
    add(records.STATEMENT, host, statement.subject, statement.from_s)
    owned = add(records.OWNED, statement.subject) or {"meters": []}
    certified = [ids.kid_of(new.body["public_key"]) for new in entries if new.kind == kinds.CERTIFICATE]
    for kid in sorted({*owned["meters"], *statement.closure, *certified}):
        add(records.AUTHOR, kid)
    for kid in statement.closure:
        add(records.HEAD, kid)
        for period in members.periods_of(statement.evidence_from_s, statement.to_s):
            for name in (add(records.CONTRACTS, kid, period) or {"ids": []})["ids"]:
                add(records.CONTRACT, name)
    for new in entries:
        if new.kind == kinds.MANDATE:
            add(records.MANDATE, new.id)
        key_no = collect.key_no_of(new)
        if key_no is not None:
            add(records.KEY, new.kid, new.generation, key_no)
    return [found[name] for name in sorted(found)]


def _add_tariffs(add: Callable[..., dict[str, Any] | None], from_s: int) -> None:
    """Back from the newest period with tariffs to the one that has the tariff of from_s."""
    newest = add(records.TARIFFS)
    period = -1 if newest is None else newest["before"]
    while period >= 0:
        held = add(records.TARIFFS, period) or {"before": -1, "rows": []}
        if any(row[0] <= from_s for row in held["rows"]):
            return
        period = held["before"]
