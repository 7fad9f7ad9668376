"""Inboxes: each meter receives what concerns it, once, in one order that a restart does not change."""

import pytest
from simulator.community import START_S
from simulator.deal import Deal, mandate
from simulator.host import hosted, key
from wattpact.membership import members
from wattpact.node.node import Node
from wattpact_protocol.log import entry, ids, kinds, roles


class Running:
    """A community whose node is at work, without a network."""

    def __init__(self, directory):
        self.community = hosted(directory)
        self.store = self.community.sink.store
        self.node = self.start_node()

    def start_node(self):
        community = self.community
        return Node(self.store, community.root.public_key, community.host, community.issuer, community.sink.clock)

    def stored(self, *entries):
        verdicts = self.node.ingest([(new.raw, ("test", 1)) for new in entries])
        assert {verdict.reason for verdict in verdicts} == {"stored"}, verdicts

    def received(self, meter, after=0):
        """What a meter's inbox sends it, decoded, with the links checked."""
        self.node.catch_up()
        rows = self.node.inbox.after(meter.kid, after, 1000)
        for row in rows:
            assert row.after == after < row.position
            after = row.position
        return [entry.decode(row.raw, self.community.id) for row in rows]

    def close(self):
        self.node.pipeline.close()
        self.community.sink.close()


@pytest.fixture
def running(tmp_path):
    made = Running(tmp_path)
    yield made
    made.close()


def names(entries):
    return [new.name for new in entries]


def test_an_inbox_begins_with_what_proves_the_meters_own_certificate(running):
    for n in range(5):
        running.community.owned_meter(f"House {n}")
    last = running.community.owned_meter("House 9")
    first = [new.body["label"] for new in running.received(last)[:5]]
    assert first == ["root", "issuer", "host", "House 9", "owner of House 9"]


def test_everyone_receives_everyone_once(running):
    meters = [running.community.owned_meter(f"House {n}") for n in range(3)]
    everyone = {known.body["label"] for known in running.store.certificates()}
    for meter in meters:
        labels = [new.body["label"] for new in running.received(meter) if new.kind == kinds.CERTIFICATE]
        assert sorted(labels) == sorted(everyone)


def test_what_a_contract_takes_reaches_those_it_concerns(running):
    supplier, consumer, other = (running.community.owned_meter(f"House {n}") for n in (1, 2, 3))
    before = {meter.kid: len(running.received(meter)) for meter in (supplier, consumer, other)}
    deal = Deal(supplier, consumer)
    for new in deal.entries:
        running.stored(new)
    heard = {meter.kid: running.received(meter)[before[meter.kid] :] for meter in (supplier, consumer, other)}
    assert names(heard[supplier.kid]) == ["mandate", "receipt", "demand", "acceptance", "receipt"]
    assert names(heard[consumer.kid]) == ["mandate", "offer", "receipt", "receipt", "contract", "grant"]
    assert names(heard[other.kid]) == ["offer", "demand"]
    grant = heard[consumer.kid][-1]
    assert (grant.kid, grant.body["contract"]) == (running.community.issuer.kid, deal.contract.id)


def test_a_policy_reaches_its_meter_or_all(running):
    one, two = running.community.owned_meter("House 1"), running.community.owned_meter("House 2")
    running.community.publish(running.community.issuer, "policy", {"version": 1})
    running.community.publish(running.community.issuer, "policy", {"version": 2, "meter": one.kid})
    assert [new.body["version"] for new in running.received(one) if new.name == "policy"] == [1, 2]
    assert [new.body["version"] for new in running.received(two) if new.name == "policy"] == [1]


def test_a_termination_reaches_both_sides(running):
    supplier, consumer, other = (running.community.owned_meter(f"House {n}") for n in (1, 2, 3))
    deal = Deal(supplier, consumer)
    for new in deal.entries:
        running.stored(new)
    body = {"contract": deal.contract.id, "reason": "x", "order_id": bytes(8), "expires_s": START_S + 60}
    running.stored(consumer.owner.publish("terminate", body, START_S + 2))
    assert [names(running.received(meter)).count("terminate") for meter in (supplier, consumer, other)] == [1, 1, 0]


def test_what_the_ledger_rejected_is_sent_to_nobody(running):
    """An acceptance before its offer is of no offer, and a contract of no acceptance."""
    supplier, consumer = running.community.owned_meter("House 1"), running.community.owned_meter("House 2")
    deal = Deal(supplier, consumer)
    running.stored(deal.sell, deal.buy, deal.demand, deal.acceptance)
    running.node.pipeline.close()
    running.node = running.start_node()
    running.stored(deal.offer, deal.contract)
    assert "acceptance" not in names(running.received(supplier))
    assert names(running.received(consumer))[-2:] == ["receipt", "offer"]


def test_a_new_meter_receives_offers_that_hold_and_not_those_that_are_over(running):
    supplier, consumer = running.community.owned_meter("House 1"), running.community.owned_meter("House 2")
    deal = Deal(supplier, consumer)
    running.stored(*deal.entries)
    early = running.received(running.community.owned_meter("House 3"))
    assert names(early).count("offer") == 1 and "acceptance" not in names(early)
    running.community.now_s = START_S + 3601
    assert "offer" not in names(running.received(running.community.owned_meter("House 4")))


def test_a_restart_sends_nothing_twice_and_forgets_nothing(running):
    supplier, consumer = running.community.owned_meter("House 1"), running.community.owned_meter("House 2")
    running.stored(*Deal(supplier, consumer).entries)
    before = [running.node.inbox.after(meter.kid, 0, 1000) for meter in (supplier, consumer)]
    running.node.pipeline.close()
    running.node = running.start_node()
    running.community.publish(running.community.issuer, "policy", {"version": 7})
    running.node.catch_up()
    for meter, told in zip((supplier, consumer), before, strict=True):
        now = running.node.inbox.after(meter.kid, 0, 1000)
        assert now[:-1] == told
        assert entry.decode(now[-1].raw, running.community.id).body == {"version": 7}


def test_what_was_published_before_the_program_died_is_sent_after(running):
    """Entries are durable before they are in any inbox; the next start goes on from there."""
    supplier, consumer = running.community.owned_meter("House 1"), running.community.owned_meter("House 2")
    running.received(supplier)
    deal = Deal(supplier, consumer)
    running.node.pipeline.ingest([new.raw for new in deal.entries])
    running.node.pipeline.close()
    running.node = running.start_node()
    assert names(running.received(consumer)).count("grant") == 1
    assert names(running.received(supplier)).count("acceptance") == 1


def test_a_position_belongs_to_one_meter(running):
    one, two = running.community.owned_meter("House 1"), running.community.owned_meter("House 2")
    running.node.catch_up()
    inbox = running.node.inbox
    positions = [[told.position for told in inbox.after(meter.kid, 0, 100)] for meter in (one, two)]
    assert all(inbox.holds(one.kid, position) for position in [0, *positions[0]])
    assert not any(inbox.holds(one.kid, position) for position in [*positions[1], 10**6])
    assert inbox.last(one.kid) == positions[0][-1] and inbox.last(bytes(8)) == 0


def test_a_mandate_of_the_own_owner_alone_is_sent(running):
    meter = running.community.owned_meter("House 1")
    running.stored(meter.owner.publish("mandate", mandate(meter, kinds.SELL), START_S))
    assert names(running.received(meter))[-1] == "mandate"


def test_a_void_certificate_is_not_sent_to_those_who_come_later(running):
    meter, issuer = running.community.owned_meter("House 1"), running.community.issuer
    running.community.publish(issuer, "policy", {"version": 1})
    body = {**meter.certificate.body, "version": 2, "role": roles.HOST, "label": "void"}
    running.community.sink.catch_up(issuer)
    running.stored(issuer.publish(kinds.CERTIFICATE, body, START_S))
    for told in (running.received(meter), running.received(running.community.owned_meter("House 2"))):
        assert "policy" in names(told) and "void" not in [new.body.get("label") for new in told]


def test_a_meter_without_an_owner_has_an_inbox_too(running):
    public_key = key("House 5").public_key
    body = members.certificate(public_key, roles.METER, "House 5", START_S)
    assert "owner" not in body
    running.community.publish(running.community.issuer, "certificate", body)
    running.node.catch_up()
    told = running.node.inbox.after(ids.kid_of(public_key), 0, 5)
    labels = [entry.decode(row.raw, running.community.id).body.get("label") for row in told]
    assert labels == ["root", "issuer", "host", "House 5", None]
