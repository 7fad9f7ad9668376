"""Lean sources: the same code in the same lines, with nothing in it that is named and not there."""

import ast
import builtins
import subprocess
import sys
from collections.abc import Iterator

import on_micropython
import pytest

from tools.compile_device import compile_device
from tools.device_files import ROOTS
from tools.lean.__main__ import place
from tools.lean.device import lean_sources, leaner
from tools.lean.leaner import Leaner

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
LINKED = frozenset(name for name in NAMES if ".log." in name)


def run(leaner: Leaner) -> list[object]:
    """What `results` gives where modules are what the leaner makes of them."""
    wholes = {part: package for package in leaner.links.packages() for part in leaner.links.parts(package)}
    sources: dict[str, str] = {}
    for name in [part for package in leaner.links.packages() for part in leaner.links.parts(package)] + [
        name for name in NAMES if name not in wholes
    ]:
        whole = wholes.get(name, name)
        sources[whole] = sources.get(whole, "") + leaner.lean(name)
    program = (
        f"import sys, types\nsources = {sources!r}\n"
        + """
for name, source in sources.items():
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
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert not result.stderr, result.stderr
    found: list[object] = ast.literal_eval(result.stdout)
    return found


EXPECTED = [-1, 6, -1, "texttext", 40, 4, -2, 3, b"l", -2]


@pytest.mark.parametrize("linked", [frozenset(), LINKED])
def test_lean_code_does_the_same(linked: "frozenset[str]"):
    assert run(Leaner(NAMES, linked)) == EXPECTED


def test_constants_are_where_they_are_used_and_nowhere_else():
    lean = Leaner(NAMES)
    numbers, users = lean.lean("wattpact_protocol.log.numbers"), lean.lean("wattpact_protocol.log.users")
    for name in ("FIRST", "SECOND", "BOTH", "TEXT", "TYPE_CHECKING", "__slots__"):
        assert name not in numbers and name not in users, name
    assert "value: int = (-2)" in numbers and "'texttext'" in users
    assert "LONG" in numbers and "LONG" in users  # two modules use it: there it would be twice
    assert "def unused" in numbers


@pytest.mark.parametrize("linked", [frozenset(), LINKED])
def test_lines_stay_where_they_are(linked: "frozenset[str]"):
    lean = Leaner(NAMES, linked)
    for name, source in NAMES.items():
        lines, before = lean.lean(name).split("\n"), source.split("\n")
        returns = [number for number, line in enumerate(lines) if "return" in line]
        assert len(lines) == len(before) and returns and all("return" in before[number] for number in returns)


def test_what_is_linked_is_one_module_without_what_nothing_there_uses():
    lean = Leaner(NAMES, LINKED)
    assert lean.links.parts("wattpact_protocol.log") == ["wattpact_protocol.log.numbers", "wattpact_protocol.log.users"]
    numbers, users = (lean.lean(name) for name in lean.links.parts("wattpact_protocol.log"))
    assert "unused" not in numbers and "value_that_is_held" not in numbers
    assert "def numbers_name(" in numbers and "import" not in users
    assert "def users_open(" in users  # `open` would hide Python's own from the rest of the package
    assert "from wattpact_protocol import log as protocol_log" in lean.lean("wattpact_meter.reader")
    program = lean.program("from wattpact_protocol.log import numbers\nprint(numbers.FIRST, numbers.name())\n")
    assert program.splitlines()[1] == "print(1, protocol_log.numbers_name())"


def tops(tree: ast.Module) -> "set[str]":
    """The names that a module has once it is loaded."""
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
    return found


@pytest.fixture(scope="module")
def linked() -> "dict[str, ast.Module]":
    return {name: WithoutAnnotations().visit(ast.parse(code)) for name, code in lean_sources(links=True)}


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


def missing(linked: "dict[str, ast.Module]") -> Iterator[str]:
    """Names and attributes of packages that are nowhere given a value."""
    packages = {name.removesuffix("/__init__.py").replace("/", "."): tops(tree) for name, tree in linked.items()}
    known = {*dir(builtins), "micropython", "ptr8", "ptr16", "ptr32", "uint"}
    for name, tree in linked.items():
        held = tops(tree) | {arg.arg for arg in ast.walk(tree) if isinstance(arg, ast.arg)} | known
        aliases = {
            alias.asname: f"{node.module}.{alias.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
            for alias in node.names if alias.asname
        }  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in held:
                yield f"{name}:{node.lineno} {node.id}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                package = packages.get(aliases.get(node.value.id, ""))
                if package is not None and node.attr not in package:
                    yield f"{name}:{node.lineno} {node.value.id}.{node.attr}"


def test_nothing_is_named_that_is_not_there(linked: "dict[str, ast.Module]"):
    assert not list(missing(linked))
    broken = {name: tree for name, tree in linked.items() if "protocol/log" not in name}
    broken["wattpact_protocol/log/__init__.py"] = ast.parse("")
    assert any("protocol_log." in name for name in missing(broken))


def test_packages_that_every_meter_loads_are_linked(linked: "dict[str, ast.Module]"):
    for name in ("wattpact_protocol/log", "wattpact_protocol/guard", "wattpact_meter/core", "wattpact_meter/trade"):
        assert name + "/__init__.py" in linked
        assert not [other for other in linked if other.startswith(name + "/") and not other.endswith("__init__.py")]
    bytecode = dict(lean_sources(links=True, machine_code=False))
    for name in ("_ed25519_portable", "_sha512_portable", "_x25519_portable"):  # each one of two that do the same
        assert f"wattpact_protocol/crypto/{name}.py" in bytecode and f"wattpact_protocol/crypto/{name}.py" not in linked
    assert "wattpact_meter/drivers/wifi.py" in linked  # which no board without Wi-Fi loads
    order = ast.unparse(linked["wattpact_meter/load_order.py"])
    assert "metering" in order and "metering." not in order


def test_a_line_of_a_package_is_found_in_its_source():
    links = leaner(True).links
    whole = "\n".join(leaner(True).lean(name) for name in links.parts("wattpact_protocol.log")).split("\n")
    for number, line in enumerate(whole, 1):
        if line.startswith(("def ", "class ")):
            name, at = place("wattpact_protocol.log", number) or ("", 0)
            source = (ROOTS["wattpact_protocol"].parent / name.replace(".", "/")).with_suffix(".py").read_text()
            assert source.split("\n")[at - 1].split()[0] == line.split()[0]
    assert place("wattpact_protocol.log", len(whole) + 1) is None


def test_the_linked_modules_load_in_their_order(tmp_path):
    compile_device(on_micropython.architecture(), tmp_path, links=True)
    program = f"import sys; sys.path[:] = [{str(tmp_path)!r}, '.frozen']\n" + leaner(True).program(
        "from wattpact_meter import load_order\nload_order.load()\nfrom wattpact_protocol.log import kinds\n"
        "from wattpact_protocol.encoding import cbor\nimport sys\n"
        "print(kinds.name(kinds.GRANT), cbor.decode(cbor.encode([1, {2: b'3'}])))\n"
        "print(len([name for name in sys.modules if name.startswith('wattpact')]))\n"
    )
    lines = on_micropython.run("-c", program).stdout.splitlines()
    assert lines[0] == "grant [1, {2: b'3'}]"
    assert int(lines[1]) < 40  # of 64 in all, past which MicroPython's collector walks over all that is alive
