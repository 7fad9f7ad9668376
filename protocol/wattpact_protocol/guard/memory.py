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

# name, default, largest (None: a truth value), whether None may stand for "not known" or "not running"
FIELDS = (
    ("faults", 0, OVER_CURRENT | OVER_TEMPERATURE, False),
    ("welded", False, None, False),
    ("commanded", None, None, True),
    ("rest_left_ms", 0, LONGEST_WAIT_MS, False),
    ("outage_left_ms", 0, LONGEST_WAIT_MS, False),
    ("warn_left_ms", None, LONGEST_WAIT_MS, True),
    ("held", False, None, False),
    ("hold_spent_ms", 0, LARGEST, False),
    ("hold_spent_wh", 0, LARGEST, False),
    ("credit_spent_wh", 0, LARGEST, False),
    ("use", NOTHING, CONTRACT, False),
    ("import_wh", None, LARGEST, True),
    ("register_generation", 0, LARGEST, False),
    ("order_s", None, LARGEST, True),
    ("corrupt", False, None, False),
    ("protected", False, None, False),
)


class Memory:
    """The fields of FIELDS as attributes."""

    faults: int
    welded: bool
    commanded: "bool | None"
    rest_left_ms: int
    outage_left_ms: int
    warn_left_ms: "int | None"
    held: bool
    hold_spent_ms: int
    hold_spent_wh: int
    credit_spent_wh: int
    use: int
    import_wh: "int | None"
    register_generation: int
    order_s: "int | None"
    corrupt: bool
    protected: bool

    def __init__(self) -> None:
        for name, default, _, _ in FIELDS:
            setattr(self, name, default)

    def to_saved(self, **waits: "int | None") -> "list[object]":
        """The list to keep; waits are fields whose value at this moment only the guard knows."""
        return [VERSION] + [waits[name] if name in waits else getattr(self, name) for name, _, _, _ in FIELDS]


def from_saved(saved: object) -> "Memory | None":
    """The memory that to_saved wrote, or None where this is not one."""
    if not isinstance(saved, (list, tuple)) or len(saved) != len(FIELDS) + 1:
        return None
    if not _fits(saved[0], VERSION) or saved[0] != VERSION:
        return None
    memory = Memory()
    for value, (name, _, largest, optional) in zip(saved[1:], FIELDS):
        if not (_fits(value, largest) or (optional and value is None)):
            return None
        setattr(memory, name, value)
    return memory


def _fits(value: object, largest: "int | None") -> bool:
    if largest is None or value is True or value is False:
        return largest is None and (value is True or value is False)
    return isinstance(value, int) and 0 <= value <= largest
