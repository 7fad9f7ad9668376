"""Whether a host's clock may date a block now: the time of blocks only rises, so one block of a wrong time would hold
up all that comes after it.

    watch = ClockWatch(clock, uptime_s)
    watch.note(meter, stamp)            of each entry that comes from another machine
    watch.problem(last_s)               None, or why nothing may be ordered now; required before each block

What always holds: a clock that is behind the last block waits until it is past it; one that jumped ahead while the node
ran waits until it has come back, or most meters that published since and have the time agree with it. What a clock had
wrong before the node was started cannot be known here. docs/decisions/ledger.md.
"""

import time
from collections.abc import Callable

from wattpact_protocol.log.entry import Stamp

BEHIND_S = 60  # behind the last block by so little is no step: the block takes the last one's time
JUMP_S = 600  # what a clock that is kept right is never set by, and by how much a meter's may differ from it
MAX_METERS = 1024  # whose time is remembered

_BEHIND, _AHEAD = "behind", "ahead"


class ClockWatch:
    """`clock()` gives Unix seconds, `uptime_s()` seconds that nobody sets."""

    def __init__(self, clock: Callable[[], int], uptime_s: Callable[[], int]) -> None:
        self._clock, self._uptime_s = clock, uptime_s
        self._offset_s = clock() - uptime_s()  # of a clock that is trusted
        self._meters: dict[bytes, int] = {}  # since the jump: the offset of each meter's clock that is set
        self._kind = ""
        self._text: str | None = None

    def note(self, meter: bytes, stamp: Stamp) -> None:
        """The newest time of a meter that it does not doubt; kept while it is needed."""
        if self._jump_s() <= JUMP_S or stamp.unix_s is None or stamp.doubtful:
            return
        if meter in self._meters or len(self._meters) < MAX_METERS:
            self._meters[meter] = stamp.unix_s - self._uptime_s()

    def problem(self, last_s: int) -> str | None:
        """`last_s`: the last block's time. The text is the same for as long as the problem is."""
        jump_s = self._jump_s()
        if jump_s <= JUMP_S or self._is_confirmed() or self._kind == _BEHIND:  # a clock that was behind was set right
            self._offset_s += jump_s
            self._meters, jump_s = {}, 0
        is_behind = self._clock() < last_s - BEHIND_S
        kind = _BEHIND if is_behind else _AHEAD if jump_s else ""
        if kind != self._kind:
            last = time.strftime("%Y-%m-%d %H:%M", time.gmtime(last_s))
            self._kind = kind
            self._text = {
                "": None,
                _BEHIND: f"this machine's clock is behind the last block, which is of {last} UTC",
                _AHEAD: f"this machine's clock has jumped ahead by {jump_s} s, and no majority of meters agrees",
            }[kind]
        return self._text

    def _jump_s(self) -> int:
        return self._clock() - self._uptime_s() - self._offset_s

    def _is_confirmed(self) -> bool:
        offset_s = self._clock() - self._uptime_s()
        agree = sum(abs(one - offset_s) <= JUMP_S for one in self._meters.values())
        return agree > len(self._meters) - agree
