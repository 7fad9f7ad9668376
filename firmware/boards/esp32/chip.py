"""What is the same in every start of an ESP32, as the meter and as a service start."""

SETTINGS = "/settings.json"  # in the flash, as the journal and the state
WATCHDOG_MS = 60_000
RESTART_MS = 30_000  # after an error, for a person to read it
