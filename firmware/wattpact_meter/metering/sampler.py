"""Power from voltage and current samples: sums over whole mains cycles, cut where the voltage crosses zero upwards.

The method is emonLibCM's: nominal midpoints are subtracted, then Σv, Σi, Σv², Σi², Σi·v and Σi·v' (v' the voltage one
sample before) gathered; `power` makes a period of them. A crossing needs three samples at or above zero after at least
three below. It is placed between two samples by interpolation, and the sample beside it is shared between the two
cycles in parts of 256, so that a cycle is whole to far better than a sample.

What always holds: periods follow one another without a gap, each starting where the last ended, and each is charged
from its start to its end. A cycle in which samples are missing lends no sums and keeps its time, at the mean power of
the good ones. Results do not depend on how samples are cut into blocks. Nothing here reads a clock.

Cost: with counts of up to 12 bits every sum of a cycle of up to 255 samples is a 31-bit small integer, so a sample
costs four multiplications and eight additions in `_gather` and allocates nothing; big integers appear once a cycle.
"""

from wattpact_meter.metering import power

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from wattpact_meter.metering.calibration import Calibration

    Block = tuple[Sequence[int], Sequence[int], Sequence[int], int]

MIN_CYCLE_US = 12500  # 80 Hz: a crossing sooner than this is noise
MAX_CYCLE_US = 25000  # 40 Hz: a cycle longer than this missed a crossing
MIN_CYCLE_SAMPLES = 8
_FIRST_GAP_US = 2500  # until a cycle has shown how samples are spaced
_SHARE = 256

_END, _RISES, _ROSE, _EXPIRES = 0, 1, 2, 3

# n, v, i, v*v, i*i, i*v, i*v', v', clipped v, clipped i
_SUMS = 10


def _vector(now: "tuple[int, int]", before: int) -> "list[int]":
    """What one sample adds to the sums."""
    v, i = now
    return [1, v, i, v * v, i * i, i * v, i * before, before, 0, 0]


class Sampler:
    """One phase. Samples in, a Period out every `cycles_per_period` cycles."""

    def __init__(self, calibration: "Calibration", cycles_per_period: int = 10) -> None:
        if not 1 <= cycles_per_period <= 500:
            raise ValueError("cycles_per_period must be 1 to 500")
        self.calibration = calibration
        self.cycles_per_period = cycles_per_period
        self._middle_v = calibration.voltage_midpoint if calibration.has_voltage else 0
        if calibration.has_voltage:
            self._longest_us = (cycles_per_period + 2) * MAX_CYCLE_US
        else:
            self._longest_us = cycles_per_period * 10**9 // calibration.nominal_mhz
        self._gap_us = _FIRST_GAP_US
        self._begun = False
        self._whole = False  # has there been a crossing since the beginning
        self._last_us = 0
        self._behind = ((0, 0), (0, 0))  # the last sample, and the one before it
        self._sums: list[int] = []
        self._carry: list[int] = []
        self._below = self._above = self._gaps = 0
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
        done = 0
        k = 0
        while True:
            k, event = self._scan(block, k)
            self._gather(block, done, k)
            done = k
            if event == _END:
                break
            if event == _EXPIRES:
                periods.append(self._expire(base_us + times_us[k]))
                continue
            if event == _RISES:
                self._mark_crossing(block, k)
            elif self._cross() and self._cycles >= self.cycles_per_period and self._good_cycles:
                periods.append(self._close(self._mark_us, 0))
            k += 1
        self._behind = (self._sample(block, k - 1), self._sample(block, k - 2))
        self._last_us = base_us + times_us[-1]
        return periods

    def _scan(self, block: "Block", k: int) -> "tuple[int, int]":
        """Walk on from sample k to the next that may begin or confirm a crossing, or that passes the deadline."""
        times_us, voltages, _, base_us = block
        end = len(times_us)
        middle = self._middle_v
        gap_us = self._gap_us
        deadline = self._deadline_us - base_us
        below = self._below
        above = self._above
        last = times_us[k - 1] if k else self._last_us - base_us
        event = _END
        while k < end:
            t = times_us[k]
            if not 0 < t - last <= gap_us:
                self._gaps += 1
                if t > last:  # nothing was looked at: no sign of a missing crossing
                    self._deadline_us += t - last
                    deadline += t - last
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

    def _gather(self, block: "Block", low: int, high: int) -> None:
        """Add samples low to high - 1 to the sums of the running cycle."""
        if low >= high:
            return
        _, voltages, currents, _ = block
        n, sum_v, sum_i, sum_vv, sum_ii, sum_iv, sum_ip, sum_p, clipped_v, clipped_i = self._sums
        middle_v = self._middle_v
        middle_i = self.calibration.current_midpoint
        top = self.calibration.full_scale
        before = self._sample(block, low - 1)[0]
        for k in range(low, high):
            v = voltages[k]
            i = currents[k]
            if not 0 < v < top:
                clipped_v += 1
            if not 0 < i < top:
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
        n += high - low
        self._sums = [n, sum_v, sum_i, sum_vv, sum_ii, sum_iv, sum_ip, sum_p, clipped_v, clipped_i]

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
        self._whole = False
        self._open(start_us)
        self._seek()

    def _open(self, start_us: int) -> None:
        """Begin a period."""
        self._start_us = start_us
        self._deadline_us = start_us + self._longest_us
        self._totals = [0] * _SUMS  # of good cycles, in parts of _SHARE
        self._good_us = 0
        self._good_cycles = 0
        self._cycles = 0

    def _seek(self) -> None:
        """Forget the running cycle; what comes before the next crossing belongs to none."""
        self._sums = [0] * _SUMS  # of the running cycle
        self._carry = [0] * _SUMS  # the running cycle's share of the sample where it began, in parts of _SHARE
        self._cycle_us: int | None = None
        self._gaps = 0
        self._below = 0
        self._above = 0

    def _mark_crossing(self, block: "Block", k: int) -> None:
        """Note sums and place of a crossing that may have happened just before sample k."""
        now, last, older = self._sample(block, k), self._sample(block, k - 1), self._sample(block, k - 2)
        last_us = block[0][k - 1] + block[3] if k else self._last_us
        spacing_us = block[0][k] + block[3] - last_us
        part = _SHARE * -last[0] // (now[0] - last[0])
        # A sample stands for half a spacing each way: the crossing cuts the cell of one of the two beside it.
        share = part - _SHARE // 2
        beside = _vector(last, older[0]) if share <= 0 else _vector(now, last[0])
        self._mark_us = last_us + (spacing_us * part + _SHARE // 2) // _SHARE
        self._mark_sums = self._sums
        self._mark_carry = [share * value for value in beside]
        self._mark_gaps = self._gaps
        self._mark_in_gap = not 0 < spacing_us <= self._gap_us

    def _cross(self) -> bool:
        """End the running cycle at the marked crossing and begin the next; False for a crossing too soon to be one."""
        since_us = self._mark_us - (self._start_us if self._cycle_us is None else self._cycle_us)
        if self._cycle_us is not None and 0 <= since_us < MIN_CYCLE_US:
            return False
        if self._cycle_us is None and not self._whole:
            self._open(self._mark_us)  # the time before the very first crossing is not measured
        elif self._cycle_us is not None:
            self._end_cycle(since_us)
        self._whole = True
        self._carry = [-value for value in self._mark_carry]
        self._sums = [now - then for now, then in zip(self._sums, self._mark_sums)]
        self._gaps += self._mark_in_gap - self._mark_gaps
        self._cycle_us = self._mark_us
        return True

    def _end_cycle(self, cycle_us: int) -> None:
        n = self._mark_sums[0]
        if not self._mark_gaps and n >= MIN_CYCLE_SAMPLES and MIN_CYCLE_US <= cycle_us <= MAX_CYCLE_US:
            for k in range(_SUMS):
                self._totals[k] += _SHARE * self._mark_sums[k] + self._carry[k] + self._mark_carry[k]
            self._good_us += cycle_us
            self._good_cycles += 1
        self._cycles += 1
        if n and 0 < cycle_us <= MAX_CYCLE_US:
            self._gap_us = 2 * cycle_us // n + 1

    def _expire(self, t_us: int) -> "power.Period":
        """End a period that found no crossings in time, or that has no voltage to find them in."""
        flags = power.NO_VOLTAGE if not self.calibration.has_voltage else power.NO_CROSSING
        if not self._good_cycles:
            self._totals = [_SHARE * value + carried for value, carried in zip(self._sums, self._carry)]
        done = self._close(t_us, flags)
        self._seek()
        return done

    def _close(self, end_us: int, flags: int) -> "power.Period":
        end_us = max(end_us, self._start_us)
        lost_us = end_us - self._start_us - self._good_us
        if lost_us > 0 and not flags:
            flags |= power.GAP
        done = power.measure(
            self.calibration, self._start_us, end_us, self._totals, _SHARE, self._good_us, self._good_cycles, flags
        )
        self._open(end_us)
        return done
