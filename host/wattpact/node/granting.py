"""Granting: the publication of grants for the contracts that are due one, by the issuer's key.

What always holds: what is due follows from the ledger alone, so that a node that starts again decides the same; without
the issuer's key nothing is granted here.
"""

from collections.abc import Callable

from wattpact_protocol.ledger.records import State
from wattpact_protocol.log import kinds

from wattpact.keys import Signer
from wattpact.market import grants
from wattpact.store.interface import Store
from wattpact.store.publishing import publish


class Granting:
    """`issuer` may be absent; `clock()` gives Unix seconds."""

    def __init__(self, store: Store, issuer: Signer | None, clock: Callable[[], int]) -> None:
        self._store = store
        self._issuer = issuer
        self._clock = clock
        self._tried: set[bytes] = set()  # contracts, so that a grant that is rejected is not published again and again

    def publish_due(self, state: State) -> bool:
        """Publish a grant for each contract that is due one by the ledger's state; whether there were any. Raises
        StoreError."""
        if self._issuer is None:
            return False
        due = [body for body in grants.due(self._store, state, self._clock()) if body["contract"] not in self._tried]
        for body in due:
            self._tried.add(body["contract"])
            publish(self._store, self._issuer, kinds.GRANT, body, self._clock())
        return bool(due)
