"""From power and registers to intervals in whole Wh."""
