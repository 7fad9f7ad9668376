"""A program for MicroPython: the esp32 board and the application on stand-ins of the chip. It ends with "wired up"."""

import sys

sys.path[:0] = ["tests/device/chip", "tests", "protocol", "firmware"]

from wattpact_meter import load_order  # noqa: E402

load_order.load()

import json  # noqa: E402

import chiptime  # noqa: E402
import esp32  # noqa: E402
import machine  # noqa: E402
import network  # noqa: E402
from boards.esp32 import board, chip, chip_clock, pins, service_board, start  # noqa: E402
from boards.esp32c3 import pins as c3_pins  # noqa: E402
from boards.esp32s3 import pins as s3_pins  # noqa: E402
from simulator import flash, service  # noqa: E402
from wattpact_meter.app import App  # noqa: E402
from wattpact_meter.drivers import adc_pair, noise  # noqa: E402
from wattpact_meter.drivers.relay_pin import PULSE_MS  # noqa: E402
from wattpact_protocol import steps  # noqa: E402
from wattpact_protocol.log import readings  # noqa: E402

for module in (adc_pair, board, chip_clock, noise, service_board, start):
    module.time = chiptime

SETTINGS = {
    "host": ["127.0.0.1", 9], "root_public_key": "ab" * 32, "rated_w": 11000, "source": {"kind": "ct"},
    "wifi": {"ssid": "house", "password": "secret"},
    "calibration": {
        "id": 1, "voltage_uv_per_count": 280000, "current_ua_per_count": 88900, "voltage_midpoint": 1625,
        "current_midpoint": 1625,
    },
}  # fmt: skip


PAUSE = [b""] * 60  # at 10 ms a reading: a radio has left, and has begun to join


def write_settings(folder, **more):
    values = dict(SETTINGS)
    values.update(more)
    flash.write(folder + "/settings.json", json.dumps(values).encode())


def power_up():
    """Another start of the chip: nothing has made a watchdog."""
    chip._made.clear()
    machine.watchdogs.clear()


def step(app, times):
    for _ in range(times):
        for work in (app.sample, app.exchange):
            work(app.board.now())
        steps.finish(app.tick_steps(app.board.now()))
        chiptime.sleep_ms(20)


def check_current_transformer(folder):
    write_settings(folder)
    app = App(board.Board(pins, folder))
    assert network.connects == [("house", "secret")]
    close, open_ = machine.pins[pins.RELAY_CLOSE], machine.pins[pins.RELAY_OPEN]
    step(app, 8)
    status = app.status()
    assert 4500 < status["power_w"] < 4700, status  # 230 V at 20 A
    assert app.board.source._sampler.calibration.voltage_midpoint == 1625
    assert (close.history, open_.history) == ([0], [0]) and status["relay"]["closed"] is False
    machine.pins[pins.BUTTON].level = 0
    step(app, 2)
    assert app.status()["relay"]["closed"] and (close.level, open_.level) == (1, 0)
    timer = machine.timers[0]
    assert timer.period == PULSE_MS
    timer.go_off()
    assert (close.level, open_.level) == (0, 0) and 1 not in open_.history
    machine.pins[pins.RELAY_SENSE].level = 1
    machine.pins[pins.BUTTON].level = 1
    esp32.fahrenheit = 220
    step(app, 2)
    assert app.status()["relay"]["reason"] == "over_temperature" and (close.level, open_.level) == (0, 1)
    app.relay._driver.drive(True)  # before the pulse has ended: never both at once
    assert (close.level, open_.level) == (1, 0)
    app.relay._driver.drive(False)
    timer.go_off()
    assert (close.level, open_.level) == (0, 0) and close.history.count(1) == open_.history.count(1) == 2
    assert machine.watchdogs[0].timeout == 60_000 and machine.watchdogs[0].fed >= 8
    assert app.errors == {}
    app.journal.close()
    esp32.fahrenheit = 104


def check_p1(folder):
    write_settings(folder, source={"kind": "p1"})
    machine.made = []
    app = App(board.Board(pins, folder))
    assert machine.made[:2] == ["UART", "WLAN.WLAN"]  # the other way round it crashes with PSRAM: micropython#18544
    uart = machine.uarts[0]
    assert uart.number == pins.P1_UART and uart.options["rx"] == pins.P1_RX
    assert (uart.options["baudrate"], uart.options["bits"], uart.options["invert"]) == (115200, 8, machine.UART.INV_RX)
    uart.waiting = b"/noise\r\n!0000\r\n"
    step(app, 1)
    assert app.status()["source_rejected"] == {"crc": 1}
    app.journal.close()


def check_radio(folder):
    """Whatever the radio raises (micropython#12750, #17661), it measures and guards, and tries again ever later."""
    write_settings(folder)
    for what in ("WLAN", "active", "connect", "disconnect", "isconnected"):
        network.fails = {what: RuntimeError}
        made = board.Board(pins, folder)
        app = App(made)
        start_wh = app.meter.registers()[1]
        step(app, 3)
        for _ in range(60):
            chiptime.sleep_ms(60_000)
            step(app, 1)
        status = app.status()
        made.report(dict(status, event="status"))
        assert app.errors == {} and status["relay"]["reason"] == "over_temperature" and 4500 < status["power_w"] < 4700
        assert app.meter.registers()[1] > start_wh and 3 <= made.wifi.failed <= 10, (what, made.wifi.failed)
        network.fails = {}
        connects = len(network.connects)
        chiptime.sleep_ms(600_000)
        step(app, 1)
        assert made.wifi.is_on and len(network.connects) == connects + 1, what
        app.journal.close()


class Dull:
    """Stands in for os on a chip whose own randomness is none."""

    @staticmethod
    def urandom(n):
        return bytes(n)


def check_randomness(folder):
    """Without a radio the chip's own is not enough."""
    network.fails = {"active": OSError}
    dull = board.Board(pins, folder)
    noise.os = Dull
    drawn = [dull.urandom(n) for n in (32, 32, 16)]
    network.fails = {}
    assert [len(one) for one in drawn] == [32, 32, 16] and len(set([one[:16] for one in drawn] + [bytes(16)])) == 4


def check_clipping(folder):
    """What the current transformer gives beyond the converter's rails is seen."""
    write_settings(folder)
    app = App(board.Board(pins, folder))
    converter = app.board.source._adc._current
    for amps, clips in ((90, False), (110, True), (200, True)):
        converter.amplitude = amps * 1_000_000 * 0.8 / 88_900 * 2**0.5
        found = []
        for _ in range(4):
            found += app.board.source.read(app.board.now().uptime_ms * 1000)
        assert len(found) >= 2 and all(bool(one.quality & readings.CLIPPED) == clips for one in found), amps
    app.journal.close()


def check_restart(folder):
    board.RESTART_MS = 1
    write_settings(folder, source={"kind": "sun"})
    board.run(pins, folder)
    assert machine.resets == [1]


def serve(folder, *data, resets=1):
    """What a client that sends this receives in a service start of the chip, which restarts so often after it."""
    serial = service.Serial()
    serial.incoming += data
    service_board.ConsoleBytes = lambda: serial
    before = len(machine.resets)
    power_up()
    start.start(pins, folder)
    assert len(machine.resets) == before + resets and len(machine.watchdogs) == 1
    assert machine.watchdogs[0].timeout == 60_000 and machine.watchdogs[0].fed >= len(data)
    return serial.take()


class SlowStation(network.WLAN):
    """The chip's radio: it has left 300 ms after it was to, and stays joined when the program starts anew."""

    kept = None
    left_us = None

    def __init__(self, interface):
        super().__init__(interface)
        self.joined = SlowStation.kept

    def connect(self, ssid, key):
        before = self.joined if self.joined in network.there else None
        super().connect(ssid, key)
        self.joined = before or self.joined

    def disconnect(self):
        network._do("disconnect")
        self.left_us = chiptime.now_us + 300_000

    def isconnected(self):
        if self.left_us is not None and chiptime.now_us >= self.left_us:
            self.joined = self.left_us = None
        SlowStation.kept = self.joined
        return super().isconnected()


def check_slow_radio(folder):
    """What it still reports of the settings before is no success of those that are tried."""
    write_settings(folder)
    works, wrong = ("barn", "new secret"), ("barn", "mistyped")
    station, network.WLAN, network.there = network.WLAN, SlowStation, [works]
    flash.write(folder + "/service", b"")
    trying = [(1, b"\x03")]
    worked, failed = trying + [(1, b"\x04"), (4, b"\x01\x00")], trying + [(2, b"\x03"), (1, b"\x02")]
    received = serve(folder, service.wifi(*works), *PAUSE, service.wifi(*wrong))
    assert received == worked + failed, received
    kept = flash.read(folder + "/settings.json")
    assert json.loads(kept.decode())["wifi"] == {"ssid": works[0], "password": works[1]}
    SlowStation.kept = works
    flash.write(folder + "/service", b"")
    assert serve(folder, service.wifi(*wrong)) == failed and flash.read(folder + "/settings.json") == kept
    network.WLAN, network.there = station, []
    machine.resets.clear()


def check_interrupted_start(folder):
    """Ctrl-C or an error at any place of a start: the watchdog runs."""
    write_settings(folder)
    for module, name in ((start, "_is_held"), (load_order, "load"), (board, "run"), (board, "Board")):
        for error in (KeyboardInterrupt, MemoryError):
            if name == "Board" and error is MemoryError:
                continue  # then it restarts by itself: check_restart
            seen = []

            def fails(*_):
                seen.append([one.timeout for one in machine.watchdogs])  # noqa: B023
                raise error  # noqa: B023

            power_up()
            right = getattr(module, name)
            setattr(module, name, fails)
            try:
                start.start(pins, folder)
            except (KeyboardInterrupt, MemoryError):
                assert name != "Board"
            setattr(module, name, right)
            assert seen == [[60_000]] and len(machine.watchdogs) == 1 and machine.watchdogs[0].fed >= 1, name
    assert machine.resets == []


def check_main():
    """It is there before what main imports."""
    started = []
    right, start.start = start.start, lambda pins: started.append((pins, len(machine.watchdogs)))
    for name, its_pins in (("esp32", pins), ("esp32c3", c3_pins), ("esp32s3", s3_pins)):
        power_up()
        __import__("boards.%s.main" % name)
        assert started.pop() == (its_pins, 1)
    start.start = right


def check_service(folder):
    """A request is followed once, the button each time that it is held as power comes; else the meter starts."""
    write_settings(folder)
    meters = []
    run, board.run = board.run, lambda pins, flash: meters.append(flash)
    new = ("barn", "new secret")
    network.there = [new, ("free", "")]
    open_ = machine.pins[pins.RELAY_OPEN]
    pulses = open_.history.count(1)
    flash.write(folder + "/service", b"")
    received = serve(folder, service.rpc(4), service.wifi("barn", "old"), *PAUSE, service.wifi(*new))
    assert [service.strings(data)[1] for kind, data in received[:3]] == [
        [b"barn", b"-60", b"YES"], [b"free", b"-60", b"NO"], []
    ]  # fmt: skip
    assert received[3:] == [(1, b"\x03"), (1, b"\x03"), (1, b"\x04"), (4, b"\x01\x00")]
    assert network.connects[-2:] == [("barn", "old"), new]
    kept = json.loads(flash.read(folder + "/settings.json").decode())
    assert kept == dict(SETTINGS, wifi={"ssid": "barn", "password": "new secret"})
    assert open_.history.count(1) > pulses and machine.pins[pins.RELAY_CLOSE].level == 0 and meters == []
    start.start(pins, folder)
    assert meters == [folder]
    machine.pins[pins.BUTTON].level = 0
    start.start(pins, folder)
    assert meters == [folder, folder]  # one that is stuck
    network.fails, machine._cause = {"active": RuntimeError}, machine.PWRON_RESET
    # Ctrl-C leads to the prompt.
    assert serve(folder, service.rpc(4), service.wifi("free", ""), *PAUSE, b"\r\x03", resets=0) == [
        (4, b"\x04\x00"), (1, b"\x03"), (2, b"\x03"), (1, b"\x02")
    ]  # fmt: skip
    network.fails = {}
    sleep_ms = chiptime.sleep_ms

    def let_go(pause_ms):
        machine.pins[pins.BUTTON].level = int(chiptime.now_us > pressed_us + 1_500_000)
        sleep_ms(pause_ms)

    pressed_us, chiptime.sleep_ms = chiptime.now_us, let_go  # a press meets a start
    start.start(pins, folder)
    chiptime.sleep_ms = sleep_ms
    assert meters == 3 * [folder]
    board.run, network.there, machine._cause = run, [], machine.WDT_RESET
    machine.resets.clear()


def check_pins():
    names = [name for name in dir(pins) if name.isupper()]
    for module in (pins, c3_pins, s3_pins):
        assert names and names == [name for name in dir(module) if name.isupper()]
        numbers = [getattr(module, name) for name in names if name != "P1_UART"]
        assert len(set(numbers)) == len(numbers)


with flash.Mounted(flash.Blocks(), fresh=True) as mounted:
    check_current_transformer(mounted.path)
    check_p1(mounted.path)
    check_radio(mounted.path)
    check_randomness(mounted.path)
    check_clipping(mounted.path)
    check_service(mounted.path)
    check_slow_radio(mounted.path)
    check_interrupted_start(mounted.path)
    check_restart(mounted.path)
check_main()
check_pins()
print("wired up")
