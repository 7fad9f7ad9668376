"""Inboxes: each meter hears what concerns it, once, in one order that a restart does not change."""

import pytest
from simulator.host import T0, Community, Deal, key, mandate
from wattpact.membership import members
from wattpact.node.node import Node
from wattpact.store.records import Stored
from wattpact_protocol.log import entry, ids, kinds, roles


class TradingCommunity(Community):
    """A community whose node is at work, without a network."""

    def __init__(self, directory):
        super().__init__(directory)
        self.node = self.start_node()

    def start_node(self):
        return Node(self.store, self.root.public_key, self.host, self.issuer, lambda: self.now_s)

    def stored(self, *entries):
        verdicts = self.node.ingest([(new.raw, ("test", 1)) for new in entries])
        assert {verdict.reason for verdict in verdicts} == {"stored"}, verdicts

    def heard(self, meter, after=0):
        """What a meter's inbox tells it, decoded, with the links checked."""
        self.node.catch_up()
        told = self.node.inbox.after(meter.kid, after, 1000)
        for row in told:
            assert row.after == after < row.position
            after = row.position
        return [entry.decode(row.raw, self.id) for row in told]

    def close(self):
        self.node.pipeline.close()
        super().close()


@pytest.fixture
def trading(tmp_path):
    made = TradingCommunity(tmp_path)
    yield made
    made.close()


def names(entries):
    return [new.name for new in entries]


def test_an_inbox_begins_with_what_proves_the_meters_own_certificate(trading):
    for n in range(5):
        trading.meter(f"House {n}")
    last = trading.meter("House 9")
    first = [new.body["label"] for new in trading.heard(last)[:5]]
    assert first == ["root", "issuer", "host", "House 9", "owner of House 9"]


def test_everyone_hears_of_everyone_once(trading):
    meters = [trading.meter(f"House {n}") for n in range(3)]
    everyone = {known.body["label"] for known in trading.store.certificates()}
    for meter in meters:
        labels = [new.body["label"] for new in trading.heard(meter) if new.kind == kinds.CERTIFICATE]
        assert sorted(labels) == sorted(everyone)


def test_what_a_contract_takes_reaches_those_it_concerns(trading):
    supplier, consumer, other = (trading.meter(f"House {n}") for n in (1, 2, 3))
    before = {meter.kid: len(trading.heard(meter)) for meter in (supplier, consumer, other)}
    deal = Deal(supplier, consumer)
    for new in deal.entries:
        trading.stored(new)
    heard = {meter.kid: trading.heard(meter)[before[meter.kid] :] for meter in (supplier, consumer, other)}
    assert names(heard[supplier.kid]) == ["mandate", "receipt", "demand", "acceptance", "receipt"]
    assert names(heard[consumer.kid]) == ["mandate", "offer", "receipt", "receipt", "contract", "grant"]
    assert names(heard[other.kid]) == ["offer", "demand"]
    grant = heard[consumer.kid][-1]
    assert (grant.kid, grant.body["contract"]) == (trading.issuer.kid, deal.contract.id)


def test_a_policy_reaches_its_meter_or_all(trading):
    one, two = trading.meter("House 1"), trading.meter("House 2")
    trading.publish(trading.issuer, "policy", {"version": 1})
    trading.publish(trading.issuer, "policy", {"version": 2, "meter": one.kid})
    assert [new.body["version"] for new in trading.heard(one) if new.name == "policy"] == [1, 2]
    assert [new.body["version"] for new in trading.heard(two) if new.name == "policy"] == [1]


def test_a_termination_reaches_both_sides(trading):
    supplier, consumer, other = (trading.meter(f"House {n}") for n in (1, 2, 3))
    deal = Deal(supplier, consumer)
    for new in deal.entries:
        trading.stored(new)
    body = {"contract": deal.contract.id, "reason": "x", "order_id": bytes(8), "expires_s": T0 + 60}
    trading.stored(consumer.owner.publish("terminate", body, T0 + 2))
    assert [names(trading.heard(meter)).count("terminate") for meter in (supplier, consumer, other)] == [1, 1, 0]


def test_entries_that_arrive_the_wrong_way_round_are_told_when_it_is_clear_to_whom(trading):
    supplier, consumer = trading.meter("House 1"), trading.meter("House 2")
    deal = Deal(supplier, consumer)
    trading.stored(deal.sell, deal.buy, deal.demand, deal.acceptance)
    assert "acceptance" not in names(trading.heard(supplier))
    trading.node.pipeline.close()
    trading.node = trading.start_node()
    trading.stored(deal.offer, deal.contract)
    assert names(trading.heard(supplier)).count("acceptance") == 1
    assert names(trading.heard(consumer))[-2:] == ["contract", "grant"]


def test_a_contract_that_came_before_all_it_names_is_told(trading):
    supplier, consumer = trading.meter("House 1"), trading.meter("House 2")
    deal = Deal(supplier, consumer)
    # The supplier's log holds offer and contract, so only another's offer can come last: fold them by hand.
    trading.stored(deal.sell, deal.buy, deal.demand)
    for new in (deal.contract, deal.acceptance, deal.offer):
        row = Stored(*[None] * len(Stored._fields))._replace(cursor=trading.store.last_cursor() + 1, raw=new.raw)
        trading.node.granting.apply(new)
        told = []
        trading.node.inbox._add = lambda meter, cursor, new=new, told=told: told.append(meter)
        with trading.store.transaction():
            trading.node.inbox.fold(row, new, trading.node.granting.agreements, trading.now_s)
        del trading.node.inbox._add
    assert told.count(consumer.kid) >= 2  # the offer and the contract


def test_a_new_meter_hears_of_offers_that_hold_and_not_of_those_that_are_over(trading):
    supplier, consumer = trading.meter("House 1"), trading.meter("House 2")
    deal = Deal(supplier, consumer)
    trading.stored(*deal.entries)
    early = trading.heard(trading.meter("House 3"))
    assert names(early).count("offer") == 1 and "acceptance" not in names(early)
    trading.now_s = T0 + 3601
    assert "offer" not in names(trading.heard(trading.meter("House 4")))


def test_a_restart_tells_nothing_twice_and_forgets_nothing(trading):
    supplier, consumer = trading.meter("House 1"), trading.meter("House 2")
    trading.stored(*Deal(supplier, consumer).entries)
    before = [trading.node.inbox.after(meter.kid, 0, 1000) for meter in (supplier, consumer)]
    trading.node.pipeline.close()
    trading.node = trading.start_node()
    trading.publish(trading.issuer, "policy", {"version": 7})
    trading.node.catch_up()
    for meter, told in zip((supplier, consumer), before, strict=True):
        now = trading.node.inbox.after(meter.kid, 0, 1000)
        assert now[:-1] == told
        assert entry.decode(now[-1].raw, trading.id).body == {"version": 7}


def test_what_was_said_before_the_program_died_is_told_after(trading):
    """Entries are durable before they are in any inbox; the next start goes on from there."""
    supplier, consumer = trading.meter("House 1"), trading.meter("House 2")
    trading.heard(supplier)
    deal = Deal(supplier, consumer)
    trading.node.pipeline.ingest([new.raw for new in deal.entries])
    trading.node.pipeline.close()
    trading.node = trading.start_node()
    assert names(trading.heard(consumer)).count("grant") == 1
    assert names(trading.heard(supplier)).count("acceptance") == 1


def test_a_position_belongs_to_one_meter(trading):
    one, two = trading.meter("House 1"), trading.meter("House 2")
    trading.node.catch_up()
    inbox = trading.node.inbox
    positions = [[told.position for told in inbox.after(meter.kid, 0, 100)] for meter in (one, two)]
    assert all(inbox.holds(one.kid, position) for position in [0, *positions[0]])
    assert not any(inbox.holds(one.kid, position) for position in [*positions[1], 10**6])
    assert inbox.last(one.kid) == positions[0][-1] and inbox.last(bytes(8)) == 0


def test_a_mandate_of_the_own_owner_alone_is_told(trading):
    meter = trading.meter("House 1")
    trading.stored(meter.owner.publish("mandate", mandate(meter, kinds.SELL), T0))
    assert names(trading.heard(meter))[-1] == "mandate"


def test_a_void_certificate_is_not_told_to_those_who_come_later(trading):
    meter = trading.meter("House 1")
    trading.publish(trading.issuer, "policy", {"version": 1})
    sequence, previous = trading.store.head(trading.issuer.kid, 0)
    body = {**meter.certificate, "version": 2, "role": roles.HOST, "label": "void"}
    place, stamp = (0, sequence + 1, previous), entry.Stamp(0, 0, T0)
    trading.stored(
        entry.sign(kinds.CERTIFICATE, body, place, stamp, trading.issuer.kid, trading.id, trading.issuer.sign)
    )  # fmt: skip
    for told in (trading.heard(meter), trading.heard(trading.meter("House 2"))):
        assert "policy" in names(told) and "void" not in [new.body.get("label") for new in told]


def test_a_meter_without_an_owner_has_an_inbox_too(trading):
    public_key = key("House 5").public_key
    body = members.certificate(public_key, roles.METER, "House 5", T0)
    assert "owner" not in body
    trading.publish(trading.issuer, "certificate", body)
    trading.node.catch_up()
    told = trading.node.inbox.after(ids.kid_of(public_key), 0, 5)
    labels = [entry.decode(row.raw, trading.id).body.get("label") for row in told]
    assert labels == ["root", "issuer", "host", "House 5", None]
