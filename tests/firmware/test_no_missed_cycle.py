"""Sampling while the meter signs back to back: a converter that keeps one mains cycle loses none of them.

Time is virtual and the core's steps alone take some: each as long as 400,000 instructions on a chip of 240 MHz that
needs two clocks for each. The waveform waits for nobody; what the converter has no room for is gone.
"""

import case
from boards.virtual.waveform import Waveform
from simulator import flash
from simulator.board import Board
from simulator.enrolled import EnrolledApp
from wattpact_meter.metering.calibration import Calibration
from wattpact_meter.metering.sampler import Sampler
from wattpact_protocol import steps
from wattpact_protocol.log import event_codes, readings

STEP_US = 400_000 * 2 // 240
STEPS = 45  # of one signature, where the backend makes it in one
RATE_HZ = 2000
ROOM = RATE_HZ // 50  # samples that the converter keeps: a cycle of 50 Hz
WATTS = 4600


class Converter:
    """A source whose samples come by themselves, `ROOM` of them kept until they are taken."""

    pause_ms = 5

    def __init__(self, board):
        calibration = Calibration(200000, 50000)
        self._board = board
        self._start_us = board.uptime_us
        self._wave = Waveform(calibration, WATTS, rate_hz=RATE_HZ)
        self._sampler = Sampler(calibration)
        self._made = 0
        self.lost = 0
        self.periods = []
        self.rejected = {}

    def read(self, _):
        due = (self._board.uptime_us - self._start_us) * RATE_HZ // 1_000_000 - self._made
        self._made += due
        if due > ROOM:
            self._wave.block(due - ROOM)
            self.lost += due - ROOM
            due = ROOM
        periods = self._sampler.feed_block(*self._wave.block(due)) if due else []
        self.periods += periods
        return [period.measurement() for period in periods]


class TimedBoard(Board):
    """Time goes on by what tasks sleep and what signatures take."""

    def __init__(self, folder, root_public_key, **settings):
        super().__init__(folder, root_public_key, **settings)
        self.uptime_us = 0
        self.signing_us = 0
        self.converter = None

    def begin(self):
        self.source = self.converter = Converter(self)

    def go_on(self, to_us):
        self.uptime_us = max(self.uptime_us, to_us)
        self.uptime_ms = self.uptime_us // 1000

    def sleep_ms(self, pause_ms):
        return Pause(pause_ms)

    def takes_time(self, steps, at_once):
        """The same steps, each STEP_US long; at_once: nobody gets a turn between them."""
        if not case.MICROPYTHON:
            steps = preceded(steps)
        while True:
            self.go_on(self.uptime_us + STEP_US)
            self.signing_us += STEP_US
            try:
                next(steps)
            except StopIteration as done:
                return done.value
            if not at_once:
                yield


def preceded(steps):
    for _ in range(STEPS - 1):
        yield
    result = yield from steps
    return result


class Pause:
    """What a task of the application awaits: so many ms."""

    def __init__(self, pause_ms):
        self._pause_ms = pause_ms

    def __iter__(self):
        yield self._pause_ms

    __await__ = __iter__


def run(app, board, end_us):
    """The application's own tasks, each when it is due."""
    steps = (
        ("sample", app.sample), ("network", app.exchange), ("tick", app.tick_steps),
        ("status", app.report_status_steps),
    )  # fmt: skip
    due = [[board.uptime_us, place, app._repeat(*task)] for place, task in enumerate(steps)]
    while True:
        first = min(due, key=lambda row: row[:2])
        if first[0] >= end_us:
            break
        board.go_on(first[0])
        pause_ms = first[2].send(None)
        first[0] = board.uptime_us + pause_ms * 1000
    for row in due:
        row[2].close()


def measured(folder, seconds, at_once=False):
    """A meter that always has something to sign; the converter, the application and how many entries it signed."""
    enrolled = EnrolledApp(folder, TimedBoard)
    enrolled.rest()
    board, app = enrolled.board, enrolled.app
    start_us, count = board.uptime_ms * 1000, app.journal.next_sequence
    board.go_on(start_us)
    board.begin()
    identity = app.identity
    sign_steps = identity.sign_steps
    identity.sign_steps = lambda message: board.takes_time(sign_steps(message), at_once)
    work_steps = app.meter.work_steps

    def always(now):
        if not app.meter.events.waiting:
            app.meter.events.note(event_codes.SOURCE_REJECTED, {"text": "more to publish"})
        more = yield from work_steps(now)
        return more

    app.meter.work_steps = always
    run(app, board, start_us + seconds * 1_000_000)
    assert not app.errors, board.failures
    assert board.signing_us > seconds * 800_000, "there was time to do nothing"
    steps.finish(app.waiting.apply_steps(app.meter))
    return board.converter, app, app.journal.next_sequence - count


def undisturbed(end_us):
    """The same waveform in one piece."""
    calibration = Calibration(200000, 50000)
    wave, sampler, periods = Waveform(calibration, WATTS, rate_hz=RATE_HZ), Sampler(calibration), []
    for _ in range(end_us * RATE_HZ // 100_000_000):
        periods += sampler.feed_block(*wave.block(100))
    return periods


def values_of(one):
    return one.start_us, one.end_us, one.active_mw, one.vrms_mv, one.irms_ma, one.energy_nj, one.samples, one.flags


def test_no_cycle_is_missed_while_it_signs_back_to_back():
    seconds = case.scale(30, 12)
    with flash.Folder() as folder:
        converter, app, entries = measured(folder, seconds)
        assert entries > 2 * seconds and converter.lost == 0
        whole = undisturbed(seconds * 1_000_000)
        assert len(converter.periods) >= seconds * 5 - 2
        assert [values_of(one) for one in converter.periods] == [
            values_of(one) for one in whole[: len(converter.periods)]
        ]
        for one in converter.periods:
            assert one.flags == 0 and abs((one.end_us - one.start_us) - 200_000) <= 2  # ten cycles
        energy = sum([one.active_mw * (one.end_us - one.start_us) for one in converter.periods])
        assert app.meter.registers()[readings.IMPORT_WH] == energy // 3_600_000_000_000 > 10
        assert app.waiting.joined == 0


def test_a_signature_in_one_go_misses_some():
    """What the steps are for, and that this test would notice."""
    with flash.Folder() as folder:
        converter, _, entries = measured(folder, 4, at_once=True)
        assert entries > 4 and converter.lost > ROOM * entries, (entries, converter.lost)
        seen, all_of_them = [sum([one.samples for one in run]) for run in (converter.periods, undisturbed(4_000_000))]
        assert seen < all_of_them // 2, (seen, all_of_them)
