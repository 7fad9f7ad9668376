"""A board of stand-ins for the application: what it measures, receives and how time goes on is up to the test."""

import asyncio
import binascii

import case
from wattpact_meter import load_order

load_order.load()  # from the bottom up: nested imports take more stack than MicroPython has

from wattpact_meter.clock import Now  # noqa: E402
from wattpact_meter.settings import Settings  # noqa: E402


class Relay:
    closed = False

    def drive(self, closed):
        self.closed = closed

    def sensed(self):
        return self.closed


class Source:
    """Gives what `next` holds; raises instead as many times as `fails`."""

    pause_ms = 100

    def __init__(self):
        self.next = []
        self.fails = 0
        self.rejected = {}

    def read(self, now_us):
        if self.fails:
            self.fails -= 1
            raise ValueError("no samples")
        measured, self.next = self.next, []
        return measured


class Network:
    def __init__(self):
        self.incoming = []
        self.sent = []
        self.failed = 0

    def receive(self):
        return self.incoming.pop(0) if self.incoming else None

    def send(self, data):
        self.sent.append(data)


class Board:
    journal_bytes = 64 * 1024
    power_failed = False

    def __init__(self, folder, root_public_key=b"\xab" * 32, **settings):
        self.flash = folder
        values = {
            "host": ["none", 1], "root_public_key": binascii.hexlify(root_public_key).decode(), "rated_w": 10000,
            "source": {"kind": "none"},
        }  # fmt: skip
        values.update(settings)
        self.settings = Settings(values)
        self.source = Source()
        self.network = Network()
        self.relay = Relay()
        self.uptime_ms = 0
        self.most_ms = 1 << 30  # of uptime, then `stop` is called
        self.stop = None
        self.fed = 0
        self.events = []
        self.failures = []
        self.inputs = None
        self.start_s = None  # Unix time at uptime 0
        self.chance = case.Bits("app")

    def now(self):
        return Now(self.uptime_ms, None if self.start_s is None else self.start_s + self.uptime_ms // 1000)

    def urandom(self, n):
        return self.chance.bytes(n)

    def draw(self, n):
        return 0

    def sense(self, inputs):
        self.inputs = inputs
        inputs.consent = True

    def feed(self):
        self.fed += 1

    def report(self, event):
        self.events.append(event)

    def report_error(self, where, error):
        self.failures.append((where, str(error)))

    async def sleep_ms(self, pause_ms):
        self.uptime_ms += 5  # four tasks sleep side by side; only that time goes on matters here
        if self.uptime_ms > self.most_ms:
            self.stop()
        await asyncio.sleep(0)
