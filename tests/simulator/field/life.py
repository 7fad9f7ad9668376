"""The life of one meter in the field: a seed draws what happens, and the rules are checked at every moment.

with Folder() as folder:
    life = Life(seed, folder)
    life.run(1000)          1000 events; raises Violation
"""

import case
from wattpact_protocol.log import kinds, register_table

from simulator.field import events, utility
from simulator.field.board import START_S, Board, Clock, Relay
from simulator.field.flash import Flash, PowerCut
from simulator.field.host import Host, Link
from simulator.field.rules import Ledger, Violation
from simulator.field.running import Running, StandIns
from simulator.field.supply import POLICY, Supply
from simulator.field.truth import Ct, Truth

_COARSE_MS = 10_000
_FINE_MS = 1_000
_BUSY_MS = 3_000
kinds.NAMES  # noqa: B018  (reads all rows now, so that a life is the same whichever ran before it)
_LONGEST_REST_MS = 64 * 60_000  # of a relay whose closing the chip did not survive, again and again
_CALM_EVERY = 100  # events
_RETRY_MS = 30_000
_INSTALLED_MS = 30_000
_KEPT_LINES = 30


class _Meter:
    """Who the meter is, as the operator knows it."""

    def __init__(self, public_key, kid):
        self.public_key = public_key
        self.kid = kid


class Life:
    """Life(seed, folder): then `run(events)`. log: what happened lately, in text. has_p1: whether registers come from
    a meter with a P1 port, or energy from a current transformer; the seed draws it where it is None."""

    def __init__(self, seed, folder, has_p1=None):
        self.seed = seed
        self.bits = case.Bits("meter %s" % seed)
        self.draw = case.Bits("field %s" % seed)
        self.flash = Flash(folder)
        self.truth = Truth(case.Bits("load %s" % seed))
        self.host = Host(START_S)
        self.link = Link(case.Bits("link %s" % seed), self.host)
        self.clock = Clock()
        self.relay = Relay(self.truth, self.draw)
        self.ledger = Ledger(self.host, self.truth)
        self.supply = Supply(self.host, self.truth)
        self.step_s = self.draw.choice((60, 300, 900))
        is_p1 = self.draw.below(3) > 0
        self.has_p1 = is_p1 if has_p1 is None else has_p1
        self.log = []
        self.counts = {}
        self.starts = 0
        self.running = None
        self.injected = 0  # failures of tasks that are the field's own
        self._busy_until_ms = 0
        self._shown = 0  # telegrams that came whole since the start
        self.shown_wms = (0, 0)  # what was used when registers were shown that the meter had to adopt
        self._make_source()
        self.link.sent = self._sent
        self.host.policy(1, POLICY)

    def _make_source(self):
        if self.has_p1:
            self.line = utility.Line(self.draw, 1_000 if self.draw.below(8) == 0 else 10_000)
            self.meter = utility.made(self.draw, 1_000_000 + self.draw.below(1 << 24), self.draw.below(1 << 22))
        else:
            self.line = self.meter = None

    # The application

    def start(self, power_failed):
        """Start the application; it must."""
        self.flash.is_off = False
        self.relay.is_powered = True
        self.starts += 1
        self._shown = 0
        self.supply.restarted()
        self.ledger.registers.restarted()
        self.link.forget()
        failing = self.flash.failing
        try:
            self.running = Running(Board(self, self._source(), power_failed))
        except PowerCut:
            self.cut("power cut while starting")
            events.outage(self)
            return
        except Exception as error:
            if failing:  # the chip tries again
                self.note("no start while flash fails")
                self.go_on(self.truth.ms + _RETRY_MS)
                self.start(power_failed)
                return
            raise Violation("start", "the meter does not start: %r" % error) from None
        self._attach(self.running.app)

    def _source(self):
        if self.has_p1:
            from wattpact_meter.sources.p1 import P1Source

            self.line.forget()
            return P1Source(self.line)
        from wattpact_meter.metering.measurement import Measurement

        self.ct = Ct(Measurement, register_table.POWER_W)
        return self.ct

    def _attach(self, app):
        if self.link.meter is None:
            self.link.meter = _Meter(app.identity.public_key, app.identity.kid)
        append = app.journal.append

        def observed(raw, sequence):
            append(raw, sequence)
            self.ledger.written(raw)

        app.journal.append = observed

    def cut(self, text):
        """The meter is without power from now on."""
        self.note(text)
        running, self.running = self.running, None
        if running is not None:
            running.cut(self.flash)

    def failed(self, where, error):
        """A task raised something that the application caught."""
        if self.injected and isinstance(error, (RuntimeError, OSError)):
            return
        raise Violation("task", "%s raised %r" % (where, error))

    def _sent(self, data):
        from wattpact_protocol.sync import datagram

        kind, body = datagram.decode(data, self.host.community)
        if kind == datagram.ENTRY:
            from wattpact_protocol.log import entry

            self.ledger.sequences.sent(entry.decode(body, self.host.community))
        if kind == datagram.ENTRY or self.host.has_more(kind, body):
            self._busy_until_ms = self.truth.ms + _BUSY_MS

    # Time

    def go_on(self, to_ms):
        """Live on until that moment."""
        while self.truth.ms < to_ms:
            self._step(min(to_ms, self._next_ms()))

    def _next_ms(self):
        now_ms = self.truth.ms
        next_ms = now_ms + (_FINE_MS if now_ms < self._busy_until_ms else _COARSE_MS)
        if self.has_p1:
            next_ms = min(next_ms, self.line.arrives_ms())
        return max(now_ms + 1, min(next_ms, self.link.arrives_ms()))

    def _step(self, to_ms):
        flows = self.truth.advance(to_ms)
        self.host.now_s = START_S + to_ms // 1000
        self.supply.account(flows, self.running is not None)
        if self.has_p1:
            self.meter.follow(flows)
            if to_ms >= self.line.next_ms:
                good = self.line.good
                self.line.send(to_ms, self.meter, self.truth.watts if self.truth.is_closed else 0, self.truth.has_mains)
                if self.line.good > good:
                    self._show()
            self.line.arrive(to_ms)
        self.link.arrive(to_ms)
        if self.running is None:
            if not self.has_p1:
                unseen_wms = sum([watts * ms for watts, ms in flows if watts > 0])
                self.ledger.excuse(unseen_wms, unseen_wms - sum([watts * ms for watts, ms in flows]))
                self.supply.unseen_wms += unseen_wms
            return
        if not self.has_p1:
            self.ct.follow(flows)
            self.supply.seen()
        self._moment()

    def _show(self):
        """A telegram came whole; a start adopts no registers before two agree."""
        self._shown += self.running is not None
        if self._shown > 1:
            self.supply.seen()
            self.shown_wms = self.truth.used_wms()

    def _moment(self):
        running = self.running
        try:
            running.moment()
        except PowerCut:
            self.supply.interrupted(running.app.board.now())
            self.cut("power cut in the middle")
            events.outage(self)
            return
        app = running.app
        if running.restarts:
            self.cut("restart by itself")
            self.start(False)
            return
        recorder = app.meter.recorder
        self.ledger.registers.shown(recorder.bank.generation, app.meter.registers())
        if app.meter.decision is not None:
            has_policy = app.meter.policies.version is not None
            self.supply.check(app.meter.decision, app.board.now(), has_policy, self.ledger.attributed)

    # What happens

    def note(self, text):
        self.log.append("%10.1f s  %s" % (self.truth.ms / 1000, text))
        del self.log[:-_KEPT_LINES]

    def run(self, count, kinds=events.ALL, progress=None):
        """So many events of these kinds; raises Violation."""
        with StandIns(self.flash):
            try:
                self._run(count, kinds, progress)
            finally:
                self.cut("the end")

    def _run(self, count, kinds, progress):
        """Nothing happens before the meter is installed; then there is a calm now and then."""
        self.start(False)
        self.go_on(_INSTALLED_MS)
        for number in range(1, count + 1):
            self.go_on(self.truth.ms + 1_000 + self.draw.below(100_000))
            if self.running is None:
                self.start(False)
            events.happen(self, kinds)
            if number % _CALM_EVERY == 0 or number == count:
                self.calm()
            if progress and number % 100 == 0:
                progress(self, number)

    def calm(self):
        """All is well for a while: the meter must have recovered by itself, and everything is charged."""
        self.note("calm")
        events.heal(self)
        if self.running is None:
            self.start(False)
        self.go_on(self.truth.ms + 600_000)
        if self.running is None:
            raise Violation("start", "the meter is not running")
        contract = self.host.grant(20_000, 4 * 3600)
        self.go_on(self.truth.ms + 300_000)
        rests_until_ms = self.truth.ms + _LONGEST_REST_MS
        while self.supply.reason == "resting" and self.truth.ms < rests_until_ms:
            self.go_on(self.truth.ms + 60_000)
        if self.supply.reason != "grant":
            raise Violation("recovery", "no supply under a grant: %s" % self.supply.reason)
        self.go_on(self.truth.ms + 1000 * (2 * self.step_s + 120))
        self.host.terminate(contract)
        log = self.running.app.meter.log
        if not log.is_open or self.host.head.next_sequence < log.next_sequence - 2:
            at = (log.is_open, log.generation, log.next_sequence, self.host.head.next_sequence)
            raise Violation("recovery", "the log goes not on: open %s, generation %d, next %d, the host's %d" % at)
        self.ledger.check_least()
