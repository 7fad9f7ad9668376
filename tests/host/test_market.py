"""The market: a contract that both owners' mandates cover gets one grant, and no other gets any."""

import itertools

import pytest
from simulator.community import START_S
from simulator.deal import Deal
from simulator.host import hosted
from wattpact.market.grants import NO_BUY_MANDATE, NO_SELL_MANDATE, TERMINATED, TOO_LATE, Grants
from wattpact_protocol.log import entry, kinds


@pytest.fixture
def community(tmp_path):
    made = hosted(tmp_path)
    yield made
    made.sink.close()


@pytest.fixture
def houses(community):
    return community.owned_meter("House 1"), community.owned_meter("House 2")


def market_of(community, entries):
    market = Grants()
    for row in community.sink.store.entries(of_kinds=[kinds.CERTIFICATE]):
        market.apply(entry.decode(row.raw, community.id))
    for new in entries:
        market.apply(new)
    return market


def test_a_grant_has_the_terms_of_the_contract(community, houses):
    supplier, consumer = houses
    deal = Deal(supplier, consumer)
    (grant,) = market_of(community, deal.entries).grants_due(START_S + 2)
    assert grant == {
        "number": 1, "meter": consumer.kid, "contract": deal.contract.id, "wh": 40, "max_w": 8000, "from_s": START_S,
        "to_s": START_S + 3600, "price_micro_per_kwh": 180_000, "priority": 1, "start_by_s": START_S + 600,
        "default_supply": False,
    }  # fmt: skip


def test_a_contract_is_granted_once_and_numbers_rise(community, houses):
    deals = [Deal(*houses) for n in range(1, 4)]
    market = market_of(community, itertools.chain(*(deal.entries for deal in deals)))
    bodies_due = market.grants_due(START_S + 2)
    assert [body["number"] for body in bodies_due] == [1, 2, 3]
    assert len({body["contract"] for body in bodies_due}) == 3
    for body in bodies_due:
        market.apply(community.publish(community.issuer, "grant", body))
    assert market.grants_due(START_S + 2) == []
    more = Deal(*houses)
    for new in more.entries:
        market.apply(new)
    assert [body["number"] for body in market.grants_due(START_S + 2)] == [4]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"sell": {"limit_micro_per_kwh": 180_001}}, NO_SELL_MANDATE),
        ({"sell": {"wh": 39}}, NO_SELL_MANDATE),
        ({"sell": {"side": kinds.BUY}}, NO_SELL_MANDATE),
        ({"sell": {"expires_s": START_S}}, NO_SELL_MANDATE),
        ({"sell": {"start_s": START_S + 3600, "end_s": START_S + 7200}}, NO_SELL_MANDATE),
        ({"offer": {"mandate": bytes(32)}}, NO_SELL_MANDATE),
        ({"buy": {"limit_micro_per_kwh": 179_999}}, NO_BUY_MANDATE),
        ({"buy": {"wh": 39}}, NO_BUY_MANDATE),
        ({"buy": {"side": kinds.SELL}}, NO_BUY_MANDATE),
        ({"buy": {"expires_s": START_S}}, NO_BUY_MANDATE),
    ],
)
def test_what_no_mandate_covers_is_not_granted(community, houses, changed, reason):
    deal = Deal(*houses, **changed)
    market = market_of(community, deal.entries)
    assert market.grants_due(START_S + 2) == []
    assert market.rejected == {deal.contract.id: reason}


def test_a_strangers_mandate_covers_nothing(community, houses):
    supplier, consumer = houses
    stranger = community.person("stranger")
    deal = Deal(supplier, consumer)
    forged = [stranger.publish("mandate", new.body, START_S) for new in (deal.sell, deal.buy)]
    market = market_of(community, [*forged, *deal.entries[2:]])
    assert market.grants_due(START_S + 2) == []


@pytest.mark.parametrize("changed", [{"acceptance": {"wh": 41}}, {"offer": {"valid_until_s": START_S}}])
def test_what_the_offer_does_not_allow_is_no_contract(community, houses, changed):
    market = market_of(community, Deal(*houses, **changed).entries)
    assert market.grants_due(START_S + 2) == [] and not market.agreements.contracts


def test_an_offer_is_granted_up_to_its_energy_and_no_further(community, houses):
    supplier, consumer = houses
    deal = Deal(supplier, consumer, acceptance={"wh": 30})
    body = {"offer": deal.offer.id, "wh": 11, "priority": 2, "start_timeout_s": 600, "demand": deal.demand.id}
    acceptance = consumer.publish("acceptance", body, START_S + 2)
    over = supplier.publish("contract", {"acceptance": acceptance.id}, START_S + 2)
    market = market_of(community, [*deal.entries, acceptance, over])
    assert [body["contract"] for body in market.grants_due(START_S + 3)] == [deal.contract.id]
    assert market.agreements.refused[over.id] == "offer_exceeded"


def test_a_mandate_that_comes_late_still_counts(community, houses):
    deal = Deal(*houses)
    market = market_of(community, deal.entries[1:])
    assert market.grants_due(START_S + 2) == []
    market.apply(deal.sell)
    assert len(market.grants_due(START_S + 2)) == 1 and not market.rejected


def test_too_late_is_too_late(community, houses):
    deal = Deal(*houses)
    market = market_of(community, deal.entries)
    assert len(market.grants_due(START_S + 600)) == 1
    assert market.grants_due(START_S + 601) == []
    assert market.rejected == {deal.contract.id: TOO_LATE}


def test_a_contract_terminated_before_its_grant_gets_none(community, houses):
    supplier, consumer = houses
    deal = Deal(supplier, consumer)
    end = consumer.publish("terminate", {"contract": deal.contract.id, "reason": "changed my mind"}, START_S + 2)
    market = market_of(community, [*deal.entries, end])
    assert market.grants_due(START_S + 3) == []
    assert market.rejected == {deal.contract.id: TERMINATED}


def test_a_meter_that_nobody_owns_any_more_is_bound_by_no_mandate(community, houses):
    supplier, consumer = houses
    deal = Deal(supplier, consumer)
    market = market_of(community, deal.entries)
    body = {**supplier.certificate.body, "version": 2}
    del body["owner"]
    market.apply(community.publish(community.issuer, "certificate", body))
    assert market.grants_due(START_S + 2) == [] and market.rejected == {deal.contract.id: NO_SELL_MANDATE}


def test_a_mandate_is_not_spent_twice(community, houses):
    """A supplier that confirms what the consumer gave up, or a meter that accepts too often, gets no grant for it."""
    supplier, consumer = houses
    first, second = Deal(supplier, consumer), Deal(supplier, consumer)
    again = Deal(supplier, consumer)
    twice = consumer.publish("acceptance", {**second.acceptance.body, "demand": first.demand.id}, START_S + 1)
    late = supplier.publish("contract", {"acceptance": twice.id}, START_S + 1)
    entries = [*first.entries, second.sell, second.offer, twice, late]
    market = market_of(community, entries)
    (grant,) = market.grants_due(START_S + 2)
    assert grant["contract"] in (first.contract.id, late.id)
    market.apply(community.publish(community.issuer, "grant", grant))
    assert market.grants_due(START_S + 2) == []
    other = late.id if grant["contract"] == first.contract.id else first.contract.id
    assert market.rejected == {other: NO_BUY_MANDATE}
    for new in again.entries:
        market.apply(new)
    assert [body["contract"] for body in market.grants_due(START_S + 2)] == [again.contract.id]


def test_a_contract_that_failed_gives_its_mandates_back(community, houses):
    """The first start had to be by START_S + 600; nobody started, and the same mandates serve another contract."""
    supplier, consumer = houses
    first = Deal(supplier, consumer, acceptance={"wh": 40})
    market = market_of(community, first.entries)
    (grant,) = market.grants_due(START_S + 2)
    market.apply(community.publish(community.issuer, "grant", grant))
    offer = supplier.publish("offer", first.offer.body, START_S + 590)
    body = {**first.acceptance.body, "offer": offer.id, "start_timeout_s": 1200}
    acceptance = consumer.publish("acceptance", body, START_S + 595)
    contract = supplier.publish("contract", {"acceptance": acceptance.id}, START_S + 596)
    for new in (offer, acceptance, contract):
        market.apply(new)
    assert market.grants_due(START_S + 600) == [] and market.rejected[contract.id] == NO_SELL_MANDATE
    assert [body["contract"] for body in market.grants_due(START_S + 601)] == [contract.id]


def test_contracts_that_are_decided_are_not_looked_at_again(community, houses):
    """However many contracts there have been, an entry costs what is still open."""
    deals = [Deal(*houses) for n in range(1, 9)]
    market = market_of(community, itertools.chain(*(deal.entries for deal in deals)))
    for body in market.grants_due(START_S + 2):
        market.apply(community.publish(community.issuer, "grant", body))
    late = Deal(*houses)
    for new in late.entries:
        market.apply(new)
    looked_at = []
    problem = market._problem
    market._problem = lambda contract, *more: looked_at.append(contract.id) or problem(contract, *more)
    assert market.grants_due(START_S + 3600) == [] and market.rejected[late.contract.id] == TOO_LATE
    assert market.grants_due(START_S + 3601) == []
    assert looked_at == [late.contract.id]
