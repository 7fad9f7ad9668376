"""The board of a meter in the field: what the application gets of it, made of the parts of the field."""

import binascii

from wattpact_meter.clock import Now
from wattpact_meter.settings import Settings
from wattpact_protocol.log import entry

from simulator.field.flash import PowerCut
from simulator.field.running import Turns

START_S = 1_800_000_000


class Clock:
    """What time the meter believes it is: unknown, or off by off_s."""

    def __init__(self):
        self.is_known = True
        self.off_s = 0
        self.is_doubtful = False

    def now(self, world_ms, boot_ms):
        unix_s = START_S + world_ms // 1000 + self.off_s if self.is_known else None
        return Now(world_ms - boot_ms, unix_s, entry.CLOCK_DOUBTFUL if self.is_doubtful and self.is_known else 0)


class Relay:
    """A bistable relay in the truth; brown_outs: closings at which the supply fails, and whether the contacts moved."""

    def __init__(self, truth, bits):
        self._truth = truth
        self._bits = bits
        self.brown_outs = 0
        self.closings = 0
        self.is_powered = True

    def drive(self, closed):
        if not self.is_powered:
            raise PowerCut()
        if closed and not self._truth.is_closed:
            self.closings += 1
            if self.brown_outs:
                self.brown_outs -= 1
                self._truth.is_closed = self._bits.below(2) == 0
                self.is_powered = False
                raise PowerCut()
        self._truth.is_closed = closed

    def sensed(self):
        return self._truth.is_closed


class Board:
    """Board(life, source, power_failed): one start of the meter."""

    journal_bytes = 96 * 1024

    def __init__(self, life, source, power_failed):
        self._life = life
        self.flash = life.flash.folder
        self.settings = Settings({
            "host": ["none", 1], "root_public_key": binascii.hexlify(life.host.root.public_key).decode(),
            "rated_w": 10_000, "source": {"kind": "p1"}, "step_s": life.step_s,
        })  # fmt: skip
        self.source = source
        self.network = life.link
        self.relay = life.relay
        self.power_failed = power_failed
        self.boot_ms = life.truth.ms
        self._turns = Turns(life.draw)

    def now(self):
        return self._life.clock.now(self._life.truth.ms, self.boot_ms)

    def urandom(self, n):
        return self._life.bits.bytes(n)

    def draw(self, n):
        return self._life.bits.below(n)

    def sense(self, inputs):
        self._life.supply.sensor_dead = inputs.sensor_dead
        inputs.consent = True

    def feed(self):
        pass

    def report(self, event):
        pass

    def report_error(self, where, error):
        self._life.failed(where, error)

    def sleep_ms(self, pause_ms):
        return self._turns.pause(pause_ms)
