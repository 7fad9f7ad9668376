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
    wifi              {"ssid": ..., "password": ...}                                              none
    time_server       the name or address of an SNTP server, for a board without a clock          pool.ntp.org
"""

import binascii
import json

from wattpact_protocol.log import ids

from wattpact_meter.metering.calibration import Calibration, CalibrationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_BYTES = 4096
DAY_S = 86400
_MAX_RATED_W = 1_000_000
MAX_INTERVALS = 60
REQUIRED = ("host", "root_public_key", "rated_w", "source")
KEYS = REQUIRED + ("step_s", "intervals", "calibration", "wifi", "time_server")
_MAX_U32 = (1 << 32) - 1


class SettingsError(ValueError):
    """The settings cannot be used; the text names the key and what it must be."""


class Settings:
    """Settings(values): checked values of the table above; `community` is the id that the root key gives."""

    def __init__(self, values: "dict[str, Any]") -> None:
        for key in REQUIRED:
            if key not in values:
                raise SettingsError("%s is missing" % key)
        for key in values:
            if key not in KEYS:
                raise SettingsError("%s is not a setting" % key)
        self.host = _address("host", values["host"])
        self.root_public_key = _key("root_public_key", values["root_public_key"])
        self.community = ids.community_id(self.root_public_key)
        self.rated_w = number("rated_w", values["rated_w"], 1, _MAX_RATED_W)
        self.step_s = number("step_s", values.get("step_s", 900), 1, DAY_S)
        if DAY_S % self.step_s:
            raise SettingsError("step_s must divide a day: 60, 300, 900 ...")
        self.intervals = number("intervals", values.get("intervals", 1), 1, MAX_INTERVALS)
        self.source = _source(values["source"])
        self.calibration_id, self.calibration = _calibration(values.get("calibration"))
        self.wifi = _wifi(values.get("wifi"))
        self.time_server = text("time_server", values.get("time_server", "pool.ntp.org"), 1, 64)


def decode(data: bytes) -> "dict[str, Any]":
    """The JSON object in `data`, at most 4 KB; raises SettingsError."""
    if len(data) > MAX_BYTES:
        raise SettingsError("the settings are longer than %d bytes" % MAX_BYTES)
    try:
        values = json.loads(data.decode())
    except (ValueError, RuntimeError):  # MicroPython: too deep
        raise SettingsError("the settings are not JSON")
    if not isinstance(values, dict):
        raise SettingsError("the settings are not a JSON object")
    return values


def read(path: str) -> "dict[str, Any]":
    """The JSON object in a file; raises SettingsError."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError("%s cannot be read: %s" % (path, error))
    return decode(data)


def number(name: str, value: object, low: int, high: int) -> int:
    """A whole number in its range; raises SettingsError."""
    if not isinstance(value, int) or value is True or value is False or not low <= value <= high:
        raise SettingsError("%s must be a whole number from %d to %d" % (name, low, high))
    return value


def text(name: str, value: object, low: int, high: int) -> str:
    """A text of so many characters; raises SettingsError."""
    if not isinstance(value, str) or not low <= len(value) <= high:
        raise SettingsError("%s must be a text of %d to %d characters" % (name, low, high))
    return value


def flag(name: str, value: object) -> bool:
    """True or false; raises SettingsError."""
    if not isinstance(value, bool):
        raise SettingsError("%s must be true or false" % name)
    return value


def choice(name: str, value: object, *options: str) -> str:
    """One of some texts; raises SettingsError."""
    if not isinstance(value, str) or value not in options:
        raise SettingsError("%s must be one of %s" % (name, ", ".join(options)))
    return value


def _address(name: str, value: object) -> "tuple[str, int]":
    if not isinstance(value, list) or len(value) != 2:
        raise SettingsError('%s must be ["address", port]' % name)
    return text(name, value[0], 1, 64), number(name + " port", value[1], 1, 65535)


def _key(name: str, value: object) -> bytes:
    if isinstance(value, str) and len(value) == 64:
        try:
            return binascii.unhexlify(value)
        except ValueError:
            pass
    raise SettingsError("%s must be 64 hexadecimal digits" % name)


def _source(value: object) -> "dict[str, Any]":
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise SettingsError('source must be an object with a "kind"')
    return value


def _calibration(value: object) -> "tuple[int | None, Calibration | None]":
    if value is None:
        return None, None
    if not isinstance(value, dict):
        raise SettingsError("calibration must be an object")
    constants = dict(value)
    calibration_id = number("calibration id", constants.pop("id", None), 0, _MAX_U32)
    try:
        return calibration_id, Calibration(**constants)
    except (CalibrationError, TypeError) as error:
        raise SettingsError("calibration: %s" % error)


def _wifi(value: object) -> "tuple[str, str] | None":
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"ssid", "password"}:
        raise SettingsError("wifi must be an object with ssid and password")
    return text("wifi ssid", value["ssid"], 1, 32), text("wifi password", value["password"], 0, 63)
