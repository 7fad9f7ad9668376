"""The device's modules on ARM: Debian's 32-bit MicroPython, under QEMU on other machines, with code compiled ahead."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import case
import known_results
import on_micropython
import pytest

from tools.romfs import build_image

FETCH = on_micropython.CHECKOUT / "tools" / "fetch_micropython.sh"
PROGRAM = """
import sys, vfs
with open({image!r}, "rb") as file:
    vfs.mount(vfs.VfsRom(file.read()), "/rom")
sys.path[:] = ["/rom", ".frozen"]
CASES = {cases!r}
"""


@pytest.fixture(autouse=True, scope="module")
def needs_arm() -> None:
    if not shutil.which("qemu-arm") and not os.uname().machine.startswith("arm"):
        raise case.Skip("qemu-arm is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "WATTPACT_MICROPYTHON"}
    fetched = subprocess.run([FETCH, "armhf"], capture_output=True, text=True, timeout=250, env=environment)
    if fetched.returncode:
        raise case.Skip(fetched.stderr.strip())


@pytest.fixture(autouse=True)
def run_on_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROPYTHON_ARCH", "armhf")
    monkeypatch.delenv("WATTPACT_MICROPYTHON", raising=False)


@pytest.mark.parametrize("make", known_results.KINDS, ids=lambda make: make.__name__)
def test_results_are_those_known(make: Callable[[], Iterator[str]], tmp_path: Path) -> None:
    arch = on_micropython.architecture()
    assert arch.startswith("armv")
    lines = list(make())
    image, cases = tmp_path / "image", tmp_path / "cases"
    image.write_bytes(build_image(arch, links=False))
    cases.write_text("\n".join(lines))
    program = PROGRAM.format(image=str(image), cases=str(cases)) + known_results.PROGRAM
    known_results.assert_all_compared(on_micropython.run("-c", program).stdout, len(lines))
