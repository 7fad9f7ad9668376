"""No sum of machine code's field arithmetic leaves 32 bits, whatever the numbers: every program on ranges of limbs.

The programs are read from the source, since their module loads on MicroPython alone.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "protocol" / "wattpact_protocol" / "crypto"
SOURCES = [PACKAGE / "_curve25519_viper.py", PACKAGE / "_x25519_viper.py"]
LIMIT = 1 << 31
Range = tuple[int, int]
# What a product or a carried sum leaves: 13 bits, and in limb 2 a few more, either way.
CARRIED: Range = (-4, 8191 + 4)
SUM: Range = (-8191 - 8, 2 * (8191 + 4) - 7584)  # of two such, not carried
ADDEND: Range = (-SUM[1], SUM[1])  # a number of a table of multiples, or its negative


def programs() -> dict[str, list[bytes]]:
    found: dict[str, object] = {}
    for node in [node for source in SOURCES for node in ast.parse(source.read_text()).body]:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = eval(ast.unparse(node.value), {"bytes": bytes}, found)
            except NameError:
                continue
    listed = {name: value if isinstance(value, tuple) else (value,) for name, value in found.items()}
    return {name: list(value) for name, value in listed.items() if all(isinstance(one, bytes) for one in value)}


PROGRAMS = {name: parts for name, parts in programs().items() if parts[0][-1:] == b"\0" and len(parts[0]) > 1}


def largest(*ranges: Range) -> int:
    return max(abs(end) for one in ranges for end in one)


def product(a: Range, b: Range) -> Range:
    """Limbs are multiplied: 20 products in a column, 13-bit carries of the columns above it 608 times, and a carry."""
    column = 20 * largest(a) * largest(b)
    assert column + 608 * 8192 + (column >> 13) + 608 < LIMIT, (a, b)
    return carried(column)


def carried(largest_limb: int) -> Range:
    """What comes out of the top goes in 608 times below, and reaches limb 2 with 4 at most."""
    top = (largest_limb >> 13) + 1
    assert 608 * top + 8192 < LIMIT and (608 * top >> 13) + 8192 < 5 * 8192 < LIMIT
    return CARRIED


def execute(program: bytes, numbers: dict[int, Range]) -> None:
    for at in range(0, len(program) - 1, 4):
        op, target, first, second = program[at : at + 4]
        a = numbers.get(first, CARRIED)
        b = numbers.get(second, CARRIED)
        if op == 1:
            numbers[target] = product(a, b)
        elif op == 2:
            product(a, a)
            numbers[target] = product(CARRIED, CARRIED)
        elif op == 3:
            numbers[target] = (a[0] + b[0] - 8191, a[1] + b[1] - 7584)
        elif op == 4:
            numbers[target] = (a[0] - b[1], a[1] - b[0])
        else:
            total = largest(a) + (121665 if op == 7 else 1) * largest(b)
            assert total + (total >> 13) + 1 < LIMIT, (op, a, b)
            numbers[target] = carried(total)
    assert program[-1] == 0 and (len(program) - 1) % 4 == 0


def test_every_program_is_found():
    assert set(PROGRAMS) >= {"DOUBLE", "ADD_AFFINE", "ADD", "_POWER", "_INVERT_AFFINE", "_QUOTIENT", "_CANDIDATE"}
    assert set(PROGRAMS) >= {"_COLUMN", "_MONTGOMERY", "_STEP"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_sum_leaves_32_bits(name: str):
    for program in PROGRAMS[name]:
        ready = (9, 10, 11, 12, 13, 14) if name in ("_COLUMN", "ADD", "ADD_AFFINE") else (9,)
        numbers = {13: (0, 0), 14: (0, 1), **dict.fromkeys(ready, ADDEND)}
        execute(program, numbers)
        wide = [number for number in range(4) if largest(numbers.get(number, CARRIED)) > 8191 + 8]
        assert not wide, wide


def test_a_sum_too_large_is_noticed():
    for program in ((3, 5, 0, 1, 3, 5, 5, 5, 1, 6, 5, 5, 0), (3, 5, 0, 1, 3, 5, 5, 5, 7, 6, 0, 5, 0)):
        with pytest.raises(AssertionError):
            execute(bytes(program), {})
