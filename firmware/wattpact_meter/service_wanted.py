"""Whether a start is a service start, in which a person sets the meter up and the meter itself does not run.

It is looked at before anything of the meter is loaded, so nothing of it is imported here. `mark` is a path:

    mark          a person's request, whatever is in that file
    mark.given    there has been a service start: a meter without Wi-Fi settings gets one by itself once only
"""

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_BYTES = 4096
GIVEN = ".given"
_ENOENT = 2


def read(path: str) -> "dict[str, Any]":
    """The settings in a file. Raises OSError where it cannot be read, ValueError where it is no JSON object of at most
    4 KB."""
    with open(path, "rb") as file:
        size = min(file.seek(0, 2), MAX_BYTES + 1)
        file.seek(0)
        data = file.read(size)  # room for the most would be wanted in one piece
    try:
        values = json.loads(data.decode())
    except RuntimeError:  # MicroPython: too deep
        values = None
    if len(data) > MAX_BYTES or not isinstance(values, dict):
        raise ValueError("settings")
    return values


def reason(settings: str, mark: str, is_held: bool) -> str:
    """Why this start is to be a service start: "button", "request", "no_settings", "no_wifi"; empty where it is the
    meter's. Settings that are there and unreadable are the meter's to report."""
    if is_held:
        return "button"
    if is_there(mark):
        return "request"
    try:
        values = read(settings)
    except OSError as error:
        return "no_settings" if error.errno == _ENOENT else ""
    except ValueError:
        return ""
    return "no_wifi" if "wifi" not in values and not is_there(mark + GIVEN) else ""


def begin(mark: str) -> bool:
    """Take the request back, before anything else is done: whatever ends this start, no request has the next be one
    too. Whether flash has that; else the meter is to start."""
    try:
        os.rename(mark, mark + GIVEN)  # one step, as for every file that is replaced
    except OSError:
        pass
    if not is_there(mark + GIVEN):
        try:
            open(mark + GIVEN, "wb").close()
        except OSError:
            return False
    return not is_there(mark)


def is_there(path: str) -> bool:
    try:
        os.stat(path)
    except OSError:
        return False
    return True
