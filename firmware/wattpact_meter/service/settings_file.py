"""Wi-Fi settings, put into a meter's settings file.

What always holds: there is the old file or the new one, whole, whenever power goes: the new one is written beside the
old one, read back, and renamed over it.
"""

import json
import os

from wattpact_meter.service_wanted import is_there, read

_NEW = ".new"


class SettingsFileError(Exception):
    """The settings cannot be kept, and those of before are there still. The text has nothing of either."""


def put_wifi(path: str, ssid: str, password: str) -> None:
    """Durable when this returns; the file is made where there is none. Raises SettingsFileError."""
    try:
        values = read(path) if is_there(path) else {}
        values["wifi"] = {"ssid": ssid, "password": password}
        with open(path + _NEW, "wb") as file:
            file.write(json.dumps(values).encode())
        if read(path + _NEW) != values:  # which rejects what is too long, too
            raise ValueError("flash")
        os.rename(path + _NEW, path)
    except (OSError, ValueError) as error:
        try:
            os.remove(path + _NEW)
        except OSError:
            pass
        raise SettingsFileError("%s was not written: %s" % (path, type(error).__name__))
