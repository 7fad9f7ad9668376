"""The meter's core: measurements, datagrams and the time go in; signed entries, datagrams and the guard's decisions
come out. No I/O but the journal and the store, no clock, no randomness of its own. Here the parts are joined.

What always holds: what this meter publishes is in its journal, and the registers in it under a checkpoint, before it
is sent; what it received has had its effect in flash before the inbox moves; so that after a restart at any moment it
publishes nothing twice and forgets nothing. It goes on alike with and without a host. Rules: docs/spec/meter.md.

What signs, verifies or stores is a generator that gives way. Until one of these has ended or was closed nothing else
of the meter may be called. It may be closed early, except while `must_end`: it has published and applied nothing then.
"""

from wattpact_protocol import steps
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.guard.guard import Guard, Inputs
from wattpact_protocol.log import event_codes, ids, readings, reasons
from wattpact_protocol.sync import datagram, enrolment

from wattpact_meter.control.policies import Policies
from wattpact_meter.core import checkpoint
from wattpact_meter.core.keeping import Keeping
from wattpact_meter.log import sealer
from wattpact_meter.log.events import Events
from wattpact_meter.log.ledger_watch import LedgerWatch
from wattpact_meter.log.own_log import OwnLog
from wattpact_meter.log.publisher import Publisher
from wattpact_meter.log.retention import Retention
from wattpact_meter.log.trust import Trust
from wattpact_meter.metering.recorder import Recorder
from wattpact_meter.sync import inbox
from wattpact_meter.sync.outbox import Outbox
from wattpact_meter.sync.peers import Host
from wattpact_meter.trade.trader import Trader
from wattpact_meter.trade.usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from wattpact_protocol.guard.guard import Decision

    from wattpact_meter.clock import Now
    from wattpact_meter.log.identity import Identity
    from wattpact_meter.metering.measurement import Measurement
    from wattpact_meter.settings import Settings
    from wattpact_meter.storage.journal import Journal
    from wattpact_meter.storage.store import Store
    from wattpact_meter.sync.inbox import Verdict

    Boundaries = list[tuple[int, int]]

GUARD = "guard"
TICK_MS = 1_000
_BATCH_MS = 100  # how long the rest of a batch may take
_GAP_MS = 500
_MAX_TEXT = 64  # of an event
_UNSENT = 4  # entries that wait for others to be published, so that one digest names all of them


class Meter:
    """Meter(identity, journal, store, settings, draw, urandom), then boot once; draw(n) is a random number below n,
    urandom(n) are n random bytes that nobody can guess."""

    def __init__(
        self,
        identity: "Identity",
        journal: "Journal",
        store: "Store",
        settings: "Settings",
        draw: "Callable[[int], int]",
        urandom: "Callable[[int], bytes]",
        verifier_steps: "Callable[[bytes, bytes, bytes], Generator[None, None, bool]]" = ed25519.verify_steps,
    ) -> None:
        self.kid = identity.kid
        self._identity = identity
        self._journal = journal
        self._store = store
        self._draw = draw
        self._keeping = Keeping(store)
        self.rejected = self._keeping.rejected
        self.trust = Trust(settings.root_public_key, store, verifier_steps)
        self.sealer = sealer.Sealer(self.kid, self.trust, store, urandom)
        self.policies = Policies(store, self.kid)
        self.events = Events()
        self.recorder = Recorder(
            store, self.events.note, self.kid.hex(), settings.rated_w, settings.step_s, settings.intervals,
            settings.calibration_id,
        )  # fmt: skip
        self.trader = Trader(self.kid, settings.step_s)
        self.usage = Usage()
        self._host = Host()
        watch = LedgerWatch(store, self.events)
        self.inbox = inbox.Inbox(self.kid, store, self.trust, self.trader, self.usage, self.policies, watch)
        self.outbox = Outbox(self.kid, self.trust.community, journal, self._host, self.inbox)
        self.pop_datagrams = self.outbox.pop_datagrams
        self.checkpoint = checkpoint.Checkpoint(store, journal, self.trader, self.usage, self.recorder)
        self.decision: Decision | None = None
        self.state_corrupt = False
        self._power_failed = False
        self._has_input = True  # that the guard has not seen
        self._has_more = False  # an entry was published, and another may be due
        self._unsent = 0

    @property
    def must_end(self) -> bool:
        """Whether what had its effect is on its way to flash: the work must be driven on."""
        return self._keeping.must_end

    # The start

    def boot(self, now: "Now", power_failed: bool = False, relay_sensed: "bool | None" = None) -> None:
        """Go on where the journal and the store end. Nothing is decided yet and the relay is not moved."""
        self._power_failed = power_failed
        self.recorder.trusted_ms = now.uptime_ms
        self.log = OwnLog(self._identity, self.trust.community, self._journal, self._store)
        self.checkpoint.restore(self.log)
        self._keeping.attempt(self.checkpoint.count_boot, self.log)
        self.log.boot = self.checkpoint.boot
        self.inbox.not_before_s = self.checkpoint.not_before_s
        self.sealer.restore(self.log, self.checkpoint.boot)
        generation, floor_wh = self.checkpoint.replay(self.log, self.sealer)
        self.recorder.restore(generation, floor_wh)
        self.checkpoint.settle()
        missing = self._journal.missing[:]
        self._keeping.attempt(self.log.drop_broken)
        count = self._keeping.count
        parts = (self.events, self.recorder, self.trader, self.usage)
        self._publisher = Publisher(self.log, self.sealer, *parts, count, self._keeping.whole_steps)
        self._retention = Retention(self._journal, self.log, self.trust, count)
        steps.finish(self._keeping.attempt_steps(self._begin_log_steps()))
        # An older state's memory is none, but what was saved since that was found is: a log without a host stays in
        # doubt for long, and no reset is to renew the guard's budgets.
        saved: Any = self._store.load(GUARD)
        if saved is not None or self.log.is_state_old or GUARD in self._store.corrupt:
            is_list = isinstance(saved, list) and saved
            is_current = is_list and (not self.log.is_state_old or saved[-1] == self.log.next_sequence)
            saved = saved[:-1] if is_current else "lost"
        self.guard = Guard(self.policies.current(), saved, relay_sensed, self._draw)
        self._note_boot(power_failed, missing)

    def _note_boot(self, power_failed: bool, missing: "list[tuple[int, int]]") -> None:
        self.events.note(event_codes.BOOT, {"detail": self.checkpoint.boot, "registers": self.recorder.totals()})
        if power_failed:
            self.events.note(event_codes.POWER_FAILURE, {})
            self.recorder.intervals.mark(readings.POWER_FAILURE)
        lost = self.checkpoint.lost + ["journal %d-%d" % (first, after - 1) for first, after in missing]
        lost += [sealer.NAME] if self.sealer.lost else []
        if [name for name in lost if name in checkpoint.RECEIVED]:
            self.inbox.forget()
        if lost:
            self.state_corrupt = bool(self.checkpoint.lost)
            self.events.note(event_codes.STATE_CORRUPT, {"text": " ".join(lost)[:_MAX_TEXT]})

    def rest_relay(self, rest_ms: int) -> None:
        """After boot: closings that the chip did not survive have the relay rest for so long."""
        if rest_ms:
            self.guard.rest(rest_ms)
            self.events.note(event_codes.POWER_FAILURE, {"text": "while the relay closed", "detail": rest_ms // 1000})

    def _begin_log_steps(self) -> "Generator[None, None, None]":
        """As the newest certificate has it: at first, or where a new generation is to begin."""
        own = self.trust.author(self.kid)
        ended = (self.log.generation, self.log.next_sequence)
        has_ended = own is not None and (yield from self.log.open_steps(own["generation"], own["id"]))
        if has_ended:
            self.events.note(event_codes.STATE_CORRUPT, {"text": "log %d ended at %d" % ended})
            self.recorder.opened = 0  # nothing in the new log shows the register generation yet
            self.recorder.note_generation()
            yield from self.checkpoint.keep_trade_steps()
            yield from self.checkpoint.keep_usage_steps()

    # What comes in

    def measure_steps(self, now: "Now", measurement: "Measurement") -> "Generator[None, None, None]":
        """A measurement that ends now, with what follows from it: it must not be closed before its end."""
        self._has_input = True
        yield from self._keeping.whole_steps(self._measure_steps(now, measurement))

    def _measure_steps(self, now: "Now", measurement: "Measurement") -> "Generator[None, None, None]":
        crossed = yield from self.recorder.measure_steps(now, measurement)
        yield from self._end_steps(crossed)

    def _end_steps(self, crossed: "Boundaries") -> "Generator[None, None, None]":
        """At each boundary consumption is allotted, and stored before it is published."""
        if self.recorder.rebased:
            yield
            self.usage.rebase(*self.recorder.rebased)
            self.recorder.rebased = None
            yield
            yield from self.recorder.checkpoint_steps()
            yield
            yield from self.checkpoint.keep_usage_steps()
        if not crossed:
            return
        for boundary_s, import_wh in crossed:
            yield
            more = self.usage.overflow(boundary_s, import_wh)
            self.usage.end_step(boundary_s, import_wh)
            self.usage.begin(more, boundary_s, import_wh)
        yield
        yield from self.recorder.checkpoint_steps()
        yield
        if self.usage.in_use():
            yield from self.checkpoint.keep_usage_steps()
        yield from self.checkpoint.keep_up_steps()

    def receive_steps(self, now: "Now", data: bytes) -> "Generator[None, None, None]":
        """A datagram from anywhere, giving way while a signature is verified; raises nothing. What is not accepted is
        counted by its reason in `rejected`."""
        reason = yield from self._keeping.attempt_steps(self._receive_steps(now, data))
        if reason:
            self._keeping.count(reason)
        self._has_input = True

    def _receive_steps(self, now: "Now", data: bytes) -> "Generator[None, None, str | None]":
        try:
            kind, body = datagram.decode(data, self.trust.community)
        except datagram.DatagramError as error:
            return str(error)
        yield
        # By any datagram, lest the first grant is late.
        if now.unix_s is not None and now.unix_s < self.inbox.not_before_s:
            self.inbox.not_before_s = self.checkpoint.lower_time(now.unix_s)
        if kind == datagram.HEAD:
            if body[0] != self.kid:
                return reasons.NOT_FOR_THIS_METER
            self._host.receive(now.uptime_ms)
            self.log.on_head(body[1], body[2])
            reason = self.outbox.on_head(body[1], body[2], self.log.generation, now.uptime_ms)
            yield
            yield from self._send_steps(now)
            return reason
        if kind != datagram.INBOX:
            return reasons.UNEXPECTED_TYPE
        self._host.receive(now.uptime_ms)
        reason = yield from self._receive_inbox_steps(now, body)
        return reason

    def _receive_inbox_steps(self, now: "Now", body: "list[Any]") -> "Generator[None, None, str | None]":
        reason = self.inbox.admit(body)
        if reason:
            if reason == reasons.INBOX_GAP:
                self._host.hasten_digest(now.uptime_ms + _GAP_MS)
            return reason
        is_other = body[0] != self.inbox.id
        verdict = yield from self.inbox.apply_steps(body[3], now.unix_s, is_other)
        result = yield from self._keeping.whole_steps(self._applied_steps(now, body, is_other, verdict))
        return result

    def _applied_steps(
        self, now: "Now", body: "list[Any]", is_other: bool, verdict: "Verdict"
    ) -> "Generator[None, None, str | None]":
        """What was applied is stored, and then the inbox moves; the digest that names its cursor waits for the rest of
        a batch."""
        yield
        yield from self._begin_log_steps()
        if self.inbox.changed:  # by this entry, or when it came before and flash failed
            yield
            yield from self.checkpoint.keep_trade_steps()
            yield
            yield from self.checkpoint.keep_usage_steps()
            self.inbox.changed = False
        yield
        if is_other and not verdict.proven:
            return verdict.reason or reasons.INBOX_NOT_PROVEN
        is_early = verdict.reason == reasons.CERTIFICATE_EXPIRED and self.trust.is_early  # it waits for a better clock
        if verdict.moves or (not is_early and self.inbox.count_repeat(ids.sha256(body[3]))):
            yield from self.inbox.move_steps(body[0], body[2], verdict.receipt)
            self._host.hasten_digest(now.uptime_ms + _BATCH_MS)
        return verdict.reason

    # What is decided

    def catch_up_steps(self, now: "Now") -> "Generator[None, None, None]":
        """Before `decide_steps`: what the time alone brings is counted and stored, and so is a generation that was
        ordered to begin."""
        self.recorder.begin_generation(self.policies.register_generation)
        yield from self._keeping.whole_steps(self._end_steps(self.recorder.idle(now)))
        yield from self._keeping.attempt_steps(self.recorder.keep_up_steps(now))
        if self.policies.changed is not None:
            yield
            self.guard.adopt(self.policies.changed)
            self.policies.changed = None

    def inputs(self, now: "Now") -> Inputs:
        """What the meter itself knows for the guard; contacts, faults and buttons are the caller's to add."""
        recorder, import_wh = self.recorder, self.recorder.import_wh
        if now.unix_s is not None:
            self.usage.follow_clock(now.unix_s)
        inputs = Inputs(now.uptime_ms, now.unix_s, None, self.usage.guard_grants(now.unix_s, import_wh))
        if recorder.bank.generation:
            inputs.import_wh = import_wh
            inputs.register_generation = recorder.bank.generation
        # A hold goes on over a reset until the source is trusted: else each reset would renew its budget.
        is_silent = self.guard.memory.hold_spent_ms > 0 and not recorder.is_trusted
        inputs.sensor_dead = is_silent or recorder.is_dead(now.uptime_ms)
        inputs.operator_open_at_s = self.policies.operator_open_at_s
        inputs.state_corrupt = self.state_corrupt
        inputs.power_failed = self._power_failed
        return inputs

    def decide_steps(self, now: "Now", inputs: Inputs) -> "Generator[None, None, Decision]":
        """The guard's decision, which the caller carries out at once. To be called when something came in, and at
        next_tick_ms at the latest; then `work_steps`. Gives way only while the guard's memory is stored."""
        decision = self.guard.decide(inputs)
        begins = decision.closed and self.usage.begin(decision.contract, now.unix_s, self.recorder.import_wh)
        if decision.save or begins:
            if not (yield from self._keeping.whole_steps(self._save_steps(begins))):
                self.guard.mark = None  # flash did not take it: the next decision has it saved again
        self.events.note_decision(decision, now, self.recorder.totals)
        self.decision = decision
        self._has_input = self._has_more = False
        return decision

    def _save_steps(self, begins: bool) -> "Generator[None, None, bool]":
        """The guard's memory, and a use that begins, under registers at or above those with which it does."""
        doubt = self.log.next_sequence if self.log.is_state_old else -1
        yield from self._store.save_steps(GUARD, self.guard.saved() + [doubt])
        yield
        if begins:
            yield from self.recorder.cover_steps(self.recorder.totals())
            yield from self.checkpoint.keep_usage_steps()
        return True

    def next_tick_ms(self, now: "Now") -> int:
        """Uptime at which the guard is to decide again, if nothing comes in before."""
        if self.decision is None or self.decision.operate or self._has_input or self._has_more:
            return now.uptime_ms
        host_ms = max(now.uptime_ms, self._host.next_at_ms(self.log.is_begun))
        return min(now.uptime_ms + TICK_MS, self.decision.next_at_ms, host_ms)

    # What goes out

    def work_steps(self, now: "Now") -> "Generator[None, None, bool]":
        """Where the relay is not operated: publish the entry that is due first, or use a receipt, and send.
        Gives way while it signs or verifies, once at the most, so that the guard decides again. Whether an entry was
        published, and another may be due."""
        decision = self.decision
        if decision is None or decision.operate:
            return False
        yield from self._keeping.attempt_steps(self._publish_and_send_steps(now))
        return self._has_more

    def _publish_and_send_steps(self, now: "Now") -> "Generator[None, None, None]":
        self._has_more = yield from self._publisher.publish_steps(now, self._host.is_seen(now.uptime_ms))
        self._unsent += 1
        if not self._has_more:
            yield from self._use_receipt_steps(now)
        if not self._has_more or self._unsent >= _UNSENT:
            yield
            yield from self._send_steps(now)

    def _use_receipt_steps(self, now: "Now") -> "Generator[None, None, None]":
        """Free what a host has signed for, and look at the ledger that it has signed."""
        watch = self.inbox.ledger_watch
        is_watch_due = watch.is_due(now.unix_s)
        if not (self.inbox.has_receipt and (is_watch_due or self._retention.freed(self._journal.next_sequence))):
            return
        receipt = self._store.load(inbox.RECEIPT)
        yield
        new = (yield from self._retention.verify_steps(receipt)) if isinstance(receipt, bytes) else None
        self.inbox.has_receipt = False
        if new is None:
            return
        if is_watch_due and now.unix_s is not None:
            yield from watch.apply_steps(new, now.unix_s)
        before = self._retention.freed(new.body["sequence"])
        if before is not None:
            yield from self.checkpoint.prune_steps(before)
            self.log.full = False

    def _send_steps(self, now: "Now") -> "Generator[None, None, None]":
        self._unsent = 0
        if not self.log.is_begun:
            proof = enrolment.proof(self._identity.code, self.trust.community, self._identity.public_key)
            self.outbox.enrol(now.uptime_ms, self._identity.public_key, proof)
            yield
        yield from self.outbox.send_steps(now.uptime_ms, self.log.claim())

    def registers(self) -> "dict[int, int]":
        """Register id -> whole Wh."""
        return self.recorder.bank.snapshot()
