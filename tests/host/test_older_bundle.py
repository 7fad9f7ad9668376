"""A bundle made by the program as it was before its modules moved (commit e36fde3) audits as it did then.

`bundle_e36fde3` holds what an auditor was given, and the report that the audit of that time printed.
"""

import json
import subprocess
import sys
from pathlib import Path

GIVEN = Path(__file__).parent / "bundle_e36fde3"
SAME = ("verdict", "subject", "statement", "verified", "lines", "estimated", "void")


def audited(bundle: Path, *more: "str | Path") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "wattpact.audit", bundle, "--root", GIVEN / "root.hex", "--json", *more]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)


def test_it_agrees_with_every_figure():
    result = audited(GIVEN / "bundle", "--keys", GIVEN / "keys")
    then, now = json.loads((GIVEN / "report.json").read_text()), json.loads(result.stdout)
    assert result.returncode == 0 and now["verdict"] == "agrees"
    assert {name: now[name] for name in SAME} == {name: then[name] for name in SAME}


def test_without_the_keys_it_is_undecided_and_names_what_is_missing():
    result = audited(GIVEN / "bundle")
    assert result.returncode == 2 and "key period" in result.stdout + result.stderr


def test_a_flipped_byte_is_refuted(tmp_path: Path):
    data = bytearray((GIVEN / "bundle").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bundle").write_bytes(data)
    assert audited(tmp_path / "bundle", "--keys", GIVEN / "keys").returncode == 1
