"""The meter's core: what was measured, what came over the link and the time go in; signed entries, datagrams and the
guard's decisions come out. No I/O but the journal and the store, no clock, no randomness of its own.

What always holds: what this meter says is in its journal, and the registers in it under a checkpoint, before anyone
sees it; what it heard has had its effect in flash before the inbox moves; so that after a restart at any moment it says
nothing twice and forgets nothing. It goes on alike with and without a host. Rules: docs/spec/meter.md.

What signs, verifies or keeps is a generator that gives way (`on_power_steps`, `receive_steps`, `catch_up_steps`,
`work_steps`). Until one of these has ended or was closed nothing else of the meter may be called. It may be closed
early, except while `is_keeping`: it has said nothing then, and heard nothing.
"""

from wattpact_protocol import steps
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.guard.guard import Guard, Inputs
from wattpact_protocol.log import entry, event_codes, ids, readings, reasons
from wattpact_protocol.sync import datagram, enrolment

from wattpact_meter.control.policies import Policies
from wattpact_meter.core import checkpoint
from wattpact_meter.log import sealer
from wattpact_meter.log.own_log import OwnLog
from wattpact_meter.log.publisher import Publisher
from wattpact_meter.log.trust import Trust
from wattpact_meter.metering.recorder import Recorder
from wattpact_meter.storage.journal import JournalError
from wattpact_meter.storage.store import StateError
from wattpact_meter.sync import outbox
from wattpact_meter.sync.inbox import Inbox
from wattpact_meter.trade.trader import Trader
from wattpact_meter.trade.usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, TypeVar

    from wattpact_protocol.guard.guard import Decision

    from wattpact_meter.clock import Now
    from wattpact_meter.log.identity import Identity
    from wattpact_meter.settings import Settings
    from wattpact_meter.sources.p1_telegram import Telegram
    from wattpact_meter.storage.journal import Journal
    from wattpact_meter.storage.store import Store
    from wattpact_meter.sync.inbox import Verdict

    Boundaries = list[tuple[int, int]]
    T = TypeVar("T")

GUARD = "guard"
TICK_MS = 1_000
KEEP_ENTRIES = 256
PRUNE_STEP = 32
MAX_DATAGRAMS = 48
UNSENT = 4  # entries that wait for others to be said, so that one digest tells of all of them


class Surroundings:
    """What the board sees besides energy: contacts, faults and buttons."""

    def __init__(self) -> None:
        self.sensed_closed: bool | None = None
        self.over_current = False
        self.over_temperature = False
        self.owner_open = False
        self.reset_on_site = False
        self.consent = False
        self.sensor_dead = False


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
        self.rejected: dict[str, int] = {}
        self.trust = Trust(settings.root_public_key, store, verifier_steps)
        self.sealer = sealer.Sealer(self.kid, self.trust, store, urandom)
        self.policies = Policies(store, self.kid)
        self.recorder = Recorder(
            store, self.kid.hex(), settings.rated_w, settings.step_s, settings.intervals, settings.calibration_id
        )
        self.trader = Trader(self.kid, settings.step_s)
        self.usage = Usage()
        self.link = outbox.Link(self.kid, self.trust.community, journal, store)
        self.hearing = Inbox(self.kid, self.trust, self.trader, self.usage, self.policies)
        self.decision: Decision | None = None
        self.keeper = checkpoint.Checkpoint(store, journal, self.trader, self.usage, self.recorder)
        self.state_corrupt = False
        self._power_failed = False
        self._due = True
        self._datagrams: list[bytes] = []
        self._unsent = 0
        self._must_end = False

    # The start

    def boot(self, now: "Now", power_failed: bool = False, relay_sensed: "bool | None" = None) -> None:
        """Take up where the journal and the store end. Nothing is decided yet and the relay is not moved."""
        self._power_failed = power_failed
        self.keeper.restore(self.trust.community)
        self.hearing.not_before_s = self.keeper.not_before_s
        self.log = OwnLog(self._identity, self.trust.community, self._journal, self.keeper.boot)
        self.sealer.restore(self.log, self.keeper.boot)
        generation, floor_wh = self.keeper.replay(self.log, self.sealer)
        self.recorder.restore(generation, floor_wh)
        self.keeper.settle()
        self.speaker = Publisher(self.log, self.sealer, self.recorder, self.trader, self.usage, self._count)
        self._open_log()
        saved = "lost" if GUARD in self._store.corrupt else self._store.load(GUARD)
        self.guard = Guard(self.policies.current(), saved, relay_sensed, self._draw)
        self._note_boot(power_failed)

    def _note_boot(self, power_failed: bool) -> None:
        self.speaker.note(event_codes.BOOT, {"detail": self.keeper.boot, "registers": self.recorder.totals()})
        if power_failed:
            self.speaker.note(event_codes.POWER_FAILURE, {})
            self.recorder.intervals.mark(readings.POWER_FAILURE)
        lost = self.keeper.lost + (["journal"] if self._journal.corrupt else [])
        lost += [sealer.NAME] if self.sealer.lost else []
        if [name for name in lost if name in checkpoint.HEARD]:
            self.link.forget_inbox()
        if lost:
            self.state_corrupt = bool(self.keeper.lost)
            self.speaker.note(event_codes.STATE_CORRUPT, {"text": " ".join(lost)})

    def _open_log(self) -> None:
        own = None if self.log.is_open else self.trust.author(self.kid)
        if own is not None:
            self.log.open(own["generation"], own["id"])

    # What is told

    def on_power(
        self, now: "Now", active_mw: int, duration_us: int, instantaneous: "dict[int, int]", faults: int
    ) -> None:
        """Mean active power, import positive, over the duration that ends now; faults are a reading's quality bits."""
        steps.finish(self.on_power_steps(now, active_mw, duration_us, instantaneous, faults))

    def on_power_steps(
        self, now: "Now", active_mw: int, duration_us: int, instantaneous: "dict[int, int]", faults: int
    ) -> "Generator[None, None, None]":
        """As `on_power`, giving way only while what follows is kept."""
        self._due = True
        crossed = self.recorder.measure(now, active_mw, duration_us, instantaneous, faults)
        yield from self._whole_steps(self._end_steps(crossed))

    def on_telegram(self, now: "Now", telegram: "Telegram") -> None:
        """What a meter with registers of its own says."""
        steps.finish(self.on_telegram_steps(now, telegram))

    def on_telegram_steps(self, now: "Now", telegram: "Telegram") -> "Generator[None, None, None]":
        """As `on_telegram`, giving way only while what follows is kept."""
        self._due = True
        crossed = self.recorder.adopt(now, telegram)
        yield from self._whole_steps(self._end_steps(crossed))

    @property
    def is_keeping(self) -> bool:
        """Whether what had its effect is on its way to flash: the work must be driven on."""
        return self._must_end or self._store.is_saving

    def _whole_steps(self, work: "Generator[None, None, T]") -> "Generator[None, None, T | None]":
        """As `_keep_steps`, for what follows from something that had its effect."""
        self._must_end = True
        try:
            result = yield from self._keep_steps(work)
        finally:
            self._must_end = False
        return result

    def _keep(self, action: "Callable[..., None]", *arguments: "Any") -> None:
        """Do what writes to flash; a flash that fails stops neither registers nor guard, and is counted."""
        try:
            action(*arguments)
        except (StateError, JournalError):
            self._count(reasons.FLASH_FAILED)

    def _keep_steps(self, work: "Generator[None, None, T]") -> "Generator[None, None, T | None]":
        """As `_keep`, for work in steps; a signature that was disturbed is counted too, and tried again later."""
        try:
            result = yield from work
        except (StateError, JournalError):
            self._count(reasons.FLASH_FAILED)
            return None
        except ed25519.FaultError:
            self._count(reasons.SIGNATURE_DISTURBED)
            return None
        return result

    def _count(self, reason: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1

    def _end_steps(self, crossed: "Boundaries") -> "Generator[None, None, None]":
        """At each boundary consumption is allotted, and kept before it is said."""
        if self.recorder.rebased:
            self.usage.rebase(*self.recorder.rebased)
            self.recorder.rebased = None
            yield
            self.recorder.checkpoint()
            yield
            yield from self.keeper.keep_usage_steps()
        if not crossed:
            return
        for boundary_s, import_wh in crossed:
            yield
            self.speaker.overflow = self.usage.overflow(boundary_s, import_wh) or self.speaker.overflow
            self.usage.end_step(boundary_s, import_wh)
        yield
        self.recorder.checkpoint()
        yield
        if self.usage.in_use():
            yield from self.keeper.keep_usage_steps()
        yield from self.keeper.keep_up_steps()

    def on_datagram(self, now: "Now", data: bytes) -> None:
        """A datagram from anywhere; never raises. What is not taken is counted by its reason in `rejected`."""
        steps.finish(self.receive_steps(now, data))

    def receive_steps(self, now: "Now", data: bytes) -> "Generator[None, None, None]":
        """As `on_datagram`, giving way while a signature is verified."""
        reason = yield from self._keep_steps(self._take_steps(now, data))
        if reason:
            self._count(reason)
        self._due = True

    def _take_steps(self, now: "Now", data: bytes) -> "Generator[None, None, str | None]":
        try:
            kind, body = datagram.decode(data, self.trust.community)
        except datagram.DatagramError as error:
            return str(error)
        yield
        if kind == datagram.HEAD:
            if body[0] != self.kid:
                return reasons.NOT_FOR_THIS_METER
            self.link.receive(now.uptime_ms)
            reason = self.link.on_head(body[1], body[2], self.log.generation, now.uptime_ms)
            yield
            yield from self._send_steps(now)
            return reason
        if kind != datagram.INBOX:
            return reasons.UNEXPECTED_TYPE
        self.link.receive(now.uptime_ms)
        reason = yield from self._receive_inbox_steps(now, body)
        return reason

    def _receive_inbox_steps(self, now: "Now", body: "list[Any]") -> "Generator[None, None, str | None]":
        inbox, after, cursor, raw = body
        reason = self.link.judge_inbox(inbox, after, cursor)
        if reason:
            if reason == reasons.INBOX_GAP:
                self.link.report_cursor(now.uptime_ms, outbox.GAP_MS)
            return reason
        is_other = inbox != self.link.inbox
        verdict = yield from self.hearing.receive_steps(raw, now.unix_s, is_other)
        result = yield from self._whole_steps(self._received_steps(now, body, is_other, verdict))
        return result

    def _received_steps(
        self, now: "Now", body: "list[Any]", is_other: bool, verdict: "Verdict"
    ) -> "Generator[None, None, str | None]":
        """What was heard is kept, and then the inbox moves."""
        inbox, _, cursor, raw = body
        self._open_log()
        if verdict.changed:
            yield
            yield from self.keeper.keep_trade_steps()
            yield
            yield from self.keeper.keep_usage_steps()
        yield
        if is_other and not verdict.proven:
            return verdict.reason or reasons.INBOX_NOT_PROVEN
        if verdict.moves or self.link.insists_on(ids.sha256(raw)):
            self.link.receipt = verdict.receipt or self.link.receipt
            self.link.move(inbox, cursor)
            self.link.report_cursor(now.uptime_ms)
        return verdict.reason

    # What is decided

    def tick(self, now: "Now", around: "Surroundings | None" = None) -> "Decision":
        """`catch_up_steps`, `decide` and `work_steps` in one go; the caller carries out the decision it returns."""
        steps.finish(self.catch_up_steps(now))
        decision = self.decide(now, around)
        steps.finish(self.work_steps(now))
        return decision

    def catch_up_steps(self, now: "Now") -> "Generator[None, None, None]":
        """Before `decide`: what the time alone brings is counted and kept."""
        yield from self._whole_steps(self._end_steps(self.recorder.idle(now)))
        self._keep(self.recorder.keep_up, now)
        if self.policies.is_changed:
            yield
            self.guard.adopt(self.policies.pop_change())

    def decide(self, now: "Now", around: "Surroundings | None" = None) -> "Decision":
        """`decide_steps` in one go."""
        return steps.finish(self.decide_steps(now, around))

    def decide_steps(self, now: "Now", around: "Surroundings | None" = None) -> "Generator[None, None, Decision]":
        """The guard's decision, which the caller carries out at once. To be called when something was told, and at
        next_tick_ms at the latest; then `work_steps`. Gives way only while the guard's memory is kept."""
        decision = self.guard.decide(self._inputs(now, around or Surroundings()))
        if decision.save:
            yield from self._whole_steps(self._save_guard_steps())
        self.speaker.note_decision(decision, now)
        self.decision = decision
        self._due = decision.operate
        return decision

    def _save_guard_steps(self) -> "Generator[None, None, None]":
        yield
        self._store.save(GUARD, self.guard.saved())
        yield

    def work_steps(self, now: "Now") -> "Generator[None, None, bool]":
        """Where the relay is not operated: say the entry that is due first, or free what was receipted, and send. Gives
        way while it signs or verifies, once at the most, so that the guard decides again. Whether an entry was said,
        and another may be due."""
        decision = self.decision
        if decision is None or decision.operate:
            return False
        yield from self._keep_steps(self._publish_and_send_steps(now, decision))
        return self._due

    def _publish_and_send_steps(self, now: "Now", decision: "Decision") -> "Generator[None, None, None]":
        self._due = yield from self.speaker.publish_steps(now, decision, self.link.is_seen(now.uptime_ms))
        self._unsent += 1
        if not self._due:
            yield from self._prune_steps()
        if not self._due or self._unsent >= UNSENT:
            yield
            yield from self._send_steps(now)

    def _inputs(self, now: "Now", around: Surroundings) -> Inputs:
        import_wh = self.recorder.import_wh
        inputs = Inputs(now.uptime_ms, now.unix_s, import_wh, self.usage.guard_grants(now.unix_s, import_wh))
        inputs.sensed_closed = around.sensed_closed
        inputs.over_current = around.over_current
        inputs.over_temperature = around.over_temperature
        inputs.owner_open = around.owner_open
        inputs.operator_open_at_s = self.policies.operator_open_at_s
        inputs.reset_on_site = around.reset_on_site
        inputs.consent = around.consent
        inputs.sensor_dead = around.sensor_dead
        inputs.state_corrupt = self.state_corrupt
        inputs.power_failed = self._power_failed
        return inputs

    # What is sent, and what is freed

    def _send_steps(self, now: "Now") -> "Generator[None, None, None]":
        self._unsent = 0
        is_enrolled = self.log.is_open
        if not is_enrolled:
            proof = enrolment.proof(self._identity.code, self.trust.community, self._identity.public_key)
            self._datagrams += self.link.enrol(now.uptime_ms, self._identity.public_key, proof)
            yield
        yield from self.link.poll_steps(self._datagrams, now.uptime_ms, self.log.generation, is_enrolled)
        if len(self._datagrams) > MAX_DATAGRAMS:
            del self._datagrams[: len(self._datagrams) - MAX_DATAGRAMS]

    def pop_datagrams(self) -> "list[bytes]":
        """What is to be sent to the host now."""
        datagrams = list(self._datagrams)
        self._datagrams.clear()  # the list itself: more may be on its way into it
        return datagrams

    def next_tick_ms(self, now: "Now") -> int:
        """Uptime at which tick is due, if nothing is told before."""
        if self._due or self.decision is None:
            return now.uptime_ms
        link_ms = max(now.uptime_ms, self.link.next_at_ms(self.log.is_open))
        return min(now.uptime_ms + TICK_MS, self.decision.next_at_ms, link_ms)

    def _prune_steps(self) -> "Generator[None, None, None]":
        """Free what a host has signed for, once that is worth a verification, and keep the newest entries."""
        journal, raw = self._journal, self.link.receipt
        keep = 0 if self.log.full else KEEP_ENTRIES
        if raw is None or journal.next_sequence - journal.first < keep + PRUNE_STEP:
            return
        sequence = yield from self._receipted_steps(raw)
        self.link.receipt = None
        if sequence is None:
            return
        before = min(sequence + 1, journal.next_sequence - keep)
        if before > journal.first:
            yield from self.keeper.prune_steps(before)
            self.log.full = False

    def _receipted_steps(self, raw: bytes) -> "Generator[None, None, int | None]":
        """The sequence that a receipt signs for, where it is a host's and names this log's own entry."""
        try:
            new = yield from entry.decode_steps(raw, self.trust.community)
        except entry.EntryError:
            return None
        body = new.body
        own = self.log.read(body["sequence"]) if body["generation"] == self.log.generation else None
        reason: str | None = reasons.WRONG_HEAD
        if own is not None and own.id == body["head"]:
            reason = yield from self.trust.check_steps(new, None)
        if reason:
            self._count(reason)
            return None
        return int(body["sequence"])

    def registers(self) -> "dict[int, int]":
        """Register id -> whole Wh."""
        return self.recorder.bank.snapshot()
