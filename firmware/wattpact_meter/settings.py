"""The settings of one meter: a JSON file in its flash, read once at the start.

What always holds: Settings that exist are complete and in range, and a file that is not raises SettingsError with a
text that names the key. Nothing in here is secret but the Wi-Fi password, which is never shown.

    key               meaning                                                                     default
    host              ["address", port] of the host's UDP port                                    required
    root_public_key   the community's root key, 64 hexadecimal digits                             required
    rated_w           the most the meter may carry, W                                             required
    source            {"kind": ...}: what measures, as in sources/kinds.py                        required
    step_s            length of an interval, s: 1 to 86400 and a divisor of a day                 900
    intervals         intervals in one reading, 1 to 60                                           1
    calibration       constants of the measuring channels (`calibration`), with "id", a number    none
    wifi              {"ssid": ..., "password": ...}; null is none on purpose (`service_wanted`)   none
    time_server       the name or address of an SNTP server, for a board without a clock          pool.ntp.org
"""

from wattpact_meter.once import once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wattpact_meter.metering.calibration import Calibration

_CHECKS = "wattpact_meter.setting_checks"


class SettingsError(ValueError):
    """The settings cannot be used; the text names the key and what it must be."""


class Settings:
    """Settings(values): checked values of the table above; `community` is the id that the root key gives."""

    host: "tuple[str, int]"
    root_public_key: bytes
    community: bytes
    rated_w: int
    step_s: int
    intervals: int
    source: "dict[str, Any]"
    calibration_id: "int | None"
    calibration: "Calibration | None"
    wifi: "tuple[str, str] | None"
    time_server: str

    def __init__(self, values: "dict[str, Any]") -> None:
        once(_CHECKS).fill(self, values)


def read(path: str) -> "dict[str, Any]":
    """The JSON object in a file; raises SettingsError."""
    values: dict[str, Any] = once(_CHECKS).read(path)
    return values
