"""Projections against the ledger folded from all entries: generated communities, whatever comes late, and restarts."""

import case
import pytest
from simulator.generated import SLOT, Generated, S
from wattpact.ledger import Ledger
from wattpact.projections import follow, ledger_feed, settled
from wattpact.projections.registers import rated_w
from wattpact.store.records import Accepted, Agreed, Certified, Totals
from wattpact.store.sqlite.store import Store
from wattpact.views import contracts
from wattpact.views.contracts import Shown
from wattpact_protocol.log import kinds


def late(entries, bits):
    """As they may arrive: founding entries first, each author's in order, authors in any."""
    first = [new for new in entries if new.kind in (kinds.COMMUNITY, kinds.CERTIFICATE)]
    logs: dict[bytes, list] = {}
    for new in entries:
        if new not in first:
            logs.setdefault(new.kid, []).append(new)
    found = list(first)
    while logs:
        kid = bits.choice(sorted(logs))
        count = 1 + bits.below(6)
        found += logs[kid][:count]
        logs[kid] = logs[kid][count:]
        if not logs[kid]:
            del logs[kid]
    return found


def figures(ledger, to_s):
    """Everything that statements of some windows hold."""
    found = {}
    for from_s, end_s in ((S, to_s), (S + SLOT, S + 3 * SLOT), (S + 2 * SLOT, to_s + SLOT)):
        for payer in ledger.payers(from_s, end_s):
            made = ledger.statement(payer, from_s, end_s)
            found[from_s, end_s, payer] = (
                made.fields([]), made.closure, made.evidence_from_s, made.unsettled, made.meters,
                [line.leaf() for line in made.lines],
            )  # fmt: skip
        found[from_s, end_s] = sorted(ledger.postings(from_s, end_s))
    return found


@pytest.mark.parametrize("seed", range(24))
def test_stored_or_folded_a_ledger_states_the_same(tmp_path, seed, monkeypatch):
    """In any number of steps, as of any time that rises, with days so short that settlement runs over many of them."""
    monkeypatch.setattr(settled, "_AT_ONCE_S", SLOT * (1 + seed % 3))
    made = Generated(seed, silence_s=(None, 2 * SLOT)[seed % 2])
    bits = case.Bits(f"late {seed}")
    entries, at = late(made.community.entries, bits), 0
    with Store(tmp_path / "a.db", made.community.id) as store:
        now_s = S
        while at < len(entries):
            count = 1 + bits.below(1 + len(entries) // 4)
            store.append([Accepted(new) for new in entries[at : at + count]], now_s)
            at += count
            now_s += bits.below(3 * SLOT)
            follow.bring_up(store, (), now_s)
            assert_same(store, entries[:at], now_s, made.end)
        now_s = max(now_s, made.end) + 10 * SLOT
        follow.bring_up(store, (), now_s)
        assert_same(store, entries, now_s, made.end)


def assert_same(store, entries, now_s, to_s):
    folded = Ledger()
    folded.apply(entries)
    if folded.inputs.community is None:
        return
    folded.settle(now_s)
    stored = ledger_feed.ledger_of(store, now_s)
    assert figures(stored, to_s) == figures(folded, to_s)
    agreements = folded.inputs.agreements
    rows = {row.id: (row, totals) for row, totals in store.contracts()}
    assert set(rows) == set(agreements.confirmed)
    for name, one in agreements.confirmed.items():
        row, totals = rows[name]
        fill = folded.settlement.fills.get(name)
        kept = (one.used_from_s, one.terminated_s, one.terminated_by, one.attributed_wh, one.grant_number)
        assert kept == (row.used_from_s, row.terminated_s, row.terminated_by, row.attributed_wh, row.grant_number)
        assert (row.void_reason is None) == (name in agreements.contracts)
        if fill is not None:
            assert (fill.carried_wh, fill.short_wh, fill.closed_s, fill.unused_wh) == totals


def test_rated_power_is_that_of_the_certificate_that_holds_then_and_had_come():
    def body(version, since_s, watts):
        return {"version": version, "not_before_s": since_s, **({} if watts is None else {"rated_w": watts})}

    known = [
        Certified(bytes(8), bytes(32), 10, body(1, 100, 5000)),
        Certified(bytes(8), bytes(32), 20, body(2, 500, 7000)),
        Certified(bytes(8), bytes(32), 30, body(3, 0, None)),
    ]
    assert [rated_w(known, cursor, 600) for cursor in (5, 11, 21, 31)] == [0, 5000, 7000, 0]
    assert [rated_w(known, 21, unix_s) for unix_s in (50, 499, 500)] == [5000, 5000, 7000]


def test_before_any_certificate_has_begun_the_first_to_begin_holds_in_whatever_order_they_came():
    known = [
        Certified(bytes(8), bytes(32), 10, {"version": 3, "not_before_s": 900, "rated_w": 2000}),
        Certified(bytes(8), bytes(32), 20, {"version": 4, "not_before_s": 500, "rated_w": 9000}),
    ]
    assert [rated_w(known, 21, unix_s) for unix_s in (100, 600, 1000)] == [9000, 9000, 9000]
    assert [rated_w(known[::-1], 21, unix_s) for unix_s in (100, 600, 1000)] == [9000, 9000, 9000]
    assert rated_w(known, 11, 100) == 2000


def contract(name, **more):
    row = {
        "id": name, "offer": b"o", "acceptance": b"a", "supplier": b"s", "consumer": b"c", "wh": 100, "max_w": 1000,
        "price_micro_per_kwh": 1, "start_s": 0, "end_s": 1000, "priority": 1, "start_by_s": 100, "matched_s": 0,
        "grant_number": 1, "used_from_s": 10, "terminated_s": None, "terminated_by": None, "attributed_wh": 0,
        "end_reason": None, "ended_s": None, "void_reason": None, **more,
    }  # fmt: skip
    return next(contracts.shown([(Agreed(**row), Totals(0, 0, None, 0))]))


def supplying(*live: Shown) -> "bytes | None":
    found = contracts.supplying(live, b"c", 500)
    return found and found.contract.id


def test_what_supplies_a_meter_is_its_first_running_contract_that_has_energy_left():
    assert supplying() is None
    assert supplying(contract(b"1", priority=2), contract(b"2", priority=1), contract(b"3", priority=1)) == b"2"
    assert supplying(contract(b"1", attributed_wh=100), contract(b"2", priority=9)) == b"2"
    assert supplying(contract(b"1", consumer=b"x"), contract(b"2", used_from_s=None), contract(b"3", end_s=500)) is None
    assert supplying(contract(b"1", attributed_wh=99)) == b"1"
