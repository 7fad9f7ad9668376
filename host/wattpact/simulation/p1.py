"""A recorded P1 port through a meter: its registers against those of its telegrams, with every telegram counted.

The reference is a reading of the text of its own: where telegrams begin, and their registers by a regular expression,
in exact integers. What always holds: the meter gets bytes and nothing else.
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
RATED_W = 25_000
TERMS = members.FoundingTerms("Port", "EUR", "UTC", STEP_S, 0, 0)
_OBIS = re.compile(rb"^1-0:([12])\.8\.([0-2])\((\d+)\.(\d{3})\*kWh\)\r?$", re.M)


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
    starts = [match.start() for match in re.finditer(rb"/", data)]
    edges = ([0] if not starts or starts[0] else []) + starts + [len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]


def reference(piece: bytes) -> Telegram:
    """The registers in the text of one piece."""
    found: dict[tuple[bytes, bytes], int] = {}
    for match in _OBIS.finditer(piece):
        found[match[1], match[2]] = int(match[3]) * 1000 + int(match[4])
    return Telegram(_total(found, b"1"), _total(found, b"2"))


def _total(found: dict[tuple[bytes, bytes], int], direction: bytes) -> int | None:
    if (direction, b"0") in found:
        return found[direction, b"0"]
    rates = [wh for (way, rate), wh in found.items() if way == direction and rate != b"0"]
    return sum(rates) if rates else None


class P1Replay:
    """The replay of one file, a telegram a second. `report` prints progress."""

    def __init__(self, path: Path, require_crc: bool, report: Callable[[str], None]) -> None:
        self._pieces = split(read(path))
        self._require_crc = require_crc
        self._report = report

    def run(self) -> list[Check]:
        with tempfile.TemporaryDirectory(prefix="wattpact-p1-") as folder:
            with Simulator(Path(folder).joinpath("node"), TERMS, START_S - 60) as simulator:
                return self._play(simulator)

    def _play(self, simulator: Simulator) -> list[Check]:
        simulator.add_person("owner")
        source = {"kind": "p1", "crc": self._require_crc}
        meter = simulator.add_meter("port", "owner", {"rated_w": RATED_W, "step_s": STEP_S, "source": source})
        for _ in range(60):
            simulator.advance(1, {})
        last: Telegram | None = None
        accepted = differing = 0
        for number, piece in enumerate(self._pieces, 1):
            simulator.advance(1, {}, {"port": piece})
            if meter.state["p1_accepted"] > accepted:
                accepted, last = meter.state["p1_accepted"], reference(piece)
                # The first telegram of a source waits for a second that agrees.
                same = (meter.registers[1], meter.registers[2]) == (last.import_wh, last.export_wh or 0)
                differing += accepted > 1 and not same
            if number % 100 == 0:
                self._report(f"telegram {number} of {len(self._pieces)}")
        at_end = dict(meter.registers)
        for _ in range(2 * STEP_S):
            simulator.advance(1, {}, {"port": b""})
        return self._check(simulator, at_end, last, differing)

    def _check(
        self, simulator: Simulator, at_end: dict[int, int], last: Telegram | None, differing: int
    ) -> list[Check]:
        meter = simulator.meters["port"]
        accepted, rejected = meter.state["p1_accepted"], meter.state["p1_rejected"]
        present = sum(piece.startswith(b"/") for piece in self._pieces)
        before = "" if present == len(self._pieces) else ", after the end of one that began before the recording"
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(rejected.items())) or "none"
        import_wh = last.import_wh if last else None
        export_wh = (last.export_wh or 0) if last else None
        stored = simulator.store.registers(meter.kid)
        kept = dict(stored[0].energy) if stored else {}
        stored_readings = simulator.store.entries(author=meter.kid, of_kinds=(kinds.READING,))
        voids = sum(row.void_reason is not None for row in stored_readings)
        return [
            Check("telegrams accounted for", accepted + sum(rejected.values()) == present,
                  f"{present} telegrams{before}: {accepted} accepted, rejected: {reasons}"),
            Check("registers after each telegram", accepted > 0 and not differing,
                  f"{accepted - differing} of {accepted} as in the telegrams"),
            Check("import at the end", at_end[1] == import_wh, f"{at_end[1]:,} Wh, telegram {import_wh or 0:,} Wh"),
            Check("export at the end", at_end[2] == export_wh, f"{at_end[2]:,} Wh, telegram {export_wh or 0:,} Wh"),
            Check("signed and stored", kept.get(readings.IMPORT_WH) == at_end[1] and not voids,
                  f"{kept.get(readings.IMPORT_WH, 0):,} Wh, {voids} void readings"),
        ]  # fmt: skip
