"""The policy of the guard: how long it waits, what it forgives, and when it never cuts off.

Every field has a default and a range (the range of its field in a policy entry); no policy is out of range.
A policy may demand more rest than 60 s, never less. docs/spec/guard.md, "Policy".
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

MINUTES_A_DAY = 1440
MAX_HOLIDAYS = 32

# Name, standard, lowest and highest; where there is nothing else, a switch. One text, which a meter leaves in flash.
FIELDS = """
emergency_credit_wh 2500 0 4294967295
quiet_start_min 960 0 1439
quiet_end_min 600 0 1439
utc_offset_min 0 -840 840
warn_wait_max_s 300 0 300
reconnect_wait_max_s 600 0 600
rest_s 60 60 86400
hold_budget_s 43200 0 4294967295
hold_budget_wh 5000 0 4294967295
reassert_s 60 1 3600
operator_order_fresh_s 86400 0 4294967295
quiet_hours true
quiet_weekends true
consent_required true
protected false
"""
# In the body of a policy entry, and not for the guard's policy: which policy it is, for whom, and an order (an input).
NOT_POLICY = ("version", "meter", "operator_open_at_s")


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
        for name, standard, lowest, highest in numbers():
            setattr(self, name, _number(name, fields.pop(name, standard), lowest, highest))
        for name, is_on in switches():
            setattr(self, name, _switch(name, fields.pop(name, is_on)))
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
        body: dict[str, object] = {name: getattr(self, name) for name, _, _, _ in numbers()}
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


def numbers() -> "Generator[tuple[str, int, int, int], None, None]":
    """(name, standard, lowest, highest) of each field that is a number."""
    for line in FIELDS.strip().split("\n"):
        words = line.split()
        if len(words) == 4:
            yield words[0], int(words[1]), int(words[2]), int(words[3])


def switches() -> "Generator[tuple[str, bool], None, None]":
    """(name, standard) of each field that is true or false."""
    for line in FIELDS.strip().split("\n"):
        words = line.split()
        if len(words) == 2:
            yield words[0], words[1] == "true"


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
