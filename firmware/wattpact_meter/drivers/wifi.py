"""The Wi-Fi station: it is told once where to connect and stays at it by itself; this gives it a push when it does not.

The radio is on from the start, also without a network: only then are the chip's random numbers true ones.
"""

import network

PUSH_MS = 60_000


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

    def keep(self, now_ms: int) -> None:
        """Connect anew where there has been no connection for a while."""
        if self.is_up:
            self._tried_ms = now_ms
        elif now_ms - self._tried_ms >= PUSH_MS:
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
