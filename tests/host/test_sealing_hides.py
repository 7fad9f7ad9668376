"""What sizes, times and numbers of entries show of a household: whether anybody is there is not among it.

Real homes are measured by the meter's own code: days as they were lived, and days on which nobody was there and the
household drew its least power all day. Who sees only how many entries came, when, how large and of which kind, tries to
distinguish them. The same means find out at once where nothing is sealed, and where what is sealed is not padded.
"""

from decimal import Decimal
from pathlib import Path

import case
import pytest
from simulator.community import BY_THEMSELVES, NEVER, START_S
from simulator.driving import measure, power, receive, tick
from simulator.household import Household
from simulator.peer import with_peer
from wattpact.simulation.homes import nominal_powers, read_home
from wattpact_meter.clock import Now
from wattpact_protocol.log import entry, kinds
from wattpact_protocol.sealing import content
from wattpact_protocol.sync import datagram

DATA = "homes/citylearn_2022_fontana17"
FIRST_HOUR, DAYS = 200 * 24, 14
STEP_S, INTERVALS, DAY_S = 900, 4, 86_400
NEIGHBOURS = 5
FOUND = case.cases(0.8, 0.7)  # of fewer homes' days fewer look alike


@pytest.fixture(scope="module")
def homes() -> "list[list[int]]":
    """The load of each home by the hour, mW."""
    folder = Path(case.data(DATA))
    names = list(nominal_powers(folder))
    names = names[: case.cases(len(names), 5)]
    return [read_home(folder, name, Decimal(0), FIRST_HOUR, DAYS * 24).net_mw for name in names]


def lived(name: str, hourly_mw: "list[int]", sealed: bool = True, supplied: bool = False) -> "list[entry.Entry]":
    """The entries of a household's meter. supplied: a grant is in use from the first minute to the last."""
    community = with_peer(seals=BY_THEMSELVES if sealed else NEVER)
    household = Household(community, name, lambda ms, closed: 0, step_s=STEP_S, intervals=INTERVALS)
    community.enrol(household, community.person("owner"))
    community.quick_policy()
    if supplied:
        community.give(household, 1_000_000, to_s=START_S + 40 * DAY_S, start_by_s=START_S + DAY_S, default_supply=True)
    household.boot(0)
    cursor = 0
    for told in community.sink.inbox_after(household.kid, community.sink.inbox, cursor, 99):
        receive(household.meter, household.now(0), told)
    receive(household.meter, household.now(0), community.sink.datagram(datagram.HEAD, [household.kid, 0, 0]))
    closed = False
    for hour, power_mw in enumerate(hourly_mw):
        for second in range(hour * 3600 + STEP_S, hour * 3600 + 3601, STEP_S):
            now = Now(second * 1000, START_S + second)
            measure(household.meter, now, power(power_mw, STEP_S * 1_000_000))
            household.around.sensed_closed = closed
            for _ in range(8):
                decision = tick(household.meter, now, household.around)
                closed = decision.closed if decision.operate else closed
                if not decision.operate and household.meter.next_tick_ms(now) > now.uptime_ms:
                    break
            household.meter.pop_datagrams()
    assert not household.meter.rejected and len(household.meter.registers()) == 2
    return [entry.decode(raw, community.id) for raw in household.flash.entries]


def seen(entries: "list[entry.Entry]") -> "list[tuple[int, int, list[int | None]]]":
    """What anybody sees: kind, size and stamp."""
    return [(new.kind, len(new.raw), new.stamp.to_list()) for new in entries]


@pytest.mark.parametrize("supplied", [False, True], ids=["no contract", "a contract in use"])
def test_a_busy_household_and_an_empty_one_show_strangers_the_same(homes: "list[list[int]]", supplied: bool):
    hours = homes[0][: 3 * 24]
    busy = seen(lived("busy", hours, supplied=supplied))
    for constant_mw in (0, min(hours), 9_000_000):
        assert seen(lived("empty", [constant_mw] * len(hours), supplied=supplied)) == busy
    said = [kind for kind, _, _ in busy]
    assert said.count(kinds.READING) >= 71
    assert said.count(kinds.USAGE) == (said.count(kinds.USAGE_START) and 3 * 96 - 1)
    assert (kinds.USAGE in said) == supplied
    assert seen(lived("open", hours, sealed=False)) != seen(lived("open", [0] * len(hours), sealed=False))


def home_days(homes: "list[list[int]]", sealed: bool = True) -> "list[tuple[bool, list[int]]]":
    """For each home and day: whether somebody was there, and what its entries show. Half of the days nobody was."""
    bits, days = case.Bits("who is at home"), []
    there = [number % 2 == 0 for number in range(len(homes) * DAYS)]
    bits.shuffle(there)
    for number, hours in enumerate(homes):
        own = there[number * DAYS : (number + 1) * DAYS]
        load = [power if own[hour // 24] else min(hours) for hour, power in enumerate(hours)]
        entries = lived(f"home {number}", load, sealed)
        days += [(is_there, features(entries, day)) for day, is_there in enumerate(own)]
    return days


def features(entries: "list[entry.Entry]", day: int) -> "list[int]":
    """Of one day: how many entries, how large in all, at least and at most, and by the hour size and last second."""
    start_s = START_S + day * DAY_S
    own = [new for new in entries if start_s < (new.stamp.unix_s or 0) <= start_s + DAY_S]
    sizes = [len(new.raw) for new in own if new.kind == kinds.READING]
    found = [len(own), sum(sizes), min(sizes), max(sizes)]
    for hour in range(24):
        within = [new for new in own if 0 < (new.stamp.unix_s or 0) - start_s - hour * 3600 <= 3600]
        found += [
            sum(len(new.raw) for new in within),
            max(((new.stamp.unix_s or 0) % 3600 for new in within), default=0),
        ]
    return found


def found_out(days: "list[tuple[bool, list[int]]]") -> int:
    """How many days are classified right by those most like them, each left out in its turn; ties are drawn by lot."""
    bits, right = case.Bits("lots"), 0
    columns = list(zip(*[values for _, values in days], strict=True))
    spans = [max(column) - min(column) or 1 for column in columns]
    scaled = [[value / span for value, span in zip(values, spans, strict=True)] for _, values in days]
    for place, own in enumerate(scaled):
        near = sorted(
            (sum((a - b) ** 2 for a, b in zip(own, other, strict=True)), bits.below(1 << 30), days[index][0])
            for index, other in enumerate(scaled)
            if index != place
        )[:NEIGHBOURS]
        right += (sum(is_there for _, _, is_there in near) * 2 > NEIGHBOURS) == days[place][0]
    return right


def test_nobody_finds_out_who_is_at_home(homes: "list[list[int]]"):
    days = home_days(homes)
    right, count = found_out(days), len(days)
    assert count >= case.cases(200, 70)
    # A coin classifies half of them right: four standard deviations of the binomial distribution above that.
    assert right <= count / 2 + 4 * (count / 4) ** 0.5, f"{right} of {count}"


def test_plain_readings_give_it_away(homes: "list[list[int]]"):
    days = home_days(homes, sealed=False)
    assert found_out(days) > FOUND * len(days), f"{found_out(days)} of {len(days)}"


def test_sealed_readings_without_padding_give_it_away(homes: "list[list[int]]", monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(content, "length_of", lambda kind, body: 0)
    monkeypatch.setattr(content, "_STEP_BYTES", 1)
    days = home_days(homes)
    assert found_out(days) > FOUND * len(days), f"{found_out(days)} of {len(days)}"
