"""Whether a relay may be closed, and why. Imports nothing but itself."""
