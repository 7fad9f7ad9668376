"""A small community with real signatures and a month's dealings, every kind of entry among them that a bundle has.

Its meters seal what they measure, unless `sealed` is False."""

import json

from wattpact import keys
from wattpact.accounts import Accounts
from wattpact.billing import bill
from wattpact.ingest.pipeline import STORED, Ingest
from wattpact.ordering.writer import ORDERED, Writer
from wattpact.store.sqlite.store import Store
from wattpact_protocol.log import event_codes, kinds

from simulator.authors import REAL
from simulator.community import DAILY, NEVER, START_S, Community
from simulator.disclosed import disclosed
from simulator.proving import Proving

S = START_S  # 2026-10-01 00:00 UTC; bills here are for October in Amsterdam
HOUR = 3600
MONTH = "2026-10"


class TradedMonth:
    """Three owners; contracts with a shortfall, a termination by a person, a gap, a doubtful clock, a void reading."""

    def __init__(self, name: str = "month", sealed: bool = True):
        self.community = community = Community(
            crypto=REAL, name=name, seals=DAILY if sealed else NEVER, sink=Proving
        )  # fmt: skip
        self.east, self.west, self.north = (community.person(each) for each in ("east", "west", "north"))
        self.roof = community.meter("roof", self.east, 9000)
        self.wallbox = community.meter("wallbox", self.west, 12000)
        self.pump = community.meter("pump", self.north, 12000)
        community.tariff(0, 300_000, 70_000)
        community.tariff(S + HOUR * 3, 350_000, 60_000)
        self.deal()
        self.measure()

    def deal(self):
        community = self.community
        sell = community.mandate(self.east, self.roof, kinds.SELL, 180_000, 9000, 9000, S, S + 4 * HOUR)
        buy = community.mandate(self.west, self.wallbox, kinds.BUY, 250_000, 5000, 9000, S, S + 4 * HOUR)
        offer = community.offer(self.roof, 180_000, 3000, 8000, S, S + 4 * HOUR, sell.id, S + 5)
        demand = community.demand(self.wallbox, 250_000, 2000, 8000, S, S + 4 * HOUR, buy.id, S + 6)
        acceptance = community.accept(self.wallbox, offer, 2000, timeout_s=1800, unix_s=S + 7, demand=demand.id)
        self.first = community.confirm(self.roof, acceptance, S + 8)
        community.grant(self.first, offer, acceptance, S + 9)
        needed = community.need(self.pump, offer, 1000)
        acceptance = community.accept(self.pump, offer, 1000, timeout_s=1800, unix_s=S + 10, demand=needed.id)
        self.second = community.confirm(self.roof, acceptance, S + 11)
        community.grant(self.second, offer, acceptance, S + 12)
        community.reading(self.wallbox, S - 900, [0, 0, 0])
        community.reading(self.pump, S, [0, 0])
        community.start(self.wallbox, self.first, S + 900)
        community.start(self.pump, self.second, S + 1000)

    def measure(self):
        community, first = self.community, self.first
        bits = [(i * 7919) % 900 for i in range(16)]
        sun = [0]
        for wh in bits:
            sun.append(sun[-1] + wh)
        for i in range(0, 16, 4):
            community.reading(self.roof, S + 900 * i, [0] * 5, sun[i : i + 5])
        used = [450 * i for i in range(16)]
        for i in range(1, 15):
            community.reading(self.wallbox, S + 900 * i, used[i - 1 : i + 1])
            if i == 3:
                event = {"code": event_codes.RELAY_CLOSED, "contract": first.id, "registers": {1: used[i]}}
                community.publish(self.wallbox, kinds.EVENT, event, S + 900 * i + 5)
            if i == 5:
                community.use(self.wallbox, first, 800, used[i], S + 900 * i + 901)
        community.terminate(self.north, self.second, S + 900 * 8)
        end_s = S + 900 * 15
        community.end_use(self.wallbox, first, 2000, used[14], kinds.END_USED_UP, end_s, clock_status=2)
        community.reading(self.wallbox, S + 900 * 15, [used[14], used[15]])
        community.reading(self.pump, S + 900, [0, 300, 700])
        community.reading(self.pump, S + 900 * 3, [100, 200])  # falls: counts for nothing
        community.reading(self.pump, S + 900 * 6, [1500, 1800, 1800, 1900])
        end_s = S + 31 * 24 * HOUR
        for meter, values in ((self.roof, (0, sun[-1])), (self.wallbox, (used[15] + 5, 0)), (self.pump, (2000, 0))):
            community.reading(meter, end_s, [values[0]] * 2, [values[1]] * 2)
        self.now_s = end_s + 7200

    def accounts(self) -> Accounts:
        accounts = Accounts()
        accounts.apply(self.unsealed)
        accounts.settle(self.now_s)
        return accounts

    @property
    def unsealed(self):
        """All entries, as whoever has the keys reads them."""
        return self.community.unsealed()

    @property
    def keys(self):
        """What an auditor gets besides the bundle."""
        return [disclosed(self.community)] if self.community.keys else []

    def publish(self, kind, body):
        return self.community.publish(self.community.host, kind, body, self.now_s)

    def bundle(self, owner=None, month=MONTH) -> bytes:
        accounts = self.accounts()
        made = bill.make(accounts, (owner or self.west).kid, month)
        sink = self.community.sink
        sink.refresh(self.now_s)
        return bill.export(made, accounts, list(self.unsealed), self.community.host.kid, sink, self.publish)

    def state(self, made, picked, change=None) -> bytes:
        """The bundle of a statement over these entries, as a host signs it that may be dishonest."""
        sink = self.community.sink
        sink.refresh(self.now_s)
        return sink.bundle(made, picked, self.publish, change)

    def fill(self, folder):
        """A data directory of the operator's, with west's and north's keys too, that ingested all of it."""
        community = self.community
        content = {"wattpact_data": 1, "root_public_key": community.root.public_key.hex()}
        (folder / "settings.json").write_text(json.dumps(content))
        ring = keys.Keyring(folder / "keys")
        for name, author in (("host", community.host), ("issuer", community.issuer)):
            ring.create(name, author.key.seed)
        for author in (self.west, self.north):
            ring.create_person(author.name, author.key.seed)
        now_s = 0
        with Store(folder / "wattpact.db", community.id) as store:
            ingest = Ingest(store, community.root.public_key, lambda: now_s)
            writer = Writer(store, community.host.key, lambda: now_s)
            for new in community.entries:
                now_s = max(now_s, new.stamp.unix_s or 0)
                assert [verdict.reason for verdict in ingest.ingest([new.raw])] == [STORED]
                if new.kind in ORDERED:
                    writer.order()
            ingest.close()
        return folder
