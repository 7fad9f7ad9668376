"""What is read of a store costs what it returns: an author's newest entries, and the contracts that are live."""

from itertools import islice

import pytest
from simulator.generated import Generated, S
from wattpact.keys import Signer
from wattpact.projections import follow
from wattpact.store.records import Accepted
from wattpact.store.sqlite.store import Store
from wattpact_protocol.log import kinds


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    generated = Generated(3)
    person, meter = generated.people[0], generated.meters[0]
    generated.community.mandate(person, meter, kinds.SELL, 1, 1, 1, S, S + 1)
    with Store(tmp_path_factory.mktemp("costs") / "a.db", generated.community.id) as store:
        chained = [Accepted(new, "order_id" not in new.body) for new in generated.community.entries]
        store.append(chained, S)
        follow.bring_up(store, (), generated.end, Signer(b"h" * 32, "host"))
        yield generated, store


@pytest.mark.parametrize(
    "of_kinds", [(), (kinds.READING,), (kinds.OFFER, kinds.CONTRACT), (kinds.READING, kinds.OFFER)]
)
@pytest.mark.parametrize("limit", [1, 4, 1000])
@pytest.mark.parametrize("before", [None, 20])
def test_an_authors_newest_entries_are_those_of_all(made, of_kinds, limit, before):
    generated, store = made
    for author in (generated.meters[0], generated.people[0], generated.community.issuer):
        everything = store.entries(before=before, newest_first=True)
        wanted = [row for row in everything if row.author == author.kid and row.kind in (of_kinds or kinds.NAMES)]
        found = store.entries(before=before, of_kinds=of_kinds, author=author.kid, limit=limit, newest_first=True)
        assert found == wanted[:limit]
        assert store.entries(before=before, of_kinds=of_kinds, author=author.kid, newest_first=True) == wanted


def plans(store, read):
    """How SQLite finds what `read` reads: a line for each step."""
    statements = []
    store._db.set_trace_callback(statements.append)
    read()
    store._db.set_trace_callback(None)
    return [row[3] for sql in statements for row in store._db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]


def test_where_entries_were_ordered_is_one_search_for_all(made):
    """And what is in no block is not there."""
    _, store = made
    rows = store.entries(newest_first=True)
    placed = store.ordered([row.cursor for row in rows])
    assert placed.keys() == {row.cursor for row in rows if store.place(row.cursor)} and placed
    for row in rows:
        place = store.place(row.cursor)
        if place is not None:
            block = None if place.height is None else store.block(place.height)
            assert placed[row.cursor] == (place.height, None if block is None else block.time_s, place.reason)
    others = [row for row in rows if row.kind != kinds.READING]
    assert store.ordered_by_id([row.id for row in others]) == {
        row.id: placed[row.cursor] for row in others if row.cursor in placed
    }
    assert store.ordered([]) == store.ordered_by_id([]) == {}
    contract = next(store.contracts())[0].id
    for read in (
        lambda: store.ordered([row.cursor for row in rows[:50]]), lambda: store.ordered_by_id([others[0].id]),
        lambda: store.steps(contract),
    ):  # fmt: skip
        found = plans(store, read)
        assert found and not any(line.startswith("SCAN") and "json_each" not in line for line in found), found


def test_neither_reads_the_table_through(made):
    generated, store = made
    author = generated.people[0].kid
    for read in (
        lambda: store.entries(author=author, limit=10, newest_first=True),
        lambda: list(store.contracts(ends_after_s=S)),
    ):
        searched = [line for line in plans(store, read) if "entries" in line or "contracts" in line]
        assert searched and all(line.startswith("SEARCH") and "INDEX" in line for line in searched), searched
        assert not any("contracts_by_start" in line or "PRIMARY KEY" in line for line in searched), searched


@pytest.mark.parametrize("after_s", [0, 1, S, S + 3000, S + 10_000])
@pytest.mark.parametrize("before_s", [S + 2000, S + 100_000])
def test_contracts_of_a_time_are_those_of_all_that_overlap_it(made, after_s, before_s):
    _, store = made
    everything = list(store.contracts())
    wanted = [
        pair for pair in everything
        if pair[0].start_s < before_s and max(pair[0].end_s, pair[0].ended_s or 0) > after_s
    ]  # fmt: skip
    assert list(store.contracts(after_s, before_s)) == wanted
    assert list(islice(store.contracts(), 1)) == everything[:1]
