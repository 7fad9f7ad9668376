"""A ledger: blocks that follow each other, the state after the last of them, and proofs of both.

    ledger = Ledger(Storage(values, state_nodes, tree_nodes), community, last_header)
    block, rejected = ledger.propose(entries, anchors, now_s)     as its writer: entries whose signatures were verified
    header = ledger.append(block, verifier)                      as who follows: everything is verified again
    ledger.size; ledger.root(); ledger.prove(key)

What always holds: the storage changes by whole blocks; a block whose entries, order or roots are not exactly what the
state machine makes of them changes nothing. Who writes and who follows do the same. docs/spec/ledger.md.
"""

from wattpact_protocol.ledger import blocks
from wattpact_protocol.ledger.blocks import BlockError, Header
from wattpact_protocol.ledger.machine import Machine
from wattpact_protocol.ledger.records import State
from wattpact_protocol.ledger.state_map import StateMap
from wattpact_protocol.ledger.tree import Tree
from wattpact_protocol.log import entry, kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from wattpact_protocol.ledger.blocks import Anchor
    from wattpact_protocol.ledger.state_map import Proof
    from wattpact_protocol.log.entry import Entry


class Storage:
    """Where a ledger is kept: the values of its state by key, the nodes of its map, the nodes of its tree. Each has
    `get` and `[...] =`, the nodes of the map `pop` too."""

    def __init__(self, values: "Any", state_nodes: "Any", tree_nodes: "Any") -> None:
        self.values, self.state_nodes, self.tree_nodes = values, state_nodes, tree_nodes


class Ledger:
    """`last`: the header of the last block that is in the storage."""

    def __init__(self, storage: Storage, community: bytes, last: "Header | None" = None) -> None:
        self.community = community
        self.last = last
        self.state = State(storage.values)
        self._machine = Machine(self.state, community)
        self._map = StateMap(storage.state_nodes)
        self._tree = Tree(storage.tree_nodes, last.height + 1 if last else 0)

    @property
    def size(self) -> int:
        """How many blocks there are."""
        return self._tree.size

    def root(self, size: "int | None" = None) -> bytes:
        """Of the tree over the first `size` blocks."""
        return self._tree.root(size)

    def inclusion(self, height: int, size: "int | None" = None) -> "list[bytes]":
        return self._tree.inclusion(height, size)

    def consistency(self, old_size: int, size: "int | None" = None) -> "list[bytes]":
        return self._tree.consistency(old_size, size)

    def prove(self, key: bytes) -> "Proof":
        """That the state after the last block has its value, or none, under a key (`records.key_of`)."""
        return self._map.prove(key)

    def propose(
        self, entries: "Iterable[Entry]", anchors: "Iterable[Anchor]", now_s: int, even_empty: bool = False
    ) -> "tuple[bytes | None, dict[bytes, str]]":
        """A block of what can be ordered, in that order, already appended; None where nothing can, unless it may be
        `even_empty`, for its time alone. And the reasons, by id, of what cannot. The time of the block is `now_s`, or
        that of the last block if that is later."""
        time_s = max(now_s, self.last.time_s if self.last else 0)
        rejected: dict[bytes, str] = {}
        ordered: list[Entry] = []
        for new in entries:
            reason = self._machine.apply(new, time_s)
            if reason is None:
                ordered.append(new)
            else:
                rejected[new.id] = reason
        noted = [one for one in anchors if self._machine.anchor(one[0], one[1:], time_s) is None]
        if not ordered and not noted and not even_empty:
            self.state.forget()
            return None, rejected
        header = self._finish(time_s, ordered, noted)
        return blocks.encode(header, [new.raw for new in ordered], noted), rejected

    def append(self, raw: bytes, verifier: "Callable[[bytes, bytes, bytes], bool]") -> Header:
        """Follow a block; `verifier(public_key, message, signature)`. Raises BlockError, and nothing has changed."""
        header, raws, anchors = blocks.decode(raw)
        blocks.check_follows(header, self.last)
        try:
            ordered = [self._order(one, header.time_s, verifier) for one in raws]
            for one in anchors:
                reason = self._machine.anchor(one[0], one[1:], header.time_s)
                if reason:
                    raise BlockError("the anchor of %s is rejected: %s" % (one[0].hex(), reason))
            if header.entries_root != blocks.entries_root([new.id for new in ordered]):
                raise BlockError("the header has another root of entries")
            self._check_state(header)
        except BlockError:
            self.state.forget()
            raise
        return self._finish(header.time_s, ordered, anchors)

    def read(
        self, raws: "Iterable[bytes]", now_s: int, verifier: "Callable[[bytes, bytes, bytes], bool]"
    ) -> "list[Entry | None]":
        """What may be proposed at that time: each of the entries that is signed by its author, who may be certified by
        one before it; None in the place of others. Nothing changes."""
        found: list[Entry | None] = []
        for raw in raws:
            try:
                new = self._signed(raw, verifier)
            except BlockError:
                found.append(None)
                continue
            if new.kind == kinds.CERTIFICATE:  # the only kind that changes who may have signed what follows
                self._machine.apply(new, now_s)
            found.append(new)
        self.state.forget()
        return found

    def problem(self, new: "Entry", now_s: int) -> "str | None":
        """Why a verified entry could not be ordered next, at that time; None where it could. Nothing changes."""
        reason = self._machine.apply(new, now_s)
        self.state.forget()
        return reason

    def _signed(self, raw: bytes, verifier: "Callable[[bytes, bytes, bytes], bool]") -> "Entry":
        try:
            new = entry.decode(raw, self.community)
        except entry.EntryError as error:
            raise BlockError(str(error))
        public_key = self._machine.author_key(new)
        if public_key is None or not entry.verify(new, public_key, verifier):
            raise BlockError("%r is not signed by its author" % new)
        return new

    def _order(self, raw: bytes, time_s: int, verifier: "Callable[[bytes, bytes, bytes], bool]") -> "Entry":
        new = self._signed(raw, verifier)
        reason = self._machine.apply(new, time_s)
        if reason:
            raise BlockError("%r is rejected: %s" % (new, reason))
        return new

    def _check_state(self, header: Header) -> None:
        if self._map.root_after(self.state.changes) != header.state_root:
            raise BlockError("block %d has another state root" % header.height)

    def _finish(self, time_s: int, ordered: "list[Entry]", anchors: "list[Anchor]") -> Header:
        """Keep what the entries changed, and the block's place in the tree."""
        self._map.update(self.state.changes)
        self.state.keep()
        header = Header(
            self.size, time_s, self.last.id if self.last else blocks.NO_BLOCK,
            blocks.entries_root([new.id for new in ordered]), blocks.anchors_root(anchors), self._map.root(),
        )  # fmt: skip
        self._tree.append(header.id)
        self.last = header
        return header
