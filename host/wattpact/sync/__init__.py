"""The link to meters."""
