"""Meters that a program starts: they end with it, however it ends, and no two run on one flash image."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from simulator.meter_process import MeterProcess
from wattpact.device import virtual_meter
from wattpact.device.virtual_meter import VirtualMeter, VirtualMeterError

SETTINGS = {
    "host": ["127.0.0.1", 9], "root_public_key": "00" * 32, "rated_w": 11000,
    "source": {"kind": "synthetic", "watts": 1000},
}  # fmt: skip

KEEPER = f"""
import asyncio, pathlib, sys
from wattpact.device.virtual_meter import VirtualMeter

async def keep():
    meter = VirtualMeter(pathlib.Path(sys.argv[1]), {SETTINGS!r}, lambda event: print(event["event"], flush=True))
    await meter.start()
    await asyncio.sleep(600)

asyncio.run(keep())
"""


def runs_on(folder: Path) -> list[int]:
    """The processes whose command line names a meter's configuration in that folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if str(folder / "board.json").encode() in words:
            found.append(int(path.parent.name))
    return found


def until(holds, limit_s=10.0):
    deadline = time.monotonic() + limit_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def keeper(folder: Path) -> "subprocess.Popen[str]":
    """A program that keeps a meter running, once the meter is up."""
    started = subprocess.Popen([sys.executable, "-c", KEEPER, folder], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None and "started" in started.stdout.readline()
    return started


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_meter_ends_with_a_program_that_is_killed(tmp_path: Path):
    folder = tmp_path / "house"
    keeping = keeper(folder)
    [meter] = runs_on(folder)
    keeping.send_signal(signal.SIGKILL)
    keeping.communicate(timeout=10)
    try:
        assert until(lambda: not runs_on(folder))
    finally:
        if runs_on(folder):
            os.kill(meter, signal.SIGKILL)


def test_no_second_meter_runs_on_one_flash_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(virtual_meter, "LET_GO_S", 0.3)
    folder = tmp_path / "house"
    keeping = keeper(folder)

    async def start_second() -> list[dict[str, object]]:
        events: list[dict[str, object]] = []
        second = VirtualMeter(folder, SETTINGS, events.append)
        try:
            await second.start()
            while not events:
                await asyncio.sleep(0.05)
        finally:
            await second.stop()
        return events

    try:
        with pytest.raises(VirtualMeterError, match="is running on"):
            asyncio.run(start_second())
    finally:
        keeping.kill()
        keeping.communicate(timeout=10)
    monkeypatch.setattr(virtual_meter, "LET_GO_S", 5)
    assert asyncio.run(start_second())[0]["event"] == "started"


@pytest.mark.parametrize("attended", [True, False])
def test_standard_input_that_ends_ends_an_attended_meter_alone(attended: bool, tmp_path: Path):
    path = tmp_path / "house.json"
    flash = str(tmp_path / "house.img")
    path.write_text(json.dumps({**SETTINGS, "flash": flash, "attended": attended}))
    with MeterProcess(path) as meter:
        meter.wait_for("status")
        assert meter.process.stdin is not None
        meter.process.stdin.close()
        if attended:
            assert meter.process.wait(10) == 0
            meter.wait_for("stopped")
        else:
            time.sleep(0.5)
            meter.take()
            meter.wait_for("status")
            assert meter.process.poll() is None
