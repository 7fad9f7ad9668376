"""Which pin does what on an ESP32-DevKitC (ESP32-WROOM-32). hardware/README.md has the wiring. Not run on hardware yet.

Pins 34 and 35 belong to ADC1, the one that works with Wi-Fi. Pins 6 to 11 are the flash's, 0, 2, 12 and 15 decide how
the chip starts: a relay's coils are on none of them.
"""

VOLTAGE = 34
CURRENT = 35
P1_UART = 2
P1_RX = 16
RELAY_CLOSE = 25
RELAY_OPEN = 26
RELAY_SENSE = 27
BUTTON = 33
