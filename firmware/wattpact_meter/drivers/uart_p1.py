"""The serial side of a P1 port: DSMR 5 at 115200 8N1, or DSMR 2.2 and 3 at 9600 7E1; the signal comes inverted."""

from machine import UART

BUFFER_BYTES = 4096  # a telegram whole, while other tasks run


class UartP1:
    """UartP1(uart, rx_pin): old for DSMR 2.2 and 3."""

    def __init__(self, uart: int, rx_pin: int, old: bool = False) -> None:
        baudrate, bits, parity = (9600, 7, 0) if old else (115200, 8, None)
        self._uart = UART(
            uart, baudrate=baudrate, bits=bits, parity=parity, stop=1, rx=rx_pin, rxbuf=BUFFER_BYTES,
            invert=UART.INV_RX, timeout=0,
        )  # fmt: skip

    def read(self) -> bytes:
        return self._uart.read() or b""
