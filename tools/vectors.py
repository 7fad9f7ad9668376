"""Writes protocol/vectors/*.json: cases that every implementation of the protocol must agree on.

    python tools/vectors.py             write them all anew
    python tools/vectors.py --check     write nothing; show what would change, and fail if anything would

One function here makes one file. Each case has a name and the clause that decides it. The values are reviewed by hand
and anchored in published ones (RFC 8949, RFC 8032, RFC 3610, RFC 5869, ...): a generator that shares the codec's bug
would prove nothing.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "protocol" / "vectors"
sys.path.insert(0, str(ROOT / "protocol"))
sys.path.insert(0, str(ROOT))

from tools import (  # noqa: E402
    vectors_aead,
    vectors_ed25519,
    vectors_entries,
    vectors_ledger,
    vectors_primitives,
    vectors_sealing,
    vectors_x25519,
)

FILES: dict[str, Callable[[], dict[str, Any]]] = {
    "cbor": vectors_primitives.cbor_cases,
    "ed25519": vectors_ed25519.ed25519_cases,
    "x25519": vectors_x25519.x25519_cases,
    "cose": vectors_primitives.cose_cases,
    "entry": vectors_entries.entry_cases,
    "hkdf": vectors_aead.hkdf_cases,
    "ccm": vectors_aead.ccm_cases,
    "sealing": vectors_sealing.sealing_cases,
    "ledger": vectors_ledger.ledger_cases,
    "mangled": vectors_entries.mangled_cases,
}


def render(cases: dict[str, Any]) -> str:
    """One case a line, so that a changed case is a changed line."""
    parts = []
    for name, value in cases.items():
        if isinstance(value, list):
            lines = ",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in value)
            parts.append(f"{json.dumps(name)}: [\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def difference(name: str, text: str) -> list[str]:
    """Lines of a diff between the file and what it would be; empty where they agree."""
    path = VECTORS / f"{name}.json"
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    label = str(path.relative_to(ROOT))
    return list(difflib.unified_diff(old.splitlines(), text.splitlines(), label, label + " (new)", lineterm=""))


def main() -> int:
    parser = argparse.ArgumentParser(description="Write protocol/vectors/*.json.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file would change")
    check = parser.parse_args().check
    changed = 0
    for name, make in FILES.items():
        text = render(make())
        lines = difference(name, text)
        changed += bool(lines)
        print("\n".join(lines) if check and lines else f"{name}: {'changed' if lines else 'as it was'}")
        if lines and not check:
            VECTORS.mkdir(parents=True, exist_ok=True)
            (VECTORS / f"{name}.json").write_text(text, encoding="utf-8")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
