"""A link that loses, repeats, delays and damages near a quarter of all it carries: the cycle completes all the same."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from simulator import rules
from simulator.processes import Household, LiveCommunity, journal
from simulator.wire import Rain
from wattpact_protocol.log import kinds

# What a damaged datagram may be counted as, by where the damage fell.
DAMAGED = (
    "malformed",
    "entry_malformed",
    "bad_signature",
    "unknown_author",
    "wrong_community",
    "unknown_version",
    "unknown_type",
    "unexpected_type",
)
WH = 24
WITHIN_S = 30
CYCLE_WITHIN_S = 110  # with the rest of a relay that opened between the contracts


@pytest.mark.timeout(240)
def test_over_a_rough_link_everything_arrives_and_the_cycle_completes(tmp_path: Path, record_property: Any) -> None:
    asyncio.run(_play(tmp_path, Rain(23), record_property))


async def _play(folder: Path, rain: Rain, record_property: Any) -> None:
    async with LiveCommunity(folder, slot_s=2, rough=rain) as live:
        await live.start_node()
        roof = await live.add("roof", -9000, kind="profile")
        battery = await live.add("battery", -9000, kind="profile")
        wallbox = await live.add("wallbox", 7200, "relay", "profile")
        live.sell(roof, WH, 180_000)
        live.sell(battery, WH, 220_000)
        await live.until(lambda: wallbox.of("status")[-1][1]["offers"] == 2, "both offers", WITHIN_S)
        live.buy(wallbox, 2 * WH, 250_000)
        await live.until(lambda: wallbox.is_closed, "the relay to close", WITHIN_S)
        await live.until(lambda: _ended(live) == 2, "both contracts to end", CYCLE_WITHIN_S)
        await live.until(lambda: not wallbox.is_closed, "the relay to open", WITHIN_S)
        await live.converge(WITHIN_S)
        await live.until(lambda: _has_received(live, wallbox), "the inbox to be received", WITHIN_S)
        for household in live.households.values():
            await household.meter.stop()
        assert await live.process.stop() == 0
        figures = _check(live, wallbox, rain)
        record_property("rough_link", figures)
        print(figures)


def _ended(live: LiveCommunity) -> int:
    with live.data.reader() as reader:
        return len(reader.entries(of_kinds=[kinds.USAGE_END]))


def _has_received(live: LiveCommunity, household: Household) -> bool:
    """Whether the meter's cursor has been at the last entry for it that is no receipt, which come all the time."""
    with live.data.reader() as reader:
        told = reader.value(
            "SELECT max(i.position) FROM inbox i JOIN entries e ON e.cursor = i.entry"
            " WHERE i.meter = ? AND e.kind <> ?",
            household.kid, kinds.RECEIPT,
        )  # fmt: skip
    return bool(household.of("status")[-1][1]["cursor"] >= told)


def _check(live: LiveCommunity, wallbox: Household, rain: Rain) -> str:
    journals = {household.kid: journal(household) for household in live.households.values()}
    with live.data.reader() as reader:
        held = rules.Held(reader, journals, live.data.readers())
        rules.logs_are_whole(held)
        rules.nothing_acknowledged_is_lost(held, live.wire.acknowledged, live.wire.receipts)
        rules.no_sequence_is_used_twice(held, live.wire.sent, journals)
        rules.registers_only_rise(held)
        grants, used = rules.granted_once(held), rules.attributed_once(held, wallbox.kid)
        rejected = reader.rejected()
    assert sorted(used.values()) == [WH, WH] and set(used) == set(grants)
    ends = [new.body["contract"] for new in held.of_kind(kinds.USAGE_END)]
    assert [grants[contract].body["priority"] for contract in ends] == [1, 2]
    assert min(rain.lost, rain.twice, rain.damaged, rain.late) > 10
    assert rejected.get("duplicate"), rejected
    assert [reason for reason in DAMAGED if rejected.get(reason)], rejected
    return (
        f"of {live.wire.passed} datagrams {rain.lost} lost, {rain.twice} repeated, {rain.damaged} damaged, "
        f"{rain.late} late; {len(held.entries)} entries stored, rejected {rejected}"
    )
