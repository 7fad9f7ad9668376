"""The meter's core: what was measured, what came over the link and the time go in; signed entries, datagrams and the
guard's decisions come out. No I/O but the journal and the store, no clock, no randomness of its own.

What always holds: what this meter says is in its journal, and the registers in it under a checkpoint, before anyone
sees it; what it heard has had its effect in flash before the inbox moves; so that after a restart at any moment it says
nothing twice and forgets nothing. It goes on alike with and without a host. Rules: docs/spec/meter.md.
"""

from wattpact_protocol import bodies, datagram, ed25519, enrolment, entry, readings
from wattpact_protocol.guard import Guard, Inputs

from wattpact_meter import keeping, link
from wattpact_meter.book import Book
from wattpact_meter.hearing import Hearing
from wattpact_meter.journal import JournalError
from wattpact_meter.ownlog import OwnLog
from wattpact_meter.policies import Policies
from wattpact_meter.recorder import Recorder
from wattpact_meter.speaking import Speaker
from wattpact_meter.state import StateError
from wattpact_meter.trust import Trust
from wattpact_meter.usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from wattpact_protocol.guard import Decision

    from wattpact_meter.clock import Now
    from wattpact_meter.identity import Identity
    from wattpact_meter.journal import Journal
    from wattpact_meter.settings import Settings
    from wattpact_meter.state import Store
    from wattpact_meter.telegram import Telegram

    Boundaries = list[tuple[int, int]]

GUARD = "guard"
TICK_MS = 1_000
KEEP_ENTRIES = 256
PRUNE_STEP = 32
MAX_DATAGRAMS = 48


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
    """Meter(identity, journal, store, settings, draw), then boot once; draw(n) is a random number below n."""

    def __init__(
        self,
        identity: "Identity",
        journal: "Journal",
        store: "Store",
        settings: "Settings",
        draw: "Callable[[int], int]",
        verifier: "Callable[[bytes, bytes, bytes], bool]" = ed25519.verify,
    ) -> None:
        self.kid = identity.kid
        self._identity = identity
        self._journal = journal
        self._store = store
        self._draw = draw
        self.rejected: dict[str, int] = {}
        self.trust = Trust(settings.root_public_key, store, verifier)
        self.policies = Policies(store, self.kid)
        self.recorder = Recorder(
            store, self.kid.hex(), settings.rated_w, settings.step_s, settings.intervals, settings.calibration_id
        )
        self.book = Book(self.kid, settings.step_s)
        self.usage = Usage()
        self.link = link.Link(self.kid, self.trust.community, journal, store)
        self.hearing = Hearing(self.kid, self.trust, self.book, self.usage, self.policies)
        self.decision: Decision | None = None
        self.keeper = keeping.Keeper(store, journal, self.book, self.usage, self.recorder)
        self.state_corrupt = False
        self._power_failed = False
        self._due = True
        self._datagrams: list[bytes] = []

    # The start

    def boot(self, now: "Now", power_failed: bool = False, relay_sensed: "bool | None" = None) -> None:
        """Take up where the journal and the store end. Nothing is decided yet and the relay is not moved."""
        self._power_failed = power_failed
        self.keeper.restore(self.trust.community)
        self.hearing.not_before_s = self.keeper.not_before_s
        self.log = OwnLog(self._identity, self.trust.community, self._journal, self.keeper.boot)
        generation, floor_wh = self.keeper.replay(self.log)
        self.recorder.restore(generation, floor_wh)
        self.keeper.settle()
        self.speaker = Speaker(self.log, self.recorder, self.book, self.usage)
        self._open_log()
        saved = "lost" if GUARD in self._store.corrupt else self._store.load(GUARD)
        self.guard = Guard(self.policies.current(), saved, relay_sensed, self._draw)
        self._note_boot(power_failed)

    def _note_boot(self, power_failed: bool) -> None:
        self.speaker.note(bodies.EVENT_BOOT, {"detail": self.keeper.boot, "registers": self.recorder.totals()})
        if power_failed:
            self.speaker.note(bodies.EVENT_POWER_FAILURE, {})
            self.recorder.intervals.mark(readings.POWER_FAILURE)
        lost = self.keeper.lost + (["journal"] if self._journal.corrupt else [])
        if [name for name in lost if name in keeping.HEARD]:
            self.link.forget_inbox()
        if lost:
            self.state_corrupt = bool(self.keeper.lost)
            self.speaker.note(bodies.EVENT_STATE_CORRUPT, {"text": " ".join(lost)})

    def _open_log(self) -> None:
        own = None if self.log.is_open else self.trust.author(self.kid)
        if own is not None:
            self.log.open(own["generation"], own["id"])

    # What is told

    def on_power(
        self, now: "Now", active_mw: int, duration_us: int, instantaneous: "dict[int, int]", faults: int
    ) -> None:
        """Mean active power, import positive, over the duration that ends now; faults are a reading's quality bits."""
        crossed = self.recorder.measure(now, active_mw, duration_us, instantaneous, faults)
        self._keep(self._end_steps, crossed)
        self._due = True

    def on_telegram(self, now: "Now", telegram: "Telegram") -> None:
        """What a meter with registers of its own says."""
        self._keep(self._end_steps, self.recorder.adopt(now, telegram))
        self._due = True

    def _keep(self, action: "Callable[..., None]", *arguments: "Any") -> None:
        """Do what writes to flash; a flash that fails stops neither registers nor guard, and is counted."""
        try:
            action(*arguments)
        except (StateError, JournalError):
            self._count("flash_failed")

    def _count(self, reason: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1

    def _end_steps(self, crossed: "Boundaries") -> None:
        """At each boundary consumption is allotted, and kept before it is said."""
        if self.recorder.rebased:
            self.usage.rebase(*self.recorder.rebased)
            self.recorder.rebased = None
            self.recorder.checkpoint()
            self.keeper.keep_usage()
        if not crossed:
            return
        for boundary_s, import_wh in crossed:
            self.speaker.overflow = self.usage.overflow(boundary_s, import_wh) or self.speaker.overflow
            self.usage.end_step(boundary_s, import_wh)
        self.recorder.checkpoint()
        if self.usage.in_use():
            self.keeper.keep_usage()
        self.keeper.keep_up()

    def on_datagram(self, now: "Now", data: bytes) -> None:
        """A datagram from anywhere; never raises. What is not taken is counted by its reason in `rejected`."""
        self._keep(self._take, now, data)
        self._due = True

    def _take(self, now: "Now", data: bytes) -> None:
        reason = self._hear(now, data)
        if reason:
            self._count(reason)

    def _hear(self, now: "Now", data: bytes) -> "str | None":
        try:
            kind, body = datagram.decode(data, self.trust.community)
        except datagram.DatagramError as error:
            return str(error)
        if kind == datagram.HEAD:
            if body[0] != self.kid:
                return "other_meter"
            self.link.hear(now.uptime_ms)
            reason = self.link.on_head(body[1], body[2], self.log.generation, now.uptime_ms)
            self._send(now)
            return reason
        if kind != datagram.INBOX:
            return "unexpected_type"
        self.link.hear(now.uptime_ms)
        return self._take_inbox(now, body)

    def _take_inbox(self, now: "Now", body: "list[Any]") -> "str | None":
        inbox, after, cursor, raw = body
        reason = self.link.judge_inbox(inbox, after, cursor)
        if reason:
            if reason == link.GAP:
                self.link.tell_cursor(now.uptime_ms, link.GAP_MS)
            return reason
        is_other = inbox != self.link.inbox
        verdict = self.hearing.hear(raw, now.unix_s, is_other)
        self._open_log()
        if verdict.changed:
            self.keeper.keep_book()
            self.keeper.keep_usage()
        if is_other and not verdict.proven:
            return verdict.reason or link.NOT_PROVEN
        if verdict.moves or self.link.insists_on(entry.sha256(raw)):
            self.link.receipt = verdict.receipt or self.link.receipt
            self.link.move(inbox, cursor)
            self.link.tell_cursor(now.uptime_ms)
        return verdict.reason

    # What is decided

    def tick(self, now: "Now", around: "Surroundings | None" = None) -> "Decision":
        """The guard's decision, which the caller carries out at once; then, while nothing is to be done, what is due is
        said and sent. To be called when something was told, and at next_tick_ms at the latest."""
        self._due = False
        self._keep(self._end_steps, self.recorder.idle(now))
        self._keep(self.recorder.keep_up, now)
        if self.policies.is_changed:
            self.guard.adopt(self.policies.take_change())
        decision = self.guard.decide(self._inputs(now, around or Surroundings()))
        if decision.save:
            self._keep(self._store.save, GUARD, self.guard.saved())
        self.speaker.note_decision(decision, now)
        self.decision = decision
        if decision.operate:
            self._due = True
            return decision
        self._keep(self._work, now, decision)
        return decision

    def _work(self, now: "Now", decision: "Decision") -> None:
        self._due = self.speaker.speak(now, decision, self.link.is_heard(now.uptime_ms))
        self._prune()
        self._send(now)

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

    def _send(self, now: "Now") -> None:
        is_enrolled = self.log.is_open
        if not is_enrolled:
            proof = enrolment.proof(self._identity.code, self.trust.community, self._identity.public_key)
            self._datagrams += self.link.enrol(now.uptime_ms, self._identity.public_key, proof)
        self._datagrams += self.link.poll(now.uptime_ms, self.log.generation, is_enrolled)
        if len(self._datagrams) > MAX_DATAGRAMS:
            del self._datagrams[: len(self._datagrams) - MAX_DATAGRAMS]

    def take_datagrams(self) -> "list[bytes]":
        """What is to be sent to the host now."""
        datagrams, self._datagrams = self._datagrams, []
        return datagrams

    def next_tick_ms(self, now: "Now") -> int:
        """Uptime at which tick is due, if nothing is told before."""
        if self._due or self.decision is None:
            return now.uptime_ms
        link_ms = max(now.uptime_ms, self.link.next_at_ms(self.log.is_open))
        return min(now.uptime_ms + TICK_MS, self.decision.next_at_ms, link_ms)

    def _prune(self) -> None:
        """Free what a host has signed for, once that is worth a verification, and keep the newest entries."""
        journal, raw = self._journal, self.link.receipt
        keep = 0 if self.log.full else KEEP_ENTRIES
        if raw is None or journal.next_sequence - journal.first < keep + PRUNE_STEP:
            return
        self.link.receipt = None
        sequence = self._receipted(raw)
        if sequence is None:
            return
        before = min(sequence + 1, journal.next_sequence - keep)
        if before > journal.first:
            self.keeper.prune(before)
            self.log.full = False

    def _receipted(self, raw: bytes) -> "int | None":
        """The sequence that a receipt signs for, where it is a host's and names this log's own entry."""
        try:
            new = entry.decode(raw, self.trust.community)
        except entry.EntryError:
            return None
        body = new.body
        own = self.log.read(body["sequence"]) if body["generation"] == self.log.generation else None
        reason = self.trust.check(new, None) if own is not None and own.id == body["head"] else "wrong_head"
        if reason:
            self._count(reason)
            return None
        return int(body["sequence"])

    def registers(self) -> "dict[int, int]":
        """Register id -> whole Wh."""
        return self.recorder.bank.snapshot()
