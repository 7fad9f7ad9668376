"""A peer: a meter, as a host knows it."""

Address = tuple[str, int]
Datagrams = list[tuple[bytes, Address]]

BUDGET = 64


class Peer:
    """Where a meter is, how much of its inbox it has, and what was sent to it since.

    `cursor` is the position in its inbox that it has acknowledged, `in_flight` the positions sent after that. Times are
    the edge's monotonic milliseconds, `last_contact_s` Unix seconds. `asked` is the generation of its log that it
    reported to need, 0 for none."""

    def __init__(self, address: Address, now_ms: int) -> None:
        self.address = address
        self.last_contact_s = 0
        self.cursor = 0
        self.in_flight: list[int] = []
        self.sent_ms = 0
        self.asked = 0
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
