"""The guard's table as data: the first row whose condition is true decides. docs/spec/guard.md, "The table".

A condition looks at what the guard knows and at nothing else, and changes nothing.
"""

from wattpact_protocol.guard.memory import OVER_CURRENT, OVER_TEMPERATURE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from wattpact_protocol.guard.decision import Inputs
    from wattpact_protocol.guard.state import GuardState

OPEN, KEEP, CLOSED, WARN_THEN_OPEN = "open", "as it was", "closed", "warn, wait, open"
BOOT_HOLD_MS = 30_000  # after a reset the clock has this long to come before its absence opens the relay

# Of each row its name, its condition, what becomes of the relay, flags while it keeps the relay closed, and what the
# energy is counted against then. One constant, which a meter leaves in flash; as bytes, since
# MicroPython looks for each text that is made among all that it has.
ROWS = b"""
over_current | the current was too high since the last reset on site | open | |
over_temperature | the temperature was too high since the last reset on site | open | |
weld | commanded and sensed position differed for 2 s since the last reset on site | as it was | |
owner | the owner opened it | open | |
operator | the operator opened it by a fresh order, and the customer is not protected | open | |
protected | the customer is protected | closed | arrears |
grant | a grant has Wh left and is in time, and the sensor measures | closed | | contract
default_supply | a default-supply grant is in time, or no time is known | closed | | contract
hold | clock unknown, state corrupt or sensor dead; a grant was held and may still hold; the hold budget lasts \
| closed | flagged | hold
credit | emergency credit is left, and import is measured | closed | warned, arrears | credit
quiet_hours | it is a quiet time by a valid clock | closed | warned, arrears |
boot_hold | closed since before a reset less than 30 s ago; clock unknown; the hold budget lasts \
| closed | flagged | hold
no_contract | otherwise | warn, wait, open | |
"""
_USES = b" hold credit contract"  # in the order of their numbers in `memory`


class Row:
    """One line of the table. use is what the energy is counted against while the row keeps the relay closed."""

    def __init__(self, name: str) -> None:
        parts = _parts(name)
        self.name = name
        self.relay = str(parts[2], "utf-8")
        self.flags = str(parts[3], "utf-8")
        self.use = _USES.split(b" ").index(parts[4])


def _parts(name: str) -> "list[bytes]":
    at = ROWS.find(b"\n" + name.encode() + b" |") + 1
    return [part.strip() for part in ROWS[at : ROWS.find(b"\n", at)].split(b"|")]


def names() -> "list[str]":
    """The rows' names, in their order."""
    return [str(line.split(b" |")[0], "utf-8") for line in ROWS.strip().split(b"\n")]


def text(name: str) -> str:
    """The condition of a row, for people."""
    return str(_parts(name)[1], "utf-8")


def true_rows(known: "GuardState", inputs: "Inputs") -> "Generator[str, None, None]":
    """The names of the rows whose conditions are true, in the order of the table."""
    memory, policy = known.memory, known.policy
    if memory.faults & OVER_CURRENT:
        yield "over_current"
    if memory.faults & OVER_TEMPERATURE:
        yield "over_temperature"
    if memory.welded:
        yield "weld"
    if inputs.owner_open:
        yield "owner"
    if memory.order_s is not None:
        yield "operator"
    if policy.protected:
        yield "protected"
    if known.contract is not None:
        yield "grant"
    if known.default_supply is not None:
        yield "default_supply"
    if memory.held and known.is_unsure(inputs) and known.hold_lasts():
        yield "hold"
    if inputs.import_wh is not None and not inputs.sensor_dead and memory.credit_spent_wh < policy.emergency_credit_wh:
        yield "credit"
    if inputs.unix_s is not None and policy.is_quiet(inputs.unix_s):
        yield "quiet_hours"
    starts = inputs.unix_s is None and known.up_ms() < BOOT_HOLD_MS
    if starts and memory.commanded is True and known.hold_lasts():
        yield "boot_hold"
    yield "no_contract"
