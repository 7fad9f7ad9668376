"""Where a community's entries go when a ledger orders them: each in a block of its own, at the community's `now_s`.

community = Community(sink=Ordered)
community.sink.refused[new.id]                   why an entry was refused
community.sink.record(records.CONTRACT, id)      what the state says
"""

from wattpact_protocol.ledger.ledger import Ledger, Storage

from simulator.community import InMemory


class Ordered(InMemory):
    """`blocks`: all of them as bytes; `ledger` wrote them."""

    def __init__(self, community):
        super().__init__()
        self._community = community
        self.storage = Storage({}, {}, {})
        self.ledger = Ledger(self.storage, community.id)
        self.blocks = []
        self.refused = {}

    def append(self, new):
        super().append(new)
        self.order([new])

    def order(self, entries, anchors=()):
        """A block of these; it is left out where nothing can be ordered."""
        block, refused = self.ledger.propose(entries, anchors, self._community.now_s)
        if block is not None:
            self.blocks.append(block)
        self.refused.update(refused)

    def record(self, *key):
        return self.ledger.state.get(*key)
