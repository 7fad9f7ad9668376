"""The text of a P1 telegram: which OBIS codes are read, and what they become (DSMR P1 companion standard 5.0.2, 6.12).

What always holds: energy is parsed as digits, never through a float, and what is below one Wh is cut off; a telegram
whose energy or identity cannot be read exactly is no telegram. Codes that are not known here are ignored. Other lines
that cannot be read are skipped and counted, but only under a checksum that holds: then the meter wrote them so.
"""

from wattpact_protocol.log import register_table

_MAX_VALUE_DIGITS = 15
_MAX_IDENTIFICATION = 64
_MAX_SERIAL = 96
_TARIFFS = 15

_TARIFF_REGISTERS = {
    "1.8.1": register_table.IMPORT_TARIFF_1_WH,
    "1.8.2": register_table.IMPORT_TARIFF_2_WH,
    "2.8.1": register_table.EXPORT_TARIFF_1_WH,
    "2.8.2": register_table.EXPORT_TARIFF_2_WH,
}
# OBIS C.D.E -> (register id, unit, digits after the point in the register's unit)
_INSTANTANEOUS = {
    "32.7.0": (register_table.VOLTAGE_1_MV, "V", 3),
    "52.7.0": (register_table.VOLTAGE_2_MV, "V", 3),
    "72.7.0": (register_table.VOLTAGE_3_MV, "V", 3),
    "31.7.0": (register_table.CURRENT_1_MA, "A", 3),
    "51.7.0": (register_table.CURRENT_2_MA, "A", 3),
    "71.7.0": (register_table.CURRENT_3_MA, "A", 3),
    "14.7.0": (register_table.FREQUENCY_MHZ, "Hz", 3),
}
_SERIALS = ("0-0:96.1.1", "0-0:96.1.0", "0-0:42.0.0", "1-0:0.0.0")
_VERSIONS = ("1-3:0.2.8", "0-0:96.1.4")
_TIME, _BREAKER, _TARIFF = "0-0:1.0.0", "0-0:96.3.10", "0-0:96.14.0"
_KEPT = _SERIALS + _VERSIONS + (_TIME, _BREAKER, _TARIFF)  # besides those of electricity, 1-B
# What a line that cannot be read must not hold to be skipped: energy, a serial or a version.
_MATTERS = (b"wh", b".8.", b":96.1.", b":42.0.0", b":0.0.0", b":0.2.8")


class TelegramError(ValueError):
    """The text is not that of a telegram."""


class CharacterError(TelegramError):
    """A line has something else than printable ASCII."""


class Telegram:
    """What is in one telegram.

    identification, serial: text; the identification stands in for a serial that is not given
    version: "50", "42"; empty where the meter sends none (DSMR 2.2 and 3, and meters that are not Dutch)
    local_time: (year, month, day, hour, minute, second, summer) and unix_s: None where absent or impossible
    registers: register id -> Wh; empty for a meter without electrical energy, and where only power was sent
    skipped_lines: how many of its lines could not be read, and do not matter
    power_w: import less export; None where absent. instantaneous: register id -> value for display
    breaker: 0 disconnected, 1 connected, 2 ready to be connected; tariff: its number; None where absent
    """

    def __init__(self, identification: str) -> None:
        self.identification = identification
        self.serial = identification
        self.version = ""
        self.local_time: tuple[int, int, int, int, int, int, bool] | None = None
        self.unix_s: int | None = None
        self.registers: dict[int, int] = {}
        self.skipped_lines = 0
        self.power_w: int | None = None
        self.instantaneous: dict[int, int] = {}
        self.breaker: int | None = None
        self.tariff: int | None = None


def decode(body: bytes, is_checked: bool) -> Telegram:
    """The telegram in `body`, from "/" up to and without "!", lines ended by CR LF; raises TelegramError. is_checked:
    whether it has a checksum, which holds."""
    lines = body.split(b"\r\n")
    first = lines[0]
    if len(lines) < 4 or not 5 <= len(first) <= _MAX_IDENTIFICATION or first[:1] != b"/" or lines[1] or lines[-1]:
        raise TelegramError("no identification, empty line and data lines")
    telegram = Telegram(_text(first)[1:])
    values = _data_lines(lines[2:-1], telegram, is_checked)
    electricity = "1-1:" if _has_energy(values, "1-1:") and not _has_energy(values, "1-0:") else "1-0:"
    _read_identity(telegram, values)
    _read_registers(telegram, values, electricity)
    _read_power(telegram, values, electricity)
    for code, (number, unit, places) in _INSTANTANEOUS.items():
        value = _display(values, electricity + code, unit, places)
        if value is not None:
            telegram.instantaneous[number] = value
    telegram.breaker = _small(values, _BREAKER)
    telegram.tariff = _small(values, _TARIFF)
    return telegram


def _data_lines(lines: "list[bytes]", telegram: Telegram, is_checked: bool) -> "dict[str, list[str]]":
    """OBIS code -> the values in brackets. A line that starts with one continues the line before (gas in DSMR 2.2)."""
    values: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in lines:
        try:
            code, fields = _data_line(line)
            if code in values:
                raise TelegramError("a code is given twice")
            if not code and last is None:
                raise TelegramError("nothing to continue")
        except TelegramError:
            lowered = line.lower()
            if not is_checked or [part for part in _MATTERS if part in lowered]:
                raise
            telegram.skipped_lines += 1
            last = []  # what continues it is skipped with it
            continue
        if code:
            last = fields
            if code[:2] == "1-" or code in _KEPT:
                values[code] = fields
        elif last is not None:
            last.extend(fields)
    return values


def _data_line(line: bytes) -> "tuple[str, list[str]]":
    """The code, "" where there is none, and the values; raises TelegramError."""
    text = _text(line)
    bracket = text.find("(")
    if bracket < 0 or text[-1] != ")":
        raise TelegramError("not a data line")
    fields = text[bracket + 1 : -1].split(")(")
    for field in fields:
        if "(" in field or ")" in field:
            raise TelegramError("brackets do not match")
    return _normal_code(text[:bracket]) if bracket else "", fields


def _text(line: bytes) -> str:
    """Printable ASCII alone; raises CharacterError, or TelegramError for an end of line that is not CR LF."""
    for byte in line:
        if not 32 <= byte < 127:
            if byte in (10, 13):
                raise TelegramError("a line does not end in CR LF")
            raise CharacterError("not printable ASCII")
    return line.decode()


def _has_energy(values: "dict[str, list[str]]", electricity: str) -> bool:
    return any(code[:4] == electricity and code[4:8] in ("1.8.", "2.8.") for code in values)


def _normal_code(code: str) -> str:
    """A-B:C.D.E without the F of current values that some meters write, 1-0:1.8.0*255 or 1-0:21.7.0.255; with another
    F it is a value of the past."""
    medium, _, rest = code.partition(":")
    current, star, past = rest.partition("*")
    parts = current.split(".")
    if star:
        parts = parts + [past] if len(parts) == 3 else []
    if len(parts) == 4 and parts[3] == "255":
        parts.pop()
    if not 3 <= len(parts) <= 4 or not all(_is_digits(part, 3) for part in parts):
        raise TelegramError("not an OBIS code")
    a, _, b = medium.partition("-")
    if not _is_digits(a, 3) or not _is_digits(b, 3):
        raise TelegramError("not an OBIS code")
    return medium + ":" + ".".join(parts)


def _is_digits(text: str, most: int) -> bool:
    if not 0 < len(text) <= most:
        return False
    for character in text:  # str.isdigit takes digits of other scripts
        if not "0" <= character <= "9":
            return False
    return True


def _scaled(text: str, places: int) -> int:
    """A decimal number times 10^places, cut off; raises TelegramError."""
    whole, point, fraction = text.partition(".")
    if not _is_digits(whole, _MAX_VALUE_DIGITS) or (point and not _is_digits(fraction, _MAX_VALUE_DIGITS)):
        raise TelegramError("not a number")
    return int(whole + (fraction + "0" * places)[:places])


def _quantity(fields: "list[str]", unit: str, places: int) -> int:
    """The one value of a line in `unit` or thousands of it ("k" before), in letters of any case, times 10^places;
    raises TelegramError."""
    number, _, given = fields[0].partition("*")
    given, plain = given.lower(), unit.lower()
    if len(fields) != 1 or given not in (plain, "k" + plain):
        raise TelegramError("not one value in " + unit)
    return _scaled(number, places if given == plain else places + 3)


def _display(values: "dict[str, list[str]]", code: str, unit: str, places: int) -> "int | None":
    """A value for display: absent when it cannot be read, for nothing depends on it."""
    try:
        return _quantity(values[code], unit, places) if code in values else None
    except TelegramError:
        return None


def _small(values: "dict[str, list[str]]", code: str) -> "int | None":
    text = values.get(code, [""])[0]
    return int(text) if _is_digits(text, 4) else None


def _read_identity(telegram: Telegram, values: "dict[str, list[str]]") -> None:
    for code in reversed(_SERIALS):
        if values.get(code, [""])[0]:
            telegram.serial = values[code][0]
    for code in _VERSIONS:
        telegram.version = telegram.version or values.get(code, [""])[0]
    if len(telegram.serial) > _MAX_SERIAL or len(telegram.version) > _MAX_SERIAL:
        raise TelegramError("a serial or version is too long")
    stamp = values.get(_TIME, [""])[0]
    telegram.local_time = _local_time(stamp)
    if telegram.local_time:
        telegram.unix_s = _unix_s(telegram.local_time)


def _read_registers(telegram: Telegram, values: "dict[str, list[str]]", electricity: str) -> None:
    """The totals as given, or the sums of all tariffs."""
    for direction, total in (("1", register_table.IMPORT_WH), ("2", register_table.EXPORT_WH)):
        tariffs_wh = []
        for tariff in range(1, _TARIFFS + 1):
            code = "%s.8.%d" % (direction, tariff)
            if electricity + code in values:
                tariffs_wh.append(_quantity(values[electricity + code], "Wh", 0))
                if code in _TARIFF_REGISTERS:
                    telegram.registers[_TARIFF_REGISTERS[code]] = tariffs_wh[-1]
        given = electricity + direction + ".8.0"
        if given in values:
            telegram.registers[total] = _quantity(values[given], "Wh", 0)
        elif tariffs_wh:
            telegram.registers[total] = sum(tariffs_wh)


def _read_power(telegram: Telegram, values: "dict[str, list[str]]", electricity: str) -> None:
    imported = _display(values, electricity + "1.7.0", "W", 0)
    exported = _display(values, electricity + "2.7.0", "W", 0)
    if imported is not None or exported is not None:
        telegram.power_w = (imported or 0) - (exported or 0)
        telegram.instantaneous[register_table.POWER_W] = telegram.power_w


def _local_time(text: str) -> "tuple[int, int, int, int, int, int, bool] | None":
    """YYMMDDhhmmss and W or S (winter, summer); None if it is no such time."""
    if len(text) != 13 or not _is_digits(text[:12], 12) or text[12] not in "WS":
        return None
    year, month, day, hour, minute, second = (int(text[k : k + 2]) for k in range(0, 12, 2))
    year += 2000
    if not 1 <= month <= 12 or not 1 <= day <= _month_days(year, month) or hour > 23 or minute > 59 or second > 59:
        return None
    return year, month, day, hour, minute, second, text[12] == "S"


def _month_days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 else 28  # 2000 to 2099
    return 30 if month in (4, 6, 9, 11) else 31


def _unix_s(time: "tuple[int, int, int, int, int, int, bool]") -> int:
    """Unix seconds of a Central European time: winter is UTC+1, summer UTC+2, by its flag and not by the calendar."""
    year, month, day, hour, minute, second, summer = time
    days = 10957 + (year - 2000) * 365 + (year - 1997) // 4  # 10957 days from 1970 to 2000
    for earlier in range(1, month):
        days += _month_days(year, earlier)
    return ((days + day - 1) * 24 + hour - (2 if summer else 1)) * 3600 + minute * 60 + second
