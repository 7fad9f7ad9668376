"""Writes the lean source of a module: edits of its text, by the places that its tree gives."""

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

from tools.lean.attributes import Attributes
from tools.lean.constants import Constants
from tools.lean.links import Links
from tools.lean.names import Module, Modules, assigned
from tools.lean.unused import Unused


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
        self.constants = Constants(self.modules)
        self.links = Links(self.modules, linked, self.constants.value)
        self.unused = Unused(self.modules, linked)
        self.attributes = Attributes(self.modules, linked, self.unused.named).short

    def lean(self, name: str) -> str:
        """The source of one of the modules as it is compiled; of one that is linked, its part of the whole."""
        return _Edited(self, self.modules.modules[name]).text()

    def program(self, source: str) -> str:
        """Any other source that imports them."""
        return _Edited(self, Module("", source)).text()


def _whole(node: Any) -> _Span:
    """A definition with its decorators."""
    first = node.decorator_list[0] if node.decorator_list else None
    start = (first.lineno, first.col_offset - 1) if first else (node.lineno, node.col_offset)
    return _Span(*start, node.end_lineno, node.end_col_offset)


class _Edited:
    """One module on its way to its lean source."""

    def __init__(self, leaner: Leaner, module: Module) -> None:
        self._modules, self._constants, self._links, self._module = (
            leaner.modules,
            leaner.constants,
            leaner.links,
            module,
        )
        self._unused, self._attributes = leaner.unused, leaner.attributes
        self._short: dict[str, str] = {}  # names of the parameters around
        self._lines = [line.encode() for line in module.source.split("\n")]
        self._looked_up: set[str] = set()
        self._replaced: set[str] = set()

    def text(self) -> str:
        edits: list[tuple[Any, str]] = [edit for statement in self._module.body for edit in self._names(statement)]
        for node in self._unused.kept(self._module):
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
        if node in self._unused.definitions:
            yield _whole(node), "pass"
            return
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            yield from self._function(node)
            return
        place = self._modules.place(self._module, node)
        found = self._constants.value(place) if isinstance(getattr(node, "ctx", None), ast.Load) else ()
        text = repr(found[0]) if found else self._links.name(self._module, node, place)
        if text is not None:
            self._replaced.add(ast.unparse(node).split(".")[0])
            yield node, f"({text})" if text[0] == "-" else text
            return
        if isinstance(node, ast.Name):
            if node.id not in self._module.nodes[node]:
                self._looked_up.add(node.id)
            elif node.id in self._short:
                yield node, self._short[node.id]
        elif isinstance(node, ast.Attribute) and node.attr in self._attributes:
            line, end = node.end_lineno or 0, node.end_col_offset or 0
            yield _Span(line, end - len(node.attr), line, end), self._attributes[node.attr]
        elif isinstance(node, (ast.ClassDef, ast.Global)):
            yield from self._definitions(node)
        for child in ast.iter_child_nodes(node):
            yield from self._names(child)

    def _function(self, node: "ast.FunctionDef | ast.Lambda") -> "Iterator[tuple[Any, str]]":
        """Its name and its parameters', what it uses, and what those have for a value by themselves."""
        if isinstance(node, ast.FunctionDef):
            yield from self._definitions(node)
        for outside in (*getattr(node, "decorator_list", ()), node.args):
            yield from self._names(outside)
        before, short = self._short, self._unused.short_names(node)
        self._short = {**before, **short}
        for arg in (*node.args.args, *node.args.kwonlyargs):
            if arg.arg in short:
                yield _Span(arg.lineno, arg.col_offset, arg.lineno, arg.col_offset + len(arg.arg)), short[arg.arg]
            elif arg.arg in self._short:
                del self._short[arg.arg]
        for inside in node.body if isinstance(node, ast.FunctionDef) else [node.body]:
            yield from self._names(inside)
        self._short = before

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
        return not (
            name in self._replaced or self._constants.value(self._modules.followed(origin)) or self._links.holds(origin)
        )

    def _replace(self, span: Any, text: str) -> None:
        """Text in place of a part of the source, whose lines stay as many."""
        first, last = span.lineno - 1, span.end_lineno - 1
        text += "\n" * (last - first)
        whole = self._lines[first][: span.col_offset] + text.encode() + self._lines[last][span.end_col_offset :]
        self._lines[first : last + 1] = whole.split(b"\n")
