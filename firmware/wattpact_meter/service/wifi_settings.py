"""Wi-Fi settings over the serial port, by Improv: they are tried, and kept once they work.

The port is in clear, and the only way in here is a service start: a person at the meter, or a meter that has none yet.
What always holds: settings with which the meter could not connect change nothing; no reply and no line has a password.
"""

from wattpact_meter.service import improv
from wattpact_meter.service.settings_file import SettingsFileError, put_wifi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = b"0.1.0"  # of the firmware, as in pyproject.toml
TRIAL_MS = 30_000  # for the access point, the handshake and an address
# A radio reports later that it left, or joined just before: neither is the trial's.
SETTLE_MS = 500
LEAVE_MS = 5_000
CUT_MS = 1_000  # without a byte, within a frame: its sender has stopped
MOST_NETWORKS = 20
_MOST_SSID, _MOST_PASSWORD = 32, 63  # bytes, IEEE 802.11
_INTERRUPTS = (b"\r\x03", b"\x03\x03")  # Ctrl-C, as mpremote and as people send it


class WifiSettings:
    """WifiSettings(board): a row of `service.SERVICES`. rejected: frames and bytes, by reason."""

    def __init__(self, board: "Any") -> None:
        self._board = board
        self._frames = improv.Frames()
        self.rejected = self._frames.rejected
        self.is_done = False
        self._state = improv.READY
        self._error = improv.NO_ERROR
        self._trial: tuple[str, str] | None = None
        self._is_joining = False
        self._trial_start_ms = self._last_ms = 0

    def poll(self, now_ms: int) -> bool:
        """Whether it was of use to somebody. KeyboardInterrupt after a Ctrl-C outside of a frame, where bytes are
        only bytes."""
        rejected = self._frames.frames_rejected
        data = self._board.serial.read()
        found: list[bytes] = []
        if data:
            self._last_ms = now_ms
            found = self._frames.feed(data)
        elif self._frames.is_within and now_ms - self._last_ms >= CUT_MS:
            found = self._frames.cut()
        if self._frames.outside in _INTERRUPTS:
            raise KeyboardInterrupt
        if self._frames.frames_rejected != rejected:
            self._set_error(improv.INVALID)
        for one in found:
            self._obey(one, now_ms)
        return self._follow_trial(now_ms) or bool(found)

    def _obey(self, data: bytes, now_ms: int) -> None:
        if self._error:
            self._set_error(improv.NO_ERROR)
        try:
            number, payload = improv.command(data)
            if number == improv.SEND_WIFI:
                self._try(improv.texts(payload), now_ms)
            elif number == improv.REQUEST_STATE:
                self._set_state(self._state)
            elif number == improv.REQUEST_INFO:
                self._send(improv.result(number, [b"Wattpact", VERSION, self._board.chip.encode(), b"Wattpact meter"]))
            elif number == improv.REQUEST_NETWORKS:
                self._list_networks()
            else:
                self._set_error(improv.UNKNOWN_COMMAND)
        except improv.ImprovError:
            self._set_error(improv.INVALID)

    def _try(self, values: "list[bytes]", now_ms: int) -> None:
        if len(values) != 2 or not 1 <= len(values[0]) <= _MOST_SSID or len(values[1]) > _MOST_PASSWORD:
            raise improv.ImprovError("access")
        try:
            self._trial = values[0].decode(), values[1].decode()
        except ValueError:
            raise improv.ImprovError("access")
        self._trial_start_ms = now_ms
        self._is_joining = False
        self._set_state(improv.PROVISIONING)
        self._board.radio.leave()

    def _follow_trial(self, now_ms: int) -> bool:
        """Whether a trial is under way."""
        if self._trial is None:
            return False
        elapsed_ms = now_ms - self._trial_start_ms
        is_joined = self._board.radio.is_joined
        if not self._is_joining:
            if not is_joined and elapsed_ms >= SETTLE_MS:
                self._is_joining = self._board.radio.join(*self._trial)
                if not self._is_joining:
                    self._fail(improv.UNABLE_TO_CONNECT)
            elif elapsed_ms >= LEAVE_MS:
                self._fail(improv.UNABLE_TO_CONNECT)
        elif is_joined:
            try:
                put_wifi(self._board.settings_path, *self._trial)
            except SettingsFileError as error:
                self._board.report({"event": "error", "where": "service", "text": str(error)})
                self._fail(improv.OTHER_ERROR)
            else:
                self._trial = None
                self.is_done = True
                self._state = improv.PROVISIONED
                self._send(improv.state(improv.PROVISIONED))
                self._send(improv.result(improv.SEND_WIFI, []))
        elif elapsed_ms >= TRIAL_MS:
            self._fail(improv.UNABLE_TO_CONNECT)
        return True

    def _fail(self, error: int) -> None:
        self._trial = None
        self._board.radio.leave()
        self._set_error(error)
        self._set_state(improv.READY)

    def _list_networks(self) -> None:
        """The strongest of each name, and an empty result at the end."""
        strongest: dict[bytes, tuple[int, bool]] = {}
        for ssid, rssi_dbm, is_secured in self._board.radio.scan():
            if 1 <= len(ssid) <= _MOST_SSID and rssi_dbm > strongest.get(ssid, (-1000, False))[0]:
                strongest[ssid] = rssi_dbm, is_secured
        ranked = sorted([(-rssi_dbm, ssid) for ssid, (rssi_dbm, _) in strongest.items()])
        for negative_dbm, ssid in ranked[:MOST_NETWORKS]:
            lock = b"YES" if strongest[ssid][1] else b"NO"
            self._send(improv.result(improv.REQUEST_NETWORKS, [ssid, b"%d" % -negative_dbm, lock]))
        self._send(improv.result(improv.REQUEST_NETWORKS, []))

    def _set_state(self, number: int) -> None:
        self._state = number
        self._send(improv.state(number))
        if number == improv.PROVISIONED:  # then the address of a page is expected too, and there is none
            self._send(improv.result(improv.REQUEST_STATE, []))

    def _set_error(self, number: int) -> None:
        self._error = number
        self._send(improv.error(number))

    def _send(self, data: bytes) -> None:
        self._board.serial.write(data)
