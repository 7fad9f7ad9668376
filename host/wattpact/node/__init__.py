"""The running host, and its data directory."""
