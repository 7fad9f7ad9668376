"""Times as people write and read them: in the community's time zone, as on the page, unless they have an offset."""

import datetime
import re
import zoneinfo

import click

from wattpact.market import terms
from wattpact.store.interface import Reader

_MOST_S = 1 << 40


def zone_of(reader: Reader) -> str:
    """The community's time zone."""
    return str(terms.community(reader)["timezone"])


def unix_s(text: str, zone: str) -> int:
    """A date or time as ISO 8601 has it, in `zone` where it has no offset; or Unix seconds, 9 digits or more."""
    found = -1
    try:
        if re.fullmatch(r"[0-9]{9,13}", text):
            found = int(text)
        else:
            when = datetime.datetime.fromisoformat(text)
            if when.tzinfo is None:
                when = when.replace(tzinfo=zoneinfo.ZoneInfo(zone))
            found = int(when.timestamp())
    except (ValueError, OverflowError, zoneinfo.ZoneInfoNotFoundError):
        pass
    if not 0 <= found < _MOST_S:
        raise click.BadParameter(f"{text!r} is not a time; write one like 2026-12-01 or 2026-12-01T06:00")
    return found


def shown(unix_s: int | None, zone: str) -> str:
    """A time for a person, in that zone."""
    if unix_s is None:
        return "unknown"
    try:
        local = datetime.datetime.fromtimestamp(unix_s, zoneinfo.ZoneInfo(zone))
    except (ValueError, OverflowError, zoneinfo.ZoneInfoNotFoundError):
        local = datetime.datetime.fromtimestamp(min(unix_s, _MOST_S), datetime.UTC)
    return local.strftime("%Y-%m-%d %H:%M:%S %Z")


def minute(unix_s: int | None, zone: str) -> str:
    """The same for a table, to the minute."""
    return "-" if unix_s is None else shown(unix_s, zone)[:16]


def day(unix_s: int, zone: str) -> str:
    return shown(unix_s, zone)[:10]
