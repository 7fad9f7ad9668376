"""COMTRADE recordings (IEEE C37.111-1999, ASCII data) as integers: voltages in µV, currents in µA, times in µs.

What always holds: the input is bounded and read strictly; conversion is exact decimal arithmetic, rounded once;
whatever is wrong with a recording is a ComtradeError.
"""

from wattpact_meter.metering.fixedpoint import round_div

MAX_BYTES = 16 * 1024 * 1024
MAX_CHANNELS = 64
MAX_SAMPLES = 200000
_MAX_DIGITS = 24
# Unit -> (what it measures, power of ten from µV or µA)
_UNITS = {
    "volt": ("V", 6), "v": ("V", 6), "kv": ("V", 9), "mv": ("V", 3),
    "ampere": ("A", 6), "amp": ("A", 6), "a": ("A", 6), "ka": ("A", 9), "ma": ("A", 3),
}  # fmt: skip


class ComtradeError(ValueError):
    """Not a COMTRADE recording that this reader understands."""


class Channel:
    """An analogue channel: quantity "V" or "A", and its samples in millionths of it."""

    def __init__(self, name: str, quantity: str) -> None:
        self.name = name
        self.quantity = quantity
        self.micro: list[int] = []


class Recording:
    """Analogue channels by name, all sampled at the same times."""

    def __init__(self, frequency_mhz: int, rate_uhz: int, channels: "list[Channel]") -> None:
        self.frequency_mhz = frequency_mhz
        self.rate_uhz = rate_uhz
        self.channels = {channel.name: channel for channel in channels}
        self.samples = len(channels[0].micro)

    def time_us(self, index: int) -> int:
        """When a sample was taken, from the first."""
        return round_div(index * 10**12, self.rate_uhz)


def read(configuration: "str | bytes", data: "str | bytes") -> Recording:
    """The recording in the contents of a .CFG and a .DAT file; raises ComtradeError."""
    cfg = _lines(configuration)
    scales = []
    station = _fields(cfg, 0, 3)
    if station[2].strip() != "1999":
        raise ComtradeError("only the 1999 revision is read")
    counts = _fields(cfg, 1, 3)
    total, analogue, status = _count(counts[0]), _count(counts[1], "A"), _count(counts[2], "D")
    if not 1 <= analogue <= MAX_CHANNELS or status > MAX_CHANNELS or total != analogue + status:
        raise ComtradeError("impossible channel counts")
    channels = []
    for index in range(analogue):
        channel, scale = _channel(_fields(cfg, 2 + index, 13), index)
        channels.append(channel)
        scales.append(scale)
    if len({channel.name for channel in channels}) != analogue:
        raise ComtradeError("two channels have one name")
    frequency_mhz, rate_uhz, samples = _sampling(cfg, 2 + total)
    _read_samples(_lines(data), channels, scales, total, samples)
    return Recording(frequency_mhz, rate_uhz, channels)


def _lines(content: "str | bytes") -> "list[str]":
    if len(content) > MAX_BYTES:
        raise ComtradeError("the file is too large")
    if isinstance(content, bytes):
        if content and max(content) > 126:
            raise ComtradeError("the file is not ASCII")
        content = content.decode()
    lines = content.split("\n")
    while lines and lines[-1].strip("\x1a\r \t") == "":
        lines.pop()
    return [line[:-1] if line.endswith("\r") else line for line in lines]


def _fields(lines: "list[str]", index: int, count: int) -> "list[str]":
    fields = lines[index].split(",") if index < len(lines) else []
    if len(fields) != count:
        raise ComtradeError("configuration line %d needs %d fields" % (index + 1, count))
    return fields


def _count(text: str, suffix: str = "") -> int:
    if not text.endswith(suffix):
        raise ComtradeError("a channel count lacks its " + suffix)
    return _integer(text[: len(text) - len(suffix)], 6)


def _integer(text: str, most_digits: int) -> int:
    text = text.strip()
    digits = text[1:] if text[:1] == "-" else text
    if not 0 < len(digits) <= most_digits:
        raise ComtradeError("not a number")
    for character in digits:
        if not "0" <= character <= "9":
            raise ComtradeError("not a number")
    return int(text)


def _decimal(text: str) -> "tuple[int, int]":
    """A decimal number as (digits, places after the point); an exponent is allowed."""
    text = text.strip().lower()
    mantissa, e, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    sign = -1 if whole[:1] == "-" else 1
    value = _integer(whole.lstrip("+-") + fraction, _MAX_DIGITS)
    places = len(fraction) - (_integer(exponent.lstrip("+"), 2) if e else 0)
    if len(whole) - len(whole.lstrip("+-")) > 1:
        raise ComtradeError("not a number")
    return (sign * value, places) if places >= 0 else (sign * value * 10**-places, 0)


def _channel(fields: "list[str]", index: int) -> "tuple[Channel, tuple[int, int, int, int, int]]":
    """A channel, and (multiplier, offset, divisor, least, most) that make its samples millionths of its unit."""
    if _integer(fields[0], 6) != index + 1:
        raise ComtradeError("analogue channels are not numbered in order")
    known = _UNITS.get(fields[4].strip().lower())
    if known is None:
        raise ComtradeError("channel %s has no unit of voltage or current" % fields[1])
    quantity, power = known
    a, a_places = _decimal(fields[5])
    b, b_places = _decimal(fields[6])
    places = max(a_places, b_places)
    multiplier = a * 10 ** (places - a_places + power)
    offset = b * 10 ** (places - b_places + power)
    return Channel(fields[1].strip(), quantity), (
        multiplier, offset, 10**places, _integer(fields[8], 6), _integer(fields[9], 6)
    )  # fmt: skip


def _sampling(cfg: "list[str]", at: int) -> "tuple[int, int, int]":
    """Line frequency, sample rate and number of samples, from the lines after the channels."""
    frequency_mhz = _scaled(_fields(cfg, at, 1)[0], 3)
    if _integer(_fields(cfg, at + 1, 1)[0], 3) != 1:
        raise ComtradeError("only one sampling rate is read")
    rate, last = _fields(cfg, at + 2, 2)
    rate_uhz = _scaled(rate, 6)
    samples = _integer(last, 9)
    if not 1 <= samples <= MAX_SAMPLES or rate_uhz <= 0 or frequency_mhz <= 0:
        raise ComtradeError("impossible rate or number of samples")
    _fields(cfg, at + 3, 2)
    _fields(cfg, at + 4, 2)
    if _fields(cfg, at + 5, 1)[0].strip().upper() != "ASCII":
        raise ComtradeError("only ASCII data is read")
    return frequency_mhz, rate_uhz, samples


def _scaled(text: str, places: int) -> int:
    value, after = _decimal(text)
    return round_div(value * 10**places, 10**after)


def _read_samples(
    lines: "list[str]",
    channels: "list[Channel]",
    scales: "list[tuple[int, int, int, int, int]]",
    total: int,
    samples: int,
) -> None:
    if len(lines) != samples:
        raise ComtradeError("%d samples promised, %d lines of data" % (samples, len(lines)))
    for index in range(samples):
        fields = lines[index].split(",")
        if len(fields) != total + 2 or _integer(fields[0], 10) != index + 1:
            raise ComtradeError("line %d of the data is not sample %d" % (index + 1, index + 1))
        for channel, (multiplier, offset, divisor, least, most), text in zip(channels, scales, fields[2:]):
            value = _integer(text, 6)
            if not least <= value <= most:
                raise ComtradeError("sample %d of %s is out of its range" % (index + 1, channel.name))
            channel.micro.append(round_div(value * multiplier + offset, divisor))
