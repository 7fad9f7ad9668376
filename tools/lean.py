"""Device sources as they are compiled: the same code in the same lines, which takes less room in a meter.

A name at a module's top level is a slot of a table in the heap and an entry among MicroPython's strings, and so it is
again in each module that imports it. What is known before it runs is put where it is used, and its name is left out:

    constants        numbers, texts, bytes and tuples that a top level gives a name once and for all
    imports          of nothing else, and what only type checkers want
    __slots__        of which MicroPython makes no use

A constant keeps its name where it may be reached in another way than by an import. Modules that are linked (`tools.link`)
are one module of a meter: there they call each other's names without importing them.
"""

import ast
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tools.device_names import Module, Modules, Place, assigned
from tools.link import Links

_SHORT = 32  # a longer text, or bytes or a tuple, is an object of its own in each module: it is for one alone
_CALLS: dict[str, Callable[..., bytes]] = {"bytes": bytes, "bytes.fromhex": bytes.fromhex}


class Constants:
    """What is constant at the top levels of modules."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._values: dict[Place, tuple[Any, ...]] = {}
        self._kept: set[Place | str] = set()
        users: dict[Place, set[str]] = {}
        for name, module in modules.modules.items():
            for node in module.nodes:
                place = modules.place(module, node)
                if isinstance(node, ast.Attribute) and (place is None or not isinstance(node.ctx, ast.Load)):
                    self._kept.add(node.attr)  # of something else than a module, or set there
                elif place and isinstance(getattr(node, "ctx", None), ast.Load):
                    users.setdefault(place, set()).add(name)
        for place, names in users.items():
            found = self.value(place)
            if found and len(names) > 1 and not isinstance(found[0], int) and len(found[0] or "") > _SHORT:
                self._kept.add(place)
        self._values.clear()

    def value(self, place: "Place | None") -> "tuple[Any, ...]":
        """The value of a constant in a tuple of one; an empty one for anything else."""
        if place is None:
            return ()
        if place not in self._values:
            self._values[place] = ()  # to what needs itself
            self._values[place] = self._find(place)
        return self._values[place]

    def _find(self, place: Place) -> "tuple[Any, ...]":
        module = self._modules.modules.get(place[0])
        if module is None or place[1] not in module.assigned or place in self._kept or place[1] in self._kept:
            return ()
        try:
            return (self._worth(module, module.assigned[place[1]]),)
        except (ValueError, TypeError):
            return ()

    def _worth(self, module: Module, node: ast.expr) -> Any:
        """What an expression is worth; raises ValueError where only running it would show."""
        if isinstance(node, ast.Constant) and not isinstance(node.value, float):
            return node.value
        if isinstance(node, ast.Tuple):
            return tuple(self._worth(module, item) for item in node.elts)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _CALLS and not node.keywords:
            return _CALLS[ast.unparse(node.func)](*(self._worth(module, item) for item in node.args))
        if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Slice)):
            return self._worked_out(module, node)
        found = self.value(self._modules.place(module, node))
        if not found:
            raise ValueError("no constant")
        return found[0]

    def _worked_out(self, module: Module, node: ast.expr) -> Any:
        parts = dict(ast.iter_fields(node))
        known = {field: self._worth(module, part) for field, part in parts.items() if isinstance(part, ast.expr)}
        if isinstance(node, ast.Slice):
            return slice(*(known.get(field) for field in node._fields))
        expression = type(node)(**{**parts, **{field: ast.Name(field, ast.Load()) for field in known}})
        return eval(compile(ast.fix_missing_locations(ast.Expression(expression)), "", "eval"), {}, known)


class _Span(NamedTuple):
    """A part of the source, as ast has them."""

    lineno: int
    col_offset: int
    end_lineno: int
    end_col_offset: int


class Leaner:
    """Makes lean sources of the modules, and of programs that use them."""

    def __init__(self, sources: dict[str, str], linked: "frozenset[str]" = frozenset()) -> None:
        self.modules = Modules(sources)
        self._constants = Constants(self.modules)
        self.links = Links(self.modules, linked, self._constants.value)

    def lean(self, name: str) -> str:
        """The source of one of the modules as it is compiled; of one that is linked, its part of the whole."""
        return _Edited(self.modules, self._constants, self.links, self.modules.modules[name]).text()

    def program(self, source: str) -> str:
        """Any other source that imports them."""
        return _Edited(self.modules, self._constants, self.links, Module("", source)).text()


class _Edited:
    """One module on its way to its lean source."""

    def __init__(self, modules: Modules, constants: Constants, links: Links, module: Module) -> None:
        self._modules, self._constants, self._links, self._module = modules, constants, links, module
        self._lines = [line.encode() for line in module.source.split("\n")]
        self._looked_up: set[str] = set()
        self._replaced: set[str] = set()

    def text(self) -> str:
        edits: list[tuple[Any, str]] = [edit for statement in self._module.body for edit in self._names(statement)]
        for node in self._module.nodes:
            if isinstance(node, ast.ImportFrom):
                edits += self._imports(node)
            elif isinstance(node, ast.ClassDef):
                edits += [(item, "pass") for item in node.body if "__slots__" in dict(assigned(item))]
        for statement in self._module.body:
            if self._is_constant(statement):
                edits.append((statement, ""))
        for span, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
            self._replace(span, text)
        return b"\n".join(self._lines).decode()

    def _is_constant(self, statement: ast.stmt) -> bool:
        names = [name for name, _ in assigned(statement)]
        return bool(names) and all(self._constants.value((self._module.name, name)) for name in names)

    def _names(self, node: ast.AST) -> "Iterator[tuple[Any, str]]":
        """Names that are written in another way, with that."""
        if node not in self._module.nodes or (isinstance(node, ast.stmt) and self._is_constant(node)):
            return
        place = self._modules.place(self._module, node)
        found = self._constants.value(place) if isinstance(getattr(node, "ctx", None), ast.Load) else ()
        text = repr(found[0]) if found else self._links.name(self._module, node, place)
        if text is not None:
            self._replaced.add(ast.unparse(node).split(".")[0])
            yield node, f"({text})" if text[0] == "-" else text
            return
        if isinstance(node, ast.Name) and node.id not in self._module.nodes[node]:
            self._looked_up.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Global)):
            yield from self._definitions(node)
        for child in ast.iter_child_nodes(node):
            yield from self._names(child)

    def _definitions(self, node: "ast.FunctionDef | ast.ClassDef | ast.Global") -> "Iterator[tuple[Any, str]]":
        """The names of functions and classes of the top level, where they are defined."""
        if isinstance(node, ast.Global):
            names = [self._links.new_name((self._module.name, name)) for name in node.names]
            yield node, "global " + ", ".join(names)
        elif node in self._module.own:
            start = node.col_offset + (4 if isinstance(node, ast.FunctionDef) else 6)
            span = _Span(node.lineno, start, node.lineno, start + len(node.name))
            yield span, self._links.new_name((self._module.name, node.name))

    def _imports(self, node: ast.ImportFrom) -> "Iterator[tuple[Any, str]]":
        """The import without what is not looked up any more, and what is looked up instead."""
        aliases = [alias for alias in node.names if self._is_needed(alias.asname or alias.name)]
        statements = []
        if aliases:
            names = [self._links.alias(self._module, alias) for alias in aliases]
            statements.append(f"from {node.module} import " + ", ".join(names))
        statements += self._links.imports(self._module, node)
        yield node, "; ".join(statements) or "pass"

    def _is_needed(self, name: str) -> bool:
        origin = self._modules.origin(self._module, name)
        if name in self._looked_up or origin is None:
            return True
        return not (name in self._replaced or self._constants.value(self._modules.followed(origin)) or self._links.holds(origin))

    def _replace(self, span: Any, text: str) -> None:
        """Text in place of a part of the source, whose lines stay as many."""
        first, last = span.lineno - 1, span.end_lineno - 1
        text += "\n" * (last - first)
        whole = self._lines[first][: span.col_offset] + text.encode() + self._lines[last][span.end_col_offset :]
        self._lines[first : last + 1] = whole.split(b"\n")
