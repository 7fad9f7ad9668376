"""A bill: the month in the community's own time, exact money, and the commands that make and check one."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from simulator.month import MONTH, S, TradedMonth
from wattpact.billing import bill
from wattpact.bundle import money
from wattpact.cli import main
from wattpact.node import data_directory
from wattpact_protocol.log import kinds, roles

CHECKOUT = Path(__file__).parent.parent.parent


def test_a_month_begins_at_midnight_there():
    utc = 1_790_812_800  # 2026-10-01 00:00 UTC
    assert bill.month_window("2026-10", "UTC") == (utc, utc + 31 * 86400)
    # Amsterdam leaves summer time on 25 October: the month has an hour more.
    assert bill.month_window("2026-10", "Europe/Amsterdam") == (utc - 7200, utc + 31 * 86400 - 3600)
    assert bill.month_window("2026-12", "Asia/Kathmandu")[1] == bill.month_window("2027-01", "Asia/Kathmandu")[0]
    assert bill.month_of(utc - 7200, "Europe/Amsterdam") == "2026-10"
    assert bill.month_of(utc - 7201, "Europe/Amsterdam") == "2026-09"


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-00", "26-10", "2026-1", "0000-01", "9999-12", "x"])
def test_what_is_no_month_is_rejected(month):
    with pytest.raises(bill.BillError, match="no month"):
        bill.month_window(month, "UTC")


def test_a_time_zone_that_nobody_knows_is_rejected():
    for zone in ("Mars/Base", "../etc/passwd", "", "\0"):
        with pytest.raises(bill.BillError, match="time zone"):
            bill.month_window("2026-10", zone)


@pytest.mark.parametrize(
    ("nano", "exact", "rounded"),
    [
        (3_141_592_653, "3.141592653 EUR", "3.14 EUR"), (0, "0.00 EUR", "0.00 EUR"),
        (-1, "-0.000000001 EUR", "0.00 EUR"),
        (5_000_000, "0.005 EUR", "0.01 EUR"), (-5_000_000, "-0.005 EUR", "-0.01 EUR"),
        (4_999_999, "0.004999999 EUR", "0.00 EUR"), (10**9, "1.00 EUR", "1.00 EUR"),
        (123_456_789_012_345_678_901, "123456789012.345678901 EUR", "123456789012.35 EUR"),
    ],
)  # fmt: skip
def test_money_is_printed_exactly_and_rounded_for_the_eye(nano, exact, rounded):
    assert (money.exact(nano, "EUR"), money.rounded(nano, "EUR")) == (exact, rounded)


def test_prices_and_energy():
    assert money.price(180_000, "EUR") == "0.18 EUR/kWh" and money.price(1, "EUR") == "0.000001 EUR/kWh"
    assert money.energy(1234) == "1.234 kWh" and money.energy(-5) == "-0.005 kWh"


@pytest.fixture(scope="module")
def traded() -> TradedMonth:
    return TradedMonth("bill")


def test_a_page_has_every_figure(traded):
    made = bill.make(traded.accounts(), traded.north.kid, MONTH)
    page = bill.text(made)
    for name in ("bought_nano", "grid_import_nano"):
        assert money.exact(made.fields[name], "EUR") in page
    assert "To pay: " + money.rounded(made.fields["net_nano"], "EUR") in page
    assert "bought from roof at 0.18 EUR/kWh" in page and "Estimated between readings: 0.899 kWh" in page
    assert "Settled until the end of the month." in page
    assert "To receive: " in bill.text(bill.make(traded.accounts(), traded.east.kid, MONTH))


def test_a_bill_that_waits_shows_until_when():
    traded = TradedMonth("early")
    traded.community.sink.entries = [new for new in traded.community.entries if (new.stamp.unix_s or 0) <= S + 3600]
    traded.now_s = S + 3700
    made = bill.make(traded.accounts(), traded.west.kid, MONTH)
    assert made.fields["settled_to_s"] == S + 2700
    assert "Settled until 2026-10-01 02:45:00 CEST; the rest waits for readings." in bill.text(made)


def test_an_owner_is_found_by_name_or_key(traded):
    accounts = traded.accounts()
    assert bill.find_owner(accounts, "west") == bill.find_owner(accounts, traded.west.kid.hex()) == traded.west.kid
    with pytest.raises(bill.BillError, match="no person or meter here"):
        bill.find_owner(accounts, "dave")
    traded = TradedMonth("twins")
    twin = traded.community.author("another")
    twin.name = "west"
    traded.community.certify(twin, traded.community.issuer, roles.PERSON)
    with pytest.raises(bill.BillError, match="several"):
        bill.find_owner(traded.accounts(), "west")


@pytest.fixture(scope="module")
def node(traded, tmp_path_factory) -> Path:
    """A data directory that has ingested all that the month's authors published."""
    return traded.fill(tmp_path_factory.mktemp("node"))


def run(node: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as done:
        main(["--data", str(node), *arguments])
    return done.value.code or 0


def test_bill_and_audit_agree_to_the_last_digit(traded, node, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(data_directory, "clock", lambda: traded.now_s)
    root = traded.community.root.public_key.hex()
    for owner in ("east", "west", "north"):
        target, keys = str(tmp_path / f"{owner}.bundle"), str(tmp_path / f"{owner}.keys")
        words = ("--owner", owner, "--month", MONTH, "--export", target, "--keys", keys, "--json")
        assert run(node, "bill", *words) == 0
        billed = json.loads(capsys.readouterr().out)
        assert run(node, "audit", target, "--root", root, "--keys", keys, "--json") == 0
        audited = json.loads(capsys.readouterr().out)
        same = set(billed) & set(audited["statement"]) - {"lines"}
        assert len(same) >= 16
        assert {name: billed[name] for name in same} == {name: audited["statement"][name] for name in same}
        assert run(node, "audit", target, "--root", root, "--keys", keys) == 0
        page = capsys.readouterr().out
        assert page.startswith("AGREES") and money.exact(abs(billed["net_nano"]), "EUR") in page


def test_audit_runs_alone_and_where_allowed_with_no_network(traded, node, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(data_directory, "clock", lambda: traded.now_s)
    target, root = tmp_path / "west.bundle", traded.community.root.public_key.hex()
    assert run(node, "bill", "--owner", "west", "--month", MONTH, "--export", str(target)) == 0
    page = capsys.readouterr().out
    keys = tmp_path / "west.keys"
    assert f"wattpact disclose --bundle {target} -o {keys}\n" in page and not keys.exists()
    assert f"wattpact audit {target} --root {root} --keys {keys}\n" in page
    words = ("bill", "--owner", "west", "--month", MONTH, "--export", str(target), "--keys", str(keys))
    assert run(node, *words) == 0
    page = capsys.readouterr().out
    assert f"wattpact audit {target} --root {root} --keys {keys}\n" in page and "wattpact disclose" not in page
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    command = [sys.executable, "-m", "wattpact.audit", str(target), "--root", root, "--keys", str(keys)]
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0:
        command = ["unshare", "-rn", *command]
    environment = {**os.environ, "PYTHONPATH": f"{CHECKOUT}/host:{CHECKOUT}/protocol"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "") and result.stdout.startswith("AGREES")
    bare = subprocess.run(command[:-2], capture_output=True, text=True, env=environment, timeout=60, cwd=tmp_path)
    assert (bare.returncode, bare.stdout) == (2, "") and bare.stderr.startswith("wattpact: undecided: ")
    for content in (b"", b"{}", keys.read_bytes()[:-2]):
        keys.write_bytes(content)
        result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, cwd=tmp_path)
        assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("arguments", "shows"),
    [
        (["--owner", "dave", "--month", MONTH], "no person or meter here is called 'dave'"),
        (["--owner", "west", "--month", "soon"], "'soon' is no month"),
        (["--month", MONTH, "--export", "x"], "--owner"),
        (["--owner", "west", "--month", MONTH, "--keys", "x"], "write the bundle with --export"),
        (["--owner", "west", "--export", "/nowhere/x"], "nowhere"),
    ],
)
def test_a_wrong_order_gets_one_line(arguments, shows, traded, node, monkeypatch, capsys):
    monkeypatch.setattr(data_directory, "clock", lambda: traded.now_s)
    assert run(node, "bill", *arguments) != 0
    shown = capsys.readouterr()
    assert shows in shown.err and shown.err.count("\n") == 1 and shown.out == ""


def test_audit_answers_nonsense_with_one_line_and_a_status(traded, node, tmp_path, capsys):
    root = traded.community.root.public_key.hex()
    bundle = traded.bundle()
    files = {
        "empty": b"", "noise": os.urandom(4000), "zeros": bytes(70000), "cut": bundle[:-100], "text": b"hello, world\n",
        "flipped": bundle[:3000] + bytes((bundle[3000] ^ 1,)) + bundle[3001:],
    }  # fmt: skip
    expected = dict.fromkeys(("empty", "noise", "zeros", "text", "absent", "folder", "sparse"), 2)  # no bundle at all
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 30)
    for name in (*files, "absent", "folder", "sparse"):
        assert run(node, "audit", str(tmp_path / name), "--root", root) == expected.get(name, 1), name
        shown = capsys.readouterr()
        assert shown.out == "" and shown.err.count("\n") == 1, shown
        assert ("entry" in shown.err) == (expected.get(name, 1) == 1)
    (tmp_path / "good").write_bytes(bundle)
    for pin in ("", "zz", root[:-2], str(tmp_path / "noise")):
        assert run(node, "audit", str(tmp_path / "good"), "--root", pin) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert run(node, "audit", str(tmp_path / "good"), "--root", traded.community.host.public_key.hex()) == 1
    assert run(node, "audit", str(tmp_path / "flipped"), "--root", root, "--json") == 1
    refuted = json.loads(capsys.readouterr().out)
    assert refuted["verdict"] == "refuted" and refuted["entry"]["number"] > 1


class Absurd(TradedMonth):
    """A meter without a rating, whose register rises to its roof."""

    def measure(self):
        super().measure()
        meter = self.community.meter("absurd", self.west, 0)
        for i, value in enumerate((0, kinds.MAX_UINT)):
            self.community.reading(meter, S + 900 * i, [value])


def test_what_is_beyond_a_statement_is_no_bill_and_no_crash():
    with pytest.raises(bill.BillError, match="more than a statement can hold"):
        Absurd("absurd").bundle()
