"""The Wi-Fi station of a service start: which networks there are, and whether the meter can join one.

Nothing here raises: a radio that does has no networks and joins none.
"""

import network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class WifiTrial:
    def __init__(self) -> None:
        self._wlan: Any = None

    def scan(self) -> "list[tuple[bytes, int, bool]]":
        """(SSID, dBm, whether it wants a password) of each access point, in some two seconds."""
        found = self._try(self._scan)
        return [(one[0], one[3], one[4] != 0) for one in found or ()]

    def join(self, ssid: str, password: str) -> bool:
        """Begin to, once it has left what was before; whether the radio does."""
        return bool(self._try(self._join, ssid, password))

    @property
    def is_joined(self) -> bool:
        """Whether there is a connection, and an address."""
        return bool(self._wlan is not None and self._try(self._wlan.isconnected))

    def leave(self) -> None:
        """Begin to: `is_joined` is of before until the radio has reported it. A soft reset leaves it joined."""
        self._try(self._leave)

    def _on(self) -> "Any":
        if self._wlan is None:
            wlan = network.WLAN(network.WLAN.IF_STA)
            wlan.active(True)
            self._wlan = wlan
        return self._wlan

    def _scan(self) -> "Any":
        return self._on().scan()

    def _leave(self) -> None:
        self._on().disconnect()

    def _join(self, ssid: str, password: str) -> bool:
        self._on().connect(ssid, password)
        return True

    def _try(self, ask: "Callable[..., Any]", *arguments: str) -> "Any":
        """What it answers; None where it raised."""
        try:
            return ask(*arguments)
        except Exception:
            return None
