"""What time it is for the core: how long the meter is up, the date if it knows one, and how far to trust it."""

from wattpact_protocol.log import entry

EARLIEST_S = 1_735_689_600  # 2025-01-01: no meter is older
LATEST_S = 3_471_292_800  # 2080-01-01: and none gets older


def plausible(unix_s: "int | None") -> "int | None":
    """The time, or None for one that no meter lives in: that of a server or a chip which was never set."""
    return unix_s if unix_s is not None and EARLIEST_S <= unix_s < LATEST_S else None


class Now:
    """One moment. unix_s is None exactly while the clock is invalid; clock_status is DLMS's, 0 for a good clock."""

    def __init__(self, uptime_ms: int, unix_s: "int | None", clock_status: int = 0) -> None:
        self.uptime_ms = uptime_ms
        self.unix_s = plausible(unix_s)
        self.clock_status = clock_status | entry.CLOCK_INVALID if self.unix_s is None else clock_status

    @property
    def uptime_s(self) -> int:
        return self.uptime_ms // 1000
