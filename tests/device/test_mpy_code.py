"""What is taken for a viper function's machine code is all of it, and only that."""

import re
from pathlib import Path

import pytest

from tools.compile_device import compile_file
from tools.device_files import ROOTS
from tools.mpy_code import MpyError, viper_functions

FIELD = ROOTS["wattpact_protocol"] / "crypto" / "_field25519_viper.py"
SCALAR = ROOTS["wattpact_protocol"] / "crypto" / "_scalar25519_viper.py"
ADDITION = """
import micropython
CONSTANTS = (b"bytes", "text", 1 << 70, None, ())

@micropython.viper
def add(a: int, b: int) -> int:
    return a + b

def outside():
    @micropython.viper
    def inside():
        pass
    return inside
"""


@pytest.mark.parametrize("arch", ["rv32imc", "xtensawin", "armv7emsp", "x86"])
def test_every_function_is_found(arch: str, tmp_path: Path) -> None:
    compile_file(SCALAR, "scalar", tmp_path / "scalar.mpy", arch)
    file = (tmp_path / "scalar.mpy").read_bytes()
    found = list(viper_functions(file))
    assert len(found) == len(re.findall("@micropython.viper", SCALAR.read_text())) > 5
    assert all(code in file for code in found) and sum(map(len, found)) > len(file) / 2


def test_functions_within_functions_are_found(tmp_path: Path) -> None:
    (tmp_path / "addition.py").write_text(ADDITION)
    compile_file(tmp_path / "addition.py", "addition", tmp_path / "addition.mpy", "rv32imc")
    assert len(list(viper_functions((tmp_path / "addition.mpy").read_bytes()))) == 2


def test_what_is_no_compiled_file_is_rejected(tmp_path: Path) -> None:
    compile_file(FIELD, "field", tmp_path / "field.mpy", "rv32imc")
    file = (tmp_path / "field.mpy").read_bytes()
    for bad in (b"", b"M\x06", b"M\x05" + file[2:], file[: len(file) // 2]):
        with pytest.raises(MpyError):
            list(viper_functions(bad))
