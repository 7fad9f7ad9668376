"""Contracts: what binds, what is refused and why, how a contract starts and ends, whatever arrives first."""

import case
from simulator import bodies
from simulator.authors import ROOT_SEED, Author, Key
from simulator.community import START_S, Village
from wattpact_protocol.log import kinds
from wattpact_protocol.settlement import contracts, inputs

S = START_S


class Scene:
    """A supplier and two consumers, each with an owner, and an offer of 1,000 Wh for an hour."""

    def __init__(self):
        self.village = Village()
        self.east, self.west = self.village.person("east"), self.village.person("west")
        self.roof = self.village.meter("roof", self.east)
        self.wallbox, self.pump = self.village.meter("wallbox", self.west), self.village.meter("pump", self.west)
        self.offer = self.village.offer(self.roof, 200_000, 1000, 4000, S, S + 3600)

    def match(self, wh=400, consumer=None, **more):
        acceptance = self.village.accept(consumer or self.wallbox, self.offer, wh, **more)
        return self.village.confirm(self.roof, acceptance)

    def agreements(self, entries=None):
        agreements = contracts.Agreements()
        for new in entries or self.village.entries:
            agreements.apply(new)
        return agreements


def test_a_contract_has_the_terms_of_its_offer_and_its_acceptance():
    scene = Scene()
    confirmed = scene.match(400, priority=3, timeout_s=60)
    contract = scene.agreements().contracts[confirmed.id]
    assert (contract.supplier, contract.consumer) == (scene.roof.kid, scene.wallbox.kid)
    assert (contract.wh, contract.max_w, contract.price_micro_per_kwh) == (400, 4000, 200_000)
    assert (contract.start_s, contract.end_s, contract.start_by_s) == (S, S + 3600, S + 60)
    assert (contract.priority, contract.matched_s) == (3, S)


def test_no_energy_is_carried_from_before_the_confirmation():
    """Or a consumer could buy, once it knows what it used, what it used hours ago."""
    scene = Scene()
    village = scene.village
    acceptance = village.accept(scene.wallbox, scene.offer, 400, timeout_s=3600, unix_s=S + 1800)
    confirmed = village.confirm(scene.roof, acceptance, unix_s=S + 1801)
    village.start(scene.wallbox, confirmed, S)
    assert scene.agreements().contracts[confirmed.id].used_from_s == S + 1801


def test_an_offer_is_taken_in_parts_and_never_beyond_its_energy():
    scene = Scene()
    taken = [scene.match(600), scene.match(401, scene.pump), scene.match(400, scene.pump)]
    agreements = scene.agreements()
    assert sorted(agreements.contracts) == sorted([taken[0].id, taken[2].id])
    assert agreements.refused == {taken[1].id: "offer_exceeded"}
    assert agreements.offer_left_wh(scene.offer.id) == 0


def test_the_suppliers_order_decides_who_gets_the_rest_whatever_arrives_first():
    scene = Scene()
    first, second = scene.match(600, scene.pump), scene.match(600, scene.wallbox)
    late = [new for new in scene.village.entries if new.kid == scene.pump.kid]
    others = [new for new in scene.village.entries if new.kid != scene.pump.kid]
    agreements = scene.agreements(others)
    assert list(agreements.contracts) == [second.id] and [new.id for new in agreements.waiting()] == [first.id]
    agreements.changed_from_s = None
    for new in late:
        agreements.apply(new)
    assert list(agreements.contracts) == [first.id] and agreements.refused == {second.id: "offer_exceeded"}
    assert agreements.changed_from_s == S


def test_what_does_not_fit_is_refused_with_its_reason():
    for change, reason in (
        (lambda s: s.village.confirm(s.pump, s.village.accept(s.wallbox, s.offer, 1)), "not_the_supplier"),
        (lambda s: s.village.confirm(s.roof, s.village.accept(s.roof, s.offer, 1)), "supplier_is_consumer"),
        (lambda s: s.village.confirm(s.roof, s.village.accept(s.wallbox, s.offer, 1), S + 3601), "offer_expired"),
        (lambda s: s.match(1, unix_s=S + 3601), "offer_expired"),
        (lambda s: s.village.offer(s.roof, 1, 1, 1, S, S), "no_period"),
        (lambda s: s.village.start(s.pump, s.match(), S), "not_the_consumer"),
    ):
        scene = Scene()
        refused = change(scene)
        assert scene.agreements().refused == {refused.id: reason}, reason
    scene = Scene()
    acceptance = scene.village.accept(scene.wallbox, scene.offer, 100)
    scene.village.confirm(scene.roof, acceptance)
    again = scene.village.confirm(scene.roof, acceptance, S + 1)
    assert scene.agreements().refused == {again.id: "confirmed_twice"}
    scene = Scene()
    untimed = scene.village.publish(scene.roof, kinds.CONTRACT, {"acceptance": bytes(32)}, None, 1)
    assert [new.id for new in scene.agreements().waiting()] == [untimed.id]


def test_the_first_start_counts_and_never_before_the_contract():
    for stamps, used in (((S - 50, S + 70), S), ((S + 70, S + 20), S + 70)):
        scene = Scene()
        confirmed = scene.match()
        for unix_s in stamps:
            scene.village.start(scene.wallbox, confirmed, unix_s)
        assert scene.agreements().contracts[confirmed.id].used_from_s == used
    scene = Scene()
    confirmed = scene.match()
    body = {"contract": confirmed.id, "grant": 1, "import_wh": 0}
    untimed = scene.village.publish(scene.wallbox, kinds.USAGE_START, body, None, 1)
    assert scene.agreements().refused == {untimed.id: "no_time"}


def test_who_may_end_a_contract_and_for_whom():
    for who, party in (
        ("wallbox", "consumer"), ("west", "consumer"), ("roof", "supplier"), ("east", "supplier"),
        ("issuer", "operator"), ("pump", None), ("north", None),
    ):  # fmt: skip
        scene = Scene()
        scene.village.person("north")
        confirmed = scene.match()
        ended = scene.village.terminate(scene.village.by_name[who], confirmed, S + 90)
        agreements = scene.agreements()
        contract = agreements.contracts[confirmed.id]
        assert contract.terminated_by == party
        assert contract.active_to_s == (S + 90 if party else S + 3600)
        assert agreements.refused == ({} if party else {ended.id: "not_a_party"})


def test_the_earliest_end_counts_and_in_one_second_the_one_that_asks_least_of_the_consumer():
    for ends, party in (
        ((("wallbox", 90), ("roof", 80)), "supplier"),
        ((("wallbox", 70), ("roof", 80)), "consumer"),
        ((("wallbox", 80), ("roof", 80)), "supplier"),
        ((("roof", 80), ("issuer", 80), ("wallbox", 80)), "operator"),
    ):
        scene = Scene()
        confirmed = scene.match()
        for who, after_s in ends:
            scene.village.terminate(scene.village.by_name[who], confirmed, S + after_s)
        for entries in (scene.village.entries, scene.village.entries[::-1]):
            assert scene.agreements(entries).contracts[confirmed.id].terminated_by == party


def test_an_end_after_the_end_changes_nothing():
    for after_s, counts in ((3599, True), (3600, False), (4000, False)):
        scene = Scene()
        confirmed = scene.match()
        ended = scene.village.terminate(scene.roof, confirmed, S + after_s)
        agreements = scene.agreements()
        assert agreements.contracts[confirmed.id].terminated_by == ("supplier" if counts else None)
        assert agreements.refused == ({} if counts else {ended.id: "ended_before"})


def test_states_follow_one_another():
    scene = Scene()
    acceptance = scene.village.accept(scene.wallbox, scene.offer, 400)
    confirmed = scene.village.confirm(scene.roof, acceptance)
    agreements = scene.agreements()
    contract = agreements.contracts[confirmed.id]
    assert contract.state(S) == contracts.MATCHED
    agreements.apply(scene.village.grant(scene.wallbox, confirmed, scene.offer, acceptance))
    assert contract.state(S + 600) == contracts.GRANTED
    assert contract.state(S + 601) == contracts.VOID
    agreements.apply(scene.village.start(scene.wallbox, confirmed, S + 600))
    assert contract.state(S + 601) == contracts.ACTIVE
    assert contract.state(S + 3600) == contracts.ENDED
    body = {"contract": confirmed.id, "attributed_wh": 400, "import_wh": 9, "reason": kinds.END_USED_UP}
    agreements.apply(scene.village.publish(scene.wallbox, kinds.USAGE_END, body, S + 900))
    assert contract.state(S + 901) == contracts.ENDED
    assert (contract.attributed_wh, contract.end_reason) == (400, kinds.END_USED_UP)


def test_a_contract_over_before_it_was_used_is_void():
    for end_s, used_s, is_void in ((90, 100, True), (100, 100, True), (101, 100, False)):
        scene = Scene()
        confirmed = scene.match()
        scene.village.start(scene.wallbox, confirmed, S + used_s)
        scene.village.terminate(scene.west, confirmed, S + end_s)
        contract = scene.agreements().contracts[confirmed.id]
        assert contract.is_void == is_void
        assert contract.state(S + 3000) == (contracts.VOID if is_void else contracts.ENDED)


def picture(agreements):
    """All that a agreements says of its contracts."""
    rows = []
    for contract in agreements.contracts.values():
        rows.append((
            contract.id, contract.grant_number, contract.used_from_s, contract.terminated_s, contract.terminated_by,
            contract.attributed_wh, contract.end_reason,
        ))  # fmt: skip
    return sorted(rows, key=lambda row: row[0]), sorted(agreements.refused.items()), sorted(agreements.taken_wh.items())


def test_the_order_of_arrival_does_not_matter_while_each_author_keeps_its_own():
    scene = Scene()
    for wh, consumer in ((300, scene.wallbox), (500, scene.pump), (400, scene.wallbox), (100, scene.pump)):
        confirmed = scene.match(wh, consumer)
        scene.village.start(consumer, confirmed, S + wh)
        body = {"contract": confirmed.id, "attributed_wh": wh // 2, "import_wh": 0}
        scene.village.publish(consumer, kinds.USAGE, body, S + 1000)
        scene.village.terminate(scene.west if wh % 3 else scene.roof, confirmed, S + 2000)
        scene.village.terminate(scene.village.issuer, confirmed, S + 2000 - wh // 100)
    expected = picture(scene.agreements())
    assert len(expected[0]) == 3 and len(expected[1]) == 1
    for seed in range(case.scale(150, 30)):
        bits = case.Bits(seed)
        logs = {}
        for new in scene.village.entries:
            logs.setdefault(new.kid, []).append(new)
        arrived = []
        while logs:
            author = bits.choice(sorted(logs))
            arrived.append(logs[author].pop(0))
            if not logs[author]:
                del logs[author]
        assert picture(scene.agreements(arrived)) == expected, seed


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
    scene = Scene()
    acceptance = scene.village.accept(scene.wallbox, scene.offer, 400)
    confirmed = scene.village.confirm(scene.roof, acceptance)
    contract = scene.agreements().contracts[confirmed.id]
    assert (contract.offer_id, contract.acceptance_id) == (scene.offer.id, acceptance.id)
    assert (contract.attributed_wh, contract.end_reason, contract.grant_number) == (0, None, None)
    assert (contract.used_from_s, contract.terminated_s, contract.terminated_by) == (None, None, None)


def test_offers_demands_and_mandates_are_there_to_be_matched():
    scene = Scene()
    mandate = scene.village.mandate(scene.west, scene.wallbox, kinds.BUY, 250_000, 500, 4000, S, S + 3600)
    body = {
        "price_micro_per_kwh": 250_000, "wh": 500, "max_w": 4000, "start_s": S, "end_s": S + 3600,
        "valid_until_s": S + 3600, "mandate": mandate.id,
    }  # fmt: skip
    demand = scene.village.publish(scene.wallbox, kinds.DEMAND, body, S)
    agreements = scene.agreements()
    assert agreements.mandates == {mandate.id: mandate} and agreements.demands == {demand.id: demand}
    assert agreements.offers == {scene.offer.id: scene.offer}
    assert agreements.offer_left_wh(scene.offer.id) == 1000


def test_an_offer_may_be_taken_up_to_and_in_its_last_second():
    for accepted_s, confirmed_s, binds in (
        (S + 3600, S + 3600, True), (S, S + 3600, True), (S, S + 3601, False), (S + 3601, S, False),
    ):  # fmt: skip
        scene = Scene()
        acceptance = scene.village.accept(scene.wallbox, scene.offer, 1, unix_s=accepted_s)
        confirmed = scene.village.confirm(scene.roof, acceptance, confirmed_s)
        assert (confirmed.id in scene.agreements().contracts) == binds, (accepted_s, confirmed_s)


def test_what_has_no_time_neither_binds_nor_ends():
    scene = Scene()
    accepted = {"offer": scene.offer.id, "wh": 1, "priority": 1, "start_timeout_s": 600}
    untimed = scene.village.publish(scene.wallbox, kinds.ACCEPTANCE, accepted, None, 1)
    late = scene.village.confirm(scene.roof, untimed)
    confirmed = scene.match()
    body = {"contract": confirmed.id, "reason": "enough"}
    ended = scene.village.publish(scene.roof, kinds.TERMINATE, body, None, 1)
    agreements = scene.agreements()
    assert agreements.refused == {late.id: "offer_expired", ended.id: "no_time"}
    assert agreements.contracts[confirmed.id].terminated_s is None


def test_of_two_ends_in_one_second_the_suppliers_counts_whatever_their_ids():
    for after_s in range(100, 116):
        scene = Scene()
        confirmed = scene.match()
        for who in (scene.wallbox, scene.roof):
            scene.village.terminate(who, confirmed, S + after_s)
        assert scene.agreements().contracts[confirmed.id].terminated_by == "supplier", after_s


def test_a_reader_learns_from_when_on_contracts_changed_and_of_nothing_else():
    scene, agreements, applied = Scene(), contracts.Agreements(), []
    village = scene.village

    def changed():
        agreements.changed_from_s = None
        for new in village.entries[len(applied) :]:
            applied.append(new)
            agreements.apply(new)
        return agreements.changed_from_s

    confirmed = scene.match(400)
    assert changed() == S
    scene.match(601)
    assert changed() is None  # more than is left
    for change, from_s in (
        (lambda: village.start(scene.wallbox, confirmed, S + 70), S + 70),
        (lambda: village.start(scene.wallbox, confirmed, S + 20), None),  # the first in its log counts
        (lambda: village.terminate(scene.roof, confirmed, S + 2000), S + 1999),
        (lambda: village.terminate(scene.roof, confirmed, S + 2500), None),
        (lambda: village.terminate(scene.wallbox, confirmed, S + 2000), None),  # the supplier's counts
        (lambda: village.terminate(village.issuer, confirmed, S + 2000), S + 1999),  # and the operator's before it
        (lambda: village.terminate(village.issuer, confirmed, S + 2000), None),
        (lambda: village.terminate(scene.roof, confirmed, S + 1000), S + 999),
        (lambda: village.terminate(village.person("north"), confirmed, S + 10), None),
        (lambda: [village.terminate(scene.roof, confirmed, S + after_s) for after_s in (900, 950)], S + 899),
        (lambda: [village.terminate(scene.roof, confirmed, S + 800), scene.match(100)], S),
    ):
        change()
        assert changed() == from_s


def test_usage_counts_up_and_the_first_reason_for_an_end_stays():
    scene = Scene()
    confirmed = scene.match()
    for kind, wh, more in (
        (kinds.USAGE, 100, {}), (kinds.USAGE, 90, {}),
        (kinds.USAGE_END, 95, {"reason": kinds.END_USED_UP}), (kinds.USAGE_END, 96, {"reason": kinds.END_USED_UP + 1}),
    ):  # fmt: skip
        body = {"contract": confirmed.id, "attributed_wh": wh, "import_wh": 0}
        scene.village.publish(scene.wallbox, kind, dict(body, **more), S + 900)
    contract = scene.agreements().contracts[confirmed.id]
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
