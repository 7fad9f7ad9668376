"""What is the same in every start of an ESP32, as the meter and as a service start.

Not run on hardware yet.
"""

import machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SETTINGS = "/settings.json"  # in the flash, as the journal and the state
WATCHDOG_MS = 60_000
RESTART_MS = 30_000  # after an error, for a person to read it

_made: "list[Any]" = []


def watchdog() -> "Any":
    """The chip's only one, fed. The first call makes it, and from then on it cannot be stopped: that call comes before
    all else in a start, so that whatever ends at the prompt, an error or one byte 0x03, ends there for a minute."""
    if not _made:
        _made.append(machine.WDT(timeout=WATCHDOG_MS))
    _made[0].feed()
    return _made[0]
