"""P1 port: bytes of a serial line in, telegrams out (DSMR P1 companion standard 5.0.2, 6.2; IEC 62056-21 mode D).

What always holds: `feed` never raises, keeps at most 4 KB, and begins anew at the next "/"; of every "/" either a
telegram or one counted rejection comes. A checksum that is there is always checked, and a telegram without one is
accepted only where the settings expect none (`require_crc=False`), with no version in it, and where none ever came.
"""

from wattpact_protocol.log.reasons import CRC, NO_CRC, NOT_ASCII, OVERSIZE, SYNTAX, TRUNCATED

from wattpact_meter.sources import p1_telegram

MAX_TELEGRAM = 4096
_SLASH, _BANG, _NEWLINE = b"/", b"!", b"\n"
_TRAILER = 7  # "!", four hexadecimal digits, CR, LF

_NIBBLES = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def crc16(data: "bytes | bytearray | memoryview") -> int:
    """CRC-16/ARC: polynomial 0x8005 reflected, initial value 0."""
    table = _NIBBLES
    crc = 0
    for byte in data:
        crc ^= byte
        crc = crc >> 4 ^ table[crc & 15]
        crc = crc >> 4 ^ table[crc & 15]
    return crc


class Reader:
    """One P1 port."""

    def __init__(self, require_crc: bool = True) -> None:
        """require_crc=False is for DSMR 2.2 and 3 meters, which send none."""
        self.require_crc = require_crc
        self.accepted = 0
        self.rejected: dict[str, int] = {}
        self.skipped_bytes = 0  # outside of any telegram
        self._seen_crc = False
        self._buffer = bytearray()
        self._trailer_at = 0  # of the "!" in the buffer; 0 until it has come

    @property
    def held_bytes(self) -> int:
        """How much of an unfinished telegram is kept."""
        return len(self._buffer)

    def feed(self, data: "bytes | bytearray") -> "list[p1_telegram.Telegram]":
        """Bytes as they come, in pieces of any size; the telegrams that they complete."""
        telegrams: list[p1_telegram.Telegram] = []
        at = 0
        while at < len(data):
            if not self._buffer:
                at = self._seek(data, at)
            elif self._trailer_at:
                at = self._read_trailer(data, at, telegrams)
            else:
                at = self._read_body(data, at)
        return telegrams

    def _seek(self, data: "bytes | bytearray", at: int) -> int:
        start = data.find(_SLASH, at)
        if start < 0:
            start = len(data)
        else:
            self._buffer.extend(_SLASH)
        self.skipped_bytes += start - at
        return start + 1

    def _read_body(self, data: "bytes | bytearray", at: int) -> int:
        """Up to the end mark, the next start or the end of the room, whichever comes first."""
        window = at + MAX_TELEGRAM - _TRAILER - len(self._buffer)
        end = min(len(data), window)
        bang = data.find(_BANG, at, end)
        slash = data.find(_SLASH, at, end if bang < 0 else bang)
        if slash >= 0:
            self._reject(TRUNCATED)
            return slash
        if bang >= 0:
            self._buffer.extend(data[at : bang + 1])
            self._trailer_at = len(self._buffer) - 1
            return bang + 1
        self._buffer.extend(data[at:end])
        if end == window:
            self._reject(OVERSIZE)
        return end

    def _read_trailer(self, data: "bytes | bytearray", at: int, telegrams: "list[p1_telegram.Telegram]") -> int:
        """The checksum line; a "/" in it belongs to the next telegram."""
        end = min(len(data), at + _TRAILER + self._trailer_at - len(self._buffer))
        newline = data.find(_NEWLINE, at, end)
        slash = data.find(_SLASH, at, end if newline < 0 else newline)
        if slash >= 0:
            self._reject(TRUNCATED)
            return slash
        stop = end if newline < 0 else newline + 1
        self._buffer.extend(data[at:stop])
        if newline >= 0:
            self._finish(telegrams)
        elif len(self._buffer) - self._trailer_at >= _TRAILER:
            self._reject(SYNTAX)
        return stop

    def _finish(self, telegrams: "list[p1_telegram.Telegram]") -> None:
        reason, done = self._check(bytes(self._buffer))
        if done is None:
            self._reject(reason)
            return
        self.accepted += 1
        self._drop()
        telegrams.append(done)

    def _check(self, raw: bytes) -> "tuple[str, p1_telegram.Telegram | None]":
        """The telegram in `raw`, or why there is none."""
        body = raw[: self._trailer_at]
        given = _checksum(raw[self._trailer_at + 1 :])
        if given is None:
            return SYNTAX, None
        if given >= 0 and given != crc16(raw[: self._trailer_at + 1]):
            return CRC, None
        if given < 0 and (self.require_crc or self._seen_crc):
            return NO_CRC, None
        if not _is_text(body):
            return NOT_ASCII, None
        try:
            done = p1_telegram.decode(body.decode())
        except p1_telegram.TelegramError:
            return SYNTAX, None
        if given < 0 and done.version:
            return NO_CRC, None
        self._seen_crc = self._seen_crc or given >= 0
        return "", done

    def _reject(self, reason: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
        self._drop()

    def _drop(self) -> None:
        self._buffer = bytearray()
        self._trailer_at = 0


def _checksum(line: bytes) -> "int | None":
    """The checksum in what follows "!": -1 if the line is empty, None if it is neither that nor up to 4 hex digits."""
    digits = line[:-1]
    if digits.endswith(b"\r"):
        digits = digits[:-1]
    if len(digits) > 4:
        return None
    value = 0
    for byte in digits:  # some heat meters leave out leading zeros
        digit = b"0123456789ABCDEF0123456789abcdef".find(bytes((byte,)))
        if digit < 0:
            return None
        value = value * 16 + digit % 16
    return value if digits else -1


def _is_text(data: bytes) -> bool:
    """Printable ASCII, CR and LF alone."""
    for byte in data:
        if not 32 <= byte < 127 and byte not in (10, 13):
            return False
    return True
