"""How far a sampler's samples are apart where nothing is in the way, learned from themselves.

What always holds: the spacing is that of most samples of a cycle, not their mean, so that stalls do not change it.
"""

from wattpact_meter.metering.fixedpoint import round_div

NEAR_US = 2500  # half a millisecond, and two late: so far apart samples are as good as regular
_FEW = 8
_STEADY = 16  # a spacing that changed by less than one in so many is the same


class Spacing:
    """us: the spacing, 0 as long as it is not known. A spacing is regular above low_us and up to high_us."""

    def __init__(self) -> None:
        self._first = (0, 0)  # of the samples that are regular up to now: its number and its time
        self._even = [0, 0]  # regular spacings since something was learned: count and sum
        self._short = [0, 0]
        self._long = [0, 0]
        self._set(0)

    def _set(self, us: int) -> None:
        self.us = us
        self.low_us = us * 3 // 4
        self.high_us = us * 5 // 4 or NEAR_US

    def begin(self, number: int, at_us: int) -> None:
        """Sample `number`, taken at at_us, is the first."""
        self._first = (number, at_us)

    def leap(self, number: int, last_us: int, wide_us: int) -> None:
        """Sample `number` is irregularly spaced, wide_us after the last one."""
        self._run_to(number - 1, last_us)
        self._first = (number, last_us + wide_us)
        if wide_us > 0:
            row = self._long if wide_us > self.high_us else self._short
            row[0] += 1
            row[1] += wide_us

    def _run_to(self, number: int, last_us: int) -> None:
        self._even[0] += number - self._first[0]
        self._even[1] += last_us - self._first[1]

    def end_cycle(self, number: int, last_us: int) -> bool:
        """A cycle ended; sample `number`, the last, was taken at last_us. Whether the spacing is another now."""
        if self._first[0] <= number:
            self._run_to(number, last_us)
            self._first = (number, last_us)
        count, sum_us = self._even
        if self.us and self._short[0] > count:
            count, sum_us = self._short
        elif self.us and self._long[0] > 4 * count:
            count, sum_us = self._long
        if count < _FEW:
            return False
        self._even, self._short, self._long = [0, 0], [0, 0], [0, 0]
        before_us = self.us
        self._set(round_div(sum_us, count))
        return abs(self.us - before_us) * _STEADY > before_us > 0
