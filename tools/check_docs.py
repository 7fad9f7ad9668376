"""Checks the documents: every relative link leads to a file and a heading that exist, and, where docs/reference/cli.md
exists, it is what `python tools/cli_reference.py` writes.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]\n]*\]\(<?([^()\s>]+)>?(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
OUTSIDE = re.compile(r"^[a-z][a-z0-9+.-]*:")


def documents(root: Path) -> list[Path]:
    """The Markdown files that belong to the project: what git tracks or would."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", "*.md"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sorted(root / name for name in set(listed.split("\0")) if name and (root / name).is_file())


def anchors(text: str) -> set[str]:
    """The fragments that the headings of a document can be reached by, as Git hosts make them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = 0
        while (name := f"{slug}-{count}" if count else slug) in found:
            count += 1
        found.add(name)
    return found


def broken_links(document: Path, root: Path) -> Iterator[str]:
    """What is wrong with the relative links of one document."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if OUTSIDE.match(target):
            continue
        path, _, fragment = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        name = document.relative_to(root)
        if not file.exists() or not file.is_relative_to(root):
            yield f"{name}: {target} leads nowhere"
        elif fragment and file.suffix == ".md" and fragment not in anchors(file.read_text(encoding="utf-8")):
            yield f"{name}: {target} names no heading of that document"


def main() -> int:
    found = documents(CHECKOUT)
    broken = [line for document in found for line in broken_links(document, CHECKOUT)]
    print("\n".join(broken) if broken else f"links: resolved in {len(found)} documents")
    reference = 0
    if (CHECKOUT / "docs" / "reference" / "cli.md").exists():
        command = [sys.executable, str(CHECKOUT / "tools" / "cli_reference.py"), "--check"]
        reference = subprocess.run(command).returncode
    return 1 if broken or reference else 0


if __name__ == "__main__":
    sys.exit(main())
