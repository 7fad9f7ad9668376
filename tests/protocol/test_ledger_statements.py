"""Statements in the ledger: each time is stated once, a period closes, and what comes later is a correction."""

from simulator.community import START_S
from simulator.market import Market
from wattpact_protocol.ledger import records
from wattpact_protocol.log import reasons


def test_no_time_is_stated_twice():
    market = Market()

    def state(from_slot, to_slot):
        return market.state_of(market.west, START_S + 900 * from_slot, START_S + 900 * to_slot)

    assert state(0, 0) == reasons.NO_PERIOD and state(1, 0) == reasons.NO_PERIOD
    assert state(0, 1) is None
    assert state(0, 2) is None, "it takes the place of the one before"
    assert state(1, 3) == state(3, 4) == reasons.STATED_BEFORE, "twice, and a time between that is not stated"
    assert state(2, 3) is None
    assert state(0, 1) == state(0, 3) == reasons.STATED_BEFORE, "another one begins at its end"
    assert state(0, 2) is None
    assert state(-2, -1) == state(-1, 1) == reasons.STATED_BEFORE
    assert state(-1, 0) is None, "a month that was not stated in time"
    assert state(2, 4) is None
    assert market.sink.record_of(records.STATED, market.west.kid) == {
        "from_s": START_S - 900, "to_s": START_S + 3600}  # fmt: skip


def test_a_period_closes_and_what_comes_later_is_a_correction():
    market = Market()
    day_s = 86400

    def state(**fields):
        return market.state_of(market.west, START_S - 30 * day_s, START_S, **fields)

    assert state(net_nano=500) is None
    first = market.stated
    assert state(corrects=first.id) == reasons.CORRECTS_NOTHING, "it is not closed: another takes its place"
    market.community.now_s = START_S + 14 * day_s - 1
    assert state(net_nano=600) is None
    closed = market.stated
    market.community.now_s += 1
    assert state(net_nano=700) == reasons.PERIOD_CLOSED
    assert state(corrects=first.id) == state(corrects=bytes(32)) == reasons.CORRECTS_NOTHING
    assert market.state_of(market.west, START_S - 30 * day_s, START_S + 900, corrects=closed.id) == "corrects_nothing"
    assert market.state_of(market.west, START_S, START_S + 900, corrects=closed.id) == reasons.CORRECTS_NOTHING
    assert state(corrects=closed.id, net_nano=-20) is None
    record = market.sink.record_of(records.STATEMENT, market.west.kid, START_S - 30 * day_s)
    assert record == {"id": market.stated.id, "to_s": START_S, "net_nano": -20, "stated_s": market.community.now_s}
    assert state(corrects=closed.id) == reasons.CORRECTS_NOTHING, "it was corrected"
    assert state(corrects=market.stated.id) == reasons.CORRECTS_NOTHING, "that was rejected"
