"""A host's clock and the time of its blocks: what waits, and what makes it go on."""

import pytest
from simulator.community import START_S
from wattpact.ordering.clock_watch import BEHIND_S, JUMP_S, ClockWatch
from wattpact_protocol.log.entry import CLOCK_DAYLIGHT_SAVING, Stamp

YEAR_S = 365 * 86400


class Machine:
    """Its clock can be set; what it has been up for cannot."""

    def __init__(self):
        self.now_s, self.up_s = START_S, 5000
        self.watch = ClockWatch(lambda: self.now_s, lambda: self.up_s)

    def pass_s(self, seconds):
        self.now_s += seconds
        self.up_s += seconds

    def problem(self, last_s=START_S, *stamps):
        """`stamps`: what meters published before, one each."""
        for number, stamp in enumerate(stamps):
            self.watch.note(b"meter %d" % number, stamp)
        return self.watch.problem(last_s)


def by_meter(unix_s, clock_status=0):
    return Stamp(1, 60, unix_s, clock_status)


def test_a_clock_that_runs_dates_blocks_however_long_ago_the_last_one_was():
    machine = Machine()
    for seconds in (0, 1, 3600, 30 * 86400):
        machine.pass_s(seconds)
        assert machine.problem() is None


def test_a_clock_that_is_kept_right_by_small_steps_dates_blocks():
    machine = Machine()
    for _ in range(50):
        machine.pass_s(60)
        machine.now_s += JUMP_S
        assert machine.problem() is None


def test_nothing_is_ordered_while_the_clock_is_behind_the_last_block():
    machine = Machine()
    machine.now_s -= YEAR_S  # as a Pi starts that keeps no time without power
    assert machine.problem() == "this machine's clock is behind the last block, which is of 2026-10-01 00:00 UTC"
    machine.pass_s(30)
    assert machine.problem()
    machine.now_s += YEAR_S
    assert machine.problem(machine.now_s + BEHIND_S) is None
    assert machine.problem(machine.now_s + BEHIND_S + 1)


def test_a_jump_ahead_waits_until_the_clock_is_back():
    machine = Machine()
    machine.now_s += YEAR_S
    for _ in range(3):
        machine.pass_s(600)
        assert "jumped ahead by 31536000 s" in machine.problem()
    machine.now_s -= YEAR_S
    assert machine.problem() is None


@pytest.mark.parametrize("off_s", [-JUMP_S, 0, JUMP_S])
def test_a_jump_ahead_is_trusted_once_a_meter_has_the_same_time(off_s):
    machine = Machine()
    machine.now_s += YEAR_S  # a Pi without a time server until now
    machine.pass_s(5)
    assert machine.problem()
    assert machine.problem(START_S, by_meter(machine.now_s + off_s)) is None
    machine.pass_s(3600)
    assert machine.problem() is None


@pytest.mark.parametrize(
    "stamp",
    [by_meter(None), by_meter(START_S), by_meter(START_S + YEAR_S + JUMP_S + 1), by_meter(START_S + YEAR_S, 1)],
    ids=["no time", "the time before", "another time", "a time it doubts"],
)
def test_a_meter_that_does_not_know_the_time_confirms_no_jump(stamp):
    machine = Machine()
    machine.now_s += YEAR_S
    assert machine.problem(START_S, stamp)
    assert machine.problem(START_S, by_meter(machine.now_s, CLOCK_DAYLIGHT_SAVING)) is None


def test_most_meters_decide_and_each_by_the_last_that_came_of_it():
    machine = Machine()
    machine.now_s += YEAR_S
    right, wrong = by_meter(START_S), by_meter(START_S + YEAR_S)
    assert machine.problem(START_S, wrong, right), "one has the host's own clock"
    assert machine.problem(START_S, wrong, right, right, wrong)
    assert machine.problem(START_S, wrong, wrong, right, wrong) is None


def test_what_meters_published_before_a_jump_decides_nothing():
    machine = Machine()
    assert machine.problem(START_S, by_meter(START_S + YEAR_S)) is None  # a meter whose clock is wrong
    machine.now_s += YEAR_S
    assert machine.problem()


def test_the_text_is_the_same_for_as_long_as_the_problem_is():
    """It is stored and logged where it changes."""
    for off_s in (YEAR_S, -YEAR_S):
        machine = Machine()
        machine.now_s += off_s
        texts = set()
        for second in range(100):
            machine.pass_s(1)
            machine.up_s += second % 2  # the two clocks tick at different moments
            machine.now_s += second % 2
            texts.add(machine.problem(START_S))
        assert len(texts) == 1 and None not in texts


def test_a_jump_ahead_of_a_clock_that_was_behind_is_what_sets_it_right():
    """At the start a Pi has the time of its last shutdown, or 1970: a year later than that is no jump to wait for."""
    machine = Machine()
    machine.now_s = 1_000
    machine.watch = ClockWatch(lambda: machine.now_s, lambda: machine.up_s)
    assert "behind" in machine.problem()
    machine.now_s = START_S + 40
    assert machine.problem() is None
