"""A recorded P1 port through a meter: its registers against those of its telegrams, with every telegram counted.

The reference is a reading of the text of its own: where telegrams begin, which are whole by their checksum, and the
sums of all their tariffs by a regular expression, in exact integers. What always holds: the meter gets bytes and
nothing else.
"""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from wattpact_protocol.log import kinds, readings

from wattpact.membership import members
from wattpact.simulation import Check, ReplayError
from wattpact.simulation.simulator import Simulator

MAX_BYTES = 64 << 20
START_S = 1_783_900_800
STEP_S = 10
AFTER_S = 2 * STEP_S + 15  # a boundary that nothing was measured at is signed 15 s later
RATED_W = 25_000
ADOPTED = ("adopted", "opened")
MOST_NOT_ADOPTED_AT_END = 10  # telegrams; a step that stays begins a new register generation before
TERMS = members.FoundingTerms("Port", "EUR", "UTC", STEP_S, 0, 0)
_START = re.compile(rb"^/|/(?=[A-Za-z]{3}[0-9])", re.M)  # IEC 62056-21: three letters of the maker and a digit
_END = re.compile(rb"^!([0-9A-Fa-f]{0,4})\r?\n", re.M)
_VERSION = re.compile(rb"^(?:1-3:0\.2\.8|0-0:96\.1\.4)\(.", re.M)
_ENERGY = re.compile(rb"^1-[01]:[12]\.8\.\d", re.M)
_OBIS = re.compile(rb"^1-([01]):([12])\.8\.(\d{1,3})(?:[*.]255)?\((\d+)(?:\.(\d+))?\*(k?)wh\)\r?$", re.M | re.I)
_PROFILE_IMPORT = 8  # in what a store keeps of the end of a load profile
_CRC = {"arc": (0xA001, 0, 0), "x25": (0x8408, 0xFFFF, 0xFFFF)}  # polynomial, first value, final exclusive or


class Telegram(NamedTuple):
    """What the reference reads in one telegram: total import and export, Wh, None where it has none."""

    import_wh: int | None
    export_wh: int | None


def read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReplayError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ReplayError(f"{path} is larger than {MAX_BYTES >> 20} MiB")
    if b"/" not in data:
        raise ReplayError(f"{path} has no telegram: none of its bytes is a /")
    return data


def split(data: bytes) -> list[bytes]:
    """The recording in pieces, each beginning with a telegram but perhaps the first, which began before."""
    starts = [match.start() for match in _START.finditer(data)]
    edges = ([0] if not starts or starts[0] else []) + starts + [len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]


def is_whole(piece: bytes, require_crc: bool, checksum: str) -> bool:
    """Whether a piece is a telegram to its end, by its checksum, or by having none where none is required."""
    end = _END.search(piece)
    if not piece.startswith(b"/") or end is None:
        return False
    if not end[1]:
        return not require_crc and not _VERSION.search(piece)
    return int(end[1], 16) == crc(piece[: end.start() + 1], checksum)


def crc(data: bytes, kind: str) -> int:
    """CRC-16, bit by bit."""
    polynomial, value, final = _CRC[kind]
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
    return value ^ final


def reference(piece: bytes) -> Telegram | None:
    """The registers in the text of one piece; None where a line of energy cannot be read."""
    found: dict[tuple[bytes, bytes, int], int] = {}
    for match in _OBIS.finditer(piece):
        channel, direction, rate, whole, fraction, kilo = match.groups()
        places = 3 if kilo else 0
        found[channel, direction, int(rate)] = int(whole + ((fraction or b"") + b"000")[:places])
    if len(found) != len(_ENERGY.findall(piece)):
        return None
    channel = b"1" if all(key[0] == b"1" for key in found) else b"0"
    return Telegram(_total(found, channel, b"1"), _total(found, channel, b"2"))


def _total(found: dict[tuple[bytes, bytes, int], int], channel: bytes, direction: bytes) -> int | None:
    """As given, or the sum of all 15 tariffs."""
    if (channel, direction, 0) in found:
        return found[channel, direction, 0]
    rates = [wh for (at, way, rate), wh in found.items() if (at, way) == (channel, direction) and rate <= 15]
    return sum(rates) if rates else None


class P1Replay:
    """The replay of one file, a telegram a second; checksum is "arc" or "x25". `report` prints progress."""

    def __init__(self, path: Path, require_crc: bool, report: Callable[[str], None], checksum: str = "arc") -> None:
        self._pieces = split(read(path))
        self._require_crc = require_crc
        self._checksum = checksum
        self._report = report
        self._read = 0  # telegrams that are whole, and whose energy the reference can read
        self._adopted = self._differing = 0
        self._not_adopted: dict[str, int] = {}  # telegrams whose registers were not adopted, by verdict
        self._not_adopted_at_end = 0
        self._last: Telegram | None = None  # the newest that was adopted
        self._counted_wh = 0  # import from one adopted telegram to the next, of one register generation
        self._generations: list[str] = []

    def run(self) -> list[Check]:
        with tempfile.TemporaryDirectory(prefix="wattpact-p1-") as folder:
            with Simulator(Path(folder).joinpath("node"), TERMS, START_S - 60) as simulator:
                return self._play(simulator)

    def _play(self, simulator: Simulator) -> list[Check]:
        simulator.add_person("owner")
        source = {"kind": "p1", "crc": self._require_crc, "checksum": self._checksum}
        simulator.add_meter("port", "owner", {"rated_w": RATED_W, "step_s": STEP_S, "source": source})
        for _ in range(60):
            simulator.advance(1, {}, {"port": b""})
        for number, piece in enumerate(self._pieces, 1):
            self._send(simulator, piece)
            if number % 100 == 0:
                self._report(f"telegram {number} of {len(self._pieces)}")
        at_end = dict(simulator.meters["port"].registers)
        for _ in range(AFTER_S):
            simulator.advance(1, {}, {"port": b""})
        return self._check(simulator, at_end)

    def _send(self, simulator: Simulator, piece: bytes) -> None:
        """A second with one piece, and what the meter made of it."""
        meter = simulator.meters["port"]
        before = dict(meter.state)
        simulator.advance(1, {}, {"port": piece})
        after = meter.state
        one = reference(piece) if is_whole(piece, self._require_crc, self._checksum) else None
        self._read += one is not None
        verdicts = [name for name, n in after["verdicts"].items() if n > before["verdicts"].get(name, 0)]
        if one is None or not verdicts:
            return
        if verdicts[0] not in ADOPTED:
            self._not_adopted[verdicts[0]] = self._not_adopted.get(verdicts[0], 0) + 1
            self._not_adopted_at_end += 1
            return
        same = (meter.registers[1], meter.registers[2]) == (one.import_wh, one.export_wh or 0)
        self._adopted += 1
        self._differing += not same
        self._not_adopted_at_end = 0
        if after["register_generation"] != before["register_generation"]:
            self._generations.append(f"{before['registers'].get('1', 0):,} to {one.import_wh or 0:,} Wh")
        elif self._last:
            self._counted_wh += (one.import_wh or 0) - (self._last.import_wh or 0)
        self._last = one

    def _check(self, simulator: Simulator, at_end: dict[int, int]) -> list[Check]:
        meter, last = simulator.meters["port"], self._last or Telegram(None, None)
        accepted, rejected = meter.state["p1_accepted"], meter.state["p1_rejected"]
        present = sum(piece.startswith(b"/") for piece in self._pieces)
        before = "" if present == len(self._pieces) else ", after the end of one that began before the recording"
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(rejected.items())) or "none"
        lines = meter.state["p1_skipped_lines"]
        skipped_lines = f"; {lines} lines in them could not be read and do not matter" if lines else ""
        waiting = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self._not_adopted.items()))
        steps = "; a new register generation from " + ", then ".join(self._generations[1:])
        stored = simulator.store.registers(meter.kid)
        kept = dict(stored[0].energy) if stored else {}
        stored_readings = simulator.store.entries(author=meter.kid, of_kinds=(kinds.READING,))
        voids = sum(row.void_reason is not None for row in stored_readings)
        charged_wh = stored[0].profile[_PROFILE_IMPORT] if stored else 0
        return [
            Check("telegrams accounted for", accepted == self._read and accepted + sum(rejected.values()) >= present,
                  f"{present} telegrams{before}: {accepted} accepted, rejected: {reasons}{skipped_lines}"),
            Check("registers after each telegram",
                  self._adopted > 0 and not self._differing and self._not_adopted_at_end <= MOST_NOT_ADOPTED_AT_END,
                  f"{self._adopted - self._differing} of {self._adopted} as in the telegrams"
                  + (f"; not adopted: {waiting}" if waiting else "") + (steps if self._generations[1:] else "")),
            Check("import at the end", at_end[1] == last.import_wh,
                  f"{at_end[1]:,} Wh, telegram {last.import_wh or 0:,} Wh"),
            Check("export at the end", at_end[2] == (last.export_wh or 0),
                  f"{at_end[2]:,} Wh, telegram {last.export_wh or 0:,} Wh"),
            Check("signed and stored", kept.get(readings.IMPORT_WH) == at_end[1] and not voids,
                  f"{kept.get(readings.IMPORT_WH, 0):,} Wh, {voids} void readings"),
            Check("no energy but what was counted", charged_wh <= self._counted_wh,
                  f"{charged_wh:,} Wh of import in slots, {self._counted_wh:,} Wh from telegram to telegram"),
        ]  # fmt: skip
