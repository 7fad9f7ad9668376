"""Granting: which contracts are due a grant, and the publication of their grants by the issuer's key.

What always holds: what is due is decided by `market.grants` from verified entries alone, so that a node that starts
again decides the same; without the issuer's key nothing is granted here, and contracts are followed all the same.
"""

from collections.abc import Callable

from wattpact_protocol.log import kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.contracts import Agreements

from wattpact.keys import Signer
from wattpact.market.grants import Grants
from wattpact.store.sqlite.store import Store


class Granting:
    """`issuer` may be absent; `clock()` gives Unix seconds."""

    def __init__(self, store: Store, issuer: Signer | None, clock: Callable[[], int]) -> None:
        self._store = store
        self._issuer = issuer
        self._clock = clock
        self._grants = Grants()

    @property
    def agreements(self) -> Agreements:
        return self._grants.agreements

    def apply(self, new: Entry) -> None:
        """One verified entry that is no reading; in the order stored."""
        self._grants.apply(new)

    def publish_due(self) -> None:
        """Publish a grant for each contract that is due one; raises StoreError."""
        if self._issuer is not None:
            for body in self._grants.grants_due(self._clock()):
                self._store.publish(self._issuer, kinds.GRANT, body, self._clock())
