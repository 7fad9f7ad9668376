"""What the virtual meter measures: a synthetic mains waveform, a recorded one, a P1 port, or a load profile.

A source's take(now_us) gives what was measured since the last call: periods as (active_mw, duration_us, instantaneous,
quality), and telegrams. A waveform never catches up more than a moment: what lies before it is a gap, as it is for a
meter that was busy. A load behind the relay draws nothing while the relay is open.
"""

from boards.virtual import comtrade
from boards.virtual.profile import MAX_W, Profile
from boards.virtual.sampled import Recorded, Synthetic
from boards.virtual.serial_file import open_serial
from wattpact_meter.metering.calibration import Calibration
from wattpact_meter.settings import SettingsError, number, text
from wattpact_meter.sources.p1 import P1Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from boards.virtual.relay_file import FileRelay
    from boards.virtual.virtual_clock import Clock
    from wattpact_meter.settings import Settings

_VOLTAGE_UV_PER_COUNT = 200_000
_TOP_COUNTS = 2000


def make(settings: "Settings", relay: "FileRelay", seed: int, clock: "Clock") -> "Any":
    """The source that the settings describe; raises SettingsError."""
    plan = dict(settings.source)
    kind = plan.pop("kind")
    makers = {"synthetic": _synthetic, "waveform": _waveform, "profile": _profile, "p1": _p1}
    if kind not in makers:
        raise SettingsError("source kind must be one of %s" % ", ".join(sorted(makers)))
    made = makers[kind](plan, settings, relay, seed, clock)
    for key in plan:
        raise SettingsError("source %s is not a setting of kind %s" % (key, kind))
    return made


def default_calibration(rated_w: int) -> Calibration:
    """Channels that rated power at 230 V fills to about two thirds, and the starting current of class 1."""
    rated_ma = rated_w * 1000 // 230 + 1
    return Calibration(
        voltage_uv_per_count=_VOLTAGE_UV_PER_COUNT,
        current_ua_per_count=rated_ma * 1000 * 2 // _TOP_COUNTS + 1,
        starting_ma=rated_ma * 4 // 1000 + 20,
    )


def _synthetic(
    plan: "dict[str, Any]", settings: "Settings", relay: "FileRelay", seed: int, clock: "Clock"
) -> Synthetic:
    checked = {
        "watts": number("source watts", plan.pop("watts", None), -MAX_W, MAX_W),
        "power_factor_milli": number("source power_factor_milli", plan.pop("power_factor_milli", 1000), 1, 1000),
        "hz": number("source hz", plan.pop("hz", 50), 45, 65),
        "voltage_v": number("source voltage_v", plan.pop("voltage_v", 230), 100, 280),
        "load": _load(plan),
        "noise_counts": number("source noise_counts", plan.pop("noise_counts", 3), 0, 100),
        "seed": seed,
    }
    return Synthetic(settings.calibration or default_calibration(settings.rated_w), relay, checked, clock.speed)


def _waveform(plan: "dict[str, Any]", settings: "Settings", _: "FileRelay", __: int, ___: "Clock") -> Recorded:
    path = text("source file", plan.pop("file", None), 5, 1024)
    voltage = text("source voltage", plan.pop("voltage", "U1"), 1, 64)
    current = text("source current", plan.pop("current", "I1"), 1, 64)
    try:
        with open(path, "rb") as configuration, open(_data_path(path), "rb") as data:
            recording = comtrade.read(configuration.read(), data.read())
    except (OSError, comtrade.ComtradeError) as error:
        raise SettingsError("source file %s: %s" % (path, error))
    return Recorded(settings.calibration or default_calibration(settings.rated_w), recording, (voltage, current))


def _profile(plan: "dict[str, Any]", _: "Settings", relay: "FileRelay", __: int, ___: "Clock") -> Profile:
    return Profile(text("source file", plan.pop("file", None), 1, 1024), relay, _load(plan))


def _p1(plan: "dict[str, Any]", _: "Settings", __: "FileRelay", ___: int, clock: "Clock") -> P1Source:
    path = text("source file", plan.pop("file", None), 1, 1024)
    every_ms = number("source every_ms", plan.pop("every_ms", 1000), 0, 3_600_000)
    require_crc = plan.pop("crc", True) is not False
    try:
        return P1Source(open_serial(path, clock, every_ms), require_crc)
    except OSError as error:
        raise SettingsError("source file %s: %s" % (path, error))


def _load(plan: "dict[str, Any]") -> str:
    load = plan.pop("load", "always")
    if load not in ("relay", "always"):
        raise SettingsError('source load must be "relay" or "always"')
    return str(load)


def _data_path(path: str) -> str:
    """x.cfg -> x.dat, in the same case."""
    return path[:-3] + ("DAT" if path.endswith("CFG") else "dat")
