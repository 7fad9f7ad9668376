"""A small community with real signatures and a month's dealings, every kind of evidence among them, for tests.

Its meters seal what they measure, unless `sealed` is False."""

import json

from wattpact import keys
from wattpact.billing import bill
from wattpact.ingest.pipeline import STORED, Ingest
from wattpact.ledger import Ledger
from wattpact.store.sqlite.store import Store
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import event_codes, kinds

from simulator.community import START_S, Village
from simulator.sealing import SealedVillage

S = START_S  # 2026-10-01 00:00 UTC; bills here are for October in Amsterdam
HOUR = 3600
MONTH = "2026-10"


class Scene:
    """Three houses; contracts with a shortfall, a termination by a person, a gap, a doubtful clock, a void reading."""

    def __init__(self, name: str = "scene", sealed: bool = True):
        self.village = village = (SealedVillage if sealed else Village)(900, ed25519=ed25519, name=name)
        self.east, self.west, self.north = (village.person(each) for each in ("east", "west", "north"))
        self.roof = village.meter("roof", self.east, 9000)
        self.wallbox = village.meter("wallbox", self.west, 12000)
        self.pump = village.meter("pump", self.north, 12000)
        village.tariff(0, 300_000, 70_000)
        village.tariff(S + HOUR * 3, 350_000, 60_000)
        self.deal()
        self.measure()

    def deal(self):
        village = self.village
        sell = village.mandate(self.east, self.roof, kinds.SELL, 180_000, 9000, 9000, S, S + 4 * HOUR)
        buy = village.mandate(self.west, self.wallbox, kinds.BUY, 250_000, 5000, 9000, S, S + 4 * HOUR)
        offer = village.offer(self.roof, 180_000, 3000, 8000, S, S + 4 * HOUR, sell.id, S + 5)
        body = {
            "price_micro_per_kwh": 250_000, "wh": 2000, "max_w": 8000, "start_s": S, "end_s": S + 4 * HOUR,
            "valid_until_s": S + 4 * HOUR, "mandate": buy.id,
        }  # fmt: skip
        demand = village.publish(self.wallbox, kinds.DEMAND, body, S + 6)
        body = {"offer": offer.id, "wh": 2000, "priority": 1, "start_timeout_s": 1800, "demand": demand.id}
        acceptance = village.publish(self.wallbox, kinds.ACCEPTANCE, body, S + 7)
        self.first = village.confirm(self.roof, acceptance, S + 8)
        village.grant(self.wallbox, self.first, offer, acceptance, S + 9)
        acceptance = village.accept(self.pump, offer, 1000, timeout_s=1800, unix_s=S + 10)
        self.second = village.confirm(self.roof, acceptance, S + 11)
        village.grant(self.pump, self.second, offer, acceptance, S + 12)
        village.reading(self.wallbox, S - 900, [0, 0, 0])
        village.reading(self.pump, S, [0, 0])
        village.start(self.wallbox, self.first, S + 900)
        village.start(self.pump, self.second, S + 1000)

    def measure(self):
        village, first = self.village, self.first
        bits = [(i * 7919) % 900 for i in range(16)]
        sun = [0]
        for wh in bits:
            sun.append(sun[-1] + wh)
        for i in range(0, 16, 4):
            village.reading(self.roof, S + 900 * i, [0] * 5, sun[i : i + 5])
        used = [450 * i for i in range(16)]
        for i in range(1, 15):
            village.reading(self.wallbox, S + 900 * i, used[i - 1 : i + 1])
            if i == 3:
                event = {"code": event_codes.RELAY_CLOSED, "contract": first.id, "registers": {1: used[i]}}
                village.publish(self.wallbox, kinds.EVENT, event, S + 900 * i + 5)
            if i == 5:
                body = {"contract": first.id, "attributed_wh": 800, "import_wh": used[i]}
                village.publish(self.wallbox, kinds.USAGE, body, S + 900 * i + 901)
        body = {"contract": first.id, "attributed_wh": 2000, "import_wh": used[14], "reason": kinds.END_USED_UP}
        village.publish(self.wallbox, kinds.USAGE_END, body, S + 900 * 15, 2)
        village.reading(self.wallbox, S + 900 * 15, [used[14], used[15]])
        village.reading(self.pump, S + 900, [0, 300, 700])
        village.reading(self.pump, S + 900 * 3, [100, 200])  # falls: counts for nothing
        village.reading(self.pump, S + 900 * 6, [1500, 1800, 1800, 1900])
        village.terminate(self.north, self.second, S + 900 * 8)
        end_s = S + 31 * 24 * HOUR
        for meter, values in ((self.roof, (0, sun[-1])), (self.wallbox, (used[15] + 5, 0)), (self.pump, (2000, 0))):
            village.reading(meter, end_s, [values[0]] * 2, [values[1]] * 2)
        self.now_s = end_s + 7200

    def ledger(self) -> Ledger:
        ledger = Ledger()
        ledger.apply(self.opened)
        ledger.settle(self.now_s)
        return ledger

    @property
    def opened(self):
        """All entries, as who has the keys reads them."""
        return self.village.opened() if isinstance(self.village, SealedVillage) else self.village.entries

    @property
    def keys(self):
        """What an auditor gets besides the bundle."""
        return [self.village.disclosure()] if isinstance(self.village, SealedVillage) else []

    def publish(self, kind, body):
        return self.village.publish(self.village.host, kind, body, self.now_s)

    def bundle(self, owner=None, month=MONTH) -> bytes:
        ledger = self.ledger()
        made = bill.make(ledger, (owner or self.west).kid, month)
        return bill.export(made, ledger, list(self.opened), self.village.host.kid, self.publish)

    def fill(self, folder):
        """A data directory of the operator's, with west's and north's keys too, that took in all that was said."""
        village = self.village
        content = {"wattpact_data": 1, "root_public_key": village.root.public_key.hex()}
        (folder / "settings.json").write_text(json.dumps(content))
        ring = keys.Keyring(folder / "keys")
        for name, author in (("host", village.host), ("issuer", village.issuer)):
            ring.create(name, author.key.seed)
        for author in (self.west, self.north):
            ring.create_person(author.name, author.key.seed)
        now_s = 0
        with Store(folder / "wattpact.db", village.community) as store:
            ingest = Ingest(store, village.root.public_key, lambda: now_s)
            for new in village.entries:
                now_s = max(now_s, new.stamp.unix_s or 0)
                assert [verdict.reason for verdict in ingest.ingest([new.raw])] == [STORED]
            ingest.close()
        return folder
