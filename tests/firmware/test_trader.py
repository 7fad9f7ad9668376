"""The contract trader: offers, demands, acceptances and contracts within what a mandate allows."""

import hashlib

import case
from simulator.community import START_S
from wattpact_meter.trade import trader
from wattpact_meter.trade.orders import DAY_S, Supply
from wattpact_meter.trade.trader import Trader
from wattpact_protocol import steps
from wattpact_protocol.encoding import cbor
from wattpact_protocol.log import entry, kinds, reasons

ROOF, WALLBOX, OWNER = b"the roof", b"the wall", b"an owner"
STEP_S = 60


def encoded(value):
    return steps.finish(cbor.encode_steps(value, 4))


class Entry:
    """An entry as far as the trader looks at it."""

    count = 0

    def __init__(self, kind, kid, body, unix_s):
        Entry.count += 1
        self.kind, self.kid, self.body = kind, kid, body
        self.id = hashlib.sha256(b"entry %d" % Entry.count).digest()
        self.stamp = entry.Stamp(1, 1, unix_s)


def mandate(side, wh=100, limit=200_000, meter=ROOF, **more):
    body = {
        "order_id": bytes(8), "expires_s": START_S + 3600, "meter": meter, "side": side, "limit_micro_per_kwh": limit,
        "wh": wh, "max_w": 5000, "start_s": START_S, "end_s": START_S + 7200,
    }  # fmt: skip
    body.update(more)
    return Entry(kinds.MANDATE, OWNER, body, START_S)


def offer(price=180_000, wh=100, supplier=ROOF, **more):
    body = {
        "price_micro_per_kwh": price, "wh": wh, "max_w": 5000, "start_s": START_S, "end_s": START_S + 7200,
        "valid_until_s": START_S + 3600, "mandate": bytes(32),
    }  # fmt: skip
    body.update(more)
    return Entry(kinds.OFFER, supplier, body, START_S)


class Desk:
    """A trader and the clock it is read by; publishes what is due."""

    def __init__(self, kid):
        self.kid = kid
        self.trader = Trader(kid, STEP_S)
        self.now_s = START_S
        self.supply = Supply()
        self.said = []

    def receive(self, *entries):
        for new in entries:
            if new.kind == kinds.MANDATE:
                assert self.trader.apply_mandate(new, OWNER, self.now_s) is None
            else:
                assert self.trader.apply_offer(new) is None
        return self

    def work(self, may_buy=True, seconds=0):
        """Publish all that is due; what was published."""
        self.now_s += seconds
        before = len(self.said)
        while True:
            due = self.trader.next(self.now_s, self.supply, may_buy)
            if due is None:
                return self.said[before:]
            kinds.encode(due[0], due[1])  # within what an entry may hold
            new = Entry(due[0], self.kid, due[1], self.now_s)
            self.said.append(new)
            self.trader.published(new)
            assert len(self.said) < 100

    def acceptances(self):
        return [new for new in self.said if new.kind == kinds.ACCEPTANCE]


def seller(wh=100, **more):
    desk = Desk(ROOF).receive(mandate(kinds.SELL, wh, **more))
    return desk, desk.work()[0]


def buyer(wh=100, **more):
    desk = Desk(WALLBOX).receive(mandate(kinds.BUY, wh, meter=WALLBOX, **more))
    desk.work()
    return desk


def accept(desk, offered, wh, unix_s=None, kid=WALLBOX):
    """(the acceptance, what the supplier's trader makes of it)."""
    body = {"offer": offered.id, "wh": wh, "priority": 1, "start_timeout_s": 600}
    new = Entry(kinds.ACCEPTANCE, kid, body, desk.now_s if unix_s is None else unix_s)
    return new, desk.trader.apply_acceptance(new, desk.now_s)


def confirm(desk, acceptance, supplier=ROOF):
    return desk.trader.apply_contract(Entry(kinds.CONTRACT, supplier, {"acceptance": acceptance.id}, desk.now_s))


def test_a_mandate_is_answered_once():
    desk, offered = seller(reserve_wh=30)
    assert offered.kind == kinds.OFFER and offered.body["wh"] == 70 and offered.body["price_micro_per_kwh"] == 200_000
    assert offered.body["valid_until_s"] == START_S + 3600 and offered.body["end_s"] == START_S + 7200
    assert desk.work(seconds=60) == []
    assert [new.kind for new in buyer().said] == [kinds.DEMAND]


def test_only_the_owners_orders_for_this_meter_count():
    desk = Desk(ROOF)
    new = mandate(kinds.SELL)
    assert desk.trader.apply_mandate(new, b"stranger", START_S) == reasons.NOT_OWNER
    assert desk.trader.apply_mandate(new, None, START_S) == reasons.NOT_OWNER
    assert desk.trader.apply_mandate(mandate(kinds.SELL, meter=WALLBOX), OWNER, START_S) == reasons.NOT_FOR_THIS_METER
    assert desk.trader.apply_mandate(new, OWNER, START_S + 3601) == reasons.ORDER_EXPIRED
    assert desk.trader.apply_mandate(new, OWNER, START_S) is None
    assert desk.trader.apply_mandate(new, OWNER, START_S) == reasons.DUPLICATE


def test_parts_of_an_offer_are_confirmed_and_never_more_than_it():
    desk, offered = seller(100)
    first, reason = accept(desk, offered, 60)
    assert reason is None and desk.work()[0].body == {"acceptance": first.id}
    assert accept(desk, offered, 41)[1] == reasons.OFFER_EXCEEDED
    assert accept(desk, offered, 40)[1] is None and len(desk.work()) == 1
    assert accept(desk, offered, 1)[1] == reasons.OFFER_EXCEEDED
    assert desk.trader.apply_acceptance(first, desk.now_s) == reasons.DUPLICATE and desk.work() == []


def test_what_came_too_late_is_not_confirmed():
    desk, offered = seller()
    assert accept(desk, offered, 1, desk.now_s - trader.CONFIRM_WITHIN_S - 1)[1] == reasons.STALE_ACCEPTANCE
    assert accept(desk, offered, 1, desk.now_s + trader.CONFIRM_WITHIN_S + 1)[1] == reasons.STALE_ACCEPTANCE
    new, _ = accept(desk, offered, 1)
    new.stamp.unix_s = None
    new.id = bytes(32)
    assert desk.trader.apply_acceptance(new, desk.now_s) == reasons.NO_TIME
    assert desk.trader.apply_acceptance(new, None) == reasons.NO_TIME
    assert accept(desk, offer(), 1)[1] == reasons.UNKNOWN_OFFER
    assert accept(desk, offered, 1, kid=ROOF)[1] == reasons.OWN_ENTRY
    desk.work()
    desk.now_s = START_S + 3601
    assert accept(desk, offered, 1)[1] == reasons.OFFER_EXPIRED
    assert trader.CONFIRM_WITHIN_S < trader.GIVE_UP_S, "two may confirm what one wanted"


def test_what_power_kept_from_being_confirmed_in_time_is_free_again():
    desk, offered = seller(100)
    assert accept(desk, offered, 100)[1] is None
    desk.now_s += trader.CONFIRM_WITHIN_S + 1
    assert desk.work() == []
    late, reason = accept(desk, offered, 100)
    assert reason is None and desk.work()[0].body == {"acceptance": late.id}


def test_wh_per_day_hold_on_both_sides():
    desk, offered = seller(100, wh_per_day=50, expires_s=START_S + 200_000, end_s=START_S + 200_000)
    assert accept(desk, offered, 50)[1] is None and accept(desk, offered, 1)[1] == reasons.MANDATE_EXCEEDED
    desk.work()
    desk.now_s += DAY_S
    assert accept(desk, offered, 50)[1] is None
    desk = buyer(100, wh_per_day=30, expires_s=START_S + 200_000, end_s=START_S + 200_000)
    desk.receive(offer(end_s=START_S + 200_000, valid_until_s=START_S + 200_000))
    assert [new.body["wh"] for new in desk.work(seconds=5)] == [30]
    confirm(desk, desk.acceptances()[0])
    assert desk.work(seconds=200) == []
    assert [new.body["wh"] for new in desk.work(seconds=DAY_S)] == [30]


def test_the_cheapest_within_the_limit_are_accepted_until_covered():
    desk = buyer(100)
    dear, cheap, middle = offer(200_001), offer(150_000, 30), offer(199_999, 200)
    assert desk.receive(dear, cheap, middle).work() == [], "accepted before others could offer"
    said = desk.work(seconds=trader.GATHER_S)
    assert [(new.body["offer"], new.body["wh"], new.body["priority"]) for new in said] == [
        (cheap.id, 30, 1), (middle.id, 70, 2),
    ]  # fmt: skip
    assert all(new.body["demand"] == desk.said[0].id for new in said)
    assert desk.work(seconds=1) == []


def test_preferred_suppliers_come_first_and_ties_follow_ids():
    friend = b"a friend"
    desk = buyer(100, preferred=[friend])
    same = [offer(170_000, 10), offer(170_000, 10)]
    desk.receive(offer(160_000, 10), same[0], same[1], offer(190_000, 10, friend))
    said = desk.work(seconds=trader.GATHER_S)
    ids = sorted([new.id for new in same])
    assert said[0].body["offer"] == desk.trader.acceptances[0].offer and desk.trader.acceptances[0].supplier == friend
    assert [new.body["offer"] for new in said[2:]] == ids


def test_the_reserve_is_not_spent():
    desk = buyer(100, reserve_wh=25).receive(offer())
    assert [new.body["wh"] for new in desk.work(seconds=5)] == [75]
    assert Desk(WALLBOX).receive(mandate(kinds.BUY, 10, meter=WALLBOX, reserve_wh=10)).work() == []


def test_without_a_confirmation_the_next_offer_is_accepted():
    desk = buyer(50)
    first, second = offer(150_000, 50), offer(160_000, 50)
    desk.receive(first, second)
    assert desk.work(seconds=5)[0].body["offer"] == first.id
    assert desk.work(seconds=trader.GIVE_UP_S) == []
    said = desk.work(seconds=1)
    assert [new.body["offer"] for new in said] == [second.id] and desk.trader.given_up == 1
    assert confirm(desk, said[0]) is None
    assert desk.work(seconds=1000) == [], "bought twice"
    assert confirm(desk, desk.acceptances()[0]) == reasons.UNKNOWN_ACCEPTANCE


def test_an_offer_that_never_answers_is_accepted_ever_more_rarely_and_for_less():
    desk = buyer(64).receive(offer(valid_until_s=START_S + 3600))
    asked = []
    for _ in range(180):
        asked += [(desk.now_s - START_S, new.body["wh"]) for new in desk.work(seconds=10)]
    assert [wh for _, wh in asked][:4] == [64, 64, 32, 16]
    times = [at_s for at_s, _ in asked]
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert gaps == sorted(gaps) and len(asked) <= 6


def test_the_pause_before_an_offer_is_tried_again_ends_at_ten_minutes():
    desk = buyer(1 << 20).receive(offer(wh=1 << 20, end_s=START_S + 90_000, valid_until_s=START_S + 90_000))
    (held,) = desk.trader.offers
    pauses = []
    for _ in range(900):
        failures = held.failures
        desk.work(seconds=5)
        if held.failures > failures:
            pauses.append(held.retry_s - desk.now_s)
    assert pauses[:5] == [90, 180, 360, 600, 600] and pauses[-1] == 600, pauses


def test_nothing_is_accepted_without_a_host():
    desk = buyer().receive(offer())
    assert desk.work(may_buy=False, seconds=10) == []
    assert len(desk.work()) == 1


def test_only_the_supplier_confirms():
    desk = buyer().receive(offer())
    accepted = desk.work(seconds=5)[0]
    assert confirm(desk, accepted, b"stranger") == reasons.NOT_A_PARTY
    assert confirm(desk, accepted) is None and confirm(desk, accepted) == reasons.DUPLICATE
    contract = desk.trader.acceptances[0].contract
    assert desk.trader.supplier_of(contract) == ROOF and desk.trader.supplier_of(bytes(32)) is None


def test_more_is_bought_when_supply_is_low():
    desk = buyer(200).receive(offer(150_000, 100))
    accepted = desk.work(seconds=5)[0]
    confirm(desk, accepted)
    desk.receive(offer(160_000, 100))
    for left_wh, to_s, low in ((100, 7200, False), (20, 7200, False), (19, 7200, True), (100, 2 * STEP_S, True)):
        desk.supply = Supply(left_wh, 100, desk.now_s + to_s, 1)
        assert desk.supply.is_low(desk.now_s, STEP_S) == low
    desk.supply = Supply(20, 100, desk.now_s + 7000, 1)
    assert desk.work() == []
    desk.supply = Supply(19, 100, desk.now_s + 7000, 1)
    assert [(new.body["wh"], new.body["priority"]) for new in desk.work()] == [(100, 2)]


def test_a_late_contract_may_still_begin_and_one_that_waits_may_wait():
    desk = buyer(200)
    desk.receive(offer(150_000, 100), offer(160_000, 100))
    first, second = desk.work(seconds=1800)
    assert START_S + first.body["start_timeout_s"] == desk.now_s + trader.START_TIMEOUT_S
    assert START_S + second.body["start_timeout_s"] == START_S + 7200


def test_a_contract_that_never_began_leaves_its_wh():
    desk = buyer(50).receive(offer(150_000, 50), offer(160_000, 50))
    accepted = desk.work(seconds=5)[0]
    confirm(desk, accepted)
    contract = desk.trader.acceptances[0].contract
    for reason, more in ((kinds.END_USED_UP, 0), (kinds.END_VOID, 1)):
        other = buyer(50).receive(offer(150_000, 50), offer(160_000, 50))
        accepted = other.work(seconds=5)[0]
        confirm(other, accepted)
        contract = other.trader.acceptances[0].contract
        body = {"contract": contract, "attributed_wh": 0, "import_wh": 0, "reason": reason}
        other.trader.published(Entry(kinds.USAGE_END, WALLBOX, body, other.now_s))
        assert len(other.work()) == more


def test_the_trader_is_bounded_and_fits_the_store():
    desk = Desk(WALLBOX)
    for number in range(trader.MAX_MANDATES):
        preferred = [bytes([number]) * 8] * 8
        big = {"wh": 1 << 31, "limit": (1 << 32) - 1, "preferred": preferred, "expires_s": 1 << 62, "end_s": 1 << 62}
        desk.receive(mandate(number % 2, meter=WALLBOX, wh_per_day=1 << 31, **big))
    assert desk.trader.apply_mandate(mandate(0, meter=WALLBOX), OWNER, START_S) == reasons.TRADER_FULL
    desk.work()
    for number in range(40):
        desk.receive(offer(4 * 10**9 + number, 1 << 31, end_s=1 << 61, valid_until_s=1 << 61))
    assert len(desk.trader.offers) == trader.MAX_OFFERS and desk.trader.dropped == 25
    assert max([held.price_micro_per_kwh for held in desk.trader.offers]) == 4 * 10**9 + 15, "a cheap offer was dropped"
    desk.work(seconds=5)
    for row in desk.trader.acceptances:
        row.contract = bytes(32)
    assert len(desk.trader.acceptances) <= trader.MAX_ACCEPTANCES
    for own in desk.trader.own_offers:
        for _ in range(9):
            accept(desk, own, 1, kid=ROOF)
            desk.work()
    assert all(len(own.confirmed) <= trader.MAX_CONFIRMED for own in desk.trader.own_offers)
    assert len(encoded([1 << 40, desk.trader.to_list()])) <= 8192


def test_mandates_and_offers_go_when_they_expire():
    desk = buyer().receive(offer())
    desk.work(seconds=3700)
    assert not desk.trader.mandates and not desk.trader.offers
    desk, _ = seller()
    desk.work(seconds=3700)
    assert not desk.trader.mandates and not desk.trader.own_offers


def test_after_a_restart_nothing_is_published_twice():
    """The state kept at some moment and the entries published after it give the same trader."""
    for seed in range(case.scale(100, 15)):
        bits = case.Bits("trader %d" % seed)
        desk = Desk(WALLBOX)
        kept, through = encoded(desk.trader.to_list()), 0
        heard = [mandate(kinds.BUY, 90, meter=WALLBOX), mandate(kinds.SELL, 70, meter=WALLBOX)]
        heard += [offer(100_000 + bits.below(150_000), 20 + bits.below(40)) for _ in range(5)]
        bits.shuffle(heard)
        sold = None
        for _ in range(30):
            if heard and bits.below(2):
                desk.receive(heard.pop())
                kept, through = encoded(desk.trader.to_list()), len(desk.said)  # kept before the inbox moves
            for new in desk.work(seconds=bits.below(4) // 2):
                if new.kind == kinds.OFFER:
                    sold = new
                if new.kind == kinds.ACCEPTANCE and bits.below(3):
                    confirm(desk, new)
                    kept, through = encoded(desk.trader.to_list()), len(desk.said)
            if sold and bits.below(6) == 0 and accept(desk, sold, 1 + bits.below(20), kid=ROOF)[1] is None:
                kept, through = encoded(desk.trader.to_list()), len(desk.said)
            if bits.below(4) == 0:
                restored = Trader(WALLBOX, STEP_S)
                restored.restore(cbor.decode(kept, limit=8192))
                for new in desk.said[through:]:
                    restored.published(new)
                desk.trader = restored
        answers = [new.body["mandate"] for new in desk.said if new.kind in (kinds.OFFER, kinds.DEMAND)]
        contracts = [new.body["acceptance"] for new in desk.said if new.kind == kinds.CONTRACT]
        assert len(answers) == len(set(answers)) and len(contracts) == len(set(contracts)), seed
        assert sum([new.body["wh"] for new in desk.acceptances()]) <= 90
        for held in desk.trader.mandates:
            assert 0 <= held.committed_wh <= held.wh
