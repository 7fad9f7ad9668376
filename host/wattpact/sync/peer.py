"""A meter's end of the link, as a host knows it."""

Address = tuple[str, int]
Datagrams = list[tuple[bytes, Address]]

BUDGET = 64


class Peer:
    """What is known of a meter's end of the link. Times are the edge's monotonic milliseconds."""

    def __init__(self, address: Address, now_ms: int) -> None:
        self.address = address
        self.seen_ms = now_ms
        self.seen_s = 0
        self.cursor = 0
        self.in_flight: list[int] = []
        self.sent_ms = 0
        self._budget = BUDGET
        self._budget_ms = now_ms

    def spend(self, now_ms: int) -> bool:
        """Whether one more entry may be sent this second."""
        earned = (now_ms - self._budget_ms) * BUDGET // 1000
        if earned:
            self._budget, self._budget_ms = min(BUDGET, self._budget + earned), now_ms
        if not self._budget:
            return False
        self._budget -= 1
        return True
