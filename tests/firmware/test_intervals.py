"""Readings from registers and time: boundaries, gaps, clocks that are set, and what is marked."""

import case
from wattpact_meter.clock import Now
from wattpact_meter.metering.intervals import MAX_WAITING, Intervals, UnixTime, slim
from wattpact_protocol.log import kinds, readings
from wattpact_protocol.settlement import register_rules

T0_S = 1_800_000_000


class Line:
    """Registers that rise evenly with time, seen in periods."""

    def __init__(self, step_s=60, count=3, watts=3600, start_ms=T0_S * 1000 - 30_000):
        self.intervals = Intervals(step_s, count)
        self.watts = watts
        self.at_ms = start_ms
        self.milli = 1_000_000
        self.crossed = []
        self.openings = []

    def registers(self):
        return {1: self.milli // 1000, 2: 7}

    def run(self, seconds, period_ms=1000, quality=0, generation=1, seen=True):
        for _ in range(seconds * 1000 // period_ms):
            before = self.registers()
            self.milli += self.watts * period_ms // 3600
            self.at_ms += period_ms
            if seen:
                self.crossed += self.intervals.follow(
                    self.at_ms, before, self.registers(), period_ms, quality, {64: self.watts}, generation
                )
        return self

    def bodies(self):
        taken = []
        while self.intervals.waiting():
            body = self.intervals.waiting()
            kinds.encode(kinds.READING, body)  # within what a reading may be
            (taken if readings.intervals(body) else self.openings).append(body)
            self.intervals.published()
        return taken


def test_boundaries_are_multiples_of_the_step():
    line = Line()
    line.run(30 + 2 * 180 + 5)
    first, second = line.bodies()
    assert first["t0_s"] == T0_S and second["t0_s"] == T0_S + 180 and first["step_s"] == 60
    assert first["registers"] == {1: [1030, [60, 60, 60]], 2: [7, [0, 0, 0]], 64: [3600, []]}
    assert second["registers"][1] == [1210, [60, 60, 60]] and second["bad_mask"] == 0 and second["quality"] == 0
    assert [unix_s for unix_s, _ in line.crossed] == [T0_S + 60 * n for n in range(7)]
    assert line.crossed[0] == (T0_S, 1030)


def test_no_reading_begins_before_one_that_was_shown_behind_a_boundary_that_still_waited():
    line = Line().run(200)
    line.run(100, seen=False)  # over a boundary, that is crossed with the next measurement
    ended_s = line.at_ms // 1000
    line.intervals.show(1, ended_s, line.registers())
    line.run(400, generation=2)
    later = line.bodies()[1:]
    assert [body["t0_s"] for body in line.openings[1:]] == [ended_s]
    assert later and all(body["t0_s"] >= ended_s and body["register_generation"] == 2 for body in later)


def test_the_first_second_is_published_so_that_energy_before_the_first_boundary_counts():
    line = Line(watts=36_000, start_ms=T0_S * 1000 - 30_300)  # 10 Wh a second, from between two seconds on
    line.run(220)
    full = line.bodies()
    assert [(body["t0_s"], body["registers"]) for body in line.openings] == [(T0_S - 30, {1: [1003, []], 2: [7, []]})]
    assert full[0]["t0_s"] == T0_S and full[0]["registers"][1][0] == 1303
    line.run(400)
    line.bodies()
    assert len(line.openings) == 1
    later = Line()
    later.intervals.last_end_s = T0_S - 3600  # after a restart the gap is bridged by what was published before
    later.run(300)
    later.bodies()
    assert later.openings == []
    exact = Line(start_ms=T0_S * 1000)  # a boundary itself opens
    exact.run(200)
    assert exact.bodies()[0]["t0_s"] == T0_S and exact.openings == []


def test_a_boundary_within_a_period_is_interpolated():
    line = Line(count=1, watts=36_000, start_ms=T0_S * 1000 - 6_000)  # 10 Wh a second
    line.run(70, period_ms=10_000)
    assert line.crossed == [(T0_S, 1060), (T0_S + 60, 1660)]


def test_values_are_between_the_registers_around_them():
    bits = case.Bits("between")
    for _ in range(case.scale(300, 60)):
        line = Line(step_s=5, count=1 + bits.below(4), watts=0)
        line.at_ms += bits.below(5000)
        held = register_rules.RegisterRules(0)
        for _ in range(40):
            line.watts = bits.below(100_000)
            line.run(7, period_ms=7000 // (1 + bits.below(6)), seen=bits.below(8) > 0)
        for body in line.bodies():
            assert held.apply(body) is None
            assert readings.end_value(body, 1) <= line.registers()[1]
        wh = [wh for _, wh in line.crossed]
        assert wh == sorted(wh)


def test_an_unmeasured_boundary_is_marked_and_energy_is_kept():
    line = Line()
    line.run(100).run(55, seen=False).run(100)
    body = line.bodies()[0]
    assert body["bad_mask"] == 0b110 and body["quality"] == readings.ESTIMATED
    assert body["registers"][1][1] == [60, 65, 55]


def test_a_source_that_died_leaves_marked_readings():
    line = Line(count=2)
    line.run(35)
    for second in range(200):
        line.intervals.idle(line.at_ms + second * 1000, line.registers())
    body = line.bodies()[0]
    assert body["registers"][1] == [1030, [5, 0]] and body["bad_mask"] == 3
    assert body["quality"] & readings.SENSOR_FAULT


def test_quality_is_of_the_step_it_fell_into():
    line = Line()
    line.run(40).run(60, quality=readings.CLIPPED).run(200)
    assert line.bodies()[0]["bad_mask"] == 0b011
    assert line.intervals.waiting() is None


def test_a_long_gap_closes_what_is_known():
    line = Line(count=5)
    line.run(30 + 130).run(3600, seen=False).run(400)
    first, second = line.bodies()
    assert first["registers"][1] == [1030, [60, 60]] and first["t0_s"] == T0_S
    assert second["t0_s"] % 60 == 0 and second["t0_s"] > T0_S + 3600 and second["bad_mask"] == 0
    held = register_rules.RegisterRules(10_000)
    assert held.apply(first) is None and held.apply(second) is None
    assert line.intervals.missed > 50


def test_a_new_register_generation_begins_a_new_reading():
    line = Line(count=5)
    line.run(30 + 130).run(400, generation=2)
    first, second = line.bodies()
    assert (first["register_generation"], second["register_generation"]) == (1, 2)
    assert len(first["registers"][1][1]) == 2 and second["t0_s"] == T0_S + 180


def test_a_clock_that_is_set_closes_and_marks():
    line = Line(count=5)
    line.run(30 + 130)
    line.intervals.set_clock()
    line.at_ms += 3_600_000
    line.run(400)
    first, second = line.bodies()
    assert len(first["registers"][1][1]) == 2 and first["quality"] == 0
    assert second["quality"] == readings.CLOCK_ADJUSTED and second["bad_mask"] == 1
    line.run(100)
    line.intervals.set_clock()
    line.at_ms -= 600_000  # behind what was published: readings wait until time has passed that
    line.run(700)
    held = register_rules.RegisterRules(10_000)
    for body in [first, second] + line.bodies():
        assert held.apply(body) is None


def test_without_a_clock_there_are_no_readings():
    line = Line(count=1)
    line.run(100)
    assert len(line.bodies()) == 1
    line.intervals.lose_clock()
    assert line.intervals.waiting() is None


def test_readings_that_nobody_takes_are_bounded():
    line = Line(step_s=5, count=1)
    line.run(500)
    assert len(line.bodies()) == MAX_WAITING and line.intervals.missed > 50


def test_a_reading_can_be_cut_down():
    line = Line()
    line.run(220)
    body = slim(line.bodies()[0])
    assert sorted(body["registers"]) == [1, 2] and kinds.encode(kinds.READING, body)


def test_whole_seconds_narrow_down_where_a_second_begins():
    bits = case.Bits("phase")
    for _ in range(20):
        offset_ms = T0_S * 1000 + bits.below(1000)
        time = UnixTime()
        for uptime_ms in range(0, 3000, 100):
            assert time.follow(Now(uptime_ms, (offset_ms + uptime_ms) // 1000)) == 0
        assert 0 <= offset_ms + 5000 - time.at_ms(5000) < 100


def test_a_clock_that_is_set_is_distinguished_from_one_that_is_steered():
    time = UnixTime()
    assert time.follow(Now(0, None)) == 0 and not time.is_known
    assert time.follow(Now(1000, T0_S)) == 0 and time.is_known
    assert time.follow(Now(2000, T0_S + 2)) == 0  # a second too early: steered
    assert time.follow(Now(3000, T0_S + 100)) in range(96_000, 98_001)
    assert time.follow(Now(4000, T0_S + 1)) < -90_000
    assert time.follow(Now(5000, T0_S + 2)) == 0
