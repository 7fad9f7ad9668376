"""Secrets decide neither branch nor length: signing executes as many instructions for every seed and message, and
agreeing on a secret for every one of the own.

Counted exactly, with callgrind on 32-bit MicroPython. The changes that the count must notice are shown to be noticed;
WATTPACT_KEYS sets how many keys are compared.
"""

import ast
import os

import case
import pytest

from tools.bench import agreement, counting, crypto
from tools.device_files import ROOTS

KEYS = int(os.environ.get("WATTPACT_KEYS", case.cases(24, 8)))
SCALAR = ROOTS["wattpact_protocol"] / "crypto" / "_scalar25519_viper.py"


def mutated(name: str, old: str, new: str) -> str:
    """A copy of a function in machine code with one line changed, in the place of the right one."""
    source = SCALAR.read_text()
    node = next(one for one in ast.parse(source).body if isinstance(one, ast.FunctionDef) and one.name == name)
    text = ast.get_source_segment(source, node)
    assert text is not None and text.count(old) == 1, (name, old)
    return f"@micropython.viper\n{text.replace(old, new)}\nscalar.{name} = {name}\n"


# The results stay right; what is skipped is what would change nothing.
LEAKS = {
    "a point that is negated only where it has to be": mutated(
        "select", "    while n:  # y + x and y - x change places", "    while n & minus:"
    ),
    "a branch on a bit of the nonce": """
select = scalar.select
def leaky(points, place, point, digits):
    if digits[7] & 1:
        place = place + 0
    select(points, place, point, digits)
scalar.select = leaky
""",
    "arithmetic whose length is the secret's": """
multiply_add = scalar.multiply_add
def leaky(t, left, x, factors):
    sum([factors[k] << 13 * k for k in range(20, 40)]) % 1000003
    multiply_add(t, left, x, factors)
scalar.multiply_add = leaky
""",
}


AGREEMENT_LEAKS = {
    "numbers that are exchanged only where they have to be": mutated(
        "exchange", "    blocks = 2", "    blocks = 2 & mask"
    ),
    "a step of the ladder that reads a bit": """
exchange = scalar.exchange
def leaky(numbers, s, secret, place):
    if secret[place >> 3] >> (place & 7) & 1:
        s = 1
    exchange(numbers, s, secret, place)
scalar.exchange = leaky
""",
}


@pytest.fixture(autouse=True)
def needs_counting() -> None:
    if counting.available():
        raise case.Skip(counting.available())


def test_every_key_is_the_same_work() -> None:
    work = crypto.work_of_keys(KEYS)
    assert len(work) == KEYS and len(set(work)) == 1, sorted(set(work))


@pytest.mark.parametrize("change", LEAKS.values(), ids=LEAKS)
def test_a_leak_is_noticed(change: str) -> None:
    case.only_thorough()
    assert len(set(crypto.work_of_keys(KEYS, change))) > 1


@pytest.mark.parametrize("function", ["shared", "public_key"])
def test_every_secret_is_the_same_work(function: str) -> None:
    work = agreement.work_of_secrets(KEYS, function=function)
    assert len(work) == KEYS and len(set(work)) == 1, sorted(set(work))


@pytest.mark.parametrize("change", AGREEMENT_LEAKS.values(), ids=AGREEMENT_LEAKS)
def test_a_leak_of_agreement_is_noticed(change: str) -> None:
    case.only_thorough()
    assert len(set(agreement.work_of_secrets(8, change))) > 1


def test_a_copy_that_leaks_nothing_is_not_noticed() -> None:
    case.only_thorough()
    assert len(set(agreement.work_of_secrets(8, mutated("exchange", "    blocks = 2", "    blocks = 1 + 1")))) == 1
    assert len(set(crypto.work_of_keys(8, mutated("select", "    limb = s >> 4", "    limb = s >> 3 + 1")))) == 1


def test_no_step_is_longer_than_a_meter_can_wait() -> None:
    assert 0 < crypto.longest_step() < 400_000
    assert 0 < agreement.longest_step() < 400_000


def test_signing_is_far_ahead_of_big_integers() -> None:
    case.only_thorough()
    ratios = {what: big / viper for what, viper, big in crypto.table()}
    assert len(ratios) == 6 and min(ratios.values()) > 12, ratios
    assert ratios["sign 96 bytes, key known"] > 15, ratios
