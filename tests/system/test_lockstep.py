"""The same core in virtual time: enrolled, driven through hours, rebooted, and answering nonsense."""

import json
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import case
import pytest
from simulator.meter_process import CHECKOUT, ENVIRONMENT, MICROPYTHON, configure
from simulator.small_host import QUICK_POLICY, SmallHost
from wattpact_protocol.log import event_codes, kinds, readings


class Lockstep:
    """One lockstep process, and the datagrams between it and a host."""

    def __init__(self, path: Path, host: SmallHost) -> None:
        self.host = host
        self.t_ms = 0
        self.start_s = int(time.time())
        self.waiting: list[bytes] = []
        self.process = subprocess.Popen(
            [MICROPYTHON, "-X", "heapsize=4m", "firmware/boards/virtual/lockstep.py", path], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT, env=ENVIRONMENT,
        )  # fmt: skip
        self.greeting = self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer = json.loads(self.process.stdout.readline())
        for data in answer.get("out", ()):
            self.waiting += self.host.receive(b64decode(data))
        return answer

    def write_line(self, text: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.read()

    def go(self, ms: int, **more: object) -> dict[str, Any]:
        self.t_ms += ms
        data, self.waiting = self.waiting, []
        line = {"to": [self.t_ms, self.start_s + self.t_ms // 1000], **more}
        return self.write_line(json.dumps({**line, "in": [b64encode(one).decode() for one in data]}))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def host() -> Iterator[SmallHost]:
    made = SmallHost()
    yield made
    made.close()


def started(host: SmallHost, folder: Path, load: str, **more: object) -> Lockstep:
    """A meter that is enrolled and follows the quick policy."""
    source = {"kind": "none", "load": load}
    path = configure(folder, "house", 9, host.root.public_key, source, **{"step_s": 60, **more})
    meter = Lockstep(path, host)
    host.publish(kinds.POLICY, QUICK_POLICY)
    host.enrol(meter.greeting)
    for _ in range(20):
        meter.go(3000, watts=0)
    assert host.entries
    return meter


def test_hours_pass_and_every_wh_is_published(host: SmallHost, tmp_path: Path):
    meter = started(host, tmp_path, "always", flash=None)
    try:
        for _ in range(3 * 60):
            answer = meter.go(60_000, power=[[-3_600_000, 30_000_000], [1_800_000, 30_000_000]])
        for _ in range(4):
            meter.go(60_000, watts=0)
        assert answer["registers"] == {"1": 180 * 15, "2": 180 * 30}
        last = host.of_kind(kinds.READING)[-1].body
        assert readings.end_value(last, readings.IMPORT_WH) == 2700
        assert readings.end_value(last, readings.EXPORT_WH) == 5400
        assert 180 <= len(host.of_kind(kinds.READING)) <= 190 and host.faults == []
    finally:
        meter.close()


def test_a_load_behind_the_relay_draws_what_a_grant_lets_it(host: SmallHost, tmp_path: Path):
    meter = started(host, tmp_path, "relay", flash=None)
    try:
        assert meter.go(60_000, watts=3600)["registers"]["1"] == 0
        contract = host.grant(20)
        closed = [answer for answer in (meter.go(1000, watts=3600) for _ in range(40)) if answer["closed"]]
        assert {answer["contract"] for answer in closed} == {contract.hex()}
        assert {answer["reason"] for answer in closed} == {"grant"}
        end = meter.go(60_000, watts=3600)
        assert end["closed"] is False and end["registers"]["1"] == 20
        assert host.of_kind(kinds.USAGE_END)[0].body["attributed_wh"] == 20
    finally:
        meter.close()


def test_a_reboot_keeps_key_registers_sequence_and_relay(host: SmallHost, tmp_path: Path):
    meter = started(host, tmp_path, "relay")
    try:
        host.grant(1000)
        for _ in range(8):
            before = meter.go(30_000, watts=6000)
        assert before["closed"]
        again = meter.write_line('{"do": "reboot"}')
        for name in ("public_key", "kid", "code"):
            assert again[name] == meter.greeting[name]
        assert again["next_sequence"] == before["next_sequence"] + 1 and again["closed"]  # it publishes that it booted
        after = meter.go(60_000, watts=6000)
        assert after["registers"]["1"] >= before["registers"]["1"]
        meter.go(5_000, watts=0)
        meter.go(5_000, watts=0)
        boots = [held.stamp.boot for held in host.of_kind(kinds.EVENT) if held.body["code"] == event_codes.BOOT]
        assert boots == [1, 2] and host.faults == []
    finally:
        meter.close()


def test_p1_bytes_become_registers(host: SmallHost, tmp_path: Path):
    stream = Path(case.data("p1/real_stream/isk5_300_telegrams.txt")).read_bytes()[:30_000]
    path = configure(tmp_path, "house", 9, host.root.public_key, {"kind": "none"}, flash=None)
    meter = Lockstep(path, host)
    try:
        for at in range(0, len(stream), 780):
            answer = meter.go(1000, p1=b64encode(stream[at : at + 780]).decode())
        assert answer["registers"]["1"] > 6_000_000 and answer["p1_rejected"] == {}
        broken = stream.replace(b"(0001)", b"(0002)")
        assert meter.go(1000, p1=b64encode(broken[:3000]).decode())["p1_rejected"]["crc"] >= 1
    finally:
        meter.close()


def test_nonsense_is_answered_and_the_meter_goes_on(host: SmallHost, tmp_path: Path):
    path = configure(tmp_path, "house", 9, host.root.public_key, {"kind": "none"}, flash=None)
    meter = Lockstep(path, host)
    try:
        meter.go(1000)
        for line in (
            "", "[]", "5", "{", '{"do": "dance"}', "{}", '{"to": 5}', '{"to": [999, 1]}', '{"to": ["x", 1]}',
            '{"to": [2000, -1]}', '{"to": [2000, 1], "power": [[1]]}', '{"to": [2000, 1], "watts": 1.5}',
            '{"to": [2000, 1], "press": {"fire": true}}', '{"to": [2000, 1], "in": [5]}',
        ):  # fmt: skip
            assert list(meter.write_line(line)) == ["error"], line
        assert meter.go(2000, watts=10)["next_sequence"] == 0
        assert meter.write_line('{"do": "heap"}')["heap"] > 10_000
    finally:
        meter.close()
