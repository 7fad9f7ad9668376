"""The whole path, unattended: the demo's cycle within two minutes, and how soon a grant closes a relay."""

import asyncio
import secrets
import statistics
import time
from pathlib import Path
from typing import Any

import pytest
import rules
from live_street import House, Street
from wattpact import demo, home, keys
from wattpact.node import Node
from wattpact_protocol import bodies
from wire import Wire

WITHIN_S = 120
CLOSES_WITHIN_S = 1.0
METERS = 10


class Watched(demo.Demo):
    """The demo, with the moments of what the wallbox's relay did and of what was told."""

    def __init__(self, *arguments: Any) -> None:
        self.relays: list[tuple[float, bool, str]] = []
        super().__init__(*arguments)

    def _hear(self, house: demo.House, event: dict[str, Any]) -> None:
        if event.get("event") == "relay" and house is demo.WALLBOX:
            self.relays.append((time.monotonic(), event["closed"], event["reason"]))
        super()._hear(house, event)

    @property
    def kids(self) -> dict[str, bytes]:
        return self._kids

    def closed_at_s(self) -> list[float]:
        return [at_s for at_s, closed, reason in self.relays if closed and reason == "grant"]

    def opened_at_s(self) -> list[float]:
        """When it opened, having been closed."""
        pairs = zip(self.relays, self.relays[1:], strict=False)
        return [after[0] for before, after in pairs if before[1] and not after[1]]


@pytest.mark.timeout(180)
def test_the_demo_runs_a_whole_cycle_within_two_minutes(tmp_path: Path, record_property: Any) -> None:
    asyncio.run(_demo(tmp_path, record_property))


async def _demo(folder: Path, record_property: Any) -> None:
    began_s = time.monotonic()
    made = demo.prepare(folder, home.clock())
    node = Node(made.store(), made.root_public_key, made.keyring.load(keys.HOST), made.issuer(), home.clock)
    wire = Wire(made.community)
    wire.node_port = await node.start("127.0.0.1", 0)
    told: list[str] = []
    watched = Watched(made, node, wire.port, told.append)
    running = asyncio.create_task(watched.run())
    try:
        while len(watched.closed_at_s()) < 2 and time.monotonic() - began_s < WITHIN_S and not running.done():
            await asyncio.sleep(0.05)
        took_s = time.monotonic() - began_s
        await asyncio.sleep(2 * demo.SLOT_S if len(watched.closed_at_s()) >= 2 else 0)  # for the last readings
    finally:
        running.cancel()
        ended = await asyncio.gather(running, return_exceptions=True)
        await watched.stop()
        await node.stop()
        wire.close()
    assert isinstance(ended[0], asyncio.CancelledError), (ended, told)
    assert len(watched.closed_at_s()) >= 2, told
    record_property("cycle_s", round(took_s, 1))
    print(f"the cycle took {took_s:.1f} s")
    _check_relay(watched, wire, record_property)
    with made.reader() as reader:
        _check_store(rules.Held(reader, watched.kids.values()), watched.kids)


def _check_relay(watched: Watched, wire: Wire, record_property: Any) -> None:
    """Closed by the first grant as it arrived, opened once, rested, and closed again."""
    closed, opened = watched.closed_at_s(), watched.opened_at_s()
    first = wire.granted[0]
    assert first.meter == watched.kids[demo.WALLBOX.name]
    record_property("closed_after_grant_s", round(closed[0] - first.at_s, 3))
    print(f"the relay closed {closed[0] - first.at_s:.3f} s after its grant was sent")
    assert 0 < closed[0] - first.at_s < CLOSES_WITHIN_S
    assert closed[0] < opened[0] < closed[1]
    assert closed[1] - opened[0] >= 60


def _check_store(held: rules.Held, kids: dict[str, bytes]) -> None:
    wallbox = kids[demo.WALLBOX.name]
    rules.logs_are_whole(held)
    rules.registers_only_rise(held)
    assert {kid for kid in held.logs if held.of_kind(bodies.READING, kid)} == set(kids.values())
    grants, used = rules.granted_once(held), rules.attributed_once(held, wallbox)
    ends = held.of_kind(bodies.USAGE_END, wallbox)
    first, second = (grants[new.body["contract"]].body for new in ends[:2])
    assert (first["price_micro_per_kwh"], first["priority"]) == (180_000, 1)
    assert (second["price_micro_per_kwh"], second["priority"]) == (220_000, 2)
    assert [new.body["reason"] for new in ends[:2]] == [bodies.END_USED_UP] * 2
    assert [used[grant["contract"]] for grant in (first, second)] == [first["wh"], second["wh"]] == [32, 32]
    _check_order(held, wallbox, first["contract"], second["contract"])
    carried = rules.settled(held, home.clock())
    assert (carried[first["contract"]], carried[second["contract"]]) == (32, 32)


def _check_order(held: rules.Held, wallbox: bytes, first: bytes, second: bytes) -> None:
    """The second contract carries nothing while any is left of the first, by signed usage and by settlement."""
    said = [new for new in held.logs[wallbox] if new.kind in (bodies.USAGE, bodies.USAGE_END)]
    full = next(at for at, new in enumerate(said) if new.body["contract"] == first and new.body["attributed_wh"] == 32)
    assert [new for new in said[:full] if new.body["contract"] == second and new.body["attributed_wh"]] == []
    start = held.of_kind(bodies.USAGE_START, wallbox)[0]
    assert start.body["contract"] == first
    fills = held.ledger(home.clock()).settlement.fills
    filled_s = next(
        at_s for at_s, wh in zip(fills[first].starts, fills[first].carried, strict=True) if wh == 32
    )  # fmt: skip
    assert fills[second].starts[0] >= filled_s


@pytest.mark.timeout(90)
def test_a_grant_closes_a_relay_within_a_second_of_its_arrival(tmp_path: Path, record_property: Any) -> None:
    """Many meters under way at once, one grant each; from its leaving the node to the meter's line about its relay."""
    delays_s = sorted(asyncio.run(_grants(tmp_path)))
    median_s = statistics.median(delays_s)
    figures = f"{len(delays_s)} grants: least {delays_s[0]:.3f}, median {median_s:.3f}, most {delays_s[-1]:.3f} s"
    record_property("closed_after_grant_s", figures)
    print(figures)
    assert delays_s[0] > 0 and delays_s[-1] < CLOSES_WITHIN_S


async def _grants(folder: Path) -> list[float]:
    async with Street(folder, slot_s=5) as street:
        await street.start_node()
        houses = [await street.move_in(f"house-{n}", 7200, "relay", "profile") for n in range(METERS)]
        await street.until(lambda: all(house.of("relay") for house in houses), "the relays")
        for number, house in enumerate(houses, 1):
            await asyncio.sleep(secrets.randbelow(500) / 1000)
            _grant(street, house, number)
        await street.until(lambda: all(house.is_closed for house in houses), "all relays to close")
        sent = {granted.meter: granted.at_s for granted in reversed(street.wire.granted)}
        assert [event["reason"] for house in houses for _, event in house.of("relay")[-1:]] == ["grant"] * METERS
        return [house.of("relay")[-1][0] - sent[house.kid] for house in houses]


def _grant(street: Street, house: House, number: int) -> None:
    now_s = street.clock()
    street.say(street.issuer, bodies.GRANT, {
        "number": number, "meter": house.kid, "contract": secrets.token_bytes(32), "wh": 1000, "max_w": 11000,
        "from_s": now_s - 10, "to_s": now_s + 3600, "price_micro_per_kwh": 180_000, "priority": 1,
        "start_by_s": now_s + 600, "default_supply": False,
    })  # fmt: skip
