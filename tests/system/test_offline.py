"""The node away for ten minutes of the meters' time: they go on enforcing what was agreed, and nothing is lost."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from simulator import rules
from simulator.processes import Household, LiveCommunity, journal
from wattpact_protocol.log import kinds, readings

SPEED = 20
SLOT_S = 15
AWAY_S = 600
SHORT_WH, LONG_WH = 400, 3000  # five minutes, and more than half an hour, at 5 kW
LOAD_W = 5000


class Accelerated:
    """Unix seconds that run SPEED times as fast as they should, from now on."""

    def __init__(self) -> None:
        self._start_s = int(time.time())
        self._began = time.monotonic()

    def __call__(self) -> int:
        return self._start_s + int((time.monotonic() - self._began) * SPEED)


@pytest.mark.timeout(150)
def test_ten_minutes_without_a_node_change_nothing(tmp_path: Path, record_property: Any) -> None:
    asyncio.run(_play(tmp_path, record_property))


async def _play(folder: Path, record_property: Any) -> None:
    clock = Accelerated()
    async with LiveCommunity(folder, SLOT_S, clock) as live:
        await live.start_node_here()
        roof = await move_in(live, "roof", -10500)
        one = await move_in(live, "one", LOAD_W, "relay")
        other = await move_in(live, "other", LOAD_W, "relay")
        live.sell(roof, SHORT_WH + LONG_WH, 180_000)
        live.buy(one, SHORT_WH, 200_000)
        live.buy(other, LONG_WH, 200_000)
        await live.until(lambda: one.is_closed and other.is_closed, "both relays to close")
        away_s = (clock(), time.monotonic())
        await live.stop_node()
        before = entries_stored(live)
        await asyncio.sleep(AWAY_S / SPEED)
        assert entries_stored(live) == before
        back_s = (clock(), time.monotonic())
        await live.start_node_here()
        await live.converge()
        for household in live.households.values():
            await household.meter.stop()
        await live.stop_node()
        _check_relays(one, other, away_s[1], back_s[1])
        figures = f"{_check_store(live, one, other, away_s[0], back_s[0]) - before} entries came afterwards"
        record_property("offline", figures)
        print(figures)


async def move_in(live: LiveCommunity, name: str, watts: int, load: str = "always") -> Household:
    return await live.add(name, watts, load, "profile", speed=SPEED, unix_s=live.clock())


def entries_stored(live: LiveCommunity) -> int:
    with live.data.reader() as reader:
        return reader.last_cursor()


def _check_relays(one: Household, other: Household, away_s: float, back_s: float) -> None:
    """One opened while the node was away, the other never."""
    operations = [(at_s, event["closed"], event["reason"]) for at_s, event in one.of("relay")]
    opened = [at_s for at_s, closed, _ in operations if not closed and at_s > away_s]
    assert len(opened) == 1 and away_s < opened[0] < back_s, operations
    assert [event["closed"] for at_s, event in other.of("relay") if at_s > away_s] == []
    assert other.is_closed and not one.is_closed


def _check_store(live: LiveCommunity, one: Household, other: Household, away_s: int, back_s: int) -> int:
    journals = {household.kid: journal(household) for household in live.households.values()}
    with live.data.reader() as reader:
        held = rules.Held(reader, journals, live.data.readers())
        rules.logs_are_whole(held)
        rules.nothing_acknowledged_is_lost(held, live.wire.acknowledged, live.wire.receipts)
        rules.no_sequence_is_used_twice(held, live.wire.sent, journals)
        rules.registers_only_rise(held)
        used = rules.attributed_once(held, one.kid) | rules.attributed_once(held, other.kid)
        carried = rules.settled(held, live.clock())
        contracts = held.accounts(live.clock()).inputs.contracts.by_id
    for kid in held.logs:
        _check_readings(held, kid, away_s, back_s)
    grants = {new.body["meter"]: new.body["contract"] for new in held.of_kind(kinds.GRANT)}
    end = next(new for new in held.of_kind(kinds.USAGE_END, one.kid))
    assert away_s < end.stamp.unix_s < back_s and end.body["reason"] == kinds.END_USED_UP
    unseen_wh = held.of_kind(kinds.READING, one.kid)[0].body["registers"][readings.IMPORT_WH][0]
    # What was used before the grant's block is the grid's, and the rate bounds the first slot from then on.
    contract = contracts[grants[one.kid]]
    started = next(new for new in held.of_kind(kinds.USAGE_START, one.kid) if new.body["contract"] == contract.id)
    late_wh = -(-(contract.used_from_s - started.stamp.unix_s) * LOAD_W // 3600)
    assert used[contract.id] == SHORT_WH and 0 <= SHORT_WH - carried[contract.id] - unseen_wh <= late_wh, late_wh
    assert (AWAY_S - SLOT_S) * LOAD_W // 3600 <= used[grants[other.kid]] < LONG_WH
    assert len(held.of_kind(kinds.USAGE, one.kid)) > 15 and not held.of_kind(kinds.USAGE_END, other.kid)
    return len(held.entries)


def _check_readings(held: rules.Held, kid: bytes, away_s: int, back_s: int) -> None:
    """All the time away is covered; on a busy machine one so fast may miss a boundary now and then."""
    during = [new.body for new in held.of_kind(kinds.READING, kid) if away_s <= new.body["t0_s"] < back_s - SLOT_S]
    assert len(during) >= (AWAY_S // SLOT_S - 2) * 9 // 10
    assert during[0]["t0_s"] < away_s + 3 * SLOT_S and readings.end_s(during[-1]) > back_s - 3 * SLOT_S
