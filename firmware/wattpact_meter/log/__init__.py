"""The meter as an author: its key, its log, what it publishes, and whom it trusts."""
