"""The device's modules in a whole RV32 MicroPython, in QEMU: results known elsewhere, instructions counted exactly."""

import subprocess
from collections.abc import Callable, Iterator

import case
import known_results
import on_micropython
import pytest

from tools import riscv_system
from tools.bench import c_peer, riscv

FETCH = on_micropython.CHECKOUT / "tools" / "fetch_riscv_micropython.sh"
LOOP = """
@micropython.asm_rv32
def loop(a0):
    c_mv(a1, a0)
    label(again)
    addi(a1, a1, -1)
    bne(a1, zero, again)
    csrrs(a0, zero, 0xB02)

for length in (1, 1, 2, 1000, 1001, 1000000):
    before = instructions()
    print(length, loop(length) - before)
"""
SIGNING = """
from wattpact_protocol.crypto import ed25519
key = ed25519.public_key(bytes(32))
before = instructions()
signature = ed25519.sign(bytes(32), b"reading")
print(instructions() - before)
before = instructions()
ed25519.verify(key, b"reading", signature)
print(instructions() - before)
"""


@pytest.fixture(autouse=True, scope="module")
def needs_system() -> None:
    fetched = subprocess.run([FETCH], capture_output=True, text=True, timeout=250)
    if fetched.returncode or riscv_system.available():
        raise case.Skip(fetched.stderr.strip() or riscv_system.available())


@pytest.mark.parametrize("make", known_results.KINDS, ids=lambda make: make.__name__)
def test_results_are_those_known(make: Callable[[], Iterator[str]]) -> None:
    lines = list(make())
    program = "CASES = '/rom/cases'" + known_results.PROGRAM
    printed = riscv_system.run(program, {"cases": "\n".join(lines)})
    known_results.assert_all_compared(printed, len(lines))


def test_instructions_are_counted_one_by_one() -> None:
    """A turn of the loop is two; what is around it is always the same."""
    counts = dict(tuple(map(int, text.split())) for text in riscv_system.run(LOOP, counted=True).splitlines())
    assert [counts[length] - counts[1] for length in (2, 1000, 1001, 1000000)] == [2, 1998, 2000, 1999998]


def test_a_count_is_the_same_every_time() -> None:
    counts = riscv_system.run(SIGNING, counted=True)
    assert riscv_system.run(SIGNING, counted=True) == counts
    sign, verify = map(int, counts.split())
    assert 1_000_000 < verify < 12_000_000 and sign - verify < 5_000_000


def test_what_a_program_raises_is_reported() -> None:
    with pytest.raises(riscv_system.MachineError, match="ValueError: seven"):
        riscv_system.run("raise ValueError('seven')")


def test_the_bars_hold_and_c_computes_the_same() -> None:
    """C that computed another signature, verdict or secret would raise."""
    assert not c_peer.available()
    works = {work.what: work for work in riscv.works()}
    sign, verify = works["sign 96 bytes, the key known"], works["verify"]
    assert 0 < sign.machine_code <= 5_000_000 and 0 < verify.machine_code <= 12_000_000
    assert sign.big_integers and sign.big_integers >= 13 * sign.machine_code
    assert sign.c and verify.c and min(sign.c.values()) > 500_000 < min(verify.c.values())


def test_machine_code_and_tables_fit() -> None:
    """An image leaves the points of the base (3,840 bytes) in flash; from files they are in RAM as well."""
    kept, from_files = riscv.loaded("crypto.ed25519"), riscv.loaded("crypto.ed25519", from_files=True)
    assert 10_000 < kept.machine_code == from_files.machine_code
    assert 0 < kept.tables <= from_files.tables - 3840 and kept.heap < from_files.heap < 48 * 1024
    assert from_files.machine_code + from_files.tables <= 25_000
    sealing = riscv.loaded("sealing.content", "sealing.epochs")
    assert sealing.machine_code + sealing.tables <= 24_000
