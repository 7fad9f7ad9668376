"""Which pin does what on an ESP32-C3-DevKitM-1. hardware/README.md has the wiring. Not run on hardware yet.

Pins 0 to 4 belong to ADC1. Pins 11 to 17 are the flash's, 18 and 19 USB, and 2, 8 and 9 decide how the chip starts: a
relay's coils are on none of them.
"""

VOLTAGE = 0
CURRENT = 1
P1_UART = 1
P1_RX = 10
RELAY_CLOSE = 4
RELAY_OPEN = 5
RELAY_SENSE = 6
BUTTON = 7
