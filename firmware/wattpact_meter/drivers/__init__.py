"""The thin edges of the meter: pins, converters, serial ports, radio, sockets. Nothing here decides anything."""
