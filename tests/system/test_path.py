"""The whole path, unattended: the demo's cycle within two minutes, and how soon a grant closes a relay."""

import asyncio
import contextlib
import os
import random
import secrets
import signal
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from simulator import rules
from simulator.processes import ENVIRONMENT, Household, LiveCommunity
from wattpact.node import data_directory
from wattpact.simulation import demo
from wattpact.store.interface import Reader
from wattpact_protocol.log import kinds, readings, roles

WITHIN_S = 120
CLOSES_WITHIN_S = 1.0
EACH_WH = demo.ROUNDS[0][0].wh  # of the first two contracts
METERS = 10
METER = roles.METER


class Demo:
    """`wattpact demo` as a process, its lines with the moments they came, and when each grant was seen in its store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[tuple[float, str]] = []
        self.granted_s: list[float] = []  # no later than the grant was sent

    async def run(self) -> None:
        """Until the relay has closed a second time, or time is up; then Ctrl-C."""
        words = [sys.executable, "-c", "from wattpact.cli import main; main()", "--data", str(self.folder)]
        process = await asyncio.create_subprocess_exec(
            *words, "demo", "--port", "0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=ENVIRONMENT, start_new_session=True,
        )  # fmt: skip
        self.began_s = time.monotonic()
        reading = asyncio.create_task(self._read(process))
        watching = asyncio.create_task(self._watch())
        try:
            while len(self.closed_s()) < 2 and time.monotonic() - self.began_s < WITHIN_S and not reading.done():
                await asyncio.sleep(0.05)
            await asyncio.sleep(2 * demo.SLOT_S if len(self.closed_s()) >= 2 else 0)  # for the last readings
            process.send_signal(signal.SIGINT)
            self.status = await asyncio.wait_for(process.wait(), 15)
            await reading
        finally:
            watching.cancel()
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.gather(watching, reading, return_exceptions=True)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.lines.append((time.monotonic(), line.decode().rstrip()))

    async def _watch(self) -> None:
        """Look for grants; the moment of a look that did not find one is before it was sent."""
        while not (self.folder / data_directory.SETTINGS).exists():
            await asyncio.sleep(0.05)
        with data_directory.DataDirectory(self.folder).reader() as reader:
            before_s = time.monotonic()
            while True:
                now_s = time.monotonic()
                grants = len(reader.entries(of_kinds=[kinds.GRANT]))
                self.granted_s += [before_s] * (grants - len(self.granted_s))
                before_s = now_s
                await asyncio.sleep(0.01)

    def _relay(self, what: str) -> list[float]:
        return [at_s for at_s, line in self.lines if f"{demo.WALLBOX.label}: relay {what}" in line]

    def closed_s(self) -> list[float]:
        return self._relay("closed: a contract supplies")

    def opened_s(self) -> list[float]:
        """When it opened, having been closed."""
        return [at_s for at_s in self._relay("open") if self.closed_s() and at_s > self.closed_s()[0]]

    def outcome(self) -> str:
        return "\n".join(f"{at_s - self.began_s:6.1f} {line}" for at_s, line in self.lines)


@pytest.mark.timeout(180)
def test_the_demo_runs_a_whole_cycle_within_two_minutes(tmp_path: Path, record_property: Any) -> None:
    shown = Demo(tmp_path / "demo")
    asyncio.run(shown.run())
    closed, opened = shown.closed_s(), shown.opened_s()
    assert len(closed) >= 2 and opened, shown.outcome()
    figures = (
        f"closed {closed[0] - shown.granted_s[0]:.2f} s after its grant, opened {opened[0] - closed[0]:.1f} s later, "
        f"closed again {closed[1] - opened[0]:.1f} s later, {closed[1] - shown.began_s:.1f} s after the start"
    )
    record_property("cycle", figures)
    print(figures)
    assert closed[1] - shown.began_s < WITHIN_S
    assert 0 < closed[0] - shown.granted_s[0] < CLOSES_WITHIN_S
    assert closed[0] < opened[0] < closed[1] and closed[1] - opened[0] > 59
    assert shown.status == 0 and "Stopped" in shown.lines[-1][1], shown.outcome()
    made = data_directory.DataDirectory(shown.folder)
    assert list(_meters_running(shown.folder)) == []
    with made.reader() as reader:
        kids = {known.body["label"]: known.kid for known in reader.certificates() if known.body["role"] == METER}
        _check_store(rules.Held(reader, kids.values(), made.readers()), kids)


def _meters_running(folder: Path) -> Iterator[str]:
    """The command lines of processes that have to do with a folder."""
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = found.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in words and "main.py" in words:
                yield words


def _check_store(held: rules.Held, kids: dict[str, bytes]) -> None:
    wallbox = kids[demo.WALLBOX.label]
    rules.logs_are_whole(held)
    rules.registers_only_rise(held)
    assert {kid for kid in held.logs if held.of_kind(kinds.READING, kid)} == set(kids.values())
    grants, used = rules.granted_once(held), rules.attributed_once(held, wallbox)
    ends = held.of_kind(kinds.USAGE_END, wallbox)
    first, second = (grants[new.body["contract"]].body for new in ends[:2])
    assert (first["price_micro_per_kwh"], first["priority"]) == (180_000, 1)
    assert (second["price_micro_per_kwh"], second["priority"]) == (220_000, 2)
    assert [new.body["reason"] for new in ends[:2]] == [kinds.END_USED_UP] * 2
    assert [used[grant["contract"]] for grant in (first, second)] == [first["wh"], second["wh"]] == [EACH_WH, EACH_WH]
    _check_order(held, wallbox, first["contract"], second["contract"])
    carried = rules.settled(held, data_directory.clock())
    # Settlement follows readings: what was used before the meter's first one has no boundary to be settled from.
    unseen_wh = held.of_kind(kinds.READING, wallbox)[0].body["registers"][readings.IMPORT_WH][0]
    unmeasured_wh = _unmeasured_wh(held.reader, kids.values(), wallbox)
    assert carried[first["contract"]] <= EACH_WH and carried[second["contract"]] <= EACH_WH - unseen_wh
    # Registers are whole Wh: at each end of a contract one may be in the slot beside it.
    left_wh = unseen_wh + unmeasured_wh + 2
    assert carried[first["contract"]] + carried[second["contract"]] >= 2 * EACH_WH - left_wh


def _unmeasured_wh(reader: Reader, meters: Iterable[bytes], consumer: bytes) -> int:
    """At most so much was used in slots at whose ends one of the meters did not measure: on a machine that is too busy
    for it. Contracts carry measured slots only."""
    used = {point.unix_s: point.import_wh for point in reader.points(consumer)}
    total = 0
    for meter in meters:
        for before, after in pairwise(reader.points(meter)):
            if (
                after.measured_wh - before.measured_wh
                < after.import_wh + after.export_wh - before.import_wh - before.export_wh
            ):
                total += used.get(after.unix_s, max(used.values())) - used.get(before.unix_s, 0)
    return total


def _check_order(held: rules.Held, wallbox: bytes, first: bytes, second: bytes) -> None:
    """The second contract carries nothing while any is left of the first, by signed usage and by settlement."""
    said = [new for new in held.logs[wallbox] if new.kind in (kinds.USAGE, kinds.USAGE_END)]
    of_first = [new.body["attributed_wh"] if new.body["contract"] == first else 0 for new in said]
    full = of_first.index(EACH_WH)
    assert [new for new in said[:full] if new.body["contract"] == second and new.body["attributed_wh"]] == []
    fills = held.accounts(data_directory.clock()).settlement.fills
    filled_s = fills[first].starts[fills[first].carried.index(EACH_WH)]
    carrying_s = [at_s for at_s, wh in zip(fills[second].starts, fills[second].carried, strict=True) if wh]
    assert carrying_s[0] >= filled_s


@pytest.mark.timeout(90)
def test_a_grant_closes_a_relay_within_a_second_of_its_arrival(tmp_path: Path, record_property: Any) -> None:
    """Many meters under way at once, one grant of default supply each, signed by a program of its own beside the
    node."""
    delays = asyncio.run(_grants(tmp_path))
    for name, delays_s in delays.items():
        delays_s.sort()
        figures = f"least {delays_s[0]:.3f}, median {statistics.median(delays_s):.3f}, most {delays_s[-1]:.3f} s"
        record_property(name, figures)
        print(f"{len(delays_s)} grants, {name}: {figures}")
        assert 0 < delays_s[0] and delays_s[-1] < CLOSES_WITHIN_S


async def _grants(folder: Path) -> dict[str, list[float]]:
    """How long each relay took: from the leaving of its grant from the node, and from the order to sign it."""
    async with LiveCommunity(folder, slot_s=5) as live:
        await live.start_node()
        households = [await live.add(f"household-{n}", 7200, "relay", "profile") for n in range(METERS)]
        await live.until(lambda: all(household.of("relay") for household in households), "the relays")
        pauses, signed_s = random.Random(METERS), {}
        for number, household in enumerate(households, 1):
            await asyncio.sleep(pauses.uniform(0, 0.5))
            signed_s[household.kid] = time.monotonic()
            _grant(live, household, number)
        await live.until(lambda: all(household.is_closed for household in households), "all relays to close")
        sent_s = {granted.meter: granted.at_s for granted in reversed(live.wire.granted)}
        closed = {household.kid: household.of("relay")[-1] for household in households}
        assert {event["reason"] for _, event in closed.values()} == {"default_supply"}
        return {
            "sent to closed": [at_s - sent_s[kid] for kid, (at_s, _) in closed.items()],
            "signed to closed": [at_s - signed_s[kid] for kid, (at_s, _) in closed.items()],
        }


def _grant(live: LiveCommunity, household: Household, number: int) -> None:
    now_s = live.clock()
    live.publish(live.issuer, kinds.GRANT, {
        "number": number, "meter": household.kid, "contract": secrets.token_bytes(32), "wh": 1000, "max_w": 11000,
        "from_s": now_s - 10, "to_s": now_s + 3600, "price_micro_per_kwh": 180_000, "priority": 1,
        "start_by_s": now_s + 600, "default_supply": True,
    })  # fmt: skip
