"""The guard's input and output: Inputs in, Decision out. docs/spec/guard.md, "Inputs and decision"."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Grant = tuple[bytes, int, int, int, bool]

DISCONNECTED, CONNECTED, READY_FOR_RECONNECTION = 0, 1, 2  # control_state of the DLMS disconnect control, class 70


class Inputs:
    """What is true now. Defaults are those of a quiet, healthy meter that knows no time and holds no grant.

    grants are all in the agreements, in order of priority: (contract id, Wh left, from, to, default supply); the
    guard itself looks at their times. None is a time, a register or a position that is not known. import_wh is of the
    register generation `register_generation`, and is not to be compared with one of another.
    """

    def __init__(
        self,
        uptime_ms: int,
        unix_s: "int | None" = None,
        import_wh: "int | None" = None,
        grants: "Sequence[Grant]" = (),
        over_current: bool = False,
        over_temperature: bool = False,
        sensed_closed: "bool | None" = None,
        owner_open: bool = False,
        operator_open_at_s: "int | None" = None,
        reset_on_site: bool = False,
        consent: bool = False,
        state_corrupt: bool = False,
        sensor_dead: bool = False,
        power_failed: bool = False,
        register_generation: int = 0,
    ) -> None:
        self.uptime_ms = uptime_ms
        self.unix_s = unix_s
        self.import_wh = import_wh
        self.grants = grants
        self.over_current = over_current
        self.over_temperature = over_temperature
        self.sensed_closed = sensed_closed
        self.owner_open = owner_open
        self.operator_open_at_s = operator_open_at_s
        self.reset_on_site = reset_on_site
        self.consent = consent
        self.state_corrupt = state_corrupt
        self.sensor_dead = sensor_dead
        self.power_failed = power_failed
        self.register_generation = register_generation


class Decision:
    """What the relay is to do now, why, and when to decide again.

    save requires Guard.saved() to be in flash before the relay is operated; reassert, that the commanded position be
    driven once more. wait_until_ms ends the wait that reason names, None when there is none or it has no end.
    """

    def __init__(self, reason: str, closed: bool, operate: bool = False) -> None:
        self.reason = reason
        self.closed = closed
        self.operate = operate
        self.reassert = False
        self.save = False
        self.contract: "bytes | None" = None
        self.alarm = False
        self.warned = False
        self.arrears = False
        self.flagged = False
        self.control_state = CONNECTED if closed else DISCONNECTED
        self.next_at_ms = 0
        self.wait_until_ms: "int | None" = None
