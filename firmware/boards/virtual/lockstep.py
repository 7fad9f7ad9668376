"""A meter in virtual time: the same core, driven by a program over standard input and output as fast as it can.

    MICROPYPATH=protocol:firmware:.frozen tools/micropython firmware/boards/virtual/lockstep.py CONFIG.json

CONFIG.json is that of the virtual meter; of "source" only "kind", "load", "crc" and "checksum" are used, "flash": null
is memory, and speed and host do nothing. Each line in is a JSON object and each is answered by one line:

    {"to": [t_ms, unix_s]}        go on to this moment; t_ms never falls, unix_s may be null
        "clock_status": 2         with it, the DLMS clock status (0)
        "power": [[mW, us], ..]   what was measured since, in order; the durations end at t_ms
        "watts": 7200             or: this power since then, cut where the guard has something to decide
        "p1": base64              or: bytes of a P1 port, come at t_ms
        "in": [base64, ..]        datagrams, come at t_ms
        "press": {"consent": true}   buttons that are so from now on (`console.BUTTONS`, and sensor_dead)
    {"do": "reboot"}              forget all but the flash and boot; "power_failed": true: after a power failure
    {"do": "heap"}                how much memory is in use, after a collection
    {"do": "quit"}

Answers: {"out": [base64, ..], "closed": .., "reason": .., "contract": hex / null, "registers": {"1": Wh, "2": Wh},
"next_sequence": n, "rejected": {reason: n}, "p1_accepted": n, "p1_rejected": {reason: n}, "p1_skipped_lines": lines,
"register_generation": n, "verdicts": {verdict: n} on registers adopted, "next_ms": t_ms}, at the start and after
"reboot" with "public_key", "kid" and "code" too, after "heap" {"heap": bytes}. What cannot be used is answered by
{"error": text}; what came before the mistake in it is done. With "load": "relay" import is measured only while the
relay is closed.
"""

import gc
import json
import os
import sys

from wattpact_meter.load_order import load

load()

from binascii import a2b_base64, b2a_base64  # noqa: E402

from boards.virtual import flash_file  # noqa: E402
from boards.virtual.console import BUTTONS  # noqa: E402
from wattpact_meter import settings  # noqa: E402
from wattpact_meter.clock import EARLIEST_S, LATEST_S, Now  # noqa: E402
from wattpact_meter.control.relay import Relay  # noqa: E402
from wattpact_meter.core.boot import start  # noqa: E402
from wattpact_meter.log.identity import Identity  # noqa: E402
from wattpact_meter.metering.measurement import Measurement  # noqa: E402
from wattpact_meter.settings import Settings, SettingsError  # noqa: E402
from wattpact_meter.sources.p1 import P1Source  # noqa: E402
from wattpact_meter.storage.journal import Journal  # noqa: E402
from wattpact_meter.storage.store import Store  # noqa: E402
from wattpact_protocol import steps  # noqa: E402
from wattpact_protocol.sync import enrolment  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLASH = "/flash"
MAX_W = 1_000_000
MAX_DURATION_US = 1 << 50
MAX_TICKS = 64
_IGNORED = ("speed", "unix_s", "seed", "listen", "power_failed", "host")
_PRESSED = BUTTONS + ("sensor_dead", "over_current")


class Contacts:
    """A bistable relay that is only a position."""

    def __init__(self) -> None:
        self.closed = False

    def drive(self, closed: bool) -> None:
        self.closed = closed

    def sensed(self) -> "bool | None":
        return self.closed


class Line:
    """A serial line whose bytes are those of the last line in."""

    def __init__(self) -> None:
        self.data = b""

    def read(self) -> bytes:
        return self.data


class Lockstep:
    """One meter. t_ms runs through reboots; uptime begins anew."""

    def __init__(self, configuration: "dict[str, Any]") -> None:
        image = configuration.pop("flash", None)
        self._flash_bytes = number("flash_bytes", configuration.pop("flash_bytes", 1 << 20), 1 << 17, 1 << 26)
        for key in _IGNORED:
            configuration.pop(key, None)
        configuration["host"] = ["none", 1]
        self._settings = Settings(configuration)
        self._behind_relay = self._settings.source.get("load") == "relay"
        self._is_p1 = self._settings.source["kind"] == "p1"
        self._require_crc = self._settings.source.get("crc", True) is not False
        self._checksum = self._settings.source.get("checksum", "arc")
        self._contacts = Contacts()
        self._pressed: dict[str, bool] = {}
        self._t_ms = self._boot_ms = 0
        self._unix_ms: int | None = None  # Unix time less t_ms
        self._status = 0
        flash_file.mount(image, self._flash_bytes, FLASH)
        self._boot(False)

    def _boot(self, power_failed: bool) -> None:
        self._boot_ms = self._t_ms
        self._line = Line()
        self._p1 = P1Source(self._line, self._require_crc, self._checksum)
        store = Store(FLASH + "/state")
        self._journal = Journal(FLASH + "/journal", limit_bytes=self._flash_bytes // 2)
        self._identity = Identity(store, os.urandom)
        parts = (self._identity, self._journal, store, self._settings)
        now = self._now(self._t_ms)
        self._relay = Relay(self._contacts, store, now.uptime_ms)
        self._meter = start(parts, _draw, os.urandom, now, power_failed, self._relay.sensed())
        self._meter.rest_relay(self._relay.rest_ms)
        self._decide()

    def greeting(self) -> "dict[str, Any]":
        """The state, and who this meter is."""
        answer = self._answer()
        answer["public_key"] = self._identity.public_key.hex()
        answer["kid"] = self._identity.kid.hex()
        answer["code"] = enrolment.format_code(self._identity.code)
        return answer

    def obey(self, line: "dict[str, Any]") -> "dict[str, Any]":
        """Do what a line demands; raises whatever a line that makes no sense leads to."""
        what = line.get("do", "step")
        if what == "step":
            self._step(line)
            return self._answer()
        if what == "reboot":
            self._journal.close()
            self._boot(line.get("power_failed") is True)
            return self.greeting()
        if what == "heap":
            gc.collect()
            return {"heap": gc.mem_alloc()}  # type: ignore[attr-defined]
        raise SettingsError("do must be step, reboot, heap or quit")

    def _step(self, line: "dict[str, Any]") -> None:
        to_ms, unix_s = line["to"]
        number("to", to_ms, self._t_ms, 1 << 60)
        self._status = number("clock_status", line.get("clock_status", 0), 0, 255)
        self._unix_ms = None if unix_s is None else number("unix_s", unix_s, EARLIEST_S, LATEST_S - 1) * 1000 - to_ms
        for name, value in line.get("press", {}).items():
            if name not in _PRESSED:
                raise SettingsError("press knows %s" % ", ".join(_PRESSED))
            self._pressed[name] = value is True
        if "watts" in line:
            self._draw_until(to_ms, number("watts", line["watts"], -MAX_W, MAX_W) * 1000)
        else:
            self._measure(to_ms, line.get("power", ()))
        self._t_ms = to_ms
        now = self._now(to_ms)
        if "p1" in line:
            self._line.data = a2b_base64(line["p1"])
            for measurement in self._p1.read(to_ms * 1000):
                steps.finish(self._meter.measure_steps(now, measurement))
        for data in line.get("in", ()):
            steps.finish(self._meter.receive_steps(now, a2b_base64(data)))
        self._decide()

    def _measure(self, to_ms: int, power: "Any") -> None:
        at_us = to_ms * 1000 - sum([duration_us for _, duration_us in power])
        for active_mw, duration_us in power:
            number("power", active_mw, -MAX_W * 1000, MAX_W * 1000)
            at_us += number("power duration", duration_us, 0, MAX_DURATION_US)
            self._t_ms = max(self._t_ms, at_us // 1000)
            self._count(active_mw, duration_us)
            self._decide()

    def _draw_until(self, to_ms: int, active_mw: int) -> None:
        while self._t_ms < to_ms:
            end_ms = min(to_ms, max(self._t_ms + 1, self._next_ms()))
            duration_ms = end_ms - self._t_ms
            self._t_ms = end_ms
            self._count(active_mw, duration_ms * 1000)
            self._decide()

    def _count(self, active_mw: int, duration_us: int) -> None:
        if self._behind_relay and active_mw > 0 and not self._contacts.closed:
            active_mw = 0
        measurement = Measurement([active_mw * duration_us], duration_us, {})
        steps.finish(self._meter.measure_steps(self._now(self._t_ms), measurement))

    def _decide(self) -> None:
        """Tick until nothing is due at this moment; the bound is for a core that never ends."""
        now = self._now(self._t_ms)
        for _ in range(MAX_TICKS):
            self._tick(now)
            if self._meter.next_tick_ms(now) > now.uptime_ms:
                break

    def _tick(self, now: Now) -> None:
        steps.finish(self._meter.catch_up_steps(now))
        inputs = self._meter.inputs(now)
        inputs.sensor_dead = inputs.sensor_dead and self._is_p1  # of power, whoever drives this measures when they like
        for name, value in self._pressed.items():
            setattr(inputs, name, value)
        inputs.sensed_closed = self._relay.sensed()
        self._decision = steps.finish(self._meter.decide_steps(now, inputs))
        steps.finish(self._meter.work_steps(now))
        self._relay.apply(self._decision, now.uptime_ms)

    def _now(self, t_ms: int) -> Now:
        unix_s = None if self._unix_ms is None else (t_ms + self._unix_ms) // 1000
        return Now(t_ms - self._boot_ms, unix_s, self._status)

    def _next_ms(self) -> int:
        return self._boot_ms + int(self._meter.next_tick_ms(self._now(self._t_ms)))

    def _answer(self) -> "dict[str, Any]":
        decision = self._decision
        return {
            "out": [b2a_base64(data).decode().strip() for data in self._meter.pop_datagrams()],
            "closed": decision.closed, "reason": decision.reason,
            "contract": decision.contract.hex() if decision.contract else None,
            "registers": self._meter.registers(), "next_sequence": self._journal.next_sequence,
            "rejected": self._meter.rejected,
            "p1_accepted": self._p1.accepted, "p1_rejected": self._p1.rejected,
            "p1_skipped_lines": self._p1.skipped_lines,
            "register_generation": self._meter.recorder.bank.generation,
            "verdicts": self._meter.recorder.bank.verdicts, "next_ms": self._next_ms(),
        }  # fmt: skip


def number(name: str, value: object, low: int, high: int) -> int:
    """A whole number in its range; raises SettingsError. Its like in setting_checks is let go after the start."""
    if not isinstance(value, int) or not low <= value <= high:
        raise SettingsError("%s must be a whole number from %d to %d" % (name, low, high))
    return value


def _draw(n: int) -> int:
    return int.from_bytes(os.urandom(4), "big") % n


def run(path: str) -> int:
    """Answer lines until "quit" or the end of input; the exit status."""
    try:
        lockstep = Lockstep(settings.read(path))
    except (SettingsError, flash_file.FlashError) as error:
        sys.stderr.write("%s: %s\n" % (path, error))
        return 1
    _write(lockstep.greeting())
    while True:
        text = sys.stdin.readline()
        if not text:
            return 0
        try:
            line = json.loads(text)
            if not isinstance(line, dict):
                raise ValueError("a line is a JSON object")
            if line.get("do") == "quit":
                return 0
            _write(lockstep.obey(line))
        except Exception as error:  # whoever drives this decides what to make of it
            _write({"error": str(error) or repr(error)})


def _write(answer: "dict[str, Any]") -> None:
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.stderr.write("usage: lockstep.py CONFIG.json\n")
        sys.exit(2)
    sys.exit(run(sys.argv[1]))
