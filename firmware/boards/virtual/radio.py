"""The virtual radio of a service start: access points that the configuration names, each with its password."""

RSSI_DBM = -50
STEP_DBM = 5  # each of them is so much weaker than the one before


class Radio:
    """Radio({ssid: password}): an empty password is an open network. It joins where both agree."""

    def __init__(self, networks: "dict[str, str]") -> None:
        self._networks = networks
        self.is_joined = False

    def scan(self) -> "list[tuple[bytes, int, bool]]":
        """(SSID, dBm, whether it wants a password) of each."""
        rows = [(ssid.encode(), self._networks[ssid] != "") for ssid in sorted(self._networks)]
        return [(ssid, RSSI_DBM - STEP_DBM * at, is_secured) for at, (ssid, is_secured) in enumerate(rows)]

    def join(self, ssid: str, password: str) -> bool:
        self.is_joined = self._networks.get(ssid) == password
        return True

    def leave(self) -> None:
        self.is_joined = False
