"""Publishing: an entry signed and appended to its author's own log, or given as a person's order.

What always holds: two programs that publish in one log never use a sequence twice, because the place is chosen inside
the transaction that fills it. docs/spec/log.md.
"""

from typing import Any

from wattpact_protocol.log import entry, kinds, roles
from wattpact_protocol.log.entry import Entry

from wattpact.keys import Signer
from wattpact.store.interface import Reader, Store
from wattpact.store.records import JOINED_S, Accepted, StoreError

Place = tuple[int, int, bytes]  # generation, sequence, previous


def publish(store: Store, signer: Signer, kind: int, body: dict[str, Any], now_s: int) -> Entry:
    """Sign an entry of the signer's and append it; raises StoreError, EntryError."""
    with store.transaction():
        place, chained = _place(store, signer, kind, body)
        new = entry.sign(kind, body, place, entry.Stamp(0, 0, now_s), signer.kid, store.community, signer.sign)
        store.append([Accepted(new, chained)], now_s)
    return new


def has_lost_log(reader: Reader, host: Signer) -> bool:
    """Whether a host was certified before its store here was made of the blocks of others: its log began elsewhere,
    and whatever it signed here would fork it."""
    joined_s, found = reader.number(JOINED_S), reader.certificates_of(host.kid)
    if not joined_s or not found:
        return False
    begun = next(one for one in found if one.body["generation"] == found[-1].body["generation"])
    row = reader.entry_with_id(begun.id)
    return row is not None and (row.unix_s or 0) < joined_s


def _place(store: Store, signer: Signer, kind: int, body: dict[str, Any]) -> tuple[Place, bool]:
    """Where the signer's next entry goes, and whether that is in a chain."""
    found = store.certificates_of(signer.kid)
    if not found:
        if kind == kinds.CERTIFICATE and body.get("public_key") == signer.public_key:
            return (0, 0, entry.NO_PREVIOUS), True
        raise StoreError(f"{signer.name or signer.kid.hex()} has no certificate in this community")
    newest = found[-1]
    generation = newest.body["generation"]
    if newest.body["role"] == roles.HOST and has_lost_log(store, signer):
        raise StoreError(
            "the log of this host was lost with its disk, and it signs nothing before the operator begins a new one:"
            " wattpact quorum add NAME KEY --again, with the KEY that `wattpact quorum show` has here"
        )
    if newest.body["role"] == roles.PERSON:
        return (generation, 0, newest.id), False
    head = store.head(signer.kid, generation)
    return ((generation, 0, newest.id) if head is None else (generation, head[0] + 1, head[1])), True
