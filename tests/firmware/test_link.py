"""The link to a host alone: what is sent when, what of the host is followed, and where the inbox is."""

import case
from simulator import bodies
from simulator.community import START_S
from simulator.household import Household
from simulator.memory_flash import Flash, Journal, Store
from simulator.peer import with_peer
from wattpact_meter.log import trust
from wattpact_meter.sync import inbox, outbox, peers
from wattpact_meter.sync.inbox import Inbox
from wattpact_meter.trade.orders import Supply
from wattpact_protocol import steps
from wattpact_protocol.log import entry, kinds, reasons, roles
from wattpact_protocol.sync import datagram

KID, COMMUNITY, INBOX = b"me, 1234", b"community of 16b", b"inbox 01"


class Line:
    """A link over a journal with some entries. Nothing here applies an entry of the inbox."""

    def __init__(self, entries=0, flash=None):
        self.flash = flash or Flash()
        self.journal = Journal(self.flash)
        for _ in range(entries):
            self.add()
        self.host = peers.Host()
        self.inbox = Inbox(KID, Store(self.flash), None, None, None, None, None)
        self.outbox = outbox.Outbox(KID, COMMUNITY, self.journal, self.host, self.inbox)
        self.ms = 0

    def add(self):
        sequence = self.journal.next_sequence
        self.journal.append(b"entry %d" % sequence, sequence)

    def poll(self, ms=0):
        """(kind, body) of what is sent now."""
        self.ms += ms
        steps.finish(self.outbox.send_steps(self.ms, (0, self.journal.next_sequence)))
        return [datagram.decode(data, COMMUNITY) for data in self.outbox.pop_datagrams()]

    def head(self, next_sequence, ms=0):
        self.ms += ms
        self.host.receive(self.ms)
        return self.outbox.on_head(0, next_sequence, 0, self.ms)

    def pushed(self, ms=0):
        return [int(body[6:]) for kind, body in self.poll(ms) if kind == datagram.ENTRY]

    def admit(self, name, after, cursor):
        return self.inbox.admit([name, after, cursor, b""])


def test_nothing_is_pushed_before_a_head_of_the_host():
    line = Line(5)
    assert line.poll() == [(datagram.DIGEST, [KID, 0, 5, bytes(8), 0])]
    line.head(3)
    assert line.pushed() == [3, 4] and line.pushed(100) == []


def test_the_window_moves_with_what_is_acknowledged():
    line = Line(40)
    line.head(0)
    assert line.pushed() == list(range(16))
    line.head(10, 50)
    assert line.pushed() == list(range(16, 26))
    line.head(40, 50)
    assert line.pushed() == []
    line.add()
    assert line.pushed() == [40]


def test_what_was_lost_is_sent_again_once_it_can_be_known():
    line = Line(4)
    line.head(0)
    assert line.pushed() == [0, 1, 2, 3]
    line.head(1, 300)
    assert line.pushed() == [], "sent again while it may be under way"
    line.head(1, outbox.RESEND_MS)
    assert line.pushed() == [1, 2, 3]
    line.head(4, 50)
    line.head(2, outbox.RESEND_MS)  # a host that was restored from a backup
    assert line.pushed() == [2, 3]


def test_new_entries_do_not_put_off_sending_what_was_lost():
    line = Line(1)
    line.head(0)
    assert line.pushed() == [0]
    for number in range(1, 10):  # noqa: B007  (how many it took is checked below)
        line.add()
        sent = line.pushed(500)
        line.head(0)  # entry 0 was lost: the host cannot take those behind it
        if 0 in sent:
            break
    assert sent == list(range(number + 1)) and line.ms <= outbox.RESEND_MS + 500


def test_digests_pace_with_the_host():
    line = Line(1)
    times = []
    for _ in range(1200):
        if line.poll(100):
            times.append(line.ms)
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert gaps == sorted(gaps) and gaps[0] <= 4_000 and gaps[-1] == peers.SLOWEST_DIGEST_MS and len(gaps) <= 9
    line.head(1)
    sent = [line.ms for _ in range(30) if line.poll(100)]
    assert len(sent) in (1, 2), "the host was there again, and got no digest at once"
    for _ in range(10):
        line.head(1, 500)
    heard = 0
    for _ in range(100):
        line.head(1)
        heard += len(line.poll(100))
    assert 4 <= heard <= 6


def test_new_entries_bring_a_digest_at_once_while_the_host_is_there():
    line = Line(0)
    line.head(0)
    line.poll(2_000)
    line.add()
    assert [kind for kind, _ in line.poll(100)] == [datagram.ENTRY, datagram.DIGEST]


def test_heads_that_cannot_be_are_ignored():
    line = Line(3)
    assert line.head(4) == reasons.HEAD_AHEAD
    assert line.outbox.on_head(1, 0, 0, 0) == reasons.STALE_GENERATION
    assert line.outbox.acknowledged is None


def test_pruned_entries_are_not_requested():
    line = Line(10)
    line.journal.prune(6)
    line.head(2)
    assert line.pushed() == [6, 7, 8, 9]


def test_the_inbox_is_followed_in_order():
    line = Line()
    problem = line.inbox.problem
    assert problem(INBOX, 5, 9) == reasons.INBOX_GAP
    assert problem(INBOX, 0, 4) is None
    steps.finish(line.inbox.move_steps(INBOX, 4))
    assert problem(INBOX, 4, 9) is None and problem(INBOX, 5, 9) == reasons.INBOX_GAP
    assert problem(INBOX, 2, 4) == reasons.INBOX_DUPLICATE and problem(INBOX, 4, 4) == reasons.INBOX_DUPLICATE
    assert problem(b"inbox 02", 4, 9) == reasons.INBOX_GAP and problem(b"inbox 02", 0, 2) is None


def test_the_cursor_outlives_a_restart():
    line = Line()
    steps.finish(line.inbox.move_steps(INBOX, 77, b"a receipt"))
    again = Line(flash=line.flash)
    assert (again.inbox.id, again.inbox.cursor, again.inbox.has_receipt) == (INBOX, 77, True)
    assert Store(line.flash).load(inbox.RECEIPT) == b"a receipt"
    assert again.poll()[0][1][3:] == [INBOX, 77]


def test_a_cursor_moves_only_when_it_is_kept():
    line = Line()
    line.flash.cut_in = 1
    case.raises(Exception, steps.finish, line.inbox.move_steps(INBOX, 4))
    assert line.inbox.cursor == 0 and Line(flash=line.flash).inbox.cursor == 0


def test_a_host_that_insists_may_begin_again():
    line = Line()
    steps.finish(line.inbox.move_steps(INBOX, 50))
    assert line.admit(INBOX, 0, 3) == reasons.INBOX_DUPLICATE  # one late datagram is nothing
    assert line.admit(INBOX, 50, 51) is None
    steps.finish(line.inbox.move_steps(INBOX, 51))
    verdicts = [line.admit(INBOX, 0, 3) for _ in range(inbox.INSISTS)]
    assert verdicts == [reasons.INBOX_DUPLICATE] * (inbox.INSISTS - 1) + [None]


def test_what_is_rejected_again_and_again_is_left_behind():
    line = Line()
    assert [line.inbox.count_repeat(b"x") for _ in range(3)] == [False, False, True]
    assert [line.inbox.count_repeat(what) for what in (b"a", b"b", b"a", b"b", b"a")] == [False] * 5


def test_a_certificate_is_requested_every_five_seconds():
    line, times = Line(), []
    for ms in range(0, 20_000, 100):
        line.outbox.enrol(ms, bytes(32), bytes(32))
        times += [ms for _ in line.outbox.pop_datagrams()]
    assert times == [0, 5_000, 10_000, 15_000]
    assert line.host.next_at_ms(True) == 0 and line.host.next_at_ms(False) == 0


def test_only_the_newest_datagrams_wait_to_be_sent():
    line = Line(outbox.WINDOW)
    for _ in range(5):
        line.head(0, outbox.RESEND_MS)
        steps.finish(line.outbox.send_steps(line.ms, (0, line.journal.next_sequence)))
    sent = [datagram.decode(data, COMMUNITY) for data in line.outbox.pop_datagrams()]
    assert len(sent) == outbox.MAX_DATAGRAMS and sent[-1][0] == datagram.DIGEST and sent[-2][1] == b"entry 15"


# What an entry in the inbox does


class Addressee:
    """A meter with an owner, whose inbox applies entries that no datagram brought."""

    def __init__(self, community, name):
        self.community = community
        self.household = Household(community, name, lambda ms, closed: 0)
        self.household.boot(0)
        self.owner = community.person(name + "'s owner")
        self.author = community.enrol(self.household, self.owner)
        self.certificate = self.author.certificate
        self.kid = self.household.kid
        self.inbox = self.household.meter.inbox
        self.trader = self.household.meter.trader

    def know(self):
        """Apply all certificates that there are."""
        for new in self.community.certificates:
            assert self.verdict(new).proven
        return self

    def verdict(self, new, must_prove=False):
        return steps.finish(self.inbox.apply_steps(new.raw, START_S, must_prove))

    def apply(self, new, must_prove=False):
        """(moves, reason, proven, changed)"""
        self.inbox.changed = False
        verdict = self.verdict(new, must_prove)
        return verdict.moves, verdict.reason, verdict.proven, self.inbox.changed

    def order(self, side, limit):
        assert self.apply(self.community.mandate(self.owner, self.household, side, limit, 40)) == EFFECT

    def answer(self):
        """The next entry that the trader wants to be published, published."""
        new = self.community.publish(self.author, *self.trader.next(START_S + 3, Supply(), True))
        self.trader.published(new)
        return new


EFFECT = (True, None, True, True)  # it had one
PASSED = (True, None, False, False)  # it was not meant to have one


def rejected(reason):
    """Known by its content, so the inbox goes on behind it."""
    return True, reason, False, False


def addressees(*names):
    community = with_peer(grants=False)
    made = [Addressee(community, name) for name in names]
    return [community] + [one.know() for one in made]


class Forged:
    """An entry with another signature."""

    def __init__(self, new):
        self.raw = new.raw[:-1] + bytes([new.raw[-1] ^ 1])


def test_a_certificate_counts_once_and_proves_what_it_can():
    community, one = addressees("one")
    assert one.apply(one.certificate) == (True, None, True, False), "it is known"
    stranger = community.author("stranger")
    unknown = community.certify(community.author("two"), stranger, roles.PERSON).certificate
    assert one.apply(unknown) == (False, reasons.UNKNOWN_AUTHOR, False, False)
    old = community.publish(community.issuer, kinds.CERTIFICATE, dict(one.certificate.body, label="old"))
    assert one.apply(old) == PASSED and one.apply(old, must_prove=True) == (True, None, True, False)
    assert one.apply(Forged(old), must_prove=True) == PASSED


def test_a_certificate_beyond_those_that_it_has_room_for_is_genuine_all_the_same():
    community, one = addressees("one")
    while len(one.household.meter.trust) < trust.MAX_AUTHORS:
        assert one.apply(community.person("person %d" % len(community.entries)).certificate) == (
            True,
            None,
            True,
            False,
        )
    assert one.apply(community.person("one more").certificate) == (True, reasons.AUTHORS_FULL, True, False)


def test_what_is_its_own_or_of_no_effect_is_ignored():
    community, one, two = addressees("one", "two")
    event = community.publish(two.author, kinds.EVENT, {"code": 1})
    assert one.apply(event) == PASSED
    two.order(kinds.SELL, 100_000)
    offer = two.answer()
    assert two.apply(offer) == PASSED and one.apply(offer) == EFFECT
    assert one.apply(offer) == rejected(reasons.DUPLICATE)
    event.raw = b"no entry"
    assert one.apply(event) == (False, reasons.ENTRY_MALFORMED, False, False)


def test_a_receipt_is_kept_for_the_log_that_it_is_of():
    community, one, two = addressees("one", "two")
    body = bodies.receipted(one.kid, 1)
    receipt = community.publish(community.host, kinds.RECEIPT, body)
    assert one.apply(receipt) == two.apply(receipt) == PASSED
    assert one.verdict(receipt).receipt == receipt.raw and two.verdict(receipt).receipt is None


def test_grants_and_mandates_are_for_one_meter_and_not_from_before_its_state_was_lost():
    community, one, two = addressees("one", "two")
    grant = community.give(one.household, 10)
    assert two.apply(grant) == rejected(reasons.NOT_FOR_THIS_METER)
    mandate = community.mandate(one.owner, one.household, kinds.SELL, 1, 1)
    assert two.apply(mandate) == rejected(reasons.NOT_FOR_THIS_METER)
    one.inbox.not_before_s = START_S + 1
    assert one.apply(grant) == one.apply(mandate) == rejected(reasons.BEFORE_STATE_WAS_LOST)
    one.inbox.not_before_s = START_S
    assert one.apply(Forged(grant)) == (False, reasons.BAD_SIGNATURE, False, False)
    assert one.apply(grant) == one.apply(mandate) == EFFECT
    assert one.apply(grant) == (True, reasons.OLD_GRANT, True, False)
    of_two = community.mandate(two.owner, one.household, kinds.SELL, 1, 1)
    assert one.apply(of_two) == (True, reasons.NOT_OWNER, True, False)


def test_a_policy_is_for_one_meter_or_all_and_newer_than_the_last():
    community, one, two = addressees("one", "two")
    policy = community.publish(community.issuer, kinds.POLICY, {"version": 2, "meter": one.kid})
    assert two.apply(policy) == rejected(reasons.NOT_FOR_THIS_METER)
    assert one.apply(policy) == (True, None, True, False)
    assert one.apply(policy) == rejected(reasons.STALE_VERSION)
    for_all = community.publish(community.issuer, kinds.POLICY, {"version": 1})
    assert one.apply(for_all) == two.apply(for_all) == (True, None, True, False)


def contracted():
    """(community, supplier, consumer, a third one, the contract), in which each has applied what it needs."""
    community, supplier, consumer, third = addressees("supplier", "consumer", "third")
    supplier.order(kinds.SELL, 180_000)
    consumer.order(kinds.BUY, 250_000)
    offer = supplier.answer()
    consumer.answer()
    assert consumer.apply(offer) == EFFECT
    acceptance = consumer.answer()
    assert third.apply(acceptance) == rejected(reasons.UNKNOWN_OFFER)
    assert supplier.apply(acceptance) == EFFECT
    contract = supplier.answer()
    assert [new.kind for new in (offer, acceptance, contract)] == [kinds.OFFER, kinds.ACCEPTANCE, kinds.CONTRACT]
    assert third.apply(contract) == rejected(reasons.UNKNOWN_ACCEPTANCE)
    assert consumer.apply(contract) == EFFECT
    return community, supplier, consumer, third, contract


def test_what_answers_another_entry_counts_where_that_is_known():
    contracted()


def test_the_parties_and_the_operator_alone_end_a_contract():
    community, supplier, consumer, third, contract = contracted()
    body = {"contract": contract.id, "reason": "x"}
    by_supplier = community.publish(supplier.author, kinds.TERMINATE, body)
    assert consumer.apply(by_supplier) == rejected(reasons.UNKNOWN_CONTRACT)
    assert consumer.apply(community.give(consumer.household, 40, contract=contract.id)) == EFFECT
    (grant,) = consumer.household.meter.usage.grants
    others = (
        community.publish(third.author, kinds.TERMINATE, body),
        community.order(third.owner, kinds.TERMINATE, body),
    )
    for new in others:
        assert consumer.apply(new) == (True, reasons.NOT_A_PARTY, True, False)
    assert not grant.terminated
    theirs = (
        by_supplier,
        community.publish(community.issuer, kinds.TERMINATE, body),
        community.order(supplier.owner, kinds.TERMINATE, body),
        community.order(consumer.owner, kinds.TERMINATE, body),
    )
    for new in theirs:
        grant.terminated = False
        assert consumer.apply(new) == EFFECT and grant.terminated


def test_a_contract_ends_before_its_last_second_or_not_by_a_termination():
    community, one = addressees("one")
    body = dict(community.give(one.household, 40).body)
    assert one.apply(community.entries[-1]) == EFFECT
    end = {"contract": body["contract"], "reason": "x"}
    for late_s in (0, 1):
        late = community.publish(community.issuer, kinds.TERMINATE, end, unix_s=body["to_s"] + late_s)
        assert one.apply(late) == rejected(reasons.ENDED_BEFORE)
    order = dict(end, order_id=bytes(8), expires_s=START_S + 60)
    place, stamp = (0, 0, one.owner.certificate.id), entry.Stamp(0, 0, None, entry.CLOCK_INVALID)
    untimed = entry.sign(kinds.TERMINATE, order, place, stamp, one.owner.kid, community.id, one.owner.sign)
    assert one.apply(untimed) == rejected(reasons.NO_TIME)
    assert one.apply(community.publish(community.issuer, kinds.TERMINATE, end, unix_s=body["to_s"] - 1)) == EFFECT


def test_an_inbox_of_another_shape_is_no_place_to_go_on_from():
    for saved in ([INBOX], [4, 4], [INBOX, b"4"], {}, [INBOX, 4, None]):
        flash = Flash()
        Store(flash).save(inbox.NAME, saved)
        line = Line(flash=flash)
        assert (line.inbox.id, line.inbox.cursor) == (bytes(8), 0)


def test_what_was_lost_is_sent_again_after_a_later_time_alone():
    """As long after the host acknowledged more, not as long after the start."""
    line = Line(4)
    line.ms = 10 * outbox.RESEND_MS
    line.head(0)
    assert line.pushed() == [0, 1, 2, 3]
    line.head(0, outbox.RESEND_MS - 1)
    assert line.pushed() == []
    line.head(0, 1)
    assert line.pushed() == [0, 1, 2, 3]


def test_a_host_is_there_for_ten_seconds_after_its_last_datagram():
    host = peers.Host()
    assert not host.is_seen(0)
    host.receive(500)
    assert host.is_seen(10_499) and not host.is_seen(10_500)


def test_what_is_due_when_to_the_millisecond():
    host = peers.Host()
    host.requested(100)
    assert not host.is_enrol_due(5_099) and host.is_enrol_due(5_100)
    assert host.next_at_ms(True) == 0
    for every_ms in (2_000, 4_000, 8_000, 16_000, 30_000, 30_000):
        host.digested(100)
        assert host.next_at_ms(True) == 100 + every_ms and host.next_at_ms(False) == min(5_100, 100 + every_ms)
        assert not host.is_digest_due(99 + every_ms) and host.is_digest_due(100 + every_ms)
    host.receive(1_000)  # it is there again: the next digest is 2 s behind the last
    assert host.next_at_ms(True) == 2_100
    host.digested(2_100)
    host.digested(4_100)
    assert host.next_at_ms(True) == 6_100, "rarer though the host is there"


def test_an_entry_after_a_long_rest_is_not_taken_for_lost_at_once():
    line = Line(1)
    line.head(0)
    assert line.pushed() == [0]
    line.head(1, 50)
    line.ms += 10 * outbox.RESEND_MS
    line.add()
    assert line.pushed() == [1]
    line.head(1, outbox.RESEND_MS - 1)
    assert line.pushed() == []
    line.head(1, 1)
    assert line.pushed() == [1]


def test_new_entries_do_not_hasten_the_digests_to_a_silent_host():
    line = Line(1)
    line.head(1)
    line.poll()
    line.host.digested(line.ms)
    line.add()
    assert [kind for kind, _ in line.poll(1_999)] == [datagram.ENTRY, datagram.DIGEST]
    for _ in range(8):
        line.poll(30_000)
    line.add()
    assert [kind for kind, _ in line.poll(1_000)] == [datagram.ENTRY]


def test_a_meter_that_does_not_know_its_owner_yet_obeys_nobody():
    community = with_peer(grants=False)
    one = Addressee(community, "one")
    for new in community.certificates:
        if new.id != one.certificate.id:
            assert one.verdict(new).proven
    mandate = community.mandate(one.owner, one.household, kinds.SELL, 1, 1)
    assert one.apply(mandate) == (True, reasons.NOT_OWNER, True, False)
    assert one.apply(one.certificate) == (True, None, True, False) and one.apply(mandate) == EFFECT
