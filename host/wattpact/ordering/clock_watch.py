"""Whether a host's clock may date a block now: the time of blocks only rises, so one block of a wrong time would hold
up all that comes after it.

    watch = ClockWatch(clock, uptime_s)
    watch.problem(last_s, newest)       None, or why nothing may be ordered now; required before each block

What always holds: a clock that is behind the last block waits until it is past it; one that jumped ahead while the node
ran waits until it has come back, or a meter whose own clock is set agrees with it. What a clock had wrong before the
node was started cannot be known here. docs/decisions/ledger.md.
"""

from collections.abc import Callable, Iterable

from wattpact_protocol.log.entry import Stamp

BEHIND_S = 60  # behind the last block by so little is no step: the block takes the last one's time
JUMP_S = 600  # what a clock that is kept right is never set by, and by how much a meter's may differ from it


class ClockWatch:
    """`clock()` gives Unix seconds, `uptime_s()` seconds that nobody sets."""

    def __init__(self, clock: Callable[[], int], uptime_s: Callable[[], int]) -> None:
        self._clock, self._uptime_s = clock, uptime_s
        self._offset_s = clock() - uptime_s()  # of a clock that is trusted
        self._was_behind = False
        self.problem_now: str | None = None

    def problem(self, last_s: int, newest: Iterable[Stamp]) -> str | None:
        """`last_s`: the last block's time; `newest`: of meters' entries, since the last call. Keeps the answer in
        `problem_now`."""
        now_s, offset_s = self._clock(), self._clock() - self._uptime_s()
        ahead_s = offset_s - self._offset_s
        is_confirmed = any(
            stamp.unix_s is not None and not stamp.doubtful and abs(stamp.unix_s - now_s) <= JUMP_S for stamp in newest
        )
        if ahead_s <= JUMP_S or is_confirmed or self._was_behind:  # a clock that was behind has been set right
            self._offset_s, ahead_s = offset_s, 0
        self._was_behind = now_s < last_s - BEHIND_S
        if self._was_behind:
            self.problem_now = f"this machine's clock is {last_s - now_s} s behind the last block"
        elif ahead_s:
            self.problem_now = (
                f"this machine's clock has jumped ahead by {ahead_s} s, and no meter's clock agrees with it"
            )
        else:
            self.problem_now = None
        return self.problem_now
