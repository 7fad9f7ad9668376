"""Holds two rules of the architecture: imports go one way, and energy, money and time are integers.

    command line, web -> node -> gossip, market, ledger, store -> protocol <- firmware

Each rule is also shown to fail on a snippet that breaks it.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
ROOTS = [CHECKOUT / "protocol", CHECKOUT / "firmware", CHECKOUT / "host"]

HARDWARE = {"bluetooth", "esp", "esp32", "machine", "neopixel", "network"}
PROTOCOL_MAY_IMPORT = {"binascii", "collections", "hashlib", "struct", "sys", "wattpact_protocol"}
HOST_BACKENDS_MAY_IMPORT = {"cbor2", "cryptography", "hmac", "nacl", "re", "typing"}
TOP = {"api", "cli", "demo", "web"}
PARTS = {"gossip", "ledger", "market", "store"}
# No module may reach, through whatever lies between, a module of these.
OUT_OF_REACH = {
    **dict.fromkeys(PARTS, TOP | {"node"}),
    "node": TOP,
    "audit": TOP | {"ledger", "market", "node", "store"},
}
PURE = {"ledger", "market"}
# The parts that an auditor runs, and what each may import of the host besides itself.
AUDITED_WITH = {"audit": {"bundle", "disclosure", "money"}, "bundle": set(), "disclosure": set(), "money": set()}
EXACT = {"audit", "bill", "bundle", "disclosing", "disclosure", "ledger", "market", "settlement", "statement"}


class Module:
    """One source file: its dotted name, and the modules that it imports, wherever in the file.

    `loaded` leaves out those that stand under `if TYPE_CHECKING:`, which no interpreter runs.
    """

    def __init__(self, name: str, source: str, is_package: bool = False) -> None:
        self.name = name
        self.tree = ast.parse(source)
        package = name if is_package else name.rpartition(".")[0]
        self.imports = set(imported(self.tree, package))
        self.loaded = set(imported(WithoutTypes().visit(ast.parse(source)), package))

    @property
    def top(self) -> str:
        return self.name.split(".")[0]

    @property
    def part(self) -> str:
        """What of the host it belongs to: wattpact.ledger.accounts is of the ledger."""
        return (self.name + ".").split(".")[1] if self.top == "wattpact" else ""


class WithoutTypes(ast.NodeTransformer):
    def visit_If(self, node: ast.If) -> ast.AST:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
        return self.generic_visit(node)


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Every module an import may load. `from a import b` may load a.b, so both are named."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            ancestors = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*ancestors, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "importlib.import_module"):
            first = node.args[0] if node.args else None
            yield first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else "?"


def tops(module: Module) -> set[str]:
    return {name.split(".")[0] for name in module.imports}


def protocol_imports_only_itself(module: Module) -> Iterator[str]:
    if module.top == "wattpact_protocol":
        allowed = set(PROTOCOL_MAY_IMPORT)
        if module.name.endswith("_host"):
            allowed |= HOST_BACKENDS_MAY_IMPORT
        if module.name.endswith("_viper"):
            allowed |= {"array", "micropython"}
        if module.name.endswith("_cryptolib"):
            allowed.add("cryptolib")
        if "typing" not in module.loaded:
            allowed.add("typing")
        yield from (f"{module.name} imports {name}" for name in sorted(tops(module) - allowed))


def firmware_and_host_never_meet(module: Module) -> Iterator[str]:
    device = {"wattpact_meter", "boards"}
    other = device if module.top == "wattpact" else {"wattpact"} if module.top in device else set()
    yield from (f"{module.name} imports {name}" for name in sorted(tops(module) & other))


def only_drivers_and_boards_touch_hardware(module: Module) -> Iterator[str]:
    if module.top != "boards" and not module.name.startswith("wattpact_meter.drivers"):
        yield from (f"{module.name} imports {name}" for name in sorted(tops(module) & HARDWARE))


def ledger_and_market_import_only_the_protocol(module: Module) -> Iterator[str]:
    if module.part in PURE:
        own = f"wattpact.{module.part}"
        for name in sorted(module.imports - {"wattpact"}):
            top = name.split(".")[0]
            inside = top in sys.stdlib_module_names or top == "wattpact_protocol" or (name + ".").startswith(own + ".")
            if not inside:
                yield f"{module.name} imports {name}"


def the_audit_imports_few_parts(module: Module) -> Iterator[str]:
    for name in sorted(module.imports - {"wattpact"} if module.part in AUDITED_WITH else ()):
        top, part = name.split(".")[0], (name + ".").split(".")[1]
        inside = top in sys.stdlib_module_names or top == "wattpact_protocol"
        if not inside and not (top == "wattpact" and part in AUDITED_WITH[module.part] | {module.part}):
            yield f"{module.name} imports {name}"


def no_part_reaches_upwards(modules: Iterable[Module]) -> Iterator[str]:
    known = {module.name: module for module in modules}
    for start in known.values():
        forbidden = OUT_OF_REACH.get(start.part, set())
        for name, path in reach(start, known):
            if known[name].part in forbidden:
                yield " -> ".join(path)


def reach(start: Module, known: dict[str, Module]) -> Iterator[tuple[str, list[str]]]:
    """Every module loaded with `start`, packages around a module included, and the way to it."""
    seen, waiting = {start.name}, [(start.name, [start.name])]
    while waiting:
        name, path = waiting.pop()
        for target in sorted(known[name].imports | {name}):
            steps = target.split(".")
            for loaded in (".".join(steps[: count + 1]) for count in range(len(steps))):
                if loaded in known and loaded not in seen:
                    seen.add(loaded)
                    waiting.append((loaded, [*path, loaded]))
                    yield loaded, [*path, loaded]


def amounts_are_integers(module: Module) -> Iterator[str]:
    if module.top == "wattpact" and module.part not in EXACT:
        return
    for node in ast.walk(module.tree):
        where = f"{module.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            yield f"{where} has the literal {node.value!r}"
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            yield f"{where} divides with /"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield f"{where} calls float()"


def read_modules() -> list[Module]:
    modules = []
    for root in ROOTS:
        for path in sorted(root.rglob("*.py")):
            if "node_modules" in path.parts:
                continue
            steps = path.relative_to(root).with_suffix("").parts
            is_package = steps[-1] == "__init__"
            name = ".".join(steps[:-1] if is_package else steps)
            modules.append(Module(name, path.read_text(encoding="utf-8"), is_package))
    return modules


Rule = Callable[[Module], Iterator[str]]
RULES: list[Rule] = [
    protocol_imports_only_itself,
    firmware_and_host_never_meet,
    only_drivers_and_boards_touch_hardware,
    ledger_and_market_import_only_the_protocol,
    the_audit_imports_few_parts,
    amounts_are_integers,
]


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return read_modules()


def test_every_part_is_looked_at(modules: list[Module]):
    assert {module.top for module in modules} >= {"wattpact_protocol", "wattpact_meter", "boards", "wattpact"}
    assert {module.part for module in modules} >= {"audit", "cli"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule: Rule, modules: list[Module]):
    assert [broken for module in modules for broken in rule(module)] == []


def test_no_part_reaches_upwards(modules: list[Module]):
    assert list(no_part_reaches_upwards(modules)) == []


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (protocol_imports_only_itself, "wattpact_protocol.entry", "import time"),
        (protocol_imports_only_itself, "wattpact_protocol.entry", "def f():\n    from os import urandom"),
        (protocol_imports_only_itself, "wattpact_protocol.cbor", "try:\n    import cbor2\nexcept ImportError: pass"),
        (protocol_imports_only_itself, "wattpact_protocol.cbor", "x = __import__('cbor2')"),
        (protocol_imports_only_itself, "wattpact_protocol.ccm", "import cryptolib"),
        (protocol_imports_only_itself, "wattpact_protocol.cbor", "x = __import__(name)"),
        (protocol_imports_only_itself, "wattpact_protocol.cbor", "from typing import Any"),
        (protocol_imports_only_itself, "wattpact_protocol.cbor", "if TYPE_CHECKING:\n    import wattpact"),
        (protocol_imports_only_itself, "wattpact_protocol.ed25519", "from wattpact import nothing"),
        (protocol_imports_only_itself, "wattpact_protocol.entry", "from ...wattpact_meter import guard"),
        (protocol_imports_only_itself, "wattpact_protocol._cbor_host", "import wattpact_meter"),
        (firmware_and_host_never_meet, "wattpact_meter.guard", "from wattpact.ledger import accounts"),
        (firmware_and_host_never_meet, "boards.virtual", "import wattpact"),
        (firmware_and_host_never_meet, "wattpact.node", "import boards.virtual"),
        (only_drivers_and_boards_touch_hardware, "wattpact_meter.metering", "from machine import Pin"),
        (only_drivers_and_boards_touch_hardware, "wattpact.node", "import network"),
        (ledger_and_market_import_only_the_protocol, "wattpact.ledger.accounts", "from wattpact import store"),
        (ledger_and_market_import_only_the_protocol, "wattpact.ledger", "from . import market"),
        (ledger_and_market_import_only_the_protocol, "wattpact.market", "import numpy"),
        (the_audit_imports_few_parts, "wattpact.audit.page", "from wattpact import bill"),
        (the_audit_imports_few_parts, "wattpact.audit.page", "import cryptography"),
        (the_audit_imports_few_parts, "wattpact.disclosure", "from wattpact import keys"),
        (the_audit_imports_few_parts, "wattpact.disclosure", "from wattpact import bundle"),
        (amounts_are_integers, "wattpact_protocol.settlement", "share = 0.5"),
        (amounts_are_integers, "wattpact_meter.metering", "energy_wh = total / 3600"),
        (amounts_are_integers, "wattpact.ledger.accounts", "total /= 2"),
        (amounts_are_integers, "wattpact.bill", "due = float(text)"),
    ],
)
def test_rule_can_fail(rule: Rule, name: str, source: str):
    assert len(list(rule(Module(name, source)))) >= 1


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (protocol_imports_only_itself, "wattpact_protocol._cbor_host", "import cbor2"),
        (protocol_imports_only_itself, "wattpact_protocol.cbor", "from . import _cbor_host\nimport struct"),
        (protocol_imports_only_itself, "wattpact_protocol.cbor", "if TYPE_CHECKING:\n    from typing import Any"),
        (only_drivers_and_boards_touch_hardware, "wattpact_meter.drivers.relay", "from machine import Pin"),
        (ledger_and_market_import_only_the_protocol, "wattpact.ledger.accounts", "from . import transfer"),
        (the_audit_imports_few_parts, "wattpact.audit.page", "from wattpact import disclosure"),
        (the_audit_imports_few_parts, "wattpact.disclosure", "from wattpact_protocol import sealing"),
        (amounts_are_integers, "wattpact_meter.metering", "energy_wh = total // 3600"),
        (amounts_are_integers, "wattpact.node", "timeout = 0.5"),
    ],
)
def test_rule_allows_what_it_should(rule: Rule, name: str, source: str):
    assert list(rule(Module(name, source))) == []


@pytest.mark.parametrize(
    "sources",
    [
        {"wattpact.store": "from wattpact import node", "wattpact.node": ""},
        {"wattpact.store": "import wattpact.paths", "wattpact.paths": "from .cli import main", "wattpact.cli": ""},
        {"wattpact.node": "from wattpact.api import app", "wattpact.api.app": ""},
        {"wattpact.audit": "import wattpact.bill", "wattpact.bill": "import wattpact.ledger", "wattpact.ledger": ""},
    ],
    ids=["direct", "through another", "of a package", "audit"],
)
def test_reaching_upwards_is_seen(sources: dict[str, str]):
    assert list(no_part_reaches_upwards([Module(name, source) for name, source in sources.items()]))


def test_a_package_that_loads_everything_is_seen():
    package = Module("wattpact", "from . import ledger", is_package=True)
    modules = [package, Module("wattpact.ledger", ""), Module("wattpact.audit", "")]
    assert list(no_part_reaches_upwards(modules)) == ["wattpact.audit -> wattpact -> wattpact.ledger"]
