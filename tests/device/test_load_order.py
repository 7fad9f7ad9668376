"""The order in which a meter loads its modules: complete, and each after all that it imports."""

import ast
from pathlib import Path

from wattpact_meter import load_order

from tools.device_files import ROOTS

PREFIXES = ("wattpact_protocol.", "wattpact_meter.")


def module_files() -> "dict[str, Path]":
    return {
        ".".join((top, *path.relative_to(ROOTS[top]).with_suffix("").parts)): path
        for top in ("wattpact_protocol", "wattpact_meter")
        for path in ROOTS[top].rglob("*.py")
        if path.stem != "__init__"
    }


def loads(path: Path) -> "set[str]":
    """The modules that loading this file loads: imports outside of functions and of `if TYPE_CHECKING`."""
    found: set[str] = set()
    waiting = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, (ast.If, ast.Try)) and "TYPE_CHECKING" not in ast.unparse(node).split("\n")[0]:
            waiting += ast.iter_child_nodes(node)
        elif isinstance(node, ast.ExceptHandler):
            waiting += node.body
    return {name for name in found if name.startswith(PREFIXES) and not name.endswith("_host")}


def order() -> "list[str]":
    protocol, meter = load_order.PROTOCOL.split(), load_order.METER.split()
    return [PREFIXES[0] + name for name in protocol] + [PREFIXES[1] + name for name in meter]


def test_each_module_comes_after_what_it_imports():
    files, seen = module_files(), set()
    for name in order():
        late = {other for other in loads(files[name]) if other in files} - seen
        assert not late, f"{name} is loaded before {sorted(late)}"
        seen.add(name)


def test_it_is_all_that_the_application_needs():
    files, needed, waiting = module_files(), set(), ["wattpact_meter.app"]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [other for other in loads(files[name]) if other in files]
    assert needed <= set(order())
    assert len(order()) == len(set(order()))
