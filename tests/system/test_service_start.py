"""A service start of the virtual meter, as a process with a person at its serial port: Wi-Fi settings by Improv."""

import hashlib
import json
import tomllib
from pathlib import Path

import pytest
from simulator.meter_process import CHECKOUT, configure
from simulator.serial_client import SerialClient
from simulator.service import rpc, strings, wifi

NETWORKS = {"house": "correct horse", "barn": ""}
SOURCE = {"kind": "synthetic", "watts": 1000}
READY, TRYING, DONE, SENT_WIFI = (1, b"\x02"), (1, b"\x03"), (1, b"\x04"), (4, b"\x01\x00")


def house(folder: Path, **more: object) -> Path:
    """A meter whose clock runs 100 times as fast: its 30 s for a network are 0.3 s."""
    return configure(folder, "house", 9, bytes(32), SOURCE, **{"networks": NETWORKS, "speed": 100, **more})


def request(folder: Path) -> None:
    (folder / "house.img.service").write_bytes(b"")


def run_meter(path: Path) -> str:
    """Start it, and end it once it is a meter: its key."""
    with SerialClient(path) as meter:
        return str(meter.wait_for("started")["public_key"])


def events(meter: SerialClient) -> list[object]:
    return [event["event"] for event in meter.events()]


def test_a_new_meter_gets_its_wifi_and_becomes_a_meter(tmp_path: Path):
    path = house(tmp_path)
    before = json.loads(path.read_text())
    with SerialClient(path) as meter:
        assert meter.wait_for("service")["reason"] == "no_wifi"
        assert meter.exchange(rpc(2)) == [READY]
        [(kind, info)] = meter.exchange(rpc(3))
        version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
        assert kind == 4 and strings(info)[1] == [b"Wattpact", version.encode(), b"virtual", b"Wattpact meter"]
        found = [strings(data)[1] for _, data in meter.exchange(rpc(4), 3)]
        assert found == [[b"barn", b"-50", b"NO"], [b"house", b"-55", b"YES"], []]
        assert meter.exchange(wifi("house", "wrong horse"), 3) == [TRYING, (2, b"\x03"), READY]
        assert json.loads(path.read_text()) == before
        assert not (tmp_path / "house.img").exists()
        assert meter.exchange(b"noise \x00\xff IMPROV" + wifi("house", "correct horse"), 4) == [
            (2, b"\x00"), TRYING, DONE, SENT_WIFI
        ]  # fmt: skip
        assert meter.wait_for("service_ended")["reason"] == "done"
        assert meter.wait_for("started")["next_sequence"] == 0
        assert b"horse" not in meter.received
    access = {"ssid": "house", "password": "correct horse"}
    assert json.loads(path.read_text()) == {**before, "wifi": access}
    with SerialClient(path) as meter:
        meter.wait_for("started")
        assert "service" not in events(meter)


def test_a_request_is_followed_once_whatever_ends_it(tmp_path: Path):
    path = house(tmp_path, wifi=None)
    key = run_meter(path)
    flash = hashlib.sha256((tmp_path / "house.img").read_bytes()).digest()
    (tmp_path / "house.img.relay").write_bytes(b"1")
    request(tmp_path)
    with SerialClient(path) as meter:
        assert meter.wait_for("service")["reason"] == "request"
        assert meter.exchange(rpc(2)) == [READY]
        assert (tmp_path / "house.img.relay").read_bytes() == b"0"
        meter.kill()
    assert hashlib.sha256((tmp_path / "house.img").read_bytes()).digest() == flash  # no log, no state
    with SerialClient(path) as meter:
        assert meter.wait_for("started")["public_key"] == key
        assert "service" not in events(meter)


def test_nobody_comes_and_it_becomes_a_meter(tmp_path: Path):
    path = house(tmp_path, wifi=None)
    request(tmp_path)
    with SerialClient(path) as meter:
        assert meter.wait_for("service_ended")["reason"] == "idle"  # ten minutes, a hundredth of them here
        meter.wait_for("started")
        meter.exchange(wifi("house", "correct horse"), 0)
        meter.wait_for("status")
        assert b"IMPROV" not in meter.received
    assert json.loads(path.read_text())["wifi"] is None


def test_a_button_held_at_the_start_begins_one(tmp_path: Path):
    with SerialClient(house(tmp_path, wifi=None, button_held=True)) as meter:
        assert meter.wait_for("service")["reason"] == "button"
        meter.send(b"\r\x03")
        meter.wait_for("stopped")
        assert meter.process.wait(10) == 0


@pytest.mark.parametrize("more", [{"wifi": {"ssid": "a", "password": "b"}}, {"wifi": None}, {"networks": None}])
def test_a_meter_that_needs_none_gets_none(tmp_path: Path, more: dict[str, object]):
    path = house(tmp_path, **more)
    if "networks" in more:  # without a radio
        path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if value}))
    with SerialClient(path) as meter:
        meter.wait_for("started")
        meter.send(wifi("house", "correct horse"))  # in clear: a meter that runs does not take it
        meter.wait_for("status")
        assert events(meter)[0] == "started" and b"IMPROV" not in meter.received
    assert not (tmp_path / "house.img.service.given").exists()
