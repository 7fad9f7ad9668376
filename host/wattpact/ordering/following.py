"""Following a ledger: its blocks applied again from the first on, and proofs of single entries.

What always holds: who follows accepts no block that the rules or signatures do not allow, and no head that is not of
what it has applied; a proof is checked with the root key of the community and nothing else. docs/spec/ledger.md.
"""

from typing import Any, NamedTuple

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import blocks, checkpoints, records, tree
from wattpact_protocol.ledger.blocks import BlockError, Header
from wattpact_protocol.ledger.checkpoints import Checkpoint, CheckpointError
from wattpact_protocol.ledger.ledger import Ledger, Storage
from wattpact_protocol.log import entry, ids, kinds, roles
from wattpact_protocol.log.entry import Entry

from wattpact.bundle import cosigned
from wattpact.bundle.cosigned import NOBODY, Required
from wattpact.ordering.cosigning import best_head
from wattpact.ordering.writer import open_ledger
from wattpact.store.interface import Reader

MAX_PROOF_BYTES = 1 << 20


class FollowingError(ValueError):
    """A ledger, a head or a proof that is not what it should be; the text says where."""


class Follower:
    """A ledger in memory, applied block by block."""

    def __init__(self, community: bytes) -> None:
        self._values: dict[bytes, bytes] = {}
        self.ledger = Ledger(Storage(self._values, {}, {}), community)

    def apply(self, raw: bytes) -> Header:
        """The next block; raises FollowingError."""
        try:
            return self.ledger.append(raw, ed25519.verify)
        except BlockError as error:
            raise FollowingError(f"block {self.ledger.size} is rejected: {error}") from None

    def check_head(self, text: str) -> Checkpoint:
        """Whether a head is signed by a host of the community and is of the blocks applied; raises FollowingError."""
        point = decode_head(text, self.ledger.community)
        if not self.is_signed(point):
            raise FollowingError("the head is not signed by a host of this community")
        if point.size > self.ledger.size or point.root != self.ledger.root(point.size):
            raise FollowingError(f"the head over {point.size} blocks is of other blocks than those that were given")
        return point

    def is_signed(self, point: Checkpoint) -> bool:
        """Whether a host of the community, as of the last block applied, signed a head."""
        hosts = [author for author in self._authors() if author["role"] == roles.HOST]
        return any(checkpoints.is_signed(point, host["public_key"], ed25519.verify) for host in hosts)

    def _authors(self) -> list[dict[str, Any]]:
        prefix = records.prefix_of(records.AUTHOR, 1)
        values = self._values.items()
        return [records.decode(records.AUTHOR, value) for name, value in values if name.startswith(prefix)]


def decode_head(text: str, community: bytes) -> Checkpoint:
    """Raises FollowingError."""
    try:
        point = checkpoints.decode(text)
    except CheckpointError as error:
        raise FollowingError(f"this is no head of a ledger: {error}") from None
    if point.origin != checkpoints.origin_of(community):
        raise FollowingError("the head is of another community's ledger")
    return point


class Proof(NamedTuple):
    """That an entry was ordered: the head, the block's header, both paths, and who certified the host that signed."""

    head: str
    header: bytes
    inclusion: list[bytes]
    position: int
    entries: int
    path: list[bytes]
    entry: bytes
    certificates: list[bytes]


def prove(reader: Reader, name: bytes) -> bytes:
    """The proof of an entry's place, as a file; raises FollowingError."""
    row = reader.entry_with_id(name)
    place = None if row is None else reader.place(row.cursor)
    if row is None or place is None or place.height is None or place.position is None:
        reason = f": it was rejected ({place.reason})" if place and place.reason else ""
        raise FollowingError(f"entry {name.hex()[:16]} is in no block{reason}")
    block = reader.block(place.height)
    head = best_head(reader, place.height)
    assert block is not None and head is not None  # the place is in a block
    inclusion = open_ledger(reader).inclusion(place.height, checkpoints.decode(head).size)
    ordered = tree.Tree({})
    for one in reader.ordered_in(place.height):
        ordered.append(tree.leaf_hash(one.id))
    return cbor.encode(list(Proof(
        head, block.header, inclusion, place.position, ordered.size, ordered.inclusion(place.position), row.raw,
        _certificates(reader),
    )))  # fmt: skip


def _certificates(reader: Reader) -> list[bytes]:
    """Those of the root, the issuers and the hosts, which lead to who signed the head."""
    wanted = (roles.ROOT, roles.ISSUER, roles.HOST)
    found = [known for known in reader.certificates() if known.body["role"] in wanted]
    rows = [reader.entry_with_id(known.id) for known in sorted(found, key=lambda known: known.body["role"])]
    return [row.raw for row in rows if row is not None]


class Proven(NamedTuple):
    """What a proof shows."""

    entry: Entry
    header: Header
    head: Checkpoint
    cosigned: dict[str, int]


def verify(data: bytes, root_public_key: bytes, wanted: Required = NOBODY) -> Proven:
    """What a proof shows, by the root key and the keys of witnesses alone; raises FollowingError, and
    MissingCosignaturesError where its head has not the cosignatures that are wanted."""
    community = ids.community_id(root_public_key)
    try:
        proof = Proof(*cbor.decode(data, limit=MAX_PROOF_BYTES))
        header = blocks.decode_header(proof.header)
        new = entry.decode(proof.entry, community)
        point = decode_head(proof.head, community)
        tree.verify_inclusion(header.id, header.height, point.size, proof.inclusion, point.root)
        tree.verify_inclusion(
            tree.leaf_hash(new.id), proof.position, proof.entries, proof.path, header.entries_root
        )  # fmt: skip
        keys = _host_keys(proof.certificates, root_public_key, community)
    except FollowingError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise FollowingError(f"this is no proof of this community's ledger: {error}") from None
    if not any(checkpoints.is_signed(point, key, ed25519.verify) for key in keys):
        raise FollowingError("the head is not signed by a host that the root key leads to")
    return Proven(new, header, point, cosigned.check(point, wanted))


def _host_keys(raws: list[bytes], root_public_key: bytes, community: bytes) -> list[bytes]:
    """The public keys of hosts, each certified by one that was before it, beginning with the root."""
    known = {ids.kid_of(root_public_key): (root_public_key, roles.ROOT)}
    hosts = []
    for raw in raws:
        new = entry.decode(raw, community)
        public_key, role = known.get(new.kid, (b"", 0))
        if new.kind != kinds.CERTIFICATE or not entry.verify(new, public_key, ed25519.verify):
            raise FollowingError("a certificate in the proof does not lead to the root key")
        if not roles.may_publish({"role": role}, new):
            raise FollowingError("a certificate in the proof was not for its author to give")
        known[ids.kid_of(new.body["public_key"])] = (new.body["public_key"], new.body["role"])
        if new.body["role"] == roles.HOST:
            hosts.append(new.body["public_key"])
    return hosts
