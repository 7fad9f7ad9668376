"""What a meter notices of the ledger, by receipts alone: that it does not only grow, and that it forgot the meter."""

import case
from simulator import bodies
from simulator.community import START_S
from simulator.memory_flash import Flash, Store
from simulator.network import alone
from wattpact_meter import status
from wattpact_meter.log import ledger_watch
from wattpact_meter.log.events import Events
from wattpact_meter.log.ledger_watch import LedgerWatch
from wattpact_protocol import steps
from wattpact_protocol.log import entry, event_codes, kinds

DAY_S = 86_400
HEAD, FORKED, NOT_NOTED = event_codes.LEDGER_HEAD, event_codes.LEDGER_FORKED, event_codes.NOT_NOTED
A, B = b"host of a", b"host of b"


def root(letter):
    return letter.encode() * 32


def root_of(body):
    """The letter that it was made of, if there is one."""
    return [chr(int(body["text"][:2], 16))] if "text" in body else []


class Receipt:
    """Verified by whoever gives it to the watch."""

    def __init__(self, sequence, noted, blocks, letter="a", kid=A, generation=0, signed_s=None):
        self.kid = kid
        self.stamp = entry.Stamp(1, 0, signed_s)
        self.body = bodies.receipted(
            b"a meter!", sequence, generation=generation, noted=noted, blocks=blocks, root=root(letter)
        )


class Looking:
    """A watch, and the time."""

    def __init__(self):
        self.flash = Flash()
        self.now_s = START_S
        self.begin()

    def begin(self):
        self.events = Events()
        self.watch = LedgerWatch(Store(self.flash), self.events)

    def receive(self, receipt):
        """As the inbox does."""
        if receipt.body["sequence"] > self.watch.sequence:
            self.watch.claim = receipt.body["blocks"]
        return self.watch.is_due(self.now_s)

    def look(self, *of, after_s=0, **more):
        """What it reports of a receipt, [code, detail, first letter of the root]."""
        self.now_s += after_s
        more.setdefault("signed_s", self.now_s)
        receipt = Receipt(*of, **more)
        if not self.receive(receipt):
            return None
        steps.finish(self.watch.apply_steps(receipt, self.now_s))
        found, self.events.waiting[:] = list(self.events.waiting), []
        return [[code, body["detail"]] + root_of(body) for code, body in found]


def test_it_reports_the_head_once_a_day():
    one = Looking()
    assert one.look(10, 0, 7) == [[HEAD, 7, "a"]]
    assert one.look(11, 9, 8, after_s=DAY_S - 60) is None
    assert one.look(12, 11, 8, "b", after_s=60) == [[HEAD, 8, "b"]]
    one.begin()
    assert one.look(13, 12, 9, after_s=4_000) is None and one.watch.blocks == 8, "a restart began a day"
    assert one.look(14, 13, 8, "b", after_s=DAY_S) == [], "the same head was reported twice"


def test_without_a_time_it_looks_at_nothing_and_a_clock_that_was_set_back_begins_a_day():
    one = Looking()
    assert not one.watch.is_due(None)
    one.look(10, 0, 7)
    assert one.look(11, 0, 8, after_s=-7_200) == [[HEAD, 8, "a"]], "it waits for a time that was wrong"
    assert one.look(12, 0, 9, after_s=DAY_S) == [[NOT_NOTED, 0], [HEAD, 9, "a"]]


def test_fewer_blocks_or_another_root_of_as_many_are_reported_once_a_day_and_the_larger_is_kept():
    one = Looking()
    one.look(10, 0, 7)
    assert one.look(11, 10, 5, "b", after_s=3_600) == [[FORKED, 5, "b"]] and one.watch.problem == FORKED
    assert one.look(12, 11, 6, "b", after_s=60) is None, "it verifies one after the other"
    assert one.look(13, 12, 6, "b", after_s=3_600) == []
    one.begin()
    assert one.look(14, 13, 6, "b", after_s=3_600) == [] and one.watch.blocks == 7
    assert one.look(15, 14, 7, "b", after_s=DAY_S) == [[FORKED, 7, "b"]] and one.watch.blocks == 7
    assert one.look(17, 16, 9, "b", after_s=DAY_S) == [[HEAD, 9, "b"]] and one.watch.problem == 0


def test_an_older_receipt_and_a_host_that_is_behind_another_show_nothing():
    one = Looking()
    one.look(10, 0, 7)
    assert one.look(9, 0, 5, "b", after_s=3_600) is None and one.look(9, 0, 5, "b", after_s=DAY_S) == []
    assert one.look(11, 11, 8, after_s=3_600) == [[HEAD, 8, "a"]], "an older receipt took the place of the day's"
    assert one.look(12, 12, 5, "b", kid=B, after_s=3_600) == []
    assert one.look(13, 12, 8, "b", kid=B, after_s=DAY_S) == [[FORKED, 8, "b"]], "of as many blocks there is one root"


def test_what_was_acknowledged_a_day_ago_and_is_not_noted_is_reported_every_day():
    one = Looking()
    one.look(10, 4, 7)
    assert one.look(20, 10, 8, after_s=DAY_S) == [[NOT_NOTED, 10], [HEAD, 8, "a"]] and one.watch.problem == NOT_NOTED
    assert one.look(30, 10, 9, after_s=DAY_S) == [[NOT_NOTED, 10], [HEAD, 9, "a"]]
    assert one.look(40, 31, 10, after_s=DAY_S) == [[HEAD, 10, "a"]] and one.watch.problem == 0


def test_a_meter_that_was_off_for_days_and_one_with_a_new_log_are_not_forgotten():
    one = Looking()
    one.look(10, 4, 7)
    assert one.look(14, 11, 8, after_s=9 * DAY_S) == [[HEAD, 8, "a"]], "all that there was is noted"
    assert one.look(3, 0, 9, generation=1, after_s=DAY_S) == [[HEAD, 9, "a"]]
    assert one.look(8, 3, 10, generation=1, after_s=DAY_S) == [[NOT_NOTED, 3], [HEAD, 10, "a"]]


def test_a_receipt_from_before_a_meter_was_off_accuses_nobody():
    """It was signed minutes after the last look, and is verified days later."""
    one = Looking()
    one.look(10, 0, 7)
    early_s = one.now_s + 180
    assert one.look(12, 0, 8, after_s=2 * DAY_S, signed_s=early_s) == [[HEAD, 8, "a"]] and one.watch.problem == 0
    assert one.look(14, 0, 9, after_s=2 * DAY_S) == [[NOT_NOTED, 0], [HEAD, 9, "a"]]


def test_a_host_that_shows_too_many_blocks_blinds_no_meter_to_another():
    one = Looking()
    assert one.look(10, 9, 1 << 62) == [[HEAD, 1 << 62, "a"]]
    assert one.look(12, 11, 7, "b", kid=B, after_s=DAY_S) == [[HEAD, 7, "b"]] and one.watch.blocks == 7


def test_a_ledger_without_blocks_has_no_head():
    one = Looking()
    assert one.look(10, 0, 0) == [] and one.look(20, 0, 0, "b", after_s=DAY_S) == [[NOT_NOTED, 0]]


def test_what_is_not_in_flash_is_not_reported_and_what_is_damaged_there_is_forgotten():
    one = Looking()
    one.look(10, 4, 7)
    one.now_s += DAY_S
    work = one.watch.apply_steps(Receipt(20, 11, 8), one.now_s)
    next(work)
    work.close()
    assert not one.events.waiting and one.watch.blocks == 7
    for odd in (None, [], {}, 7, [0] * 8, [0, -1, -1, b"", 0, b"", 0], [0, -1, -1, "", 0, b"", 0, 0], [b""] * 8):
        Store(one.flash).save(ledger_watch.NAME, odd)
        one.begin()
        assert one.watch.blocks == 0 and one.look(30, 0, 9) == [[HEAD, 9, "a"]], odd


def test_odd_figures_break_nothing():
    """Whatever a host signs within the ranges of the fields."""
    bits, one = case.Bits("odd receipts"), Looking()
    figures = (0, 1, 7, 8, 1 << 31, kinds.MAX_UINT)
    for _ in range(case.scale(2000, 300)):
        sequence, noted, blocks = [figures[bits.below(len(figures))] for _ in range(3)]
        found = one.look(sequence, noted, blocks, "ab"[bits.below(2)], after_s=bits.below(2 * DAY_S) - 3_600)
        assert found is None or len(found) <= 2
        for code, _ in one.events.waiting:
            assert code in (HEAD, FORKED, NOT_NOTED)


# The whole meter


def reported(community, household):
    """(code, detail) of the events about the ledger that the host has."""
    found = [new.body for new in community.entries if new.kid == household.kid and new.kind == kinds.EVENT]
    return [(body["code"], body["detail"]) for body in found if body["code"] in (HEAD, FORKED, NOT_NOTED)]


def has_receipts(world, household, ledger):
    """Until the meter has used a receipt with that ledger."""
    peer = world.community.sink
    peer.ledger = ledger
    behind = peer.community.authors[household.kid].head.next_sequence // 16 * 16 + 17
    world.run_until(lambda: peer.community.authors[household.kid].head.next_sequence >= behind, 60)
    world.run(3)


def test_a_meter_publishes_what_it_notices_and_shows_it():
    world, community, household = alone(lambda ms, closed: 3600, step_s=1)
    has_receipts(world, household, {"noted": 1, "blocks": 40, "root": root("a")})
    assert reported(community, household) == [(HEAD, 40)]
    (event,) = [new for new in household.entries(kinds.EVENT) if new.body["code"] == HEAD]
    assert event.body["text"] == "61" * 32
    world.ms += 4_000_000
    household.boot(world.ms)
    has_receipts(world, household, {"noted": 12, "blocks": 39, "root": root("b")})
    assert reported(community, household) == [(HEAD, 40), (FORKED, 39)]
    assert status.of(household.meter)["ledger"] == {"blocks": 40, "problem": FORKED}
    world.ms += DAY_S * 1000
    has_receipts(world, household, {"noted": 12, "blocks": 50, "root": root("b")})
    assert reported(community, household)[2:] == [(NOT_NOTED, 12), (HEAD, 50)]
    assert status.of(household.meter)["ledger"] == {"blocks": 50, "problem": NOT_NOTED}
    assert not household.meter.rejected, household.meter.rejected


def test_nothing_counts_that_no_host_signed():
    """Receipts by another author, for another log, for another entry, and damaged ones."""
    world, community, household = alone(lambda ms, closed: 3600, step_s=1)
    meter = household.meter
    other = community.meter("other", world.owner, 10_000)
    world.run(3)
    last = [new for new in community.entries if new.kid == household.kid][-1]
    told = {"noted": 9, "blocks": 90, "root": root("x")}
    good = community.publish(community.host, kinds.RECEIPT, bodies.receipt(last, **told))
    forged = [
        community.publish(community.host, kinds.RECEIPT, dict(good.body, head=bytes(32))),
        community.publish(community.host, kinds.RECEIPT, dict(good.body, sequence=1 << 40)),
        community.publish(community.host, kinds.RECEIPT, dict(good.body, generation=1)),
        community.publish(community.host, kinds.RECEIPT, dict(good.body, author=other.kid)),
        community.publish(world.owner, kinds.RECEIPT, good.body),
        community.publish(other, kinds.RECEIPT, good.body),
    ]
    bits = case.Bits("damaged receipts")
    raws = [new.raw for new in forged]
    for _ in range(case.scale(200, 40)):
        place = bits.below(len(good.raw))
        raws.append(good.raw[:place] + bytes([good.raw[place] ^ (1 << bits.below(8))]) + good.raw[place + 1 :])
    for raw in raws:
        verdict = steps.finish(meter.inbox.apply_steps(raw, community.now_s))
        if verdict.receipt:
            steps.finish(meter.inbox.move_steps(meter.inbox.id, meter.inbox.cursor, verdict.receipt))
        steps.finish(meter.work_steps(household.now(world.ms)))
        assert meter.inbox.ledger_watch.blocks == 0, raw
    steps.finish(meter.inbox.move_steps(meter.inbox.id, meter.inbox.cursor, good.raw))
    steps.finish(meter._use_receipt_steps(household.now(world.ms)))
    assert meter.inbox.ledger_watch.blocks == 90
