"""The start of a meter: its core made and booted from what the flash holds, whoever wrote it.

Values that check but that this firmware cannot read, because another version stored them in another shape, are
given up like damaged ones: the registers come from the newest signed reading, a host sends the rest again. The key, the
journal and the secrets that unseal it are never given up.
"""

from wattpact_meter.core import checkpoint
from wattpact_meter.core.meter import Meter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from wattpact_meter.clock import Now
    from wattpact_meter.log.identity import Identity
    from wattpact_meter.settings import Settings
    from wattpact_meter.storage.journal import Journal
    from wattpact_meter.storage.store import Store

KEPT = checkpoint.RECEIVED + ("guard", checkpoint.REGISTERS, checkpoint.NAME)
UNREADABLE = (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError, AssertionError)


def start(
    parts: "tuple[Identity, Journal, Store, Settings]",
    draw: "Callable[[int], int]",
    urandom: "Callable[[int], bytes]",
    now: "Now",
    power_failed: bool,
    relay_sensed: "bool | None",
) -> Meter:
    """A booted meter; raises what the journal and the store raise."""
    try:
        return _booted(parts, draw, urandom, now, power_failed, relay_sensed)
    except UNREADABLE:
        store = parts[2]
        for name in KEPT:
            store.condemn(name)
        return _booted(parts, draw, urandom, now, power_failed, relay_sensed)


def _booted(
    parts: "tuple[Identity, Journal, Store, Settings]",
    draw: "Callable[[int], int]",
    urandom: "Callable[[int], bytes]",
    now: "Now",
    power_failed: bool,
    relay_sensed: "bool | None",
) -> Meter:
    identity, journal, store, settings = parts
    meter = Meter(identity, journal, store, settings, draw, urandom)
    meter.boot(now, power_failed, relay_sensed)
    return meter
