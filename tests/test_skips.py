"""A test that lacks something skips, and fails where all is required; what is shown elsewhere skips there too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SAMPLE = """
import case, pytest

def test_by_case():
    case.data("p1")

def test_of_another_kind():
    raise case.Skip("needs root")

def test_shown_elsewhere():
    case.only_micropython("only it can show this")

@pytest.fixture
def absent():
    raise case.Skip("needs a program")

def test_by_fixture(absent):
    pass
"""


@pytest.mark.parametrize(
    ("required", "closing"),
    [("0", "4 skipped"), ("1", "2 failed, 1 skipped, 1 error")],
    ids=["optional", "required"],
)
def test_what_is_missing(tmp_path: Path, required: str, closing: str):
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    environment = {
        **os.environ,
        "PYTHONPATH": str(TESTS),
        "WATTPACT_DATA": str(tmp_path / "absent"),
        "WATTPACT_REQUIRE_ALL": required,
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conftest", "test_sample.py"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert result.stdout.splitlines()[-1].startswith(closing + " in"), result.stdout
