"""Accounts: what is paid is received, what flows is accounted for, and arrival in pieces changes nothing."""

import case
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator.community import Community
from simulator.month import MONTH, S, TradedMonth
from wattpact.accounts import GRID, Accounts, AccountsError, Posting, balances
from wattpact.accounts.postings import CARRIED, GRID_EXPORT, GRID_IMPORT, UNUSED
from wattpact.billing import bill
from wattpact_protocol.log import roles

SLOT = 900
SLOTS = 6
METERS = 4

flows = st.lists(st.integers(0, 500), min_size=SLOTS, max_size=SLOTS)
agreed = st.fixed_dictionaries({
    "pair": st.permutations(range(METERS)).map(lambda order: order[:2]),
    "price": st.integers(0, 10**6), "wh": st.integers(1, 1500), "max_w": st.integers(0, 6000),
    "start": st.integers(0, SLOTS * SLOT - 1), "length": st.integers(1, 4 * SLOT), "priority": st.integers(1, 2),
    "used": st.booleans(), "end": st.none() | st.tuples(st.integers(0, METERS), st.integers(0, SLOTS * SLOT)),
})  # fmt: skip
worlds = st.fixed_dictionaries({
    "imports": st.lists(flows, min_size=METERS, max_size=METERS),
    "exports": st.lists(flows, min_size=METERS, max_size=METERS),
    "shown": st.lists(st.integers(0, SLOTS), min_size=METERS, max_size=METERS),
    "contracts": st.lists(agreed, max_size=6),
})  # fmt: skip


def community_of(world) -> Community:
    community = Community(SLOT)
    community.tariff(0, 300_000, 70_000)
    community.tariff(S + 2000, 250_000, 90_000)
    people = [community.person(f"person {i}") for i in range(3)]
    meters = [community.meter(f"meter {i}", people[i % 3]) for i in range(METERS)]
    for one in world["contracts"]:
        supplier, consumer = (meters[i] for i in one["pair"])
        start_s = S + one["start"]
        end_s = start_s + one["length"]
        contract = community.agree(
            supplier, consumer, one["price"], one["wh"], one["max_w"], start_s, end_s, one["priority"],
            None if one["used"] else -1,
        )  # fmt: skip
        if one["end"] is not None:
            who = community.issuer if one["end"][0] == METERS else meters[one["end"][0]]
            community.terminate(who, contract, S + one["end"][1])
    for meter, imports, exports, shown in zip(meters, world["imports"], world["exports"], world["shown"], strict=True):
        community.reading(meter, S, totals(imports[:shown]), totals(exports[:shown]))
    return community


def totals(steps):
    values = [0]
    for step in steps:
        values.append(values[-1] + step)
    return values


def statements(accounts: Accounts):
    window = S, S + SLOTS * SLOT
    return [accounts.statement(kid, *window).figures() for kid in accounts.payers(*window)]


@settings(max_examples=case.cases(150, 25), deadline=None)
@given(worlds)
def test_nothing_is_lost_or_made_up(world):
    community = community_of(world)
    accounts = Accounts()
    accounts.apply(community.entries)
    accounts.settle(S + SLOTS * SLOT)
    made = statements(accounts)
    for name in ("bought_wh", "bought_nano"):
        assert sum(one[name] for one in made) == sum(one[name.replace("bought", "sold")] for one in made)
    assert sum(one["unused_nano"] for one in made) == sum(one["unused_earned_nano"] for one in made)
    settled = [accounts.settlement.settled_to(kid, S + SLOTS * SLOT) for kid in accounts.inputs.meters]
    load_profiles = [accounts.inputs.load_profiles[kid] for kid in accounts.inputs.meters]
    imported = sum(load.at(until)[0] for load, until in zip(load_profiles, settled, strict=True))
    exported = sum(load.at(until)[1] for load, until in zip(load_profiles, settled, strict=True))
    assert imported == sum(one["bought_wh"] + one["grid_import_wh"] for one in made)
    assert exported == sum(one["sold_wh"] + one["grid_export_wh"] for one in made)
    assert all(one["grid_import_wh"] >= 0 and one["grid_export_wh"] >= 0 for one in made)
    sums = balances(accounts.postings(S, S + SLOTS * SLOT))
    assert sum(sums.values()) == 0
    assert sum(one["net_nano"] for one in made) == sums.get(GRID, 0)
    for fill in accounts.settlement.fills.values():
        contract = fill.contract
        assert 0 <= fill.carried_wh + fill.unused_wh <= contract.wh
        assert fill.carried_wh <= contract.max_w * (contract.end_s - contract.start_s) // 3600 + 1


@settings(max_examples=case.cases(200, 25), deadline=None)
@given(worlds, st.integers(1, 7))
def test_entries_that_come_in_pieces_give_the_same(world, piece):
    community = community_of(world)
    whole, pieces = Accounts(), Accounts()
    whole.apply(community.entries)
    whole.settle(S + SLOTS * SLOT)
    for start in range(0, len(community.entries), piece):
        pieces.apply(community.entries[start : start + piece])
        if pieces.inputs.community is not None:
            pieces.settle(S + SLOTS * SLOT)
    assert statements(pieces) == statements(whole)
    assert pieces.postings(S, S + SLOTS * SLOT) == whole.postings(S, S + SLOTS * SLOT)


@settings(max_examples=case.cases(60, 15), deadline=None)
@given(worlds, st.lists(st.integers(1, SLOTS - 1), max_size=3))
def test_the_parts_of_a_window_add_up(world, cuts):
    accounts = Accounts()
    accounts.apply(community_of(world).entries)
    accounts.settle(S + SLOTS * SLOT)
    edges = [S + SLOT * cut for cut in sorted({0, SLOTS, *cuts})]
    summed = [name for name in bill.FIGURES if name != "settled_to_s"]
    for kid in accounts.payers(S, S + SLOTS * SLOT):
        whole = accounts.statement(kid, S, S + SLOTS * SLOT).figures()
        parts = [accounts.statement(kid, *edge).figures() for edge in zip(edges, edges[1:], strict=False)]
        assert {name: sum(part[name] for part in parts) for name in summed} == {name: whole[name] for name in summed}


def test_the_grid_is_an_account_and_all_accounts_sum_to_zero():
    traded = TradedMonth("accounts")
    accounts = traded.accounts()
    window = bill.make(accounts, traded.west.kid, MONTH).statement
    postings = accounts.postings(window.from_s, window.to_s)
    sums = balances(postings)
    assert sum(sums.values()) == 0 and set(sums) == {GRID, traded.east.kid, traded.west.kid, traded.north.kid}
    made = {person: bill.make(accounts, person.kid, MONTH) for person in (traded.east, traded.west, traded.north)}
    for person, one in made.items():
        assert sums[person.kid] == -one.fields["net_nano"]


def test_a_meter_without_an_owner_answers_for_itself():
    community = Community(SLOT)
    community.tariff(0, 300_000, 70_000)
    meter = community.meter("alone")
    community.reading(meter, S, [0, 10])
    accounts = Accounts()
    accounts.apply(community.entries)
    accounts.settle(S + SLOT)
    assert accounts.payers(S, S + SLOT) == [meter.kid]
    assert accounts.statement(meter.kid, S, S + SLOT).figures()["net_nano"] == 3_000_000


def test_what_cannot_be_stated_is_rejected_with_a_sentence():
    with pytest.raises(AccountsError, match="no community"):
        Accounts().settle(S)
    with pytest.raises(AccountsError, match="no community"):
        Accounts().statement(bytes(8), S, S + SLOT)
    accounts = Accounts()
    accounts.apply(Community(SLOT).entries)
    with pytest.raises(AccountsError, match="no slot"):
        accounts.statement(bytes(8), S + 1, S + 2)
    with pytest.raises(AccountsError, match="no contract"):
        accounts.fill(bytes(32))


def test_certificates_that_change_nothing_change_no_payer():
    community = Community(SLOT)
    east, west = community.person("east"), community.person("west")
    meter = community.meter("meter", east)
    community.certify(meter, community.issuer, roles.METER, 1, owner=west.kid)
    community.certify(meter, community.issuer, roles.PERSON, 2)
    accounts = Accounts()
    accounts.apply(community.entries)
    assert accounts.inputs.payer_at(meter.kid, S) == east.kid
    assert list(accounts.rejected.values()) == ["stale_version", "role_changed"]


def test_every_payment_of_a_window_by_name():
    """A contract whose consumer changes hands in its midst, and the grid for the rest."""
    community = Community(SLOT)
    community.tariff(0, 300_000, 70_000)
    east, west, north = (community.person(name) for name in ("east", "west", "north"))
    roof, wallbox = community.meter("roof", east), community.meter("wallbox", west)
    contract = community.agree(roof, wallbox, 200_000, 300, 4000, S, S + 2 * SLOT)
    community.certify(wallbox, community.issuer, roles.METER, 2, S + 1, owner=north.kid)
    community.reading(roof, S, [0, 5, 5], [0, 100, 150])
    community.reading(wallbox, S, [0, 110, 170], [0, 0, 4])
    accounts = Accounts()
    accounts.apply(community.entries)
    accounts.settle(S + 2 * SLOT)
    postings = accounts.postings(S - 5, S + 2 * SLOT)
    assert {one for one in postings if one.wh} == {
        Posting(west.kid, east.kid, CARRIED, 100, 100 * 200_000, contract.id),
        Posting(west.kid, GRID, GRID_IMPORT, 10, 10 * 300_000, None),
        Posting(east.kid, GRID, GRID_IMPORT, 5, 5 * 300_000, None),
        Posting(north.kid, east.kid, CARRIED, 50, 50 * 200_000, contract.id),
        Posting(north.kid, GRID, GRID_IMPORT, 10, 10 * 300_000, None),
        Posting(GRID, north.kid, GRID_EXPORT, 4, 4 * 70_000, None),
    }
    assert balances(postings)[GRID] == 25 * 300_000 - 4 * 70_000
    assert accounts.payers(S, S + 2 * SLOT) == sorted([east.kid, west.kid, north.kid])
    assert accounts.payers(S, S + SLOT) == sorted([east.kid, west.kid])
    assert accounts.fill(contract.id).carried_wh == 150


def test_nothing_is_posted_of_what_is_not_settled():
    community = Community(SLOT)
    community.tariff(0, 300_000, 70_000)
    east, west = community.person("east"), community.person("west")
    roof, wallbox = community.meter("roof", east), community.meter("wallbox", west)
    contract = community.agree(roof, wallbox, 200_000, 300, 4000, S, S + 2 * SLOT)
    community.reading(roof, S, [0, 0], [0, 100])
    community.reading(wallbox, S, [0, 60, 90])
    accounts = Accounts()
    accounts.apply(community.entries)
    with pytest.raises(AccountsError, match="no community"):
        Accounts().postings(S, S + SLOT)
    with pytest.raises(AccountsError, match="no community"):
        nothing = Accounts()
        nothing.apply([])
        nothing.settle(S)
    assert accounts.fill(contract.id).carried_wh == 0  # known, and nothing of it settled yet
    accounts.settle(S + 2 * SLOT)
    assert {(one.what, one.wh) for one in accounts.postings(S, S + 2 * SLOT) if one.wh} == {
        (CARRIED, 60), (GRID_EXPORT, 40),
    }  # fmt: skip
    assert accounts.postings(S + SLOT, S + 2 * SLOT) == []


def test_a_window_holds_the_slots_that_start_in_it():
    accounts = Accounts()
    accounts.apply(Community(SLOT).entries)
    assert accounts.window(S, S + SLOT) == (S, S + SLOT)
    assert accounts.window(S - 1, S + SLOT + 1) == (S, S + 2 * SLOT)
    with pytest.raises(AccountsError, match="no slot"):
        accounts.window(S + SLOT, S)
    assert accounts.statement(bytes(8), S + 1, S + SLOT + 1).figures()["from_s"] == S + SLOT


def test_accounts_and_payments_have_the_names_that_programs_know():
    assert (CARRIED, UNUSED, GRID_IMPORT, GRID_EXPORT) == ("carried", "unused", "grid_import", "grid_export")
    assert GRID == b"the grid"
