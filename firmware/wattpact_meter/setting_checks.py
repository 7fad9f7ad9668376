"""The checks of settings: values from a file or a program that are complete and in range. Only a start needs them."""

import binascii
import json

from wattpact_protocol.log import ids

from wattpact_meter.metering.calibration import Calibration, CalibrationError
from wattpact_meter.settings import Settings, SettingsError

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


def fill(settings: Settings, values: "dict[str, Any]") -> None:
    """Put the values into the settings; raises SettingsError, which names the key."""
    for key in REQUIRED:
        if key not in values:
            raise SettingsError("%s is missing" % key)
    for key in values:
        if key not in KEYS:
            raise SettingsError("%s is not a setting" % key)
    settings.host = _address("host", values["host"])
    settings.root_public_key = _key("root_public_key", values["root_public_key"])
    settings.community = ids.community_id(settings.root_public_key)
    settings.rated_w = number("rated_w", values["rated_w"], 1, _MAX_RATED_W)
    settings.step_s = number("step_s", values.get("step_s", 900), 1, DAY_S)
    if DAY_S % settings.step_s:
        raise SettingsError("step_s must divide a day: 60, 300, 900 ...")
    settings.intervals = number("intervals", values.get("intervals", 1), 1, MAX_INTERVALS)
    settings.source = _source(values["source"])
    settings.calibration_id, settings.calibration = _calibration(values.get("calibration"))
    settings.wifi = _wifi(values.get("wifi"))
    settings.time_server = text("time_server", values.get("time_server", "pool.ntp.org"), 1, 64)


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
