"""Which pin does what on an ESP32-S3-DevKitC-1. hardware/README.md has the wiring. Not run on hardware yet.

Pins 1 to 10 belong to ADC1. Pins 26 to 37 are the flash's and the PSRAM's, 19 and 20 USB, 43 and 44 the serial port's,
and 0, 3, 45 and 46 decide how the chip starts: a relay's coils are on none of them.
"""

VOLTAGE = 1
CURRENT = 2
P1_UART = 1
P1_RX = 18
RELAY_CLOSE = 4
RELAY_OPEN = 5
RELAY_SENSE = 6
BUTTON = 7
