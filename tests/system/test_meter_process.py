"""The firmware as a process on the virtual board: it starts, is killed and goes on, obeys a grant, and never waits."""

import json
import os
import random
import subprocess
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import case
import pytest
from simulator.meter_process import CHECKOUT, ENVIRONMENT, MICROPYTHON, MeterProcess, configure
from simulator.small_host import QUICK_POLICY, SmallHost
from wattpact_protocol.log import event_codes, kinds, readings
from wattpact_protocol.sync import datagram

LOAD = {"kind": "synthetic", "watts": 7200, "load": "relay"}
ROOF = {"kind": "synthetic", "watts": -8000}


@pytest.fixture
def host() -> Iterator[SmallHost]:
    made = SmallHost()
    yield made
    made.close()


def enrolled(host: SmallHost, meter: MeterProcess) -> None:
    host.enrol(meter.wait_for("started"))
    assert host.serve(15, lambda: len(host.entries) > 0), host.received


def registers_published(host: SmallHost) -> "list[int]":
    return [readings.end_value(held.body, readings.EXPORT_WH) for held in host.of_kind(kinds.READING)]


def test_it_reports_who_it_is_and_ends_on_ctrl_c(host: SmallHost, tmp_path: Path):
    path = configure(tmp_path, "house", host.port, host.root.public_key, ROOF)
    with MeterProcess(path) as meter:
        started = meter.wait_for("started")
        assert meter.events == [started] and started["next_sequence"] == 0
        assert (len(started["public_key"]), len(started["kid"]), len(started["code"])) == (64, 16, 31)
        assert meter.wait_for("status")["enrolled"] is False
        assert host.serve(5, lambda: datagram.ENROL in host.received)
        assert meter.interrupt() == 0
        meter.wait_for("stopped")


def test_killed_twenty_times_it_goes_on_where_it_was(host: SmallHost, tmp_path: Path):
    path = configure(tmp_path, "house", host.port, host.root.public_key, ROOF)
    moments = random.Random(20)
    keys, sequences = set(), []
    for round_ in range(21):
        with MeterProcess(path) as meter:
            started = meter.wait_for("started")
            keys.add((started["public_key"], started["code"]))
            sequences.append(started["next_sequence"])
            if round_ == 0:
                host.enrol(started)
                assert host.serve(15, lambda: len(host.entries) > 0), host.received
            acknowledged = len(host.entries)
            assert started["next_sequence"] >= acknowledged if round_ else True
            host.serve(moments.uniform(0.02, 0.6) if round_ % 5 else 2.5)
            meter.kill()
    with MeterProcess(path) as meter:
        last = meter.wait_for("started")["next_sequence"]
        assert host.serve(10, lambda: len(host.entries) > last + 2), (len(host.entries), last)
    assert len(keys) == 1
    assert sequences == sorted(sequences) and host.faults == []
    boots = [held.stamp.boot for held in host.of_kind(kinds.EVENT) if held.body["code"] == event_codes.BOOT]
    assert len(boots) >= 10 and boots == sorted(set(boots))
    said = registers_published(host)
    assert said == sorted(said) and len(said) > 3 and said[-1] > 5


def test_a_grant_closes_the_relay_and_its_end_opens_it(host: SmallHost, tmp_path: Path):
    path = configure(tmp_path, "house", host.port, host.root.public_key, LOAD)
    host.publish(kinds.POLICY, QUICK_POLICY)
    with MeterProcess(path) as meter:
        enrolled(host, meter)
        host.serve(3)
        meter.take()
        assert not [e for e in meter.events if e["event"] == "relay" and e["closed"]]
        contract = host.grant(5)
        closed = meter.wait_for("relay", closed=True)
        assert (closed["reason"], closed["contract"]) == ("grant", contract.hex())
        assert host.serve(10, lambda: len(host.of_kind(kinds.USAGE_END)) > 0)
        meter.wait_for("relay", closed=False)
        end = host.of_kind(kinds.USAGE_END)[0].body
        assert (end["contract"], end["attributed_wh"], end["reason"]) == (contract, 5, kinds.END_USED_UP)
        assert Path(str(tmp_path / "house.img.relay")).read_text() == "0"
    assert host.faults == []


def test_what_was_published_without_a_host_is_received_when_it_is_back(host: SmallHost, tmp_path: Path):
    path = configure(tmp_path, "house", host.port, host.root.public_key, ROOF)
    with MeterProcess(path) as meter:
        enrolled(host, meter)
        before = len(host.entries)
        time.sleep(4)  # it sends, and nobody receives
        meter.kill()
    with MeterProcess(path) as meter:
        held = meter.wait_for("started")["next_sequence"]
        assert held >= before + 3
        assert host.serve(10, lambda: len(host.entries) >= held)
    assert host.faults == []


def test_nobody_reads_its_console_and_it_goes_on(host: SmallHost, tmp_path: Path):
    (tmp_path / "load.csv").write_text("0,1000\n")
    source = {"kind": "profile", "file": str(tmp_path / "load.csv")}
    path = configure(tmp_path, "house", host.port, host.root.public_key, source, speed=5000)
    with MeterProcess(path, read=False):
        host.serve(4)
        assert host.received.get(datagram.DIGEST, 0) > 10
        received = dict(host.received)
        host.serve(1.5)
        assert host.received[datagram.DIGEST] > received[datagram.DIGEST]


def test_a_pty_is_a_p1_port(host: SmallHost, tmp_path: Path):
    stream = Path(case.data("p1/real_stream/isk5_300_telegrams.txt")).read_bytes()[:20_000]
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    source = {"kind": "p1", "file": os.ttyname(theirs)}
    try:
        with MeterProcess(configure(tmp_path, "house", host.port, host.root.public_key, source)) as meter:
            meter.wait_for("started")
            for at in range(0, len(stream), 500):
                os.write(ours, stream[at : at + 500])
                time.sleep(0.02)
            meter.take()
            status = meter.wait_for("status")
            assert status["registers"]["1"] > 6_000_000 and status["registers"]["2"] == 0
            assert status["source_rejected"] == {} and status["verdicts"]["adopted"] > 10
    finally:
        os.close(ours)
        os.close(theirs)


def test_buttons_are_pressed_at_the_console(host: SmallHost, tmp_path: Path):
    path = configure(tmp_path, "house", host.port, host.root.public_key, LOAD)
    with MeterProcess(path) as meter:
        meter.wait_for("status")
        meter.press(over_temperature=True)
        meter.wait_for("relay", closed=False, reason="over_temperature")
        meter.press(fire=True)
        assert "buttons are" in str(meter.wait_for("error")["text"])


@pytest.mark.parametrize(
    ("change", "shows"),
    [
        ({"rated_w": 0}, "rated_w"),
        ({"colour": 1}, "colour"),
        ({"flash_bytes": 1000}, "flash_bytes"),
        ({"flash": "/nonexistent/folder/x.img"}, "flash"),
        ({"source": {"kind": "sun"}}, "source kind"),
        ({"source": {"kind": "p1", "file": "/nonexistent"}}, "source file"),
        ({"speed": "fast"}, "speed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("program", ["main.py", "lockstep.py"])
def test_a_configuration_it_cannot_use_is_one_line(change: dict[str, object], shows: str, program: str, tmp_path: Path):
    if program == "lockstep.py" and ("source" in change or "speed" in change):
        return  # it uses neither
    path = configure(tmp_path, "house", 9, bytes(32), ROOF, **change) if "source" not in change else None
    if path is None:
        path = configure(tmp_path, "house", 9, bytes(32), change["source"])
    result = subprocess.run(
        [MICROPYTHON, f"firmware/boards/virtual/{program}", path], capture_output=True, text=True, cwd=CHECKOUT,
        env=ENVIRONMENT, timeout=20,
    )  # fmt: skip
    assert result.returncode == 1 and result.stdout == ""
    assert shows in result.stderr and result.stderr.count("\n") == 1


def test_a_flash_that_is_no_littlefs_is_rejected_and_left_alone(tmp_path: Path):
    path = configure(tmp_path, "house", 9, bytes(32), ROOF)
    image = tmp_path / "house.img"
    image.write_bytes(b"precious" * (1 << 17))
    result = subprocess.run(
        [MICROPYTHON, "firmware/boards/virtual/main.py", path], capture_output=True, text=True, cwd=CHECKOUT,
        env=ENVIRONMENT, timeout=20,
    )  # fmt: skip
    assert result.returncode == 1 and "littlefs" in result.stderr
    assert image.read_bytes() == b"precious" * (1 << 17)


def test_json_of_the_wrong_kind_is_rejected(tmp_path: Path):
    path = tmp_path / "list.json"
    path.write_text(json.dumps([1]))
    result = subprocess.run(
        [MICROPYTHON, "firmware/boards/virtual/main.py", path], capture_output=True, text=True, cwd=CHECKOUT,
        env=ENVIRONMENT, timeout=20,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (1, "") and "not a JSON object" in result.stderr
