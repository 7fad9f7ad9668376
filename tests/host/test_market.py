"""The market: a contract that the ledger has gets one grant, and nothing else gets any."""

import pytest
from simulator.community import START_S
from simulator.deal import Deal
from simulator.host import hosted
from wattpact.market import grants
from wattpact_protocol.ledger import records
from wattpact_protocol.log import kinds, reasons, roles


@pytest.fixture
def community(tmp_path):
    made = hosted(tmp_path)
    yield made
    made.sink.close()


@pytest.fixture
def houses(community):
    return community.owned_meter("House 1"), community.owned_meter("House 2")


def due(community, now_s=START_S + 2):
    return grants.due(community.sink.store, community.sink.writer.ledger.state, now_s)


def order(community, deal):
    community.now_s = START_S + 2
    community.sink.stored(*deal.entries)
    return deal


def reason(community, new):
    row = community.sink.store.entry_with_id(new.id)
    return community.sink.store.place(row.cursor).reason


def test_a_grant_repeats_the_contract(community, houses):
    deal = order(community, Deal(*houses))
    (grant,) = due(community)
    assert grant == {
        "number": 1, "meter": houses[1].kid, "contract": deal.contract.id, "wh": 40, "max_w": 8000, "from_s": START_S,
        "to_s": START_S + 3600, "price_micro_per_kwh": 180_000, "priority": 1, "start_by_s": START_S + 600,
        "default_supply": False,
    }  # fmt: skip


def test_a_contract_is_granted_once_and_numbers_rise(community, houses):
    for _ in range(3):
        order(community, Deal(*houses))
    bodies_due = due(community)
    assert [body["number"] for body in bodies_due] == [1, 2, 3]
    assert len({body["contract"] for body in bodies_due}) == 3
    for body in bodies_due:
        assert reason(community, community.publish(community.issuer, "grant", body)) is None
    assert due(community) == []
    order(community, Deal(*houses))
    assert [body["number"] for body in due(community)] == [4]


@pytest.mark.parametrize(
    ("changed", "rejected"),
    [
        ({"sell": {"limit_micro_per_kwh": 180_001}}, {"offer": reasons.NO_SELL_MANDATE}),
        ({"sell": {"wh": 39}}, {"offer": reasons.MANDATE_EXCEEDED}),
        ({"sell": {"side": kinds.BUY}}, {"offer": reasons.NO_SELL_MANDATE}),
        ({"sell": {"start_s": START_S + 3600, "end_s": START_S + 7200}}, {"offer": reasons.MANDATE_EXCEEDED}),
        ({"offer": {"mandate": bytes(32)}}, {"offer": reasons.NO_SELL_MANDATE}),
        ({"buy": {"limit_micro_per_kwh": 179_999}}, {"demand": reasons.NO_BUY_MANDATE}),
        ({"buy": {"wh": 39}}, {"acceptance": reasons.MANDATE_EXCEEDED}),
        ({"buy": {"side": kinds.SELL}}, {"demand": reasons.NO_BUY_MANDATE}),
        ({"acceptance": {"wh": 41}}, {"acceptance": reasons.OFFER_EXCEEDED}),
        ({"offer": {"valid_until_s": START_S}}, {"offer": reasons.OFFER_EXPIRED}),
    ],
)
def test_what_no_mandate_or_offer_covers_is_no_contract(community, houses, changed, rejected):
    deal = order(community, Deal(*houses, **changed))
    for name, expected in rejected.items():
        assert reason(community, getattr(deal, name)) == expected
    assert reason(community, deal.contract) == reasons.UNKNOWN_ACCEPTANCE
    assert due(community) == []


def test_a_strangers_mandate_covers_nothing(community, houses):
    """An ingest lets no such mandate in; a ledger that is fed otherwise rejects it all the same."""
    deal = Deal(*houses)
    forged = community.person("stranger").publish("mandate", deal.sell.body, START_S)
    _, rejected = community.sink.writer.ledger.propose([forged], [], START_S)
    assert rejected == {forged.id: reasons.NOT_OWNER}


def test_too_late_is_too_late(community, houses):
    order(community, Deal(*houses))
    assert len(due(community, START_S + 600)) == 1
    assert due(community, START_S + 601) == []


def test_a_contract_terminated_before_its_grant_gets_none(community, houses):
    deal = order(community, Deal(*houses))
    end = houses[1].publish("terminate", {"contract": deal.contract.id, "reason": "changed my mind"}, START_S + 2)
    community.sink.stored(end)
    assert due(community, START_S + 3) == []


def test_a_meter_that_changed_hands_is_bound_by_no_mandate_of_its_former_owner(community, houses):
    deal = Deal(*houses)
    community.now_s = START_S + 2
    community.sink.stored(deal.sell, deal.buy)
    body = {**houses[0].certificate.body, "version": 2, "owner": community.person("another").kid}
    community.publish(community.issuer, "certificate", body)
    community.sink.stored(deal.offer)
    assert reason(community, deal.offer) == reasons.NO_SELL_MANDATE
    assert body["role"] == roles.METER


def test_the_rows_are_the_ledgers_records(community, houses):
    deal = order(community, Deal(*houses))
    row, _ = community.sink.store.contract(deal.contract.id)
    record = community.sink.writer.ledger.state.get(records.CONTRACT, deal.contract.id)
    for name in ("offer", "acceptance", "supplier", "consumer", "wh", "max_w", "start_s", "end_s", "start_by_s"):
        assert getattr(row, name) == record[name], name
