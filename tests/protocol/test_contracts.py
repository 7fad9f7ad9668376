"""Contracts as the ledger's records have them: their states, what is void, and from when on a change counts."""

from simulator import bodies
from simulator.community import START_S, Community
from wattpact_protocol.log import kinds
from wattpact_protocol.settlement import contracts
from wattpact_protocol.settlement.folding import Folding

S = START_S
SLOT_S = 900


class Traded:
    """A supplier and a consumer, each with an owner, and an offer of 1,000 Wh for an hour; blocks have the times of the
    stamps."""

    def __init__(self):
        self.community = community = Community(SLOT_S)
        self.east, self.west = community.person("east"), community.person("west")
        self.roof, self.wallbox = community.meter("roof", self.east), community.meter("wallbox", self.west)
        sells = community.backed(self.roof, kinds.SELL, 200_000, 1000, S, S + 3600)
        self.offer = community.offer(self.roof, 200_000, 1000, 4000, S, S + 3600, sells)
        demand = community.need(self.wallbox, self.offer, 400)
        self.acceptance = community.accept(self.wallbox, self.offer, 400, 3, demand=demand.id)
        self.confirmed = community.confirm(self.roof, self.acceptance)
        self.folding, self._applied = Folding(), 0
        self.contracts = self.folding.inputs.contracts
        self.changed()

    def changed(self):
        """From when on what was published since has changed contracts."""
        self.contracts.changed_from_s = None
        for new in self.community.entries[self._applied :]:
            self.folding.apply(new)
        self._applied = len(self.community.entries)
        return self.contracts.changed_from_s

    @property
    def contract(self):
        self.changed()
        return self.contracts.by_id[self.confirmed.id]

    def grant(self):
        self.community.grant(self.confirmed, self.offer, self.acceptance)

    def start(self, unix_s):
        self.community.start(self.wallbox, self.confirmed, unix_s)

    def end(self, who, unix_s):
        self.community.terminate(who, self.confirmed, unix_s)

    def report(self, wh, unix_s, reason=None):
        body = bodies.usage(self.confirmed.id, wh, 9)
        kind = kinds.USAGE if reason is None else kinds.USAGE_END
        self.community.publish(self.wallbox, kind, body if reason is None else dict(body, reason=reason), unix_s)


def test_a_contract_has_the_terms_of_its_offer_and_its_acceptance():
    traded = Traded()
    contract = traded.contract
    assert (contract.supplier, contract.consumer) == (traded.roof.kid, traded.wallbox.kid)
    assert (contract.wh, contract.max_w, contract.price_micro_per_kwh) == (400, 4000, 200_000)
    assert (contract.start_s, contract.end_s, contract.start_by_s) == (S, S + 3600, S + 600)
    assert (contract.priority, contract.matched_s) == (3, S)
    assert (contract.offer_id, contract.acceptance_id) == (traded.offer.id, traded.acceptance.id)
    assert (contract.attributed_wh, contract.end_reason, contract.grant_number) == (0, None, None)
    assert (contract.used_from_s, contract.terminated_s, contract.terminated_by) == (None, None, None)


def test_states_follow_one_another():
    traded = Traded()
    assert traded.contract.state(S) == contracts.MATCHED
    traded.grant()
    assert traded.contract.state(S + 600) == contracts.GRANTED
    assert traded.contract.state(S + 601) == contracts.VOID
    traded.start(S + 600)
    assert traded.contract.state(S + 601) == contracts.ACTIVE
    assert traded.contract.state(S + 3600) == contracts.ENDED
    traded.report(400, S + 900, kinds.END_USED_UP)
    assert traded.contract.state(S + 901) == contracts.ENDED


def test_a_contract_that_was_ended_before_its_start_is_void():
    traded = Traded()
    traded.grant()
    traded.end(traded.west, S + 90)
    traded.start(S + 100)
    contract = traded.contract
    assert contract.is_void and contract.used_from_s is None and contract.active_to_s == S + 90
    assert contract.state(S + 91) == contracts.VOID
    assert list(traded.folding.rejected.values()) == ["too_late"]


def test_a_reader_learns_from_when_on_contracts_changed_and_of_nothing_else():
    traded = Traded()
    traded.grant()
    assert traded.changed() is None
    for change, from_s in (
        (lambda: traded.start(S + 70), S + 70),
        (lambda: traded.start(S + 20), None),  # the first that is ordered counts
        (lambda: traded.report(100, S + 900), None),
        (lambda: traded.end(traded.roof, S + 1000), S + 2700 - 1),
        (lambda: traded.end(traded.community.issuer, S + 1100), None),  # it would not be earlier
        (lambda: traded.end(traded.wallbox, S + 1200), S + 1200 - 1),
        (lambda: traded.end(traded.community.person("north"), S + 10), None),
    ):
        change()
        assert traded.changed() == from_s
    assert traded.contract.terminated_by == "consumer"


def test_a_new_contract_changes_all_from_its_start_on():
    traded = Traded()
    demand = traded.community.need(traded.wallbox, traded.offer, 100)
    acceptance = traded.community.accept(traded.wallbox, traded.offer, 100, demand=demand.id)
    assert traded.changed() is None
    traded.community.confirm(traded.roof, acceptance)
    assert traded.changed() == S and len(traded.contracts.by_id) == 2


def test_usage_counts_up_and_the_first_reason_for_an_end_stays():
    traded = Traded()
    for wh, reason in ((100, None), (90, None), (95, kinds.END_USED_UP), (96, kinds.END_USED_UP + 1)):
        traded.report(wh, S + 900, reason)
    contract = traded.contract
    assert (contract.attributed_wh, contract.end_reason) == (100, kinds.END_USED_UP)


def test_consumption_fills_the_lower_priority_number_first_then_the_smaller_id():
    class Terms:
        def __init__(self, priority, name):
            self.priority, self.id = priority, name

    first, second, third = Terms(1, b"z"), Terms(2, b"a"), Terms(2, b"b")
    assert sorted([third, first, second], key=contracts.order_of) == [first, second, third]


def test_states_have_the_names_that_people_and_programs_know():
    names = ("matched", "granted", "active", "ended", "void", "settled")
    assert names == (
        contracts.MATCHED, contracts.GRANTED, contracts.ACTIVE, contracts.ENDED, contracts.VOID, contracts.SETTLED,
    )  # fmt: skip
