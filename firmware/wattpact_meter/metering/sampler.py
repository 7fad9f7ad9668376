"""Power from voltage and current samples: sums over whole mains cycles, cut where the voltage crosses zero upwards.

The method is emonLibCM's: nominal midpoints are subtracted, then Σv, Σi, Σv², Σi², Σi·v and Σi·v' (v' the voltage one
sample before) gathered; `power` makes a period of them. A crossing needs three samples at or above zero after at least
three below. It is placed between two samples by interpolation, and the sample beside it is shared between the two
cycles in parts of 256, so that a cycle is whole to far better than a sample.

Samples weigh equally as long as they are spaced regularly. Where they are not, what is between two of them is put
in by `power.bridge`, so that each weighs as the time it stands for: up to NEAR_US apart as good as measured, up to a
third of a cycle in one that counts only where good ones are few, and then as estimated. Without mains cycles in the
voltage, or without voltage, nominal cycles by the clock stand in for them.

What always holds: periods follow one another without a gap, each starting where the last ended, and each is charged
from its start to its end. A cycle in which samples are missing lends no sums and keeps its time, at the mean power of
the good ones; where there are none, nothing is charged. Results do not depend on how samples are cut into blocks.
Nothing here reads a clock.

Cost: with counts of up to 12 bits every sum of a cycle of up to 255 samples is a 31-bit small integer, so a sample
costs four multiplications and eight additions in `_gather` and allocates nothing; big integers appear once a cycle,
and for each irregular spacing.
"""

from wattpact_meter.metering import power
from wattpact_meter.metering.spacing import NEAR_US, Spacing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from wattpact_meter.metering.calibration import Calibration

    Block = tuple[Sequence[int], Sequence[int], Sequence[int], int]

MIN_CYCLE_US = 12500  # 80 Hz: a crossing sooner than this is noise
MAX_CYCLE_US = 25000  # 40 Hz: a cycle longer than this missed a crossing
MIN_CYCLE_SAMPLES = 8
SLACK_NJ = 900 * 10**9  # 900 J: of 10 counts of noise at 19 W a count a quarter of a Wh a day gets through each way
_SHARE = 256
_HOPELESS = 3  # periods' worth of cycles without one that counts
_MISSING = 1 << 16  # a cycle's gaps: 1 for each that is bridged and wide, this for each that is not bridged

_END, _RISES, _ROSE, _EXPIRES, _LEAPS = 0, 1, 2, 3, 4

# n, v, i, v*v, i*i, i*v, i*v', v', clipped v, clipped i, i*v that wide bridges put in
_SUMS = 11


def _vector(now: "tuple[int, int]", before: int) -> "list[int]":
    """What one sample adds to the sums."""
    v, i = now
    return [1, v, i, v * v, i * i, i * v, i * before, before, 0, 0, 0]


class Sampler:
    """One phase. Samples in, a Period out every `cycles_per_period` cycles."""

    def __init__(self, calibration: "Calibration", cycles_per_period: int = 10) -> None:
        if not 1 <= cycles_per_period <= 500:
            raise ValueError("cycles_per_period must be 1 to 500")
        self.calibration = calibration
        self.cycles_per_period = cycles_per_period
        self._middle_v = calibration.voltage_midpoint if calibration.has_voltage else 0
        self._nominal_us = 10**9 // calibration.nominal_mhz
        self._is_nominal = False  # cycles are taken by the clock
        self._spacing = Spacing()
        self._cycle_long_us = self._nominal_us  # of the last whole cycle
        self._begun = False
        self._whole = False  # has there been a crossing since the beginning
        self._last_us = 0
        self._behind = ((0, 0), (0, 0))  # the last sample, and the one before it
        self._sums: list[int] = []
        self._carry: list[int] = []
        self._leap: list[int] | None = None  # what was put in just before the sample that is looked at
        self._leap_gaps = 0
        self._slack_nj: int | None = None
        self._seen = 0  # samples
        self._below = self._above = self._gaps = 0
        self._deadline_us = 0
        self._cycles = self._good_cycles = self._wide_cycles = 0  # of the period
        self._open(0)
        self._seek()

    def feed(self, t_us: int, voltage: int, current: int) -> "power.Period | None":
        """One sample. `feed_block` costs far less a sample."""
        periods = self.feed_block((0,), (voltage,), (current,), t_us)
        return periods[0] if periods else None

    def feed_block(
        self, times_us: "Sequence[int]", voltages: "Sequence[int] | None", currents: "Sequence[int]", base_us: int = 0
    ) -> "list[power.Period]":
        """Samples in counts, sample k at base_us + times_us[k]; voltages may be None where there is no channel.

        Times rise, or what runs back is a gap; a block that begins before the last one ended begins a period anew. Keep
        times_us below 2^29: they are small integers then, however long the meter has been up.
        """
        if not times_us:
            return []
        if voltages is None or not self.calibration.has_voltage:
            voltages = bytes(len(times_us))
        block = (times_us, voltages, currents, base_us)
        if not self._begun or base_us + times_us[0] <= self._last_us:
            self._begin(block)
        periods = []
        done = k = 0
        leapt = -1  # the sample before which there is a bridge, or a gap that is known
        while True:
            k, event = self._scan(block, k, leapt)
            self._gather(block, done, k)
            done = k
            ends = False
            if event == _END:
                break
            if event == _LEAPS:
                leapt = k
                self._leap_to(block, k)
                if self._cycles >= _HOPELESS * self.cycles_per_period and not self._good_cycles + self._wide_cycles:
                    periods.append(self._close(base_us + times_us[k], self._nominal_flag()))
                continue
            last_us = times_us[k - 1] + base_us if k else self._last_us
            if k != leapt:
                self._leap = None
                self._leap_gaps = 0
            if event == _EXPIRES:
                if not self._is_nominal:
                    periods += self._lose_crossings(base_us + times_us[k])
                    continue
                self._mark(block, k, self._deadline_us)
                ends = self._cross(last_us)
                self._deadline_us = self._mark_us + self._nominal_us
            elif event == _ROSE and self._is_nominal:
                periods += self._find_crossings(base_us + times_us[k])
            elif event == _ROSE:
                ends = self._cross(last_us)
            elif not self._is_nominal:
                self._mark_crossing(block, k)
            if ends and self._cycles >= self.cycles_per_period and self._good_cycles + self._wide_cycles:
                periods.append(self._close(self._mark_us, self._nominal_flag()))
            k += event != _EXPIRES
        self._behind = (self._sample(block, k - 1), self._sample(block, k - 2))
        self._last_us = base_us + times_us[-1]
        return periods

    def _scan(self, block: "Block", k: int, leapt: int) -> "tuple[int, int]":
        """Walk on from sample k to the next that may begin or confirm a crossing, is irregularly spaced (other than
        `leapt`), or passes the deadline."""
        times_us, voltages, _, base_us = block
        end = len(times_us)
        middle = self._middle_v
        low_us = self._spacing.low_us
        high_us = self._spacing.high_us
        deadline = self._deadline_us - base_us
        below = self._below
        above = self._above
        last = times_us[k - 1] if k else self._last_us - base_us
        event = _END
        while k < end:
            t = times_us[k]
            if not low_us < t - last <= high_us and k != leapt:
                event = _LEAPS
                break
            if t >= deadline:
                event = _EXPIRES
                break
            last = t
            if voltages[k] < middle:
                below += 1
                above = 0
            elif below >= 3:
                above += 1
                if above == 1:
                    event = _RISES
                    break
                if above == 3:
                    event = _ROSE
                    below = above = 0
                    break
            k += 1
        self._below = below
        self._above = above
        return k, event

    def _gather(self, block: "Block", first: int, end: int) -> None:
        """Add samples first to end - 1 to the sums of the running cycle."""
        if first >= end:
            return
        _, voltages, currents, _ = block
        n, sum_v, sum_i, sum_vv, sum_ii, sum_iv, sum_ip, sum_p, clipped_v, clipped_i, wide = self._sums
        middle_v = self._middle_v
        middle_i = self.calibration.current_midpoint
        low = self.calibration.lowest
        top = self.calibration.highest
        before = self._sample(block, first - 1)[0]
        for k in range(first, end):
            v = voltages[k]
            i = currents[k]
            if not low < v < top:
                clipped_v += 1
            if not low < i < top:
                clipped_i += 1
            v -= middle_v
            i -= middle_i
            sum_v += v
            sum_i += i
            sum_vv += v * v
            sum_ii += i * i
            sum_iv += i * v
            sum_ip += i * before
            sum_p += before
            before = v
        n += end - first
        self._seen += end - first
        self._sums = [n, sum_v, sum_i, sum_vv, sum_ii, sum_iv, sum_ip, sum_p, clipped_v, clipped_i, wide]

    def _sample(self, block: "Block", k: int) -> "tuple[int, int]":
        """Sample k of the block, or the last of the block before, less the midpoints."""
        if k < 0:
            return self._behind[-1 - k]
        return block[1][k] - self._middle_v, block[2][k] - self.calibration.current_midpoint

    def _begin(self, block: "Block") -> None:
        self._begun = True
        first = (block[1][0] - self._middle_v, block[2][0] - self.calibration.current_midpoint)
        self._behind = (first, first)
        start_us = block[3] + block[0][0]
        self._last_us = start_us - 1
        self._spacing.begin(self._seen, start_us)
        self._whole = False
        self._is_nominal = False
        self._open(start_us)
        self._seek()
        if not self.calibration.has_voltage:
            self._count_nominal(start_us)

    def _open(self, start_us: int) -> None:
        """Begin a period."""
        self._start_us = start_us
        if not self._is_nominal:
            self._deadline_us = start_us + (self.cycles_per_period + 2) * MAX_CYCLE_US
        self._totals = [0] * _SUMS  # of good cycles, in parts of _SHARE
        self._wide = [0] * _SUMS  # of those with wide bridges
        self._good_us = self._wide_us = 0
        self._good_cycles = self._wide_cycles = self._cycles = 0

    def _seek(self) -> None:
        """Forget the running cycle; what comes before the next crossing belongs to none."""
        self._sums = [0] * _SUMS  # of the running cycle
        self._carry = [0] * _SUMS  # what it has besides, in parts of _SHARE: bridges, and of the sample where it began
        self._cycle_us: int | None = None
        self._gaps = 0
        self._below = 0
        self._above = 0

    def _count_nominal(self, start_us: int) -> None:
        """From here on cycles are taken by the clock."""
        self._seek()
        self._is_nominal = self._whole = True
        self._cycle_us = start_us
        self._deadline_us = start_us + self._nominal_us

    def _lose_crossings(self, t_us: int) -> "list[power.Period]":
        """No crossing for too long: the period ends with the cycles it has; one that has none goes on."""
        periods = [self._close(t_us, power.NO_CROSSING)] if self._cycles else []
        self._count_nominal(t_us)
        return periods

    def _find_crossings(self, t_us: int) -> "list[power.Period]":
        """The mains are there again: cycles by the clock make a period of their own."""
        counts = self._good_cycles + self._wide_cycles > 0
        periods = [self._close(self._cycle_us or t_us, self._nominal_flag())] if counts else []
        self._seek()
        self._is_nominal = False
        self._deadline_us = t_us + (self.cycles_per_period + 2) * MAX_CYCLE_US
        return periods

    def _nominal_flag(self) -> int:
        if not self._is_nominal:
            return 0
        return power.NO_CROSSING if self.calibration.has_voltage else power.NO_VOLTAGE

    def _leap_to(self, block: "Block", k: int) -> None:
        """Sample k is irregularly spaced: put in what is between it and the one before, or note that it is missing."""
        last_us = block[0][k - 1] + block[3] if k else self._last_us
        wide_us = block[0][k] + block[3] - last_us
        self._leap = None
        self._spacing.leap(self._seen, last_us, wide_us)
        if not 0 < wide_us <= self._cycle_long_us // 3 or not self._spacing.us:
            self._miss(last_us, wide_us)
            return
        is_wide = wide_us > NEAR_US
        self._leap_gaps = int(is_wide)
        self._gaps += self._leap_gaps
        ends = self._sample(block, k - 1) + self._sample(block, k)
        self._leap = power.bridge(ends, wide_us, self._spacing.us, self._cycle_long_us, _SHARE, is_wide)
        self._carry = [carried + value for carried, value in zip(self._carry, self._leap)]

    def _miss(self, last_us: int, gap_us: int) -> None:
        """Samples are missing, and the running cycle is not whole."""
        self._leap_gaps = _MISSING
        self._gaps += _MISSING
        if gap_us > 0 and self._is_nominal:
            self._cycles += 1
            self._spacing.end_cycle(self._seen - 1, last_us)
            self._count_nominal(last_us + gap_us)
        elif gap_us > 0:
            self._deadline_us += gap_us  # nothing was looked at: no sign of a missing crossing

    def _mark_crossing(self, block: "Block", k: int) -> None:
        """Note the place of a crossing that may have happened just before sample k."""
        last, now = self._sample(block, k - 1)[0], self._sample(block, k)[0]
        last_us = block[0][k - 1] + block[3] if k else self._last_us
        spacing_us = block[0][k] + block[3] - last_us
        self._mark(block, k, last_us + (2 * spacing_us * -last + now - last) // (2 * (now - last)))

    def _mark(self, block: "Block", k: int, mark_us: int) -> None:
        """Note the sums as they are where a cycle may end, between samples k - 1 and k."""
        now, last, older = self._sample(block, k), self._sample(block, k - 1), self._sample(block, k - 2)
        last_us = block[0][k - 1] + block[3] if k else self._last_us
        part = _SHARE * (mark_us - last_us) // max(1, block[0][k] + block[3] - last_us)
        # A sample stands for half a spacing each way: the end cuts the cell of one of the two beside it.
        share = part - _SHARE // 2
        beside = _vector(last, older[0]) if share <= 0 else _vector(now, last[0])
        self._mark_us = mark_us
        self._mark_sums = self._sums
        self._mark_carry = self._carry
        self._mark_share = [share * value for value in beside]
        self._mark_gaps = self._gaps
        self._mark_in_gap = self._leap_gaps
        if self._leap is not None:
            self._mark_share = [m - (_SHARE - part) * v // _SHARE for m, v in zip(self._mark_share, self._leap)]

    def _cross(self, last_us: int) -> bool:
        """End the running cycle at the mark and begin the next; False for a crossing too soon to be one. last_us is the
        time of the newest sample in the sums."""
        since_us = self._mark_us - (self._start_us if self._cycle_us is None else self._cycle_us)
        if self._cycle_us is not None and 0 <= since_us < MIN_CYCLE_US:
            return False
        if self._cycle_us is None and not self._whole:
            self._open(self._mark_us)  # the time before the very first crossing is not measured
        if self._cycle_us is not None:
            self._end_cycle(since_us)
        if self._spacing.end_cycle(self._seen - 1, last_us):
            self._gaps += _MISSING  # of the next cycle, whose first samples were weighed by another measure
        self._whole = True
        self._gaps += self._mark_in_gap - self._mark_gaps
        self._carry = [
            now - then - shared for now, then, shared in zip(self._carry, self._mark_carry, self._mark_share)
        ]
        self._sums = [now - then for now, then in zip(self._sums, self._mark_sums)]
        self._cycle_us = self._mark_us
        return True

    def _end_cycle(self, cycle_us: int) -> None:
        """Add the sums of a whole cycle to those of the period."""
        n = self._mark_sums[0]
        self._cycles += 1
        if self._mark_gaps >= _MISSING or n < MIN_CYCLE_SAMPLES or not MIN_CYCLE_US <= cycle_us <= MAX_CYCLE_US:
            return
        totals = self._wide if self._mark_gaps else self._totals
        for k in range(_SUMS):
            totals[k] += _SHARE * self._mark_sums[k] + self._mark_carry[k] + self._mark_share[k]
        if self._mark_gaps:
            self._wide_us += cycle_us
            self._wide_cycles += 1
        else:
            self._good_us += cycle_us
            self._good_cycles += 1
            self._cycle_long_us = cycle_us

    def _close(self, end_us: int, flags: int) -> "power.Period":
        end_us = max(end_us, self._start_us)
        if self._wide_cycles and 2 * self._good_us < end_us - self._start_us:
            flags |= power.BRIDGED
            self._totals = [good + wide for good, wide in zip(self._totals, self._wide)]
            self._good_us += self._wide_us
            self._good_cycles += self._wide_cycles
        if end_us - self._start_us > self._good_us and not flags & ~power.BRIDGED:
            flags |= power.GAP
        cycles = 0 if self._is_nominal else self._good_cycles
        done = power.measure(
            self.calibration, self._start_us, end_us, self._totals, _SHARE, self._good_us, cycles, flags
        )
        done.energy_nj = self._settle(done.energy_nj)
        self._open(end_us)
        return done

    def _settle(self, energy_nj: int) -> int:
        """What of a period's energy counts: it goes through a slack that import leaves at one end and export at the
        other, in which noise cancels before it becomes either. The first period finds it at its own end."""
        slack_nj = self._slack_nj
        if slack_nj is None:
            slack_nj = SLACK_NJ if energy_nj > 0 else 0
        moved_nj = slack_nj + energy_nj
        self._slack_nj = min(max(moved_nj, 0), SLACK_NJ)
        return moved_nj - self._slack_nj
