"""From samples, power and registers to readings in whole Wh."""
