"""The rows of the contract trader: mandates, offers and acceptances, each a few fields of an entry.

What always holds: a row can be kept as a list and restored from it. Times are Unix seconds, ids 32 bytes.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DAY_S = 86_400
LOW_PART = 5  # supply is low with less than this part of its energy left
LOW_STEPS = 2  # or this many steps before it ends


class Record:
    """A row of the trader: FIELDS as attributes, kept as a list."""

    FIELDS: "tuple[str, ...]" = ()
    id: bytes

    def __init__(self, values: "list[Any]") -> None:
        for name, value in zip(self.FIELDS, values):
            setattr(self, name, value)

    def to_list(self) -> "list[Any]":
        return [getattr(self, name) for name in self.FIELDS]


class Mandate(Record):
    """answer: the id of the offer or demand that answers it, signed at answered_s. committed_wh is against wh, day_wh
    against wh_per_day."""

    FIELDS = (
        "id", "expires_s", "side", "limit_micro_per_kwh", "wh", "max_w", "start_s", "end_s", "preferred",
        "wh_per_day", "answer", "answered_s", "committed_wh", "day", "day_wh",
    )  # fmt: skip
    expires_s: int
    side: int
    limit_micro_per_kwh: int
    wh: int
    max_w: int
    start_s: int
    end_s: int
    preferred: "list[bytes]"
    wh_per_day: "int | None"
    answer: "bytes | None"
    answered_s: int
    committed_wh: int
    day: int
    day_wh: int

    def is_open(self, now_s: int) -> bool:
        return now_s <= self.expires_s and now_s < self.end_s

    def free_wh(self, now_s: int) -> int:
        """What may still be committed, today."""
        free = self.wh - self.committed_wh
        if self.wh_per_day is not None:
            free = min(free, self.wh_per_day - (self.day_wh if self.day == now_s // DAY_S else 0))
        return max(0, free)

    def commit(self, wh: int, unix_s: int) -> None:
        """Count Wh as committed on the day of unix_s; negative where a commitment was given up."""
        self.committed_wh += wh
        day = unix_s // DAY_S
        if day > self.day:
            self.day, self.day_wh = day, 0
        if day == self.day:
            self.day_wh = max(0, self.day_wh + wh)


class OwnOffer(Record):
    """An offer of this meter; confirmed: [acceptance id, whether the contract was published, Wh, accepted at]."""

    FIELDS = ("id", "mandate", "wh", "accepted_wh", "valid_until_s", "confirmed")
    mandate: bytes
    wh: int
    accepted_wh: int
    valid_until_s: int
    confirmed: "list[list[Any]]"


class Offer(Record):
    """Another meter's offer. accepted_wh: what this meter accepted of it; failures: acceptances of it that were not
    confirmed; it is not accepted again before retry_s."""

    FIELDS = (
        "id", "supplier", "price_micro_per_kwh", "wh", "max_w", "start_s", "end_s", "valid_until_s", "accepted_wh",
        "failures", "retry_s",
    )  # fmt: skip
    supplier: bytes
    price_micro_per_kwh: int
    wh: int
    max_w: int
    start_s: int
    end_s: int
    valid_until_s: int
    accepted_wh: int
    failures: int
    retry_s: int


class Acceptance(Record):
    """What this meter accepted, and the id of the contract that confirmed it."""

    FIELDS = ("id", "offer", "supplier", "mandate", "wh", "priority", "accepted_s", "end_s", "contract")
    offer: bytes
    supplier: bytes
    mandate: bytes
    wh: int
    priority: int
    accepted_s: int
    end_s: int
    contract: "bytes | None"


class Supply:
    """What runs now: Wh left and granted over all grants, when the last ends, the highest priority number."""

    def __init__(self, left_wh: int = 0, wh: int = 0, to_s: int = 0, priority: int = 0) -> None:
        self.left_wh = left_wh
        self.wh = wh
        self.to_s = to_s
        self.priority = priority

    def is_low(self, now_s: int, step_s: int) -> bool:
        return self.left_wh * LOW_PART < self.wh or self.to_s - now_s <= LOW_STEPS * step_s or not self.left_wh


def find(records: "Any", record_id: "bytes | None") -> "Any":
    """The row with that id, or None."""
    for record in records:
        if record.id == record_id:
            return record
    return None
