"""The node of a ledger that several hosts order: it acts on a block once that is in its store."""

import asyncio

import pytest
from simulator.community import START_S, InMemory
from simulator.deal import Deal
from simulator.quorum import quorum
from wattpact.consensus.rpc import RpcError
from wattpact.node.node import Node
from wattpact.ordering.writer import ORDERED
from wattpact.quorum import engine
from wattpact.quorum.engine import Network, Quorum
from wattpact_protocol.log import entry, kinds


@pytest.fixture
def made(tmp_path):
    """One host that decides alone, and its node; `decide` gives it a block, `before_commit` is called in between."""
    (tmp_path / "founder").mkdir()
    with quorum(tmp_path, count=1) as found:
        community, seat = found.community, found.seats[0]
        network = Network(tmp_path / "cometbft", tmp_path / "none", "127.0.0.1:1", ())
        ordering = Quorum(seat.store, community.host.key, seat.clock, network)
        found.node = Node(
            seat.store, community.root.public_key, community.host.key, community.issuer.key, seat.clock, quorum=ordering
        )
        seat.application = ordering._application
        community.sink = InMemory()
        yield found
        found.node.pipeline.close()


async def decide(made, *entries, before_commit=lambda: None):
    application = made.seats[0].application
    block = made.proposed(*[new.raw for new in entries if new.kind in ORDERED])
    made.height += 1
    application.finalize(made.height, made.community.now_s, block)
    before_commit()
    application.commit()
    await asyncio.sleep(0)  # the node is called once the engine has its answer


def ingested(made, *entries):
    made.node.ingest([(new.raw, ("10.0.0.1", 1)) for new in entries])


def grants_in(made):
    rows = made.seats[0].store.entries(of_kinds=[kinds.GRANT])
    return [entry.decode(row.raw, made.community.id) for row in rows]


def test_a_node_that_looked_while_a_block_was_under_way_acts_on_it_all_the_same(made):
    community = made.community
    deal = Deal(community.owned_meter("House 1"), community.owned_meter("House 2"))
    entries = [*community.entries, *deal.entries]
    community.now_s = START_S + 2

    async def live():
        ingested(made, *community.entries)
        ingested(made, *deal.entries)
        await decide(made, *entries, before_commit=made.node.catch_up)
        assert [new.body["contract"] for new in grants_in(made)] == [deal.contract.id]
        names = [entry.decode(each.raw, community.id).name for each in made.node.inbox.after(deal.offer.kid, 0, 100)]
        assert "acceptance" in names

    asyncio.run(live())


@pytest.mark.parametrize("which", range(4))
def test_contracts_that_follow_each_other_closely_are_each_granted(made, which):
    """The second is decided while the first one's grant is still on its way to the other hosts: their numbers differ,
    whichever contract's id is the lower."""
    community = made.community
    one, two, buyer = (community.owned_meter(f"House {number}") for number in (1, 2, 3))
    certificates = list(community.entries)
    first = Deal(one, buyer)
    second = Deal(two, buyer, acceptance={"priority": 2 + which}, buy={"order_id": bytes([9] * 8)})
    community.now_s = START_S + 2

    async def live():
        ingested(made, *certificates)
        ingested(made, *first.entries, *second.entries)
        await decide(made, *certificates)
        await decide(made, *first.entries[:-1], *second.entries[:-1])
        await decide(made, first.contract)
        await decide(made, second.contract)
        await decide(made, *grants_in(made))
        store = made.seats[0].store
        granted = [
            new.body["contract"] for new in grants_in(made)
            if store.place(store.entry_with_id(new.id).cursor).height is not None
        ]  # fmt: skip
        assert set(granted) == {first.contract.id, second.contract.id} and len(granted) == 2

    asyncio.run(live())


class Engine:
    """CometBFT and the connection to it, as the offering of entries sees them."""

    def __init__(self, quorum):
        self.starts = 1
        self.fails = False
        self.sent = []
        quorum._process = quorum._client = self

    async def send(self, transactions):
        if self.fails:
            raise RpcError("it does not answer")
        self.sent.append(list(transactions))


@pytest.mark.parametrize("how", ["it starts anew", "it does not answer"])
def test_what_cometbft_may_have_lost_is_offered_again_before_what_is_new(made, how, monkeypatch):
    """Else the later of two entries of a log would be ordered, and the earlier never."""
    meter = made.community.owned_meter("House 1")
    certificates, quorum = list(made.community.entries), made.node.ordering
    monkeypatch.setattr(engine, "OFFER_EVERY_S", 0)
    comet = Engine(quorum)

    async def live():
        ingested(made, *certificates)
        await decide(made, *certificates)
        comet.fails = how == "it does not answer"
        first = meter.publish("key_open", {"key_no": 1, "epoch": 1, "commitment": bytes(32)}, START_S)
        ingested(made, first)
        offering = asyncio.create_task(quorum._offer_always())
        await asyncio.sleep(0.05)
        assert comet.sent == ([] if comet.fails else [[first.raw]])
        comet.starts, comet.fails = 2, False
        second = meter.publish("key_open", {"key_no": 2, "epoch": 1, "commitment": bytes([1] * 32)}, START_S)
        ingested(made, second)
        await asyncio.sleep(1.2)
        assert comet.sent[-1] == [first.raw, second.raw]
        offering.cancel()

    asyncio.run(live())
