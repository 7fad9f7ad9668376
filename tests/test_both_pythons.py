"""The tests of protocol and firmware, once more under 32-bit MicroPython: a meter's code with the chip's integers.

pytest itself runs the same files under CPython.
"""

import os
from pathlib import Path

import case
import on_micropython
import pytest

FILES = sorted(
    path.relative_to(on_micropython.CHECKOUT)
    for folder in ("protocol", "firmware")
    for path in (on_micropython.CHECKOUT / "tests" / folder).glob("test_*.py")
)
RUNNER = "tests/run_on_micropython.py"
ROOMY = {"tests/firmware/test_damage.py": "32m"}  # images of a whole flash, each in one piece


def test_micropython_is_the_32_bit_one():
    program = "import sys; print(sys.implementation.name, sys.implementation.version[:2], sys.maxsize)"
    result = on_micropython.run("-c", program)
    assert result.stdout.split("\n")[0] == "micropython (1, 25) 2147483647", (
        f"{result.stdout}\nThe tests need 32-bit MicroPython 1.25: run `make micropython`, or set WATTPACT_MICROPYTHON."
    )


@pytest.mark.parametrize("path", FILES, ids=str)
def test_file_passes_on_micropython(path: Path):
    result = on_micropython.run(RUNNER, path, heap=ROOMY.get(str(path), on_micropython.HEAP))
    if result.returncode == 127:
        pytest.fail(result.stdout + "Or set WATTPACT_MICROPYTHON to a 32-bit unix MicroPython 1.25.", pytrace=False)
    if result.returncode:
        pytest.fail(f"{path} under MicroPython ended with status {result.returncode}:\n{result.stdout}", pytrace=False)
    print(result.stdout)


SAMPLE = """
import case

def test_passes():
    pass

def test_fails():
    assert 1 + 1 == 3, "the sum"

def test_lacks_something():
    raise case.Skip("no such sensor")

def test_needs_data():
    case.data("p1")

def test_is_shown_elsewhere():
    raise case.Elsewhere("takes long")
"""


def run_sample(tmp_path: Path, source: str) -> "tuple[int, list[str]]":
    (tmp_path / "test_sample.py").write_text(source)
    result = on_micropython.run(RUNNER, tmp_path / "test_sample.py")
    return result.returncode, result.stdout.splitlines()


def test_the_runner_reports_each_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WATTPACT_DATA", str(tmp_path / "absent"))
    monkeypatch.delenv("WATTPACT_REQUIRE_ALL", raising=False)
    status, lines = run_sample(tmp_path, SAMPLE)
    assert status == 1
    assert lines[-1] == "1 passed, 1 failed, 3 skipped"
    assert any(line.endswith("AssertionError: the sum") for line in lines)
    assert any(line.startswith("SKIPPED") and line.endswith("no such sensor") for line in lines)


def test_the_runner_fails_where_all_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WATTPACT_DATA", str(tmp_path / "absent"))
    monkeypatch.setenv("WATTPACT_REQUIRE_ALL", "1")
    assert run_sample(tmp_path, SAMPLE)[1][-1] == "1 passed, 3 failed, 1 skipped"


@pytest.mark.parametrize("source", ["", "import no_such_module", "def test_(:"], ids=["empty", "import", "syntax"])
def test_the_runner_fails_on_a_file_it_cannot_use(tmp_path: Path, source: str):
    assert run_sample(tmp_path, source)[0] == 1


def test_random_bits_are_the_same_on_both_pythons():
    program = "b = case.Bits('x'); n = list(range(9)); b.shuffle(n); print(n, b.below(1000), b.bytes(40))"
    start = f"import sys; sys.path.append({str(on_micropython.CHECKOUT / 'tests')!r}); import case; "
    other = on_micropython.run("-c", start + program)
    bits, numbers = case.Bits("x"), list(range(9))
    bits.shuffle(numbers)
    assert other.stdout == f"{numbers} {bits.below(1000)} {bits.bytes(40)}" + os.linesep
