"""What waits for the core: in order, bounded, and not a nanojoule less or more."""

import case
from case import raises
from simulator.board import Now
from simulator.driving import power
from simulator.network import alone
from wattpact_meter.core import backlog
from wattpact_meter.metering.measurement import Measurement
from wattpact_protocol import steps


class Applied:
    """In a meter's place: what it was given, in order."""

    def __init__(self):
        self.measurements = []
        self.order = []

    def measure_steps(self, now, measurement):
        assert measurement.duration_us >= 0
        yield
        self.measurements.append(measurement)
        self.order.append(now.uptime_ms)


def drain(held, meter):
    steps.finish(held.apply_steps(meter))


def amounts(measurements):
    return sum([sum(one.energy_nj) for one in measurements]), sum([one.duration_us for one in measurements])


def test_measurements_that_find_room_are_given_as_they_came():
    held, meter = backlog.Backlog(), Applied()
    given = [power(1000 + n, 200_000, {1: n}, n) for n in range(backlog.MAX_MEASURED)]
    for n, one in enumerate(given):
        held.add(Now(n, None), one)
    drain(held, meter)
    assert meter.measurements == given and [one.quality for one in given] == list(range(len(given)))
    assert meter.order == list(range(len(given))) and not held.joined
    drain(held, meter)
    assert len(meter.measurements) == len(given)


def test_however_many_come_no_energy_is_lost():
    bits = case.Bits("energy")
    for _ in range(case.scale(200, 20)):
        held, meter, rows = backlog.Backlog(), Applied(), []
        for n in range(bits.below(120)):
            row = (bits.below(40_000_000) - 20_000_000, bits.below(400_000), 1 << bits.below(4))
            rows.append(row)
            held.add(Now(n, None), power(row[0], row[1], {}, row[2]))
        drain(held, meter)
        assert amounts(meter.measurements) == (sum([mw * us for mw, us, _ in rows]), sum([us for _, us, _ in rows]))
        assert len(meter.measurements) <= backlog.MAX_MEASURED
        assert held.joined == max(0, len(rows) - backlog.MAX_MEASURED)
        assert meter.order == sorted(meter.order) and (not rows or meter.order[-1] == len(rows) - 1)
        faults = 0
        for row in rows[backlog.MAX_MEASURED - 1 :]:
            faults |= row[2]
        assert not rows or len(rows) < backlog.MAX_MEASURED or meter.measurements[-1].quality == faults


def out_of_memory(owner, name):
    """The method fails once, before it does anything."""
    works = getattr(owner, name)

    def fail(*arguments):
        setattr(owner, name, works)
        raise MemoryError(name)

    setattr(owner, name, fail)


def test_energy_is_counted_once_wherever_memory_runs_out():
    """Before it is in the registers, within that, and behind it."""
    for find, name in (
        (lambda recorder: recorder, "_trust"), (lambda recorder: recorder.bank, "add_energy"),
        (lambda recorder: recorder.bank, "_after"), (lambda recorder: recorder, "_count"),
        (lambda recorder: recorder, "_follow"), (lambda recorder: recorder.intervals, "follow"),
    ):  # fmt: skip
        world, _, household = alone()
        world.run(3)
        recorder, held = household.meter.recorder, backlog.Backlog()
        before_wh = recorder.import_wh
        for energy_mws in (3_600_000_000, 7_200_000_000):  # 1 kWh, and 2 kWh
            held.add(household.now(world.ms), power(energy_mws, 1_000_000))
        out_of_memory(find(recorder), name)
        raises(MemoryError, drain, held, household.meter)
        drain(held, household.meter)
        assert recorder.import_wh - before_wh == 3_000, name


def test_registers_that_cannot_be_followed_are_not_tried_again():
    """They count all the same with those that come next, and one that always fails must not stop the meter."""
    world, _, household = alone()
    world.run(3)
    held = backlog.Backlog()
    held.add(household.now(world.ms), Measurement((), 0, {}, 0, "METER", {1: 5}))
    out_of_memory(household.meter.recorder, "_adopt")
    raises(MemoryError, drain, held, household.meter)
    assert not held._measured


def test_what_is_joined_shows_the_newest_values():
    one = power(1000, 1_000_000, {64: 1})
    assert one.add(power(3001, 2_000_000, {64: 3})) and one.instantaneous == {64: 3}
    assert one.energy_nj == [7_002_000_000] and one.power_w == 2  # 7.002 J in 3 s
    assert one.add(power(0, 0)) and one.instantaneous == {64: 3} and one.duration_us == 3_000_000


def test_phases_and_kinds_do_not_mix():
    three = Measurement([1, -2, 3], 10, {})
    assert three.add(Measurement([10, 20, -30], 5, {})) and three.energy_nj == [11, 18, -27]
    assert not three.add(Measurement([1], 5, {})) and not three.add(Measurement((), 0, {}, 0, "METER", {1: 5}))
    assert (three.energy_nj, three.duration_us, three.registers_wh) == ([11, 18, -27], 15, {})


def test_the_newest_registers_replace_those_that_found_no_room():
    held, meter = backlog.Backlog(), Applied()
    for n in range(50):
        held.add(Now(n, None), Measurement((), 0, {64: n}, 0, "METER", {1: n}, 1000 + n))
    held.add(Now(50, None), Measurement((), 0, {}, 0, "OTHER", {1: 50}))
    drain(held, meter)
    kept = backlog.MAX_MEASURED - 1
    assert [one.registers_wh[1] for one in meter.measurements] == list(range(kept)) + [49] and meter.order[-1] == 49
    assert meter.measurements[-1].unix_s == 1049 and meter.measurements[-1].power_w == 49
    assert (held.joined, held.lost) == (51 - backlog.MAX_MEASURED, 1)


def test_datagrams_wait_while_there_is_room():
    held = backlog.Backlog()
    while held.has_room:
        held.datagrams.append(b"x")
    assert len(held.datagrams) == backlog.MAX_DATAGRAMS
