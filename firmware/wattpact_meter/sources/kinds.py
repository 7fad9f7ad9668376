"""The kinds of sources, a row for each: what its settings are, what of a board it needs, and where it is.

A source is one module with make(settings, plan, *parts) -> source. It has

    read(now_us) -> what was measured since the last call, a list of Measurement; it never waits
    pause_ms        how long after a call the next one is due
    rejected        what was not usable, counted by reason: {reason: count}

A board calls `make` with the parts that it has, each a function that makes it and the settings that it adds; a kind
whose parts are missing is none of that board's. Only the module of the chosen kind is loaded.
"""

import sys

from wattpact_meter.setting_checks import choice, flag
from wattpact_meter.settings import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from wattpact_meter.metering.measurement import Measurement
    from wattpact_meter.settings import Settings

    class Source(Protocol):
        pause_ms: int
        rejected: dict[str, int]

        def read(self, now_us: int) -> list[Measurement]: ...

    Keys = dict[str, tuple[Any, ...]]  # name -> (check, default, arguments of the check)
    Row = tuple[str, tuple[str, ...], Keys]  # module, parts, settings
    Parts = dict[str, tuple[Callable[..., Any], Keys]]

KINDS: "dict[str, Row]" = {
    "ct": ("wattpact_meter.sources.ct", ("adc",), {}),
    "p1": ("wattpact_meter.sources.p1", ("serial",), {
        "crc": (flag, True), "old": (flag, False), "checksum": (choice, "arc", "arc", "x25"),
    }),
}  # fmt: skip


def make(settings: "Settings", parts: "Parts", more: "dict[str, Row] | None" = None) -> "Source":
    """The source that the settings describe; `more` are kinds of the board's own. Raises SettingsError."""
    kinds = dict(KINDS)
    kinds.update(more or {})
    plan = dict(settings.source)
    kind = plan.pop("kind")
    possible = [name for name in sorted(kinds) if all(part in parts for part in kinds[name][1])]
    if kind not in possible:
        raise SettingsError("source kind must be one of %s" % ", ".join(possible))
    name, needs, keys = kinds[kind]
    checked: dict[str, Any] = {}
    for some in [keys] + [parts[part][1] for part in needs]:
        for key, (check, default, *limits) in some.items():
            checked[key] = check("source " + key, plan.pop(key, default), *limits)
    for key in plan:
        raise SettingsError("source %s is not a setting of kind %s" % (key, kind))
    __import__(name)
    source: Source = sys.modules[name].make(settings, checked, *[parts[part][0] for part in needs])
    return source
