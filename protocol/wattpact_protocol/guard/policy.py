"""The policy of the guard: how long it waits, what it forgives, and when it never cuts off.

Every field has a default and a range (the range of its field in a policy entry); no policy is out of range.
A policy may demand more rest than 60 s, never less. docs/spec/guard.md, "Policy".
"""

MINUTES_A_DAY = 1440
MAX_HOLIDAYS = 32
MAX_U32 = (1 << 32) - 1

# name, default, lowest, highest
NUMBERS = (
    ("emergency_credit_wh", 2_500, 0, MAX_U32),
    ("quiet_start_min", 16 * 60, 0, MINUTES_A_DAY - 1),
    ("quiet_end_min", 10 * 60, 0, MINUTES_A_DAY - 1),
    ("utc_offset_min", 0, -840, 840),
    ("warn_wait_max_s", 300, 0, 300),
    ("reconnect_wait_max_s", 600, 0, 600),
    ("rest_s", 60, 60, 86_400),
    ("hold_budget_s", 43_200, 0, MAX_U32),
    ("hold_budget_wh", 5_000, 0, MAX_U32),
    ("reassert_s", 60, 1, 3_600),
    ("operator_order_fresh_s", 86_400, 0, MAX_U32),
)
# name, default
SWITCHES = (("quiet_hours", True), ("quiet_weekends", True), ("consent_required", True), ("protected", False))
# In the body of a policy entry, and not for the guard's policy: which policy it is, for whom, and orders.
NOT_POLICY = ("version", "meter", "operator_open_at_s", "register_generation")


class PolicyError(ValueError):
    """A field that does not exist, or a value out of its range."""


class Policy:
    """Policy(rest_s=120, protected=True): fields not named have their defaults. Raises PolicyError."""

    emergency_credit_wh: int
    quiet_start_min: int
    quiet_end_min: int
    utc_offset_min: int
    warn_wait_max_s: int
    reconnect_wait_max_s: int
    rest_s: int
    hold_budget_s: int
    hold_budget_wh: int
    reassert_s: int
    operator_order_fresh_s: int
    quiet_hours: bool
    quiet_weekends: bool
    consent_required: bool
    protected: bool
    holidays: "tuple[int, ...]"

    def __init__(self, **fields: object) -> None:
        for name, number, lowest, highest in NUMBERS:
            setattr(self, name, _number(name, fields.pop(name, number), lowest, highest))
        for name, switch in SWITCHES:
            setattr(self, name, _switch(name, fields.pop(name, switch)))
        self.holidays = _holidays(fields.pop("holidays", ()))
        if fields:
            raise PolicyError("unknown policy field")

    @staticmethod
    def from_fields(fields: object) -> "Policy":
        """The policy in the body of a policy entry, {field name: value}, its signature verified. Raises PolicyError."""
        if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields):
            raise PolicyError("a policy is a map from field names")
        return Policy(**{name: value for name, value in fields.items() if name not in NOT_POLICY})

    def fields(self) -> "dict[str, object]":
        """All fields, as from_fields takes them."""
        body: dict[str, object] = {name: getattr(self, name) for name, _, _, _ in NUMBERS}
        body.update({name: getattr(self, name) for name, _ in SWITCHES})
        body["holidays"] = list(self.holidays)
        return body

    def is_quiet(self, unix_s: int) -> bool:
        """Whether nobody is cut off at this time: quiet hours, a weekend or a holiday, in local time."""
        local_min = unix_s // 60 + self.utc_offset_min
        day, minute = local_min // MINUTES_A_DAY, local_min % MINUTES_A_DAY
        if day in self.holidays or (self.quiet_weekends and (day + 3) % 7 >= 5):  # day 0 was a Thursday
            return True
        start, end = self.quiet_start_min, self.quiet_end_min
        if not self.quiet_hours or start <= end:
            return self.quiet_hours and start <= minute < end
        return minute >= start or minute < end

    def quiet_edge_s(self, unix_s: int) -> int:
        """Seconds until is_quiet can next change: the start or end of quiet hours, or local midnight."""
        second = (unix_s + self.utc_offset_min * 60) % 86_400
        nearest = 86_400 - second
        for edge in (self.quiet_start_min * 60, self.quiet_end_min * 60):
            if second < edge < second + nearest:
                nearest = edge - second
        return nearest


def _number(name: str, value: object, lowest: int, highest: int) -> int:
    if not isinstance(value, int) or value is True or value is False or not lowest <= value <= highest:
        raise PolicyError(name + " is not a whole number from " + str(lowest) + " to " + str(highest))
    return value


def _switch(name: str, value: object) -> bool:
    if value is not True and value is not False:
        raise PolicyError(name + " is neither true nor false")
    return bool(value)


def _holidays(value: object) -> "tuple[int, ...]":
    if not isinstance(value, (list, tuple)) or len(value) > MAX_HOLIDAYS:
        raise PolicyError("holidays is not a list of at most 32 days")
    return tuple(_number("a holiday", day, 0, 1_000_000) for day in value)
