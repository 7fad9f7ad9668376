"""All that leads to a contract between two meters, signed by them and their owners, and nowhere yet."""

from wattpact_protocol.log import kinds

from simulator import bodies
from simulator.community import START_S

HOUR_S = 3600
BUY_LIMIT = 250_000


def mandate(meter, side, order=1, t=START_S, **more):
    """The body of an owner's order: 40 Wh within the hour, to sell at 0.18 or to buy at 0.25."""
    limit = bodies.PRICE if side == kinds.SELL else BUY_LIMIT
    return {**bodies.mandate(meter.kid, side, order.to_bytes(8, "big"), t, t + HOUR_S, limit), **more}


class Deal:
    """`entries` in their order; sell, buy, offer, acceptance: fields that are other than the usual."""

    def __init__(self, supplier, consumer, t=START_S, sell=None, buy=None, offer=None, acceptance=None):
        self.sell = self._mandate(supplier, kinds.SELL, t, sell)
        self.buy = self._mandate(consumer, kinds.BUY, t, buy)
        terms = bodies.offer(t, t + HOUR_S, mandate=self.sell.id)
        self.offer = supplier.publish("offer", {**terms, **(offer or {})}, t)
        self.demand = consumer.publish("demand", bodies.offer(t, t + HOUR_S, mandate=self.buy.id), t)
        accepted = bodies.acceptance(self.offer.id, demand=self.demand.id)
        self.acceptance = consumer.publish("acceptance", {**accepted, **(acceptance or {})}, t + 1)
        self.contract = supplier.publish("contract", {"acceptance": self.acceptance.id}, t + 1)

    def _mandate(self, meter, side, t, more):
        body = {**mandate(meter, side, t=t), "order_id": meter.owner.order_id(), **(more or {})}
        return meter.owner.publish("mandate", body, t)

    @property
    def entries(self):
        return [self.sell, self.buy, self.offer, self.demand, self.acceptance, self.contract]
