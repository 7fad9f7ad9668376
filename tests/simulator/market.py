"""A roof that sells to a wallbox under a ledger in memory, and what the month amounts to. Runs on both Pythons.

market = Market(wh=4000)                  east's roof, west's wallbox; 10:00 to 14:00 at 0.20, the grid at 0.30 and 0.08
contract = market.agreed()                granted, and used from its start
market.at(hours)                          the time of the next block, from 10:00 on
market.measure(used=[150] * 16, made=[250] * 16)
market.bill(market.west)                  figures of a statement from 10:00 to midnight
"""

from wattpact_protocol.ledger import records
from wattpact_protocol.log import kinds
from wattpact_protocol.settlement import statement
from wattpact_protocol.settlement.inputs import RECORDS, SettlementInputs
from wattpact_protocol.settlement.slots import Settlement

from simulator.community import START_S, Community
from simulator.ordered import Ordered

HOUR_S = 3600
SLOT_S = 900
HOURS = 4
PRICE = 200_000


class Market:
    def __init__(self, wh=4000):
        self.community = community = Community(sink=Ordered, prices=(300_000, 80_000))
        self.sink = community.sink
        self.wh = wh
        self.east, self.west = community.person("east"), community.person("west")
        self.roof, self.wallbox = community.meter("roof", self.east), community.meter("wallbox", self.west)
        self.shown = {}

    def at(self, hours):
        self.community.now_s = START_S + int(hours * HOUR_S)

    def reason(self, new):
        """Why it was rejected, None where it took effect."""
        return self.sink.rejected.get(new.id)

    def record(self, new):
        return self.sink.record_of(records.CONTRACT, new.id)

    def agreed(self, supplier=None, consumer=None, wh=None, price=PRICE, max_w=8000, start_s=START_S, used_s=None):
        return self.community.agree(
            supplier or self.roof, consumer or self.wallbox, price, wh or self.wh, max_w, start_s,
            start_s + HOURS * HOUR_S, used_s=used_s,
        )  # fmt: skip

    def measure(self, meter, imports=(), exports=(), t0_s=START_S, step_s=SLOT_S):
        """What a meter took and gave in each step, from its registers of before."""
        steps = max(len(imports), len(exports))
        imported, exported = self.shown.get(meter.kid, (0, 0))
        values = [[imported], [exported]]
        for at, given in ((0, imports), (1, exports)):
            for i in range(steps):
                values[at].append(values[at][-1] + (given[i] if i < len(given) else 0))
        self.shown[meter.kid] = (values[0][-1], values[1][-1])
        return self.community.reading(meter, t0_s, values[0], values[1], step_s=step_s)

    def measured(self, used=150, made=250):
        """Both meters through the contract, slot by slot, and to the end of the day."""
        slots = HOURS * HOUR_S // SLOT_S
        self.measure(self.roof, exports=[made] * slots)
        self.measure(self.wallbox, imports=[used] * slots)
        for meter in (self.roof, self.wallbox):
            self.quiet(meter)

    def quiet(self, meter, hours=HOURS):
        """Nothing from then to the end of the day."""
        for begun in range(hours, 24, 4):
            self.measure(meter, [0] * 16, t0_s=START_S + begun * HOUR_S)

    def settlement(self):
        inputs = SettlementInputs()
        for name, value in sorted(self.sink.storage.values.items()):
            record, key = records.parts_of(name)
            if record in RECORDS:
                inputs.follow(record, key, records.decode(record, value))
        for new in self.community.entries:
            inputs.apply(new)
        settled = Settlement(inputs.slot_s, inputs.silence_s, inputs.load_profiles, inputs.contracts)
        settled.advance(START_S + 24 * HOUR_S, START_S + 25 * HOUR_S)
        return inputs, settled

    def bill(self, person, from_s=START_S, to_s=START_S + 24 * HOUR_S):
        inputs, settled = self.settlement()
        return statement.state(inputs, settled, person.kid, from_s, to_s).figures()

    def state_of(self, person, from_s, to_s, **fields):
        """A statement by the host; why it was rejected."""
        names = [name for _, name, _, required in kinds.fields(kinds.STATEMENT) if required]
        body = {name: bytes(32) if name.endswith("root") else 0 for name in names}
        body.update(subject=person.kid, from_s=from_s, to_s=to_s, **fields)
        self.stated = self.community.publish(self.community.host, kinds.STATEMENT, body)
        return self.reason(self.stated)
