"""A Merkle root over ids: one 32-byte name for a list. The tree of RFC 9162, 2.1.1: a leaf never passes for a node."""

import hashlib


def _node(prefix: bytes, data: bytes) -> bytes:
    return hashlib.sha256(prefix + data).digest()


def root(leaves: "list[bytes]") -> bytes:
    """The root over `leaves` in the order given; of an empty list, SHA-256 of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = [_node(b"\x00", leaf) for leaf in leaves]
    while len(level) > 1:
        paired = [_node(b"\x01", level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]
