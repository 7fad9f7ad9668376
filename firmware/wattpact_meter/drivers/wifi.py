"""The Wi-Fi station: it connects once and stays connected by itself; this connects it anew where it does not.

The radio is on from the start, also without a network: only then are the chip's random numbers true ones.
"""

import network

RECONNECT_MS = 60_000


class Wifi:
    """Wifi(("ssid", "password")), or None to have the radio on alone."""

    def __init__(self, access: "tuple[str, str] | None") -> None:
        self._access = access
        self._wlan = network.WLAN(network.WLAN.IF_STA)
        self._wlan.active(True)
        self._tried_ms = 0
        self._connect()

    @property
    def is_up(self) -> bool:
        return bool(self._wlan.isconnected())

    def name_server(self) -> "str | None":
        """The numeric address that the network gave with the meter's own; None while there is none."""
        server = str(self._wlan.ifconfig()[3])
        return server if self.is_up and server != "0.0.0.0" else None

    def keep(self, now_ms: int) -> None:
        """Connect anew where there has been no connection for a while."""
        if self.is_up:
            self._tried_ms = now_ms
        elif now_ms - self._tried_ms >= RECONNECT_MS:
            self._tried_ms = now_ms
            self._wlan.disconnect()
            self._connect()

    def _connect(self) -> None:
        if self._access is None:
            return
        try:
            self._wlan.connect(self._access[0], self._access[1])
        except OSError:  # the radio is busy with an attempt
            pass
