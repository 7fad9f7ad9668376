"""How tests written for both Pythons behave under pytest, and what may skip.

A test that raises case.Skip skips. Where WATTPACT_REQUIRE_ALL=1 is set, as on the machine that checks a change, it
fails, but for what is shown elsewhere.
"""

from collections.abc import Generator
from typing import NoReturn

import case
import pytest
from hypothesis import settings

# The same cases each time: a failure seen once can be seen again.
settings.register_profile("wattpact", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("wattpact")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    try:
        return (yield)
    except case.Skip as skip:
        _end(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """A fixture's skip too, which pytest raises anew for each test that wants the fixture."""
    try:
        yield
    except case.Skip as skip:
        _end(skip)


def _end(skip: case.Skip) -> NoReturn:
    if case.is_missed(skip):
        pytest.fail(f"it must not skip where WATTPACT_REQUIRE_ALL=1: {skip}", pytrace=False)
    pytest.skip(str(skip))
