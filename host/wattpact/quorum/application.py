"""What a quorum orders, applied: the application that CometBFT calls, over one host's store.

    check      is it an entry or a note at all, and signed          before it is passed on to other hosts
    prepare    the time, then what waits                            when this host proposes
    process    every entry and note signed, the time about ours     when another one does
    finalize   -> a block of what the state machine allows, its root, the hosts that decide from now on
    commit     -> the store: entries, places, block, head

What always holds: the ledger is what the embedded writer would make of the same entries at the same times; blocks of
the engine without anything to order make none of the ledger; memory ahead of the store is let go of when CometBFT wants
to know where it was. docs/spec/quorum.md.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.ledger import blocks, records
from wattpact_protocol.ledger.ledger import Ledger
from wattpact_protocol.log import entry, ids, kinds, reasons, roles
from wattpact_protocol.log.entry import Entry

from wattpact.consensus.abci_server import Finalized
from wattpact.keys import Signer
from wattpact.ordering import writer
from wattpact.ordering.keeping import keep_block
from wattpact.ordering.storage import StoredLedger
from wattpact.ordering.writer import ORDERED, last_header
from wattpact.quorum import founded, transactions
from wattpact.quorum.adopting import adopt
from wattpact.quorum.proposal_order import in_order, named_by
from wattpact.quorum.transactions import Note, TransactionError
from wattpact.store.interface import Reader, Store

AHEAD_S = 10  # what a proposal's time may be ahead of this host's clock
BEHIND_S = 60  # and behind it, unless it is proposed again and again
INSISTED = 3  # times: then others are bound to it, and would wait for this host
MAX_PREPARED_BYTES = 900_000
QUIET_S = 900
HELD_S = 10  # how long an entry waits for one that it names, and which has not reached this host
KEY_BYTES, KID_BYTES = 32, 8

_HEIGHT, _HOSTS, _KNOWN = "quorum_height", "quorum_hosts", "quorum_known_hosts"
_MAX_VERIFIED = 20_000
_MAX_REJECTED = 20_000
_MAX_WAITING = 8_000  # CometBFT holds 5,000 transactions, and those of a proposal
_OVERHEAD_BYTES = 16  # of one transaction in a block of the engine's

_LOG = logging.getLogger("wattpact.quorum")


class _Read(NamedTuple):
    """The transactions of one block: its time, each entry or note in its place, None where it is neither."""

    time_s: int
    found: list[Entry | Note | None]


class _Made(NamedTuple):
    """A block that was decided and is not in the store yet. `raw` is None where nothing was ordered."""

    height: int
    raw: bytes | None
    entries: list[Entry]
    rejected: dict[bytes, str]
    hosts: bytes
    known: bytes


class Application:
    """`clock()` gives Unix seconds; `problem()` why that clock may not date a block now; `committed()` is called when a
    block is in the store."""

    def __init__(
        self, store: Store, host: Signer, clock: Callable[[], int], problem: Callable[[], str | None],
        committed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._host = host
        self._clock = clock
        self._problem = problem
        self._committed = committed
        self._verified: dict[bytes, None] = {}  # hashes of what was signed, by whom, and the signature
        self._certified: dict[bytes, bytes] = {}  # kid -> public key, by certificates that wait
        self._keys: dict[bytes, bytes] = {}  # kid -> public key, of authors in the state, which stay in it
        self._waiting: dict[bytes, Entry] = {}  # by its bytes, what such an author signed, so that it is decoded once
        self._placed: set[bytes] = set()  # ids in the last block
        self._rejected: dict[bytes, str] = {}  # by id, why the last of them were
        self._held_since_s: dict[bytes, int] = {}  # by id, since when entries wait for one that they name
        self._doubted = (0, 0)  # a height, and how many of its proposals were doubted
        self._changed: list[int] = []
        self.reset()

    def reset(self) -> None:
        """Begin again from the store."""
        self._storage = StoredLedger(self._store)
        self.ledger = Ledger(self._storage, self._store.community, last_header(self._store))
        self._made: _Made | None = None
        self._certified.clear()
        self._keys.clear()
        self._waiting.clear()
        self._hosts = set(hosts_that_decide(self._store))

    def take_changed(self) -> list[int]:
        """Cursors of entries that count otherwise than when they were stored, since the last call."""
        changed, self._changed = self._changed, []
        return changed

    # Where it was

    def info(self) -> tuple[int, bytes]:
        self.reset()
        height = self._store.number(_HEIGHT)
        return height, self.ledger.root() if height else b""

    def init_chain(self, app_state: bytes, validators: Sequence[tuple[bytes, int]]) -> bytes:
        self.reset()
        begun = founded.decode(app_state)
        if begun != founded.Founded(self._store.community, self.ledger.size, self.ledger.root()):
            raise founded.FoundedError(
                f"the quorum's ledger begins after {begun.blocks} blocks, and this one has {self.ledger.size}"
                " or others; join anew with the file of `wattpact quorum found`"
            )
        with self._store.transaction():
            self._store.set_meta(_HOSTS, _encoded([key for key, _ in validators]))
            self._store.set_meta(_KNOWN, _encoded(founded.hosts_of(self._store, self._last_s())))
        self._hosts = set(hosts_that_decide(self._store))
        return self.ledger.root()

    # Before a block

    def check(self, transaction: bytes, is_new: bool) -> str | None:
        if transactions.is_note(transaction):
            return self._note_problem(transaction)
        new = self._waiting.get(transaction)
        was_checked = new is not None and not is_new  # then there was only the last block since
        if new is None:
            try:
                new = entry.decode(transaction, self._store.community)
            except entry.EntryError:
                return reasons.ENTRY_MALFORMED
            reason = reasons.NOT_ORDERED if new.kind not in ORDERED else self._signature_problem(new)
            if reason:
                return reason
        if new.id in self._placed if was_checked else self._is_placed(new.id):
            return reasons.DUPLICATE
        if new.id in self._rejected:
            return self._rejected[new.id]
        if new.kind == kinds.CERTIFICATE and self.ledger.problem(new, self._clock()) is None:
            self._certified.setdefault(ids.kid_of(new.body["public_key"]), new.body["public_key"])
        return None

    def _signature_problem(self, new: Entry) -> str | None:
        public_key = self._key_of(new.kid)
        if public_key is not None:
            if not entry.verify(new, public_key, ed25519.verify):
                return reasons.BAD_SIGNATURE
            self._keep_waiting(new)
            return None
        public_key = self._certified.get(new.kid)
        if public_key is not None:
            return None if entry.verify(new, public_key, self._verify) else reasons.BAD_SIGNATURE
        of_root = self.ledger.read([new.raw], self._clock(), self._verify)
        return reasons.UNKNOWN_AUTHOR if of_root == [None] else None

    def _key_of(self, kid: bytes) -> bytes | None:
        found = self._keys.get(kid)
        if found is None:
            author = self.ledger.state.get(records.AUTHOR, kid)
            if author is not None:
                found = self._keys[kid] = bytes(author["public_key"])
        return found

    def _keep_waiting(self, new: Entry) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[new.raw] = new

    def _note_problem(self, raw: bytes) -> str | None:
        try:
            found = transactions.decode_note(raw, self._store.community)
        except TransactionError:
            return reasons.ENTRY_MALFORMED
        if not self._is_noted_by_host(found):
            return reasons.BAD_SIGNATURE
        is_new = any(self._is_newer(head) for head in found.heads) if found.entries else self._is_quiet(self._clock())
        return None if is_new else reasons.STALE_VERSION

    def _is_quiet(self, now_s: int) -> bool:
        """Whether the last block is so old that one is due for its time alone."""
        return now_s - self._last_s() >= QUIET_S

    def _is_newer(self, head: writer.Head) -> bool:
        held, author = self.ledger.state.get(records.HEAD, head[0]), self.ledger.state.get(records.AUTHOR, head[0])
        if author is None or head[1] > author["generation"]:
            return False
        return held is None or (held["generation"], held["next_sequence"]) < head[1:3]

    def _is_noted_by_host(self, found: Note) -> bool:
        author = self.ledger.state.get(records.AUTHOR, found.kid)
        if author is None or bytes(author["public_key"]) not in self._hosts:
            return False
        if not transactions.is_signed(found, self._store.community, author["public_key"], self._verify):
            return False
        return all(self._is_signed_in_log(new) for new in found.entries)

    def _is_signed_in_log(self, new: Entry) -> bool:
        """By an author of the ledger's that has a log, so that a host notes no head that nobody signed."""
        author = self.ledger.state.get(records.AUTHOR, new.kid)
        if author is None or author["role"] == roles.PERSON:
            return False
        return entry.verify(new, bytes(author["public_key"]), self._verify)

    def _is_placed(self, name: bytes) -> bool:
        row = self._store.entry_with_id(name)
        return row is not None and self._store.place(row.cursor) is not None

    def _verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """As `ed25519.verify`, each signature once: it is needed when it comes, is proposed and is decided."""
        name = ids.sha256(public_key + signature + message)
        if name in self._verified:
            return True
        if not ed25519.verify(public_key, message, signature):
            return False
        if len(self._verified) >= _MAX_VERIFIED:
            del self._verified[next(iter(self._verified))]
        self._verified[name] = None
        return True

    def prepare(self, waiting: Sequence[bytes], max_bytes: int) -> list[bytes]:
        if not waiting or self._problem():
            return []
        last = self.ledger.last
        chosen = [transactions.opening(max(self._clock(), last.time_s if last else 0))]
        left = min(max_bytes, MAX_PREPARED_BYTES) - len(chosen[0]) - _OVERHEAD_BYTES
        names: set[bytes] = set()
        held: set[bytes] = set()  # authors with an entry that is left for a later block
        noted: set[bytes] = set()  # authors whose logs have their head of this block
        # What another host would not vote for is left out here: who signed it may have been certified when it came.
        for raw, one in in_order(zip(waiting, self._read([chosen[0], *waiting]).found, strict=True)):
            if one is None or (isinstance(one, Entry) and one.id in names):
                continue
            if isinstance(one, Entry) and (one.kid in held or self._is_early(one, names)):
                held.add(one.kid)
                continue
            if isinstance(one, Note) and any(new.kid in noted for new in one.entries):
                continue
            left -= len(raw) + _OVERHEAD_BYTES
            if isinstance(one, Entry):
                names.add(one.id)
            else:
                noted.update(new.kid for new in one.entries)
            if left < 0 or len(names) > blocks.MAX_ENTRIES or len(noted) > blocks.MAX_ANCHORS:
                break
            chosen.append(raw)
        return chosen if len(chosen) > 1 else []

    def _is_early(self, one: Entry, names: set[bytes]) -> bool:
        """Whether it names an entry that has no place and is not on its way to one, but may be on its way to here:
        ordered before that, it would be rejected for good."""
        if all(name in names or name in self._rejected or self._is_placed(name) for name in named_by(one)):
            self._held_since_s.pop(one.id, None)
            return False
        if one.id not in self._held_since_s and len(self._held_since_s) >= _MAX_WAITING:
            del self._held_since_s[next(iter(self._held_since_s))]
        now_s = self._clock()
        return now_s - self._held_since_s.setdefault(one.id, now_s) < HELD_S

    def process(self, height: int, proposed: Sequence[bytes]) -> bool:
        if not proposed:
            return True
        try:
            read = self._read(proposed)
        except TransactionError as error:
            _LOG.warning("a proposal of block %d of the engine is rejected: %s", height, error)
            return False
        entries = [one for one in read.found if isinstance(one, Entry)]
        noted = [new.kid for one in read.found if isinstance(one, Note) for new in one.entries]
        is_double = len(set(proposed)) < len(proposed) or len({one.id for one in entries}) < len(entries)
        is_double = is_double or len(set(noted)) < len(noted)
        if None in read.found or is_double or any(one.kind not in ORDERED for one in entries):
            _LOG.warning("a proposal of block %d of the engine is rejected: it has what nobody signed", height)
            return False
        if len(entries) > blocks.MAX_ENTRIES or len(noted) > blocks.MAX_ANCHORS:
            _LOG.warning("a proposal of block %d of the engine is rejected: it has too much for a block", height)
            return False
        off_s = read.time_s - self._clock()
        if off_s > AHEAD_S or read.time_s < self._last_s():
            _LOG.warning("a proposal is rejected: its time is %d s off this machine's", off_s)
            return False
        doubt = f"it is {-off_s} s old" if off_s < -BEHIND_S else self._left_out(entries)
        return doubt is None or self._is_insisted_on(height, doubt)

    def _left_out(self, entries: Sequence[Entry]) -> str | None:
        """Whether a log's entry is ordered before one that this host has had, and which could never be ordered then."""
        names = {new.id for new in entries}
        logs: dict[bytes, tuple[int, int] | None] = {}  # generation, and what was ordered last; None for people
        last: dict[bytes, Entry] = {}
        for new in entries:
            if new.kid not in logs:
                author = self.ledger.state.get(records.AUTHOR, new.kid)
                is_log = author and author["role"] != roles.PERSON
                logs[new.kid] = (author["generation"], author["ordered"]) if author and is_log else None
            log = logs[new.kid]
            if log is None or new.generation != log[0]:
                continue
            if new.kid in last and new.sequence < last[new.kid].sequence:
                return f"{new!r} is behind a later one of its log"
            last[new.kid] = new
        for kid, new in last.items():
            generation, ordered = logs[kid] or (0, 0)
            waiting = self._store.waiting_before(kid, generation, ordered, new.sequence)
            if any(name not in names for name in waiting):
                return f"{new!r} comes before an earlier one of its log"
        return None

    def _is_insisted_on(self, height: int, doubt: str) -> bool:
        """Whether so many of a height were doubted: others may be bound to one, who saw it in time or know of less."""
        self._doubted = (height, self._doubted[1] + 1 if self._doubted[0] == height else 1)
        if self._doubted[1] == 1:
            _LOG.warning("a proposal is doubted: %s", doubt)
        return self._doubted[1] >= INSISTED

    def _read(self, raws: Sequence[bytes]) -> _Read:
        """Raises TransactionError where they do not begin with a time."""
        time_s = transactions.time_of(raws[0])
        found = {raw: self._waiting.get(raw) for raw in raws[1:] if not transactions.is_note(raw)}
        if None in found.values():
            # With all certificates, by which those may be known whom the state does not know.
            asked = [raw for raw, new in found.items() if new is None or new.kind == kinds.CERTIFICATE]
            for raw, new in zip(asked, self.ledger.read(asked, time_s, self._verify), strict=True):
                found[raw] = new
                if new is not None and self._key_of(new.kid) is not None:
                    self._keep_waiting(new)
        return _Read(time_s, [self._noted(raw) if transactions.is_note(raw) else found[raw] for raw in raws[1:]])

    def _noted(self, raw: bytes) -> Note | None:
        try:
            found = transactions.decode_note(raw, self._store.community)
        except TransactionError:
            return None
        return found if self._is_noted_by_host(found) else None

    # A block

    def finalize(self, height: int, time_s: int, decided: Sequence[bytes]) -> Finalized:
        held = self._store.meta(_HOSTS) or b""
        known = self._store.meta(_KNOWN) or b""
        self._made = _Made(height, None, [], {}, held, known)
        if not decided:
            return Finalized(self.ledger.root(), [], [])
        read = self._read(decided)
        first: dict[bytes, Entry] = {}  # an author can sign one content more than once
        for one in read.found:
            if isinstance(one, Entry):
                first.setdefault(one.id, one)
        entries = list(first.values())
        heads = [head for one in read.found if isinstance(one, Note) for head in one.heads]
        is_due = self._is_quiet(read.time_s) and any(isinstance(one, Note) and not one.entries for one in read.found)
        raw, rejected = self.ledger.propose(entries, heads, read.time_s, even_empty=is_due)
        hosts = held
        if raw is not None:
            known = _encoded(
                {*_decoded(known, KID_BYTES), *_hosts_in(one for one in entries if one.id not in rejected)}
            )
            hosts = _encoded(self._in_force(_decoded(known, KID_BYTES))) or held
        self._made = _Made(height, raw, entries, rejected, hosts, known)
        outcome = [_outcome(one, first, rejected) for one in read.found]
        return Finalized(self.ledger.root(), [None, *outcome], _changes(held, hosts))

    def _last_s(self) -> int:
        return self.ledger.last.time_s if self.ledger.last else 0

    def _in_force(self, kids: Iterable[bytes]) -> list[bytes]:
        """The keys of those hosts whose certificates are in force at the last block."""
        found = []
        for kid in kids:
            author = self.ledger.state.get(records.AUTHOR, kid)
            if author is not None and author["role"] == roles.HOST and founded.is_in_force(author, self._last_s()):
                found.append(bytes(author["public_key"]))
        return found

    def commit(self) -> None:
        made, self._made = self._made, None
        if made is None:
            raise ValueError("there is no block to commit")
        store = self._store
        with store.transaction():
            if made.raw is not None:
                keep_block(store, self.ledger, self._storage, made.raw, self._host)
            height = None if made.raw is None else self.ledger.size - 1
            changed = adopt(store, made.entries, made.rejected, height, self._clock())
            store.set_meta(_HOSTS, made.hosts)
            store.set_meta(_KNOWN, made.known)
            store.set_number(_HEIGHT, made.height)
        self._certified.clear()
        self._placed = {new.id for new in made.entries}
        for new in made.entries:
            self._waiting.pop(new.raw, None)
            self._rejected.pop(new.id, None)
        self._rejected.update(made.rejected)
        while len(self._rejected) > _MAX_REJECTED:
            del self._rejected[next(iter(self._rejected))]
        self._hosts = set(_decoded(made.hosts, KEY_BYTES))
        self._changed += changed
        self._committed()


def hosts_that_decide(reader: Reader) -> list[bytes]:
    """Their public keys, as of the last block; before the first of a quorum's, of those that began it."""
    return _decoded(reader.meta(_HOSTS) or reader.meta(founded.FOUNDERS) or b"", KEY_BYTES)


def _outcome(one: Entry | Note | None, first: dict[bytes, Entry], rejected: dict[bytes, str]) -> str | None:
    """Why it had no effect; None where it had. What nobody signed is voted for by no honest host."""
    if one is None:
        return reasons.BAD_SIGNATURE
    if not isinstance(one, Entry):
        return None
    return rejected.get(one.id) if first[one.id] is one else reasons.DUPLICATE


def _hosts_in(entries: Iterable[Entry]) -> list[bytes]:
    """The key ids of the hosts that any of these certificates names."""
    found = [new.body for new in entries if new.kind == kinds.CERTIFICATE]
    return [ids.kid_of(body["public_key"]) for body in found if body["role"] == roles.HOST]


def _changes(held: bytes, now: bytes) -> list[tuple[bytes, int]]:
    """For CometBFT: the keys that decide no longer, and those that do from now on."""
    before, after = _decoded(held, KEY_BYTES), _decoded(now, KEY_BYTES)
    gone = [(key, 0) for key in before if key not in after]
    return gone + [(key, founded.POWER) for key in after if key not in before]


def _encoded(names: Iterable[bytes]) -> bytes:
    """Each once, in their order."""
    return b"".join(sorted(set(names)))


def _decoded(raw: bytes, size: int) -> list[bytes]:
    return [raw[at : at + size] for at in range(0, len(raw), size)]
