"""The ledger's state as a map whose root shows what is in it and what is not.

    state = StateMap(nodes)                  nodes: anything with get, [] = and pop by (depth, prefix)
    state.update({key: value, other: None})  None removes it
    state.root()
    state.prove(key)                         a Proof of the value there, or that there is none

A binary trie by the bits of SHA-256(key), first bit first. What always holds: the root follows from the keys and values
alone, in whatever order and steps they came; a part of the trie that holds one key is that key's leaf, so that a proof
is about as long as the logarithm of the number of keys. docs/spec/ledger.md.

    leaf    SHA-256(00 || SHA-256(key) || SHA-256(value))
    branch  SHA-256(01 || left || right)
    empty   32 zero bytes
"""

import hashlib

from wattpact_protocol.crypto.merkle import leaf_hash, node_hash

EMPTY = bytes(32)
DEPTH = 256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    class Nodes(Protocol):
        """Where nodes are kept: 32 bytes of a branch's hash, or 64 of a leaf: its key's hash and its value's."""

        def get(self, place: tuple[int, int]) -> bytes | None: ...
        def __setitem__(self, place: tuple[int, int], node: bytes) -> None: ...
        def pop(self, place: tuple[int, int], default: None) -> bytes | None: ...

    Change = tuple[bytes, bytes | None]  # hash of a key, hash of its value


class ProofError(ValueError):
    """A proof does not show what it is for."""


class Proof:
    """`siblings` from the root down, and `other`: the leaf (64 bytes) in the key's place where it is another key's."""

    def __init__(self, siblings: "list[bytes]", other: "bytes | None" = None) -> None:
        self.siblings = siblings
        self.other = other


class StateMap:
    def __init__(self, nodes: "Nodes") -> None:
        self._nodes = nodes

    def root(self) -> bytes:
        return _hash(self._nodes.get((0, 0)))

    def update(self, changes: "Mapping[bytes, bytes | None]") -> None:
        """Set or remove the values of keys."""
        hashed = [(_sha256(key), None if value is None else _sha256(value)) for key, value in changes.items()]
        if hashed:
            self._update(0, 0, hashed)

    def root_after(self, changes: "Mapping[bytes, bytes | None]") -> bytes:
        """The root that `update` would give."""
        trial = StateMap(_Trial(self._nodes))
        trial.update(changes)
        return trial.root()

    def prove(self, key: bytes) -> Proof:
        path, siblings = _sha256(key), []
        depth, prefix = 0, 0
        node = self._nodes.get((0, 0))
        while node is not None and len(node) == 32:
            bit = _bit(path, depth)
            depth, prefix = depth + 1, prefix << 1 | bit
            siblings.append(_hash(self._nodes.get((depth, prefix ^ 1))))
            node = self._nodes.get((depth, prefix))
        return Proof(siblings, node if node is not None and node[:32] != path else None)

    def _update(self, depth: int, prefix: int, changes: "list[Change]") -> None:
        """Apply changes below a node, all of whose keys begin with its prefix."""
        place = (depth, prefix)
        node = self._nodes.get(place)
        if node is not None and len(node) == 32:
            for bit in (0, 1):
                part = [change for change in changes if _bit(change[0], depth) == bit]
                if part:
                    self._update(depth + 1, prefix << 1 | bit, part)
            self._join(depth, prefix)
            return
        if node is not None and all(path != node[:32] for path, _ in changes):
            changes = changes + [(node[:32], node[32:])]
        self._build(depth, prefix, [change for change in changes if change[1] is not None])

    def _build(self, depth: int, prefix: int, leaves: "list[Change]") -> None:
        """What a part of the trie is that holds these leaves and nothing else; nothing is below it yet."""
        if not leaves:
            self._nodes.pop((depth, prefix), None)
        elif len(leaves) == 1:
            path, value = leaves[0]
            assert value is not None
            self._nodes[depth, prefix] = path + value
        else:
            for bit in (0, 1):
                part = [leaf for leaf in leaves if _bit(leaf[0], depth) == bit]
                if part:
                    self._build(depth + 1, prefix << 1 | bit, part)
            self._join(depth, prefix)

    def _join(self, depth: int, prefix: int) -> None:
        """A branch of its two parts; where they hold one leaf or none between them, that takes its place."""
        places = ((depth + 1, prefix << 1), (depth + 1, prefix << 1 | 1))
        parts = [self._nodes.get(place) for place in places]
        held = [part for part in parts if part is not None]
        if not held:
            self._nodes.pop((depth, prefix), None)
        elif len(held) == 1 and len(held[0]) == 64:
            self._nodes[depth, prefix] = held[0]
            for place in places:
                self._nodes.pop(place, None)
        else:
            self._nodes[depth, prefix] = node_hash(_hash(parts[0]), _hash(parts[1]))


class _Trial:
    """Nodes that are read through and never written."""

    def __init__(self, nodes: "Nodes") -> None:
        self._nodes = nodes
        self._written: dict[tuple[int, int], bytes | None] = {}

    def get(self, place: "tuple[int, int]") -> "bytes | None":
        return self._written[place] if place in self._written else self._nodes.get(place)

    def __setitem__(self, place: "tuple[int, int]", node: bytes) -> None:
        self._written[place] = node

    def pop(self, place: "tuple[int, int]", default: None) -> "bytes | None":
        self._written[place] = None
        return None


def verify(root: bytes, key: bytes, value: "bytes | None", proof: Proof) -> None:
    """Whether that state has that value, or no value (None), under the key. Raises ProofError."""
    path, siblings, other = _sha256(key), proof.siblings, proof.other
    if len(siblings) > DEPTH or any(len(sibling) != 32 for sibling in siblings):
        raise ProofError("a proof is at most %d hashes of 32 bytes" % DEPTH)
    if value is not None:
        if other is not None:
            raise ProofError("the proof is of another key")
        node = leaf_hash(path + _sha256(value))
    elif other is None:
        node = EMPTY
    else:
        if len(other) != 64 or other[:32] == path:
            raise ProofError("the key is in that state")
        if any(_bit(path, depth) != _bit(other[:32], depth) for depth in range(len(siblings))):
            raise ProofError("the proof is of another place")
        node = leaf_hash(other)
    for depth in range(len(siblings) - 1, -1, -1):
        sibling = siblings[depth]
        node = node_hash(sibling, node) if _bit(path, depth) else node_hash(node, sibling)
    if node != root:
        raise ProofError("the proof leads to another root")


def _bit(path: bytes, depth: int) -> int:
    return path[depth >> 3] >> (7 - (depth & 7)) & 1


def _hash(node: "bytes | None") -> bytes:
    if node is None:
        return EMPTY
    return node if len(node) == 32 else leaf_hash(node)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
