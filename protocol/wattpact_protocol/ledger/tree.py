"""The tree over a ledger's blocks: RFC 9162, 2.1. It only grows, and proves that it did.

    tree = Tree(nodes)                      nodes: anything with get((level, index)) and [(level, index)] = hash
    tree.append(leaf_hash(block))
    tree.root(size)                         the root when it had so many leaves
    tree.inclusion(index, size)             hashes that lead from a leaf to that root
    tree.consistency(old_size, size)        hashes that show the older root within the newer

Node (level, index) is the root over leaves index * 2^level up to the next such, and is kept once all of them are there.
A proof is checked by `verify_inclusion` and `verify_consistency`, which need no tree.
"""

from wattpact_protocol.crypto import merkle
from wattpact_protocol.crypto.merkle import leaf_hash as leaf_hash
from wattpact_protocol.crypto.merkle import node_hash

HASH_BYTES = 32
MAX_PROOF = 64  # hashes; a tree of 2^64 leaves needs no more
EMPTY_ROOT = merkle.root([])

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Nodes(Protocol):
        """Where the hashes of whole subtrees are kept."""

        def get(self, place: tuple[int, int]) -> bytes | None: ...
        def __setitem__(self, place: tuple[int, int], node: bytes) -> None: ...


class ProofError(ValueError):
    """A proof does not lead from what it is for to the root."""


class Tree:
    """Tree(nodes, size): `size` leaves are in it."""

    def __init__(self, nodes: "Nodes", size: int = 0) -> None:
        self._nodes = nodes
        self.size = size

    def append(self, leaf: bytes) -> None:
        """One more leaf hash, and the whole subtrees that it ends."""
        level, index, node = 0, self.size, leaf
        self._nodes[0, index] = node
        while index & 1:
            node = node_hash(self._node(level, index - 1), node)
            level, index = level + 1, index >> 1
            self._nodes[level, index] = node
        self.size += 1

    def root(self, size: "int | None" = None) -> bytes:
        """The root over the first `size` leaves. Raises ValueError where there are not so many."""
        size = self._size(size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: "int | None" = None) -> "list[bytes]":
        """From leaf `index` up to the root over `size` leaves (2.1.3.1). Raises ValueError."""
        size = self._size(size)
        if not 0 <= index < size:
            raise ValueError("leaf %d is not among %d" % (index, size))
        return self._path(index, 0, size)

    def consistency(self, old_size: int, size: "int | None" = None) -> "list[bytes]":
        """From the root over `old_size` leaves to the one over `size` (2.1.4.1). Raises ValueError."""
        size = self._size(size)
        if not 0 <= old_size <= size:
            raise ValueError("%d leaves are not among %d" % (old_size, size))
        return self._subproof(old_size, 0, size, True) if 0 < old_size < size else []

    def _size(self, size: "int | None") -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise ValueError("the tree has %d leaves" % self.size)
        return size

    def _node(self, level: int, index: int) -> bytes:
        found = self._nodes.get((level, index))
        if found is None:
            raise ValueError("node %d of level %d is missing" % (index, level))
        return found

    def _range(self, begin: int, end: int) -> bytes:
        """The root over leaves begin to end, where begin is a multiple of the power of two that holds them all."""
        count = end - begin
        if count & (count - 1) == 0:
            level = _bits(count) - 1
            return self._node(level, begin >> level)
        split = begin + _split(count)
        return node_hash(self._range(begin, split), self._range(split, end))

    def _path(self, index: int, begin: int, end: int) -> "list[bytes]":
        if end - begin == 1:
            return []
        split = begin + _split(end - begin)
        if index < split:
            return self._path(index, begin, split) + [self._range(split, end)]
        return self._path(index, split, end) + [self._range(begin, split)]

    def _subproof(self, old_size: int, begin: int, end: int, is_whole: bool) -> "list[bytes]":
        if old_size == end:
            return [] if is_whole else [self._range(begin, end)]
        split = begin + _split(end - begin)
        if old_size <= split:
            return self._subproof(old_size, begin, split, is_whole) + [self._range(split, end)]
        return self._subproof(old_size, split, end, False) + [self._range(begin, split)]


def _bits(number: int) -> int:
    """How many bits it takes; MicroPython has no bit_length."""
    count = 0
    while number:
        number >>= 1
        count += 1
    return count


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (_bits(count - 1) - 1)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: "list[bytes]", root: bytes) -> None:
    """Whether a leaf hash is at `index` below that root (2.1.3.2). Raises ProofError."""
    if not 0 <= index < size:
        raise ProofError("leaf %d is not among %d" % (index, size))
    _check_shape(proof)
    at, last, node = index, size - 1, leaf
    for hashed in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if at & 1 or at == last:
            node = node_hash(hashed, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, hashed)
        at, last = at >> 1, last >> 1
    if last or node != root:
        raise ProofError("the proof leads to another root")


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: "list[bytes]") -> None:
    """Whether the tree with that root grew from the one with the older (2.1.4.2). Raises ProofError."""
    if not 0 <= old_size <= size:
        raise ProofError("%d leaves are not among %d" % (old_size, size))
    _check_shape(proof)
    if old_size in (0, size):
        if proof or (old_root != root if old_size else old_root != EMPTY_ROOT):
            raise ProofError("the roots differ")
        return
    hashes = list(proof) if old_size & (old_size - 1) else [old_root] + proof
    if not hashes:
        raise ProofError("the proof is too short")
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = hashes[0]
    for hashed in hashes[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if at & 1 or at == last:
            old, new = node_hash(hashed, old), node_hash(hashed, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, hashed)
        at, last = at >> 1, last >> 1
    if last or old != old_root or new != root:
        raise ProofError("the proof leads to other roots")


def _check_shape(proof: "list[bytes]") -> None:
    if len(proof) > MAX_PROOF or any(len(hashed) != HASH_BYTES for hashed in proof):
        raise ProofError("a proof is at most %d hashes of %d bytes" % (MAX_PROOF, HASH_BYTES))
