"""Virtual meters: each a MicroPython process on this machine."""
