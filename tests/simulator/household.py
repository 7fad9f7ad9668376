"""A household: the real meter on a board in virtual time, with flash in memory and a load behind its relay."""

from case import Bits
from wattpact_meter import load_order

load_order.load()  # from the bottom up: nested imports take more stack than MicroPython has

from wattpact_meter.clock import Now  # noqa: E402
from wattpact_meter.core.meter import Meter  # noqa: E402
from wattpact_meter.storage.journal import Journal as FileJournal  # noqa: E402
from wattpact_meter.storage.store import Store as FileStore  # noqa: E402
from wattpact_protocol.log import entry, kinds  # noqa: E402

from simulator.community import START_S  # noqa: E402
from simulator.driving import Around, measure, power, tick  # noqa: E402
from simulator.memory_flash import Flash, Journal, Store  # noqa: E402

TICKS_A_STEP = 5  # a tick publishes one entry at the most


class Settings:
    def __init__(self, root_public_key, step_s=5, intervals=1, rated_w=10_000):
        self.root_public_key = root_public_key
        self.step_s = step_s
        self.intervals = intervals
        self.rated_w = rated_w
        self.calibration_id = None


class Household:
    """A meter and what it is wired to. load(unix_ms, closed) -> W, import positive."""

    def __init__(self, community, name, load, step_s=5, intervals=1, limit=100_000, folder=None):
        self.community = community
        self.name = name
        self.load = load
        self.flash = Flash(limit)
        self.folder = folder  # where the meter's own journal and store keep files, instead of `flash`
        self.identity = community.key(name)
        self.kid = self.identity.kid
        self.urandom = Bits("randomness of " + name).bytes
        self.settings = Settings(community.root.public_key, step_s, intervals)
        self.closed = False
        self.boots = 0
        self.boot_ms = 0
        self.at_ms = 0
        self.operations = []  # (unix ms, closed, reason)
        self.around = Around()
        self.clock_off_s = 0
        self.clock_known = True
        self.journal = None
        self.meter = None

    def now(self, world_ms):
        unix_s = START_S + world_ms // 1000 + self.clock_off_s if self.clock_known else None
        return Now(world_ms - self.boot_ms, unix_s)

    def boot(self, world_ms, power_failed=False):
        self.boot_ms = world_ms
        self.at_ms = world_ms
        self.boots += 1
        self.journal, store = Journal(self.flash), Store(self.flash)
        if self.folder:
            self.journal, store = FileJournal(self.folder + "/journal"), FileStore(self.folder + "/state")
        self.meter = Meter(
            self.identity, self.journal, store, self.settings, lambda n: n // 2, self.urandom,
            self.community.crypto.verify_steps,
        )  # fmt: skip
        self.meter.boot(self.now(world_ms), power_failed, self.closed)

    def step(self, world_ms):
        """Measure since the last step, let the guard decide, move the relay; the datagrams to send."""
        now = self.now(world_ms)
        watts = self.load(world_ms, self.closed)
        measure(self.meter, now, power(watts * 1000, (world_ms - self.at_ms) * 1000))
        self.at_ms = world_ms
        for _ in range(TICKS_A_STEP):
            self.around.sensed_closed = self.closed
            decision = tick(self.meter, now, self.around)
            if decision.operate:
                self.closed = decision.closed
                self.operations.append((world_ms, decision.closed, decision.reason))
            if decision.operate or self.meter.next_tick_ms(now) > now.uptime_ms:
                break
        return self.meter.pop_datagrams()

    def entries(self, kind=None):
        """What this meter has published and still holds, as the operator reads it."""
        raws = [self.journal.read(number) for number in range(self.journal.first, self.journal.next_sequence)]
        unsealed = [
            self.community.sink.unsealed(entry.decode(raw, self.community.id)) for raw in raws if raw is not None
        ]
        return [new for new in unsealed if kind is None or new.kind == kind]

    def last_reading(self):
        found = self.entries(kinds.READING)
        return found[-1].body if found else None
