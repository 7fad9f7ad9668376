"""The service start in a heap of 64 KiB, its code in an image as on a chip: it serves, and loads no meter."""

import json
from pathlib import Path

import on_micropython
import pytest
from simulator.meter_process import MICROPYTHON, configure
from simulator.serial_client import SerialClient
from simulator.service import rpc, strings, wifi

from tools import romfs
from tools.bench import heap

SERVICE_BYTES = 64 * heap.KIB
LIVE_BAR_BYTES = 16_000
ROUNDS, TRIED_EVERY = 100, 20  # a network that cannot be joined takes 1.5 s here
# Settings of nearly the 4 KB that they may have, which are read, written and read back.
NETWORKS = {"house": "correct horse", **{f"neighbour {number:02}": "x" * 60 for number in range(42)}}
READY, TRYING = (1, b"\x02"), (1, b"\x03")
NAMES = ("service_wanted", "service", "drivers")  # what it may load of the meter's package
LOAD = "from wattpact_meter.load_order import load; load()"
LAUNCHER = """
import sys
{mounting}
import gc
gc.threshold({collect_bytes})
from boards.virtual import main
main.serve(sys.argv[-1])
gc.collect()
print()
print('{{"event": "heap", "live": %d, "free": %d}}' % (gc.mem_alloc(), gc.mem_free()))
print('{{"event": "modules", "names": "%s"}}' % " ".join(sorted(sys.modules)))
{after}
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "meter.romfs"
    path.write_bytes(romfs.build_image(on_micropython.architecture()))
    return path


def client(folder: Path, image: Path, heap_bytes: int, after: str = "") -> SerialClient:
    """A new meter at a serial port, from an image, in so much heap; `after` is what it does once it has served."""
    launcher = folder / "launcher.py"
    launcher.write_text(
        LAUNCHER.format(mounting=romfs.mounting(image), collect_bytes=heap.collect_bytes(), after=after)
    )
    settings = configure(folder, "house", 9, bytes(32), {"kind": "synthetic", "watts": 1}, networks=NETWORKS, speed=20)
    return SerialClient(settings, [str(MICROPYTHON), "-X", f"heapsize={heap_bytes}", str(launcher)])


def serve(meter: SerialClient, rounds: int) -> tuple[dict[str, object], dict[str, object]]:
    """All that can be requested, over and over, and settings that work at the end; heap and modules afterwards."""
    meter.wait_for("service")
    for number in range(rounds):
        assert meter.exchange(rpc(2)) == [READY]
        [(_, info)] = meter.exchange(rpc(3))
        assert strings(info)[1][2] == b"virtual"
        assert len(meter.exchange(rpc(4), 21)) == 21
        noise = b"IMPROV\x01\x03\xf0" + bytes(250)
        assert meter.exchange(noise + rpc(99), 3) == [(2, b"\x01"), (2, b"\x00"), (2, b"\x02")]
        assert meter.exchange(rpc(2), 2) == [(2, b"\x00"), READY]
        if number % TRIED_EVERY == 0:
            assert meter.exchange(wifi("house", "x" * 63), 3) == [TRYING, (2, b"\x03"), READY]
            assert meter.exchange(rpc(2), 2) == [(2, b"\x00"), READY]
    assert meter.exchange(wifi("house", "correct horse"), 3) == [TRYING, (1, b"\x04"), (4, b"\x01\x00")]
    return meter.wait_for("heap"), meter.wait_for("modules")


def test_it_serves_in_64_kib_and_loads_nothing_of_the_meter(image: Path, tmp_path: Path):
    with client(tmp_path, image, SERVICE_BYTES) as meter:
        shown, modules = serve(meter, ROUNDS)
        assert meter.process.wait(10) == 0  # an allocation that fails ends it, with a traceback
        assert meter.errors() == b""
        assert b"MemoryError" not in meter.received
    print(f"{shown['live']:,} bytes live")
    assert int(str(shown["live"])) <= LIVE_BAR_BYTES
    names = str(modules["names"]).split()
    ours = [name for name in names if name.startswith("wattpact")]
    assert "wattpact_meter.service.wifi_settings" in ours
    assert [name for name in ours if name != "wattpact_meter" and name.split(".")[1:2][0] not in NAMES] == []
    kept = (tmp_path / "house.json").read_text()
    assert 3_500 < len(kept) < 4_096
    settings = json.loads(kept)
    assert settings["wifi"] == {"ssid": "house", "password": "correct horse"}
    assert not (tmp_path / "house.img").exists()


@pytest.mark.parametrize(("heap_bytes", "after"), [(28 * heap.KIB, ""), (SERVICE_BYTES, LOAD)])
def test_an_allocation_that_fails_is_found_out(heap_bytes: int, after: str, image: Path, tmp_path: Path):
    """In less memory; and beside the meter itself, which does not fit."""
    with client(tmp_path, image, heap_bytes, after) as meter:
        with pytest.raises(AssertionError):
            serve(meter, 1)
            assert meter.process.wait(10) == 0
        meter.process.wait(10)  # it may be on its way out still
        assert b'"service"' in meter.received
        assert b"MemoryError" in meter.received + meter.errors()
