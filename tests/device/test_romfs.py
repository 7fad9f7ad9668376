"""The ROMFS image a chip runs from, mounted and imported under 32-bit MicroPython."""

from pathlib import Path

import on_micropython
import pytest
from wattpact_protocol.crypto import _ed25519_table, _sha512_constants

from tools.romfs import build_image

PROGRAM = """
import sys, vfs
with open({image!r}, "rb") as file:
    vfs.mount(vfs.VfsRom(file.read()), "/rom")
sys.path[:] = ["/rom", ".frozen"]
import wattpact_protocol
from wattpact_protocol.encoding import cbor
print(cbor.__file__)
print(cbor.decode(cbor.encode([1, b"two", {{3: None}}])))
"""
SIGNATURE = """
from wattpact_protocol.crypto import ed25519, sha512
print(ed25519._backend.__name__)
key, signature = ed25519.public_key(b"s" * 32), ed25519.sign(b"s" * 32, b"reading")
print(ed25519.verify(key, b"reading", signature), ed25519.verify(key, b"other", signature) is False)
"""


@pytest.mark.parametrize("form", ["source", "compiled"])
def test_the_protocol_runs_from_the_image(form: str, tmp_path: Path):
    image = build_image("source" if form == "source" else on_micropython.architecture(), links=False)
    (tmp_path / "image.romfs").write_bytes(image)
    result = on_micropython.run("-c", PROGRAM.format(image=str(tmp_path / "image.romfs")))
    suffix = "py" if form == "source" else "mpy"
    assert result.stdout.splitlines() == [f"/rom/wattpact_protocol/encoding/cbor.{suffix}", "[1, b'two', {3: None}]"]


@pytest.mark.parametrize(("form", "backend"), [("source", "viper"), ("compiled", "viper"), ("bytecode", "portable")])
def test_signatures_work_from_the_image(form: str, backend: str, tmp_path: Path):
    image = build_image(on_micropython.architecture() if form == "compiled" else form, links=False)
    (tmp_path / "image.romfs").write_bytes(image)
    program = PROGRAM.split("import wattpact_protocol")[0] + SIGNATURE
    result = on_micropython.run("-c", program.format(image=str(tmp_path / "image.romfs")))
    assert result.stdout.splitlines() == [f"wattpact_protocol.crypto._ed25519_{backend}", "True True"], result.stdout


@pytest.mark.parametrize("arch", ["x86", "xtensawin", "rv32imc"])
def test_the_tables_are_read_in_place(arch: str):
    assert build_image(arch).index(_ed25519_table.POINTS + _sha512_constants.ROUND) % 4 == 0


def test_programs_stand_beside_the_device_files():
    image = build_image("bytecode", {"main.py": "print('started')\n"})
    assert image.startswith(b"\xd2\xcd\x31") and b"print('started')" in image
