"""Ingest: entries from anyone are verified; those that pass are stored, every other is counted by reason.

    size, syntax -> known author, duplicate -> signature -> role, validity -> place in the log -> time

What always holds: nothing is stored unless its author is enrolled, its signature verifies and it is the next of its
log (a person's order: new); a batch is durable when `ingest` returns; heads in memory never run ahead of the disk.
Nothing is unsealed and no register is checked here: that is for `follower`, in the transaction that stores the entries.
docs/spec/ingest.md has the reasons and their order.
"""

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from wattpact_protocol.log import chain, entry, kinds, reasons, roles
from wattpact_protocol.log.entry import Entry

from wattpact.ingest.rejections import Rejections
from wattpact.ingest.signature_pool import Claim, Group, SignaturePool, verify
from wattpact.membership.directory import Author, Directory
from wattpact.store.interface import Store
from wattpact.store.records import Accepted, Fork, Stored

STORED = "stored"

MAX_BATCH = 256
# How far ahead of a log an entry may be and still be worth verifying, in case what is between is in the same batch
# or in the one before, which is checked after this one is decoded.
_REACH = 2 * MAX_BATCH
# Signatures go to other processes in groups of so many; a batch with fewer is not worth it.
_GROUP = 64


class Verdict(NamedTuple):
    """What became of one entry: STORED (perhaps void), or why not. `entry` is None where the bytes are none."""

    reason: str
    entry: Entry | None = None
    void_reason: str | None = None
    cursor: int = 0


_WAITING = Verdict("")


class Ingest:
    """Verifies entries and stores them, on so many cores: all there are, unless `cores` is given.

    `clock()` gives Unix seconds; close() ends the processes that help with large batches. `follower`, if set,
    is called with every batch, entries by cursor, in the transaction that stores it; what it raises, `ingest` does."""

    def __init__(
        self, store: Store, root_public_key: bytes, clock: Callable[[], int], cores: int | None = None
    ) -> None:
        self.store = store
        self.directory = Directory(store, root_public_key)
        self.rejections = Rejections()
        self.follower: Callable[[Mapping[int, Entry]], None] | None = None
        self._clock = clock
        self.verifying = SignaturePool((cores or _cores()) - 1)
        self.committer = ThreadPoolExecutor(1, thread_name_prefix="commit")

    def close(self) -> None:
        self.verifying.close()
        self.committer.shutdown()
        self.store.count_rejections(self.rejections.drain(self._clock()))

    def ingest(self, raws: Sequence[bytes], sources: "str | Sequence[str]" = "") -> list[Verdict]:
        """A verdict for each; what is STORED is durable. `sources` is where they come from, once or for each."""
        now_s = self._clock()
        self.directory.refresh()
        batches: list[_Batch] = []
        try:
            with without_collector():
                for start in range(0, len(raws), MAX_BATCH):
                    batches.append(_Batch(self, now_s, batches[-1] if batches else None))
                    batches[-1].read(raws[start : start + MAX_BATCH])
                if batches:
                    batches[-1].flush()
        except BaseException:
            self.directory.rebuild()  # memory may be ahead of what was rolled back
            raise
        verdicts = [verdict for batch in batches for verdict in batch.verdicts]
        for index, verdict in enumerate(verdicts):
            reason = verdict.void_reason if verdict.reason == STORED else verdict.reason
            if reason:
                source = sources if isinstance(sources, str) else sources[index]
                self.rejections.count(reason, verdict.entry.kid if verdict.entry else b"", source, now_s)
        return verdicts


@contextmanager
def without_collector() -> Iterator[None]:
    """Entries form no cycles, and looking for some among thousands of them costs a sixth of all but the signatures."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _cores() -> int:
    """How many this process may use, which may be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Batch:
    """One batch on its way: decoded, verified, then checked in order and stored in one transaction.

    While other processes verify it, the batch before is checked and stored; while the disk writes that, the next one
    is decoded."""

    def __init__(self, ingest: Ingest, now_s: int, before: "_Batch | None") -> None:
        self.ingest = ingest
        self.now_s = now_s
        self._before = before
        self.verdicts: list[Verdict] = []
        self._places: list[int] = []
        self._claims: list[tuple[Entry, Author]] = []
        self._group: list[Claim] = []
        self._groups: list[Group] = []

    def read(self, raws: Sequence[bytes]) -> None:
        """Decode, send the signatures away, and finish the batch before; this one waits for its own `flush`."""
        for raw in raws:
            self._add(raw)
        if self._groups and self._group:
            self._send()
        if self._before is not None:
            self._before.flush(self.ingest.committer)
            self._before = None

    def _send(self) -> None:
        self._groups.append(self.ingest.verifying.submit(self._group))
        self._group = []

    def _add(self, raw: bytes) -> None:
        """Decode and check what is cheap; the rest waits for `flush`."""
        try:
            new = entry.decode(raw, self.ingest.store.community)
        except entry.EntryError:
            self.verdicts.append(Verdict(reasons.ENTRY_MALFORMED))
            return
        author = self.ingest.directory.get(new.kid)
        reason = reasons.UNKNOWN_AUTHOR if author is None else self._cheap(author, new)
        if author is None or reason:
            self.verdicts.append(Verdict(reason or "", new))
            return
        self._places.append(len(self.verdicts))
        self._claims.append((new, author))
        self.verdicts.append(_WAITING)
        self._group.append((author.public_key, new.signed, new.signature))
        if len(self._group) == _GROUP:
            self._send()
        if new.kind == kinds.CERTIFICATE:  # those that follow may be by whom it certifies
            if self._before is not None:
                self._before.flush()
            self.flush()

    def _cheap(self, author: Author, new: Entry) -> str | None:
        """What needs no signature: nothing is claimed about the author, and nothing stored."""
        if not author.chained:
            held = self.ingest.store.order(new.kid, new.body["order_id"]) if "order_id" in new.body else None
            return reasons.DUPLICATE if held and held.id == new.id else None
        head = author.head
        if new.generation == head.generation:
            if new.sequence < head.next_sequence:
                return reasons.DUPLICATE if self._held_id(new) == new.id else None
            if new.sequence >= head.next_sequence + _REACH:
                return reasons.GAP
        return None

    def _held_id(self, new: Entry) -> bytes | None:
        held = self.ingest.store.entry_at(new.kid, new.generation, new.sequence)
        return held.id if held else None

    def flush(self, committer: Executor | None = None) -> None:
        """Check and store what waits, in one transaction; with a committer, the disk is not waited for."""
        places, claims = self._places, self._claims
        self._places, self._claims = [], []
        if not claims:
            return
        genuine = self._genuine()
        store, authors = self.ingest.store, self.ingest.directory
        with store.transaction(committer):
            before = store.last_cursor()
            if before != authors.cursor:
                authors.refresh()  # another process was here while signatures were verified
            checked = _Checked(self.ingest, before, self.now_s)
            late = []
            for index, (new, author), good in zip(places, claims, genuine, strict=True):
                verdict = checked.check(author, new) if good else Verdict(reasons.BAD_SIGNATURE, new)
                if verdict.reason == reasons.GAP:
                    late.append((new.sequence, index, new, author))
                self.verdicts[index] = verdict
            for _, index, new, author in sorted(late, key=lambda row: row[:2]):
                self.verdicts[index] = checked.check(author, new)
            if checked.accepted:
                self.ingest.verifying.hand_out()
                store.append(checked.accepted, self.now_s)
                self.ingest.verifying.hand_out()
                if self.ingest.follower is not None:
                    entries = (accepted.entry for accepted in checked.accepted)
                    self.ingest.follower(dict(enumerate(entries, before + 1)))
                    self.ingest.verifying.hand_out()
        self._finish(checked, before)

    def _genuine(self) -> list[bool]:
        """Which of those that wait are signed by their authors."""
        groups, group = self._groups, self._group
        self._groups, self._group = [], []
        return [good for sent in groups for good in self.ingest.verifying.result(sent)] + verify(group)

    def _finish(self, checked: "_Checked", before: int) -> None:
        """What the transaction holds is certain, or else `ingest` forgets it all."""
        authors = self.ingest.directory
        authors.cursor = before + len(checked.accepted)
        for accepted in checked.accepted:
            if accepted.entry.kind == kinds.CERTIFICATE and accepted.void_reason is None:
                authors.certify(accepted.entry)


class _Checked:
    """The entries of one transaction that may be stored."""

    def __init__(self, ingest: Ingest, before: int, now_s: int) -> None:
        self.before = before
        self.store = ingest.store
        self.directory = ingest.directory
        self.now_s = now_s
        self.accepted: list[Accepted] = []
        self._commitments: dict[tuple[bytes, int, int], bytes] = {}  # by key period, not in the store yet

    def check(self, author: Author, new: Entry) -> Verdict:
        reason = self._reason(author, new)
        if reason:
            return Verdict(reason, new)
        if author.chained:
            author.head.accept(new)
        if author.is_ahead:
            held = next((row for row in self._ahead(new) if row.id == new.id), None)
            if held is not None:
                self.store.reach(held.cursor)
                return Verdict(STORED, new, held.void_reason, held.cursor)
        void_reason = None
        if new.kind == kinds.CERTIFICATE:
            void_reason = self.directory.certificate_problem(new.body)
        elif new.kind == kinds.KEY_OPEN and not self._is_first(new):
            void_reason = reasons.KEY_OPENED_TWICE
        self.accepted.append(Accepted(new, author.chained, void_reason))
        return Verdict(STORED, new, void_reason, self.before + len(self.accepted))

    def _is_first(self, new: Entry) -> bool:
        """Whether the key's number is free; committed to again with the same commitment it does no harm."""
        place, commitment = (new.kid, new.generation, new.body["key_no"]), new.body["commitment"]
        held = self.store.key_period(*place)
        return bool((held[2] if held else self._commitments.setdefault(place, commitment)) == commitment)

    def _reason(self, author: Author, new: Entry) -> str | None:
        certificate = author.certificate
        if not roles.may_publish(certificate, new):
            return reasons.NOT_ALLOWED
        if new.kind == kinds.MANDATE and not self.directory.owns(new.kid, new.body["meter"]):
            return reasons.NOT_ALLOWED
        if not author.is_certified_at(new.stamp.unix_s):
            return reasons.CERTIFICATE_EXPIRED
        problem = self._place_problem(author, new) if author.chained else self._order_problem(author, new)
        return problem or chain.judge_time(new, self.now_s)

    def _place_problem(self, author: Author, new: Entry) -> str | None:
        head = author.head
        held = self._held(new) if new.sequence < head.next_sequence else None
        place = chain.judge(head, new, None if held is None else held[0])
        if place == chain.NEXT and author.is_ahead and not author.frozen:
            others = self._ahead(new)
            if others and all(row.id != new.id for row in others):
                place, held = reasons.FORK, (others[0].id, others[0].raw)
        if place == chain.NEXT:
            return reasons.FROZEN_LOG if author.frozen else None
        if place == reasons.FORK and held is not None:
            found = Fork(new.kid, new.generation, new.sequence, held[1], new.raw, self.now_s)
            self.store.keep_fork(found)
            author.frozen = True
        return place

    def _ahead(self, new: Entry) -> list[Stored]:
        """What is at its place in its log with a block, before the log reached it."""
        return self.store.ahead_at(new.kid, new.generation, new.sequence)

    def _held(self, new: Entry) -> tuple[bytes, bytes] | None:
        """(id, raw) of what is held at the place of `new`, from before or from this transaction."""
        stored = self.store.entry_at(new.kid, new.generation, new.sequence)
        if stored is not None:
            return stored.id, stored.raw
        for accepted in self.accepted:
            held = accepted.entry
            if held.kid == new.kid and held.generation == new.generation and held.sequence == new.sequence:
                return held.id, held.raw
        return None

    def _order_problem(self, author: Author, new: Entry) -> str | None:
        problem = chain.order_problem(author.certificate_id, new)
        if problem:
            return problem
        if self._is_ordered(new):
            return reasons.DUPLICATE
        return reasons.ORDER_EXPIRED if new.body["expires_s"] < self.now_s else None

    def _is_ordered(self, new: Entry) -> bool:
        """Whether the person has used that order id, before or in this transaction."""
        order_id = new.body["order_id"]
        if self.store.order(new.kid, order_id) is not None:
            return True
        entries = (accepted.entry for accepted in self.accepted)
        return any(held.kid == new.kid and held.body["order_id"] == order_id for held in entries)
