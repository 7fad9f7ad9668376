"""Statements in the ledger: each time is stated once, a period closes, and what comes later is a correction."""

from simulator.community import START_S
from simulator.market import Market
from wattpact_protocol.ledger import records
from wattpact_protocol.log import reasons, roles


def test_no_time_is_stated_twice():
    market = Market()

    def state(from_slot, to_slot):
        return market.state_of(market.west, START_S + 900 * from_slot, START_S + 900 * to_slot)

    def spans():
        held = market.sink.record_of(records.STATED, market.community.host.kid, market.west.kid)["spans"]
        return [[(begin - START_S) // 900, (end - START_S) // 900] for begin, end in held]

    assert state(0, 0) == reasons.NO_PERIOD and state(1, 0) == reasons.NO_PERIOD
    assert state(0, 32 * 96 + 1) == reasons.PERIOD_TOO_LONG
    assert state(0, 2) is None
    assert state(0, 2) is None, "it takes the place of the one before"
    assert state(0, 1) == state(0, 3) == state(1, 3) == state(-1, 3) == state(-1, 1) == reasons.STATED_BEFORE
    assert state(2, 3) is None and spans() == [[0, 3]]
    assert state(5, 6) is None and spans() == [[0, 3], [5, 6]], "nobody was stated between"
    assert state(4, 6) == state(2, 5) == reasons.STATED_BEFORE
    assert state(-3, -1) is None and state(3, 5) is None and spans() == [[-3, -1], [0, 6]]
    assert state(-1, 0) is None and spans() == [[-3, 6]], "a month that was not stated in time"


def test_what_one_host_states_holds_up_no_other():
    market = Market()
    assert market.state_of(market.west, START_S, START_S + 900) is None
    other = market.community.host
    market.community.host = market.community.certify(
        market.community.author("another"), market.community.issuer, roles.HOST
    )
    assert market.state_of(market.west, START_S - 900, START_S + 900) is None
    assert market.state_of(market.west, START_S, START_S + 900) == reasons.STATED_BEFORE
    assert market.sink.record_of(records.STATEMENT, other.kid, market.west.kid, START_S)["id"] != market.stated.id


def test_there_are_so_many_holes_at_the_most():
    market = Market()

    def state(slot):
        return market.state_of(market.west, START_S + 900 * slot, START_S + 900 * slot + 900)

    assert [state(2 * at) for at in range(64)] == [None] * 64
    assert state(128) == reasons.STATED_BEFORE
    assert state(1) is None and state(128) is None


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
    record = market.sink.record_of(records.STATEMENT, market.community.host.kid, market.west.kid, START_S - 30 * day_s)
    assert record == {
        "id": market.stated.id, "to_s": START_S, "net_nano": -20, "stated_s": market.community.now_s,
        "closed_nano": 600, "closed_s": START_S + 14 * day_s - 1, "corrections": 1,
    }  # fmt: skip
    assert state(corrects=closed.id) == reasons.CORRECTS_NOTHING, "it was corrected"
    assert state(corrects=market.stated.id) == reasons.CORRECTS_NOTHING, "that was rejected"
