"""What must hold of a store, whatever its node and its meters went through. Each rule names whom it found at fault."""

from collections.abc import Iterable, Sequence

from wattpact.accounts import Accounts
from wattpact.keys import Signer
from wattpact.ordering.writer import ORDERED
from wattpact.projections.unsealing import Unsealer
from wattpact.store.sqlite.reader import Reader
from wattpact_protocol.log import chain, entry, kinds, readings
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.register_rules import RegisterRules

Logs = dict[bytes, list[Entry]]  # meter: its entries in the order of the store


class Held:
    """Everything in a store, read once, and opened with the keys of `signers`."""

    def __init__(self, reader: Reader, meters: Iterable[bytes], signers: Sequence[Signer]) -> None:
        self.reader = reader
        self.unsealer = Unsealer(reader, signers)
        self.certificates = {known.kid: known for known in reader.certificates()}
        self.rows = list(reader.stream())
        self.entries = [self.unsealer.unseal(entry.decode(row.raw, reader.community)) for row in self.rows]
        self.logs: Logs = {kid: [] for kid in meters}
        for new in self.entries:
            if new.kid in self.logs:
                self.logs[new.kid].append(new)

    def of_kind(self, kind: int, author: bytes | None = None) -> list[Entry]:
        return [new for new in self.entries if new.kind == kind and author in (None, new.kid)]

    def accounts(self, now_s: int) -> Accounts:
        """Folded from all entries, by the blocks that order them, whatever the projections hold."""
        accounts = Accounts()
        for row, new in zip(self.rows, self.entries, strict=True):
            place = self.reader.place(row.cursor)
            if place is None:
                assert new.kind not in ORDERED, new
                accounts.apply([new])
            elif place.height is not None:
                block = self.reader.block(place.height)
                assert block is not None
                accounts.apply([new], block.time_s)
        assert accounts.rejected == {}
        accounts.settle(now_s)
        return accounts


def logs_are_whole(held: Held) -> None:
    """Every log follows from its certificate without a gap, nothing in it is void, and nobody forked."""
    for kid, entries in held.logs.items():
        head = chain.start(kid, 0, held.certificates[kid].id)
        assert entries, f"{kid.hex()} has published nothing"
        for new in entries:
            assert chain.judge(head, new, None) == chain.NEXT, (new, head.next_sequence)
            head.accept(new)
    assert held.reader.forks() == []
    assert [(row.cursor, row.void_reason) for row in held.rows if row.void_reason] == []


def nothing_acknowledged_is_lost(
    held: Held, acknowledged: "dict[bytes, int]", receipts: "dict[tuple[bytes, int], bytes]"
) -> None:
    """What a HEAD or a receipt acknowledged is in the store, the very entry."""
    assert acknowledged and receipts
    for kid, next_sequence in acknowledged.items():
        assert len(held.logs[kid]) >= next_sequence, (kid.hex(), len(held.logs[kid]), next_sequence)
    for (kid, sequence), name in receipts.items():
        assert len(held.logs[kid]) > sequence, (kid.hex(), sequence)
        assert held.logs[kid][sequence].id == name, (kid.hex(), sequence)


def no_sequence_is_used_twice(
    held: Held, sent: "dict[tuple[bytes, int], set[bytes]]", journals: "dict[bytes, dict[int, bytes]]"
) -> None:
    """Wire, flash and store know one entry for each place."""
    assert [place for place, ids in sent.items() if len(ids) != 1] == []
    for kid, entries in held.logs.items():
        for new in entries:
            assert sent.get((kid, new.sequence), {new.id}) == {new.id}, new
        journal = journals[kid]
        assert list(journal) == list(range(min(journal), max(journal) + 1))
        assert len(entries) >= min(journal), f"{kid.hex()} freed {min(journal)} entries, {len(entries)} are stored"
        for sequence, raw in journal.items():
            assert raw, (kid.hex(), sequence)
            if sequence < len(entries):
                assert raw == entries[sequence].raw, entries[sequence]


def registers_only_rise(held: Held) -> "dict[bytes, tuple[int, int]]":
    """In readings and in all other entries of a meter, in one register generation; the last (import, export) Wh."""
    last = {}
    for kid, entries in held.logs.items():
        kept, floor_wh = RegisterRules(held.certificates[kid].body["rated_w"]), 0
        for new in entries:
            body = new.body
            if new.kind == kinds.READING:
                assert kept.apply(body) is None, new
                assert body["register_generation"] == 1, new
            elif "import_wh" in body:
                assert body["import_wh"] >= floor_wh, new
                floor_wh = body["import_wh"]
            elif "registers" in body:
                assert body["registers"].get(readings.IMPORT_WH, floor_wh) >= floor_wh, new
        last[kid] = (kept.values[readings.IMPORT_WH], kept.values[readings.EXPORT_WH])
    return last


def granted_once(held: Held) -> "dict[bytes, Entry]":
    """One grant a contract, of a meter each of another number; contract: grant."""
    grants = held.of_kind(kinds.GRANT)
    numbers = [(new.body["meter"], new.body["number"]) for new in grants]
    found = {new.body["contract"]: new for new in grants}
    assert len(found) == len(grants) == len(set(numbers))
    return found


def attributed_once(held: Held, consumer: bytes) -> "dict[bytes, int]":
    """A contract carries its Wh at most, all of them together what was imported; contract: Wh attributed."""
    grants, used = granted_once(held), dict[bytes, int]()
    for new in held.logs[consumer]:
        if new.kind in (kinds.USAGE, kinds.USAGE_END):
            contract, wh = new.body["contract"], new.body["attributed_wh"]
            assert used.get(contract, 0) <= wh <= grants[contract].body["wh"], new
            used[contract] = wh
            assert sum(used.values()) <= new.body["import_wh"], new
    return used


def settled(held: Held, now_s: int) -> "dict[bytes, int]":
    """Every Wh of every meter is a contract's or the grid's, as far as it is settled; contract: Wh carried."""
    accounts = held.accounts(now_s)
    for fill in accounts.settlement.fills.values():
        assert 0 <= fill.carried_wh <= fill.contract.wh
    for kid, load in accounts.inputs.load_profiles.items():
        to_s = accounts.settlement.settled_to(kid, accounts.inputs.ceil(now_s))
        # Before the block of its certificate nobody answers for a meter.
        from_s = accounts.inputs.payers(kid, load.times[0], to_s)[0][0]
        made = accounts.statement(held.certificates[kid].body["owner"], from_s, to_s)
        balance, before, after = made.balance, load.at(accounts.inputs.ceil(from_s)), load.at(to_s)
        assert made.meters == [kid]
        assert balance.bought_wh + balance.grid_import_wh == after[0] - before[0]
        assert balance.sold_wh + balance.grid_export_wh == after[1] - before[1]
    first_s = min(load.times[0] for load in accounts.inputs.load_profiles.values())
    postings = accounts.postings(first_s, now_s)
    owners = {held.certificates[kid].body["owner"] for kid in accounts.inputs.load_profiles}
    nets = {owner: accounts.statement(owner, first_s, now_s).figures()["net_nano"] for owner in owners}
    for owner, net_nano in nets.items():
        paid = sum(p.nano for p in postings if p.payer == owner) - sum(p.nano for p in postings if p.receiver == owner)
        assert paid == net_nano
    return {fill.contract.id: fill.carried_wh for fill in accounts.settlement.fills.values()}
