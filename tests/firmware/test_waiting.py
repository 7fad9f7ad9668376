"""What waits for the core: in order, bounded, and not an mW µs less or more."""

import case
from stand_in import Now
from wattpact_meter.core import backlog
from wattpact_meter.sources.p1_telegram import Telegram


class Told:
    """In a meter's place: what it was told, in order."""

    def __init__(self):
        self.powers = []
        self.telegrams = []
        self.order = []

    def on_power_steps(self, now, active_mw, duration_us, instantaneous, faults):
        assert duration_us >= 0
        yield
        self.powers.append((active_mw, duration_us, faults, instantaneous))
        self.order.append(now.uptime_ms)

    def on_telegram_steps(self, now, telegram):
        yield
        self.telegrams.append(telegram)
        self.order.append(now.uptime_ms)


def energy(powers):
    return sum([power[0] * power[1] for power in powers]), sum([power[1] for power in powers])


def test_periods_that_find_room_are_told_as_they_came():
    held, told = backlog.Backlog(), Told()
    given = [(1000 + n, 200_000, {1: n}, n) for n in range(backlog.MAX_MEASURED)]
    for n, power in enumerate(given):
        held.add_power(Now(n, None), power)
    held.tell(told)
    assert told.powers == [(mw, us, quality, more) for mw, us, more, quality in given]
    assert told.order == list(range(len(given))) and not held.joined
    held.tell(told)
    assert len(told.powers) == len(given)


def test_however_many_come_no_energy_is_lost():
    bits = case.Bits("energy")
    for _ in range(case.scale(200, 20)):
        held, told, given = backlog.Backlog(), Told(), []
        for n in range(bits.below(120)):
            power = (bits.below(40_000_000) - 20_000_000, bits.below(400_000), {}, 1 << bits.below(4))
            given.append(power)
            held.add_power(Now(n, None), power)
        held.tell(told)
        assert energy(told.powers) == energy(given)
        assert len(told.powers) <= backlog.MAX_MEASURED + 1
        assert held.joined == max(0, len(given) - backlog.MAX_MEASURED)
        assert told.order == sorted(told.order) and (not given or told.order[-1] == len(given) - 1)
        faults = 0
        for power in given[backlog.MAX_MEASURED - 1 :]:
            faults |= power[3]
        assert not given or len(given) < backlog.MAX_MEASURED or told.powers[-1][2] == faults


def test_periods_of_no_length_are_joined_too():
    held, told = backlog.Backlog(), Told()
    for n in range(40):
        held.add_power(Now(n, None), (n, 0, {}, 0))
    held.tell(told)
    assert told.powers[-1][:2] == (39, 0)


def test_the_newest_telegram_stands_for_those_that_found_no_room():
    held, told = backlog.Backlog(), Told()
    telegrams = [Telegram("METER") for _ in range(50)]
    for n, telegram in enumerate(telegrams):
        held.add_telegram(Now(n, None), telegram)
    other = Telegram("OTHER")
    held.add_telegram(Now(50, None), other)
    held.tell(told)
    kept = backlog.MAX_MEASURED - 1
    assert told.telegrams == telegrams[:kept] + [telegrams[-1]] and told.order[-1] == 49
    assert (held.joined, held.lost) == (50 - kept, 1)


def test_datagrams_are_taken_while_there_is_room():
    held = backlog.Backlog()
    while held.has_room:
        held.datagrams.append(b"x")
    assert len(held.datagrams) == backlog.MAX_DATAGRAMS
