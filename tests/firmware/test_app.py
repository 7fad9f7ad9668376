"""The application on a board of stand-ins: failing tasks, restarts, the watchdog, and what the guard is told."""

import asyncio

from simulator import flash
from simulator.board import Board
from simulator.driving import power
from wattpact_meter import app as application
from wattpact_meter.app import FAILURES, STUCK_MS, App
from wattpact_meter.clock import Now
from wattpact_meter.control.faults import DEAD_MS
from wattpact_protocol import steps
from wattpact_protocol.log import readings, register_table


def made(folder):
    board = Board(folder)
    app = App(board)
    board.stop = app.stop
    return app, board


def test_it_says_who_it_is_and_runs_until_it_is_stopped():
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


def test_the_watchdog_is_fed_only_while_every_task_runs():
    with flash.Folder() as folder:
        app, board = made(folder)
        board.most_ms = 200
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


def test_the_relay_does_what_the_guard_decides_and_it_is_told_once():
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


def test_over_current_in_any_of_several_measurements_is_told():
    with flash.Folder() as folder:
        app, board = made(folder)
        over = {register_table.CURRENT_1_MA: 65_500}
        board.source.next = [power(0, 200_000, over), power(0, 200_000, {})]
        app.sample(Now(1000, None))
        steps.finish(app.tick_steps(Now(1000, None)))
        assert board.inputs.over_current
        assert not over_current(app, board, {})


def test_the_guard_is_asked_between_two_verifications():
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
        assert not dead_at(1000, good)
        assert not dead_at(1000 + DEAD_MS, faulty)
        assert dead_at(1001 + DEAD_MS, faulty)
        assert not dead_at(1002 + DEAD_MS, good)


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
        assert collected_in(app, 100) == 0
