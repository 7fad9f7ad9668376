"""Where a community's entries go when a ledger orders them: each in a block of its own, at the community's `now_s`.
Runs on both Pythons.

community = Community(sink=Ordered)
community.sink.record_of(records.CONTRACT, id)   what the state has
"""

from wattpact_protocol.ledger.ledger import Ledger, Storage
from wattpact_protocol.ledger.machine import RULES

from simulator.community import InMemory


class Ordered(InMemory):
    """`blocks`: all of them as bytes; `ledger` wrote them, and proves as a host's does. Why an entry is in none is
    beside them, by id."""

    def __init__(self, community):
        super().__init__()
        self._community = community
        self.storage = Storage({}, {}, {})
        self.ledger = Ledger(self.storage, community.id)
        self.blocks = []
        self.rejected = {}

    def append(self, new):
        super().append(new)
        if new.kind in RULES:
            self.order([new])

    def order(self, entries, anchors=(), now_s=None):
        """A block of these; it is left out where nothing can be ordered."""
        block, rejected = self.ledger.propose(entries, anchors, self._community.now_s if now_s is None else now_s)
        if block is not None:
            self.blocks.append(block)
        self.rejected.update(rejected)

    def record_of(self, *key):
        return self.ledger.state.get(*key)
