"""Members, owners and operators that sign whatever suits them, with valid keys: what each try amounts to.

Rejected with a reason, or harmless: the bill is what honest play gives."""

from simulator.community import DAY_S, START_S
from simulator.market import HOUR_S, HOURS, PRICE, SLOT_S, Market
from wattpact_protocol.ledger import trades
from wattpact_protocol.log import kinds, reasons, roles
from wattpact_protocol.settlement import statement

S = START_S
END_S = S + HOURS * HOUR_S
GRID = 300_000


def sold(wh=4000, used=150, made=250):
    """4 kWh agreed, 2.4 kWh used: honest play."""
    market = Market(wh)
    market.contract = market.agreed()
    market.measured(used, made)
    return market


def test_honest_play():
    market = sold()
    bill = market.bill(market.west)
    assert (bill["bought_wh"], bill["unused_nano"]) == (2400, 1600 * PRICE)
    assert market.bill(market.east)["net_nano"] == -(4000 * PRICE + 1600 * 80_000)


# Ends


def test_nobody_dates_an_end_back_after_the_contract_is_over():
    for who in ("east", "west", "roof", "wallbox", "issuer"):
        market = sold()
        honest = market.bill(market.west)
        market.at(24 * 31)
        ended = market.community.terminate(market.community.by_name[who], market.contract, S)
        is_person = who in ("east", "west")
        assert market.reason(ended) == (reasons.ORDER_EXPIRED if is_person else reasons.ENDED_BEFORE), who
        assert market.bill(market.west) == honest, who


def test_an_end_dated_back_while_the_contract_runs_counts_from_its_block():
    for who, counts_s in (
        ("west", S + 2 * HOUR_S),
        ("east", S + 2 * HOUR_S + SLOT_S),
        ("issuer", S + 2 * HOUR_S + SLOT_S),
    ):
        market = Market()
        contract = market.agreed()
        market.at(2)
        assert market.reason(market.community.terminate(market.community.by_name[who], contract, S)) is None
        assert market.record(contract)["terminated_s"] == counts_s, who
        market.measured()
        assert market.bill(market.west)["bought_wh"] == 150 * (counts_s - S) // SLOT_S, who


def test_an_end_that_its_author_withholds_changes_nothing_before_it():
    """Signed at the first second, published a month later."""
    market = sold()
    honest = market.bill(market.east)
    ended = market.roof.sign_at(kinds.TERMINATE, {"contract": market.contract.id, "reason": ""}, market.roof.place, S)
    market.at(24 * 31)
    market.sink.append(ended)
    assert market.reason(ended) == reasons.ENDED_BEFORE
    assert market.bill(market.east) == honest


# What was agreed, and when


def test_no_contract_is_made_for_energy_that_has_flowed():
    market = Market()
    market.measured()
    honest = market.bill(market.west)
    assert honest["grid_import_wh"] == 2400
    market.at(24 * 31)
    contract = market.agreed(price=1)
    assert market.record(contract) is None
    assert set(market.sink.rejected.values()) >= {reasons.BEGUN_BEFORE}
    assert market.bill(market.west) == honest


def test_a_confirmation_that_was_kept_back_is_too_late():
    market = Market()
    community = market.community
    sells = community.backed(market.roof, kinds.SELL, 390_000, 4000, S, END_S)
    offer = community.offer(market.roof, 390_000, 4000, 8000, S, END_S, sells)
    acceptance = community.accept(market.wallbox, offer, 4000, demand=community.need(market.wallbox, offer, 4000).id)
    assert market.reason(acceptance) is None
    market.at(2)
    contract = community.confirm(market.roof, acceptance, S)
    assert market.reason(contract) == reasons.STALE_ACCEPTANCE
    assert market.reason(community.grant(contract, offer, acceptance)) == reasons.UNKNOWN_CONTRACT
    market.measured()
    assert market.bill(market.west)["grid_import_wh"] == 2400


def test_a_start_that_was_kept_back_counts_for_an_hour_and_no_longer():
    for hours, counts in ((1, True), (2, False), (24 * 31, False)):
        market = Market()
        contract = market.agreed(used_s=-1)
        market.measured()
        market.at(hours)
        start = market.community.start(market.wallbox, contract, S + 1)
        assert (market.reason(start) is None) == counts, hours
        bill = market.bill(market.west)
        assert (bill["bought_wh"] > 0) == (bill["unused_nano"] > 0) == counts
        assert bill["bought_wh"] + bill["grid_import_wh"] == 2400


def test_an_offer_from_1970_is_rejected():
    market = Market()
    community = market.community
    sells = community.mandate(market.east, market.roof, kinds.SELL, 1, 1, start_s=0, end_s=S + HOUR_S)
    for start_s in (0, S - trades.LATE_S - 1):
        assert market.reason(community.offer(market.roof, 1, 1, 1, start_s, S + HOUR_S, sells.id)) == (
            reasons.PERIOD_TOO_LONG if start_s == 0 else reasons.BEGUN_BEFORE
        )


# Who may


def test_a_former_owner_ends_and_sells_nothing():
    market = sold()
    honest = market.bill(market.west)
    market.at(1)
    north = market.community.person("north")
    market.community.enrol_again(market.roof, north)
    assert market.reason(market.community.terminate(market.east, market.contract, S)) == reasons.NOT_A_PARTY
    sells = market.community.mandate(market.east, market.roof, kinds.SELL, 1, 1)
    assert market.reason(sells) == reasons.NOT_OWNER
    assert market.bill(market.west) == honest


def test_a_mandate_ends_with_its_authors_ownership():
    market = Market()
    community = market.community
    sells = community.mandate(market.east, market.roof, kinds.SELL, PRICE, 4000, start_s=S, end_s=END_S)
    community.enrol_again(market.roof, community.person("north"))
    offer = community.offer(market.roof, PRICE, 4000, 8000, S, END_S, sells.id)
    assert market.reason(offer) == reasons.NO_SELL_MANDATE


def test_an_owner_of_afterwards_is_paid_for_nothing_before():
    """The issuer certifies the roof anew, a month later, for somebody since its first day."""
    market = sold()
    honest = market.bill(market.east)
    market.at(24 * 31)
    mallory = market.community.person("mallory")
    market.community.certify(market.roof, market.community.issuer, roles.METER, 2, S - DAY_S, owner=mallory.kid)
    assert market.bill(market.east) == honest
    assert market.bill(mallory)["net_nano"] == 0


def test_whose_certificate_ended_orders_nothing_whatever_the_stamp():
    market = sold()
    market.at(1)
    community, west = market.community, market.west
    body = dict(west.certificate.body, version=2, not_after_s=community.now_s)
    community.publish(community.issuer, kinds.CERTIFICATE, body)
    market.at(1.5)
    assert market.reason(community.terminate(west, market.contract, S)) == reasons.CERTIFICATE_EXPIRED
    buys = community.mandate(west, market.wallbox, kinds.BUY, 4_000_000_000, 10**6, unix_s=S)
    assert market.reason(buys) == reasons.CERTIFICATE_EXPIRED


def test_energy_from_before_membership_is_on_no_account():
    market = Market()
    market.at(19 * 24)
    late = market.community.meter("late roof", market.east)
    market.measure(late, exports=[2000] * 60)
    enrolled_s = market.community.now_s
    market.measure(late, exports=[0, 100, 100], t0_s=enrolled_s - SLOT_S)
    inputs, settled = market.settlement()
    settled.advance(enrolled_s + DAY_S, enrolled_s + DAY_S)
    bill = statement.state(inputs, settled, market.east.kid, S, enrolled_s + 2 * SLOT_S).figures()
    assert bill["grid_export_wh"] == 200


def test_nobody_signs_ahead_of_the_clock():
    market = sold()
    honest = market.bill(market.west)
    ahead_s = S + 9 * 365 * DAY_S
    given = market.community.give(market.wallbox, 10, default_supply=True)
    assert market.reason(given) is None
    late = market.community.publish(market.community.issuer, kinds.GRANT, dict(given.body, number=99), ahead_s)
    assert market.reason(late) == reasons.FUTURE_TIME
    assert market.bill(market.west) == honest


# Mandates


def test_a_meter_that_was_taken_over_binds_its_owner_to_nothing():
    """Its seed was stolen and the issuer joins in: without the owner's mandate there is no contract to grant."""
    market = Market()
    community = market.community
    sells = community.backed(market.roof, kinds.SELL, PRICE, 4000, S, END_S)
    offer = community.offer(market.roof, 4_000_000_000, 4000, 8000, S, END_S, sells)
    demand = community.demand(market.wallbox, 4_000_000_000, 4000, 8000, S, END_S, bytes(32))
    acceptance = community.accept(market.wallbox, offer, 4000, demand=demand.id)
    contract = community.confirm(market.roof, acceptance)
    assert market.reason(demand) == reasons.NO_BUY_MANDATE
    assert market.reason(acceptance) == reasons.NO_BUY_MANDATE
    assert market.reason(contract) == reasons.UNKNOWN_ACCEPTANCE
    assert market.reason(community.grant(contract, offer, acceptance)) == reasons.UNKNOWN_CONTRACT
    market.measured()
    assert market.bill(market.west)["net_nano"] == 2400 * GRID


def test_a_neighbour_without_a_mandate_blocks_no_offer():
    market = Market()
    community = market.community
    north = community.person("north")
    other = community.meter("other", north)
    sells = community.backed(market.roof, kinds.SELL, PRICE, 4000, S, END_S)
    offer = community.offer(market.roof, PRICE, 4000, 8000, S, END_S, sells)
    assert market.reason(community.accept(other, offer, 4000)) == reasons.NO_BUY_MANDATE
    for wh in (1, 5):
        assert (
            market.reason(community.offer(other, wh, 4_000_000_000, 1, S, END_S, bytes(32))) == reasons.NO_SELL_MANDATE
        )
    needed = community.need(market.wallbox, offer, 4000)
    assert market.reason(community.accept(market.wallbox, offer, 4000, demand=needed.id)) is None


def test_a_neighbour_with_a_mandate_blocks_an_offer_for_ten_minutes():
    market = Market()
    community = market.community
    other = community.meter("other", community.person("north"))
    sells = community.backed(market.roof, kinds.SELL, PRICE, 4000, S, END_S)
    offer = community.offer(market.roof, PRICE, 4000, 8000, S, END_S, sells)
    held = community.accept(other, offer, 4000, demand=community.need(other, offer, 4000).id)
    assert market.reason(held) is None
    needed = community.need(market.wallbox, offer, 4000)
    assert market.reason(community.accept(market.wallbox, offer, 4000, demand=needed.id)) == reasons.OFFER_EXCEEDED
    market.at(0.17)
    assert market.reason(community.accept(market.wallbox, offer, 4000, demand=needed.id)) is None


def test_a_contract_is_worth_no_more_than_is_counted():
    market = Market()
    community = market.community
    roof = community.meter("unrated", market.east, rated_w=0)
    most = (1 << 32) - 1
    sells = community.backed(roof, kinds.SELL, most, most // 4, S, END_S)
    offer = community.offer(roof, most, most // 4, 8000, S, END_S, sells)
    needed = community.need(market.wallbox, offer, most // 4)
    assert market.reason(needed) is None
    rejected = community.accept(market.wallbox, offer, most // 4, demand=needed.id)
    assert market.reason(rejected) == reasons.WORTH_TOO_MUCH
    fits = trades.MAX_WORTH_NANO // most
    assert market.reason(community.accept(market.wallbox, offer, fits + 1, demand=needed.id)) == reasons.WORTH_TOO_MUCH
    assert market.reason(community.accept(market.wallbox, offer, fits, demand=needed.id)) is None
    assert trades.MAX_WORTH_NANO * trades.MAX_CONTRACTS < 1 << 63


# What suppliers earn


def test_a_supplier_that_makes_nothing_earns_nothing():
    market = sold(wh=8000, used=50, made=0)
    bill = market.bill(market.west)
    assert (bill["bought_wh"], bill["unused_nano"], bill["net_nano"]) == (0, 0, 800 * GRID)
    assert market.bill(market.east)["net_nano"] == 0


def test_unused_energy_is_due_as_far_as_the_supplier_had_it():
    for made, unused_wh in ((0, 0), (50, 0), (60, 160), (250, 3200), (550, 7200), (5000, 7200)):
        market = sold(wh=8000, used=50, made=made)
        bill = market.bill(market.west)
        assert bill["unused_nano"] == unused_wh * PRICE, made
        assert market.bill(market.east)["unused_earned_nano"] == unused_wh * PRICE


def test_what_is_sold_many_times_over_is_paid_once():
    """One kWh sold to four: nobody pays more than for what there was, and all four together no more than once."""
    for used, made in ((250, 62), (0, 62)):
        market = Market()
        community = market.community
        people = [community.person("buyer %d" % i) for i in range(4)]
        meters = [community.meter("meter %d" % i, people[i]) for i in range(4)]
        for meter in meters:
            market.agreed(consumer=meter)
            market.measure(meter, imports=[used] * 16)
            market.quiet(meter)
        market.measured(made=made)
        bills = [market.bill(person) for person in people]
        paid_wh = sum([bill["bought_nano"] + bill["unused_nano"] for bill in bills]) // PRICE
        assert paid_wh == 16 * made
        assert sum([bill["bought_wh"] for bill in bills]) == (16 * made if used else 0)
        for bill in bills:
            assert bill["net_nano"] <= 16 * used * GRID + 16 * made * PRICE


def test_a_supplier_whose_meter_is_silent_earns_nothing():
    market = Market()
    market.agreed()
    market.measure(market.wallbox, imports=[150] * 16)
    market.quiet(market.wallbox)
    inputs, settled = market.settlement()
    settled.advance(S + DAY_S, S + 30 * DAY_S)
    bill = statement.state(inputs, settled, market.west.kid, S, S + DAY_S).figures()
    assert (bill["bought_wh"], bill["unused_nano"], bill["grid_import_nano"]) == (0, 0, 2400 * GRID)


# Readings


def test_readings_that_are_left_out_move_no_energy_under_a_contract():
    """Used at night, made at noon; one reading for the day spreads either over the other."""
    night, noon = [0] * 8 + [150] * 8, [250] * 8 + [0] * 8
    for coarse in ("roof", "wallbox", "both"):
        market = Market()
        market.agreed()
        for meter, values in ((market.wallbox, (night, [0] * 16)), (market.roof, ([0] * 16, noon))):
            if coarse in (meter.name, "both"):
                market.measure(meter, [sum(values[0])], [sum(values[1])], step_s=HOURS * HOUR_S)
            else:
                market.measure(meter, *values)
            market.quiet(meter)
        bill = market.bill(market.west)
        assert (bill["bought_wh"], bill["grid_import_wh"]) == (0, 1200), coarse
        assert bill["unused_nano"] == (2000 * PRICE if coarse == "wallbox" else 0), coarse


def test_a_rating_of_afterwards_makes_no_reading_good():
    market = Market()
    community = market.community
    weak = community.meter("weak", market.west, rated_w=3000)
    read = market.measure(weak, imports=[2500] * 4)
    market.at(2)
    community.certify(weak, community.issuer, roles.METER, 2, S - DAY_S, owner=market.west.kid, rated_w=11_000)
    inputs, _ = market.settlement()
    assert (read.id, reasons.IMPOSSIBLE_JUMP) in inputs.voids


def test_a_contract_of_one_second_carries_a_seconds_worth():
    market = Market()
    community = market.community
    market.at(0.25 - 1 / 3600)
    start_s = S + SLOT_S - 1
    contract = community.agree(market.roof, market.wallbox, 100_000, 2000, 11_000, start_s, start_s + 1)
    market.measure(market.roof, exports=[500])
    market.measure(market.wallbox, imports=[500])
    assert market.record(contract)["used_from_s"] == start_s
    assert market.bill(market.west, S, S + SLOT_S)["bought_wh"] == 11_000 // 3600
    sells = community.backed(market.roof, kinds.SELL, 100_000, 2000, start_s, start_s + 1)
    above = community.offer(market.roof, 100_000, 2000, 11_001, start_s, start_s + 1, sells)
    assert market.reason(above) == reasons.ABOVE_RATING


# The operator


def test_no_slot_that_has_begun_gets_another_price():
    market = sold()
    honest = market.bill(market.west)
    market.at(24 * 31)
    assert market.reason(market.community.tariff(S, 900_000, 0)) == reasons.SLOT_BEGUN
    assert market.bill(market.west) == honest


def test_slots_are_stated_once():
    market = sold()
    assert market.state_of(market.west, S, S + 20 * DAY_S) is None
    assert market.state_of(market.west, S + HOUR_S, S + 2 * HOUR_S) == reasons.STATED_BEFORE
    assert market.state_of(market.west, S - DAY_S, S + DAY_S) == reasons.STATED_BEFORE
    assert market.state_of(market.west, S + 20 * DAY_S, S + 31 * DAY_S) is None


def test_ends_without_number_change_a_contract_once():
    """Each that is not earlier than the one before is rejected, so that none costs more than the first."""
    market = Market()
    contract = market.agreed()
    market.at(1)
    counted = [market.reason(market.community.terminate(market.wallbox, contract, S - i)) for i in range(50)]
    assert counted == [None] + [reasons.ENDED_BEFORE] * 49
