"""Recorded input that nobody here made, through the real firmware and a real node: every check that a replay prints."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import case
import pytest
from wattpact.simulation import ReplayError, homes, p1, waveform

HOMES = "homes/citylearn_2022_fontana17"
PORT = "p1/real_stream/isk5_300_telegrams.txt"
RECORDING = "waveforms/keating_ion7650/keating_1999.CFG"


def replay(*arguments: str, timeout_s: int = 60) -> subprocess.CompletedProcess[str]:
    """The command as a person runs it."""
    wattpact = Path(sys.executable).with_name("wattpact")
    return subprocess.run([wattpact, "replay", *arguments], capture_output=True, text=True, timeout=timeout_s)


def checks_of(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What was checked, by name; fails where one does not hold."""
    assert done.returncode == 0, done.stdout + done.stderr
    checks = json.loads(done.stdout)
    assert all(check["holds"] for check in checks), checks
    return {check["what"]: check["figures"] for check in checks}


@pytest.mark.timeout(280)
def test_a_week_of_six_homes_is_conserved_to_the_last_wh() -> None:
    found = checks_of(replay("homes", case.data(HOMES), "--homes", "6", "--days", "7", "--json", timeout_s=270))
    assert len([what for what in found if what.endswith(("import", "export"))]) >= 12
    assert len([what for what in found if what.startswith("audit of")]) == 6
    assert {"bought = sold = delivered", "all accounts sum to zero", "bills = the grid's account"} <= set(found)


def test_a_real_port_gives_the_registers_of_its_telegrams() -> None:
    found = checks_of(replay("p1", case.data(PORT), "--json"))
    assert found["telegrams accounted for"].startswith("299 telegrams")
    assert "6,657,501 Wh" in found["signed and stored"]


def test_a_mangled_port_is_counted_and_moves_no_register(tmp_path: Path) -> None:
    pieces = p1.split(Path(case.data(PORT)).read_bytes())[1:61]
    pieces[20] = pieces[20].replace(b"1.8.1(00", b"1.8.1(99", 1)
    pieces[40] = pieces[40][: len(pieces[40]) // 2]
    recording = tmp_path.joinpath("mangled.txt")
    recording.write_bytes(b"".join(pieces))
    found = checks_of(replay("p1", str(recording), "--json"))
    assert found["telegrams accounted for"] == "60 telegrams: 58 accepted, rejected: 1 crc, 1 truncated"


def telegram(*lines: str, start: str = "/TST5 METER", kind: str = "arc") -> bytes:
    body = "\r\n".join((start, "", *lines, "!")).encode("latin-1")
    return body + b"%04X\r\n" % p1.crc(body, kind)


def test_all_tariffs_and_both_units_are_summed_up(tmp_path: Path) -> None:
    recording = tmp_path.joinpath("tariffs.txt")
    rates = [f"1-0:1.8.{rate}(000{rate:03}.000*kWh)" for rate in range(1, 15)]
    recording.write_bytes(b"".join(telegram(*rates, f"1-0:1.8.15({15000 + k}*Wh)") for k in range(8)))
    found = checks_of(replay("p1", str(recording), "--json"))
    assert found["import at the end"] == "120,007 Wh, telegram 120,007 Wh"
    one = p1.reference(p1.split(recording.read_bytes())[-1])
    assert one is not None and one.import_wh == 120_007
    assert p1.reference(telegram("1-0:1.8.1(1*kWh)", "1-0:1.8.2(1*MWh)")) is None


def test_a_slash_in_a_name_and_the_other_checksum_cry_no_wolf(tmp_path: Path) -> None:
    recording = tmp_path.joinpath("slash.txt")
    name, broken = "/TST5/D999-METER", "0-0:96.13.0(\xff\xff)"
    recording.write_bytes(
        b"".join(telegram(broken, f"1-0:1.8.0({k}.5*kWh)", start=name, kind="x25") for k in (7, 7, 7))
    )
    found = checks_of(replay("p1", str(recording), "--checksum", "x25", "--json"))
    assert found["telegrams accounted for"].startswith("3 telegrams: 3 accepted, rejected: none; 3 lines")
    assert replay("p1", str(recording)).returncode == 1


@pytest.mark.parametrize("length", range(12, 22))
def test_it_waits_for_the_last_boundary_that_can_be_measured(tmp_path: Path, length: int) -> None:
    recording = tmp_path.joinpath("length.txt")
    recording.write_bytes(b"".join(telegram(f"1-0:1.8.0(7{k:03}*Wh)") for k in range(length)))
    checks_of(replay("p1", str(recording), "--json"))


def test_a_swapped_meter_is_shown_and_charged_nothing(tmp_path: Path) -> None:
    recording = tmp_path.joinpath("swap.txt")
    values = [*range(5_000_000, 5_000_020), *range(7, 67)]
    recording.write_bytes(b"".join(telegram(f"1-0:1.8.0({wh}*Wh)") for wh in values))
    found = checks_of(replay("p1", str(recording), "--json"))
    assert found["registers after each telegram"].endswith("a new register generation from 5,000,019 to 11 Wh")
    assert found["import at the end"].startswith("66 Wh")


def test_a_port_whose_registers_are_rejected_to_the_end_fails(tmp_path: Path) -> None:
    recording = tmp_path.joinpath("frozen.txt")
    values = [*range(5_000_000, 5_000_020)] + [7, 900_000] * 10
    recording.write_bytes(b"".join(telegram(f"1-0:1.8.0({wh}*Wh)") for wh in values))
    done = replay("p1", str(recording), "--json")
    failed = [check["what"] for check in json.loads(done.stdout) if not check["holds"]]
    assert done.returncode == 1 and failed == ["registers after each telegram"]


def test_homes_over_the_end_of_a_month_are_billed_for_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "START_S", 1_785_456_000)  # 2026-07-31
    checks = homes.HomesReplay(Path(case.data(HOMES)), 2, 2, 0, lambda text: None).run(tmp_path.joinpath("node"))
    assert [check.what for check in checks if not check.holds] == []
    months = {check.what[-7:] for check in checks if check.what.startswith("audit of")}
    assert months == {"2026-07", "2026-08"}


def test_a_recorded_waveform_is_measured_within_one_percent() -> None:
    found = checks_of(replay("waveform", case.data(RECORDING), "--json"))
    assert len(found) == 12


def test_the_week_fails_where_a_file_differs(tmp_path: Path) -> None:
    """A check that cannot fail shows nothing: the meters are given a watt-hour that the reference does not know of."""
    source = Path(case.data(HOMES))
    play = homes.HomesReplay(source, 2, 1, 0, lambda text: None)
    one = play.homes[0]
    play.homes[0] = one._replace(import_mwh=one.import_mwh + 1000)
    checks = play.run(tmp_path.joinpath("node"))
    assert [check.what for check in checks if not check.holds] == [f"{one.name} import"]


@pytest.mark.parametrize("arguments", [
    (), ("p1",), ("p1", "/no/such/file"), ("homes", "."), ("homes", ".", "--days", "0"), ("waveform", "pyproject.toml"),
    ("p1", "pyproject.toml"), ("waveform", "pyproject.toml", "--phase", "U1"), ("tides",),
])  # fmt: skip
def test_nonsense_gets_one_line(arguments: tuple[str, ...]) -> None:
    done = replay(*arguments)
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr, done.stderr


def _folder(tmp_path: Path, **files: str) -> Path:
    for name in ("schema.json", "pricing.csv", "Building_1.csv", "Building_2.csv"):
        header = "electricity_pricing" if name == "pricing.csv" else "non_shiftable_load,solar_generation"
        rows = "\n".join([header] + ["0.2" if name == "pricing.csv" else "1.5,200"] * 24)
        buildings = {f"Building_{n}": {"pv": {"attributes": {"nominal_power": 4.5}}} for n in (1, 2)}
        text = json.dumps({"buildings": buildings}) if name == "schema.json" else rows
        tmp_path.joinpath(name).write_text(files.get(name, text))
    return tmp_path


@pytest.mark.parametrize(("name", "text"), [
    ("schema.json", "{"), ("schema.json", "[]"), ("schema.json", '{"buildings": {"Building_1": {}}}'),
    ("schema.json", '{"buildings": {"../../etc": {"pv": {"attributes": {"nominal_power": 1}}}}}'),
    ("pricing.csv", "electricity_pricing\n0.2"), ("pricing.csv", "price\n" + "0.2\n" * 24),
    ("Building_1.csv", "non_shiftable_load,solar_generation\n" + "NaN,1\n" * 24),
    ("Building_1.csv", "non_shiftable_load,solar_generation\n" + "-1,1\n" * 24),
    ("Building_1.csv", "non_shiftable_load,solar_generation\n" + "1\n" * 24),
    ("Building_2.csv", "\x00" * 100),
])  # fmt: skip
def test_homes_that_cannot_be_read_are_named(tmp_path: Path, name: str, text: str) -> None:
    folder = _folder(tmp_path, **{name: text})
    with pytest.raises(ReplayError):
        homes.HomesReplay(folder, 2, 1, 0, lambda text: None)


def test_households_are_read_as_the_decimals_in_the_file(tmp_path: Path) -> None:
    rows = "non_shiftable_load,solar_generation\n" + "0.85116667,0\n" + "0.1,100\n" * 23
    home = homes.read_home(_folder(tmp_path, **{"Building_1.csv": rows}), "Building_1", homes.Decimal("4"), 0, 24)
    assert home.net_mw[:2] == [851_167, -300_000]
    assert (home.import_mwh, home.export_mwh) == (851_167, 23 * 300_000)


def test_recordings_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    source = Path(case.data(RECORDING))
    text = source.read_text().replace("\r\n", "\n")
    for broken in (text[:200], text.replace("8,8A", "8,9A"), text.replace("\n60\n", "\n0\n")):
        copy = tmp_path.joinpath("copy.CFG")
        assert broken != text
        copy.write_text(broken)
        shutil.copy(source.with_suffix(".DAT"), copy.with_suffix(".DAT"))
        with pytest.raises(ReplayError):
            waveform.read(copy)
