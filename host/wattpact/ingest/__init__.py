"""Entries from anyone are verified, and those that pass are stored."""
