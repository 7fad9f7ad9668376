"""What the guard keeps over a reset: a plain list of numbers, truth values and None, fit for CBOR.

Anything that is not exactly such a list is corrupt, and the guard then starts with the memory that trusts least.
Time is kept as what is left of a wait, since uptime begins again at a reset. docs/spec/guard.md, "Memory".
"""

VERSION = 1
OVER_CURRENT = 1
OVER_TEMPERATURE = 2
NOTHING, HOLD, CREDIT, CONTRACT = 0, 1, 2, 3  # what the import since the last decision is counted against
LARGEST = (1 << 63) - 1
LONGEST_WAIT_MS = 86_400_000

# Each field and the largest number that it takes; ? where None may stand for "not known" or "not running".
FIELDS = (
    "faults=3 welded=truth commanded=truth? rest_left_ms=wait outage_left_ms=wait warn_left_ms=wait? held=truth "
    "hold_spent_ms=count hold_spent_wh=count credit_spent_wh=count use=3 import_wh=count? order_s=count? corrupt=truth "
    "protected=truth"
)


class Memory:
    """The fields of FIELDS as attributes."""

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
        self.order_s: "int | None" = None
        self.corrupt = False
        self.protected = False

    def to_saved(self, **waits: "int | None") -> "list[object]":
        """The list to keep; waits are fields whose value at this moment only the guard knows."""
        names = [field.split("=")[0] for field in FIELDS.split()]
        return [VERSION] + [waits[name] if name in waits else getattr(self, name) for name in names]


def from_saved(saved: object) -> "Memory | None":
    """The memory that to_saved wrote, or None where this is not one."""
    fields = FIELDS.split()
    if not isinstance(saved, (list, tuple)) or len(saved) != len(fields) + 1:
        return None
    if not _fits(saved[0], str(VERSION)) or saved[0] != VERSION:
        return None
    memory = Memory()
    for value, field in zip(saved[1:], fields):
        name, largest = field.split("=")
        if not (_fits(value, largest.rstrip("?")) or (largest[-1] == "?" and value is None)):
            return None
        setattr(memory, name, value)
    return memory


def _fits(value: object, largest: str) -> bool:
    if largest == "truth" or value is True or value is False:
        return largest == "truth" and (value is True or value is False)
    most = LONGEST_WAIT_MS if largest == "wait" else LARGEST if largest == "count" else int(largest)
    return isinstance(value, int) and 0 <= value <= most
