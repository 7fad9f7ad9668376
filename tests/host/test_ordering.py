"""The writer of a host's ledger: what is ordered once, by whom, and what a restart or another program changes."""

import pytest
from simulator.community import START_S
from simulator.deal import Deal
from simulator.host import hosted
from wattpact.ordering import keeping, writer
from wattpact.ordering.following import Follower
from wattpact_protocol.ledger import blocks, records
from wattpact_protocol.log import reasons


@pytest.fixture
def community(tmp_path):
    made = hosted(tmp_path)
    yield made
    made.sink.close()


def followed(community):
    """Who applies every block that is stored, from the first on."""
    follower = Follower(community.id)
    store = community.sink.store
    for height in range(store.last_block().height + 1):
        follower.apply(writer.block_bytes(store, height))
    return follower


def placed(community, new):
    store = community.sink.store
    return store.place(store.entry_with_id(new.id).cursor)


def test_who_follows_the_stored_blocks_gets_the_signed_head(community):
    deal = Deal(community.owned_meter("House 1"), community.owned_meter("House 2"))
    community.now_s = START_S + 2
    community.sink.stored(*deal.entries)
    point = followed(community).check_head(community.sink.store.text(keeping.CHECKPOINT))
    assert point.size == community.sink.store.last_block().height + 1


def test_an_entry_is_ordered_once_however_often_the_host_starts(community):
    deal = Deal(community.owned_meter("House 1"), community.owned_meter("House 2"))
    community.now_s = START_S + 2
    for new in deal.entries:
        community.sink.stored(new)
        before = community.sink.store.last_block()
        community.sink.reopen()
        community.sink.projections.follow()
        assert community.sink.store.last_block() == before
        assert placed(community, new).height is not None
    followed(community)


def test_two_programs_that_order_in_turn_write_one_ledger(community):
    other = writer.Writer(community.sink.store, community.host.key, community.sink.clock)
    for number in range(4):
        community.person(f"person {number}")  # ordered by the host's own writer
        community.now_s += 400
        other.refresh()
    follower = followed(community)
    assert follower.ledger.root() == other.ledger.root()


def test_what_is_rejected_has_its_reason_and_no_place(community):
    supplier, consumer = community.owned_meter("House 1"), community.owned_meter("House 2")
    deal = Deal(supplier, consumer, offer={"mandate": bytes(32)})
    community.now_s = START_S + 2
    community.sink.stored(*deal.entries)
    place = placed(community, deal.offer)
    assert (place.height, place.position, place.reason) == (None, None, reasons.NO_SELL_MANDATE)
    assert placed(community, deal.sell).reason is None


def test_the_heads_of_all_logs_are_noted_in_as_many_blocks_as_they_need(community, monkeypatch):
    meters = [community.owned_meter(f"House {number}") for number in range(5)]
    monkeypatch.setattr(blocks, "MAX_ANCHORS", 2)
    community.now_s += writer.ANCHOR_EVERY_S
    for meter in meters:
        community.sink.stored(meter.reading(START_S, [(1, 0)]))
    community.now_s += writer.ANCHOR_EVERY_S
    community.sink.stored(meters[0].reading(START_S + 60, [(1, 0)]))
    state = community.sink.writer.ledger.state
    noted = {meter.name: state.get(records.HEAD, meter.kid) for meter in meters}
    assert all(head is not None for head in noted.values()), noted
    assert noted["House 0"]["next_sequence"] == meters[0].sequence


def test_a_clock_that_goes_back_makes_no_block_from_before(community):
    community.now_s = START_S + 1000
    community.person("later")
    community.now_s = START_S + 10
    community.person("earlier")
    assert community.sink.store.last_block().time_s == START_S + 1000


def test_a_ledger_that_is_quiet_is_refreshed_by_a_block_of_now(community):
    height = community.sink.store.last_block().height
    community.now_s += writer.REFRESHED_EVERY_S
    community.sink.writer.refresh()
    assert community.sink.store.last_block().height == height
    community.now_s += 1
    community.sink.writer.refresh()
    last = community.sink.store.last_block()
    assert (last.height, last.time_s) == (height + 1, community.now_s)
