"""Times for people, in UTC: an auditor needs no table of time zones."""

from datetime import UTC, datetime


def utc(unix_s: int) -> str:
    """2026-11-01 00:00:00 UTC; a time beyond the calendar stays a number."""
    try:
        return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return f"Unix second {unix_s}"
