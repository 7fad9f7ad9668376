"""Bills, the evidence for them, and the keys that open it."""
