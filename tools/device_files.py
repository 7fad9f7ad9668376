"""Which files go onto a meter, and under what names: wattpact_protocol, wattpact_meter and the boards.

Left out: backends that only a host can run, whose names end in _host.py; sentences that only a host shows, in files
whose names end in _texts.py; and what makes a package of a folder and holds nothing: to MicroPython a folder is one by
itself, and each such file would cost heap.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
ROOTS = {
    "wattpact_protocol": CHECKOUT / "protocol" / "wattpact_protocol",
    "wattpact_meter": CHECKOUT / "firmware" / "wattpact_meter",
    "boards": CHECKOUT / "firmware" / "boards",
}


def device_files() -> Iterator[tuple[str, Path]]:
    """Each file as its name on the device and its place here, in a fixed order."""
    for name, root in ROOTS.items():
        for path in sorted(root.rglob("*.py")):
            if not path.name.endswith(("_host.py", "_texts.py")) and not _holds_nothing(path):
                yield f"{name}/{path.relative_to(root).as_posix()}", path


def _holds_nothing(path: Path) -> bool:
    """A package's own file without anything but words about it."""
    return path.name == "__init__.py" and len(ast.parse(path.read_text(encoding="utf-8")).body) <= 1
