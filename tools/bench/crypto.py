"""Cryptography in instructions, on 32-bit MicroPython: beside the same in big integers, and on RV32 in C.

python -m tools.bench.crypto [--keys N]
"""

import argparse
import sys

from tools import machine_code, riscv_system
from tools.bench import agreement, counting, riscv

# Assumed of an ESP32, which nothing here ran on: docs/reference/bench.md has the reasons. Machine code is in fast RAM,
# the interpreter in flash behind a cache.
ESP32_HZ = 240_000_000
CYCLES_OF_CODE = (1.2, 2.0)
CYCLES_OF_INTERPRETER = (2.0, 4.0)
# What machine code does is marked twice: the first time links the C library's functions.
PROGRAM = """
from wattpact_protocol.crypto import _ed25519_portable, _ed25519_viper, _sha512_portable, _sha512_viper, sha512
from wattpact_protocol.crypto import _x25519_portable, _x25519_viper
seed, message = bytes(range(32)), b"m" * 96
signature, key = _ed25519_viper.sign(seed, message), _ed25519_viper.public_key(seed)
verify_steps = _ed25519_viper.verify_steps

def unchecked(*_):
    yield
    return True

def measure(function, *arguments):
    gc.collect()
    mark()
    function(*arguments)
    mark()

mark(); mark(); mark()
_ed25519_viper.verify_steps = unchecked
measure(_ed25519_viper.sign, seed, message)
_ed25519_viper.verify_steps = verify_steps
measure(_ed25519_viper.verify, key, message, signature)
measure(_ed25519_viper.public_key, b"s" * 32)
measure(_sha512_viper.digest, bytes(111))
measure(_sha512_viper.digest, bytes(111 + 128))
measure(_ed25519_portable.verify, key, message, signature)
sha512.digest = _sha512_portable.digest
measure(_ed25519_portable.public_key, seed)
measure(_ed25519_portable.sign, seed, message)
measure(_ed25519_portable.verify, key, message, signature)
measure(_sha512_portable.digest, bytes(111))
measure(_sha512_portable.digest, bytes(111 + 128))
measure(_x25519_viper.shared, seed, seed)
measure(_x25519_portable.shared, seed, seed)
"""
STEPS = """
from wattpact_protocol.crypto import _ed25519_viper
seed, message = bytes(range(32)), b"m" * 96
signature, key = _ed25519_viper.sign(seed, message), _ed25519_viper.public_key(seed)
mark(); mark(); mark()
for make in (_ed25519_viper.sign_steps, (seed, message)), (_ed25519_viper.sign_steps, (b"s" * 32, message)):
    gc.collect()
    steps = make[0](*make[1])
    going = True
    while going:
        mark()
        try:
            next(steps)
        except StopIteration:
            going = False
        mark()
"""
KEYS = """
import hashlib
import micropython
from wattpact_protocol.crypto import _ed25519_viper
from wattpact_protocol.crypto import _scalar25519_viper as scalar
nothing = _ed25519_viper._expanded

@micropython.viper
def fill(target: ptr8, source: ptr8, at: int, size: int):
    for i in range(size):
        target[i] = source[at + i]

def unchecked(*_):
    yield
    return True

def expand_and_sign(seed, message):
    mark()
    for _ in _ed25519_viper.sign_steps(seed, message):
        pass
    mark()

# Checking the signature is work on what is public, and may take as long as that needs.
_ed25519_viper.verify_steps = unchecked
gc.disable()
mark(); mark(); mark()
random = b"".join([hashlib.sha256(b"%d" % n).digest() for n in range(4 * COUNT + 4)])
seed, message = bytes(32), bytes(96)
for at in range(0, len(random), 128):
    # The same objects and the same free memory each time: how long it takes to copy bytes depends on where they are.
    _ed25519_viper._expanded = nothing
    fill(seed, random, at, 32)
    fill(message, random, at + 32, 96)
    for _ in unchecked():
        pass  # MicroPython keeps the last value that a generator returned: let it be this one's
    gc.collect()
    expand_and_sign(seed, message)
"""


def work_of_keys(count: int, change: str = "") -> list[int]:
    """Instructions to expand a seed and sign 96 bytes, for so many random ones; `change` is code that runs before."""
    program = KEYS.replace("COUNT", str(count))
    found = counting.counts(program.replace("gc.disable()\n", change + "\ngc.disable()\n"))
    return found[1:]  # the first one links and warms up


def longest_step() -> int:
    """Instructions of the longest step of signing and checking, with a known seed and with a new one."""
    return max(counting.counts(STEPS))


def table() -> list[tuple[str, int, int]]:
    """(what, instructions in machine code, the same in big integers)"""
    *counts, shared, shared_big = counting.counts(PROGRAM)
    sign, verify, key, one, two, _, key_big, sign_big, verify_big, one_big, two_big = counts
    return [
        ("public key of a new seed", key, key_big),
        ("sign 96 bytes, key known", sign, sign_big - key_big),
        ("verify, or check its own", verify, verify_big),
        ("sign and check", sign + verify, sign_big - key_big + verify_big),
        ("X25519, a shared secret", shared, shared_big),
        ("SHA-512, a block more", two - one, two_big - one_big),
    ]


def print_riscv() -> None:
    """A whole RV32 MicroPython, where there is one; and the machine code alone on it and on Xtensa."""
    missing = riscv_system.available() or machine_code.missing()
    if missing:
        print(f"RV32: not counted, {missing}\n")
        return
    print("RV32 instructions, QEMU           machine code   big integers   ratio     C, -O2     C, -Os   ratio")
    works = riscv.works()
    for work in works:
        cells = f"{work.what:32} {work.machine_code:13,}"
        if work.big_integers:
            cells += f" {work.big_integers:14,} {work.big_integers / work.machine_code:7.1f}"
        if work.c:
            cells += f" {work.c['-O2']:10,} {work.c['-Os']:10,} {work.machine_code / min(work.c.values()):7.1f}"
        print(cells)
    for name in ("crypto.ed25519", "crypto.x25519", "sealing.content"):
        kept = riscv.loaded(name, from_files=True)
        print(f"{name}: {kept.machine_code:,} bytes of machine code, {kept.tables:,} of tables, {kept.heap:,} of heap"
              f" in all from files, {riscv.loaded(name).heap:,} from an image")  # fmt: skip
    alone = {arch: riscv.machine_code_alone(chip) for arch, chip in machine_code.CHIPS.items()}
    whole = {work.what.split()[0]: work.machine_code for work in works}
    for operation, count in alone["rv32imc"].items():
        xtensa = alone["xtensawin"][operation]
        print(f"{operation}, machine code alone: {count:,} in RV32, {xtensa:,} in Xtensa, ratio {xtensa / count:.2f}")
        rest = (whole[operation] - count) * xtensa // count
        least, most = (
            (xtensa * code + rest * interpreter) / ESP32_HZ * 1000
            for code, interpreter in zip(CYCLES_OF_CODE, CYCLES_OF_INTERPRETER, strict=True)
        )
        print(f"   from these, an estimate and no measurement: {least:.0f} to {most:.0f} ms on an ESP32 at 240 MHz")
    print()


def main() -> int:
    parser = argparse.ArgumentParser(description="Count the instructions of signatures on 32-bit MicroPython.")
    parser.add_argument("--keys", type=int, default=200, help="how many keys to compare the work of")
    keys = parser.parse_args().keys
    reason = counting.available()
    if reason:
        print(reason, file=sys.stderr)
        return 1
    print_riscv()
    print("i386 instructions, callgrind          machine code   big integers   ratio")
    for what, viper, portable in table():
        print(f"{what:36} {viper:13,} {portable:14,} {portable / viper:7.1f}")
    print(f"longest step of signing and checking {longest_step():13,}")
    work = sorted(set(work_of_keys(keys)))
    print(f"new seed and signature, {keys} random ones: " + ", ".join(f"{count:,}" for count in work))
    print(f"longest step of agreeing on a secret {agreement.longest_step():13,}")
    work = sorted(set(agreement.work_of_secrets(keys)))
    print(f"shared secret, {keys} random ones: " + ", ".join(f"{count:,}" for count in work))
    return 0


if __name__ == "__main__":
    sys.exit(main())
