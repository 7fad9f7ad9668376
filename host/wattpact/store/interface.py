"""What a store does for the rest of the host. `sqlite` is the one implementation; `wattpact.store` opens it.

What always holds: a batch is stored whole or not at all, and durable when its transaction has ended; rows come as the
plain values of `records`; every failure is a StoreError with a sentence for a person. Costs are those of an index
unless a method has its own: n rows given cost n.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

from wattpact_protocol.log.entry import Entry

from wattpact.store.records import (
    Accepted,
    Agreed,
    Block,
    Certified,
    Fork,
    Link,
    Ordered,
    Pending,
    Place,
    Point,
    Progress,
    Registers,
    Rejection,
    RelayState,
    Reported,
    Step,
    Stored,
    Totals,
    Waiting,
    Witness,
    Written,
)

MAX_UNIX_S = (1 << 53) - 1


class Log(Protocol):
    """The entries themselves, and who may publish them."""

    def last_cursor(self, of_kinds: Sequence[int] = ()) -> int:
        """The cursor of the newest entry, or the newest of some kinds but readings; 0 where there is none."""

    def entries(
        self,
        after: int = 0,
        before: int | None = None,
        of_kinds: Sequence[int] = (),
        author: bytes | None = None,
        limit: int = -1,
        newest_first: bool = False,
    ) -> list[Stored]:
        """Rows with after < cursor < before, of some kinds and of one author where given. With kinds it costs all rows
        of these kinds, with an author alone all of that author."""

    def stream(
        self, after: int = 0, chunk: int = 1000, of_kinds: Sequence[int] = (), before: int | None = None
    ) -> Iterator[Stored]:
        """As `entries`, oldest first, with a chunk at a time in memory."""

    def entry_with_id(self, entry_id: bytes) -> Stored | None:
        """The entry of that id; readings are found by place alone."""

    def entry_at(self, author: bytes, generation: int, sequence: int) -> Stored | None:
        """A chained author's entry at a place of its log."""

    def log(
        self, author: bytes, after: tuple[int, int] = (-1, -1), of_kinds: Sequence[int] = (), limit: int = -1
    ) -> list[Stored]:
        """A chained author's entries behind a (generation, sequence), in the order of its log."""

    def has_ahead(self, author: bytes) -> bool:
        """Whether an author has entries that are ahead of its log here. Neither `entry_at`, `log`, `newest_of`, `head`
        nor `heads_since` has such entries."""

    def ahead_at(self, author: bytes, generation: int, sequence: int) -> list[Stored]:
        """Those at a place of a log: more than one where its author forked it."""

    def newest_of(self, author: bytes) -> Stored | None:
        """The last entry of a chained author's log."""

    def order(self, author: bytes, order_id: bytes) -> Stored | None:
        """A person's entry with that order id."""

    def head(self, author: bytes, generation: int) -> tuple[int, bytes] | None:
        """(sequence, id) of the last entry of a chained author's generation, None where there is none."""

    def void_entries(self) -> list[Stored]:
        """Entries that count for nothing, in the order of arrival."""

    def key_period(self, meter: bytes, generation: int, key_no: int) -> tuple[int, int, bytes] | None:
        """(sequence, epoch, commitment) of the KEY_OPEN that began a key period, None where there is none."""

    def epoch(self, meter: bytes, number: int, before: tuple[int, int]) -> Stored | None:
        """A meter's last KEY_EPOCH of that number before a (generation, sequence) of its log."""

    def certificates(self, after: int = 0) -> list[Certified]:
        """The newest certificate of each author whose newest came after that cursor, oldest first."""

    def certificates_of(self, kid: bytes) -> list[Certified]:
        """All certificates of an author that count, oldest first."""

    def last_certified(self) -> int:
        """The cursor of the newest certificate that counts."""

    def has_issuer(self, kids: Sequence[bytes]) -> bool:
        """Whether one of them is, or was, an issuer here."""


class Projected(Protocol):
    """What the projections made of the entries."""

    def sealing(self) -> dict[bytes, int]:
        """The meters that seal, each with how many of its readings could not be unsealed here."""

    def unread(self) -> dict[bytes, bytes]:
        """Meters with readings that could not be unsealed, each with the keys that were tried."""

    def registers(self, meter: bytes | None = None) -> list[Registers]:
        """The last good registers of one meter, or of all that have any."""

    def points(self, meter: bytes, from_s: int = 0, to_s: int = MAX_UNIX_S) -> list[Point]:
        """A meter's load profile with from_s <= unix_s <= to_s, oldest first."""

    def points_around(self, meter: bytes, unix_s: int) -> list[Point]:
        """The last point at or before that time, and the first after it, as far as there are such."""

    def measured_at(self, meter: bytes, times: Sequence[int]) -> set[int]:
        """Those of the times at which the meter itself measured."""

    def relays(self) -> dict[bytes, RelayState]:
        """What each meter last reported of its relay."""

    def reported(self, meter: bytes) -> dict[int, Reported]:
        """By code, the last event of each kind that a meter reported of the ledger."""

    def contract(self, contract_id: bytes) -> tuple[Agreed, Totals] | None:
        """A contract, and what settlement made of it."""

    def contracts(
        self, ends_after_s: int = 0, starts_before_s: int = MAX_UNIX_S, meter: bytes | None = None
    ) -> Iterator[tuple[Agreed, Totals]]:
        """Contracts with end_s (or the stamp of their last usage) > ends_after_s and start_s < starts_before_s, newest
        start first; of one meter where given."""

    def ungranted(self, now_s: int) -> list[Agreed]:
        """Contracts without a grant whose time is not over."""

    def carried_before(self, contract_id: bytes, unix_s: int) -> int:
        """Wh that a contract carried in slots that start before that time."""

    def filled_before(self, contract_id: bytes, unix_s: int) -> tuple[int, int, int, int] | None:
        """(start of slot, Wh carried, Wh short, Wh spare) of a contract's last slot before that time with any."""

    def progress(self) -> Progress:
        """How far settlement is."""

    def waiting(self) -> list[Waiting]:
        """What settlement waits for, and what it went on without."""

    def inbox_last(self, meter: bytes) -> int:
        """The position of the newest entry in a meter's inbox, 0 where there is none."""

    def inbox_holds(self, meter: bytes, position: int) -> bool:
        """Whether that position is one of this meter's."""

    def inbox_after(self, meter: bytes, position: int, limit: int) -> list[tuple[int, bytes]]:
        """(position, entry as it arrived) of a meter's inbox behind a position."""


class Blocks(Protocol):
    """The ledger: blocks, where they ordered which entry, and the state after the last."""

    def last_block(self) -> Block | None: ...

    def block(self, height: int) -> Block | None: ...

    def ordered_in(self, height: int) -> list[Stored]:
        """The entries of a block, in its order."""

    def waiting_before(self, author: bytes, generation: int, after: int, before: int) -> list[bytes]:
        """The ids of a log's entries at sequences between these two that bind others and have no place yet; at most
        512."""

    def place(self, cursor: int) -> Place | None:
        """What the ledger made of an entry; None where it has not looked at it yet, or never will."""

    def ordered(self, cursors: Sequence[int]) -> dict[int, Ordered]:
        """What the ledger made of entries, by cursor; without those that it has not looked at."""

    def ordered_by_id(self, ids: Sequence[bytes]) -> dict[bytes, Ordered]:
        """The same of entries but readings, by id."""

    def steps(self, contract_id: bytes) -> list[Step]:
        """The entries that the ledger ordered of a contract's life, in their order."""

    def heads_since(self, cursor: int) -> list[tuple[bytes, int, int, bytes]]:
        """(author, generation, next sequence, id of the last entry) of each log with entries behind that cursor; costs
        all entries behind it."""

    def ledger_value(self, key: bytes) -> bytes | None:
        """The value of a record of the state."""

    def ledger_values(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """(key, value) of the records whose keys begin so."""

    def ledger_node(self, depth: int, prefix: int) -> bytes | None:
        """A node of the state's map."""

    def tree_node(self, level: int, number: int) -> bytes | None:
        """A node of the tree over blocks."""

    def witnesses(self) -> list[Witness]:
        """Who cosigns the ledger's head, by name."""

    def cosigned_heads(self, over: int, limit: int, newest_first: bool = False) -> list[str]:
        """Heads over so many blocks or more, each with the signatures of host and witnesses; oldest first."""


class Reader(Log, Projected, Blocks, Protocol):
    """One reading connection; it belongs to one thread, and `with` closes it."""

    path: Path
    community: bytes

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...

    def moment(self) -> AbstractContextManager[None]:
        """All that is read inside is of one moment, whatever other programs write meanwhile."""

    def meta(self, name: str) -> bytes | None:
        """A value that `set_meta` kept."""

    def number(self, name: str) -> int:
        """A number that `set_number` kept; 0 where there is none."""

    def text(self, name: str) -> str:
        """A text that `set_text` kept; empty where there is none."""

    def rejections(self) -> list[Rejection]: ...

    def rejected(self) -> dict[str, int]:
        """How many entries and datagrams were rejected, by reason; costs all rows of rejections, a bounded number."""

    def pending(self) -> list[Pending]:
        """Meters that request enrolment, a bounded number."""

    def forks(self) -> list[Fork]:
        """Both entries of each fork that was kept."""

    def links(self, digest: bytes | None = None) -> list[Link]:
        """The links that open the page, the newest last; or the one of that digest."""


class Store(Reader, Protocol):
    """The one writing connection of a program, which reads too. Every method that writes is a transaction of its own,
    or part of the caller's."""

    inbox_id: bytes

    def reader(self) -> Reader:
        """This thread's own reading connection."""

    def transaction(self, committer: Executor | None = None) -> AbstractContextManager[None]:
        """All or nothing, with the write lock held from the start; inside another it is part of that one.

        With a committer the disk is waited for in its thread, and nothing is durable until `settle` has returned."""

    def settle(self) -> None:
        """Wait for a commit that is under way; every other use of the store does so by itself."""

    def set_meta(self, name: str, value: bytes) -> None: ...

    def set_number(self, name: str, value: int) -> None: ...

    def set_text(self, name: str, value: str) -> None: ...

    def append(self, batch: Sequence[Accepted], received_s: int) -> int:
        """Store entries whose places are free; the cursor of the last."""

    def reach(self, cursor: int) -> None:
        """The log reaches that entry, which was ahead of it."""

    def count_anew(self, cursor: int, new: Entry, void_reason: str | None) -> None:
        """Set why a stored entry is void, or that it counts after all, with what rests on a certificate or key."""

    def set_void_reasons(self, reasons: Iterable[tuple[str | None, int]]) -> None:
        """Set why entries are void, by cursor; None where they count after all."""

    def keep_points(self, points: Iterable[tuple[bytes, Point]]) -> None:
        """Points of meters, which are later than all that they have."""

    def keep_registers(self, registers: Iterable[Registers]) -> None: ...

    def count_unread(self, counted: Iterable[tuple[bytes, int]], tried: bytes) -> None:
        """Add to how many readings of meters could not be unsealed with the keys `tried`."""

    def forget_measured(self, meter: bytes) -> None:
        """Remove a meter's points and registers, and how many of its readings are unread."""

    def keep_relay(self, meter: bytes, relay: RelayState) -> None: ...

    def keep_reported(self, meter: bytes, code: int, event: Reported) -> None: ...

    def keep_contracts(self, agreed: Iterable[Agreed]) -> None:
        """Contracts as they are now; what settlement made of them stays."""

    def keep_steps(self, steps: Iterable[tuple[bytes, bytes]]) -> None:
        """(id of a contract, id of an ordered entry of its life): what `steps` gives. Those of
        no contract, as of default supply, are left out."""

    def attribute(self, contract_id: bytes, wh: int) -> None:
        """What a consumer's meter attributed to a contract, if that is more than before."""

    def changed_from(self, unix_s: int) -> None:
        """Contracts changed from that time on: settlement has to look at these slots again."""

    def rewind_settlement(self, slot_s: int) -> None:
        """Forget what was settled from that slot on; costs what it forgets."""

    def keep_settled(
        self,
        waiting: Iterable[Waiting],
        fills: Iterable[tuple[bytes, int, int, int, int]],
        totals: Iterable[tuple[bytes, Totals]],
    ) -> None:
        """All that settlement waits for now; slots as (contract, start, Wh carried, Wh short, Wh spare), each summed up
        to the slot's end, which are new; and the totals of contracts that they changed."""

    def set_progress(self, progress: Progress) -> None:
        """How far settlement is now."""

    def keep_places(self, places: Iterable[Place]) -> None:
        """Where entries were ordered, or why not; each once, or again where it was rejected before."""

    def keep_block(self, block: Block, written: Written) -> None:
        """The next block, and what it changed."""

    def keep_witness(self, witness: Witness) -> None:
        """Keep a witness, in the place of what was kept under its name."""

    def remove_witness(self, name: str) -> None:
        """Forget a witness; the heads that it cosigned stay."""

    def keep_cosigned(self, blocks: int, head: str) -> None:
        """Keep the head over so many blocks with all signatures that it has by now."""

    def inbox_add(self, meter: bytes, cursor: int) -> None:
        """Put an entry at the end of a meter's inbox, if it is not in it yet."""

    def keep_fork(self, found: Fork) -> None:
        """Keep both entries of a fork; a bounded number for each author."""

    def keep_pending(self, public_key: bytes, proof: bytes, source: str, now_s: int) -> None:
        """Store a meter's request for enrolment; beyond a bound, the one silent for longest is forgotten."""

    def count_rejections(self, counted: Iterable[Rejection]) -> None:
        """Add to the counts by (reason, author, source); beyond a bound of rows, by reason alone."""

    def keep_link(self, digest: bytes, person: bytes | None, label: str, now_s: int, expires_s: int) -> None:
        """Keep a link that opens the page."""

    def remove_links(self, digests: Iterable[bytes]) -> None: ...

    def remove_links_expired(self, before_s: int) -> None:
        """Remove all that expired before a time; costs all links."""

    def note_link_used(self, digest: bytes, now_s: int) -> None: ...
