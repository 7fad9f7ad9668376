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
from wattpact.bundle.cosigned import NOBODY, Required, WitnessKeyError
from wattpact.ordering.cosigning import best_head
from wattpact.ordering.writer import open_ledger
from wattpact.store.interface import Reader
from wattpact.store.records import Place

MAX_PROOF_BYTES = 1 << 20


class FollowingError(ValueError):
    """A ledger, a head or a proof that is not what it should be; the text says where."""


class Follower:
    """A ledger in memory, applied block by block."""

    def __init__(self, community: bytes) -> None:
        self._values: dict[bytes, bytes] = {}
        self._promised: tuple[bytes, Required] = b"", NOBODY  # and the record that it is of
        self.ledger = Ledger(Storage(self._values, {}, {}), community)

    def apply(self, raw: bytes) -> Header:
        """The next block; raises FollowingError."""
        try:
            header = self.ledger.append(raw, ed25519.verify)
        except BlockError as error:
            raise FollowingError(f"block {self.ledger.size} is rejected: {error}") from None
        held = self._values.get(records.key_of(records.COMMUNITY), b"")
        if held != self._promised[0]:
            self._promised = held, self._promised_in(raw, records.decode(records.COMMUNITY, held)["id"])
        return header

    def _promised_in(self, raw: bytes, name: bytes) -> Required:
        """What the community's entry of that id requires, which is in this block."""
        _, raws, _ = blocks.decode(raw)
        entries = (entry.decode(one, self.ledger.community) for one in raws)
        return next(cosigned.promised(new.body) for new in entries if new.id == name)

    @property
    def promised(self) -> Required:
        """The cosignatures that the community's entry requires, as of the last block."""
        return self._promised[1]

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


class Placed(NamedTuple):
    """That an entry is in a block under a head: the block's header, and both paths."""

    header: bytes
    inclusion: list[bytes]
    position: int
    entries: int
    path: list[bytes]
    entry: bytes


def prove(reader: Reader, name: bytes) -> bytes:
    """That an entry was ordered, as a file: under which head, who certified the host that signed it, and the newest of
    the community's entries under it. Raises FollowingError."""
    row = reader.entry_with_id(name)
    place = None if row is None else reader.place(row.cursor)
    if row is None or place is None or place.height is None or place.position is None:
        reason = f": it was rejected ({place.reason})" if place and place.reason else ""
        raise FollowingError(f"entry {name.hex()[:16]} is in no block{reason}")
    founded = _communities(reader)
    if not founded:
        raise FollowingError("no community has been founded in this ledger yet")
    head = best_head(reader, max(place.height, founded[0].height or 0))
    assert head is not None  # the place is in a block
    size = checkpoints.decode(head).size
    newest = [one for one in founded if one.height is not None and one.height < size][-1]
    return cbor.encode([
        head, list(_placed(reader, place, size)), _certificates(reader), list(_placed(reader, newest, size)),
    ])  # fmt: skip


def _communities(reader: Reader) -> list[Place]:
    """Where the community's entries were ordered, oldest first."""
    found = (reader.place(row.cursor) for row in reader.entries(of_kinds=(kinds.COMMUNITY,)))
    return sorted((one for one in found if one is not None and one.height is not None), key=lambda one: one[1:3])


def _placed(reader: Reader, place: Place, size: int) -> Placed:
    """An entry's place in its block, and that block's under the head over so many."""
    assert place.height is not None and place.position is not None
    block, rows = reader.block(place.height), reader.ordered_in(place.height)
    assert block is not None  # the place is in it
    ordered = tree.Tree({})
    for one in rows:
        ordered.append(tree.leaf_hash(one.id))
    return Placed(
        block.header, open_ledger(reader).inclusion(place.height, size), place.position, ordered.size,
        ordered.inclusion(place.position), rows[place.position].raw,
    )  # fmt: skip


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


def verify(data: bytes, root_public_key: bytes, wanted: Required | None = None) -> Proven:
    """What a proof shows, by the root key and the keys of witnesses alone; raises FollowingError, and
    MissingCosignaturesError where its head has not the cosignatures that are wanted, or where nothing is, those that
    the community's entry in it requires."""
    community = ids.community_id(root_public_key)
    try:
        head, placed, certificates, founded = cbor.decode(data, limit=MAX_PROOF_BYTES)
        point = decode_head(head, community)
        header, new = _verified(Placed(*placed), point, community)
        _, terms = _verified(Placed(*founded), point, community)
        members = _members(certificates, root_public_key, community)
        promised = cosigned.promised(terms.body) if terms.kind == kinds.COMMUNITY else None
    except (FollowingError, WitnessKeyError):
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise FollowingError(f"this is no proof of this community's ledger: {error}") from None
    hosts = [public_key for public_key, role in members.values() if role == roles.HOST]
    if not any(checkpoints.is_signed(point, key, ed25519.verify) for key in hosts):
        raise FollowingError("the head is not signed by a host that the root key leads to")
    public_key, role = members.get(terms.kid, (b"", 0))
    if promised is None or role != roles.ISSUER or not entry.verify(terms, public_key, ed25519.verify):
        raise FollowingError("the proof has no community's entry that an issuer signed")
    return Proven(new, header, point, cosigned.check(point, promised if wanted is None else wanted))


def _verified(placed: Placed, point: Checkpoint, community: bytes) -> tuple[Header, Entry]:
    """The entry and the block that it is in, under that head. Raises ValueError and others, for what is no proof."""
    header, new = blocks.decode_header(placed.header), entry.decode(placed.entry, community)
    tree.verify_inclusion(header.id, header.height, point.size, placed.inclusion, point.root)
    tree.verify_inclusion(
        tree.leaf_hash(new.id), placed.position, placed.entries, placed.path, header.entries_root
    )  # fmt: skip
    return header, new


def _members(raws: list[bytes], root_public_key: bytes, community: bytes) -> dict[bytes, tuple[bytes, int]]:
    """(public key, role) by kid, each certified by one that was before it, beginning with the root."""
    known = {ids.kid_of(root_public_key): (root_public_key, roles.ROOT)}
    for raw in raws:
        new = entry.decode(raw, community)
        public_key, role = known.get(new.kid, (b"", 0))
        if new.kind != kinds.CERTIFICATE or not entry.verify(new, public_key, ed25519.verify):
            raise FollowingError("a certificate in the proof does not lead to the root key")
        if not roles.may_publish({"role": role}, new):
            raise FollowingError("a certificate in the proof was not for its author to give")
        known[ids.kid_of(new.body["public_key"])] = (new.body["public_key"], new.body["role"])
    return known
