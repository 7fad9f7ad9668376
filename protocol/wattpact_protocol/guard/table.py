"""The guard's table as data: the first row whose condition is true decides. docs/spec/guard.md, "The table".

A condition looks at what the guard knows and at nothing else, and changes nothing.
"""

from wattpact_protocol.guard.memory import CONTRACT, CREDIT, HOLD, NOTHING, OVER_CURRENT, OVER_TEMPERATURE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from wattpact_protocol.guard.decision import Inputs
    from wattpact_protocol.guard.state import GuardState

OPEN, KEEP, CLOSED, WARN_THEN_OPEN = "open", "as it was", "closed", "warn, wait, open"
BOOT_HOLD_MS = 30_000  # after a reset the clock has this long to come before its absence opens the relay


class Row:
    """One line of the table. use is what the energy is counted against while the row keeps the relay closed."""

    def __init__(
        self,
        name: str,
        text: str,
        condition: "Callable[[GuardState, Inputs], bool]",
        relay: str,
        use: int = NOTHING,
        flags: "tuple[str, ...]" = (),
    ) -> None:
        self.name = name
        self.text = text
        self.condition = condition
        self.relay = relay
        self.use = use
        self.flags = flags
        self.warned = "warned" in flags
        self.arrears = "arrears" in flags
        self.flagged = "flagged" in flags


def _over_current(known: "GuardState", inputs: "Inputs") -> bool:
    return known.memory.faults & OVER_CURRENT != 0


def _over_temperature(known: "GuardState", inputs: "Inputs") -> bool:
    return known.memory.faults & OVER_TEMPERATURE != 0


def _weld(known: "GuardState", inputs: "Inputs") -> bool:
    return known.memory.welded


def _owner(known: "GuardState", inputs: "Inputs") -> bool:
    return inputs.owner_open


def _operator(known: "GuardState", inputs: "Inputs") -> bool:
    return known.memory.order_s is not None


def _protected(known: "GuardState", inputs: "Inputs") -> bool:
    return known.policy.protected


def _grant(known: "GuardState", inputs: "Inputs") -> bool:
    return known.contract is not None


def _default_supply(known: "GuardState", inputs: "Inputs") -> bool:
    return known.default_supply is not None


def _hold(known: "GuardState", inputs: "Inputs") -> bool:
    return known.memory.held and known.is_unsure(inputs) and known.hold_lasts()


def _credit(known: "GuardState", inputs: "Inputs") -> bool:
    measured = inputs.import_wh is not None and not inputs.sensor_dead
    return measured and known.memory.credit_spent_wh < known.policy.emergency_credit_wh


def _quiet_hours(known: "GuardState", inputs: "Inputs") -> bool:
    return inputs.unix_s is not None and known.policy.is_quiet(inputs.unix_s)


def _boot_hold(known: "GuardState", inputs: "Inputs") -> bool:
    waits = inputs.unix_s is None and known.up_ms() < BOOT_HOLD_MS
    return waits and known.memory.commanded is True and known.hold_lasts()


def _no_contract(known: "GuardState", inputs: "Inputs") -> bool:
    return True


ROWS = (
    Row("over_current", "the current was too high since the last reset on site", _over_current, OPEN),
    Row("over_temperature", "the temperature was too high since the last reset on site", _over_temperature, OPEN),
    Row("weld", "commanded and sensed position differed for 2 s since the last reset on site", _weld, KEEP),
    Row("owner", "the owner opened it", _owner, OPEN),
    Row("operator", "the operator opened it by a fresh order, and the customer is not protected", _operator, OPEN),
    Row("protected", "the customer is protected", _protected, CLOSED, NOTHING, ("arrears",)),
    Row("grant", "a grant has Wh left and is in time, and the sensor measures", _grant, CLOSED, CONTRACT),
    Row("default_supply", "a default-supply grant is in time, or no time is known", _default_supply, CLOSED, CONTRACT),
    Row(
        "hold",
        "clock unknown, state corrupt or sensor dead; a grant was held and may still hold; the hold budget lasts",
        _hold, CLOSED, HOLD, ("flagged",),
    ),
    Row("credit", "emergency credit is left, and import is measured", _credit, CLOSED, CREDIT, ("warned", "arrears")),
    Row("quiet_hours", "it is a quiet time by a valid clock", _quiet_hours, CLOSED, NOTHING, ("warned", "arrears")),
    Row(
        "boot_hold",
        "closed since before a reset less than 30 s ago; clock unknown; the hold budget lasts",
        _boot_hold, CLOSED, HOLD, ("flagged",),
    ),
    Row("no_contract", "otherwise", _no_contract, WARN_THEN_OPEN),
)  # fmt: skip
