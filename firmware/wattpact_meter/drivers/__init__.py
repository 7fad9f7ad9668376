"""Access to hardware and network: pins, converters, serial ports, radio, sockets. No rules of the meter are here."""
