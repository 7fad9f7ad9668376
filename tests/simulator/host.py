"""A host with a real store, ingest and projections, where the entries of a community go.

    community = hosted(tmp_path)
    meter = community.owned_meter("House 1 solar")
    new = meter.reading(START_S, [(5, 0), (4, 0)])         signed, the next of the meter's log, and nowhere yet
    community.sink.stored(new)                             ingested, and what can be unsealed is projected
    community.publish(community.issuer, "policy", {...})   signed and stored

Meters seal what they measure unless they are made otherwise: a key is open from the start.
"""

from contextlib import contextmanager
from pathlib import Path

from wattpact.ingest.pipeline import STORED, Ingest
from wattpact.keys import Signer
from wattpact.membership import members
from wattpact.node.node import Node
from wattpact.ordering.writer import Writer
from wattpact.projections.follow import Projections
from wattpact.projections.unsealing import Unsealer
from wattpact.store.sqlite.store import Store
from wattpact_protocol.log import entry, ids

from simulator import bodies
from simulator.community import AT_ONCE, START_S, Community

PRICES = (300_000, 80_000)
TERMS = members.FoundingTerms(
    **{name: bodies.community()[name] for name in ("name", "currency", "timezone", "slot_s")},
    import_micro_per_kwh=PRICES[0], export_micro_per_kwh=PRICES[1],
)  # fmt: skip


def key(name):
    """The signer whose seed is the hash of its name."""
    return Signer(ids.sha256(name.encode()), name)


def hosted(directory, now_s=START_S, slot_s=900, prices=PRICES, seals=AT_ONCE, **more):
    """A community on a host of its own in this directory, `community.sink`; `more` is for the Host."""
    return Community(
        slot_s, prices=prices, seals=seals, now_s=now_s, key=key,
        sink=lambda community: Host(community, directory, **more),
    )  # fmt: skip


def node_of(community, issuer=True):
    """A node on the host of that community, with the issuer's key or without it."""
    signer = community.issuer if issuer else None
    return Node(community.sink.store, community.root.public_key, community.host, signer, community.sink.clock)


@contextmanager
def hosted_with_node(directory):
    """A community on a host, and `community.node`, which may be replaced meanwhile; both are closed at the end."""
    made = hosted(directory)
    made.node = node_of(made)
    yield made
    made.node.pipeline.close()
    made.sink.close()


@contextmanager
def hosted_with_meter(directory):
    """A community on a host, with a meter and its owner, so with blocks; it is closed at the end."""
    made = hosted(directory)
    made.owned_meter("House 1")
    yield made
    made.sink.close()


class Host:
    """A store at directory/wattpact.db and an ingest, by the clock of their community.

    `readers` are those whose keys unseal here: the issuer, where none are given."""

    def __init__(self, community, directory, readers=None):
        self.community = community
        self.path = Path(directory) / "wattpact.db"
        self.readers = [community.issuer] if readers is None else readers
        self.open()

    def clock(self):
        return self.community.now_s

    def open(self):
        self.store = Store(self.path, self.community.id)
        self.pipeline = Ingest(self.store, self.community.root.public_key, self.clock)
        self.unsealer = Unsealer(self.store, self.readers)
        self.writer = Writer(self.store, self.community.host.key, self.clock)
        self.projections = Projections(
            self.store, self.unsealer, self.pipeline.rejections, self.clock, self.writer
        )  # fmt: skip

    def reopen(self):
        """As after a restart: nothing but the files remains."""
        self.close()
        self.open()

    def close(self):
        self.pipeline.close()
        self.store.close()

    def append(self, new):
        self.stored(new)

    def catch_up(self, author):
        """A node and its commands sign with the keys of root, issuer and host too: the store has their place."""
        if author in (self.community.root, self.community.issuer, self.community.host):
            head = self.store.head(author.kid, author.generation)
            if head is not None:
                author.place = (author.generation, head[0] + 1, head[1])

    def ingest(self, entries, source="test"):
        """Verdicts on entries, or on anything's bytes; what was stored is projected, as a node does."""
        verdicts = self.pipeline.ingest([getattr(new, "raw", new) for new in entries], source)
        self.projections.follow()
        return verdicts

    def stored(self, *entries):
        """Ingest entries and insist that each was stored; gives the last."""
        verdicts = self.ingest(entries)
        assert [verdict.reason for verdict in verdicts] == [STORED] * len(entries), verdicts
        return entries[-1]

    def reasons(self, entries, source="test"):
        return [verdict.reason for verdict in self.ingest(entries, source)]

    def unsealed(self, row):
        """A stored row as whoever has the readers' keys reads it."""
        return self.unsealer.look(entry.decode(row.raw, self.community.id))
