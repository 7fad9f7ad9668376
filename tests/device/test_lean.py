"""Lean sources: the same code in the same lines, with nothing in it that is named and not there."""

import ast
import builtins
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import on_micropython
import pytest

from tools.compile_device import compile_device
from tools.lean import joined
from tools.lean.leaner import Leaner
from tools.lean.program import Program
from tools.lean.scopes import Module, bound_by

NAMES = {
    "wattpact_protocol.log.numbers": """
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
FIRST, SECOND = 1, -2
BOTH = (FIRST, SECOND)
TEXT = "text" * 2
LONG = b"l" * 40
counted = 0

class Held:
    __slots__ = ("value",)

    def __init__(self, value_that_is_held: "Any") -> None:
        self.value = value_that_is_held

def name(value: int = SECOND) -> int:
    global counted
    counted += FIRST
    return value + max([value for value in BOTH])

def unused() -> int:
    return name()
""",
    "wattpact_protocol.log.users": """
from wattpact_protocol.log import numbers
from wattpact_protocol.log.numbers import LONG, TEXT
from wattpact_protocol.log.numbers import name as other

def open(name: int) -> "tuple[object, ...]":
    found = [lambda at: at + numbers.FIRST, numbers.Held]
    return other(), other(name), numbers.name(), TEXT, len(LONG), found[0](3), found[1](numbers.SECOND).value

def count() -> int:
    return numbers.counted
""",
    "wattpact_meter.reader": """
from wattpact_protocol.log import numbers, users
from wattpact_protocol.log.users import open as read

def results() -> "list[object]":
    return [*read(5), users.count(), numbers.LONG[:1], numbers.BOTH[1]]
""",
}
JOINED = [name for name in NAMES if ".log." in name]
RUN = """
import sys, types
sources = SOURCES
for name in sources:
    while name:
        sys.modules.setdefault(name, types.ModuleType(name))
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules.setdefault(parent, types.ModuleType(parent)), last, sys.modules[name])
        name = parent
for name, source in sources.items():
    exec(source, vars(sys.modules[name]))
print(sys.modules["wattpact_meter.reader"].results())
"""


def lean_apart() -> "dict[str, str]":
    return {name: Leaner(NAMES).lean(name) for name in NAMES}


def lean_joined() -> "dict[str, str]":
    lean = lean_apart()
    modules = {name: Module(name.replace(".", "/") + ".py", source) for name, source in lean.items()}
    program = Program(modules, JOINED)
    whole = "".join(text for _, text in joined.sections(program))
    others = {name: joined.text_of(program, modules[name]) for name in lean if name not in JOINED}
    return {joined.LINKED: whole, **others}


@pytest.mark.parametrize("make", [lambda: NAMES, lean_apart, lean_joined])
def test_lean_code_does_the_same(make: "Callable[[], dict[str, str]]"):
    program = RUN.replace("SOURCES", repr(make()))
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert not result.stderr, result.stderr
    assert ast.literal_eval(result.stdout) == [-1, 6, -1, "texttext", 40, 4, -2, 3, b"l", -2]


def test_constants_are_where_they_are_used_and_nowhere_else():
    lean = lean_apart()
    numbers, users = lean["wattpact_protocol.log.numbers"], lean["wattpact_protocol.log.users"]
    for name in ("FIRST", "SECOND", "BOTH", "TEXT", "TYPE_CHECKING", "__slots__"):
        assert name not in numbers and name not in users, name
    assert "value: int = (-2)" in numbers and "'texttext'" in users
    assert "LONG" in numbers and "LONG" in users  # two modules use it: there it would be twice


def test_lines_stay_where_they_are():
    for name, source in lean_apart().items():
        lines, before = source.split("\n"), NAMES[name].split("\n")
        returns = [number for number, line in enumerate(lines) if "return" in line]
        assert len(lines) == len(before) and returns and all("return" in before[number] for number in returns)


class WithoutAnnotations(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant("")
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)


def missing(trees: "dict[str, ast.Module]") -> "Iterator[str]":
    """Names, and imports of the joined module, that are nowhere given a value."""
    whole = bound(trees["wattpact.py"])
    for file, tree in trees.items():
        held = bound(tree) | {*dir(builtins), "micropython", "ptr8", "ptr16", "ptr32", "uint"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in held:
                yield f"{file}:{node.lineno} {node.id}"
            if isinstance(node, ast.ImportFrom) and node.module == joined.LINKED:
                yield from (f"{file}:{node.lineno} {alias.name}" for alias in node.names if alias.name not in whole)


def bound(tree: ast.Module) -> "set[str]":
    """The names that anything in a module gives a value."""
    return set(bound_by(list(ast.walk(tree)))) | {arg.arg for arg in ast.walk(tree) if isinstance(arg, ast.arg)}


def test_nothing_is_named_that_is_not_there():
    files = joined.joined_files(on_micropython.architecture())
    trees = {name: WithoutAnnotations().visit(ast.parse(text)) for name, text in files.items()}
    assert not list(missing(trees))
    assert list(missing({**trees, "wattpact.py": ast.parse("")}))


def test_what_is_joined_loads_and_is_one_module(tmp_path: Path):
    program = (
        "from wattpact_meter import load_order\nload_order.load()\nfrom wattpact_protocol.log import kinds\n"
        "from wattpact_protocol.encoding import cbor\nimport sys\n"
        "print(kinds.name(kinds.GRANT), cbor.decode(cbor.encode([1, {2: b'3'}])))\n"
        "print(sorted([name for name in sys.modules if name.startswith('wattpact')]))\n"
    )
    compile_device(on_micropython.architecture(), tmp_path, programs={"program.py": program})
    lines = on_micropython.run("-c", f"import sys; sys.path[:] = [{str(tmp_path)!r}, '.frozen']\nimport program")
    assert lines.stdout.splitlines() == [
        "grant [1, {2: b'3'}]", "['wattpact', 'wattpact_meter', 'wattpact_meter.load_order']"
    ]  # fmt: skip
