"""The node: one asyncio process that joins link, ingest, granting and inboxes over one store.

    datagrams -> batch -> ingest -> receipts -> registers, agreements, grants, inboxes -> datagrams, events

What always holds: everything in memory can be had again from the store, so the process may die at any moment; whatever
another program appends to the store is noticed within POLL_S, here and nowhere else. docs/architecture.md.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from wattpact_protocol.log import entry, kinds, reasons, roles

from wattpact.ingest.pipeline import STORED, Ingest, Verdict
from wattpact.keys import Signer
from wattpact.node.events import COSIGNED, ENTRIES, METERS, REJECTIONS, STOP, Events
from wattpact.node.granting import Granting
from wattpact.ordering import noted
from wattpact.ordering.clock_watch import ClockWatch
from wattpact.ordering.cosigning import Cosigning
from wattpact.ordering.writer import Orders, Writer
from wattpact.projections.follow import Projections
from wattpact.projections.unsealing import Unsealer
from wattpact.store.interface import Store
from wattpact.store.publishing import has_lost_log, publish
from wattpact.store.records import StoreError
from wattpact.sync.host_link import Link
from wattpact.sync.inboxes import Inboxes
from wattpact.sync.peer import Address, Datagrams
from wattpact.sync.udp import Edge, now_ms

if TYPE_CHECKING:
    from wattpact.quorum.engine import Quorum

_LOG = logging.getLogger("wattpact.node")

UDP_PORT = 47800
POLL_S = 0.1
TICK_S = 1.0
_THIS_MACHINE = ("127.", "::1", "::ffff:127.")

_ALL_BUT_READINGS = tuple(kind for kind in kinds.NAMES if kind != kinds.READING)


class NodeError(Exception):
    """The node cannot start; the text says why and what to do."""


class Sender(Protocol):
    """Where datagrams go: the socket's edge, or what stands for a network in virtual time."""

    def send(self, datagrams: Datagrams) -> None: ...

    def flush(self) -> None: ...


class Node:
    """`issuer` may be absent: then nothing is granted here, and of what is sealed only that for `people` is unsealed,
    whose keys are here. `clock()` gives Unix seconds, `clock_ms()` monotonic ms; `checks_clock`: nothing is ordered
    while that clock has stepped. `quorum` orders with other hosts, over the same store; without it this host alone."""

    def __init__(
        self,
        store: Store,
        root_public_key: bytes,
        host: Signer,
        issuer: Signer | None,
        clock: Callable[[], int],
        clock_ms: Callable[[], int] = now_ms,
        people: Sequence[Signer] = (),
        checks_clock: bool = False,
        quorum: "Quorum | None" = None,
    ) -> None:
        self.store = store
        self.readers = (*(() if issuer is None else (issuer,)), *people)
        self.clock = clock
        self._clock_ms = clock_ms
        self.pipeline = Ingest(store, root_public_key, clock)
        self._host = host
        self.host = host.kid
        self._issuer = issuer
        self._clock_watch = ClockWatch(clock, lambda: clock_ms() // 1000) if checks_clock else None
        problem = None if self._clock_watch is None else self._clock_watch.problem
        self._quorum = quorum
        if quorum is not None:
            quorum.clock_problem, quorum.committed = problem, self._catch_up_safely
        self.ordering: Orders = quorum or Writer(store, host, clock, problem)
        self._projections = Projections(
            store, Unsealer(store, self.readers), self.pipeline.rejections, clock, self.ordering
        )
        self.pipeline.follower = self._projections.catch_up
        self.events = Events()
        self._cosigning = Cosigning(store, clock, kept=lambda: self.events.notify(COSIGNED))
        self._edge: Sender | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._contacts = 0
        self._rebuild()
        self.link = Link(store, self.pipeline.directory, self.inbox, self._count)
        # What a key that has come since can unseal, in several transactions where it is much.
        self._projections.catch_up()
        self._catch_up()
        self._projections.settle()

    def _rebuild(self) -> None:
        self.granting = Granting(self.store, self._issuer, self.clock, self.ordering.placed)
        self.inbox = Inboxes(self.store)
        self.cursor = 0
        self._seen: tuple[int, int, bool] | None = None

    # Entries

    def ingest(self, batch: list[tuple[bytes, Address]]) -> list[Verdict]:
        """Take entries in, act on them and answer; raises StoreError, and then nothing was acknowledged."""
        addresses = [address for _, address in batch]
        verdicts = self.pipeline.ingest([raw for raw, _ in batch], [address[0] for address in addresses])
        self._note_times(verdicts, addresses)
        self._publish_receipts(verdicts)
        self.catch_up()
        if self._edge is not None:
            self._edge.send(self.link.answer(verdicts, addresses))
        return verdicts

    def _publish_receipts(self, verdicts: list[Verdict]) -> None:
        """For each meter of the batch: how far its log is durable here, and what the ledger has noted of it by now."""
        if self._quorum is not None and not self._may_sign():
            return
        last = {verdict.entry.kid: verdict.entry for verdict in verdicts if verdict.reason == STORED and verdict.entry}
        with self.store.transaction():
            for kid, new in last.items():
                author = self.pipeline.directory.get(kid)
                if author is not None and author.chained and author.certificate["role"] == roles.METER:
                    body = {"author": kid, "generation": new.generation, "sequence": new.sequence, "head": new.id}
                    body |= noted.shown_to(self.ordering.ledger, kid, new.generation)
                    publish(self.store, self._host, kinds.RECEIPT, body, self.clock())

    def _may_sign(self) -> bool:
        """Whether this host is certified, and its own log goes on from here."""
        return bool(self.store.certificates_of(self._host.kid)) and not has_lost_log(self.store, self._host)

    def _note_times(self, verdicts: list[Verdict], addresses: list[Address]) -> None:
        """What time it is elsewhere: a meter on this machine has this machine's."""
        if self._clock_watch is None:
            return
        for verdict, address in zip(verdicts, addresses, strict=True):
            new = verdict.entry
            author = None if new is None else self.pipeline.directory.get(new.kid)
            if new is None or author is None or verdict.reason != STORED or address[0].startswith(_THIS_MACHINE):
                continue
            if author.certificate["role"] == roles.METER:
                self._clock_watch.note(new.kid, new.stamp)

    def catch_up(self) -> None:
        """Apply what is new in the store, grant what is due, push it to the meters it concerns, and notify."""
        is_new = self._catch_up()
        self._projections.settle()
        if self._edge is not None:
            self._edge.send(self.link.push(self._clock_ms()))
        if is_new:
            self.events.notify(ENTRIES, self.cursor)

    def _catch_up(self) -> bool:
        """Whether there was anything new."""
        if not self._is_behind():
            return False
        changed = [] if self._quorum is None else self._quorum.take_changed()
        if changed:
            self.pipeline.directory.rebuild()
        self.pipeline.directory.refresh()
        before = self.cursor, self.ordering.ledger.size
        try:
            with self.store.transaction():
                self._projections.catch_up()
                if not self.ordering.waits and self.granting.publish_due(self.ordering.ledger.state):
                    self._projections.catch_up()
                self._apply_new(self.ordering.placed())  # what the rest amounts to depends on the order
                self._apply_late(changed)
                self.inbox.commit(self.cursor)
        except BaseException:
            self._rebuild()  # memory may be ahead of what was rolled back
            self.ordering.reset()
            self.link.follow(self.inbox)
            raise
        self._seen = self._now_at()
        return before != (self.cursor, self.ordering.ledger.size)

    def _is_behind(self) -> bool:
        is_writer_waiting = self.ordering.waits and self._quorum is None  # it looks at the clock whenever this calls it
        return is_writer_waiting or self._seen != self._now_at()

    def _now_at(self) -> tuple[int, int, bool]:
        """What, where it changes, makes something to do."""
        return self.store.last_cursor(), self.ordering.ledger.size, self.ordering.waits

    def _apply_new(self, placed: int) -> None:
        """Put the stored entries up to `placed` that are not in the inboxes yet into those they concern. After a
        restart the certificates of meters are read again, to know which there are."""
        last, now_s, known = max(self.cursor, placed), self.clock(), self.ordering.ledger.state.get
        for row in self.store.stream(self.cursor, before=self.inbox.folded + 1, of_kinds=(kinds.CERTIFICATE,)):
            self.inbox.fold(row, entry.decode(row.raw, self.store.community), known, now_s)
        after = max(self.cursor, self.inbox.folded)
        for row in self.store.stream(after, before=last + 1, of_kinds=_ALL_BUT_READINGS):
            if row.void_reason is None:
                self.inbox.fold(row, entry.decode(row.raw, self.store.community), known, now_s)
        self.cursor = last

    def _apply_late(self, cursors: Sequence[int]) -> None:
        """Entries that the ledger decided on again, ordered now: into the inboxes of those they concern."""
        now_s, known = self.clock(), self.ordering.ledger.state.get
        for cursor in cursors:
            (row,) = self.store.entries(cursor - 1, before=cursor + 1)
            if row.void_reason is None:
                self.inbox.fold(row, entry.decode(row.raw, self.store.community), known, now_s, is_late=True)

    def _count(self, reason: str, author: bytes, source: str) -> None:
        self.pipeline.rejections.count(reason, author, source, self.clock())

    def reject_access(self, source: str) -> None:
        """Count an access code from there that is not valid."""
        self._count(reasons.BAD_ACCESS_CODE, b"", source)

    # Life

    async def start(self, address: str = "0.0.0.0", port: int = UDP_PORT) -> int:
        """Open the socket and start; gives the port. Raises NodeError where it is taken."""
        loop = asyncio.get_running_loop()
        edge = Edge(self.link, self._ingest_safely, self.clock)
        try:
            self._transport, _ = await loop.create_datagram_endpoint(lambda: edge, local_addr=(address, port))
        except OSError as error:
            reason = f"{error.strerror}; choose another port"
            raise NodeError(f"cannot listen on UDP {address} port {port}: {reason}") from None
        self.join(edge)
        if self._quorum is not None:
            await self._quorum.start()
        running = (self._watch(), self._tick(), self._cosigning.run())
        self._tasks = [asyncio.create_task(one) for one in running]
        return int(self._transport.get_extra_info("sockname")[1])

    def join(self, edge: Sender) -> None:
        """Send by `edge`; whoever has it calls `link.receive`, and `ingest` with what `link.pop_batch` gives."""
        self._edge = edge

    async def stop(self) -> None:
        """Store what has arrived, end the tasks and release everything."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._edge is not None:
            self._edge.flush()
        if self._quorum is not None:
            await self._quorum.stop()
        if self._transport is not None:
            self._transport.close()
        self.events.notify(STOP)
        with _logged():
            self.ordering.forget_clock()
        self.pipeline.close()
        self.store.close()

    def _ingest_safely(self, batch: list[tuple[bytes, Address]]) -> None:
        with _logged(f"{len(batch)} entries were not acknowledged, and their meters will send them again: "):
            self.ingest(batch)

    def _catch_up_safely(self) -> None:
        """Once a block is in the store: the ledger in memory had it before, when something else may have looked."""
        self._seen = None
        with _logged():
            self.catch_up()

    async def _watch(self) -> None:
        """Notice what another program, or another part of this one, has appended to the store."""
        while True:
            await asyncio.sleep(POLL_S)
            with _logged():
                if self._is_behind():
                    self.catch_up()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            with _logged():
                if self._clock_watch is not None:
                    self.ordering.check_clock()
                if self.ordering.has_heads_due():
                    self._seen = None
                    self.catch_up()
                self._projections.settle()
                self._note_contacts()
                self._store_rejections()

    def _note_contacts(self) -> None:
        if self.link.contacts != self._contacts:
            self._contacts = self.link.contacts
            self.events.notify(METERS)

    def _store_rejections(self) -> None:
        counted = self.pipeline.rejections.drain(self.clock())
        if counted:
            self.store.count_rejections(counted)
            self.events.notify(REJECTIONS)


@contextlib.contextmanager
def _logged(consequence: str = "") -> Iterator[None]:
    """What fails, by a busy or full disk or by an error in this program, is tried again at the next turn."""
    try:
        yield
    except StoreError as error:
        _LOG.error("%s%s", consequence, error)
    except Exception:
        _LOG.exception("%sunexpected error", consequence)
