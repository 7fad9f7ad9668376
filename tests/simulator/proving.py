"""A ledger in memory that proves what it has, as a host's does: for bundles without a store.

    community = Community(crypto=REAL, sink=Proving)
    bill.export(made, ledger, entries, community.host.kid, community.sink, publish)

Entries are ordered at the time of their stamps, where these are later than `now_s`.
"""

from wattpact.bundle.format import Head, Record
from wattpact_protocol.ledger import checkpoints

from simulator.ordered import Ordered


class Proving(Ordered):
    def order(self, entries, anchors=(), now_s=None):
        stamps = [new.stamp.unix_s for new in entries if new.stamp.unix_s is not None]
        super().order(entries, anchors, max([self._community.now_s, *stamps]) if now_s is None else now_s)

    def refresh(self, now_s):
        """A block of that time, with the heads of all logs."""
        heads = [
            (who.kid, who.generation, who.sequence, who.previous)
            for who in self._community.authors.values() if who.chained and who.sequence
        ]  # fmt: skip
        self.order([], heads, now_s)

    @property
    def header(self):
        return self.ledger.last

    def head(self):
        host = self._community.host
        point = checkpoints.Checkpoint(
            checkpoints.origin_of(self._community.id), self.ledger.size, self.ledger.root()
        )  # fmt: skip
        checkpoints.sign(point, host.public_key, host.sign)
        return Head(point.text, self.header.raw, self.ledger.inclusion(self.header.height))

    def record(self, key):
        return Record(key, self.storage.values.get(key), self.ledger.prove(key))
