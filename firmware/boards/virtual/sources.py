"""The kinds of sources that a virtual board has besides those of a meter (sources/kinds.py), and the parts that it has.

A waveform never catches up more than a moment: what is before that is a gap, as it is for a meter that was busy. A load
behind the relay draws nothing while the relay is open.
"""

from boards.virtual.profile import MAX_W
from boards.virtual.serial_file import open_serial
from wattpact_meter.setting_checks import choice, number, text
from wattpact_meter.settings import SettingsError
from wattpact_meter.sources import kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from boards.virtual.relay_file import FileRelay
    from boards.virtual.virtual_clock import Clock
    from wattpact_meter.settings import Settings
    from wattpact_meter.sources.kinds import Source

_FILE = (text, None, 1, 1024)
_LOAD = (choice, "always", "always", "relay")

KINDS: "dict[str, kinds.Row]" = {
    "synthetic": ("boards.virtual.sampled", ("relay", "clock", "seed"), {
        "watts": (number, None, -MAX_W, MAX_W), "power_factor_milli": (number, 1000, 1, 1000),
        "hz": (number, 50, 45, 65), "voltage_v": (number, 230, 100, 280), "noise_counts": (number, 3, 0, 100),
        "load": _LOAD,
    }),
    "waveform": ("boards.virtual.recorded", (), {
        "file": _FILE, "voltage": (text, "U1", 1, 64), "current": (text, "I1", 1, 64),
    }),
    "profile": ("boards.virtual.profile", ("relay",), {"file": _FILE, "load": _LOAD}),
}  # fmt: skip


def make(settings: "Settings", relay: "FileRelay", seed: int, clock: "Clock") -> "Source":
    """The source that the settings describe; raises SettingsError."""

    def serial(plan: "dict[str, Any]") -> "Any":
        try:
            return open_serial(plan["file"], clock, plan["every_ms"])
        except OSError as error:
            raise SettingsError("source file %s: %s" % (plan["file"], error))

    parts: kinds.Parts = {
        "serial": (serial, {"file": _FILE, "every_ms": (number, 1000, 0, 3_600_000)}),
        "relay": (lambda: relay, {}), "clock": (lambda: clock, {}), "seed": (lambda: seed, {}),
    }  # fmt: skip
    return kinds.make(settings, parts, KINDS)
