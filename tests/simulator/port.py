"""A household behind a meter with registers of its own, and the telegrams that show them."""

from wattpact_meter.sources import p1_telegram
from wattpact_meter.sources.p1 import measurement
from wattpact_protocol.log import kinds

from simulator.community import START_S
from simulator.driving import measure, receive, tick
from simulator.network import alone


def p1(wh, serial="E1", power_w=500):
    told = p1_telegram.Telegram("ABC5")
    told.serial = serial
    told.registers = {1: wh, 2: 0, 3: wh, 5: 0}
    told.instantaneous = {64: power_w}
    return measurement(told)


class Port:
    """A household behind a meter with registers of its own, that takes 3.6 kW while the relay is closed."""

    def __init__(self, wh=5_000_000, step_s=5):
        self.world, self.community, self.household = alone(step_s=step_s)
        self.wh = wh
        self.used_wh = 0
        self.rate_wh = 1  # a second
        self.dead = []

    def run(self, seconds, every_s=1, trusted=True, clock=True):
        household = self.household
        for second in range(seconds):
            self.world.ms += 1000
            self.community.now_s = START_S + self.world.ms // 1000
            now = household.now(self.world.ms)
            if not clock:
                now.unix_s = None
            if household.closed:
                self.wh += self.rate_wh
                self.used_wh += self.rate_wh
            if every_s and second % every_s == 0:
                measure(household.meter, now, p1(self.wh if trusted else 3 + 47 * (second % 2)))
            decision = tick(household.meter, now, household.around)
            self.dead.append(household.meter.inputs(now).sensor_dead)
            household.closed = decision.closed
            for data in household.meter.pop_datagrams():
                for answer in self.community.sink.receive_datagram(data, household.kid):
                    receive(household.meter, now, answer)
        return self

    def attributed_wh(self):
        """Of the contracts, in what was published."""
        found = {}
        for new in self.household.entries():
            if new.kind in (kinds.USAGE, kinds.USAGE_END):
                found[new.body["contract"]] = new.body["attributed_wh"]
        return sum(found.values())
