"""How tests written for both Pythons behave under pytest, and what may skip.

A test that raises case.Skip skips. Where WATTPACT_REQUIRE_DATA=1 is set, as on the machine that checks a change, a test
that would skip because the shared data is missing fails instead.
"""

import os
from collections.abc import Generator

import case
import pytest
from hypothesis import settings

# The same cases each time: a failure seen once can be seen again.
settings.register_profile("wattpact", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("wattpact")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    try:
        return (yield)
    except case.Skip as skip:
        pytest.skip(str(skip))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """A fixture's skip too, which pytest raises anew for each test that wants the fixture."""
    try:
        yield
    except case.Skip as skip:
        pytest.skip(str(skip))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and "WATTPACT_DATA" in str(report.longrepr) and os.environ.get("WATTPACT_REQUIRE_DATA") == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped, and WATTPACT_REQUIRE_DATA=1 forbids that: {report.longrepr}"
    return report
