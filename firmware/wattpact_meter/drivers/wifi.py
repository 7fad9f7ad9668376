"""The Wi-Fi station: it connects once and stays connected by itself; this connects it anew where it does not.

The radio is on from the start, also without a network: only then are the chip's random numbers true ones. Whatever a
radio raises (RuntimeError 0x0101 for want of memory is one) is counted and tried again later: a meter needs none to
measure and to guard. A UART is made before this: with PSRAM one made after it crashes the chip (micropython#18544).
"""

import network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RECONNECT_MS = 60_000
LONGEST_MS = 600_000


class Wifi:
    """Wifi(("ssid", "password"), report), or None to have the radio on alone; report(error) is called for each that
    it raised, `failed` counts them. Nothing here raises."""

    def __init__(self, access: "tuple[str, str] | None", report: "Callable[[Exception], None]") -> None:
        self._access = access
        self._report = report
        self._wlan: Any = None
        self._due_ms = 0
        self._pause_ms = RECONNECT_MS
        self.is_on = False
        self.failed = 0
        self._connect(0)

    @property
    def is_up(self) -> bool:
        return bool(self.is_on and self._try(self._wlan.isconnected))

    def name_server(self) -> "str | None":
        """The numeric address that the network gave with the meter's own; None while there is none."""
        given = self._try(self._wlan.ifconfig) if self.is_up else None
        return given[3] if given and given[3] != "0.0.0.0" else None

    def keep(self, now_ms: int) -> None:
        """Connect anew where there has been no connection for a while: a longer one each time that the radio raised."""
        if self.is_up:
            self._due_ms = now_ms + RECONNECT_MS
            self._pause_ms = RECONNECT_MS
        elif now_ms >= self._due_ms:
            self._connect(now_ms)

    def _connect(self, now_ms: int) -> None:
        if not self.is_on:
            self.is_on = self._try(self._switch_on) is not None
        elif self._access is not None:
            self._try(self._wlan.disconnect)
        if self.is_on and self._access is not None:
            self._try(self._wlan.connect, *self._access)
        self._due_ms = now_ms + self._pause_ms

    def _switch_on(self) -> bool:
        self._wlan = network.WLAN(network.WLAN.IF_STA)
        self._wlan.active(True)
        return True

    def _try(self, ask: "Callable[..., Any]", *arguments: str) -> "Any":
        """What it answers; None where it raised. A radio that raised is switched on anew before it is used again."""
        try:
            return ask(*arguments)
        except Exception as error:
            self.failed += 1
            self.is_on = False
            self._pause_ms = min(2 * self._pause_ms, LONGEST_MS)
            self._report(error)
            return None
