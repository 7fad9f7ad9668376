"""A trade for tests: two producers, a consumer, and two contracts between them, in a real store.

    trading = Trading(tmp_path)
    trading.trade()          mandates, offers, acceptances, contracts, grants; the relay closes
    trading.run(slots=4)     readings of all three, 10 Wh a slot of 5 s from producers to consumer, and the usage

The clock starts at now_s and moves on as the trade does; times in entries are the trade's.
"""

from wattpact_protocol.log import event_codes, kinds

from simulator import bodies
from simulator.community import START_S
from simulator.host import hosted

SLOT_S = 5
PRICES = (310_000, 80_000)
SLOT_WH = 10  # 7.2 kW
WH = 40
MAX_W = 8000


class Trading:
    def __init__(self, directory, now_s=START_S, slot_s=SLOT_S, **more):
        self.community = hosted(directory, now_s, slot_s, PRICES, **more)
        self.contracts = []
        self.used_wh = {}
        self.solar, self.battery, self.wallbox = (
            self.community.meter(label, self.community.person(label.rsplit(" ", 1)[0]), rated_w)
            for label, rated_w in (("House 1 solar", 8000), ("House 2 battery", 9000), ("House 3 wallbox", 7200))
        )
        self.meters = (self.solar, self.battery, self.wallbox)
        for meter in self.meters:
            self.community.publish(meter, "event", {"code": event_codes.BOOT, "detail": 1})

    @property
    def path(self):
        return self.community.sink.path

    @property
    def now_s(self):
        return self.community.now_s

    @now_s.setter
    def now_s(self, now_s):
        self.community.now_s = now_s

    def clock(self):
        return self.now_s

    def close(self):
        self.community.sink.close()

    def _mandate(self, meter, side, limit):
        end_s = self.now_s + 600
        more = {"end_s": end_s, "expires_s": end_s + 3000}
        return self.community.mandate(meter.owner, meter, side, limit, 2 * WH, MAX_W, **more)

    def _contract(self, supplier, price, priority):
        community, end_s = self.community, self.now_s + 600
        mandate = self._mandate(supplier, kinds.SELL, price)
        offer = community.offer(
            supplier, price, WH, MAX_W, self.now_s, end_s, mandate.id, valid_until_s=self.now_s + 300
        )  # fmt: skip
        acceptance = community.accept(self.wallbox, offer, WH, priority, demand=self.demand.id)
        contract = community.confirm(supplier, acceptance)
        community.grant(contract, offer, acceptance)
        return contract.id

    def agree(self):
        """Two granted contracts, the cheaper first."""
        buys = self._mandate(self.wallbox, kinds.BUY, 250_000)
        end_s = self.now_s + 600
        self.demand = self.community.demand(self.wallbox, 250_000, 2 * WH, MAX_W, self.now_s, end_s, buys.id)
        self.contracts = [self._contract(self.solar, 180_000, 1), self._contract(self.battery, 220_000, 2)]
        self.used_wh = dict.fromkeys(self.contracts, 0)

    def trade(self):
        """Two contracts, and the consumer's relay closes."""
        self.agree()
        self._relay(event_codes.RELAY_CLOSED, "grant", self.contracts[0])
        return self.contracts

    def _relay(self, code, text, contract):
        self.community.publish(self.wallbox, "event", {"code": code, "text": text, "contract": contract})

    def run(self, slots=1):
        for _ in range(slots):
            self._slot()

    def _slot(self):
        contract = next((one for one in self.contracts if self.used_wh[one] < WH), None)
        used_wh = SLOT_WH if contract else 0
        if contract and not self.used_wh[contract]:
            self.community.publish(self.wallbox, "usage_start", bodies.usage_start(contract, self.wallbox.registers[0]))
        start_s, self.now_s = self.now_s, self.now_s + SLOT_S
        sun_wh = SLOT_WH if contract is None or contract == self.contracts[0] else 0
        flows = {self.solar: (0, 11), self.battery: (0, used_wh - sun_wh if used_wh else 0), self.wallbox: (used_wh, 0)}
        for meter, (imported, exported) in flows.items():
            watts = (imported - exported) * 3600 // SLOT_S
            self.community.sink.stored(
                meter.reading(start_s, [(imported, exported)], SLOT_S, instantaneous={64: watts})
            )  # fmt: skip
        if contract:
            self._use(contract, used_wh)

    def _use(self, contract, used_wh):
        self.used_wh[contract] += used_wh
        body = bodies.usage(contract, self.used_wh[contract], self.wallbox.registers[0])
        if self.used_wh[contract] < WH:
            self.community.publish(self.wallbox, "usage", body)
            return
        self.community.publish(self.wallbox, "usage_end", {**body, "reason": kinds.END_USED_UP})
        if contract == self.contracts[-1]:
            self._relay(event_codes.RELAY_OPENED, "no_contract", contract)
