"""Secrets decide neither branch nor length: signing executes as many instructions for every seed and message.

Counted exactly, with callgrind on 32-bit MicroPython. The changes that the count must notice are shown to be noticed.
"""

import case
import pytest

from tools.bench import counting, crypto

KEYS = 24
LEAKS = {
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


@pytest.fixture(autouse=True)
def needs_counting() -> None:
    if counting.available():
        raise case.Skip(counting.available())


def test_every_key_is_the_same_work() -> None:
    work = crypto.work_of_keys(KEYS)
    assert len(work) == KEYS and len(set(work)) == 1, sorted(set(work))


@pytest.mark.parametrize("change", LEAKS.values(), ids=LEAKS)
def test_a_leak_is_noticed(change: str) -> None:
    assert len(set(crypto.work_of_keys(KEYS, change))) > 1


def test_no_step_is_longer_than_a_meter_can_wait() -> None:
    assert 0 < crypto.longest_step() < 400_000


def test_signing_is_far_ahead_of_big_integers() -> None:
    ratios = {what: big / viper for what, viper, big in crypto.table()}
    assert len(ratios) == 5 and min(ratios.values()) > 13, ratios
