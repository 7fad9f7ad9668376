"""Projections against accounts folded from all entries: generated communities, whatever comes late, and restarts."""

import case
import pytest
from simulator.generated import SLOT, Generated, S
from simulator.host import PRICES, hosted
from wattpact.accounts import Accounts
from wattpact.keys import Signer
from wattpact.market import terms
from wattpact.ordering.writer import ORDERED
from wattpact.projections import follow, settled, stored_accounts
from wattpact.store.records import Accepted, Agreed, Totals
from wattpact.store.sqlite.store import Store
from wattpact.views import contracts
from wattpact.views.contracts import Shown
from wattpact.views.stored import StoredViews
from wattpact_protocol.log import kinds


def arrived(entries, bits):
    """As they may arrive: founding entries first, each author's in order, authors in any; what blocks order mostly in
    the order in which it was signed, since most of it is rejected otherwise."""
    first = [new for new in entries if new.kind in (kinds.COMMUNITY, kinds.CERTIFICATE, kinds.TARIFF)]
    is_mixed = not bits.below(4)
    logs: dict[bytes, list] = {}
    for new in entries:
        if new not in first:
            is_ordered = new.kind in ORDERED and not is_mixed
            logs.setdefault(b"ordered" if is_ordered else new.kid, []).append(new)
    found = list(first)
    while logs:
        kid = bits.choice(sorted(logs))
        count = 1 + bits.below(6)
        found += logs[kid][:count]
        logs[kid] = logs[kid][count:]
        if not logs[kid]:
            del logs[kid]
    return found


def figures(accounts, to_s):
    """Everything that statements of some windows hold."""
    found = {}
    for from_s, end_s in ((S, to_s), (S + SLOT, S + 3 * SLOT), (S + 2 * SLOT, to_s + SLOT)):
        for payer in accounts.payers(from_s, end_s):
            made = accounts.statement(payer, from_s, end_s)
            found[from_s, end_s, payer] = (
                made.figures(), made.closure, made.evidence_from_s, made.unsettled, made.meters,
                [line.leaf() for line in made.lines],
            )  # fmt: skip
        found[from_s, end_s] = sorted(accounts.postings(from_s, end_s))
    return found


@pytest.mark.parametrize("seed", range(24))
def test_stored_or_folded_accounts_state_the_same(tmp_path, seed, monkeypatch):
    """In any number of steps, as of any time that rises, with days so short that settlement runs over many of them."""
    monkeypatch.setattr(settled, "_AT_ONCE_S", SLOT * (1 + seed % 3))
    made = Generated(seed, silence_s=(None, 2 * SLOT)[seed % 2])
    bits = case.Bits(f"late {seed}")
    entries, host = arrived(made.community.entries, bits), Signer(b"h" * 32, "host")
    batches = []  # each with the time of the block that orders it
    with Store(tmp_path / "a.db", made.community.id) as store:
        now_s = S
        while entries:
            count = 1 + bits.below(1 + len(made.community.entries) // 4)
            batch, entries = entries[:count], entries[count:]
            store.append([Accepted(new, chained=new.kind != kinds.MANDATE) for new in batch], now_s)
            now_s += bits.below(SLOT)
            batches.append((batch, now_s))
            follow.bring_up(store, (), now_s, host)
            assert_same(store, batches, now_s, made.end)
        now_s = max(now_s, made.end) + 10 * SLOT
        follow.bring_up(store, (), now_s, host)
        assert_same(store, batches, now_s, made.end)


def assert_same(store, batches, now_s, to_s):
    folded = Accounts()
    for entries, ordered_s in batches:
        folded.apply(entries, ordered_s)
    if folded.inputs.community is None:
        return
    folded.settle(now_s)
    stored = stored_accounts.accounts_of(store, now_s)
    assert figures(stored, to_s) == figures(folded, to_s)
    by_id = folded.inputs.contracts.by_id
    rows = {row.id: (row, totals) for row, totals in store.contracts()}
    assert set(rows) == set(by_id)
    for name, one in by_id.items():
        row, totals = rows[name]
        fill = folded.settlement.fills.get(name)
        kept = (one.used_from_s, one.terminated_s, one.terminated_by, one.attributed_wh, one.grant_number)
        assert kept == (row.used_from_s, row.terminated_s, row.terminated_by, row.attributed_wh, row.grant_number)
        if fill is not None:
            assert (fill.carried_wh, fill.short_wh, fill.spare_wh, fill.closed_s, fill.unused_wh) == totals
    for entries, _ in batches:
        for new in entries:
            row = store.entry_with_id(new.id)
            assert new.kind not in ORDERED or store.place(row.cursor).reason == folded.rejected.get(new.id)


def contract(name, **more):
    row = {
        "id": name, "offer": b"o", "acceptance": b"a", "supplier": b"s", "consumer": b"c", "wh": 100, "max_w": 1000,
        "price_micro_per_kwh": 1, "start_s": 0, "end_s": 1000, "priority": 1, "start_by_s": 100, "matched_s": 0,
        "grant_number": 1, "used_from_s": 10, "terminated_s": None, "terminated_by": None, "attributed_wh": 0,
        "end_reason": None, "ended_s": None, **more,
    }  # fmt: skip
    return next(contracts.shown([(Agreed(**row), Totals(0, 0, 0, None, 0))]))


def supplying(*live: Shown) -> "bytes | None":
    found = contracts.supplying(live, b"c", 500)
    return found and found.contract.id


def test_what_supplies_a_meter_is_its_first_running_contract_that_has_energy_left():
    assert supplying() is None
    assert supplying(contract(b"1", priority=2), contract(b"2", priority=1), contract(b"3", priority=1)) == b"2"
    assert supplying(contract(b"1", attributed_wh=100), contract(b"2", priority=9)) == b"2"
    assert supplying(contract(b"1", consumer=b"x"), contract(b"2", used_from_s=None), contract(b"3", end_s=500)) is None
    assert supplying(contract(b"1", attributed_wh=99)) == b"1"


def test_a_view_that_was_read_before_a_price_was_ordered_has_it_afterwards(tmp_path):
    """What was published is stored at once and holds once the ledger has it: a view between the two keeps neither."""
    community = hosted(tmp_path)
    host = community.sink
    host.projections.follow()
    views = StoredViews(host.path, host.clock)

    def price():
        return views.community()["tariff"]["import_micro_per_kwh"]

    assert price() == PRICES[0]
    from_s = terms.first_slot_s(host.store, community.now_s)
    terms.set_tariff(host.store, community.issuer.key, from_s, (123_456, 1), community.now_s)
    assert price() == PRICES[0]
    host.projections.follow()
    community.now_s = from_s
    assert price() == 123_456
    host.close()
