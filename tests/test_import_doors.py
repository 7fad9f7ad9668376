"""The doors beside an import statement: what the import table's rules do not see is not used, here or on the page.

Each rule is also shown to fail on a snippet that breaks it.
"""

import ast
import re
from collections.abc import Iterator

import pytest
from test_architecture import HOST, MAY_IMPORT, METER, Module, Rule, read_modules
from test_page_imports import SOURCES

# Modules that load others by a name which a table of theirs holds; `once`, by a name that it is given.
BY_NAME = {"wattpact.cli.frame", "wattpact_meter.load_order", "wattpact_meter.once", "wattpact_meter.sources.kinds"}
LOADERS = {"__import__", "import_module", "modules", "resolve_name", "exec", "eval"}
# What stays in a checkout: nothing that is installed or flashed imports it.
LEFT_BEHIND = {"case", "conftest", "simulator", "tests", "tools"}
PAGE_DOOR = re.compile(r"""\bimport\(|\brequire\(|["']\.\./|["']\./[^"'/]+/[^"']*(?<!\.css)["']""")


def names(module: Module) -> Iterator[str]:
    """Every name that its code uses, by whatever way it came."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name


def modules_are_loaded_by_statements(module: Module) -> Iterator[str]:
    """Nothing that loads a module or runs a text as a program."""
    if module.name not in BY_NAME:
        yield from (f"{module.name} uses {name}" for name in sorted({*names(module)} & LOADERS))


def a_folder_as_a_whole_imports_nothing_of_itself(module: Module) -> Iterator[str]:
    """`import wattpact` loads no package of it: else every package would import that one, whatever the table has."""
    if module.name in MAY_IMPORT:
        yield from (
            f"{module.name} imports {name}" for name in sorted(module.imports) if name.split(".")[0] == module.top
        )


def nobody_reaches_a_package_through_the_folder(module: Module) -> Iterator[str]:
    """`import wattpact` and then `wattpact.store.records` names a package that no import statement names."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (f"{module.name} imports {alias.name} whole" for alias in node.names if alias.name in MAY_IMPORT)


def what_is_shipped_needs_no_checkout(module: Module) -> Iterator[str]:
    for name in sorted({name.split(".")[0] for name in module.imports} & LEFT_BEHIND):
        yield f"{module.name} imports {name}"


def boards_are_on_top_of_the_meter(module: Module) -> Iterator[str]:
    if module.top != "boards":
        yield from (
            f"{module.name} imports {name}" for name in sorted(module.imports) if name.split(".")[0] == "boards"
        )


def projections_hold_integers(module: Module) -> Iterator[str]:
    """Energy passes through these on its way to a bill, as through those that `test_architecture` names."""
    if module.top != HOST or module.part not in ("projections", "store", "ingest"):
        return
    for node in ast.walk(module.tree):
        floats = isinstance(node, ast.Constant) and isinstance(node.value, float)
        divides = isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div)
        if floats or divides or (isinstance(node, ast.Call) and ast.unparse(node.func) == "float"):
            yield f"{module.name}:{getattr(node, 'lineno', 0)} computes with floats"


RULES: list[Rule] = [
    modules_are_loaded_by_statements,
    a_folder_as_a_whole_imports_nothing_of_itself,
    nobody_reaches_a_package_through_the_folder,
    what_is_shipped_needs_no_checkout,
    boards_are_on_top_of_the_meter,
    projections_hold_integers,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule: Rule):
    assert [broken for module in read_modules() for broken in rule(module)] == []


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (modules_are_loaded_by_statements, "wattpact.accounts.fold", "from importlib import import_module as f"),
        (modules_are_loaded_by_statements, "wattpact.accounts.fold", "import importlib as i\ni.import_module('x')"),
        (modules_are_loaded_by_statements, "wattpact.accounts.fold", "exec('import wattpact.store')"),
        (modules_are_loaded_by_statements, "wattpact.accounts.fold", "import sys\nsys.modules['wattpact.store']"),
        (modules_are_loaded_by_statements, "wattpact.accounts.fold", "import pkgutil\npkgutil.resolve_name('x')"),
        (a_folder_as_a_whole_imports_nothing_of_itself, HOST, "from wattpact.store import records"),
        (a_folder_as_a_whole_imports_nothing_of_itself, METER, "import wattpact_meter.core.meter"),
        (
            nobody_reaches_a_package_through_the_folder,
            "wattpact.accounts.fold",
            "import wattpact\nwattpact.store.records",
        ),
        (what_is_shipped_needs_no_checkout, "wattpact.store.records", "from tools import vectors"),
        (what_is_shipped_needs_no_checkout, "wattpact.store.records", "import simulator.community"),
        (boards_are_on_top_of_the_meter, "wattpact_meter.core.meter", "import boards.virtual"),
        (projections_hold_integers, "wattpact.projections.settled", "energy_wh = total / 2"),
        (projections_hold_integers, "wattpact.store.records", "share = 0.5"),
    ],
)
def test_rule_can_fail(rule: Rule, name: str, source: str):
    assert len(list(rule(Module(name, source, name in MAY_IMPORT)))) >= 1


def test_the_page_is_one_folder_and_loads_by_statements_alone():
    """So `test_page_imports` sees every module of it, and each import."""
    assert [path for path in SOURCES.rglob("*.ts*") if path.parent != SOURCES] == []
    found = [(path.name, hit) for path in SOURCES.glob("*.ts*") for hit in PAGE_DOOR.findall(path.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize("source", ['await import("./a")', 'import { a } from "../a";', 'import x from "./parts/a";'])
def test_another_door_of_the_page_is_seen(source: str):
    assert PAGE_DOOR.search(source)
    assert not PAGE_DOOR.search('import "./styles/base.css";\nimport { a } from "./a";')


def test_modules_that_load_by_name_are_there_and_do():
    """None of the exceptions above outlives its reason."""
    assert {module.name for module in read_modules() if {*names(module)} & LOADERS} == BY_NAME
