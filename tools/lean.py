"""Device sources as they are compiled: the same code in the same lines, which takes less room in a meter.

A name at a module's top level is a slot of a table in the heap and an entry among MicroPython's strings, and so it is
again in each module that imports it. What is known before it runs is put where it is used, and its name is left out:

    constants        numbers, texts, bytes and tuples that a top level gives a name once and for all
    imports          of nothing else, and what only type checkers want
    __slots__        of which MicroPython makes no use

A constant keeps its name where it may be reached in another way than by an import.
"""

import ast
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

_SHORT = 32  # a longer text, or bytes or a tuple, is an object of its own in each module: it is for one alone
_CALLS: dict[str, Callable[..., bytes]] = {"bytes": bytes, "bytes.fromhex": bytes.fromhex}

Place = tuple[str, str]  # a module, and a name at its top level


class _Module:
    """One source: what runs in it, what its imports name, and what else gives its names a value."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self.body = ast.parse(self.source).body
        self.nodes = dict.fromkeys(chain.from_iterable(map(_run, self.body)))
        self.imported: dict[str, set[Place]] = {}
        for node in self.nodes:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.imported.setdefault(alias.asname or alias.name, set()).add((node.module or "", alias.name))
        bound = list(chain.from_iterable(map(_bound, self.nodes)))
        # Of names with one value each: whence it is imported, or the expression.
        self.origins = {
            name: min(places) for name, places in self.imported.items() if len(places) == 1 and name not in bound
        }
        self.assigned = {
            name: value for statement in self.body for name, value in _assigned(statement)
            if bound.count(name) == 1 and name not in self.imported
        }  # fmt: skip


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that is executed, parents first."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and child in node.body):
            yield from _run(child)


def _bound(node: ast.AST) -> Iterator[str]:
    """Names that this gives a value, other than by `from ... import`."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
    elif isinstance(node, ast.Import):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Each name with its expression, in `A = 1` and in `A, B = 1, 2`."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for name, part in pairs:
            if isinstance(name, ast.Name):
                yield name.id, part


class Sources:
    """The modules of a device by their dotted names, and what is constant in them."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.modules = {name: _Module(name, source) for name, source in sources.items()}
        self._values: dict[Place, Any] = {}
        self._kept: set[Place | str] = set()
        self._keep_names()
        self._keep_large()

    def lean(self, name: str) -> str:
        """The source of one of the modules, as it is compiled."""
        return _Leaner(self, self.modules[name]).text()

    def _keep_names(self) -> None:
        """Names that are an attribute of something else than a module, or are set there."""
        for module in self.modules.values():
            for node in module.nodes:
                if isinstance(node, ast.Attribute):
                    place = self._place(module, node)
                    if place is None or not isinstance(node.ctx, ast.Load):
                        self._kept.add(node.attr)

    def _keep_large(self) -> None:
        """Constants that would be there more than once."""
        users: dict[Place, set[str]] = {}
        for name, module in self.modules.items():
            for node in module.nodes:
                place = self.place_of(module, node)
                if place:
                    users.setdefault(place, set()).add(name)
        for place, names in users.items():
            found = self.constant(place)
            if found and len(names) > 1 and not isinstance(found[0], int) and len(found[0] or "") > _SHORT:
                self._kept.add(place)
        self._values.clear()

    def _place(self, module: _Module, node: ast.Attribute) -> "Place | None":
        if isinstance(node.value, ast.Name):
            base, name = module.origins.get(node.value.id, ("", ""))
            if f"{base}.{name}" in self.modules:
                return self.followed((f"{base}.{name}", node.attr))
        return None

    def followed(self, place: Place) -> Place:
        """Where a name that is imported there comes from."""
        module = self.modules.get(place[0])
        if module and place[1] in module.origins and module.origins[place[1]][0] in self.modules:
            return self.followed(module.origins[place[1]])
        return place

    def place_of(self, module: _Module, node: ast.AST) -> "Place | None":
        """Where what a name or an attribute stands for is given its value."""
        if not isinstance(getattr(node, "ctx", None), ast.Load):
            return None
        if isinstance(node, ast.Attribute):
            return self._place(module, node)
        if isinstance(node, ast.Name) and node.id in module.origins:
            return self.followed(module.origins[node.id])
        if isinstance(node, ast.Name) and node.id in module.assigned:
            return module.name, node.id
        return None

    def constant(self, place: Place) -> "tuple[Any, ...]":
        """The value of a constant in a tuple of one; an empty one for anything else."""
        if place not in self._values:
            self._values[place] = ()  # to what needs itself
            self._values[place] = self._find(place)
        found: tuple[Any, ...] = self._values[place]
        return found

    def _find(self, place: Place) -> "tuple[Any, ...]":
        module = self.modules.get(place[0])
        if module is None or place[1] not in module.assigned or place in self._kept or place[1] in self._kept:
            return ()
        try:
            return (self._value(module, module.assigned[place[1]]),)
        except (ValueError, TypeError):
            return ()

    def _value(self, module: _Module, node: ast.expr) -> Any:
        """What an expression comes to; raises ValueError where only running it would show."""
        if isinstance(node, ast.Constant) and not isinstance(node.value, float):
            return node.value
        if isinstance(node, ast.Tuple):
            return tuple(self._value(module, item) for item in node.elts)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _CALLS and not node.keywords:
            return _CALLS[ast.unparse(node.func)](*(self._value(module, item) for item in node.args))
        if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Slice)):
            return self._worked_out(module, node)
        place = self.place_of(module, node)
        found = self.constant(place) if place else ()
        if not found:
            raise ValueError("no constant")
        return found[0]

    def _worked_out(self, module: _Module, node: ast.expr) -> Any:
        parts = dict(ast.iter_fields(node))
        known = {field: self._value(module, part) for field, part in parts.items() if isinstance(part, ast.expr)}
        if isinstance(node, ast.Slice):
            return slice(*(known.get(field) for field in node._fields))
        expression = type(node)(**{**parts, **{field: ast.Name(field, ast.Load()) for field in known}})
        return eval(compile(ast.fix_missing_locations(ast.Expression(expression)), "", "eval"), {}, known)


class _Leaner:
    """One module on its way to its lean source."""

    def __init__(self, sources: Sources, module: _Module) -> None:
        self._sources, self._module = sources, module
        self._lines = [line.encode() for line in module.source.split("\n")]
        self._used: set[str] = set()  # names that are still looked up
        self._spared: set[str] = set()  # names of modules of which a constant was

    def text(self) -> str:
        edits = [(node, text) for statement in self._module.body for node, text in self._constants(statement)]
        for node in self._module.nodes:
            if isinstance(node, ast.ImportFrom):
                edits += self._imports(node)
            elif isinstance(node, ast.ClassDef):
                edits += [(item, "pass") for item in node.body if "__slots__" in dict(_assigned(item))]
        edits += [(statement, "") for statement in self._module.body if self._is_constant(statement)]
        for node, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
            self._replace(node, text)
        return b"\n".join(self._lines).decode()

    def _is_constant(self, statement: ast.stmt) -> bool:
        names = [name for name, _ in _assigned(statement)]
        return bool(names) and all(self._sources.constant((self._module.name, name)) for name in names)

    def _constants(self, node: ast.AST) -> "Iterator[tuple[Any, str]]":
        """The uses of constants, each with its value."""
        if node not in self._module.nodes or (isinstance(node, ast.stmt) and self._is_constant(node)):
            return
        place = self._sources.place_of(self._module, node)
        found = self._sources.constant(place) if place else ()
        if found:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                self._spared.add(node.value.id)
            text = repr(found[0])
            yield node, f"({text})" if text[0] == "-" else text
            return
        if isinstance(node, ast.Name):
            self._used.add(node.id)
        for child in ast.iter_child_nodes(node):
            yield from self._constants(child)

    def _imports(self, node: ast.ImportFrom) -> "Iterator[tuple[Any, str]]":
        """The import without what is not looked up any more."""
        kept = [alias for alias in node.names if not self._is_spared(alias.asname or alias.name)]
        if len(kept) < len(node.names):
            names = ", ".join(ast.unparse(alias) for alias in kept)
            yield node, f"from {node.module} import {names}" if kept else "pass"

    def _is_spared(self, name: str) -> bool:
        if name in self._used or name not in self._module.origins:
            return False
        return name in self._spared or bool(self._sources.constant(self._sources.followed(self._module.origins[name])))

    def _replace(self, node: Any, text: str) -> None:
        """Text in place of a node, whose lines stay as many."""
        first, last = node.lineno - 1, node.end_lineno - 1
        text += "\n" * (last - first)
        whole = self._lines[first][: node.col_offset] + text.encode() + self._lines[last][node.end_col_offset :]
        self._lines[first : last + 1] = whole.split(b"\n")
