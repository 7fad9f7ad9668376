"""The link to a host alone: what is sent when, what of the host is followed, and where the inbox is."""

import case
from simulator.network import Flash, Journal, Store
from wattpact_meter.sync import inbox, outbox, peers
from wattpact_meter.sync.inbox import Inbox
from wattpact_protocol import steps
from wattpact_protocol.log import reasons
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
        self.inbox = Inbox(KID, Store(self.flash), None, None, None, None)
        self.outbox = outbox.Outbox(KID, COMMUNITY, self.journal, self.host, self.inbox)
        self.ms = 0

    def add(self):
        sequence = self.journal.next_sequence
        self.journal.append(b"entry %d" % sequence, sequence)

    def poll(self, ms=0):
        """(kind, body) of what is sent now."""
        self.ms += ms
        steps.finish(self.outbox.send_steps(self.ms, 0, True))
        return [datagram.decode(data, COMMUNITY) for data in self.outbox.pop_datagrams()]

    def head(self, next_sequence, ms=0):
        self.ms += ms
        self.host.receive(self.ms)
        return self.outbox.on_head(0, next_sequence, 0, self.ms)

    def pushed(self, ms=0):
        return [int(body[6:]) for kind, body in self.poll(ms) if kind == datagram.ENTRY]

    def admit(self, name, after, cursor):
        return self.inbox.admit([name, after, cursor, b""])


def test_nothing_is_pushed_before_the_host_says_where_it_is():
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


def test_heads_that_cannot_be_are_passed_over():
    line = Line(3)
    assert line.head(4) == reasons.HEAD_AHEAD
    assert line.outbox.on_head(1, 0, 0, 0) == reasons.STALE_GENERATION
    assert line.outbox.acknowledged is None


def test_pruned_entries_are_not_asked_for():
    line = Line(10)
    line.journal.prune(6)
    line.head(2)
    assert line.pushed() == [6, 7, 8, 9]


def test_the_inbox_is_followed_in_order():
    line = Line()
    judge = line.inbox.problem
    assert judge(INBOX, 5, 9) == reasons.INBOX_GAP
    assert judge(INBOX, 0, 4) is None
    line.inbox.move(INBOX, 4)
    assert judge(INBOX, 4, 9) is None and judge(INBOX, 5, 9) == reasons.INBOX_GAP
    assert judge(INBOX, 2, 4) == reasons.INBOX_DUPLICATE and judge(INBOX, 4, 4) == reasons.INBOX_DUPLICATE
    assert judge(b"inbox 02", 4, 9) == reasons.INBOX_GAP and judge(b"inbox 02", 0, 2) is None


def test_the_cursor_outlives_a_restart():
    line = Line()
    line.inbox.receipt = b"a receipt"
    line.inbox.move(INBOX, 77)
    again = Line(flash=line.flash)
    assert (again.inbox.id, again.inbox.cursor, again.inbox.receipt) == (INBOX, 77, b"a receipt")
    assert again.poll()[0][1][3:] == [INBOX, 77]


def test_a_cursor_moves_only_when_it_is_kept():
    line = Line()
    line.flash.cut_in = 1
    case.raises(Exception, line.inbox.move, INBOX, 4)
    assert line.inbox.cursor == 0 and Line(flash=line.flash).inbox.cursor == 0


def test_a_host_that_insists_may_begin_again():
    line = Line()
    line.inbox.move(INBOX, 50)
    assert line.admit(INBOX, 0, 3) == reasons.INBOX_DUPLICATE  # one late datagram is nothing
    assert line.admit(INBOX, 50, 51) is None
    line.inbox.move(INBOX, 51)
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
        steps.finish(line.outbox.send_steps(line.ms, 0, True))
    sent = [datagram.decode(data, COMMUNITY) for data in line.outbox.pop_datagrams()]
    assert len(sent) == outbox.MAX_DATAGRAMS and sent[-1][0] == datagram.DIGEST and sent[-2][1] == b"entry 15"
