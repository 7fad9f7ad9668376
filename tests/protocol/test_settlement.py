"""Settlement: registers at boundaries, one slot's allocation, waiting for late meters, statements that add up."""

import case
from simulator.community import START_S, Community, inputs_of
from wattpact_protocol.ledger.blocks import Header
from wattpact_protocol.ledger.machine import RULES
from wattpact_protocol.log import kinds, roles
from wattpact_protocol.sealing import content
from wattpact_protocol.settlement import allocation, slots, statement
from wattpact_protocol.settlement.folding import Folding
from wattpact_protocol.settlement.inputs import SettlementInputs
from wattpact_protocol.settlement.load_profile import LoadProfile

S = START_S


class Terms:
    """What `allocate` and `most_wh` read of a contract."""

    def __init__(self, name, supplier, consumer, priority=1, wh=1000, max_w=4000):
        self.id, self.supplier, self.consumer, self.priority = name, supplier, consumer, priority
        self.wh, self.max_w = wh, max_w
        self.used_from_s, self.active_to_s, self.is_void, self.terminated_by = S, S + 3600, False, None


def reading(t0_s, imports, exports=None, step_s=900, **more):
    exports = exports or [0] * len(imports)
    body = {"register_generation": 0, "t0_s": t0_s, "step_s": step_s, "quality": 0, "calibration": None, "bad_mask": 0}
    body["registers"] = {}
    for number, values in ((1, imports), (2, exports)):
        body["registers"][number] = [values[0], [values[i + 1] - values[i] for i in range(len(values) - 1)]]
    body.update(more)
    return body


def load_of(*readings, slot_s=900):
    load = LoadProfile(slot_s)
    for body in readings:
        load.add(body)
    return load


def test_a_register_between_points_is_rounded_down_and_flat_outside():
    load = load_of(reading(S, [100, 110], [0, 7]), reading(S + 1800, [120], [9]))
    assert load.at(S - 1) == (100, 0)
    assert load.at(S) == (100, 0)
    assert load.at(S + 450) == (105, 3)
    assert load.at(S + 899) == (109, 6)
    assert load.at(S + 1350) == (115, 8)
    assert load.at(S + 99999) == (120, 9)
    assert LoadProfile(900).at(S) == (0, 0)


def test_a_meter_answers_the_same_in_whatever_order_it_is_queried():
    bits = case.Bits("queried")
    values, times = [0], [S]
    for _ in range(200):
        values.append(values[-1] + bits.below(50))
        times.append(times[-1] + 1 + bits.below(2000))
    load = LoadProfile(900)
    for unix_s, wh in zip(times, values):
        load.add(reading(unix_s, [wh]))
    asked = [S - 100 + bits.below(times[-1] - S + 200) for _ in range(400)]
    straight = {unix_s: load.at(unix_s) for unix_s in sorted(asked)}
    for unix_s in asked:
        assert load.at(unix_s) == straight[unix_s]
        below = [i for i in range(len(times)) if times[i] <= unix_s]
        if below and below[-1] + 1 < len(times):
            i = below[-1]
            share = (values[i + 1] - values[i]) * (unix_s - times[i]) // (times[i + 1] - times[i])
            assert load.at(unix_s)[0] == values[i] + share


def test_energy_is_estimated_where_a_boundary_was_not_measured():
    load = load_of(reading(S, [0, 10, 20]), reading(S + 3600, [50, 55]))
    assert load.estimated_wh(S, S + 1800) == 0
    assert load.estimated_wh(S + 1800, S + 3600) == 30
    assert load.estimated_wh(S, S + 4500) == 30
    assert load.gaps(S, S + 4500) == [(S + 1800, S + 3600)]
    # A gap that ends with the slot it began in hides no boundary: registers show what was used.
    exact = load_of(reading(S, [0, 10]), reading(S + 1800, [30, 35]))
    assert exact.estimated_wh(S, S + 2700) == 0
    assert exact.gaps(S, S + 2700) == []


def test_energy_is_estimated_where_the_meter_marks_it():
    load = load_of(reading(S, [0, 10, 30], bad_mask=2), reading(S + 1800, [30, 60], quality=1))
    assert load.estimated_wh(S, S + 900) == 0
    assert load.estimated_wh(S, S + 2700) == 20 + 30


def test_a_new_register_generation_makes_no_energy_up():
    old, new = reading(S, [1000, 1010]), reading(S + 1800, [5, 9], register_generation=1)
    load = load_of(old, new)
    assert load.at(S + 1800) == (1010, 0)
    assert load.at(S + 2700) == (1014, 0)
    assert load.estimated_wh(S, S + 900) == 0
    # One that reaches back into the old generation's time begins to count where that ended.
    back = load_of(old, reading(S, [0, 100, 104], register_generation=1))
    assert back.at(S + 1800) == (1014, 0)
    assert load_of(old, reading(S - 1800, [0, 7], register_generation=1)).at(S + 900) == (1010, 0)


def test_share_gives_the_largest_remainders_first_and_ties_to_the_smaller_id():
    assert allocation.share(10, [(b"a", 3), (b"b", 4)]) == {b"a": 3, b"b": 4}
    assert allocation.share(10, [(b"a", 10), (b"b", 20)]) == {b"a": 3, b"b": 7}
    assert allocation.share(1, [(b"b", 5), (b"a", 5)]) == {b"a": 1, b"b": 0}
    assert allocation.share(2, [(b"c", 1), (b"a", 1), (b"b", 1)]) == {b"a": 1, b"b": 1, b"c": 0}
    assert allocation.share(0, [(b"a", 1)]) == {b"a": 0}
    assert allocation.share(5, []) == {}


def test_consumption_fills_contracts_in_order_and_the_rest_goes_on():
    claims = [(Terms(b"2", b"T", b"C", 2), 50), (Terms(b"1", b"S", b"C", 1), 30), (Terms(b"3", b"S", b"C", 3), 90)]
    carried, short = allocation.allocate({b"C": 100}, {b"S": 35, b"T": 20}, claims)
    assert carried == {b"1": 30, b"2": 20, b"3": 5}
    assert short == {b"1": 0, b"2": 30, b"3": 45}


def test_contracts_of_one_priority_follow_ids():
    claims = [(Terms(b"b", b"S", b"C"), 50), (Terms(b"a", b"S", b"C"), 50)]
    assert allocation.allocate({b"C": 60}, {b"S": 99}, claims)[0] == {b"a": 50, b"b": 10}


def test_consumers_that_claim_at_once_share_what_there_is():
    claims = [(Terms(b"1", b"S", b"C"), 30), (Terms(b"2", b"S", b"D"), 60), (Terms(b"3", b"T", b"C", 2), 99)]
    carried, short = allocation.allocate({b"C": 30, b"D": 60}, {b"S": 30, b"T": 15}, claims)
    assert carried == {b"1": 10, b"2": 20, b"3": 15}
    assert short == {b"1": 20, b"2": 40, b"3": 5}


def test_what_is_left_is_shared_among_those_who_may_still_claim():
    claims = [(Terms(b"1", b"S", b"C"), 5), (Terms(b"2", b"T", b"C"), 0), (Terms(b"3", b"T", b"D"), -7)]
    assert allocation.spare({b"S": 0, b"T": 10}, claims) == {}
    assert allocation.spare({b"S": -1, b"T": 10}, claims + [(Terms(b"4", b"T", b"E"), 20)]) == {b"4": 10}
    assert allocation.spare({}, claims) == {}


def test_nobody_claims_nothing():
    claims = [(Terms(b"1", b"S", b"C"), 30)]
    assert allocation.allocate({b"C": 0}, {b"S": 30}, claims) == ({}, {})
    assert allocation.allocate({b"C": 3}, {}, claims) == ({b"1": 0}, {b"1": 3})


def test_a_rate_loses_nothing_over_short_slots():
    terms = Terms(b"1", b"S", b"C", wh=1000, max_w=7200)
    assert slots.most_wh(terms, 0, S, S + 3600) == 1000
    terms.wh = 99999
    assert sum([slots.most_wh(terms, 0, S + t, S + t + 5) for t in range(0, 3600, 5)]) == 7200
    terms.max_w = 1
    assert sum([slots.most_wh(terms, 0, S + t, S + t + 7) for t in range(0, 3605, 7)]) == 1
    assert slots.most_wh(terms, 99999, S + 3595, S + 3600) == 0
    assert slots.most_wh(terms, 0, S + 3600, S + 3605) == 0
    terms.is_void = True
    assert slots.most_wh(terms, 0, S, S + 3600) == 0


def two_houses(silence_s=None):
    """A supplier and a consumer, each with an owner."""
    community = Community(silence_s=silence_s)
    east, west = community.person("east"), community.person("west")
    community.tariff(0, 300_000, 70_000)
    return community, east, west, community.meter("roof", east), community.meter("wallbox", west)


def settle(community, now_s=S + 7200):
    inputs, folded = inputs_of(community.entries)
    folded.advance(now_s, now_s)
    return inputs, folded


def figures(inputs, folded, subject, from_s=S, to_s=S + 7200):
    made = statement.state(inputs, folded, subject.kid, from_s, to_s)
    return made, made.figures()


def test_a_contract_between_two_houses():
    """The worked example of docs/spec/settlement.md."""
    community, east, west, roof, wallbox = two_houses()
    contract = community.agree(roof, wallbox, 200_000, 1000, 4000, S, S + 3600)
    community.reading(roof, S, [0] * 9, [0, 300, 500, 500, 900, 1000, 1000, 1000, 1000])
    community.reading(wallbox, S, [0, 400, 600, 800, 1000, 1200, 1300, 1300, 1300])
    inputs, folded = settle(community)
    fill = folded.fills[contract.id]
    assert (fill.carried_wh, fill.short_wh, fill.unused_wh) == (700, 300, 0)
    bought, totals = figures(inputs, folded, west)
    assert totals["bought_wh"] == 700 and totals["bought_nano"] == 700 * 200_000
    assert totals["grid_import_wh"] == 600 and totals["grid_import_nano"] == 600 * 300_000
    assert totals["net_nano"] == 320_000_000
    assert totals["saved_nano"] == 1300 * 300_000 - 320_000_000
    assert totals["settled_to_s"] == S + 7200 and totals["unsettled_meters"] == 0 and len(bought.lines) == 1
    sold, totals = figures(inputs, folded, east)
    assert totals["sold_nano"] == 140_000_000
    assert totals["grid_export_wh"] == 300 and totals["grid_export_nano"] == 300 * 70_000
    assert totals["net_nano"] == -161_000_000
    assert bought.closure == sold.closure == sorted([roof.kid, wallbox.kid])


def test_unused_energy_is_due_when_a_contract_runs_out_and_not_when_the_supplier_ends_it():
    for who, due in (("nobody", 700), ("west", 700), ("wallbox", 700), ("east", 0), ("roof", 0), ("issuer", 0)):
        community, _, west, roof, wallbox = two_houses()
        contract = community.agree(roof, wallbox, 200_000, 1000, 4000, S, S + 3600)
        if who != "nobody":
            community.terminate(community.by_name[who], contract, S + 1000)
        community.reading(roof, S, [0] * 9, [i * 900 for i in range(9)])
        community.reading(wallbox, S, [0] + [300] * 8)
        inputs, folded = settle(community)
        totals = figures(inputs, folded, west)[1]
        assert (totals["bought_wh"], totals["unused_nano"]) == (300, due * 200_000), who


def test_a_contract_that_starts_late_or_never_is_void():
    for used_s, carried in ((S, 900), (S + 600, 900), (S + 601, 0), (-1, 0)):
        community, _, west, roof, wallbox = two_houses()
        community.agree(roof, wallbox, 200_000, 900, 9000, S, S + 3600, used_s=used_s)
        community.reading(roof, S, [0] * 9, [i * 900 for i in range(9)])
        community.reading(wallbox, S, [i * 900 for i in range(9)])
        inputs, folded = settle(community)
        totals = figures(inputs, folded, west)[1]
        assert (totals["bought_wh"], totals["unused_nano"]) == (carried, 0), used_s


def test_a_slot_waits_for_every_meter_that_contracts_link():
    community, east, west, roof, wallbox = two_houses()
    other = community.meter("other", east)
    community.agree(roof, wallbox, 200_000, 1000, 4000, S, S + 3600)
    community.reading(other, S, [i * 10 for i in range(9)])
    community.reading(wallbox, S, [i * 100 for i in range(9)])
    community.reading(roof, S, [0, 0], [0, 100])
    inputs, folded = settle(community)
    assert [folded.settled_to(meter.kid, S + 7200) - S for meter in (other, wallbox, roof)] == [7200, 900, 900]
    assert [fill.starts for fill in folded.fills.values()] == [[S]]
    made, totals = figures(inputs, folded, west)
    assert totals["bought_wh"] == 100 and totals["grid_import_wh"] == 0 and totals["settled_to_s"] == S + 900
    assert totals["unsettled_meters"] == 2
    # The rest comes, in two parts, and the figures are those of a fold that knew it from the start.
    for part in (([0, 0], [100, 300], S + 900), ([0] * 7, [300] * 7, S + 1800)):
        inputs.apply(community.reading(roof, part[2], part[0], part[1]))
        folded.advance(S + 7200, S + 7200)
    again = settle(community)
    for subject in (east, west):
        assert figures(inputs, folded, subject)[1] == figures(again[0], again[1], subject)[1]
        assert figures(inputs, folded, subject)[1]["settled_to_s"] == S + 7200


def test_who_is_silent_for_long_blocks_nobody_and_may_come_back():
    community, east, west, roof, wallbox = two_houses(silence_s=3600)
    community.agree(roof, wallbox, 200_000, 1000, 4000, S, S + 3600)
    community.reading(roof, S, [0, 0], [0, 100])
    community.reading(wallbox, S, [i * 100 for i in range(9)])
    inputs, folded = settle(community, S + 900 + 3600)
    assert folded.settled_to(wallbox.kid, S + 7200) == S + 900
    folded.advance(S + 7200, S + 7200)
    totals = figures(inputs, folded, west)[1]
    assert (totals["bought_wh"], totals["settled_to_s"]) == (100, S + 7200)
    # Nor is it owed what its meter does not show that it had.
    assert totals["unused_nano"] == 0
    inputs.apply(community.reading(roof, S + 900, [0] * 8, [100 * (i + 1) for i in range(8)]))
    folded.advance(S + 7200, S + 7200)
    assert figures(inputs, folded, west)[1]["bought_wh"] == 400


def test_a_supplier_waits_until_it_is_known_whether_the_consumer_started():
    community, east, west, roof, wallbox = two_houses()
    community.reading(wallbox, S - 900, [0, 0])
    community.agree(roof, wallbox, 200_000, 1000, 4000, S, S + 3600, used_s=-1)
    community.reading(roof, S, [0] * 5, [0, 100, 200, 300, 400])
    inputs, folded = settle(community)
    assert folded.settled_to(roof.kid, S + 3600) == S
    inputs.apply(community.reading(wallbox, S, [0, 0]))
    folded.advance(S + 7200, S + 7200)
    # The log passed the last moment for a start: there was none.
    assert folded.settled_to(roof.kid, S + 3600) == S + 3600


def test_a_consumer_with_a_first_reading_is_waited_for_from_then_on():
    for used_s in (S, -1):
        community, east, west, roof, wallbox = two_houses()
        community.agree(roof, wallbox, 200_000, 1000, 4000, S, S + 900, used_s=used_s)
        community.reading(roof, S, [0, 0], [0, 100])
        inputs, folded = settle(community)
        assert folded.settled_to(roof.kid, S + 7200) == S + 900
        inputs.apply(community.reading(wallbox, S, [0]))
        folded.advance(S + 7200, S + 7200)
        assert folded.settled_to(roof.kid, S + 7200) == S


def test_late_entries_change_what_they_would_have_changed_in_time():
    """Whatever the order in which meters' readings arrive, besides what blocks order, and however often the fold runs
    meanwhile."""
    community, east, west, roof, wallbox = two_houses()
    tree = community.meter("tree", east)
    contracts = [
        community.agree(roof, wallbox, 200_000, 700, 4000, S, S + 3600),
        community.agree(tree, wallbox, 180_000, 500, 2000, S + 100, S + 5400, priority=2),
        community.agree(roof, wallbox, 210_000, 300, 2000, S + 1800, S + 7200),
    ]
    community.terminate(east, contracts[0], S + 2000)
    community.terminate(community.issuer, contracts[1], S + 3000)
    community.reading(roof, S, [0] * 9, [0, 90, 300, 400, 700, 800, 1000, 1100, 1100])
    community.reading(tree, S, [0] * 9, [0, 50, 50, 100, 200, 300, 300, 300, 400])
    community.reading(wallbox, S, [0, 210, 350, 800, 800, 1000, 1200, 1300, 1600])
    inputs, folded = settle(community)
    expected = [figures(inputs, folded, subject)[1] for subject in (east, west)]
    assert expected[1]["bought_wh"] > 300
    founding = [
        new for new in community.entries if new.kind in (kinds.CERTIFICATE, kinds.COMMUNITY, kinds.TARIFF)
    ]  # fmt: skip
    for seed in range(case.scale(60, 15)):
        bits = case.Bits(seed)
        logs = {}
        for new in community.entries:
            if new not in founding:
                logs.setdefault(b"ordered" if new.kind in RULES else new.kid, []).append(new)
        folding = Folding()
        for new in founding:
            folding.apply(new)
        inputs = folding.inputs
        folded = slots.Settlement(inputs.slot_s, inputs.silence_s, inputs.load_profiles, inputs.contracts)
        while logs:
            author = bits.choice(sorted(logs))
            folding.apply(logs[author].pop(0))
            if not logs[author]:
                del logs[author]
            if bits.below(3) == 0:
                folded.advance(S + 7200, S + 7200)
        folded.advance(S + 7200, S + 7200)
        assert [figures(inputs, folded, subject)[1] for subject in (east, west)] == expected, seed


def test_a_tariff_holds_from_the_next_slot_and_the_later_entry_counts():
    community, _, west, _, wallbox = two_houses()
    community.tariff(S + 1000, 400_000, 0)
    community.tariff(S + 3600, 999_999, 0)
    community.tariff(S + 3600, 500_000, 0, unix_s=S + 60)
    community.reading(wallbox, S, [0, 10, 20, 30, 40, 50])
    inputs, folded = settle(community)
    totals = figures(inputs, folded, west, S, S + 4500)[1]
    assert totals["grid_import_nano"] == 20 * 300_000 + 20 * 400_000 + 10 * 500_000
    parts = [figures(inputs, folded, west, S + t, S + t + 900)[1]["grid_import_nano"] for t in range(0, 4500, 900)]
    assert sum(parts) == totals["grid_import_nano"]


def test_a_meter_that_changes_hands_is_paid_for_by_each_owner_in_turn():
    community, east, west, roof, wallbox = two_houses()
    community.agree(roof, wallbox, 200_000, 500, 4000, S, S + 3600)
    more = {"owner": east.kid, "rated_w": 0}
    community.certify(wallbox, community.issuer, roles.METER, 2, S + 1700, **more)
    community.reading(roof, S, [0] * 9, [125 * i for i in range(9)])
    community.reading(wallbox, S, [100 * i for i in range(9)])
    inputs, folded = settle(community)
    assert inputs.payers(wallbox.kid, S, S + 7200) == [(S, S + 1800, west.kid), (S + 1800, S + 7200, east.kid)]
    first, second = figures(inputs, folded, west)[1], figures(inputs, folded, east)[1]
    assert (first["bought_wh"], second["bought_wh"], second["sold_wh"]) == (200, 200, 400)
    assert (first["unused_nano"], second["unused_nano"]) == (0, 100 * 200_000)


def test_the_closure_reaches_every_contract_and_moment_that_a_window_depends_on():
    community, east, west, roof, wallbox = two_houses()
    pump, barn, far = community.meter("pump", west), community.meter("barn", east), community.meter("far", east)
    community.agree(roof, wallbox, 1, 10, 4000, S + 1800, S + 5400)
    community.agree(roof, pump, 1, 10, 4000, S + 1000, S + 2000)
    community.agree(barn, pump, 1, 10, 4000, S, S + 1900)
    community.agree(barn, far, 1, 10, 4000, S + 5400, S + 7200)
    inputs, folded = inputs_of(community.entries)
    found = statement.closure(inputs.contracts, folded, [wallbox.kid], S + 3600, S + 4500)
    assert found == (sorted([roof.kid, wallbox.kid, pump.kid, barn.kid]), S)
    assert statement.closure(inputs.contracts, folded, [wallbox.kid], S + 5400, S + 6300) == ([wallbox.kid], S + 5400)
    assert statement.closure(inputs.contracts, folded, [far.kid], S + 4500, S + 5400) == ([far.kid], S + 4500)
    assert statement.closure(inputs.contracts, folded, [far.kid], S + 7200, S + 8100) == ([far.kid], S + 7200)


def test_energy_both_ways_is_estimated_and_a_gap_may_come_first():
    load = load_of(reading(S, [0], [0]), reading(S + 1800, [50, 60], [7, 9]))
    assert load.estimated_wh(S, S + 1800) == 57
    assert load.estimated_wh(S, S + 2700) == 57
    assert load.gaps(S, S + 2700) == [(S, S + 1800)]
    assert load_of(reading(S, [0, 10])).estimated_wh(S - 1800, S - 900) == 0
    assert load.gaps(S - 900, S) == [] and load.gaps(S + 1800, S + 2700) == []


def test_a_new_register_generation_goes_on_both_ways_and_without_a_gap_is_measured():
    old, new = reading(S, [1000, 1010], [500, 520]), reading(S + 900, [5, 9], [40, 47], register_generation=1)
    load = load_of(old, new)
    assert load.at(S + 1800) == (1014, 527)
    assert load.estimated_wh(S, S + 1800) == 0
    late = load_of(old, reading(S + 1000, [5, 9], [40, 47], step_s=800, register_generation=1))
    assert late.at(S + 1800) == (1014, 527)
    assert late.estimated_wh(S, S + 1800) == 4 + 7


def test_what_breaks_the_rules_counts_for_nothing_and_has_its_reason():
    community, _, west, _, wallbox = two_houses()
    community.reading(wallbox, S, [10, 20])
    fallen = community.reading(wallbox, S + 900, [5, 6])
    certificates = []
    for role, version, generation in (
        (roles.METER, 1, 0),
        (roles.METER, 3, 1),
        (roles.METER, 4, 0),
        (roles.PERSON, 5, 1),
    ):
        community.certify(wallbox, community.issuer, role, version, generation=generation, owner=west.kid)
        certificates.append(community.entries[-1])
    twice, _, back, other = certificates
    folding = Folding()
    for new in community.entries:
        folding.apply(new)
    inputs = folding.inputs
    assert inputs.voids == [(fallen.id, "falling_register")]
    assert folding.rejected == {twice.id: "stale_version", back.id: "stale_version", other.id: "role_changed"}
    assert inputs.load_profiles[wallbox.kid].at(S + 1800) == (20, 0)


def test_the_payer_is_of_the_newest_certificate_that_has_begun_and_of_none_before_its_block():
    community, east, west, _, wallbox = two_houses()
    for version, begin_s, owner in ((2, S - 172_800, east), (3, S + 900, west), (4, S + 1800, east)):
        community.certify(wallbox, community.issuer, roles.METER, version, begin_s, owner=owner.kid)
    inputs, _ = settle(community)
    kid = wallbox.kid
    assert inputs.payer_at(kid, S - 1) == b""  # none was ordered yet, whatever their begin is
    assert inputs.payer_at(kid, S) == east.kid  # the second version begins with its block, as the first does
    assert inputs.payers(kid, S, S + 2700) == [
        (S, S + 900, east.kid), (S + 900, S + 1800, west.kid), (S + 1800, S + 2700, east.kid),
    ]  # fmt: skip
    assert inputs.payers(kid, S, S + 900) == [(S, S + 900, east.kid)]
    assert inputs.payers(kid, S + 900, S + 1800) == [(S + 900, S + 1800, west.kid)]
    community.certify(wallbox, community.issuer, roles.METER, 5, S + 2700, owner=east.kid)
    assert settle(community)[0].payers(kid, S + 1800, S + 3600) == [(S + 1800, S + 3600, east.kid)]
    lone = community.meter("lone")
    inputs, _ = settle(community)
    assert inputs.payers(lone.kid, S, S + 900) == [(S, S + 900, lone.kid)]
    assert inputs.payers(lone.kid, S - 1800, S + 900) == [(S, S + 900, lone.kid)]
    assert inputs.payers(lone.kid, S - 1800, S) == []


def test_a_community_may_be_renamed_and_counts_energy_as_before():
    community, *_ = two_houses()
    body = {"version": 3, "name": "New", "currency": "EUR", "slot_s": 900, "timezone": "UTC"}
    for more in ({}, {"version": 2, "name": "Older"}, {"name": "Twice"}, {"version": 4, "slot_s": 60}):
        community.publish(community.issuer, kinds.COMMUNITY, dict(body, **more))
    inputs, _ = settle(community)
    assert inputs.community["name"] == "New"
    assert (inputs.slot_s, inputs.silence_s) == (900, slots.SILENCE_S)
    assert slots.SILENCE_S == 7 * 86_400


def test_a_contract_that_ends_with_a_slot_is_closed_in_that_slot():
    community, east, west, roof, wallbox = two_houses()
    contract = community.agree(roof, wallbox, 200_000, 1000, 4000, S, S + 1800)
    community.reading(roof, S, [0] * 5, [0, 550, 1100, 1100, 1100])
    community.reading(wallbox, S, [0, 50, 100, 100, 100])
    inputs, folded = settle(community, S + 3600)
    fill = folded.fills[contract.id]
    assert (fill.carried_wh, fill.unused_wh, fill.closed_s) == (100, 900, S + 900)
    by_slot = [figures(inputs, folded, west, S + t, S + t + 900)[1]["unused_nano"] for t in (0, 900, 1800)]
    assert by_slot == [0, 900 * 200_000, 0]
    assert figures(inputs, folded, east, S + 900, S + 1800)[1]["unused_earned_nano"] == 900 * 200_000


def test_a_meter_that_is_silent_is_settled_by_the_clock():
    community, _, west, roof, wallbox = two_houses(silence_s=3600)
    community.reading(wallbox, S, [0, 10])
    inputs, folded = settle(community, S + 900 + 3600)
    assert folded.settled_to(wallbox.kid, S + 9000) == S + 900  # one second too early
    assert folded.settled_to(roof.kid, S + 9000) == S + 4500  # never measured anything
    folded.advance(S + 9000, S + 900 + 3601)
    assert folded.settled_to(wallbox.kid, S + 9000) == S + 4500
    assert folded.settled_to(wallbox.kid, S + 1800) == S + 1800
    assert figures(inputs, folded, west, S, S + 1800)[1]["grid_import_wh"] == 10


def test_a_meter_that_waits_makes_its_next_partners_wait_from_the_same_slot_on():
    community, east, west, roof, wallbox = two_houses()
    pump, barn = community.meter("pump", west), community.meter("barn", east)
    community.agree(roof, wallbox, 200_000, 400, 4000, S, S + 1800)
    community.agree(barn, wallbox, 200_000, 400, 4000, S + 1800, S + 3600)
    community.agree(barn, pump, 200_000, 400, 4000, S + 2700, S + 3600)
    community.reading(roof, S, [0, 0], [0, 100])
    for meter in (barn, wallbox, pump):
        community.reading(meter, S, [100 * n for n in range(5)], [100 * n for n in range(5)])
    inputs, folded = settle(community, S + 3600)
    settled = [folded.settled_to(meter.kid, S + 3600) - S for meter in (roof, wallbox, barn, pump)]
    assert settled == [900, 900, 1800, 2700]
    assert inputs.contracts.changed_from_s is None


def test_a_slot_waits_along_a_chain_of_contracts_whichever_end_is_late():
    for late in (0, 3):
        community, east, west, _, _ = two_houses()
        meters = [community.meter("house %d" % n, (east, west)[n % 2]) for n in range(4)]
        for supplier, consumer in zip(meters, meters[1:]):
            community.agree(supplier, consumer, 200_000, 400, 4000, S, S + 3600)
        for n, meter in enumerate(meters):
            values = [100 * point for point in range(2 if n == late else 5)]
            community.reading(meter, S, values, values)
        _, folded = settle(community, S + 3600)
        assert [folded.settled_to(meter.kid, S + 3600) - S for meter in meters] == [900] * 4, late


def test_a_statement_has_every_figure_of_its_entry_and_counts_its_entries():
    community, _, west, roof, wallbox = two_houses()
    community.agree(roof, wallbox, 200_000, 300, 4000, S, S + 3600)
    community.reading(roof, S, [0] * 9, [100 * n for n in range(9)])
    community.reading(wallbox, S, [100 * n for n in range(9)])
    inputs, folded = settle(community)
    made = statement.state(inputs, folded, west.kid, S, S + 7200)
    header = Header(7, S, bytes(32), bytes(32), bytes(32), b"s" * 32)
    fields = made.fields([b"a" * 32, b"b" * 32], header)
    assert sorted(fields) == sorted([row[1] for row in kinds.fields(kinds.STATEMENT) if row[3]])
    assert (fields["evidence"], fields["lines"], fields["estimated_wh"]) == (2, 1, 0)
    assert (fields["height"], fields["state_root"]) == (7, b"s" * 32)
    assert fields["evidence_root"] != made.fields([b"a" * 32], header)["evidence_root"]
    assert fields["lines_root"] != statement.Statement(west.kid, S, S + 7200).fields([], header)["lines_root"]
    assert (fields["subject"], fields["from_s"], fields["to_s"]) == (west.kid, S, S + 7200)


def test_a_window_before_any_meter_was_there_is_empty():
    community, _, west, _, wallbox = two_houses()
    community.reading(wallbox, S, [5, 10], [0, 3])
    inputs, folded = settle(community)
    totals = figures(inputs, folded, west, S - 1800, S)[1]
    assert (totals["grid_import_wh"], totals["grid_export_wh"], totals["net_nano"]) == (0, 0, 0)
    totals = figures(inputs, folded, west, S - 1800, S + 900)[1]
    assert (totals["grid_import_wh"], totals["grid_export_wh"], totals["estimated_wh"]) == (5, 3, 0)


def test_sealed_readings_that_nobody_unsealed_are_counted_by_meter():
    community, _, _, roof, wallbox = two_houses()
    for meter, count in ((roof, 1), (wallbox, 2)):
        for _ in range(count):
            place = (community.id, meter.kid, 0)
            community.publish(
                meter, kinds.READING, content.seal_body(bytes(48), 1, place, kinds.READING, reading(S, [0]))
            )
    inputs, _ = settle(community)
    assert inputs.sealed == {roof.kid: 1, wallbox.kid: 2}
    assert not inputs.load_profiles


def test_before_the_community_is_founded_there_is_no_slot_and_the_usual_silence_holds():
    inputs = SettlementInputs()
    assert (inputs.slot_s, inputs.silence_s) == (0, slots.SILENCE_S)
    community, *_ = two_houses(silence_s=5000)
    assert settle(community)[0].silence_s == 5000


def test_what_a_silent_meter_sends_late_counts_though_it_is_silent_still():
    community, _, west, roof, wallbox = two_houses(silence_s=3600)
    community.agree(roof, wallbox, 200_000, 1000, 4000, S, S + 3600)
    community.reading(roof, S, [0, 0], [0, 100])
    community.reading(wallbox, S, [100 * n for n in range(9)])
    inputs, folded = settle(community, S + 9000)
    assert figures(inputs, folded, west)[1]["bought_wh"] == 100
    inputs.apply(community.reading(roof, S + 900, [0, 0], [100, 150]))
    folded.advance(S + 9000, S + 9000)
    assert figures(inputs, folded, west)[1]["bought_wh"] == 150
