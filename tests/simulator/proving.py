"""A ledger in memory that proves what it has, as a host's does: for bundles without a store.

    community = Community(crypto=REAL, sink=Proving)
    bill.export(made, ledger, entries, community.host.kid, community.sink, publish)

Entries are ordered at the time of their stamps, where these are later than `now_s`.
"""

from wattpact.billing import proofs
from wattpact.bundle import format
from wattpact.bundle.format import Head, Record
from wattpact_protocol.ledger import checkpoints
from wattpact_protocol.ledger.machine import Machine
from wattpact_protocol.log import kinds

from simulator.ordered import Ordered


class Proving(Ordered):
    def order(self, entries, anchors=(), now_s=None):
        stamps = [new.stamp.unix_s for new in entries if new.stamp.unix_s is not None]
        super().order(entries, anchors, max([self._community.now_s, *stamps]) if now_s is None else now_s)

    def refresh(self, now_s):
        """A block of that time, with the heads of all logs as they are in `entries`."""
        heads = {}
        for new in self.entries:
            if self._community.authors[new.kid].chained:
                place = (new.generation, new.sequence + 1, new.id)
                heads[new.kid] = max(heads.get(new.kid, place), place)
        self.order([], [(kid, *place) for kid, place in heads.items()], now_s)

    def bundle(self, statement, picked, publish, change=None):
        """Of a statement over these entries, whatever they are; `change`: fields that are other than they should be."""
        found = proofs.records_of(self, statement, picked, self._community.host.kid)
        head = self.head()
        fields = {**statement.fields([new.id for new in picked], self.header), **(change or {})}
        return format.write(head, found, picked, publish(kinds.STATEMENT, fields))

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


class Stamped(Proving):
    """Each entry takes effect at its stamp, whatever was before it, as in `settlement.folding`; `refresh` makes a block
    of all of it."""

    def order(self, entries, anchors=(), now_s=None):
        machine = Machine(self.ledger.state, self._community.id)
        for new in entries:
            reason = machine.apply(new, new.stamp.unix_s or 0)
            if reason:
                self.rejected[new.id] = reason
        if now_s is not None:
            self.ledger.propose([], anchors, now_s, even_empty=True)
