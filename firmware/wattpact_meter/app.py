"""The application: a board's drivers and the meter's core, joined by a few tasks.

    sample    what the source measured        -> what waits for the core
    network   datagrams, both ways            <-> what waits for the core
    tick      the core: what waited, the guard's decision -> the relay, one entry; feeds the watchdog
    status    a line now and then             -> the board's console

A task is a step without waiting, called again after as many ms as it returns. Those of the core and of the status are
generators, and the others get their turn whenever one gives way. What always holds: only the core's task changes the
core, and while it is at work all that comes waits (`waiting`); an exception in a step is reported and counted, and the
step is called again; where one but the network's fails FAILURES times running the meter restarts, and at once where the
core published what its parts do not know of: they read it at the start. Its watchdog is fed only while every task runs.
Nothing here decides; time, randomness and I/O come from the board.
"""

import asyncio
import gc
import sys

from wattpact_protocol.sync import enrolment

from wattpact_meter import status
from wattpact_meter.control.faults import Faults
from wattpact_meter.control.relay import Relay
from wattpact_meter.core.backlog import Backlog
from wattpact_meter.core.boot import start
from wattpact_meter.log.identity import Identity
from wattpact_meter.storage.journal import Journal
from wattpact_meter.storage.store import Store, settle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from wattpact_meter.clock import Now

    Step = Callable[["Now"], int | Generator[None, None, int]]

FAILURES = 10
RETRY_MS = 1_000
STUCK_MS = 30_000  # a task that did not run for so long is stuck
TICK_MS = 20
_NETWORK_MS = 20
_STATUS_MS = 3_000
_LIGHT_ROUNDS = 16  # without a signature, whose garbage may wait
_ROOMY_ROUNDS = 8 * _LIGHT_ROUNDS  # where there is room for the garbage of many signatures
_TIGHT_BYTES = 256 * 1024  # free after the start; with less, garbage is collected within a signature too
_TIGHT_STEPS = 24  # of a signature: with its longest they leave less than a chip's threshold (boards/esp32/boot.py)
_ROOMY_STEPS = 256  # leave so little that to search it for free memory is short

_COLLECTS = sys.implementation.name == "micropython"  # where garbage stops everything while it is collected


class App:
    """App(board): opens the flash and boots the core; raises what they raise.

    A board has: flash (a folder), journal_bytes, settings, source, relay, network, power_failed, and the functions
    now(), urandom(n), draw(n), sense(inputs), feed(), report(event), report_error(where, error) and the coroutine
    sleep_ms(n). sense puts contacts, faults and buttons into the guard's inputs.
    """

    def __init__(self, board: "Any") -> None:
        self.board = board
        store = Store(board.flash + "/state")
        self.journal = Journal(board.flash + "/journal", limit_bytes=board.journal_bytes)
        self.identity = Identity(store, board.urandom)
        if self.identity.is_new:
            settle(board.flash, board.flash + "/state", board.flash + "/journal")
        self.errors: dict[str, int] = {}
        self.restarting = False
        self._running = True
        self.waiting = Backlog()
        self._has_input = True  # that the guard has not seen
        self._urgent = False  # something came that the core must not finish its work before
        self._has_received = False  # the core's last work was to receive
        self._closed: bool | None = None
        self._reason = ""
        self._light_rounds = 0
        self._steps = 0  # since garbage was collected
        now = board.now()
        self.relay = Relay(board.relay, store, now.uptime_ms)
        self._faults = Faults(board.settings.rated_w)
        self._ran: dict[str, int] = {}
        parts = (self.identity, self.journal, store, board.settings)
        self.meter = start(parts, board.draw, board.urandom, now, board.power_failed, self.relay.sensed())
        self.meter.rest_relay(self.relay.rest_ms)
        self._is_tight = False
        if _COLLECTS:
            gc.collect()
            self._is_tight = gc.mem_free() < _TIGHT_BYTES  # type: ignore[attr-defined]
        self._report("started", now, {
            "public_key": self.identity.public_key.hex(), "kid": self.identity.kid.hex(),
            "code": enrolment.format_code(self.identity.code), "next_sequence": self.journal.next_sequence,
        })  # fmt: skip

    async def run(self) -> bool:
        """Until `stop`, or until the meter must restart: whether it must."""
        tasks: list[tuple[str, Step]] = [
            ("sample", self.sample), ("network", self.exchange), ("tick", self.tick_steps),
            ("status", self.report_status_steps),
        ]  # fmt: skip
        try:
            await asyncio.gather(*[self._repeat(name, step) for name, step in tasks])
        finally:
            self.journal.close()
        return self.restarting

    def stop(self) -> None:
        """End every task at its next step."""
        self._running = False

    async def _repeat(self, name: str, step: "Step") -> None:
        failures = 0
        while self._running:
            now = self.board.now()
            self._ran[name] = now.uptime_ms
            try:
                pause_ms = step(now)
                if not isinstance(pause_ms, int):
                    pause_ms = await self._drive(pause_ms)
                failures = 0
            except Exception as error:
                failures += 1
                pause_ms = RETRY_MS
                self._note(name, error)
                is_torn = name == "tick" and self.meter.log.untold  # or it would be published twice
                if is_torn or (failures >= FAILURES and name != "network"):  # a radio that fails restarts nothing
                    self.restarting = True
                    self.stop()
            await self.board.sleep_ms(pause_ms)

    async def _drive(self, work: "Generator[None, None, int]") -> int:
        """Do the work while others take turns; it is given up, and begun anew later, where something is urgent, but
        not before what had its effect is in flash."""
        try:
            while True:
                next(work)
                await self.board.sleep_ms(0)
                if self._must_collect():
                    gc.collect()
                    await self.board.sleep_ms(0)
                if (self._urgent or not self._running) and not self.meter.must_end:
                    return 0
        except StopIteration as done:
            return int(done.value)
        finally:
            work.close()

    def _must_collect(self) -> bool:
        """After a step: whether those since the last collection may have left too little memory, or much to search."""
        self._steps += 1
        if self._steps < (_TIGHT_STEPS if self._is_tight else _ROOMY_STEPS):
            return False
        self._steps = 0
        return _COLLECTS or self._is_tight

    def _note(self, name: str, error: Exception) -> None:
        self.errors[name] = self.errors.get(name, 0) + 1
        if isinstance(error, MemoryError):
            gc.collect()
        self.board.report_error(name, error)

    # The steps

    def sample(self, now: "Now") -> int:
        """What the source has measured."""
        measurements = self.board.source.read(now.uptime_ms * 1000)
        for measurement in measurements:
            self.waiting.add(now, measurement)
        if self._faults.follow(measurements):
            self._urgent = True
        if measurements:
            self._has_input = True
        return int(self.board.source.pause_ms)

    def exchange(self, now: "Now") -> int:
        """Receive datagrams while there is room, and send what is due."""
        network = self.board.network
        while self.waiting.has_room:
            data = network.receive()
            if data is None:
                break
            self.waiting.datagrams.append(data)
        for data in self.meter.pop_datagrams():
            network.send(data)
        return _NETWORK_MS

    def tick_steps(self, now: "Now") -> "Generator[None, None, int]":
        """One round of the core: what was measured, then the guard's decision when something came or is due, then
        receiving or publishing in turns, each with one signature at the most: so long the guard may have to wait."""
        self._urgent = False
        came = len(self.waiting.datagrams)
        yield from self.waiting.apply_steps(self.meter)
        is_due = self._has_input or now.uptime_ms >= self.meter.next_tick_ms(now)
        if is_due:
            yield from self.meter.catch_up_steps(now)
            yield
            self._has_input = False
            yield from self._decide_steps(now)
            yield
        if not [name for name, ran_ms in self._ran.items() if now.uptime_ms - ran_ms > STUCK_MS]:
            self.board.feed()
        yield
        self._has_received = came > 0 and not self._has_received
        has_more = False
        if self._has_received:
            yield from self._receive_steps(now, came)
        elif is_due:
            has_more = yield from self.meter.work_steps(now)
        yield from self._tidy_steps(self._has_received or has_more)
        return 0 if has_more or self._has_received or self.waiting.datagrams else TICK_MS

    def _tidy_steps(self, was_heavy: bool) -> "Generator[None, None, None]":
        """Collect garbage when the others just had their turn, so that memory never runs out within a step."""
        self._light_rounds += _LIGHT_ROUNDS if was_heavy else 1
        if _COLLECTS and self._light_rounds >= (_LIGHT_ROUNDS if self._is_tight else _ROOMY_ROUNDS):
            self._light_rounds = self._steps = 0
            yield
            gc.collect()
            yield

    def _receive_steps(self, now: "Now", count: int) -> "Generator[None, None, None]":
        """Apply so many datagrams, or until a signature was verified. What is given up is applied again."""
        datagrams, trust = self.waiting.datagrams, self.meter.trust
        verified = trust.verifications
        for _ in range(count):
            if trust.verifications != verified:
                break
            self._has_input = True
            data = datagrams.pop(0)
            try:
                yield from self.meter.receive_steps(now, data)
            except GeneratorExit:
                datagrams.insert(0, data)
                raise
            yield

    def _decide_steps(self, now: "Now") -> "Generator[None, None, None]":
        inputs = self.meter.inputs(now)
        yield
        self.board.sense(inputs)
        inputs.over_current = self._faults.over_current
        inputs.sensed_closed = self.relay.sensed()
        decision = yield from self.meter.decide_steps(now, inputs)
        self.relay.apply(decision, now.uptime_ms)
        if decision.closed != self._closed or decision.reason != self._reason:
            self._closed, self._reason = decision.closed, decision.reason
            contract = decision.contract.hex() if decision.contract else None
            self._report("relay", now, {"closed": decision.closed, "reason": decision.reason, "contract": contract})

    def report_status_steps(self, now: "Now") -> "Generator[None, None, int]":
        """Report how the meter is, giving way before it is written."""
        shown = self.status()
        yield
        self._report("status", now, shown)
        return _STATUS_MS

    def status(self) -> "dict[str, Any]":
        """How the core is, and the edges around it."""
        shown = status.of(self.meter)
        shown["next_sequence"] = self.journal.next_sequence
        shown["operations"] = self.relay.operations
        shown["source_rejected"] = self.board.source.rejected
        shown["unsent"] = self.board.network.failed
        shown["errors"] = self.errors
        return shown

    def _report(self, event: str, now: "Now", fields: "dict[str, Any]") -> None:
        fields.update({"event": event, "uptime_ms": now.uptime_ms, "unix_s": now.unix_s})
        self.board.report(fields)
