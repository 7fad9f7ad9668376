"""Recorded voltage and current through real meters: what they sign against the sums over all samples of the recording.

Input is COMTRADE (IEEE C37.111-1999), ASCII. Each phase gets a meter of its own, whose board plays the recording's
whole cycles over and over at 40 samples a cycle with 12 bits; the reference is exact arithmetic over all samples of the
same cycles. What always holds: the figures compared are those of signed, verified and stored readings.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import NamedTuple

from wattpact_protocol.log import entry, kinds, register_table
from wattpact_protocol.sync import enrolment

from wattpact import keys
from wattpact.device.virtual_meter import VirtualMeter
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.node import Node
from wattpact.projections.unsealing import Unsealer
from wattpact.simulation import Check, ReplayError

MAX_BYTES = 16 << 20
MAX_CHANNELS = 64
PATIENCE_S = 60
STEP_S = 1
READINGS = 3
PER_MILLE = 10  # how far a figure may be from the reference: 1 %
TERMS = members.FoundingTerms("Recording", "EUR", "UTC", STEP_S, 0, 0)


class Phase(NamedTuple):
    """From all samples of one phase's whole cycles: W, V, A in thousandths, power factor in thousandths."""

    name: str
    voltage: str
    current: str
    active_mw: int
    voltage_mv: int
    current_ma: int
    power_factor_milli: int


class Recording(NamedTuple):
    """Samples by channel, in the channels' own units, and when they were taken."""

    channels: dict[str, list[Fraction]]
    line_hz: Fraction
    rate_hz: Fraction


def read(path: Path) -> Recording:
    """A COMTRADE configuration and the data beside it; raises ReplayError."""
    lines = [[field.strip() for field in line.split(",")] for line in _text(path).splitlines()]
    try:
        total, analog = int(lines[1][0]), int(lines[1][1].rstrip("Aa"))
        if not 0 < analog <= total <= MAX_CHANNELS:
            raise ValueError
        names = [lines[2 + i][1] for i in range(analog)]
        scales = [(Fraction(lines[2 + i][5]), Fraction(lines[2 + i][6])) for i in range(analog)]
        line_hz = Fraction(lines[2 + total][0])
        rate_hz, count = Fraction(lines[4 + total][0]), int(lines[4 + total][1])
        lines_of_data = [line for line in _text(_data_path(path)).splitlines() if line.strip()]
        rows = [line.split(",")[2 : 2 + analog] for line in lines_of_data[:count]]
        channels = {name: [int(row[i]) * scales[i][0] + scales[i][1] for row in rows] for i, name in enumerate(names)}
    except (IndexError, ValueError, ZeroDivisionError):
        raise ReplayError(f"{path} is not a COMTRADE recording of 1999 in ASCII") from None
    if not rows or line_hz <= 0 or rate_hz < 40 * line_hz:
        raise ReplayError(f"{path} has too few samples per cycle")
    return Recording(channels, line_hz, rate_hz)


def _data_path(path: Path) -> Path:
    return path.with_suffix(".DAT" if path.suffix.isupper() else ".dat")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("ascii")
    except OSError as error:
        raise ReplayError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ReplayError(f"{path} is not ASCII") from None


def reference(recording: Recording, voltage: str, current: str) -> Phase:
    """Exact sums over the recording's whole cycles, without their means; raises ReplayError."""
    for name in (voltage, current):
        if name not in recording.channels:
            raise ReplayError(f"there is no channel {name!r}; the channels are {', '.join(recording.channels)}")
    a_cycle = recording.rate_hz / recording.line_hz
    count = round(int(len(recording.channels[voltage]) / a_cycle) * a_cycle)
    if not count:
        raise ReplayError("the recording is shorter than a cycle")
    volts, amps = (_centred(recording.channels[name][:count]) for name in (voltage, current))
    power = sum((v * i for v, i in zip(volts, amps, strict=True)), Fraction(0)) / count
    voltage_mv, current_ma = _rms_milli(volts), _rms_milli(amps)
    factor = abs(power) * 10**9 / (voltage_mv * current_ma) if voltage_mv and current_ma else Fraction(0)
    return Phase(f"{voltage} {current}", voltage, current, round(power * 1000), voltage_mv, current_ma, round(factor))


def _centred(samples: list[Fraction]) -> list[Fraction]:
    mean = sum(samples, Fraction(0)) / len(samples)
    return [sample - mean for sample in samples]


def _rms_milli(samples: list[Fraction]) -> int:
    square = sum((sample * sample for sample in samples), Fraction(0)) / len(samples)
    return isqrt(int(square * 1_000_000))


class WaveformReplay:
    """The replay of pairs of channels (voltage, current). `report` prints progress."""

    def __init__(self, path: Path, pairs: list[tuple[str, str]], report: Callable[[str], None]) -> None:
        recording = read(path)
        self._path = path.resolve()
        self.phases = [reference(recording, *pair) for pair in pairs]
        self._report = report

    def run(self) -> list[Check]:
        with tempfile.TemporaryDirectory(prefix="wattpact-waveform-") as folder:
            return asyncio.run(self._play(Path(folder)))

    async def _play(self, folder: Path) -> list[Check]:
        of = data_directory.create(folder.joinpath("node"), TERMS, data_directory.clock())
        issuer = of.keyring.load(keys.ISSUER)
        node = Node(of.store(), of.root_public_key, of.keyring.load(keys.HOST), issuer, data_directory.clock)
        port = await node.start("127.0.0.1", 0)
        owner = data_directory.add_person(of, "owner", "owner", data_directory.clock())
        waiting: dict[str, tuple[bytes, bytes]] = {}
        meters = []
        for phase in self.phases:
            rated_w = max(1000, 2 * phase.voltage_mv * phase.current_ma // 1_000_000)
            configuration = {
                "host": ["127.0.0.1", port], "root_public_key": of.root_public_key.hex(), "rated_w": rated_w,
                "step_s": STEP_S, "calibration": _calibration(phase),
                "source": {
                    "kind": "waveform", "file": str(self._path), "voltage": phase.voltage, "current": phase.current,
                },
            }  # fmt: skip
            name = phase.name.replace(" ", "-")
            meters.append(VirtualMeter(folder.joinpath(name), configuration, _follower(phase.name, waiting)))
        try:
            for meter in meters:
                await meter.start()
            kids = await self._enrol(node, issuer, owner.kid, waiting)
            self._report(f"{len(kids)} meters are measuring")
            unsealer = Unsealer(node.store, node.readers)
            await self._wait(
                lambda: all(len(_signed(unsealer, node, k)) >= READINGS for k in kids.values()), "readings"
            )
            signed = {phase.name: _signed(unsealer, node, kids[phase.name])[-1] for phase in self.phases}
            return [check for phase in self.phases for check in _compare(phase, signed[phase.name])]
        finally:
            await asyncio.gather(*(meter.stop() for meter in meters))
            await node.stop()

    async def _enrol(
        self, node: Node, issuer: keys.Signer, owner: bytes, waiting: "dict[str, tuple[bytes, bytes]]"
    ) -> dict[str, bytes]:
        """Enrol each meter with the code it shows, once its request has arrived; kid by phase."""
        await self._wait(lambda: len(waiting) == len(self.phases), "the meters' start")
        await self._wait(lambda: len(node.store.pending()) == len(self.phases), "the enrolment requests")
        for phase in self.phases:
            code, _ = waiting[phase.name]
            public_key = members.with_code(node.store.pending(), code, node.store.community)
            members.enrol_meter(node.store, issuer, public_key, phase.name, owner, node.clock())
        node.catch_up()
        return {name: kid for name, (_, kid) in waiting.items()}

    async def _wait(self, holds: Callable[[], bool], what: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not holds():
                    await asyncio.sleep(0.1)
                return
        raise ReplayError(f"{what} did not come within {PATIENCE_S} s")


def _follower(name: str, waiting: "dict[str, tuple[bytes, bytes]]") -> "Callable[[dict[str, object]], None]":
    def receive(event: dict[str, object]) -> None:
        if event.get("event") == "started":
            waiting[name] = (enrolment.parse_code(str(event["code"])), bytes.fromhex(str(event["kid"])))

    return receive


def _calibration(phase: Phase) -> dict[str, int]:
    """Channels that the recording's peaks fill to some two thirds, as 12 bits are filled on a real board."""
    return {
        "id": 1, "voltage_uv_per_count": phase.voltage_mv * 1000 * 2 // 2000, "starting_ma": 0,
        "current_ua_per_count": phase.current_ma * 1000 * 3 // 2000,
    }  # fmt: skip


def _signed(unsealer: Unsealer, node: Node, kid: bytes) -> list[dict[int, int]]:
    """The instantaneous registers of a meter's stored readings, those that carry power, oldest first."""
    found = []
    for row in node.store.entries(author=kid, of_kinds=(kinds.READING,)):
        registers = unsealer.unseal(entry.decode(row.raw, node.store.community)).body["registers"]
        if register_table.POWER_W in registers:
            found.append({number: value[0] for number, value in registers.items()})
    return found


def _compare(phase: Phase, signed: dict[int, int]) -> list[Check]:
    rows = (
        ("active power", phase.active_mw, signed[register_table.POWER_W] * 1000, 500, "mW"),
        ("voltage", phase.voltage_mv, signed[register_table.VOLTAGE_1_MV], 0, "mV"),
        ("current", phase.current_ma, signed[register_table.CURRENT_1_MA], 0, "mA"),
        ("power factor", phase.power_factor_milli, abs(signed[register_table.POWER_FACTOR_MILLI]), 1, "/1000"),
    )
    return [
        Check(
            f"{phase.name} {what}",
            abs(measured - true) * 1000 <= PER_MILLE * abs(true) + slack * 1000,
            f"signed {measured:,} {unit}, samples {true:,} {unit}",
        )
        for what, true, measured, slack, unit in rows
    ]
