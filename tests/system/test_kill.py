"""Kill -9 of the node and of meters, again and again, while contracts run: nothing that was acknowledged is lost."""

import asyncio
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from simulator import rules
from simulator.processes import Household, LiveCommunity, journal
from wattpact.device import virtual_meter
from wattpact_protocol.log import event_codes, kinds, reasons

KILLS = 200
LONGEST_PAUSE_S = 0.7
RESTART_AFTER_S = 0.05
SELL_EVERY_S = 15
SELL_WH = 12
AT_FIRST = 3  # a meter holds eight mandates
CONVERGES_WITHIN_S = 20


class Killer:
    """Kills one of the node and the meters at seeded moments, if it runs just then, until it has killed KILLS."""

    def __init__(self, live: LiveCommunity, seed: int) -> None:
        self._live = live
        self._random = random.Random(seed)
        self.node_kills = 0

    @property
    def meter_kills(self) -> int:
        ends = [event for household in self._live.households.values() for _, event in household.of("ended")]
        return sum(event["status"] == -signal.SIGKILL for event in ends)

    async def run(self) -> None:
        households = list(self._live.households.values())
        while self.node_kills + self.meter_kills < KILLS:
            await asyncio.sleep(self._random.uniform(0, LONGEST_PAUSE_S))
            victim = self._random.choice([*households, None])
            if victim is not None:
                victim.meter.kill()
            elif self._live.process.kill():
                self.node_kills += 1


async def keep_node_running(live: LiveCommunity) -> None:
    """What a service manager does; and whenever it died, all that it had acknowledged is on the disk."""
    while True:
        await live.start_node()
        await live.process.wait()
        await asyncio.sleep(0)  # what it sent last is on the wire
        with live.data.reader() as reader:
            for kid, next_sequence in live.wire.acknowledged.items():
                assert live.head(reader, kid) >= next_sequence, (kid.hex(), next_sequence)
            for (kid, sequence), name in live.wire.receipts.items():
                held = reader.entry_at(kid, 0, sequence)
                assert held is not None and held.id == name, (kid.hex(), sequence)


def what_was_published_was_kept(live: LiveCommunity, household: Household) -> None:
    """Whenever its meter died, what it had sent was in its flash: it goes on behind it."""
    sent = [(at_s, sequence) for (kid, sequence), at_s in live.wire.sent_at_s.items() if kid == household.kid]
    ends, starts = household.of("ended"), household.of("started")[1:]
    for (ended_s, _), (_, started) in zip(ends, starts, strict=False):
        last = max([sequence for at_s, sequence in sent if at_s < ended_s], default=-1)
        assert started["next_sequence"] > last, (household.name, started)
    assert len(starts) >= KILLS // 8


async def keep_trading(live: LiveCommunity, sellers: "list[Household]", buyer: Household) -> None:
    """A buyer that takes all there is, and every so often a little more to take, so that contracts follow on."""
    live.buy(buyer, 1000, 250_000)
    for price in range(180_000, 250_000):
        for seller in sellers:
            live.sell(seller, SELL_WH, price, expires_s=120)
        await asyncio.sleep(0.1 if price < 180_000 + AT_FIRST - 1 else SELL_EVERY_S)


@pytest.mark.timeout(240)
def test_killed_two_hundred_times_nothing_is_lost_and_nothing_published_twice(
    tmp_path: Path, record_property: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual_meter, "RESTART_AFTER_S", RESTART_AFTER_S)
    asyncio.run(_play(tmp_path, record_property))


async def _play(folder: Path, record_property: Any) -> None:
    async with LiveCommunity(folder) as live:
        async with asyncio.TaskGroup() as beside:
            node = beside.create_task(keep_node_running(live))
            roof = await live.add("roof", -9000, kind="profile")
            battery = await live.add("battery", -9000, kind="profile")
            wallbox = await live.add("wallbox", 7200, "relay")
            trading = beside.create_task(keep_trading(live, [roof, battery], wallbox))
            await live.until(lambda: len(live.wire.granted) >= 2 * AT_FIRST, "the first grants")
            killer, began_s = Killer(live, KILLS), time.monotonic()
            await killer.run()
            took_s = time.monotonic() - began_s
            trading.cancel()
            await live.until(lambda: live.process.is_running, "the node")
            await live.converge(CONVERGES_WITHIN_S)
            node.cancel()
        for household in live.households.values():
            await household.meter.stop()
        assert await live.process.stop() == 0
        figures = f"{killer.node_kills} kills of the node and {killer.meter_kills} of meters in {took_s:.0f} s"
        figures += _check(live, wallbox)
        record_property("kills", figures)
        print(figures)


def _check(live: LiveCommunity, wallbox: Household) -> str:
    journals = {household.kid: journal(household) for household in live.households.values()}
    with live.data.reader() as reader:
        held = rules.Held(reader, journals, live.data.readers())
        rules.logs_are_whole(held)
        rules.nothing_acknowledged_is_lost(held, live.wire.acknowledged, live.wire.receipts)
        rules.no_sequence_is_used_twice(held, live.wire.sent, journals)
        import_wh = rules.registers_only_rise(held)[wallbox.kid][0]
        used = rules.attributed_once(held, wallbox.kid)
        # A use may have ended since the last reading.
        told = [new.body["import_wh"] for new in held.logs[wallbox.kid] if new.kind in (kinds.USAGE, kinds.USAGE_END)]
        import_wh = max(import_wh, *told)
        carried = rules.settled(held, live.clock())
        rejected = reader.rejected()
    for household in live.households.values():
        what_was_published_was_kept(live, household)
    assert not {reasons.FORK, reasons.BROKEN_CHAIN, reasons.BAD_SIGNATURE} & set(rejected), rejected
    done = [new for new in held.of_kind(kinds.USAGE_END) if new.body["reason"] == kinds.END_USED_UP]
    assert len(done) >= 3 and len(held.of_kind(kinds.USAGE)) >= 10, "there was little to lose"
    # While no grant was in use the relay was open: no more than a second's energy at each opening is nobody's.
    openings = sum(new.body.get("code") == event_codes.RELAY_OPENED for new in held.of_kind(kinds.EVENT))
    beyond_wh = import_wh - sum(used.values())
    assert 0 <= beyond_wh <= 2 * (openings + 1), (import_wh, used, openings)
    entries = sum(map(len, held.logs.values()))
    return (
        f": {entries} entries, {len(used)} contracts, {len(done)} used up, {sum(used.values())} Wh attributed and "
        f"{sum(carried.values())} settled of {import_wh} imported, rejected {rejected}"
    )
