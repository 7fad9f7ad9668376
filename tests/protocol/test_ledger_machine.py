"""The ledger's rules: what takes effect, when, and what is rejected with which reason."""

import case
from simulator import bodies
from simulator.community import DAY_S, START_S, Community
from simulator.ordered import Ordered
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import members, records, trades
from wattpact_protocol.log import kinds, reasons, roles

HOUR_S = 3600


class Market:
    """East's roof sells to west's wallbox; `now_s` is the time of the next block."""

    def __init__(self):
        self.community = community = Community(sink=Ordered, prices=(300_000, 80_000))
        self.sink = community.sink
        self.east, self.west = community.person("east"), community.person("west")
        self.roof, self.wallbox = community.meter("roof", self.east), community.meter("wallbox", self.west)
        self.sells = community.mandate(self.east, self.roof, kinds.SELL, 150_000, 5000, end_s=START_S + 4 * HOUR_S)
        self.buys = community.mandate(self.west, self.wallbox, kinds.BUY, 250_000, 3000, end_s=START_S + 4 * HOUR_S)

    def at(self, seconds):
        self.community.now_s = START_S + seconds

    def offer(self, price=180_000, wh=2000, start_s=START_S, hours=4, mandate=None, by=None, **more):
        mandate = self.sells.id if mandate is None else mandate
        terms = (price, wh, 8000, start_s, start_s + hours * HOUR_S, mandate)
        return self.community.offer(by or self.roof, *terms, **more)

    def demand(self, price=250_000, wh=2000, mandate=None, by=None):
        mandate = self.buys.id if mandate is None else mandate
        end_s = START_S + 4 * HOUR_S
        return self.community.demand(by or self.wallbox, price, wh, 8000, self.community.now_s, end_s, mandate)

    def accept(self, offer, demand, wh=1000, by=None, **more):
        return self.community.accept(by or self.wallbox, offer, wh, demand=demand.id, **more)

    def agreed(self, wh=1000):
        offer = self.offer()
        acceptance = self.accept(offer, self.demand(), wh)
        return offer, acceptance, self.community.confirm(self.roof, acceptance)

    def granted(self, wh=1000):
        offer, acceptance, contract = self.agreed(wh)
        self.community.grant(contract, offer, acceptance)
        return contract

    def reason(self, new):
        return self.sink.rejected.get(new.id)

    def contract(self, new):
        return self.sink.record_of(records.CONTRACT, new.id)


def test_a_contract_takes_its_steps_at_the_times_of_their_blocks():
    market = Market()
    offer, acceptance, contract = market.agreed()
    market.at(60)
    market.community.grant(contract, offer, acceptance)
    market.at(120)
    market.community.start(market.wallbox, contract, START_S + 90)
    held = market.contract(contract)
    assert market.sink.rejected == {}
    assert (held["matched_s"], held["granted_s"], held["used_from_s"]) == (START_S, START_S + 60, START_S + 90)
    assert (held["supplier"], held["consumer"]) == (market.roof.kid, market.wallbox.kid)
    assert (held["wh"], held["price_micro_per_kwh"], held["terminated_s"]) == (1000, 180_000, None)
    for kid in (market.roof.kid, market.wallbox.kid):
        assert market.sink.record_of(records.CONTRACTS, kid, members.period_of(START_S)) == {"ids": [contract.id]}


def test_nothing_takes_effect_before_its_block_whatever_its_stamp():
    market = Market()
    contract = market.granted()
    market.at(3000)
    late = market.community.start(market.wallbox, contract, START_S - 500)
    assert market.reason(late) is None
    assert market.contract(contract)["used_from_s"] == START_S, "no use before the grant"
    ended = market.community.terminate(market.west, contract, START_S + 10)
    assert market.reason(ended) is None
    assert market.contract(contract)["terminated_s"] == START_S + 3000


def test_a_supplier_or_operator_ends_a_contract_after_a_slot_of_notice():
    for who, party in (("roof", trades.BY_SUPPLIER), ("east", trades.BY_SUPPLIER), ("issuer", trades.BY_OPERATOR)):
        market = Market()
        contract = market.granted()
        market.at(1000)
        author = market.community.by_name[who]
        market.community.terminate(author, contract, START_S + 1)
        held = market.contract(contract)
        assert (held["terminated_s"], held["terminated_by"]) == (START_S + 2700, party), who
        market.at(1100)
        market.community.terminate(market.wallbox, contract)
        held = market.contract(contract)
        assert (held["terminated_s"], held["terminated_by"]) == (START_S + 1100, trades.BY_CONSUMER)
        again = market.community.terminate(market.west, contract)
        assert market.reason(again) == reasons.ENDED_BEFORE


def test_only_the_owner_of_now_may_end_a_contract():
    market = Market()
    contract = market.granted()
    north = market.community.person("north")
    market.community.enrol_again(market.roof, north)
    assert market.reason(market.community.terminate(market.east, contract)) == reasons.NOT_A_PARTY
    assert market.reason(market.community.terminate(market.community.host, contract)) == reasons.NOT_ALLOWED
    assert market.reason(market.community.terminate(north, contract)) is None


def test_what_commits_energy_needs_a_mandate_that_covers_it():
    market = Market()
    buys, sells = market.buys.id, market.sells.id
    cases = (
        (market.offer(mandate=bytes(32)), reasons.NO_SELL_MANDATE),
        (market.offer(mandate=buys), reasons.NO_SELL_MANDATE),
        (market.offer(by=market.wallbox), reasons.NO_SELL_MANDATE),
        (market.offer(price=149_999), reasons.NO_SELL_MANDATE),
        (market.offer(wh=5001), reasons.MANDATE_EXCEEDED),
        (market.offer(start_s=START_S + 5 * HOUR_S), reasons.MANDATE_EXCEEDED),
        (market.demand(mandate=sells), reasons.NO_BUY_MANDATE),
        (market.demand(price=250_001), reasons.NO_BUY_MANDATE),
        (market.demand(by=market.roof), reasons.NO_BUY_MANDATE),
    )
    for new, reason in cases:
        assert market.reason(new) == reason, (new, reason)
    offer, demand = market.offer(price=240_000), market.demand()
    dear = market.offer(price=250_001)
    cases = (
        (market.community.accept(market.wallbox, offer, 1000), reasons.NO_BUY_MANDATE),
        (market.accept(dear, demand), reasons.NO_BUY_MANDATE),
        (market.accept(offer, demand, by=market.roof), reasons.SUPPLIER_IS_CONSUMER),
        (market.accept(offer, demand, 2001), reasons.OFFER_EXCEEDED),
        (market.accept(demand, demand), reasons.UNKNOWN_OFFER),
    )
    for new, reason in cases:
        assert market.reason(new) == reason, (new, reason)


def test_the_mandates_of_both_sides_bound_what_is_agreed():
    market = Market()
    demand = market.demand()
    for _ in range(3):
        offer = market.offer()
        acceptance = market.accept(offer, demand, 1000)
        assert market.reason(market.community.confirm(market.roof, acceptance)) is None
    assert market.reason(market.accept(market.offer(), demand, 1)) == reasons.MANDATE_EXCEEDED
    assert market.sink.record_of(records.MANDATE, market.buys.id)["used_wh"] == 3000
    assert market.sink.record_of(records.MANDATE, market.sells.id)["used_wh"] == 3000


def test_an_acceptance_reserves_until_it_lapses():
    market = Market()
    offer, demand = market.offer(), market.demand()
    first = market.accept(offer, demand, 1500)
    assert market.reason(market.accept(offer, demand, 600)) == reasons.OFFER_EXCEEDED
    market.at(trades.LAPSES_S)
    assert market.reason(market.accept(offer, demand, 600)) == reasons.OFFER_EXCEEDED
    market.at(trades.LAPSES_S + 1)
    second = market.accept(offer, demand, 600)
    assert market.reason(second) is None
    assert market.reason(market.community.confirm(market.roof, first)) == reasons.STALE_ACCEPTANCE
    assert market.reason(market.community.confirm(market.wallbox, second)) == reasons.NOT_THE_SUPPLIER
    assert market.reason(market.community.confirm(market.roof, second)) is None
    assert market.reason(market.community.confirm(market.roof, second)) == reasons.CONFIRMED_TWICE
    assert market.sink.record_of(records.OFFER, offer.id)["taken_wh"] == 600


def test_a_neighbour_holds_no_more_than_a_few_acceptances():
    market = Market()
    demand = market.demand()
    offers = [market.offer(wh=100) for _ in range(trades.MAX_HELD + 1)]
    accepted = [market.accept(offer, demand, 10) for offer in offers]
    assert [market.reason(new) for new in accepted] == [None] * trades.MAX_HELD + [reasons.TOO_MANY_ACCEPTANCES]


def test_a_contract_that_is_never_started_gives_its_energy_back():
    market = Market()
    _, _, contract = market.agreed(2000)
    market.at(600 + trades.START_LATE_S)
    demand = market.demand()
    offer = market.offer(start_s=START_S + HOUR_S, hours=2)
    assert market.reason(market.accept(offer, demand, 2000)) == reasons.MANDATE_EXCEEDED
    market.at(601 + trades.START_LATE_S)
    acceptance = market.accept(offer, demand, 2000)
    assert market.reason(acceptance) is None
    assert market.reason(market.community.confirm(market.roof, acceptance)) is None
    assert market.sink.record_of(records.MANDATE, market.buys.id)["used_wh"] == 2000
    assert market.reason(market.community.start(market.wallbox, contract, START_S)) == reasons.NOT_GRANTED


def test_what_an_ended_contract_gave_back_it_cannot_start_with():
    """Its start is stamped while it ran, and comes after the mandate is bound by the next contract."""
    for second, reason in ((HOUR_S + 59, None), (HOUR_S + 60, reasons.TOO_LATE)):
        market = Market()
        offer = market.offer(wh=2500)
        acceptance = market.accept(offer, market.demand(wh=2500), 2500, timeout_s=3 * HOUR_S)
        contract = market.community.confirm(market.roof, acceptance)
        market.community.grant(contract, offer, acceptance)
        market.at(60)
        assert market.reason(market.community.terminate(market.wallbox, contract)) is None
        market.at(second)
        later = market.offer(wh=2500, start_s=START_S + HOUR_S, hours=2)
        next_one = market.accept(later, market.demand(wh=2500), 2500)
        assert market.reason(next_one) == (None if reason else reasons.MANDATE_EXCEEDED)
        late = market.community.start(market.wallbox, contract, START_S + 30)
        assert market.reason(late) == reason
        if reason:
            assert market.reason(market.community.confirm(market.roof, next_one)) is None
        assert market.sink.record_of(records.MANDATE, market.buys.id)["used_wh"] == 2500


def test_a_grant_repeats_the_contract_once():
    market = Market()
    offer, acceptance, contract = market.agreed()
    grant = market.community.grant
    for name, value in (("wh", 1001), ("max_w", 1), ("price_micro_per_kwh", 1), ("priority", 9), ("meter", bytes(8))):
        assert market.reason(grant(contract, offer, acceptance, **{name: value})) == reasons.OTHER_TERMS, name
    assert market.reason(market.community.give(market.wallbox, 10)) == reasons.UNKNOWN_CONTRACT
    assert market.reason(grant(contract, offer, acceptance)) is None
    assert market.reason(grant(contract, offer, acceptance)) == reasons.OLD_GRANT
    supplied = market.community.give(market.wallbox, 10, default_supply=True)
    assert market.reason(supplied) is None
    again = market.community.publish(market.community.issuer, kinds.GRANT, supplied.body)
    assert market.reason(again) == reasons.OLD_GRANT


def test_a_start_counts_once_in_time_and_by_the_consumer():
    market = Market()
    contract, other, late = market.granted(), market.granted(), market.agreed()
    start = market.community.start
    assert market.reason(start(market.roof, contract, START_S)) == reasons.NOT_THE_CONSUMER
    assert market.reason(start(market.wallbox, contract, None)) == reasons.NO_TIME
    market.at(700)
    assert market.reason(start(market.wallbox, contract, START_S + 601)) == reasons.TOO_LATE
    assert market.reason(start(market.wallbox, contract, START_S + 600)) is None
    assert market.reason(start(market.wallbox, contract, START_S + 600)) == reasons.STARTED_BEFORE
    assert market.reason(market.community.grant(late[2], late[0], late[1])) == reasons.TOO_LATE
    market.at(601 + trades.START_LATE_S)
    assert market.reason(start(market.wallbox, other, START_S + 100)) == reasons.TOO_LATE


def test_times_that_make_no_sense_are_rejected_at_the_door():
    market = Market()
    cases = (
        (market.offer(start_s=0), reasons.BEGUN_BEFORE),
        (market.offer(start_s=START_S - trades.LATE_S - 1), reasons.BEGUN_BEFORE),
        (market.offer(hours=0), reasons.NO_PERIOD),
        (market.offer(hours=31 * 24 + 1), reasons.PERIOD_TOO_LONG),
        (market.offer(valid_until_s=START_S - 1), reasons.OFFER_EXPIRED),
        (market.community.offer(market.roof, 180_000, 10, 11_001, START_S, START_S + 60, market.sells.id),
         reasons.ABOVE_RATING),
        (market.community.mandate(market.east, market.roof, kinds.SELL, 1, 1, start_s=0, end_s=5, expires_s=START_S),
         reasons.BEGUN_BEFORE),
        (market.community.mandate(market.east, market.wallbox, kinds.SELL, 1, 1), reasons.NOT_OWNER),
        (market.offer(unix_s=START_S + 301), reasons.FUTURE_TIME),
    )  # fmt: skip
    for new, reason in cases:
        assert market.reason(new) == reason, (new, reason)


def test_a_tariff_touches_no_slot_that_has_begun_and_replaces_what_was_announced():
    market = Market()
    tariff = market.community.tariff
    market.at(1)
    assert market.reason(tariff(START_S, 1, 1)) == reasons.SLOT_BEGUN
    assert market.reason(tariff(START_S + 899, 1, 1)) == reasons.SLOT_BEGUN
    second, third = tariff(START_S + 900, 2, 2), tariff(START_S + 40 * DAY_S, 3, 3)
    assert market.reason(second) is None
    assert market.reason(third) is None
    period = members.period_of(START_S)
    assert market.sink.record_of(records.TARIFFS)["before"] == members.period_of(START_S + 40 * DAY_S)
    fourth = tariff(START_S + 1800, 4, 4)
    assert market.reason(fourth) is None
    assert market.sink.record_of(records.TARIFFS) == {"before": period, "rows": []}
    held = market.sink.record_of(records.TARIFFS, period)
    assert held["rows"] == [[START_S + 900, 2, 2, second.id], [START_S + 1800, 4, 4, fourth.id]]
    assert held["before"] == 0
    assert len(market.sink.record_of(records.TARIFFS, 0)["rows"]) == 1


def test_a_certificate_holds_from_its_block_on_and_the_newest_decides():
    market = Market()
    market.at(5000)
    again = market.community.enrol_again(market.wallbox, market.east)
    assert again.certificate.body["not_before_s"] < START_S + 5000
    author = market.sink.record_of(records.AUTHOR, market.wallbox.kid)
    assert members.certificate_at(author, START_S + 4999)["owner"] == market.west.kid
    assert members.certificate_at(author, START_S + 5000)["owner"] == market.east.kid
    assert members.owner_of(market.sink.ledger.state, market.wallbox.kid) == market.east.kid
    assert market.sink.record_of(records.OWNED, market.east.kid) == {
        "meters": sorted([market.roof.kid, market.wallbox.kid])
    }
    community = market.community
    for version in (1, again.certificate.body["version"]):
        stale = community.certify(market.wallbox, community.issuer, roles.METER, version=version, owner=market.west.kid)
        assert market.reason(stale.certificate) == reasons.STALE_VERSION, version
    community.certify(market.wallbox, community.issuer, roles.PERSON, version=9)
    assert market.reason(market.wallbox.certificate) == reasons.ROLE_CHANGED


def test_who_is_unknown_or_expired_or_of_another_role_orders_nothing():
    market = Market()
    community = market.community
    stranger = community.author("stranger")
    assert market.reason(community.publish(stranger, kinds.TARIFF, {
        "from_s": START_S + 9000, "import_micro_per_kwh": 1, "export_micro_per_kwh": 1,
    })) == reasons.UNKNOWN_AUTHOR  # fmt: skip
    event = community.publish(market.roof, kinds.EVENT, {"code": 1})
    market.sink.order([event])
    assert market.reason(event) == reasons.NOT_ORDERED
    other_root = Community(sink=Ordered, name="another")
    assert market.sink.ledger.propose([other_root.root.certificate], [], START_S)[1] == {
        other_root.root.certificate.id: reasons.UNKNOWN_AUTHOR
    }
    market.at(11 * 365 * DAY_S)
    assert market.reason(market.offer(start_s=community.now_s)) == reasons.CERTIFICATE_EXPIRED


def test_an_order_and_an_entry_of_a_log_are_ordered_once():
    market = Market()
    order = community_order(market)
    assert market.reason(order) is None
    market.sink.order([order])
    assert market.reason(order) == reasons.DUPLICATE
    offer = market.offer()
    market.sink.order([offer])
    assert market.reason(offer) == reasons.DUPLICATE


def community_order(market):
    return market.community.mandate(market.east, market.roof, kinds.SELL, 1, 1)


def test_an_order_needs_an_id_and_ends_with_its_expiry():
    market = Market()
    contract = market.granted()
    bare = market.community.publish(market.west, kinds.TERMINATE, {"contract": contract.id, "reason": ""})
    assert market.reason(bare) == reasons.NO_ORDER_ID
    for expires_s, reason in ((START_S - 1, reasons.ORDER_EXPIRED), (START_S, None)):
        body = {"contract": contract.id, "reason": ""}
        ended = market.community.order(market.west, kinds.TERMINATE, body, expires_s=expires_s)
        assert market.reason(ended) == reason


def test_an_entry_of_an_older_generation_is_not_ordered():
    market = Market()
    community, roof = market.community, market.roof
    body = dict(roof.certificate.body, version=2, generation=1)
    assert market.reason(community.publish(community.issuer, kinds.CERTIFICATE, body)) is None
    assert market.reason(market.offer()) == reasons.STALE_GENERATION


def test_who_begins_a_generation_of_its_own_log_goes_on_in_it():
    """Though the certificate that begins it is of the one before."""
    market = Market()
    community, root = market.community, market.community.root
    again = community.certify(root, root, roles.ROOT, version=2, generation=1).certificate
    assert market.reason(again) is None and again.generation == 0 < again.sequence
    root.begin(1, again.id)
    later = community.certify(community.author("another issuer"), root, roles.ISSUER).certificate
    assert (later.generation, later.sequence) == (1, 0) and market.reason(later) is None


def test_the_end_of_a_use_is_reported_once_and_by_the_consumers_meter():
    market = Market()
    community, contract = market.community, market.granted()
    unknown = community.end_use(market.wallbox, market.sells, 0, 0, kinds.END_USED_UP)
    assert market.reason(unknown) == reasons.UNKNOWN_CONTRACT
    community.start(market.wallbox, contract, START_S)
    market.at(600)
    by_another = community.end_use(market.roof, contract, 1000, 1000, kinds.END_USED_UP)
    assert market.reason(by_another) == reasons.NOT_THE_CONSUMER and market.contract(contract)["ended_s"] is None
    ended = community.end_use(market.wallbox, contract, 1000, 1000, kinds.END_USED_UP)
    assert market.reason(ended) is None and market.contract(contract)["ended_s"] == START_S + 600
    market.at(700)
    again = community.end_use(market.wallbox, contract, 1000, 1000, kinds.END_USED_UP)
    assert market.reason(again) == reasons.ENDED_BEFORE and market.contract(contract)["ended_s"] == START_S + 600


def test_a_record_is_no_longer_than_what_is_read_of_one():
    for more, is_read in ((-6, True), (-5, False)):
        value = cbor.encode([bytes(records.MAX_BYTES + more)])
        assert (len(value) <= 1 << 20) == is_read
        if is_read:
            assert len(records.decode(records.ORDER, value)["id"]) == records.MAX_BYTES + more
        else:
            case.raises(ValueError, records.decode, records.ORDER, value)


def test_a_community_keeps_its_slots_and_its_versions_rise():
    market = Market()
    for change, reason in (
        ({"version": 1}, reasons.STALE_VERSION),
        ({"version": 2, "slot_s": 60}, reasons.SLOT_CHANGED),
        ({"version": 2, "silence_s": 60}, reasons.SLOT_CHANGED),
        ({"version": 2, "name": "another"}, None),
    ):
        body = bodies.community(**change)
        assert market.reason(market.community.publish(market.community.issuer, kinds.COMMUNITY, body)) == reason
    assert market.sink.record_of(records.COMMUNITY)["version"] == 2


def test_versions_of_the_policies_of_one_meter_rise():
    market = Market()
    for meter, version, reason in (
        (None, 1, None), (None, 1, reasons.STALE_VERSION), (market.roof.kid, 1, None), (None, 2, None),
        (market.roof.kid, 1, reasons.STALE_VERSION), (market.roof.kid, 2, None),
    ):  # fmt: skip
        body = {"version": version} if meter is None else {"version": version, "meter": meter}
        assert market.reason(market.community.publish(market.community.issuer, kinds.POLICY, body)) == reason


def test_no_tariff_comes_before_the_community():
    community = Community(slot_s=None, sink=Ordered)
    assert community.sink.rejected.get(community.tariff(0, 1, 1).id) == reasons.NOT_FOUNDED


def test_what_is_listed_of_one_author_or_period_is_bounded():
    market = Market()
    community, state, period = market.community, market.sink.ledger.state, members.period_of(START_S)
    state.put(records.TARIFFS, {"before": 0, "rows": [[START_S, 1, 1, bytes(32)]] * members.MAX_TARIFFS}, period)
    state.put(records.TARIFFS, {"before": period, "rows": []})
    author = state.need(records.AUTHOR, market.roof.kid)
    author["certificates"] *= members.MAX_CERTIFICATES
    state.put(records.AUTHOR, author, market.roof.kid)
    state.put(records.CONTRACTS, {"ids": [bytes(32)] * trades.MAX_CONTRACTS}, market.wallbox.kid, period)
    state.keep()
    assert market.reason(community.tariff(START_S + 900, 2, 2)) == reasons.TOO_MANY_TARIFFS
    acceptance = market.accept(market.offer(), market.demand())
    assert market.reason(community.confirm(market.roof, acceptance)) == reasons.TOO_MANY_CONTRACTS
    again = community.enrol_again(market.roof, market.east)
    assert market.reason(again.certificate) == reasons.AUTHORS_FULL


def test_a_mandate_binds_only_a_few_contracts_that_were_not_started():
    market = Market()
    demand = market.demand()
    confirmed = []
    for _ in range(trades.MAX_HELD + 1):
        confirmed.append(market.community.confirm(market.roof, market.accept(market.offer(), demand, 10)))
    assert [market.reason(new) for new in confirmed] == [None] * trades.MAX_HELD + [reasons.TOO_MANY_CONTRACTS]


def test_no_grant_for_a_contract_that_was_ended():
    market = Market()
    offer, acceptance, contract = market.agreed()
    assert market.reason(market.community.terminate(market.west, contract)) is None
    assert market.reason(market.community.grant(contract, offer, acceptance)) == reasons.TERMINATED


def test_the_first_opening_of_a_key_counts():
    market = Market()
    market.community.begin_epoch(market.roof)
    first = market.community.open_key(market.roof)
    market.roof.key_no = 0
    second = market.community.open_key(market.roof, key=bytes(48))
    assert market.reason(second) == reasons.KEY_OPENED_TWICE
    assert market.sink.record_of(records.KEY, market.roof.kid, 0, 1)["id"] == first.id


def test_heads_only_rise():
    market = Market()
    kid, head = market.roof.kid, bytes(range(32))
    for generation, next_sequence, is_noted in ((0, 5, 1), (0, 5, 0), (0, 4, 0), (1, 1, 0), (0, 6, 1)):
        count = len(market.sink.blocks)
        market.sink.order([], [(kid, generation, next_sequence, head)])
        assert len(market.sink.blocks) == count + is_noted, next_sequence
    assert market.sink.record_of(records.HEAD, kid)["next_sequence"] == 6
    market.sink.order([], [(bytes(8), 0, 1, head)])
    assert market.sink.record_of(records.HEAD, bytes(8)) is None
