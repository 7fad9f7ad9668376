"""The node, and the directory that it lives in."""
