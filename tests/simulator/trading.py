"""A trading for tests: two producers, a consumer, and two contracts between them, in a real store.

    trading = TradingCommunity(tmp_path)
    trading.trade()          mandates, offers, acceptances, contracts, grants; the relay closes
    trading.run(slots=4)     readings of all three, 10 Wh a slot of 5 s from producers to consumer, and what usage says

The clock starts at T0 and moves on as the trading does; times in entries are the trading's.
"""

from wattpact.membership import members
from wattpact_protocol.log import event_codes, kinds

from simulator.host import T0, Community

SLOT_S = 5
TERMS = members.FoundingTerms("Sun Street", "EUR", "Europe/Berlin", SLOT_S, 310_000, 80_000)
SLOT_WH = 10  # 7.2 kW
WH = 40


class TradingCommunity:
    def __init__(self, directory, now_s=T0, terms=TERMS, **more):
        self.community = Community(directory, now_s, terms, **more)
        self.now_s = now_s
        self.number = 0
        self.contracts = []
        self.used_wh = {}
        self.solar, self.battery, self.wallbox = (
            self.community.meter(label, self.community.person(label.rsplit(" ", 1)[0]), rated_w=rated_w)
            for label, rated_w in (("House 1 solar", 8000), ("House 2 battery", 9000), ("House 3 wallbox", 7200))
        )
        self.meters = (self.solar, self.battery, self.wallbox)
        for meter in self.meters:
            self._stored(meter.publish("event", {"code": event_codes.BOOT, "detail": 1}, self.now_s))

    @property
    def path(self):
        return self.community.path

    def clock(self):
        return self.now_s

    def close(self):
        self.community.close()

    def _stored(self, *entries):
        self.community.now_s = self.now_s
        return self.community.stored(*entries)

    def _mandate(self, meter, side, limit):
        body = {
            "order_id": self.number.to_bytes(4, "big") + meter.kid[:4], "expires_s": self.now_s + 3600,
            "meter": meter.kid, "side": side, "limit_micro_per_kwh": limit, "wh": 2 * WH, "max_w": 8000,
            "start_s": self.now_s, "end_s": self.now_s + 600,
        }  # fmt: skip
        owner = meter.owner
        return self._stored(owner.publish("mandate", body, self.now_s))

    def _contract(self, supplier, price, priority):
        terms = {
            "price_micro_per_kwh": price, "wh": WH, "max_w": 8000, "start_s": self.now_s, "end_s": self.now_s + 600,
        }  # fmt: skip
        mandate = self._mandate(supplier, kinds.SELL, price)
        offer = supplier.publish(
            "offer", {**terms, "valid_until_s": self.now_s + 300, "mandate": mandate.id}, self.now_s
        )
        taken = {"offer": offer.id, "wh": WH, "priority": priority, "start_timeout_s": 600}
        acceptance = self.wallbox.publish("acceptance", taken, self.now_s)
        contract = supplier.publish("contract", {"acceptance": acceptance.id}, self.now_s)
        self._stored(offer, acceptance, contract)
        self.number += 1
        self.community.now_s = self.now_s
        self.community.publish(self.community.issuer, "grant", {
            "number": self.number, "meter": self.wallbox.kid, "contract": contract.id, "wh": WH, "max_w": 8000,
            "from_s": self.now_s, "to_s": self.now_s + 600, "price_micro_per_kwh": price, "priority": priority,
            "start_by_s": self.now_s + 600, "default_supply": False,
        })  # fmt: skip
        return contract.id

    def agree(self):
        """Two granted contracts, the cheaper first."""
        self._mandate(self.wallbox, kinds.BUY, 250_000)
        self.contracts = [self._contract(self.solar, 180_000, 1), self._contract(self.battery, 220_000, 2)]
        self.used_wh = dict.fromkeys(self.contracts, 0)

    def trade(self):
        """Two contracts, and the consumer's relay closes."""
        self.agree()
        closed = {"code": event_codes.RELAY_CLOSED, "text": "grant", "contract": self.contracts[0]}
        self._stored(self.wallbox.publish("event", closed, self.now_s))
        return self.contracts

    def run(self, slots=1):
        for _ in range(slots):
            self._slot()

    def _slot(self):
        contract = next((one for one in self.contracts if self.used_wh[one] < WH), None)
        used_wh = SLOT_WH if contract else 0
        if contract and not self.used_wh[contract]:
            start = {"contract": contract, "grant": 1, "import_wh": self.wallbox.registers[0]}
            self._stored(self.wallbox.publish("usage_start", start, self.now_s))
        start_s, self.now_s = self.now_s, self.now_s + SLOT_S
        sun_wh = SLOT_WH if contract is None or contract == self.contracts[0] else 0
        flows = {self.solar: (0, 11), self.battery: (0, used_wh - sun_wh if used_wh else 0), self.wallbox: (used_wh, 0)}
        for meter, (imported, exported) in flows.items():
            watts = (imported - exported) * 3600 // SLOT_S
            self._stored(meter.reading(start_s, [(imported, exported)], SLOT_S, instantaneous={64: watts}))
        if contract:
            self._use(contract, used_wh)

    def _use(self, contract, used_wh):
        self.used_wh[contract] += used_wh
        body = {
            "contract": contract, "attributed_wh": self.used_wh[contract], "import_wh": self.wallbox.registers[0],
        }  # fmt: skip
        if self.used_wh[contract] < WH:
            self._stored(self.wallbox.publish("usage", body, self.now_s))
            return
        self._stored(self.wallbox.publish("usage_end", {**body, "reason": kinds.END_USED_UP}, self.now_s))
        if contract == self.contracts[-1]:
            opened = {"code": event_codes.RELAY_OPENED, "text": "no_contract", "contract": contract}
            self._stored(self.wallbox.publish("event", opened, self.now_s))
