"""What time it is for the core: how long the meter is up, the date if it knows one, and how far to trust it."""

from wattpact_protocol.log import entry


class Now:
    """One moment. unix_s is None exactly while the clock is invalid; clock_status is DLMS's, 0 for a good clock."""

    def __init__(self, uptime_ms: int, unix_s: "int | None", clock_status: int = 0) -> None:
        self.uptime_ms = uptime_ms
        self.unix_s = unix_s
        self.clock_status = clock_status | entry.CLOCK_INVALID if unix_s is None else clock_status

    @property
    def uptime_s(self) -> int:
        return self.uptime_ms // 1000
