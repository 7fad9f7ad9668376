"""Holds three rules of the architecture: packages import as in the table, no modules import each other in a circle,
and energy, money and time are integers.

Each rule is also shown to fail on a snippet that breaks it.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
ROOTS = [CHECKOUT / "protocol", CHECKOUT / "firmware", CHECKOUT / "host"]

PROTOCOL, METER, HOST = "wattpact_protocol", "wattpact_meter", "wattpact"

# Which packages of its own each package may import, and nothing else. A module beside packages is one by itself.
# A package that is not here fails, and so does a permission that nothing uses.
MAY_IMPORT = {
    PROTOCOL: {
        "steps": "",
        "crypto": "steps",
        "encoding": "",
        "log": "encoding steps",
        "sealing": "log encoding crypto steps",
        "guard": "",
        "ledger": "log encoding crypto",
        "settlement": "ledger log encoding crypto",
        "sync": "log encoding crypto",
    },
    METER: {
        "load_order": "",
        "service_wanted": "",
        "service": "service_wanted",
        "clock": "",
        "storage": "",
        "metering": "storage clock",
        "once": "",
        "settings": "once metering",
        "setting_checks": "metering settings",
        "sources": "metering settings setting_checks clock",
        "control": "metering storage",
        "trade": "",
        "log": "metering trade storage clock",
        "sync": "log control trade storage",
        "core": "sync log control metering trade storage settings clock",
        "status": "core trade",
        "drivers": "clock",
        "app": "core control log storage status clock",
    },
    HOST: {
        "keys": "",
        "store": "keys",
        "membership": "store keys",
        "market": "store keys",
        "ingest": "membership store",
        "accounts": "",
        "bundle": "",
        "ordering": "bundle store keys",
        "quorum": "consensus ordering store keys",
        "witness": "ordering bundle store keys",
        "consensus": "store keys",
        "projections": "ordering ingest accounts store keys",
        "sync": "ingest membership store",
        "billing": "projections accounts bundle store",
        "audit": "bundle",
        "node": "quorum ordering sync projections ingest market membership store keys",
        "views": "billing projections accounts bundle store keys",
        "api": "views node membership store",
        "device": "",
        "simulation": "quorum consensus device node sync billing audit projections ordering accounts membership store"
        " keys",
        "cli": "quorum consensus api views simulation node witness billing audit bundle projections ordering accounts"
        " market membership store keys",
    },
}  # fmt: skip

HARDWARE = {"bluetooth", "esp", "esp32", "machine", "neopixel", "network"}
PROTOCOL_MAY_IMPORT = {"binascii", "collections", "hashlib", "struct", "sys", PROTOCOL}
HOST_BACKENDS_MAY_IMPORT = {"cbor2", "cryptography", "hmac", "nacl", "re", "typing"}
# What folds entries into money, or is what an auditor runs, imports the standard library and the protocol besides.
SELF_CONTAINED = {"accounts", "audit", "bundle"}
EXACT = {"accounts", "audit", "billing", "bundle", "market"}


class Module:
    """One source file: its dotted name, and the modules that it imports, wherever in the file.

    `loaded` leaves out those that are under `if TYPE_CHECKING:`, which no interpreter runs.
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
        """The package that it belongs to: wattpact.accounts.postings is of accounts. Empty for the roots themselves."""
        return part_of(self.name)


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


def part_of(name: str) -> str:
    return (name + ".").split(".")[1]


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


def packages_import_as_in_the_table(module: Module) -> Iterator[str]:
    table = MAY_IMPORT.get(module.top)
    if table is None or not module.part:
        return
    if module.part not in table:
        yield f"{module.name} is in no package of the table"
        return
    allowed = {module.part, *table[module.part].split()}
    for name in sorted(module.imports):
        if name.split(".")[0] == module.top and part_of(name) and part_of(name) not in allowed:
            yield f"{module.name} imports {name}"


def some_packages_import_nothing_else(module: Module) -> Iterator[str]:
    if module.top == HOST and module.part in SELF_CONTAINED:
        for top in sorted(tops(module) - set(sys.stdlib_module_names) - {PROTOCOL, HOST}):
            yield f"{module.name} imports {top}"


def circles(modules: Iterable[Module]) -> Iterator[str]:
    """Modules that load each other, in whatever number of steps; packages around a module do not count."""
    known = {module.name: module for module in modules}
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> Iterator[str]:
        if name in path:
            yield " -> ".join([*path[path.index(name) :], name])
            return
        if name not in done:
            for target in sorted(known[name].loaded & known.keys() - {name}):
                if not name.startswith(target + "."):
                    yield from follow(target, [*path, name])
            done.add(name)

    for name in known:
        yield from follow(name, [])


def amounts_are_integers(module: Module) -> Iterator[str]:
    if module.top == HOST and module.part not in EXACT:
        return
    for node in ast.walk(module.tree):
        where = f"{module.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            yield f"{where} has the literal {node.value!r}"
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            yield f"{where} divides with /"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield f"{where} calls float()"


@cache
def read_modules() -> list[Module]:
    """All that is shipped, parsed once."""
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
    packages_import_as_in_the_table,
    some_packages_import_nothing_else,
    amounts_are_integers,
]


def test_every_package_is_in_the_table_and_every_permission_used():
    modules = read_modules()
    assert {module.top for module in modules} == {*MAY_IMPORT, "boards"}
    for top, table in MAY_IMPORT.items():
        ours = [module for module in modules if module.top == top and module.part]
        assert {module.part for module in ours} == set(table)
        used = {
            (module.part, part_of(name)) for module in ours for name in module.imports if name.startswith(top + ".")
        }
        assert {(part, other) for part, others in table.items() for other in others.split()} - used == set()


def test_the_table_has_no_circle():
    for table in MAY_IMPORT.values():
        order: list[str] = []
        while len(order) < len(table):
            ready = [part for part, others in table.items() if part not in order and set(others.split()) <= set(order)]
            assert ready, set(table) - set(order)
            order += ready


def test_no_circles():
    assert list(circles(read_modules())) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule: Rule):
    assert [broken for module in read_modules() for broken in rule(module)] == []


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (protocol_imports_only_itself, "wattpact_protocol.log.entry", "import time"),
        (protocol_imports_only_itself, "wattpact_protocol.log.entry", "def f():\n    from os import urandom"),
        (protocol_imports_only_itself, "wattpact_protocol.encoding.cbor", "try:\n    import cbor2\nexcept E: pass"),
        (protocol_imports_only_itself, "wattpact_protocol.encoding.cbor", "x = __import__('cbor2')"),
        (protocol_imports_only_itself, "wattpact_protocol.crypto.ccm", "import cryptolib"),
        (protocol_imports_only_itself, "wattpact_protocol.encoding.cbor", "x = __import__(name)"),
        (protocol_imports_only_itself, "wattpact_protocol.encoding.cbor", "from typing import Any"),
        (protocol_imports_only_itself, "wattpact_protocol.encoding.cbor", "if TYPE_CHECKING:\n    import wattpact"),
        (protocol_imports_only_itself, "wattpact_protocol.crypto.ed25519", "from wattpact import nothing"),
        (protocol_imports_only_itself, "wattpact_protocol.log.entry", "from ...wattpact_meter import guard"),
        (protocol_imports_only_itself, "wattpact_protocol.encoding._cbor_host", "import wattpact_meter"),
        (firmware_and_host_never_meet, "wattpact_meter.guard", "from wattpact.accounts import postings"),
        (firmware_and_host_never_meet, "boards.virtual", "import wattpact"),
        (firmware_and_host_never_meet, "wattpact.node.node", "import boards.virtual"),
        (only_drivers_and_boards_touch_hardware, "wattpact_meter.metering.power", "from machine import Pin"),
        (only_drivers_and_boards_touch_hardware, "wattpact.node.node", "import network"),
        (packages_import_as_in_the_table, "wattpact.accounts.postings", "from wattpact.store import records"),
        (packages_import_as_in_the_table, "wattpact.accounts", "from . import market"),
        (packages_import_as_in_the_table, "wattpact.store.records", "from wattpact.node import node"),
        (packages_import_as_in_the_table, "wattpact.audit.page", "from wattpact.billing import bill"),
        (packages_import_as_in_the_table, "wattpact.bundle.disclosure", "from wattpact import keys"),
        (packages_import_as_in_the_table, "wattpact_protocol.guard.guard", "from wattpact_protocol.log import kinds"),
        (packages_import_as_in_the_table, "wattpact_meter.trade.usage", "def f():\n    import wattpact_meter.core"),
        (packages_import_as_in_the_table, "wattpact.somewhere.else", ""),
        (some_packages_import_nothing_else, "wattpact.audit.page", "import cryptography"),
        (some_packages_import_nothing_else, "wattpact.accounts.fold", "import numpy"),
        (amounts_are_integers, "wattpact_protocol.settlement.slots", "share = 0.5"),
        (amounts_are_integers, "wattpact_meter.metering.power", "energy_wh = total / 3600"),
        (amounts_are_integers, "wattpact.accounts.postings", "total /= 2"),
        (amounts_are_integers, "wattpact.billing.bill", "due = float(text)"),
    ],
)
def test_rule_can_fail(rule: Rule, name: str, source: str):
    assert len(list(rule(Module(name, source)))) >= 1


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (protocol_imports_only_itself, "wattpact_protocol.encoding._cbor_host", "import cbor2"),
        (protocol_imports_only_itself, "wattpact_protocol.encoding.cbor", "from . import _cbor_host\nimport struct"),
        (protocol_imports_only_itself, "wattpact_protocol.log.ids", "if TYPE_CHECKING:\n    from typing import Any"),
        (only_drivers_and_boards_touch_hardware, "wattpact_meter.drivers.relay", "from machine import Pin"),
        (packages_import_as_in_the_table, "wattpact.accounts.postings", "from . import transfer"),
        (packages_import_as_in_the_table, "wattpact.audit.page", "from wattpact.bundle import disclosure"),
        (packages_import_as_in_the_table, "wattpact.bundle.disclosure", "from wattpact_protocol.log import kinds"),
        (amounts_are_integers, "wattpact_meter.metering.power", "energy_wh = total // 3600"),
        (amounts_are_integers, "wattpact.node.node", "timeout = 0.5"),
    ],
)
def test_rule_allows_what_it_should(rule: Rule, name: str, source: str):
    assert list(rule(Module(name, source))) == []


def test_a_circle_is_seen():
    modules = [Module("a.x", "from a import y"), Module("a.y", "import a.z"), Module("a.z", "from a.x import f")]
    assert list(circles(modules)) == ["a.x -> a.y -> a.z -> a.x"]
    modules[2] = Module("a.z", "if TYPE_CHECKING:\n    from a.x import f")
    assert list(circles(modules)) == []
