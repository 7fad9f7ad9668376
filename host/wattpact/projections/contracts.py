"""Contracts: one row each, as the ledger's records have them, and what their consumers' meters reported of their use.

    new blocks -> records of contracts -> rows, steps;  usage -> Wh attributed, and the end

What always holds: a row is the ledger's record; settlement learns from which second on a contract changed. What a meter
reports of its use is for people, and no money rests on it. docs/spec/contracts.md.
"""

from collections.abc import Iterable

from wattpact_protocol.ledger import records
from wattpact_protocol.log import entry, kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.contracts import Contract

from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Store
from wattpact.store.recorded import record_of
from wattpact.store.records import Agreed

USED = (kinds.USAGE, kinds.USAGE_END)
_CHANGES = (kinds.GRANT, kinds.USAGE_START, kinds.TERMINATE)  # they name a contract, whose record they change
_STEPS = (*_CHANGES, kinds.USAGE_END)
_HEIGHT = "contracts"


class StoredContract(Contract):
    """A contract as its row has it."""

    def __init__(self, row: Agreed) -> None:
        fields = row._asdict()
        fields.update(grant=row.grant_number or 0, granted_s=None, terminated_by=row.terminated_by or "")
        super().__init__(row.id, fields)
        self.attributed_wh, self.end_reason = row.attributed_wh, row.end_reason


class ContractProjection:
    """The contracts of one store; `unsealer` reads it too."""

    def __init__(self, store: Store, unsealer: Unsealer) -> None:
        self._store = store
        self._unsealer = unsealer

    def follow(self) -> None:
        """Bring the rows up to the last block; inside a transaction of the caller's."""
        store = self._store
        last = store.last_block()
        height = store.number(_HEIGHT)
        if last is None or last.height < height:
            return
        changed: dict[bytes, None] = {}
        steps: list[tuple[bytes, bytes]] = []
        for number in range(height, last.height + 1):
            for row in store.ordered_in(number):
                if row.kind == kinds.CONTRACT:
                    changed[row.id] = None
                elif row.kind in _STEPS:
                    contract = entry.decode(row.raw, store.community).body["contract"]
                    steps.append((contract, row.id))
                    if row.kind in _CHANGES:
                        changed[contract] = None
        for name in changed:
            self._keep(name)
        store.keep_steps(steps)
        store.set_number(_HEIGHT, last.height + 1)

    def _keep(self, name: bytes) -> None:
        fields, held = record_of(self._store, records.CONTRACT, name), self._store.contract(name)
        if fields is None:
            return  # default supply, with no contract behind it
        contract, before = Contract(name, fields), None if held is None else held[0]
        self._store.keep_contracts([_row(contract, before)])
        if before is None:
            self._store.keep_steps((name, step) for step in (contract.offer_id, contract.acceptance_id, name))
        since = _changed_s(before, contract)
        if since is not None:
            self._store.changed_from(since)

    def attribute(self, new_ones: Iterable[Entry]) -> None:
        """What meters reported of the use of contracts, of the kinds USED; inside a transaction of the caller's."""
        for new in new_ones:
            found = self._store.contract(new.body["contract"])
            if found is None or found[0].consumer != new.kid:
                continue
            wh = self._unsealer.look(new).body.get("attributed_wh", 0)
            self._store.attribute(found[0].id, wh)
            if new.kind == kinds.USAGE_END and found[0].end_reason is None:
                ended = found[0]._replace(
                    attributed_wh=max(wh, found[0].attributed_wh), end_reason=new.body["reason"],
                    ended_s=new.stamp.unix_s,
                )  # fmt: skip
                self._store.keep_contracts([ended])

    def attribute_anew(self, consumer: bytes) -> None:
        """What the meter of a consumer sealed can be read now."""
        rows = self._store.log(consumer, of_kinds=USED)
        self.attribute(entry.decode(row.raw, self._store.community) for row in rows)


def _row(one: Contract, before: Agreed | None) -> Agreed:
    used = (0, None, None) if before is None else (before.attributed_wh, before.end_reason, before.ended_s)
    return Agreed(
        one.id, one.offer_id, one.acceptance_id, one.supplier, one.consumer, one.wh, one.max_w,
        one.price_micro_per_kwh, one.start_s, one.end_s, one.priority, one.start_by_s, one.matched_s,
        one.grant_number, one.used_from_s, one.terminated_s, one.terminated_by, *used,
    )  # fmt: skip


def _changed_s(old: Agreed | None, new: Contract) -> int | None:
    """From which second on energy may be carried otherwise than before; None where nothing is."""
    if old is None:
        return int(new.start_s)
    found = []
    if old.used_from_s != new.used_from_s:
        found += [unix_s for unix_s in (old.used_from_s, new.used_from_s) if unix_s is not None]
    if (old.terminated_s, old.terminated_by) != (new.terminated_s, new.terminated_by):
        found.append(min(StoredContract(old).active_to_s, new.active_to_s) - 1)
    return min(found, default=None)
