"""The relay does what was decided and nothing else, and less each time that the chip does not survive it."""

from simulator.board import Board
from simulator.driving import power
from simulator.flash import Folder
from wattpact_meter.app import App
from wattpact_meter.control.relay import LIVED_MS, NAME, Relay
from wattpact_meter.storage.store import StateError
from wattpact_protocol import steps
from wattpact_protocol.guard.guard import Decision
from wattpact_protocol.log import event_codes


class Store:
    """In memory; fails while `fails` is set."""

    def __init__(self):
        self.values = {}
        self.fails = False

    def load(self, name):
        return self.values.get(name)

    def save(self, name, value):
        if self.fails:
            raise StateError("no flash")
        self.values[name] = value


class Driver:
    def __init__(self):
        self.driven = []
        self.position = None

    def drive(self, closed):
        self.driven.append(closed)
        self.position = closed

    def sensed(self):
        return self.position


def decision(closed, operate=False, reassert=False):
    made = Decision("a reason", closed, operate)
    made.reassert = reassert
    return made


def test_only_what_is_decided_is_done():
    driver = Driver()
    relay = Relay(driver, Store(), 0)
    assert driver.driven == [] and relay.sensed() is None
    assert not relay.apply(decision(True), 0)
    assert not relay.apply(decision(False), 0)
    assert driver.driven == []
    assert relay.apply(decision(True, operate=True), 0)
    assert driver.driven == [True] and relay.sensed() is True
    assert not relay.apply(decision(True), 0)
    assert relay.apply(decision(True, reassert=True), 0)
    assert driver.driven == [True, True] and relay.operations == 1
    assert relay.apply(decision(False, operate=True), 0)
    assert driver.driven == [True, True, False] and relay.sensed() is False and relay.operations == 2


def test_each_closing_that_the_chip_does_not_survive_makes_the_next_wait_longer():
    store, rests_s = Store(), []
    for _ in range(9):
        relay = Relay(Driver(), store, 500)
        rests_s.append(relay.rest_ms // 1000)
        assert not relay.apply(decision(True, reassert=True), 500 + relay.rest_ms - 1) or not relay.rest_ms
        assert relay.apply(decision(True, operate=True), 500 + relay.rest_ms)  # and the chip resets
    assert rests_s == [0, 120, 240, 480, 960, 1920, 3840, 3840, 3840]
    relay.apply(decision(True), 500 + relay.rest_ms + LIVED_MS - 1)
    assert store.values[NAME] == 9
    relay.apply(decision(True), 500 + relay.rest_ms + LIVED_MS)
    assert store.values[NAME] == 0 and Relay(Driver(), store, 0).rest_ms == 0


def test_a_reassertion_after_a_failure_is_a_closing_too_and_an_opening_is_none():
    store = Store()
    store.values[NAME] = 2
    relay, driver = Relay(Driver(), store, 0), Driver()
    assert relay.apply(decision(False, operate=True), 0) and store.values[NAME] == 2
    assert relay.apply(decision(True, reassert=True), 240_000) and store.values[NAME] == 3
    relay = Relay(driver, Store(), 0)
    assert relay.apply(decision(True, reassert=True), 60_000) and relay._store.values == {}
    store.fails = True
    assert Relay(driver, store, 0).apply(decision(True, operate=True), 0)


class Stops(Exception):
    pass


def closed_at_ms(folder, survives):
    """When a meter of emergency credit closes its relay; its chip resets then unless it survives."""
    board = Board(folder)
    app = App(board)
    told = [fields for code, fields in app.meter.events.waiting if code == event_codes.POWER_FAILURE]

    def drive(closed):
        if closed and not survives:
            raise Stops()
        type(board.relay).drive(board.relay, closed)

    board.relay.drive, closed_ms = drive, None
    try:
        for board.uptime_ms in range(0, 3_600_000, 1000):
            board.source.next = [power(0, 1_000_000)]
            app.sample(board.now())
            steps.finish(app.tick_steps(board.now()))
            if board.relay.closed and closed_ms is None:
                closed_ms = board.uptime_ms
            if board.relay.closed and board.uptime_ms >= closed_ms + LIVED_MS:
                break
    except Stops:
        closed_ms = board.uptime_ms
    app.journal.close()
    return closed_ms, told


def test_a_chip_that_resets_whenever_it_closes_the_relay_does_not_loop():
    with Folder() as folder:
        assert closed_at_ms(folder, False) == (0, [])
        for rest_s in (120, 240, 480):
            told = [{"text": "while the relay closed", "detail": rest_s}]
            assert closed_at_ms(folder, rest_s == 480) == (rest_s * 1000, told)
        assert closed_at_ms(folder, True)[1] == []
