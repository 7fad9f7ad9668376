"""Attribution: grants fill in order, within their rate, and every Wh is allotted once."""

import case
from simulator.community import START_S, Community
from wattpact_meter.trade.usage import Usage
from wattpact_protocol import steps
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import entry, kinds, reasons
from wattpact_protocol.settlement import contracts

KID = b"consumer"
ISSUER = b"issuer!!"


def encoded(value):
    return steps.finish(cbor.encode_steps(value, 4))


class Published:
    """An entry of this meter, as far as usage looks at it."""

    def __init__(self, kind, body, unix_s):
        self.kind = kind
        self.body = body
        self.kid = KID
        self.stamp = entry.Stamp(1, 1, unix_s)


def contract(number):
    return bytes([number]) * 32


def grant(number, wh=40, priority=1, issuer=ISSUER, meter=KID, **more):
    body = {
        "number": number, "meter": meter, "contract": contract(number), "wh": wh, "max_w": 8000, "from_s": START_S,
        "to_s": START_S + 3600, "price_micro_per_kwh": 1, "priority": priority, "start_by_s": START_S + 600,
        "default_supply": False,
    }  # fmt: skip
    body.update(more)
    new = Published(kinds.GRANT, body, START_S)
    new.kid = issuer
    return new


class Consumer:
    """Publishes what usage has due, as a meter does, without signatures."""

    def __init__(self):
        self.usage = Usage()
        self.now_s = START_S
        self.wh = 1000
        self.usage.settle(self.wh)
        self.usage.beyond_wh = 0
        self.said = []

    def receive(self, *grants):
        for new in grants:
            assert self.usage.apply_grant(new, KID) is None
        return self

    def publish(self, kind, body):
        new = Published(kind, body, self.now_s)
        self.said.append(new)
        self.usage.published(new)

    def use(self, seconds, wh, boundary=False):
        """So much is consumed; the first grant with energy left is in use."""
        self.now_s += seconds
        self.wh += wh
        if boundary:
            more = self.usage.overflow(self.now_s, self.wh)
            self.usage.end_step(self.now_s, self.wh)
            self.start(more)
        while True:
            body = self.usage.end(self.now_s, self.wh)
            if body is None:
                break
            self.publish(kinds.USAGE_END, body)
        self.start()
        body = self.usage.report()
        while body:
            self.publish(kinds.USAGE, body)
            body = self.usage.report()
        return self

    def start(self, which=None):
        for row in self.usage.guard_grants(self.now_s, self.wh):
            if which is None and row[1] > 0 and row[2] <= self.now_s < row[3]:
                which = row[0]
        self.usage.begin(which, self.now_s, self.wh)
        body = self.usage.start()
        if body:
            self.publish(kinds.USAGE_START, body)
        return self

    def attributed(self):
        found = {}
        for new in self.said:
            if new.kind != kinds.USAGE_START:
                found[new.body["contract"][0]] = new.body["attributed_wh"]
        return found

    def ends(self):
        return [(new.body["contract"][0], new.body["reason"]) for new in self.said if new.kind == kinds.USAGE_END]


def test_grants_fill_in_order_and_end_when_used_up():
    consumer = Consumer().receive(grant(1, priority=2), grant(2, priority=1)).start()
    assert consumer.said[0].body == {"contract": contract(2), "grant": 2, "import_wh": 1000}
    for _ in range(9):
        consumer.use(5, 10, boundary=True)
    assert consumer.attributed() == {1: 40, 2: 40}
    assert consumer.ends() == [(2, kinds.END_USED_UP), (1, kinds.END_USED_UP)]
    assert consumer.usage.beyond_wh == 10 and not consumer.usage.grants


def test_ties_go_to_the_smaller_contract_id():
    consumer = Consumer().receive(grant(7), grant(8), grant(9)).start()
    assert [row[0][0] for row in consumer.usage.guard_grants(START_S, 1000)] == [7, 8, 9]


def test_the_rate_is_settlements_and_the_rest_is_beyond():
    consumer = Consumer().receive(grant(1, wh=1000, max_w=3600)).start()
    consumer.use(5, 12, boundary=True)  # 1 Wh a second: five of them
    consumer.use(5, 3, boundary=True)
    assert consumer.attributed() == {1: 8} and consumer.usage.beyond_wh == 7
    slow = Consumer().receive(grant(1, wh=1000, max_w=1000)).start()
    for _ in range(36):
        slow.use(5, 10, boundary=True)
    assert slow.attributed() == {1: 50} and slow.usage.beyond_wh == 310  # 1000 W for 180 s, no Wh lost to rounding


def test_more_than_a_grant_may_carry_begins_the_next():
    consumer = Consumer().receive(grant(1, wh=1000, max_w=3600), grant(2, wh=1000, priority=2)).start()
    consumer.use(5, 10, boundary=True)
    consumer.use(5, 10, boundary=True)
    assert consumer.attributed() == {1: 10, 2: 5} and consumer.usage.beyond_wh == 5


def test_what_is_left_is_known_between_boundaries():
    consumer = Consumer().receive(grant(1)).start()
    consumer.use(5, 10, boundary=True)
    assert consumer.usage.guard_grants(consumer.now_s + 2, consumer.wh + 4)[0][1] == 26
    assert consumer.usage.guard_grants(None, consumer.wh + 14)[0][1] == 16, "without a clock the rate is not known"


def test_time_ends_a_grant():
    consumer = Consumer().receive(grant(1, to_s=START_S + 60, wh=500)).start()
    consumer.use(30, 20, boundary=True)
    consumer.use(29, 20)
    assert not consumer.ends()
    consumer.use(1, 1)
    assert consumer.ends() == [(1, kinds.END_EXPIRED)] and consumer.attributed() == {1: 41}


def test_a_grant_that_did_not_begin_in_time_is_void():
    consumer = Consumer().receive(grant(1, start_by_s=START_S + 60), grant(2, to_s=START_S + 50))
    consumer.now_s += 61
    assert not consumer.usage.begin(contract(1), consumer.now_s, consumer.wh)
    assert not [row for row in consumer.usage.guard_grants(consumer.now_s, consumer.wh) if row[0] == contract(1)]
    consumer.use(0, 0)
    assert sorted(consumer.ends()) == [(1, kinds.END_VOID), (2, kinds.END_VOID)]


def test_termination_ends_a_grant_with_what_it_carried():
    consumer = Consumer().receive(grant(1)).start()
    consumer.use(5, 10, boundary=True).use(1, 2)
    assert consumer.usage.apply_termination(contract(1)) is None
    assert consumer.usage.guard_grants(consumer.now_s, consumer.wh) == []
    consumer.use(0, 0)
    assert consumer.ends() == [(1, kinds.END_TERMINATED)] and consumer.attributed() == {1: 12}
    assert consumer.usage.apply_termination(contract(1)) == reasons.UNKNOWN_CONTRACT


def test_a_grant_may_begin_until_its_last_second():
    consumer = Consumer().receive(grant(1, start_by_s=START_S + 60))
    assert consumer.usage.begin(contract(1), START_S + 60, consumer.wh)
    assert not consumer.usage.begin(contract(1), START_S + 60, consumer.wh)


def test_what_is_used_counts_before_its_start_can_be_published_and_that_comes_first():
    consumer = Consumer().receive(grant(1))
    assert consumer.usage.begin(contract(1), consumer.now_s, consumer.wh)
    consumer.usage.end_step(consumer.now_s + 60, consumer.wh + 25)
    kept = encoded(consumer.usage.to_list())
    consumer.usage = Usage()
    consumer.usage.restore(cbor.decode(kept, limit=8192))
    assert consumer.usage.guard_grants(consumer.now_s + 90, consumer.wh + 45)[0][1] == 0
    assert consumer.usage.end(consumer.now_s + 90, consumer.wh + 45) is None
    start = consumer.usage.start()
    assert start == {"contract": contract(1), "grant": 1, "import_wh": 1000}
    consumer.now_s += 90
    consumer.publish(kinds.USAGE_START, start)
    assert consumer.usage.start() is None
    assert consumer.usage.end(consumer.now_s, consumer.wh + 45)["attributed_wh"] == 40


def test_after_a_clock_that_was_days_ahead_a_grant_is_counted_on():
    consumer = Consumer().receive(grant(1, wh=100, max_w=3600, to_s=START_S + 40 * 86_400)).start()
    consumer.use(3 * 86_400, 10, boundary=True)
    consumer.now_s = START_S + 600
    consumer.usage.follow_clock(consumer.now_s)
    consumer.use(5, 5, boundary=True).use(5, 9)
    assert consumer.attributed() == {1: 15}
    assert consumer.usage.guard_grants(consumer.now_s, consumer.wh)[0][1] == 79, "6 s at 3,600 W"
    late = Consumer()
    late.now_s += 86_400
    late.receive(grant(1, wh=100, max_w=3600, to_s=START_S + 40 * 86_400, start_by_s=START_S + 10 * 86_400)).start()
    late.now_s = START_S + 600
    late.usage.follow_clock(late.now_s)
    assert late.use(5, 5, boundary=True).attributed() == {1: 5}, "its use began while the clock was ahead"


def test_default_supply_does_not_end_by_energy():
    consumer = Consumer().receive(grant(1, wh=5, default_supply=True)).start()
    consumer.use(5, 9, boundary=True)
    assert not consumer.ends() and consumer.usage.beyond_wh == 4


def test_numbers_are_taken_once_and_for_this_meter_alone():
    held = Usage()
    assert held.apply_grant(grant(5), KID) is None
    for other, reason in (
        (grant(5), reasons.OLD_GRANT), (grant(4), reasons.OLD_GRANT),
        (grant(6, meter=b"somebody"), reasons.NOT_FOR_THIS_METER), (grant(7), None),
        (grant(3, issuer=b"issuer 2"), None),
    ):  # fmt: skip
        assert held.apply_grant(other, KID) == reason
    again = grant(8)
    again.body["contract"] = contract(7)
    assert held.apply_grant(again, KID) == reasons.OLD_GRANT


def test_grants_are_bounded_and_the_last_in_order_goes():
    held = Usage()
    for number in range(1, 17):
        assert held.apply_grant(grant(number, priority=number), KID) is None
    assert held.apply_grant(grant(20, priority=99), KID) == "grants_full"
    assert held.apply_grant(grant(21, priority=0), KID) is None
    assert len(held.grants) == 16 and held.grants[0].contract == contract(21) and held.dropped == 2
    assert len(encoded(held.to_list())) < 8000


def test_after_a_restart_at_any_entry_all_is_as_if_nothing_had_happened():
    """The state kept at some boundary and the entries published after it: nothing is lost, nothing counted twice."""
    for seed in range(case.scale(150, 20)):
        bits = case.Bits("usage %d" % seed)
        consumer = Consumer().receive(grant(1), grant(2, wh=30, priority=2, max_w=5000), grant(3, wh=200, priority=3))
        consumer.start()
        start_wh = consumer.wh
        kept, through = encoded(consumer.usage.to_list()), 0
        for _ in range(30):
            consumer.use(1 + bits.below(3), bits.below(9), boundary=bits.below(3) == 0)
            if bits.below(4) == 0:
                kept, through = encoded(consumer.usage.to_list()), len(consumer.said)
            if bits.below(6) == 0:
                restored = Usage()
                restored.restore(cbor.decode(kept, limit=8192))
                for new in consumer.said[through:]:
                    restored.published(new)
                restored.settle(consumer.wh)
                consumer.usage = restored
        held = sum([held.attributed_wh for held in consumer.usage.grants if held.used_from_s])
        ended = [new.body for new in consumer.said if new.kind == kinds.USAGE_END]
        total = held + sum([body["attributed_wh"] for body in ended]) + consumer.usage.beyond_wh
        assert total == consumer.usage.base_wh - start_wh, seed
        assert len(ended) == len({body["contract"] for body in ended})


def test_a_clock_that_runs_back_attributes_nothing_twice():
    consumer = Consumer().receive(grant(1, wh=100)).start()
    consumer.use(60, 10, boundary=True)
    consumer.use(-30, 5, boundary=True)
    consumer.use(31, 5, boundary=True)
    assert consumer.attributed() == {1: 12} and consumer.usage.beyond_wh == 8


def test_grants_come_from_signed_entries_as_they_are():
    community = Community()

    class Somebody:
        kid = community.author("somebody").kid

    new = community.give(Somebody, 7)
    held = Usage()
    assert held.apply_grant(new, Somebody.kid) is None
    assert held.grants[0].wh == 7 and held.grants[0].number == 1 and held.grants[0].used_from_s is None


def test_grants_fill_in_the_order_in_which_settlement_fills_contracts():
    held = Usage()
    for number, (name, priority) in enumerate(((3, 1), (1, 2), (4, 1), (2, 0))):
        held.apply_grant(grant(number, priority=priority, contract=contract(name)), KID)
    assert len(held.grants) == 4 and held.grants == sorted(held.grants, key=contracts.order_of)


def test_a_use_that_began_is_published_with_a_register_of_the_generation_that_goes_on():
    usage = Consumer().receive(grant(1)).usage
    assert usage.begin(contract(1), START_S, 1000)
    usage.rebase(1010, 7)
    assert usage.start()["import_wh"] == 7
