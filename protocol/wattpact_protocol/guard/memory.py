"""What the guard keeps over a reset: a plain list of numbers, truth values and None, fit for CBOR.

Anything that is not exactly such a list is corrupt, and the guard then starts with the memory that trusts least.
Time is kept as what is left of a wait, since uptime begins again at a reset. docs/spec/guard.md, "Memory".
"""

VERSION = 2
OVER_CURRENT = 1
OVER_TEMPERATURE = 2
NOTHING, HOLD, CREDIT, CONTRACT = 0, 1, 2, 3  # what the import since the last decision is counted against
LARGEST = (1 << 63) - 1
LONGEST_WAIT_MS = 86_400_000

# What each field of the list may be, in its order: a number up to 3, a truth value, a wait, a count; in capitals where
# None may stand for "not known" or "not running".
FIELDS = b"3tTwwWtccc3CcCtt"


class Memory:
    """What is kept, as attributes."""

    def __init__(self) -> None:
        self.faults = 0
        self.welded = False
        self.commanded: "bool | None" = None
        self.rest_left_ms = 0
        self.outage_left_ms = 0
        self.warn_left_ms: "int | None" = None
        self.held = False
        self.hold_spent_ms = 0
        self.hold_spent_wh = 0
        self.credit_spent_wh = 0
        self.use = NOTHING
        self.import_wh: "int | None" = None
        self.register_generation = 0
        self.order_s: "int | None" = None
        self.corrupt = False
        self.protected = False

    def to_saved(self, ahead_ms: int = 0, ahead_wh: int = 0) -> "list[object]":
        """The list to keep, with the budget that is in use charged so much ahead."""
        is_hold, is_credit = self.use == HOLD, self.use == CREDIT
        return [
            VERSION, self.faults, self.welded, self.commanded, self.rest_left_ms, self.outage_left_ms,
            self.warn_left_ms, self.held, self.hold_spent_ms + is_hold * ahead_ms,
            self.hold_spent_wh + is_hold * ahead_wh, self.credit_spent_wh + is_credit * ahead_wh, self.use,
            self.import_wh, self.register_generation, self.order_s, self.corrupt, self.protected,
        ]  # fmt: skip


def from_saved(saved: object) -> "Memory | None":
    """The memory that to_saved wrote, or None where this is not one."""
    if not isinstance(saved, (list, tuple)) or len(saved) != len(FIELDS) + 1:
        return None
    if not _fits(saved[0], ord("3")) or saved[0] != VERSION:
        return None
    for value, kind in zip(saved[1:], FIELDS):
        if not (_fits(value, kind | 0x20) or (kind < ord("a") and kind != ord("3") and value is None)):
            return None
    held = Memory()
    (
        held.faults, held.welded, held.commanded, held.rest_left_ms, held.outage_left_ms, held.warn_left_ms, held.held,
        held.hold_spent_ms, held.hold_spent_wh, held.credit_spent_wh, held.use, held.import_wh,
        held.register_generation, held.order_s, held.corrupt, held.protected,
    ) = saved[1:]  # fmt: skip
    return held


def _fits(value: object, kind: int) -> bool:
    if kind == ord("t") or value is True or value is False:
        return kind == ord("t") and (value is True or value is False)
    most = LONGEST_WAIT_MS if kind == ord("w") else LARGEST if kind == ord("c") else 3
    return isinstance(value, int) and 0 <= value <= most
