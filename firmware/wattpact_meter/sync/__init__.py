"""Entries to and from the host: what to send, what was received, and whom to send it to."""
