"""What a quorum's ledger begins from: the blocks that one host wrote before, the same for every host that joins.

    begin    from now on a quorum orders this ledger: after so many blocks, and by the hosts certified in them
    write    these blocks and their head as a file, for who joins
    join     an empty store takes them from that file, each verified and applied
    genesis  CometBFT's, made from a store that began or joined

What always holds: two hosts with the same blocks make the same genesis, byte for byte; a store joins whole or not at
all, and only what is signed under the community's root.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.ledger import blocks, checkpoints, members, records
from wattpact_protocol.ledger.blocks import BlockError
from wattpact_protocol.ledger.ledger import Ledger
from wattpact_protocol.log import entry, roles

from wattpact.consensus import home
from wattpact.keys import Signer
from wattpact.ordering import exported
from wattpact.ordering.following import FollowingError, decode_head
from wattpact.ordering.keeping import CHECKPOINT, keep_block
from wattpact.ordering.storage import StoredLedger
from wattpact.ordering.writer import open_ledger
from wattpact.quorum.adopting import adopt
from wattpact.store.interface import Reader, Store
from wattpact.store.records import JOINED_S, QUORUM_BLOCKS

# Of each host: one host, one vote. CometBFT rounds a third of all power down: of four with 1 each it takes one for a
# third, and a host that comes back would vote anew on heights that are long decided, instead of fetching their blocks.
POWER = 10

FOUNDERS, _HEAD = "quorum_founders", "quorum_head"  # keys one after another; the head over the blocks before


class FoundedError(ValueError):
    """A store that no quorum's ledger begins from; the text says what to do."""


class Founded(NamedTuple):
    """After which blocks the quorum began to order."""

    community: bytes
    blocks: int
    root: bytes

    def as_json(self) -> dict[str, Any]:
        return {"community": self.community.hex(), "blocks": self.blocks, "root": self.root.hex()}


def decode(app_state: bytes) -> Founded:
    """Raises FoundedError."""
    try:
        found = json.loads(app_state)
        return Founded(bytes.fromhex(found["community"]), int(found["blocks"]), bytes.fromhex(found["root"]))
    except (KeyError, TypeError, ValueError):
        raise FoundedError("the genesis of CometBFT is not of this program's; join anew") from None


def begin(store: Store) -> None:
    """From now on a quorum orders, and no host alone; nothing changes where it does already. Raises FoundedError,
    StoreError."""
    with store.transaction():
        if store.number(QUORUM_BLOCKS):
            return
        last = store.last_block()
        founders = {} if last is None else hosts_of(store, last.time_s)
        if last is None or not founders:
            raise FoundedError("nothing is ordered here yet; start the node once with `wattpact node`")
        store.set_number(QUORUM_BLOCKS, last.height + 1)
        store.set_meta(FOUNDERS, b"".join(sorted(founders.values())))
        store.set_text(_HEAD, store.text(CHECKPOINT))


def hosts_of(reader: Reader, now_s: int) -> dict[bytes, bytes]:
    """kid -> public key of each host whose newest certificate is in force, by the state after the last block."""
    found = {}
    for name, value in reader.ledger_values(records.prefix_of(records.AUTHOR, 1)):
        author = records.decode(records.AUTHOR, value)
        if author["role"] == roles.HOST and is_in_force(author, now_s):
            found[bytes(records.parts_of(name)[1][0])] = bytes(author["public_key"])
    return found


def is_in_force(author: dict[str, Any], now_s: int) -> bool:
    newest = members.newest(author)
    return bool(newest["begin_s"] <= now_s <= newest["end_s"])


def write(path: Path, reader: Reader) -> int:
    """The blocks before the quorum's and their head, as `ledger export` writes them; gives how many. Raises
    FoundedError, OSError."""
    count = _count(reader)
    exported.write_blocks(path, reader, reader.text(_HEAD), count)
    return count


def join(store: Store, path: Path, host: Signer, now_s: int) -> int:
    """Take over the blocks of a file into a store that has none; gives how many. Raises FollowingError, StoreError,
    OSError."""
    point = decode_head(exported.head_of(path), store.community)
    storage = StoredLedger(store)
    ledger = Ledger(storage, store.community)
    with store.transaction():
        for raw in exported.blocks_of(path):
            try:
                header = ledger.append(raw, ed25519.verify)
            except BlockError as error:
                raise FollowingError(f"block {ledger.size} is rejected: {error}") from None
            keep_block(store, ledger, storage, raw, host)
            entries = [entry.decode(one, store.community) for one in blocks.decode(raw)[1]]
            adopt(store, entries, {}, header.height, now_s)
        last = ledger.last
        keys = [] if last is None else hosts_of(store, last.time_s).values()
        if (point.size, point.root) != (ledger.size, ledger.root()) or not any(
            checkpoints.is_signed(point, key, ed25519.verify) for key in keys
        ):
            raise FollowingError("the head of this file is not of its blocks, or not signed by a host of the community")
        begin(store)
        store.set_text(_HEAD, point.text)
        store.set_number(JOINED_S, now_s)
    return ledger.size


def genesis(reader: Reader) -> bytes:
    """As of the blocks after which the quorum began; the store may have more by now. Raises FoundedError."""
    count = _count(reader)
    block, kept = reader.block(count - 1), reader.meta(FOUNDERS)
    if block is None or kept is None:
        raise FoundedError("this data directory has lost the blocks before the quorum's; join anew")
    founded = Founded(reader.community, count, open_ledger(reader).root(count))
    keys = [kept[at : at + 32] for at in range(0, len(kept), 32)]
    return home.genesis(
        f"wattpact-{reader.community.hex()}", block.time_s, founded.as_json(), founded.root,
        [(key, POWER, key.hex()[:16]) for key in keys],
    )  # fmt: skip


def _count(reader: Reader) -> int:
    count = reader.number(QUORUM_BLOCKS)
    if not count:
        raise FoundedError("one host orders this ledger; `wattpact quorum found` hands it over to several")
    return count
