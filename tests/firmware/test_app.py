"""The application on a board of stand-ins: failing tasks, restarts, the watchdog, and what the guard receives."""

import asyncio

from simulator import flash
from simulator.board import Board
from simulator.driving import power
from simulator.enrolled import EnrolledApp
from wattpact_meter import app as application
from wattpact_meter.app import FAILURES, STUCK_MS, App
from wattpact_meter.clock import Now
from wattpact_meter.metering.measurement import Measurement
from wattpact_meter.metering.recorder import DEAD_MS
from wattpact_meter.sources import p1_frame
from wattpact_meter.sources.p1 import P1Source
from wattpact_protocol import steps
from wattpact_protocol.log import event_codes, readings, register_table


def made(folder):
    board = Board(folder)
    app = App(board)
    board.stop = app.stop
    return app, board


def test_it_reports_who_it_is_and_runs_until_it_is_stopped():
    with flash.Folder() as folder:
        app, board = made(folder)
        assert board.events[0]["event"] == "started" and board.events[0]["kid"] == app.identity.kid.hex()
        board.most_ms = 5000
        assert asyncio.run(app.run()) is False
        assert (app.errors, board.failures) == ({}, [])
        assert board.fed > 50 and board.network.sent
        assert [event for event in board.events if event["event"] == "status"]


def test_a_task_that_fails_is_counted_and_goes_on():
    with flash.Folder() as folder:
        app, board = made(folder)
        board.most_ms = 3000
        board.source.fails = FAILURES - 1
        board.source.next = [power(5_000_000, 200_000, {})]
        assert asyncio.run(app.run()) is False
        assert app.errors == {"sample": FAILURES - 1}
        assert board.failures == [("sample", "no samples")] * (FAILURES - 1)
        assert app.status()["power_w"] == 5000


def test_a_task_that_keeps_failing_restarts_the_meter():
    with flash.Folder() as folder:
        app, board = made(folder)
        board.source.fails = 1 << 20
        assert asyncio.run(app.run()) is True
        assert app.errors == {"sample": FAILURES}
        again = App(Board(folder))
        assert again.identity.public_key == app.identity.public_key


def test_an_entry_that_its_parts_never_learnt_of_restarts_the_meter_at_once():
    """It is in the journal: they read it there at the start, and it is not published twice."""
    with flash.Folder() as folder:
        enrolled = EnrolledApp(folder)
        enrolled.rest()
        app, board, told = enrolled.app, enrolled.board, []
        board.stop = app.stop
        board.most_ms = board.uptime_ms + 120_000

        def fail(new):
            told.append(new)
            raise MemoryError("memory allocation failed")

        app.meter.recorder.published = fail
        app.meter.events.note(event_codes.CLOCK_SET, {"detail": 1})
        assert asyncio.run(app.run()) is True
        assert len(told) == 1 and app.errors == {"tick": 1}
        assert app.journal.next_sequence == told[0].sequence + 1
        enrolled.start()
        again = enrolled.app.meter
        assert again.log.next_sequence >= told[0].sequence + 1 and not again.log.untold
        assert again.log.read(told[0].sequence).id == told[0].id
        enrolled.rest()
        events = [again.log.read(number).body for number in range(told[0].sequence, again.log.next_sequence)]
        assert [body["code"] for body in events if "code" in body].count(event_codes.CLOCK_SET) == 1


def test_a_radio_that_keeps_failing_restarts_nothing():
    with flash.Folder() as folder:
        app, board = made(folder)
        board.most_ms = 3000

        def receive():
            raise OSError("no radio")

        board.network.receive = receive
        assert asyncio.run(app.run()) is False
        assert list(app.errors) == ["network"] and app.errors["network"] > 2 * FAILURES
        assert board.inputs is not None and board.fed > 50


def test_the_watchdog_is_fed_only_while_every_task_runs():
    with flash.Folder() as folder:
        app, board = made(folder)
        board.most_ms = 500
        asyncio.run(app.run())
        fed = board.fed
        assert fed > 0
        steps.finish(app.tick_steps(Now(board.uptime_ms + STUCK_MS // 2, None)))
        assert board.fed == fed + 1
        steps.finish(app.tick_steps(Now(board.uptime_ms + STUCK_MS + 100, None)))
        assert board.fed == fed + 1


def test_a_task_is_stuck_after_half_a_minute_and_not_before():
    with flash.Folder() as folder:
        app, board = made(folder)
        for name in ("sample", "network", "tick", "status"):
            app._ran = {"sample": 70_000, "network": 70_000, "tick": 70_000, "status": 70_000}
            app._ran[name] = 40_000
            fed = board.fed
            steps.finish(app.tick_steps(Now(70_000, None)))
            assert board.fed == fed + 1, name
            steps.finish(app.tick_steps(Now(70_001, None)))
            assert board.fed == fed + 1, name


def test_the_relay_does_what_the_guard_decides_and_it_is_reported_once():
    with flash.Folder() as folder:
        app, board = made(folder)
        for now_ms in (0, 100, 200):
            app.sample(Now(now_ms, None))
            steps.finish(app.tick_steps(Now(now_ms, None)))
        told = [event for event in board.events if event["event"] == "relay"]
        assert told[-1]["closed"] is board.relay.closed is app.relay.sensed()
        assert len(told) <= 2


def over_current(app, board, instantaneous):
    board.source.next = [power(0, 200_000, instantaneous)]
    app.sample(Now(1000, None))
    steps.finish(app.tick_steps(Now(1000, None)))
    return board.inputs.over_current


def test_half_as_much_again_as_rated_in_any_phase_is_over_current():
    voltage, current = register_table.VOLTAGE_1_MV, register_table.CURRENT_1_MA
    for phase in range(3):
        with flash.Folder() as folder:
            app, board = made(folder)
            assert not over_current(app, board, {voltage + phase: 230_000, current + phase: 65_000})
            assert over_current(app, board, {voltage + phase: 230_000, current + phase: 65_500})
            assert over_current(app, board, {current + phase: 65_500})  # nominal voltage stands in
            assert not over_current(app, board, {})


def test_over_current_in_any_of_several_measurements_is_reported():
    with flash.Folder() as folder:
        app, board = made(folder)
        over = {register_table.CURRENT_1_MA: 65_500}
        board.source.next = [power(0, 200_000, over), power(0, 200_000, {})]
        app.sample(Now(1000, None))
        steps.finish(app.tick_steps(Now(1000, None)))
        assert board.inputs.over_current
        assert not over_current(app, board, {})


def test_the_guard_decides_between_two_verifications():
    with flash.Folder() as folder:
        app, board = made(folder)
        meter, done = app.meter, []
        decide_steps = meter.decide_steps

        def receive(now, data):
            meter.trust.verifications += data == b"costly"
            done.append(data)
            yield

        def decided(now, inputs):
            done.append(b"guard")
            return decide_steps(now, inputs)

        meter.receive_steps, meter.decide_steps = receive, decided
        board.network.incoming = [b"cheap", b"costly", b"cheap", b"costly"]
        app.exchange(Now(1000, None))
        while steps.finish(app.tick_steps(Now(1000, None))) == 0:
            pass
        guard = done.index(b"costly")
        assert done[:guard] == [b"guard", b"cheap"] and done[guard + 1] == b"guard", done
        assert [what for what in done if what != b"guard"] == [b"cheap", b"costly"] * 2 and done[-1] == b"guard"


def test_what_is_urgent_does_not_wait_for_a_signature():
    with flash.Folder() as folder:
        app, board = made(folder)
        meter, done = app.meter, []

        def work(now):
            for step in range(50):
                done.append(step)
                if step == 7 and not app._faults.over_current:
                    board.source.next = [power(0, 200_000, {register_table.CURRENT_1_MA: 65_500})]
                yield
            return False

        meter.work_steps = work
        board.most_ms = 2000
        asyncio.run(app.run())
        begun = [place for place in range(len(done)) if done[place] == 0]
        assert 8 <= begun[1] <= 12, done  # given up in its midst, and begun anew
        assert done[begun[1] :][:50] == list(range(50)), "an over-current that goes on does not interrupt again"
        told = [event for event in board.events if event["event"] == "relay"]
        assert told[-1]["reason"] == "over_current" and not app.errors


def test_a_source_that_measures_nothing_is_dead():
    with flash.Folder() as folder:
        app, board = made(folder)

        def dead_at(now_ms, *powers):
            board.source.next = list(powers)
            app.sample(Now(now_ms, None))
            app._has_input = True
            steps.finish(app.tick_steps(Now(now_ms, None)))
            return board.inputs.sensor_dead

        good, faulty = power(0, 200_000), power(0, 200_000, {}, readings.SENSOR_FAULT)
        for now_ms in (250, 500, 750, 1000):
            assert not dead_at(now_ms, good)
        assert not dead_at(1000 + DEAD_MS, faulty)
        assert dead_at(1001 + DEAD_MS, faulty)
        assert not dead_at(1002 + DEAD_MS, good)


TUESDAY_S = 1_768_298_400  # 2026-01-13 10:00 UTC, six hours before a quiet time


class Line:
    data = b""

    def read(self):
        data, self.data = self.data, b""
        return data


class Port:
    """An application behind a P1 port on emergency credit; plan(second) -> (serial, Wh), or None for no telegram."""

    def __init__(self, folder, plan, consent_from_s=0):
        self.app, self.board = made(folder)
        self.board.start_s = TUESDAY_S
        self.board.draw = lambda n: min(4000, n - 1)
        self.board.source = P1Source(Line())
        self.board.sense = self.sense
        self.plan, self.consent_from_s = plan, consent_from_s
        self.dead = []

    def sense(self, inputs):
        inputs.consent = self.board.uptime_ms >= self.consent_from_s * 1000
        self.board.inputs = inputs

    def run(self, seconds):
        for second in range(seconds):
            for part in range(2):
                self.board.uptime_ms = second * 1000 + 500 * part
                shown = None if part else self.plan(second)
                if shown:
                    text = "/XYZ5METER\r\n\r\n1-3:0.2.8(50)\r\n0-0:96.1.1(%s)\r\n1-0:1.8.0(%d*Wh)\r\n!" % shown
                    crc = p1_frame.crc16(text.encode())
                    self.board.source._serial.data = text.encode() + b"%04X\r\n" % crc
                self.app.sample(self.board.now())
                steps.finish(self.app.tick_steps(self.board.now()))
            self.dead.append(self.board.inputs.sensor_dead)
        return self

    def relay(self):
        return [(event["closed"], event["reason"]) for event in self.board.events if event["event"] == "relay"]

    def credit_wh(self):
        return self.app.meter.guard.memory.credit_spent_wh


def test_one_lost_telegram_of_a_slow_meter_opens_no_relay():
    for lost, opens in (((200,), False), ((200, 210, 220), True)):
        with flash.Folder() as folder:
            plan = lambda s: None if s % 10 or s in lost else ("4530", 5_000_000 + s // 40)  # noqa: E731,B023
            port = Port(folder, plan, 35).run(260)
            assert ((False, "no_contract") in port.relay()[1:]) == opens, port.relay()
            assert any(port.dead[30:]) == opens


def test_credit_is_never_spent_on_a_step():
    old, new = 5_000_000, 5_040_000
    for plan, consent_from_s, used_wh in (
        (lambda s: ("4530", old + s // 10) if s >= 3 else None, 0, 20),
        (lambda s: ("4530", old + s // 10) if s >= 3 else None, 10, 19),
        (lambda s: ("4530", old + s // 10) if s < 100 else ("4531", new + s // 10), 10, 19),
        (lambda s: ("4530", old + s // 10) if s < 100 else ("4530", new + s // 10), 10, 19),
        (lambda s: ("4530", old + s // 10) if s < 100 else ("4530", s // 10), 10, 19),
        (lambda s: ("4530", 0) if s < 10 else ("4530", new + s // 10), 0, 20),
    ):
        with flash.Folder() as folder:
            port = Port(folder, plan, consent_from_s).run(200)
            assert port.relay()[-1] == (True, "credit"), port.relay()
            assert used_wh - 3 <= port.credit_wh() <= used_wh, (port.credit_wh(), used_wh)


def test_telegrams_that_are_rejected_keep_no_relay_closed():
    for rejected in (lambda s: ("4530", 7 + 50 * (s % 2)), lambda s: ("4530", (90_000_000, 7, 80_000_000)[s % 3])):
        with flash.Folder() as folder:
            plan = lambda s: ("4530", 5_000_000 + s // 10) if s < 60 else rejected(s)  # noqa: E731,B023
            port = Port(folder, plan).run(90)
            assert port.dead.index(True) in (69, 70) and port.relay()[-1] == (False, "no_contract")
            assert port.credit_wh() <= 6


def test_registers_that_never_move_while_power_is_shown_are_not_trusted():
    with flash.Folder() as folder:
        app, board = made(folder)
        now_ms = 0
        for minutes, power_w, is_dead in ((60, 3600, False), (60, 3600, True), (60, 0, True)):
            for _ in range(6 * minutes):
                now_ms += 10_000
                shown = {register_table.POWER_W: power_w}
                one = Measurement((), 0, shown, 0, "4530", {1: 5_000_000, 2: 0})
                board.source.next = [one]
                app.sample(Now(now_ms, None))
                steps.finish(app.tick_steps(Now(now_ms, None)))
            assert board.inputs.sensor_dead == is_dead, (minutes, power_w)


class Collector:
    def __init__(self):
        self.collected = 0

    def collect(self):
        self.collected += 1


def collected_in(app, count):
    """How often garbage is collected within a work of so many steps."""

    def work():
        for _ in range(count):
            yield
        return 0

    real, application.gc = application.gc, Collector()
    try:
        asyncio.run(app._drive(work()))
        return application.gc.collected
    finally:
        application.gc = real


def test_where_memory_is_short_garbage_is_collected_within_a_signature():
    with flash.Folder() as folder:
        app, board = made(folder)
        app._is_tight = True
        assert collected_in(app, 100) == 100 // application._TIGHT_STEPS > 2
        rest = application._TIGHT_STEPS - 100 % application._TIGHT_STEPS
        assert (collected_in(app, rest - 1), collected_in(app, 1)) == (0, 1)  # whichever work they belong to
        app._is_tight = False
        assert collected_in(app, application._ROOMY_STEPS - 1) == 0
        assert collected_in(app, 1) == application._COLLECTS
