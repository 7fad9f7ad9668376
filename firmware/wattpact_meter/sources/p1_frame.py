"""P1 port: bytes of a serial line in, telegrams out (DSMR P1 companion standard 5.0.2, 6.2; IEC 62056-21 mode D).

A telegram begins with "/" and ends with the line that begins with "!". A "/" that begins a line begins a telegram; one
within a line may be in a name, or begin a telegram after one that broke off: where there is a checksum it decides.

What always holds: `feed` never raises and keeps at most 4 KB; what begins with "/" and becomes no telegram is counted,
once, by a reason. A checksum that is there is always checked, and a telegram without one is accepted only where the
settings expect none (`require_crc=False`), with no version in it, and where none ever came.
"""

from wattpact_protocol.log.reasons import CRC, NO_CRC, NOT_ASCII, OVERSIZE, SYNTAX, TRUNCATED

from wattpact_meter.sources import p1_telegram

MAX_TELEGRAM = 4096
_SLASH, _NEWLINE = b"/", b"\n"
_START, _END = 0x2F, 0x21  # "/", "!"
_STARTS = 4  # of one telegram, of which the checksum is tried

# Of each kind: the initial value, what the result is reversed with, and the table of a nibble.
ARC = (0, 0, (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
))  # fmt: skip
X25 = (0xFFFF, 0xFFFF, (
    0x0000, 0x1081, 0x2102, 0x3183, 0x4204, 0x5285, 0x6306, 0x7387,
    0x8408, 0x9489, 0xA50A, 0xB58B, 0xC60C, 0xD68D, 0xE70E, 0xF78F,
))  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    Kind = tuple[int, int, tuple[int, ...]]


def crc16(data: "bytes | bytearray | memoryview", kind: "Kind" = ARC) -> int:
    """CRC-16/ARC, as DSMR demands, or CRC-16/X-25 (polynomials 0x8005 and 0x1021, reflected)."""
    crc, final, table = kind
    for byte in data:
        crc ^= byte
        crc = crc >> 4 ^ table[crc & 15]
        crc = crc >> 4 ^ table[crc & 15]
    return crc ^ final


class Reader:
    """One P1 port."""

    def __init__(self, require_crc: bool = True, kind: "Kind" = ARC) -> None:
        """require_crc=False is for DSMR 2.2 and 3 meters, which send none."""
        self.require_crc = require_crc
        self.accepted = 0
        self.skipped_lines = 0  # lines of accepted telegrams that could not be read, and do not matter
        self.rejected: dict[str, int] = {}
        self.skipped_bytes = 0  # outside of any telegram
        self._kind = kind
        self._seen_crc = False
        self._buffer = bytearray()
        self._line_at = 0  # where in the buffer the line begins that is not ended yet

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
                start = data.find(_SLASH, at)
                start = len(data) if start < 0 else start
                self.skipped_bytes += start - at
                at = start
            newline = data.find(_NEWLINE, at)
            end = min(len(data) if newline < 0 else newline + 1, at + MAX_TELEGRAM - len(self._buffer))
            self._buffer.extend(data[at:end])
            at = end
            if 0 <= newline < end:
                self._end_line(telegrams)
            elif len(self._buffer) >= MAX_TELEGRAM:
                self._reject(OVERSIZE, max(0, self._buffer.rfind(_SLASH)))
        return telegrams

    def _end_line(self, telegrams: "list[p1_telegram.Telegram]") -> None:
        begins = self._buffer[self._line_at]
        if begins == _END:
            self._finish(telegrams)
        elif begins == _START and self._line_at:
            self._reject(TRUNCATED, self._line_at)
        self._line_at = len(self._buffer)

    def _finish(self, telegrams: "list[p1_telegram.Telegram]") -> None:
        """The line of the checksum has ended; a "/" in it belongs to the next telegram."""
        slash = self._buffer.find(_SLASH, self._line_at)
        if slash >= 0:
            self._reject(TRUNCATED, slash)
            return
        reason, done = self._check()
        if done is None:
            self._reject(reason)
            return
        self.accepted += 1
        self.skipped_lines += done.skipped_lines
        self._buffer = bytearray()
        telegrams.append(done)

    def _check(self) -> "tuple[str, p1_telegram.Telegram | None]":
        """The telegram in the buffer, or why there is none."""
        end = self._line_at
        given = _checksum(bytes(self._buffer[end + 1 :]))
        if given is None:
            return SYNTAX, None
        if given < 0 and (self.require_crc or self._seen_crc):
            return NO_CRC, None
        start = self._buffer.rfind(_SLASH, 0, end) if given < 0 else self._start_of(given)
        if start < 0:
            return CRC, None
        try:
            done = p1_telegram.decode(bytes(self._buffer[start:end]), given >= 0)
        except p1_telegram.CharacterError:
            return NOT_ASCII, None
        except p1_telegram.TelegramError:
            return SYNTAX, None
        if given < 0 and done.version:
            return NO_CRC, None
        self._seen_crc = self._seen_crc or given >= 0
        if start:
            self._count(TRUNCATED)
        return "", done

    def _start_of(self, given: int) -> int:
        """Where the telegram begins that has this checksum, at the first "/" or one of the last; -1 for nowhere."""
        start, before, view = 0, self._line_at, memoryview(self._buffer)
        for _ in range(_STARTS):
            if crc16(view[start : self._line_at + 1], self._kind) == given:
                return start
            start = before = self._buffer.rfind(_SLASH, 0, before)
            if start <= 0:
                break
        return -1

    def _reject(self, reason: str, keep_from: int = 0) -> None:
        """Drop what is in the buffer, but from `keep_from` on, where the next telegram begins."""
        self._count(reason)
        self._buffer = self._buffer[keep_from:] if keep_from else bytearray()
        self._line_at = self._buffer.rfind(_NEWLINE) + 1

    def _count(self, reason: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1


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
