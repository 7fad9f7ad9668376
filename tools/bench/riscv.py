"""Counts what a whole RV32 MicroPython executes for a meter's cryptography, exactly, and what RAM holds for it."""

import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from unittest import mock

from wattpact_protocol.crypto import _ed25519_host

from tools import emulated_viper, machine_code, riscv_system
from tools.bench import c_peer
from tools.compile_device import compile_file
from tools.device_files import ROOTS
from tools.mpy_code import viper_functions

# Each operation once before it is counted; what surrounds it is subtracted. The AES of a chip is hardware: its
# stand-in here computes the first time, remembers, and stops the counter. So all of sealing is counted but the cipher.
PROGRAM = """
import gc
from wattpact_protocol import steps
from wattpact_protocol.crypto import _ed25519_portable, _ed25519_viper, _sha512_viper, aes, ed25519, x25519
from wattpact_protocol.sealing import content, period_keys
seed, message = bytes(range(32)), b"m" * 96
MASK = (1 << 32) - 1
stopped = 0

known = {}

def remembering(name, function):
    def answer(*arguments):
        global stopped
        start = instructions()
        call = (name, tuple([bytes(argument) for argument in arguments]))
        if call not in known:
            known[call] = function(*arguments)
        result = known[call]
        stopped += instructions() - start & MASK
        return result
    return answer

class Chip:
    pass

for name in dir(aes._backend):
    if name[0] != "_" and callable(getattr(aes._backend, name)):
        setattr(Chip, name, remembering(name, getattr(aes._backend, name)))
aes._backend = Chip

def count(function, *arguments):
    global stopped
    gc.collect()
    stopped = 0
    start = instructions()
    result = function(*arguments)
    return (instructions() - start & MASK) - stopped, result

def show(name, function, *arguments):
    count(function, *arguments)
    work, result = count(function, *arguments)
    print(name, work - nothing, (result if isinstance(result, bytes) else bytes((result is True,))).hex())

def unchecked(*_):
    yield
    return True

nothing = 0
nothing = count(lambda *_: None, seed, message)[0]
key, signature = ed25519.public_key(seed), ed25519.sign(seed, message)
show("sign_and_check", ed25519.sign, seed, message)
check = _ed25519_viper.verify_steps
_ed25519_viper.verify_steps = unchecked
show("sign", ed25519.sign, seed, message)
_ed25519_viper.verify_steps = check
show("verify", ed25519.verify, key, message, signature)

def new_key():
    _ed25519_viper._expanded = (b"", b"", b"", b"")
    return ed25519.public_key(seed)

show("public_key", new_key)
show("x25519", x25519.shared, seed, b"\\x09" + bytes(31))
show("sha512_1", _sha512_viper.digest, bytes(111))
show("sha512_2", _sha512_viper.digest, bytes(111 + 128))
where = period_keys.context(bytes(16), bytes(8), 1, 1, 1)
show("seal", lambda: steps.finish(content.seal_steps(bytes(48), where, 1, b"c" * 95, 96)).ciphertext)
"""
PORTABLE = """
from wattpact_protocol.crypto import _sha512_portable, _x25519_portable, sha512
sha512.digest = _sha512_portable.digest

def show(name, function, *arguments):
    print(name, count(function, *arguments)[0] - nothing, "")

show("public_key", _ed25519_portable.public_key, seed)
show("sign", _ed25519_portable.sign, seed, message)
show("verify", _ed25519_portable.verify, key, message, signature)
show("x25519", _x25519_portable.shared, seed, b"\\x09" + bytes(31))
show("sha512_1", _sha512_portable.digest, bytes(111))
show("sha512_2", _sha512_portable.digest, bytes(111 + 128))
"""
COMPARED = ("public_key", "sign", "verify", "x25519", "sha512_1", "sha512_2")
# An ESP32 reads machine code into RAM, from an image too; from plain files also constants and bytecode. Tables are the
# bytes and arrays that a module keeps, wherever they are.
LOADING = """
import gc, io, os, uctypes
from array import array

class Files:
    def mount(self, *_):
        pass
    def umount(self):
        pass
    def stat(self, path):
        return os.stat("/rom" + path)
    def open(self, path, mode):
        with open("/rom" + path, "rb") as file:
            return io.BytesIO(file.read())

def size(value):
    if isinstance(value, tuple):
        return sum([size(part) for part in value])
    if isinstance(value, (bytes, bytearray, array)) and uctypes.addressof(value) < IMAGE_ADDRESS:
        return len(bytes(value))
    return 0

if FROM_FILES:
    vfs.mount(Files(), "/files")
    sys.path[:] = ["/files"]
import wattpact_protocol
gc.collect()
before = gc.mem_alloc()
for name in NAMES:
    __import__("wattpact_protocol." + name)
gc.collect()
heap = gc.mem_alloc() - before
tables = {}
for name in [name for name in sys.modules if name.startswith("wattpact_protocol.")]:
    tables.update({id(value): size(value) for value in sys.modules[name].__dict__.values()})
print(heap, sum(tables.values()), *[name.split(".")[2] for name in sys.modules if name.count(".") == 2])
"""


class Work(NamedTuple):
    """Instructions of one operation: in machine code, in big integers of the same MicroPython, in C by level."""

    what: str
    machine_code: int
    big_integers: int | None = None
    c: "dict[str, int] | None" = None


class DisagreementError(Exception):
    """C and machine code did not compute the same, so that their work cannot be compared."""


def works() -> list[Work]:
    """What is measured, with all that it is compared with."""
    lines = [line.split() for line in riscv_system.run(PROGRAM + PORTABLE, counted=True, timeout_s=120).splitlines()]
    ours = {words[0]: int(words[1]) for words in lines[: -len(COMPARED)]}
    big = {words[0]: int(words[1]) for words in lines[-len(COMPARED) :]}
    results = {words[0]: bytes.fromhex(words[2]) for words in lines if len(words) == 3}
    levels = {level: c_peer.measure(level) for level in ("-O2", "-Os")} if not c_peer.available() else {}
    for operations in levels.values():
        for name, operation in operations.items():
            if results[name] != operation.result and not name.startswith("sha512"):
                raise DisagreementError(f"{name}: {results[name].hex()} here, {operation.result.hex()} in C")
    c = {level: {name: operation.instructions for name, operation in made.items()} for level, made in levels.items()}
    for counts in (ours, big, *c.values()):
        counts["sha512"] = counts["sha512_2"] - counts["sha512_1"]
    big["sign"] -= big["public_key"]  # which it computes anew each time

    def work(what: str, name: str) -> Work:
        peer = {level: counts[name] for level, counts in c.items() if name in counts}
        return Work(what, ours[name], big.get(name), peer or None)

    ours["self_check"] = ours["sign_and_check"] - ours["sign"]
    return [
        work("sign 96 bytes, the key known", "sign"),
        work("self-verification", "self_check"),
        work("verify", "verify"),
        work("public key of a new seed", "public_key"),
        work("X25519, a shared secret", "x25519"),
        work("seal 96 bytes, without AES itself", "seal"),
        work("SHA-512, a block more", "sha512"),
    ]


class Loaded(NamedTuple):
    """Bytes of RAM that a module takes, with all that it imports; tables are those that are not read in the image."""

    machine_code: int
    tables: int
    heap: int


def loaded(*names: str, from_files: bool = False) -> Loaded:
    """From a ROMFS image or from files; the heap has machine code and what of the tables is not left in the image."""
    program = LOADING.replace("FROM_FILES", str(from_files)).replace("NAMES", repr(names))
    program = program.replace("IMAGE_ADDRESS", str(riscv_system.IMAGE_ADDRESS))
    heap, tables, *modules = riscv_system.run(program).split()
    return Loaded(sum(_machine_code(module) for module in modules if module.endswith("_viper")), int(tables), int(heap))


def _machine_code(module: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "module.mpy"
        compile_file(ROOTS["wattpact_protocol"] / "crypto" / f"{module}.py", module, compiled, riscv_system.ARCH)
        return sum(map(len, viper_functions(compiled.read_bytes())))


def machine_code_alone(chip: machine_code.Chip) -> dict[str, int]:
    """Instructions of machine code in signing and verifying 96 bytes, without the Python that calls it."""
    seed, message = bytes(range(32)), b"m" * 96
    key, signature = _ed25519_host.public_key(seed), _ed25519_host.sign(seed, message)

    def sign(backend: ModuleType) -> None:
        backend.public_key(seed)
        with mock.patch.object(backend, "verify_steps", _unchecked):
            backend.sign(seed, message)

    def count(work: Callable[[ModuleType], object]) -> int:
        return emulated_viper.instructions(chip, "_ed25519_viper", work)

    public_key = count(lambda backend: backend.public_key(seed))
    return {
        "sign": count(sign) - public_key,
        "verify": count(lambda backend: backend.verify(key, message, signature)),
    }


def _unchecked(*_: bytes) -> Generator[None, None, bool]:
    yield
    return True
