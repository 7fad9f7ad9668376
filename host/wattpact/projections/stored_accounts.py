"""The accounts as they are stored: statements made from what the projections hold, at the cost of what they state.

    certificates, tariffs -> inputs;  points at the edges of a window -> load profiles;  fills -> what was carried

What always holds: they state what accounts folded from all entries would, as of the last settlement; nothing of it is
read before a statement needs it. docs/spec/settlement.md.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from wattpact_protocol.ledger import members, records
from wattpact_protocol.ledger.machine import RULES
from wattpact_protocol.log import entry, kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement import statement
from wattpact_protocol.settlement.contracts import Contract, Contracts
from wattpact_protocol.settlement.inputs import SettlementInputs
from wattpact_protocol.settlement.slots import Fill, Settlement
from wattpact_protocol.settlement.statement import Statement

from wattpact.accounts import AccountsError, Statements
from wattpact.projections.contracts import StoredContract
from wattpact.projections.settled import Window, end_s_of
from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Reader
from wattpact.store.records import SILENT, Agreed, Totals

FOUNDING = (kinds.COMMUNITY, kinds.TARIFF, kinds.CERTIFICATE)
# What is read of everybody for a bundle: terms, what contracts rest on, and the keys that parts of it are sealed with.
_OF_ALL = sorted({*RULES} - {kinds.USAGE_END, kinds.KEY_EPOCH, kinds.STATEMENT, kinds.POLICY})
# A bundle has the logs of the meters in its closure whole, so any other kind that a meter publishes may be in one.
_OF_CLOSURE = [kind for kind in kinds.NAMES if "meter" in kinds.publishers(kind).split() and kind not in _OF_ALL]
_LAST_S = kinds.MAX_UINT


class StoredProfile:
    """A meter's load profile, read around the times that are wanted."""

    def __init__(self, reader: Reader, kid: bytes, slot_s: int, end_s: int) -> None:
        self._reader, self._kid, self._slot_s, self.end_s = reader, kid, slot_s, end_s
        self._known: dict[tuple[int, ...], Window] = {}

    def at(self, unix_s: int) -> tuple[int, int]:
        return self._around(unix_s).at(unix_s)

    def estimated_wh(self, from_s: int, to_s: int) -> int:
        return self._around(from_s, to_s).estimated_wh(from_s, to_s)

    @property
    def begin_s(self) -> int:
        """The time of the first point."""
        return self._reader.points_around(self._kid, -1)[0].unix_s

    def _around(self, *times: int) -> Window:
        found = self._known.get(times)
        if found is None:
            points = {point for unix_s in times for point in self._reader.points_around(self._kid, unix_s)}
            found = self._known[times] = Window(self._slot_s, sorted(points), self.end_s)
        return found


def profile_of(reader: Reader, kid: bytes, slot_s: int) -> StoredProfile | None:
    """A meter's load profile, None where it has no points."""
    end_s = end_s_of(reader, kid)
    return StoredProfile(reader, kid, slot_s, end_s) if end_s >= 0 else None


class _Profiles(dict[bytes, Any]):
    """The load profiles of all meters that have any points, each once it is wanted."""

    def __init__(self, reader: Reader, slot_s: int) -> None:
        super().__init__()
        self._reader, self._slot_s = reader, slot_s

    def get(self, kid: bytes, default: Any = None) -> Any:
        if kid not in self.keys():
            self[kid] = profile_of(self._reader, kid, self._slot_s)
        return self[kid] or default

    def __contains__(self, kid: object) -> bool:
        return isinstance(kid, bytes) and self.get(kid) is not None


class StoredFill(Fill):
    """What a contract has carried, by slot, as it is stored."""

    def __init__(self, reader: Reader, contract: Contract, totals: Totals) -> None:
        super().__init__(contract)
        self._reader, self._totals = reader, totals
        self.closed_s, self.unused_wh = totals.closed_s, totals.unused_wh

    @property
    def carried_wh(self) -> int:
        return self._totals.carried_wh

    @property
    def short_wh(self) -> int:
        return self._totals.short_wh

    def carried_before(self, unix_s: int) -> int:
        if unix_s <= self.contract.start_s or not self._totals.carried_wh:
            return 0
        if unix_s >= self.contract.end_s:
            return self._totals.carried_wh
        return self._reader.carried_before(self.contract.id, unix_s)

    def carried_in(self, from_s: int, to_s: int) -> int:
        return self.carried_before(to_s) - self.carried_before(from_s)


class _Contracts(dict[bytes, Contract]):
    """Contracts by id, each read once it is wanted; `values` reads them all."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader

    def get(self, name: bytes, default: Any = None) -> Any:
        if name not in self.keys():
            found = self._reader.contract(name)
            if found is None:
                return default
            self[name] = StoredContract(found[0])
        return self[name]

    def values(self) -> Any:
        return [StoredContract(row) for row, _ in self._reader.contracts()]

    def __iter__(self) -> Iterator[bytes]:
        return iter([row.id for row, _ in self._reader.contracts()])


def founding_of(reader: Reader) -> SettlementInputs:
    """Who pays, and at which prices: from the ledger's records of authors, tariffs and the community alone."""
    inputs = SettlementInputs()
    entries = []
    for record, parts in ((records.COMMUNITY, 0), (records.AUTHOR, 1), (records.TARIFFS, 1)):
        for name, value in reader.ledger_values(records.prefix_of(record, parts)):
            fields = records.decode(record, value)
            inputs.follow(record, records.parts_of(name)[1], fields)
            if record != records.TARIFFS:
                entries.append(fields["id"] if record == records.COMMUNITY else members.newest(fields)["id"])
    for name in entries:
        row = reader.entry_with_id(name)
        if row is not None:
            inputs.apply(entry.decode(row.raw, reader.community))
    return inputs


def inputs_of(reader: Reader, founding: SettlementInputs) -> SettlementInputs:
    """The inputs of settlement as they are stored; besides `founding`, each is read once it is wanted."""
    inputs = copy.copy(founding)
    inputs.voids = [(row.id, str(row.void_reason)) for row in reader.void_entries()]
    inputs.sealed = {kid: count for kid, count in reader.sealing().items() if count}
    inputs.load_profiles = _Profiles(reader, inputs.slot_s)
    inputs.contracts = Contracts()
    inputs.contracts.by_id = _Contracts(reader)
    return inputs


Rows = list[tuple[Agreed, Totals]]
ContractsOf = Callable[[bytes, int, int], Rows]  # of a meter, that end after a time and start before another


class StoredSettlement(Settlement):
    """What is settled, of contracts that some window overlaps."""

    def __init__(
        self, reader: Reader, inputs: SettlementInputs, now_s: int, contracts_of: ContractsOf, from_s: int = 0,
        to_s: int = _LAST_S,
    ) -> None:  # fmt: skip
        super().__init__(inputs.slot_s, inputs.silence_s, inputs.load_profiles, inputs.contracts)
        self.frontier_s = reader.progress().frontier_s
        # What has begun since the last settlement is not settled yet.
        self._now_s = min(now_s, self.frontier_s + self.slot_s - 1)
        self.stuck = {kid: slot_s for kid, what, slot_s, _ in reader.waiting() if what != SILENT}
        self.of_meter = _FillsOfMeter(reader, contracts_of, from_s, to_s)
        self.fills = _Fills(reader)


class _FillsOfMeter(dict[bytes, list[Fill]]):
    def __init__(self, reader: Reader, contracts_of: ContractsOf, from_s: int, to_s: int) -> None:
        super().__init__()
        self._reader, self._contracts_of, self._from_s, self._to_s = reader, contracts_of, from_s, to_s

    def get(self, kid: bytes, default: Any = None) -> Any:
        if kid not in self.keys():
            rows = self._contracts_of(kid, self._from_s, self._to_s)
            self[kid] = [StoredFill(self._reader, StoredContract(row), totals) for row, totals in rows]
        return self[kid]


class _Fills(dict[bytes, Fill]):
    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader

    def get(self, name: bytes, default: Any = None) -> Any:
        found = self._reader.contract(name)
        if found is None:
            return default
        return StoredFill(self._reader, StoredContract(found[0]), found[1])


class _Narrowed(SettlementInputs):
    """Inputs of settlement, of some meters and contracts alone."""

    def __init__(self, inputs: SettlementInputs, meters: list[bytes], confirmed: dict[bytes, Contract]) -> None:
        self.__dict__.update(inputs.__dict__)
        self._meters = meters
        self.contracts = Contracts()
        self.contracts.by_id = confirmed

    @property
    def meters(self) -> list[bytes]:
        return self._meters


class StoredAccounts(Statements):
    """The accounts of a store as of its last settlement; they belong to the reader's thread, and to one moment."""

    def __init__(self, reader: Reader, now_s: int, founding: SettlementInputs | None = None) -> None:
        inputs = inputs_of(reader, founding or founding_of(reader))
        self._reader, self._now_s = reader, now_s
        self._contracts: dict[tuple[bytes, int, int], Rows] = {}
        self._windows: dict[tuple[int, int], tuple[StoredSettlement, dict[bytes, list[bytes]]]] = {}
        founded = inputs.community is not None
        super().__init__(inputs, StoredSettlement(reader, inputs, now_s, self._contracts_of) if founded else None)

    def statement(self, subject: bytes, from_s: int, to_s: int) -> Statement:
        start_s, end_s = self.window(from_s, to_s)
        settlement, meters = self._over(start_s, end_s)
        own = meters.get(subject, [])
        narrowed = _Narrowed(self.inputs, own, self._linked(own, settlement, start_s, end_s))
        return statement.state(narrowed, settlement, subject, start_s, end_s)

    def _over(self, from_s: int, to_s: int) -> tuple[StoredSettlement, dict[bytes, list[bytes]]]:
        """What is settled of a window, and the meters that each payer answers for in it."""
        found = self._windows.get((from_s, to_s))
        if found is None:
            inputs = self.inputs
            meters: dict[bytes, list[bytes]] = {}
            for kid in inputs.meters:
                for payer in {span[2] for span in inputs.payers(kid, from_s, to_s)}:
                    meters.setdefault(payer, []).append(kid)
            settlement = StoredSettlement(self._reader, inputs, self._now_s, self._contracts_of, from_s, to_s)
            found = self._windows[from_s, to_s] = settlement, meters
        return found

    def _contracts_of(self, kid: bytes, from_s: int, to_s: int) -> Rows:
        place = (kid, from_s, to_s)
        if place not in self._contracts:
            self._contracts[place] = list(self._reader.contracts(from_s, to_s, kid))
        return self._contracts[place]

    def _linked(self, own: list[bytes], settlement: Settlement, from_s: int, to_s: int) -> dict[bytes, Contract]:
        """The contracts that the closure of a statement is made of, found meter by meter."""
        found: dict[bytes, Contract] = {}
        looked: dict[bytes, int] = {}  # meters, each with the time from which on its contracts were read
        meters, start_s = set(own), from_s
        while True:
            start_s = min([start_s, *(settlement.stuck.get(kid, start_s) for kid in meters)])
            new = [kid for kid in meters if looked.get(kid, to_s) > start_s]
            if not new:
                return found
            looked[new[0]] = since_s = start_s
            for row, _ in self._contracts_of(new[0], since_s, to_s):
                if row.id not in found and row.end_s > since_s:
                    found[row.id] = StoredContract(row)
                    meters.update((row.supplier, row.consumer))
                    start_s = min(start_s, settlement.floor(row.start_s))


def accounts_of(reader: Reader, now_s: int) -> StoredAccounts:
    """The accounts of all that the projections have settled; raises AccountsError, StoreError."""
    accounts = StoredAccounts(reader, now_s)
    if accounts.inputs.community is None:
        raise AccountsError("no community has been founded yet")
    return accounts


def entries_for(reader: Reader, statement: Statement, unsealer: Unsealer | None = None) -> Iterator[Entry]:
    """What the bundle of a statement is picked from, unsealed: of everybody what contracts rest on, if it took effect,
    and the logs of the meters in its closure; each entry keeps the bytes in which it was signed."""
    unsealer = unsealer or Unsealer(reader)
    for row in reader.stream(of_kinds=_OF_ALL):
        new = entry.decode(row.raw, reader.community)
        place = reader.place(row.cursor)
        if (place is not None and place.height is not None) or new.kid in statement.closure:
            yield unsealer.look(new)
    for kid in statement.closure:
        for row in reader.log(kid, of_kinds=_OF_CLOSURE):
            yield unsealer.look(entry.decode(row.raw, reader.community))


def timezone(accounts: Statements) -> str:
    """The community's."""
    community = accounts.inputs.community
    return str(community["timezone"]) if community else "UTC"
