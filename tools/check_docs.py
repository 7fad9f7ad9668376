"""Checks the documents: every relative link leads to a file and a heading that exist, every rule cited by its number
and every file, module and name of ours in backticks exists, and the command reference and the module map are what
their tools write.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]\n]*\]\(<?([^()\s>]+)>?(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
OUTSIDE = re.compile(r"^[a-z][a-z0-9+.-]*:")
RULE = re.compile(r"\]\(([\w./-]+\.md)(?:#[\w-]+)?\), (?:rules? )?(\d+)\b")
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PLACE = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
DOTTED = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\(.*\))?")
# Where a path in a document may start.
ROOTS = ("", "protocol/wattpact_protocol", "firmware/wattpact_meter", "host/wattpact", "protocol", "firmware", "host")
# What a checkout does not hold, and what only looks like a path.
ELSEWHERE = ("build/", "dist/", "host/web/dist", "wattpact/1", "wattpact/k", "wattpact/w")


def tracked(root: Path, *patterns: str) -> list[Path]:
    """The files that belong to the project: what git tracks or would."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sorted(root / name for name in set(listed.split("\0")) if name and (root / name).is_file())


def documents(root: Path) -> list[Path]:
    return tracked(root, "*.md")


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


def absent_rules(document: Path, root: Path) -> Iterator[str]:
    """Rules that a document cites by the number, after a link to their page, and that are not there."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    for target, number in RULE.findall(" ".join(text.split())):
        page = document.parent / target
        if page.exists() and not re.search(rf"^ *{number}\. ", page.read_text(encoding="utf-8"), re.MULTILINE):
            yield f"{document.relative_to(root)}: {target} has no rule {number}"


class Names:
    """What a document may name: the files of the project, their folders, and what its Python modules define."""

    def __init__(self, root: Path) -> None:
        paths = tracked(root)
        files = {path.relative_to(root).as_posix() for path in paths}
        folders = {parent.as_posix() for file in files for parent in Path(file).parents}
        self.places = files | folders
        self.last = {place.rpartition("/")[2] for place in self.places}
        self.tops = {file.partition("/")[0] for file in files if "/" in file}
        self.modules: dict[str, list[Path]] = {}
        for path in paths:
            if path.suffix == ".py" and path.name != "__init__.py":
                self.modules.setdefault(path.stem, []).append(path)
        self.packages = {Path(place).name for place in folders if place + "/__init__.py" in files}

    def has_place(self, place: str) -> bool:
        """A path from the checkout or from a package, with or without the suffix of a module; or a file's bare name."""
        bare = place.rstrip("/")
        if "*" in bare:
            return any(Path(known).match(bare) for known in self.places)
        if bare.startswith("_") and "/" not in bare:
            return any(known.endswith(bare) for known in self.last)
        starts = [f"{start}/{bare}".lstrip("/") for start in ROOTS]
        return any(start in self.places or start + ".py" in self.places for start in starts) or bare in self.last

    def lacks(self, span: str) -> bool:
        """Whether it is the name of something of ours that is not there."""
        if span.startswith((*ELSEWHERE, ".")) or span in self.last:
            return False
        if PLACE.fullmatch(span) and ("/" in span or span.endswith(".py")):
            is_ours = span.endswith(".py") or span.partition("/")[0] in self.tops | self.packages
            return is_ours and not self.has_place(span)
        dotted = DOTTED.fullmatch(span)
        return dotted is not None and self._lacks_name(dotted[1].split("."))

    def _lacks_name(self, steps: list[str]) -> bool:
        """`cbor.decode`, `wattpact.views.visible`: a name of a module of ours, or a module of a package of ours."""
        if steps[0] in ("wattpact", "wattpact_protocol", "wattpact_meter", "boards", "tools"):
            top = {"wattpact": "host/wattpact", "tools": "tools", "boards": "firmware/boards"}
            start = top.get(steps[0]) or next(root for root in ROOTS if root.endswith(steps[0]))
            whole, owner = "/".join([start, *steps[1:]]), "/".join([start, *steps[1:-1]])
            return not {whole, whole + ".py"} & self.places and steps[-1] not in defined(CHECKOUT / (owner + ".py"))
        owners = self.modules.get(steps[-2], [])
        return bool(owners) and not any(steps[-1] in defined(path) for path in owners) and steps[-1] != "py"


@cache
def defined(path: Path) -> set[str]:
    """The names that a module has at its top, and the attributes of its classes."""
    if not path.is_file():
        return set()
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


def absent_names(document: Path, root: Path, names: Names) -> Iterator[str]:
    """What a document names in backticks that is not there."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    for span in SPAN.findall(text):
        if names.lacks(span):
            yield f"{document.relative_to(root)}: `{span}` is not there"


def main() -> int:
    found = documents(CHECKOUT)
    names = Names(CHECKOUT)
    broken = [line for document in found for line in broken_links(document, CHECKOUT)]
    broken += [line for document in found for line in absent_rules(document, CHECKOUT)]
    broken += [line for document in found for line in absent_names(document, CHECKOUT, names)]
    print("\n".join(broken) if broken else f"links and names: resolved in {len(found)} documents")
    written = ("tools.cli_reference", "tools.module_map")
    parted = [subprocess.run([sys.executable, "-m", tool, "--check"], cwd=CHECKOUT).returncode for tool in written]
    return 1 if broken or any(parted) else 0


if __name__ == "__main__":
    sys.exit(main())
