"""Granting: the publication of grants for the contracts that are due one, by the issuer's key.

What always holds: what is due follows from the ledger alone, so that a node that starts again decides the same; without
the issuer's key nothing is granted here.
"""

from collections.abc import Callable

from wattpact_protocol.ledger.records import State
from wattpact_protocol.log import entry, kinds

from wattpact.keys import Signer
from wattpact.market import grants
from wattpact.store.interface import Store
from wattpact.store.publishing import publish

MAX_TRIES = 3  # one that another grant overtook is published again, with a new number


class Granting:
    """`issuer` may be absent; `clock()` gives Unix seconds, `placed()` the cursor up to which all entries have their
    places: grants behind it may be on their way to the other hosts."""

    def __init__(
        self, store: Store, issuer: Signer | None, clock: Callable[[], int], placed: Callable[[], int]
    ) -> None:  # fmt: skip
        self._store = store
        self._issuer = issuer
        self._clock = clock
        self._placed = placed
        self._tries: dict[bytes, int] = {}  # by contract, so that a grant that is rejected is not published for ever

    def publish_due(self, state: State) -> bool:
        """Publish a grant for each contract that is due one by the ledger's state; whether there were any. Raises
        StoreError."""
        if self._issuer is None:
            return False
        rows = self._store.entries(self._placed(), of_kinds=(kinds.GRANT,))
        waiting = [entry.decode(row.raw, self._store.community).body for row in rows]
        found = grants.due(self._store, state, self._clock(), waiting)
        due = [body for body in found if self._tries.get(body["contract"], 0) < MAX_TRIES]
        for body in due:
            self._tries[body["contract"]] = self._tries.get(body["contract"], 0) + 1
            publish(self._store, self._issuer, kinds.GRANT, body, self._clock())
        return bool(due)
