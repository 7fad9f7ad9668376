"""What the names in the device's sources stand for: each module's own, those it imports, and those of its functions."""

import ast
from collections.abc import Iterator
from itertools import filterfalse
from typing import Any

from tools.device_files import ROOTS

Place = tuple[str, str]  # a module, and a name at its top level

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Module:
    """One source. nodes: all that is executed, parents first, each with the names that are local where it is."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self.body = ast.parse(source).body
        self.nodes: dict[ast.AST, frozenset[str]] = {}
        for statement in self.body:
            if not is_about(statement):
                self._walk(statement, frozenset())
        self.own = [node for statement in self.body for node in _binding(statement)]
        self.tops = {name for node in self.own for name in bound_names(node)}
        self.assigned = dict(self._once())
        self.imports: dict[str, set[Place]] = {}
        for node in self.nodes:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.imports.setdefault(alias.asname or alias.name, set()).add((node.module or "", alias.name))

    def _walk(self, node: Any, local: frozenset[str]) -> None:
        self.nodes[node] = local
        item: ast.AST
        if isinstance(node, ast.ClassDef):
            inside = local | set(_names(node.body))
            for item in (*node.decorator_list, *node.bases):
                self._walk(item, local)
            for item in filterfalse(is_about, node.body):
                self._walk(item, local if isinstance(item, ast.FunctionDef) else inside)
        elif isinstance(node, (ast.FunctionDef, ast.Lambda)):
            for item in (
                *getattr(node, "decorator_list", ()),
                *node.args.defaults,
                *filter(None, node.args.kw_defaults),
            ):
                self._walk(item, local)
            self.nodes[node.args] = local
            body = node.body if isinstance(node, ast.FunctionDef) else [node.body]
            inside = local | {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)} | set(_names(body))
            inside -= {name for part in ast.walk(node) for name in _globals(part)}
            for item in filterfalse(is_about, body):
                self._walk(item, inside)
        else:
            inside = local
            if isinstance(node, _COMPREHENSIONS):
                inside = local | {
                    part.id for one in node.generators for part in ast.walk(one.target) if isinstance(part, ast.Name)
                }
            for item in executed_children(node):
                self._walk(item, inside)

    def _once(self) -> Iterator[tuple[str, ast.expr]]:
        """Names that the top level gives a value once, which nothing else changes, and the expression."""
        names = [name for node in self.own for name in bound_names(node)]
        changed = {name for node in self.nodes for name in _globals(node)}
        for statement in self.body:
            for name, value in assigned(statement):
                if names.count(name) == 1 and name not in changed:
                    yield name, value


def executed_children(node: ast.AST) -> Iterator[ast.AST]:
    """Without annotations, what only type checkers read, and words about it."""
    for field, value in ast.iter_fields(node):
        if field == "annotation" or (field == "body" and _is_for_types(node)):
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST) and not is_about(item):
                yield item


def is_about(node: ast.AST) -> bool:
    """Whether it is a text that nothing uses: what a module, a class or a function is for."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _globals(node: ast.AST) -> list[str]:
    return node.names if isinstance(node, ast.Global) else []


def _binding(node: ast.AST) -> Iterator[ast.AST]:
    """What binds names in the scope of a statement: no function's or class's inside."""
    if isinstance(node, (ast.Lambda, *_COMPREHENSIONS)):
        return
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        for child in executed_children(node):
            yield from _binding(child)


def bound_names(node: ast.AST) -> Iterator[str]:
    """Names that this gives a value, other than by `from ... import`."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
    elif isinstance(node, ast.Import):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)


def _names(body: "list[Any]") -> Iterator[str]:
    for statement in body:
        for node in _binding(statement):
            yield from bound_names(node)


def assigned(statement: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Each name with its expression, in `A = 1` and in `A, B = 1, 2`."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for name, part in pairs:
            if isinstance(name, ast.Name):
                yield name.id, part


class Modules:
    """The modules of a device by their dotted names, and programs that use them."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.modules = {name: Module(name, source) for name, source in sources.items()}
        self._origins: dict[tuple[Module, str], Place | None] = {}

    def origin(self, module: Module, name: str) -> "Place | None":
        """Whence a name is imported, where there is one answer; modules that no device has are none."""
        if (module, name) not in self._origins:
            places = self.places(module, name)
            self._origins[module, name] = places[0] if len(places) == 1 and name not in module.tops else None
        return self._origins[module, name]

    def places(self, module: Module, name: str) -> list[Place]:
        """All from which it may be imported on a device."""
        return sorted(place for place in module.imports.get(name, ()) if not self._is_missing(place))

    def _is_missing(self, place: Place) -> bool:
        known = place[0] in self.modules or f"{place[0]}.{place[1]}" in self.modules
        return place[0].split(".")[0] in ROOTS and not known

    def place(self, module: Module, node: ast.AST) -> "Place | None":
        """Where what a name or an attribute stands for is given its value: in a module's top level."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            base = self.place(module, node.value)
            if base and ".".join(base) in self.modules:
                return self.followed((".".join(base), node.attr))
        if isinstance(node, ast.Name) and node.id not in module.nodes[node]:
            origin = self.origin(module, node.id)
            if origin:
                return self.followed(origin)
            if node.id in module.tops:
                return module.name, node.id
        return None

    def followed(self, place: Place) -> Place:
        """Past a name that is only imported there."""
        module = self.modules.get(place[0])
        origin = self.origin(module, place[1]) if module else None
        return self.followed(origin) if origin else place
