"""A week of recorded homes: hourly load and sun become power, the firmware measures it, and the meters trade it.

Input is a folder in the format of CityLearn's 2022 challenge: schema.json, Building_N.csv with non_shiftable_load in
kWh and solar_generation in W for each kW of the building's nominal power, pricing.csv with electricity_pricing a kWh.
What always holds: every number is read as the decimal that is in the file; power is its mW, rounded half up.
"""

import csv
import json
import re
import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from wattpact_protocol.log import kinds

from wattpact.membership import members
from wattpact.simulation import Check, ReplayError, conservation
from wattpact.simulation.simulator import Simulator
from wattpact.store.publishing import publish

HOUR_S = 3600
STEP_S = 900
INTERVALS = 4
RATED_W = 30_000
HOURS_A_DAY = 24
MAX_BYTES = 16 << 20
START_S = 1_783_900_800  # a Monday, 00:00 UTC
EXPORT_SHARE_PERCENT = 20  # what the grid pays for export, of its lowest import price: an assumption, the data has none
TERMS = members.FoundingTerms("Fontana", "USD", "UTC", STEP_S, 0, 0)
POLICY = {
    "version": 1, "emergency_credit_wh": 0, "quiet_hours": False, "quiet_weekends": False, "warn_wait_max_s": 0,
    "reconnect_wait_max_s": 0, "consent_required": False,
}  # fmt: skip


class Household(NamedTuple):
    """Net power by the hour in mW, import positive, and the exact sums of import and export in mWh."""

    name: str
    net_mw: list[int]
    import_mwh: int
    export_mwh: int


def read_home(folder: Path, name: str, nominal_kw: Decimal, first_hour: int, hours: int) -> Household:
    """One home's hours; raises ReplayError."""
    net_mw = []
    for row in _rows(folder.joinpath(f"{name}.csv"), first_hour, hours):
        load_mw = _decimal(row, "non_shiftable_load", name) * 1_000_000
        sun_mw = _decimal(row, "solar_generation", name) * nominal_kw * 1000
        net_mw.append(int((load_mw - sun_mw).quantize(Decimal(1), ROUND_HALF_UP)))
    return Household(name, net_mw, sum(mw for mw in net_mw if mw > 0), -sum(mw for mw in net_mw if mw < 0))


def read_prices(folder: Path, first_hour: int, hours: int) -> list[int]:
    """The grid's price by the hour, micro-units for a kWh; raises ReplayError."""
    rows = _rows(folder.joinpath("pricing.csv"), first_hour, hours)
    return [int(_decimal(row, "electricity_pricing", "pricing") * 1_000_000) for row in rows]


def nominal_powers(folder: Path) -> dict[str, Decimal]:
    """Building -> kW of its solar panels, in the order of their numbers; raises ReplayError."""
    path = folder.joinpath("schema.json")
    try:
        schema = json.loads(_read(path), parse_float=Decimal, parse_int=Decimal)
        found = {name: building["pv"]["attributes"]["nominal_power"] for name, building in schema["buildings"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ReplayError(f"{path} has no buildings with the nominal power of their solar panels") from None
    for name, kw in found.items():
        if not re.fullmatch(r"Building_\d{1,6}", name) or not isinstance(kw, Decimal) or not 0 <= kw <= 1000:
            raise ReplayError(f"{path}: {name!r} is not a building with 0 to 1000 kW")
    return dict(sorted(found.items(), key=lambda item: int(item[0].partition("_")[2])))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ReplayError(f"{path} is larger than {MAX_BYTES >> 20} MiB")
        return data.decode()
    except OSError as error:
        raise ReplayError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ReplayError(f"{path} is not text") from None


def _rows(path: Path, first_hour: int, hours: int) -> list[dict[str, Any]]:
    rows = list(csv.DictReader(_read(path).splitlines()))[first_hour : first_hour + hours]
    if len(rows) < hours:
        raise ReplayError(f"{path} ends before {hours} hours from hour {first_hour} on")
    return rows


def _decimal(row: dict[str, Any], column: str, name: str) -> Decimal:
    try:
        value = Decimal(row[column])
    except (KeyError, InvalidOperation, TypeError):
        raise ReplayError(f"{name}: {row.get(column)!r} is not a number, in column {column}") from None
    if not value.is_finite() or not 0 <= value <= 100_000:
        raise ReplayError(f"{name}: {value} is out of range in column {column}")
    return value


class HomesReplay:
    """The replay of the first `homes` buildings from a day of the files on. `report` prints progress."""

    def __init__(self, source: Path, homes: int, days: int, first_day: int, report: Callable[[str], None]) -> None:
        powers = nominal_powers(source)
        if not 2 <= homes <= len(powers):
            raise ReplayError(f"there are {len(powers)} homes; choose 2 to {len(powers)} of them")
        self._hours = days * HOURS_A_DAY
        first_hour = first_day * HOURS_A_DAY
        chosen = list(powers.items())[:homes]
        self.homes = [read_home(source, name, kw, first_hour, self._hours) for name, kw in chosen]
        self._prices = read_prices(source, first_hour, self._hours)
        self._report = report

    def run(self, keep: Path | None = None) -> list[Check]:
        """Play it all in `keep`, an empty or new folder, which stays; else in one that does not."""
        if keep is not None:
            return self._play(keep)
        with tempfile.TemporaryDirectory(prefix="wattpact-homes-") as folder:
            return self._play(Path(folder).joinpath("node"))

    def _play(self, folder: Path) -> list[Check]:
        with Simulator(folder, TERMS, START_S - HOUR_S) as simulator:
            self._set_up(simulator)
            for hour in range(self._hours):
                if hour % HOURS_A_DAY == 0:
                    self._report(f"day {hour // HOURS_A_DAY + 1} of {self._hours // HOURS_A_DAY}")
                    self._mandate(simulator)
                self._play_hour(simulator, hour)
            self._finish(simulator)
            return self._check(simulator)

    def _set_up(self, simulator: Simulator) -> None:
        """Before the first hour: people, policy, tariff, meters, and default supply so that the relays are closed."""
        export = min(self._prices) * EXPORT_SHARE_PERCENT // 100
        previous = None
        publish(simulator.store, simulator.issuer, kinds.POLICY, POLICY, simulator.now_s)
        for hour, price in enumerate(self._prices):
            if price != previous:
                from_s = START_S + hour * HOUR_S if hour else 0
                tariff = {"from_s": from_s, "import_micro_per_kwh": price, "export_micro_per_kwh": export}
                publish(simulator.store, simulator.issuer, kinds.TARIFF, tariff, simulator.now_s)
                previous = price
        source = {"kind": "profile", "load": "relay"}
        configuration = {"rated_w": RATED_W, "step_s": STEP_S, "intervals": INTERVALS, "source": source}
        for number, one in enumerate(self.homes, 1):
            simulator.add_person(f"owner-of-{one.name}")
            meter = simulator.add_meter(one.name, f"owner-of-{one.name}", configuration)
            grant = {
                "number": number, "meter": meter.kid, "contract": bytes(32), "wh": 0, "max_w": RATED_W,
                "from_s": 0, "to_s": 1 << 40, "price_micro_per_kwh": 0, "priority": 65535, "start_by_s": 1 << 40,
                "default_supply": True,
            }  # fmt: skip
            publish(simulator.store, simulator.issuer, kinds.GRANT, grant, simulator.now_s)
        simulator.node.catch_up()
        self._rest(simulator, {})
        simulator.advance(START_S - simulator.now_s, {})

    def _mandate(self, simulator: Simulator) -> None:
        """Once a day each owner orders to sell some energy, at prices that rise from home to home, and to buy some."""
        for rank, one in enumerate(self.homes):
            for side, limit, wh in ((kinds.SELL, 120_000 + 10_000 * rank, 4000), (kinds.BUY, 210_000, 3000)):
                body = {
                    "order_id": secrets.token_bytes(8), "expires_s": simulator.now_s + 24 * HOUR_S,
                    "meter": simulator.meters[one.name].kid, "side": side, "limit_micro_per_kwh": limit, "wh": wh,
                    "max_w": RATED_W, "start_s": simulator.now_s, "end_s": simulator.now_s + 24 * HOUR_S,
                }  # fmt: skip
                publish(simulator.store, simulator.people[f"owner-of-{one.name}"], kinds.MANDATE, body, simulator.now_s)
        simulator.node.catch_up()

    def _play_hour(self, simulator: Simulator, hour: int) -> None:
        """One hour at the file's power: in steps of 2 s until no datagrams are left, then of a quarter hour."""
        mw = {one.name: one.net_mw[hour] for one in self.homes}
        end_s = START_S + (hour + 1) * HOUR_S
        self._rest(simulator, mw)
        while simulator.now_s < end_s:
            seconds = STEP_S - (simulator.now_s - START_S) % STEP_S
            simulator.advance(seconds, {name: [(power, seconds * 1_000_000)] for name, power in mw.items()})

    def _rest(self, simulator: Simulator, mw: dict[str, int]) -> None:
        for _ in range(STEP_S // 2):
            simulator.advance(2, {name: [(power, 2_000_000)] for name, power in mw.items()})
            if simulator.is_at_rest():
                return
        raise ReplayError("the meters and the node never stop sending to each other")

    def _finish(self, simulator: Simulator) -> None:
        """Let the last readings arrive, and the last contracts end."""
        simulator.advance(HOUR_S, {})
        self._rest(simulator, {})

    def _check(self, simulator: Simulator) -> list[Check]:
        checks = []
        for one in self.homes:
            registers = simulator.meters[one.name].registers
            for number, name, mwh in ((1, "import", one.import_mwh), (2, "export", one.export_mwh)):
                figures = f"register {registers[number]:,} Wh, file {mwh // 1000:,}.{mwh % 1000:03} Wh"
                checks.append(Check(f"{one.name} {name}", registers[number] == mwh // 1000, figures))
        checks += conservation.check(simulator, START_S - HOUR_S, simulator.now_s)
        audits, bills = conservation.audit_bills(simulator, self._months())
        checks += audits
        grid = sum(fields["grid_import_wh"] + fields["bought_wh"] for fields in bills)
        imported = sum(meter.registers[1] for meter in simulator.meters.values())
        return [*checks, Check("bills account for all import", grid == imported, f"{grid:,} Wh, {imported:,} Wh")]

    def _months(self) -> list[str]:
        """Every month in which something was measured."""
        hours = range(START_S, START_S + self._hours * HOUR_S, HOUR_S)
        return sorted({datetime.fromtimestamp(hour_s, UTC).strftime("%Y-%m") for hour_s in hours})
