"""The policy of the guard: how long it waits, what it forgives, and when it never cuts off.

Every field has a default and a range (the range of its field in a policy entry); no policy is out of range.
A policy may demand more rest than 60 s, never less. docs/spec/guard.md, "Policy".
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

MINUTES_A_DAY = 1440
MAX_HOLIDAYS = 32

# Lowest and highest of each number; a field without is true or false. A constant, which a meter leaves in flash.
FIELDS = b"""
emergency_credit_wh 0 4294967295
quiet_start_min 0 1439
quiet_end_min 0 1439
utc_offset_min -840 840
warn_wait_max_s 0 300
reconnect_wait_max_s 0 600
rest_s 60 86400
hold_budget_s 0 4294967295
hold_budget_wh 0 4294967295
reassert_s 1 3600
operator_order_fresh_s 0 4294967295
quiet_hours
quiet_weekends
consent_required
protected
"""
# In the body of a policy entry, and not for the guard's policy: which policy it is, for whom, and orders.
NOT_POLICY = ("version", "meter", "operator_open_at_s", "register_generation")


class PolicyError(ValueError):
    """A field that does not exist, or a value out of its range."""


class Policy:
    """Policy(rest_s=120, protected=True): fields not named have their defaults. Raises PolicyError."""

    def __init__(self, **fields: object) -> None:
        self.emergency_credit_wh = 2_500
        self.quiet_start_min = 16 * 60
        self.quiet_end_min = 10 * 60
        self.utc_offset_min = 0
        self.warn_wait_max_s = 300
        self.reconnect_wait_max_s = 600
        self.rest_s = 60
        self.hold_budget_s = 43_200
        self.hold_budget_wh = 5_000
        self.reassert_s = 60
        self.operator_order_fresh_s = 86_400
        self.quiet_hours = self.quiet_weekends = self.consent_required = True
        self.protected = False
        self.holidays: tuple[int, ...] = ()
        for name, value in fields.items():
            setattr(self, name, _checked(name, value))

    @staticmethod
    def from_fields(fields: object) -> "Policy":
        """The policy in the body of a policy entry, {field name: value}, its signature verified. Raises PolicyError."""
        made = Policy.from_fields_steps(fields)
        while True:
            try:
                next(made)
            except StopIteration as done:
                policy: Policy = done.value
                return policy

    @staticmethod
    def from_fields_steps(fields: object) -> "Generator[None, None, Policy]":
        """As `from_fields`, giving way between fields."""
        if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields):
            raise PolicyError("a policy is a map from field names")
        policy = Policy()
        for number, (name, value) in enumerate(fields.items()):
            if name not in NOT_POLICY:
                setattr(policy, name, _checked(name, value))
            if number % 4 == 3:
                yield
        return policy

    def fields(self) -> "dict[str, object]":
        """All fields, as from_fields takes them."""
        body: dict[str, object] = {row[0]: getattr(self, row[0]) for row in numbers()}
        body.update({name: getattr(self, name) for name, _ in switches()})
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


def numbers() -> "list[tuple[str, int, int, int]]":
    """(name, standard, lowest, highest) of each field that is a number."""
    standard, rows = Policy(), [line.split() for line in FIELDS.strip().split(b"\n")]
    names = [(str(row[0], "utf-8"), row) for row in rows if len(row) == 3]
    return [(name, getattr(standard, name), int(row[1]), int(row[2])) for name, row in names]


def switches() -> "list[tuple[str, bool]]":
    """(name, standard) of each field that is true or false."""
    names = [str(line, "utf-8") for line in FIELDS.strip().split(b"\n") if b" " not in line]
    return [(name, getattr(Policy(), name)) for name in names]


def _checked(name: str, value: object) -> object:
    if name == "holidays":
        return _holidays(value)
    at = FIELDS.find(b"\n" + name.encode()) + 1
    row = FIELDS[at : FIELDS.find(b"\n", at)].split()
    if not at or len(name) != len(row[0]):
        raise PolicyError("unknown policy field")
    if len(row) == 3:
        return _number(name, value, int(row[1]), int(row[2]))
    if value is not True and value is not False:
        raise PolicyError(name + " is neither true nor false")
    return bool(value)


def _number(name: str, value: object, lowest: int, highest: int) -> int:
    if not isinstance(value, int) or value is True or value is False or not lowest <= value <= highest:
        raise PolicyError(name + " is not a whole number from " + str(lowest) + " to " + str(highest))
    return value


def _holidays(value: object) -> "tuple[int, ...]":
    if not isinstance(value, (list, tuple)) or len(value) > MAX_HOLIDAYS:
        raise PolicyError("holidays is not a list of at most 32 days")
    return tuple(_number("a holiday", day, 0, 1_000_000) for day in value)
