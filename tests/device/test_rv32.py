"""The machine code that an ESP32-C3 gets, executed: fields, the comb's table and SHA-512, right and counted."""

import hashlib
import random
from pathlib import Path

import case
import pytest
import rv32
from wattpact_protocol import _ed25519_table, _sha512_constants

PRIME = (1 << 255) - 19


@pytest.fixture(autouse=True)
def needs_tools() -> None:
    if rv32.missing():
        raise case.Skip(f"{rv32.missing()} is not installed")


def words(number: int) -> bytes:
    return b"".join((number >> 13 * k & 8191).to_bytes(4, "little") for k in range(20))


def limbs(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 4], "little", signed=True) for at in range(0, len(data), 4)]


def value(data: bytes, index: int) -> int:
    return sum(limb << 13 * k for k, limb in enumerate(limbs(data)[20 * index : 20 * index + 20]))


def lower_half_first(data: bytes) -> bytes:
    return b"".join(data[at : at + 8][::-1] for at in range(0, len(data), 8))


def test_field_arithmetic(tmp_path: Path) -> None:
    run = rv32.Functions("_field25519_viper", tmp_path)
    rng = random.Random("rv32")
    program = bytes((1, 2, 0, 1, 2, 3, 0, 5, 3, 4, 0, 1, 4, 5, 0, 1, 5, 6, 0, 1, 6, 7, 0, 1, 1, 8, 4, 5, 0))
    pairs = [((1 << 260) - 1, (1 << 260) - 1), (0, PRIME)]
    for a, b in pairs + [(rng.getrandbits(260), rng.getrandbits(260)) for _ in range(6)]:
        numbers = words(a) + words(b) + bytes(560)
        left = run.call("run", bytes(480), 0, numbers, program).buffers[1]
        for index, right in enumerate((a * b, pow(a, 32, PRIME), a + b, a - b, a + b, a - b, (a + b) * (a - b)), 2):
            assert (value(left, index) - right) % PRIME == 0, (index, a, b)
    empty, product, square = (
        run.call("run", bytes(480), 0, numbers, bytes(program)).instructions
        for program in ((0,), (1, 2, 0, 1, 0), (2, 2, 0, 1, 0))
    )
    assert product - empty < 4000 and square - empty < 3000


def test_the_table_is_read_alike_for_all_digits(tmp_path: Path) -> None:
    functions = rv32.Functions("_scalar25519_viper", tmp_path)
    rng, counts = random.Random("comb"), set()
    table = _ed25519_table.POINTS
    for place in (0, 16 + 5, 32 + 12, 48):
        digits = rng.getrandbits(260)
        result = functions.call("select", table, place, bytes(240), words(digits))
        bits = [digits >> 52 * tooth + 13 * (place >> 4) + (place & 15) & 1 for tooth in range(5)]
        index = sum((bit == bits[4]) << tooth for tooth, bit in enumerate(bits[:4]))
        start = 1920 * (place >> 5) + 4 * index
        entry = b"".join(table[start + 64 * word :][:4] for word in range(30))
        expected = [int.from_bytes(entry[at : at + 2], "little") for at in range(0, 120, 2)]
        if not bits[4]:
            expected = expected[20:40] + expected[:20] + [-limb for limb in expected[40:]]
        assert limbs(result.buffers[1]) == expected
        counts.add(result.instructions)
    assert len(counts) == 1


def test_sha512(tmp_path: Path) -> None:
    functions = rv32.Functions("_sha512_viper", tmp_path)
    block = b"abc\x80" + bytes(122) + b"\x00\x18"
    expanded = functions.call("_expand", bytes(656), block, 0)
    state, constants = lower_half_first(_sha512_constants.START), lower_half_first(_sha512_constants.ROUND)
    done = functions.call("_rounds", bytes(704), expanded.buffers[0], constants, state)
    assert lower_half_first(done.buffers[3]) == hashlib.sha512(b"abc").digest()
    assert expanded.instructions + done.instructions < 65_000
