"""The demo's own part, the people: their orders fit into a meter, and what they wait for is reported."""

import asyncio

from wattpact.simulation import demo
from wattpact.simulation.demo import Demo
from wattpact_meter.trade.trader import MAX_MANDATES
from wattpact_protocol.guard.policy import Policy


def test_no_owner_has_more_orders_in_force_than_a_meter_holds():
    """Else a meter rejects them, and the demo trades nothing until the first have expired."""
    rest_s = Policy().rest_s
    shortest_s = min(orders[-1].wh * 3600 // demo.WALLBOX.watts for orders in demo.ROUNDS) + rest_s
    in_force = 1 + demo.ORDER_S // shortest_s
    assert in_force < MAX_MANDATES
    assert demo.ORDER_S > 2 * rest_s + max(orders[-1].wh * 3600 // demo.WALLBOX.watts for orders in demo.ROUNDS)


def test_what_it_waits_for_is_reported_though_meters_report_something_all_the_time(monkeypatch):
    monkeypatch.setattr(demo, "PATIENCE_S", 0)
    reported = []

    async def run():
        waiting = Demo.__new__(Demo)
        waiting._changed, waiting._tasks, waiting._report = asyncio.Event(), [], reported.append
        looked = iter([False, False, True])

        def holds():
            asyncio.get_running_loop().call_soon(waiting._changed.set)
            return next(looked)

        await waiting.until(holds, "a grant")

    asyncio.run(run())
    assert reported == ["still waiting for a grant"] * 2
