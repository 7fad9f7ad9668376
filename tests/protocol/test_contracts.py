"""Contracts: what binds, what is rejected and why, how a contract starts and ends, whatever arrives first."""

import case
from simulator import bodies
from simulator.authors import ROOT_SEED, Author, Key
from simulator.community import START_S, Community
from wattpact_protocol.log import kinds
from wattpact_protocol.settlement import contracts, inputs

S = START_S


class TradedMonth:
    """A supplier and two consumers, each with an owner, and an offer of 1,000 Wh for an hour."""

    def __init__(self):
        self.community = Community()
        self.east, self.west = self.community.person("east"), self.community.person("west")
        self.roof = self.community.meter("roof", self.east)
        self.wallbox, self.pump = self.community.meter("wallbox", self.west), self.community.meter("pump", self.west)
        self.offer = self.community.offer(self.roof, 200_000, 1000, 4000, S, S + 3600)

    def match(self, wh=400, consumer=None, **more):
        acceptance = self.community.accept(consumer or self.wallbox, self.offer, wh, **more)
        return self.community.confirm(self.roof, acceptance)

    def agreements(self, entries=None):
        agreements = contracts.Agreements()
        for new in entries or self.community.entries:
            agreements.apply(new)
        return agreements


def test_a_contract_has_the_terms_of_its_offer_and_its_acceptance():
    traded = TradedMonth()
    confirmed = traded.match(400, priority=3, timeout_s=60)
    contract = traded.agreements().contracts[confirmed.id]
    assert (contract.supplier, contract.consumer) == (traded.roof.kid, traded.wallbox.kid)
    assert (contract.wh, contract.max_w, contract.price_micro_per_kwh) == (400, 4000, 200_000)
    assert (contract.start_s, contract.end_s, contract.start_by_s) == (S, S + 3600, S + 60)
    assert (contract.priority, contract.matched_s) == (3, S)


def test_no_energy_is_carried_from_before_the_confirmation():
    """Or a consumer could buy, once it knows what it used, what it used hours ago."""
    traded = TradedMonth()
    community = traded.community
    acceptance = community.accept(traded.wallbox, traded.offer, 400, timeout_s=3600, unix_s=S + 1800)
    confirmed = community.confirm(traded.roof, acceptance, unix_s=S + 1801)
    community.start(traded.wallbox, confirmed, S)
    assert traded.agreements().contracts[confirmed.id].used_from_s == S + 1801


def test_an_offer_is_accepted_in_parts_and_never_beyond_its_energy():
    traded = TradedMonth()
    taken = [traded.match(600), traded.match(401, traded.pump), traded.match(400, traded.pump)]
    agreements = traded.agreements()
    assert sorted(agreements.contracts) == sorted([taken[0].id, taken[2].id])
    assert agreements.refused == {taken[1].id: "offer_exceeded"}
    assert agreements.offer_left_wh(traded.offer.id) == 0


def test_the_suppliers_order_decides_who_gets_the_rest_whatever_arrives_first():
    traded = TradedMonth()
    first, second = traded.match(600, traded.pump), traded.match(600, traded.wallbox)
    late = [new for new in traded.community.entries if new.kid == traded.pump.kid]
    others = [new for new in traded.community.entries if new.kid != traded.pump.kid]
    agreements = traded.agreements(others)
    assert list(agreements.contracts) == [second.id] and [new.id for new in agreements.waiting()] == [first.id]
    agreements.changed_from_s = None
    for new in late:
        agreements.apply(new)
    assert list(agreements.contracts) == [first.id] and agreements.refused == {second.id: "offer_exceeded"}
    assert agreements.changed_from_s == S


def test_what_does_not_fit_is_rejected_with_its_reason():
    for change, reason in (
        (lambda s: s.community.confirm(s.pump, s.community.accept(s.wallbox, s.offer, 1)), "not_the_supplier"),
        (lambda s: s.community.confirm(s.roof, s.community.accept(s.roof, s.offer, 1)), "supplier_is_consumer"),
        (lambda s: s.community.confirm(s.roof, s.community.accept(s.wallbox, s.offer, 1), S + 3601), "offer_expired"),
        (lambda s: s.match(1, unix_s=S + 3601), "offer_expired"),
        (lambda s: s.community.offer(s.roof, 1, 1, 1, S, S), "no_period"),
        (lambda s: s.community.start(s.pump, s.match(), S), "not_the_consumer"),
    ):
        traded = TradedMonth()
        refused = change(traded)
        assert traded.agreements().refused == {refused.id: reason}, reason
    traded = TradedMonth()
    acceptance = traded.community.accept(traded.wallbox, traded.offer, 100)
    traded.community.confirm(traded.roof, acceptance)
    again = traded.community.confirm(traded.roof, acceptance, S + 1)
    assert traded.agreements().refused == {again.id: "confirmed_twice"}
    traded = TradedMonth()
    untimed = traded.community.publish(traded.roof, kinds.CONTRACT, {"acceptance": bytes(32)}, None, 1)
    assert [new.id for new in traded.agreements().waiting()] == [untimed.id]


def test_the_first_start_counts_and_never_before_the_contract():
    for stamps, used in (((S - 50, S + 70), S), ((S + 70, S + 20), S + 70)):
        traded = TradedMonth()
        confirmed = traded.match()
        for unix_s in stamps:
            traded.community.start(traded.wallbox, confirmed, unix_s)
        assert traded.agreements().contracts[confirmed.id].used_from_s == used
    traded = TradedMonth()
    confirmed = traded.match()
    body = {"contract": confirmed.id, "grant": 1, "import_wh": 0}
    untimed = traded.community.publish(traded.wallbox, kinds.USAGE_START, body, None, 1)
    assert traded.agreements().refused == {untimed.id: "no_time"}


def test_who_may_end_a_contract_and_for_whom():
    for who, party in (
        ("wallbox", "consumer"), ("west", "consumer"), ("roof", "supplier"), ("east", "supplier"),
        ("issuer", "operator"), ("pump", None), ("north", None),
    ):  # fmt: skip
        traded = TradedMonth()
        traded.community.person("north")
        confirmed = traded.match()
        ended = traded.community.terminate(traded.community.by_name[who], confirmed, S + 90)
        agreements = traded.agreements()
        contract = agreements.contracts[confirmed.id]
        assert contract.terminated_by == party
        assert contract.active_to_s == (S + 90 if party else S + 3600)
        assert agreements.refused == ({} if party else {ended.id: "not_a_party"})


def test_the_earliest_end_counts_and_in_one_second_the_one_that_costs_the_consumer_least():
    for ends, party in (
        ((("wallbox", 90), ("roof", 80)), "supplier"),
        ((("wallbox", 70), ("roof", 80)), "consumer"),
        ((("wallbox", 80), ("roof", 80)), "supplier"),
        ((("roof", 80), ("issuer", 80), ("wallbox", 80)), "operator"),
    ):
        traded = TradedMonth()
        confirmed = traded.match()
        for who, after_s in ends:
            traded.community.terminate(traded.community.by_name[who], confirmed, S + after_s)
        for entries in (traded.community.entries, traded.community.entries[::-1]):
            assert traded.agreements(entries).contracts[confirmed.id].terminated_by == party


def test_an_end_after_the_end_changes_nothing():
    for after_s, counts in ((3599, True), (3600, False), (4000, False)):
        traded = TradedMonth()
        confirmed = traded.match()
        ended = traded.community.terminate(traded.roof, confirmed, S + after_s)
        agreements = traded.agreements()
        assert agreements.contracts[confirmed.id].terminated_by == ("supplier" if counts else None)
        assert agreements.refused == ({} if counts else {ended.id: "ended_before"})


def test_states_follow_one_another():
    traded = TradedMonth()
    acceptance = traded.community.accept(traded.wallbox, traded.offer, 400)
    confirmed = traded.community.confirm(traded.roof, acceptance)
    agreements = traded.agreements()
    contract = agreements.contracts[confirmed.id]
    assert contract.state(S) == contracts.MATCHED
    agreements.apply(traded.community.grant(confirmed, traded.offer, acceptance))
    assert contract.state(S + 600) == contracts.GRANTED
    assert contract.state(S + 601) == contracts.VOID
    agreements.apply(traded.community.start(traded.wallbox, confirmed, S + 600))
    assert contract.state(S + 601) == contracts.ACTIVE
    assert contract.state(S + 3600) == contracts.ENDED
    body = {"contract": confirmed.id, "attributed_wh": 400, "import_wh": 9, "reason": kinds.END_USED_UP}
    agreements.apply(traded.community.publish(traded.wallbox, kinds.USAGE_END, body, S + 900))
    assert contract.state(S + 901) == contracts.ENDED
    assert (contract.attributed_wh, contract.end_reason) == (400, kinds.END_USED_UP)


def test_a_contract_over_before_it_was_used_is_void():
    for end_s, used_s, is_void in ((90, 100, True), (100, 100, True), (101, 100, False)):
        traded = TradedMonth()
        confirmed = traded.match()
        traded.community.start(traded.wallbox, confirmed, S + used_s)
        traded.community.terminate(traded.west, confirmed, S + end_s)
        contract = traded.agreements().contracts[confirmed.id]
        assert contract.is_void == is_void
        assert contract.state(S + 3000) == (contracts.VOID if is_void else contracts.ENDED)


def picture(agreements):
    """All that agreements hold of their contracts."""
    rows = []
    for contract in agreements.contracts.values():
        rows.append((
            contract.id, contract.grant_number, contract.used_from_s, contract.terminated_s, contract.terminated_by,
            contract.attributed_wh, contract.end_reason,
        ))  # fmt: skip
    return sorted(rows, key=lambda row: row[0]), sorted(agreements.refused.items()), sorted(agreements.taken_wh.items())


def test_the_order_of_arrival_does_not_matter_while_each_author_keeps_its_own():
    traded = TradedMonth()
    for wh, consumer in ((300, traded.wallbox), (500, traded.pump), (400, traded.wallbox), (100, traded.pump)):
        confirmed = traded.match(wh, consumer)
        traded.community.start(consumer, confirmed, S + wh)
        body = {"contract": confirmed.id, "attributed_wh": wh // 2, "import_wh": 0}
        traded.community.publish(consumer, kinds.USAGE, body, S + 1000)
        traded.community.terminate(traded.west if wh % 3 else traded.roof, confirmed, S + 2000)
        traded.community.terminate(traded.community.issuer, confirmed, S + 2000 - wh // 100)
    expected = picture(traded.agreements())
    assert len(expected[0]) == 3 and len(expected[1]) == 1
    for seed in range(case.scale(150, 30)):
        bits = case.Bits(seed)
        logs = {}
        for new in traded.community.entries:
            logs.setdefault(new.kid, []).append(new)
        arrived = []
        while logs:
            author = bits.choice(sorted(logs))
            arrived.append(logs[author].pop(0))
            if not logs[author]:
                del logs[author]
        assert picture(traded.agreements(arrived)) == expected, seed


def test_consumption_fills_the_lower_priority_number_first_then_the_smaller_id():
    class Terms:
        def __init__(self, priority, name):
            self.priority, self.id = priority, name

    first, second, third = Terms(1, b"z"), Terms(2, b"a"), Terms(2, b"b")
    assert sorted([third, first, second], key=contracts.order_of) == [first, second, third]


def test_states_have_the_names_that_people_and_programs_know():
    names = ("proposed", "expired", "matched", "granted", "active", "ended", "void", "settled")
    assert names == (
        contracts.PROPOSED, contracts.EXPIRED, contracts.MATCHED, contracts.GRANTED,
        contracts.ACTIVE, contracts.ENDED, contracts.VOID, contracts.SETTLED,
    )  # fmt: skip


def test_a_contract_begins_with_nothing_used_and_knows_where_it_came_from():
    traded = TradedMonth()
    acceptance = traded.community.accept(traded.wallbox, traded.offer, 400)
    confirmed = traded.community.confirm(traded.roof, acceptance)
    contract = traded.agreements().contracts[confirmed.id]
    assert (contract.offer_id, contract.acceptance_id) == (traded.offer.id, acceptance.id)
    assert (contract.attributed_wh, contract.end_reason, contract.grant_number) == (0, None, None)
    assert (contract.used_from_s, contract.terminated_s, contract.terminated_by) == (None, None, None)


def test_offers_demands_and_mandates_are_there_to_be_matched():
    traded = TradedMonth()
    mandate = traded.community.mandate(traded.west, traded.wallbox, kinds.BUY, 250_000, 500, 4000, S, S + 3600)
    body = {
        "price_micro_per_kwh": 250_000, "wh": 500, "max_w": 4000, "start_s": S, "end_s": S + 3600,
        "valid_until_s": S + 3600, "mandate": mandate.id,
    }  # fmt: skip
    demand = traded.community.publish(traded.wallbox, kinds.DEMAND, body, S)
    agreements = traded.agreements()
    assert agreements.mandates == {mandate.id: mandate} and agreements.demands == {demand.id: demand}
    assert agreements.offers == {traded.offer.id: traded.offer}
    assert agreements.offer_left_wh(traded.offer.id) == 1000


def test_an_offer_may_be_taken_up_to_and_in_its_last_second():
    for accepted_s, confirmed_s, binds in (
        (S + 3600, S + 3600, True), (S, S + 3600, True), (S, S + 3601, False), (S + 3601, S, False),
    ):  # fmt: skip
        traded = TradedMonth()
        acceptance = traded.community.accept(traded.wallbox, traded.offer, 1, unix_s=accepted_s)
        confirmed = traded.community.confirm(traded.roof, acceptance, confirmed_s)
        assert (confirmed.id in traded.agreements().contracts) == binds, (accepted_s, confirmed_s)


def test_what_has_no_time_neither_binds_nor_ends():
    traded = TradedMonth()
    accepted = {"offer": traded.offer.id, "wh": 1, "priority": 1, "start_timeout_s": 600}
    untimed = traded.community.publish(traded.wallbox, kinds.ACCEPTANCE, accepted, None, 1)
    late = traded.community.confirm(traded.roof, untimed)
    confirmed = traded.match()
    body = {"contract": confirmed.id, "reason": "enough"}
    ended = traded.community.publish(traded.roof, kinds.TERMINATE, body, None, 1)
    agreements = traded.agreements()
    assert agreements.refused == {late.id: "offer_expired", ended.id: "no_time"}
    assert agreements.contracts[confirmed.id].terminated_s is None


def test_of_two_ends_in_one_second_the_suppliers_counts_whatever_their_ids():
    for after_s in range(100, 116):
        traded = TradedMonth()
        confirmed = traded.match()
        for who in (traded.wallbox, traded.roof):
            traded.community.terminate(who, confirmed, S + after_s)
        assert traded.agreements().contracts[confirmed.id].terminated_by == "supplier", after_s


def test_a_reader_learns_from_when_on_contracts_changed_and_of_nothing_else():
    traded, agreements, applied = TradedMonth(), contracts.Agreements(), []
    community = traded.community

    def changed():
        agreements.changed_from_s = None
        for new in community.entries[len(applied) :]:
            applied.append(new)
            agreements.apply(new)
        return agreements.changed_from_s

    confirmed = traded.match(400)
    assert changed() == S
    traded.match(601)
    assert changed() is None  # more than is left
    for change, from_s in (
        (lambda: community.start(traded.wallbox, confirmed, S + 70), S + 70),
        (lambda: community.start(traded.wallbox, confirmed, S + 20), None),  # the first in its log counts
        (lambda: community.terminate(traded.roof, confirmed, S + 2000), S + 1999),
        (lambda: community.terminate(traded.roof, confirmed, S + 2500), None),
        (lambda: community.terminate(traded.wallbox, confirmed, S + 2000), None),  # the supplier's counts
        (lambda: community.terminate(community.issuer, confirmed, S + 2000), S + 1999),  # and the operator's before it
        (lambda: community.terminate(community.issuer, confirmed, S + 2000), None),
        (lambda: community.terminate(traded.roof, confirmed, S + 1000), S + 999),
        (lambda: community.terminate(community.person("north"), confirmed, S + 10), None),
        (lambda: [community.terminate(traded.roof, confirmed, S + after_s) for after_s in (900, 950)], S + 899),
        (lambda: [community.terminate(traded.roof, confirmed, S + 800), traded.match(100)], S),
    ):
        change()
        assert changed() == from_s


def test_usage_counts_up_and_the_first_reason_for_an_end_stays():
    traded = TradedMonth()
    confirmed = traded.match()
    for kind, wh, more in (
        (kinds.USAGE, 100, {}), (kinds.USAGE, 90, {}),
        (kinds.USAGE_END, 95, {"reason": kinds.END_USED_UP}), (kinds.USAGE_END, 96, {"reason": kinds.END_USED_UP + 1}),
    ):  # fmt: skip
        body = {"contract": confirmed.id, "attributed_wh": wh, "import_wh": 0}
        traded.community.publish(traded.wallbox, kind, dict(body, **more), S + 900)
    contract = traded.agreements().contracts[confirmed.id]
    assert (contract.attributed_wh, contract.end_reason) == (100, kinds.END_USED_UP)


def test_the_kinds_that_are_applied_are_those_that_change_something():
    author = Author(Key(ROOT_SEED))
    for kind, body in bodies.all_bodies(author):
        agreements = contracts.Agreements()
        before = _state(agreements)
        agreements.apply(author.publish(kind, body))
        assert (_state(agreements) != before) == (kind in inputs.AGREED), kinds.NAMES[kind]


def _state(agreements):
    return repr(sorted([(name, repr(value)) for name, value in agreements.__dict__.items()]))
