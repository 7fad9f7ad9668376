"""Every file that goes onto a meter compiles ahead for both of Espressif's instruction sets."""

from pathlib import Path

import pytest

from tools.compile_device import CompileError, compile_device, compile_file
from tools.device_files import ROOTS, device_files


@pytest.mark.parametrize("arch", ["xtensawin", "rv32imc"])
def test_every_device_file_compiles(arch: str, tmp_path: Path):
    sizes = compile_device(arch, tmp_path, links=False)
    assert {name.split("/")[0] for name in sizes} == set(ROOTS)
    assert len(sizes) == sum(1 for _ in device_files())
    for name, size in sizes.items():
        header = (tmp_path / name).read_bytes()[:2]
        assert header == b"M\x06", name  # bytecode version 6, which MicroPython 1.25 loads
        assert 0 < size < 64 * 1024, name


@pytest.mark.parametrize("arch", ["xtensawin", "rv32imc"])
def test_what_a_meter_gets_is_one_module_and_what_not_every_meter_loads(arch: str, tmp_path: Path):
    sizes = compile_device(arch, tmp_path)
    assert "wattpact.mpy" in sizes and "boards/esp32/board.mpy" in sizes
    assert {name for name in sizes if name.startswith("wattpact_protocol/")} <= {
        "wattpact_protocol/crypto/_aes_portable.mpy"
    }
    apart = compile_device(arch, tmp_path / "apart", links=False)
    assert sum(sizes.values()) < 0.85 * sum(apart.values())


def test_backends_of_the_host_stay_off_the_device():
    names = [name for name, _ in device_files()]
    assert "wattpact_protocol/encoding/cbor.py" in names
    assert not [name for name in names if name.endswith(("_host.py", "_texts.py"))]


@pytest.mark.parametrize("source", ["match x:\n case 1: pass", "@micropython.viper\ndef f(x: complex): pass"])
def test_a_file_the_chip_cannot_take_is_rejected(source: str, tmp_path: Path):
    (tmp_path / "bad.py").write_text(source)
    with pytest.raises(CompileError, match=r"bad\.py"):
        compile_file(tmp_path / "bad.py", "bad.py", tmp_path / "bad.mpy", "xtensawin")
