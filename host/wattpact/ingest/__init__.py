"""Entries from anyone, judged before they are stored."""
