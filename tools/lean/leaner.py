"""Writes the lean source of a module: constants where they are used, and no imports of nothing else."""

import ast

from tools.lean.constants import Constants
from tools.lean.names import Module, Modules, assigned
from tools.lean.text import Text


class Leaner:
    """Makes lean sources of modules, by their dotted names."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.modules = Modules(sources)
        self.constants = Constants(self.modules)

    def lean(self, name: str) -> str:
        """The source of one of the modules as it is compiled."""
        return _Edited(self, self.modules.modules[name]).text()


class _Edited:
    """One module on its way to its lean source."""

    def __init__(self, leaner: Leaner, module: Module) -> None:
        self._modules, self._constants, self._module = leaner.modules, leaner.constants, module
        self._text = Text(module.source)
        self._looked_up: set[str] = set()
        self._replaced: set[str] = set()

    def text(self) -> str:
        for statement in self._module.body:
            self._names(statement)
        for node in self._module.nodes:
            if isinstance(node, ast.ImportFrom):
                self._import(node)
            elif isinstance(node, ast.ClassDef):
                for item in node.body:
                    if "__slots__" in dict(assigned(item)):
                        self._text.replace(item, "pass")
        for statement in self._module.body:
            if self._is_constant(statement):
                self._text.replace(statement, "")
        return self._text.result()

    def _is_constant(self, statement: ast.stmt) -> bool:
        names = [name for name, _ in assigned(statement)]
        return bool(names) and all(self._constants.value((self._module.name, name)) for name in names)

    def _names(self, node: ast.AST) -> None:
        """Put constants where they are used, and note what is looked up."""
        if node not in self._module.nodes or (isinstance(node, ast.stmt) and self._is_constant(node)):
            return
        place = self._modules.place(self._module, node)
        found = self._constants.value(place) if isinstance(getattr(node, "ctx", None), ast.Load) else ()
        if found:
            text = repr(found[0])
            self._replaced.add(ast.unparse(node).split(".")[0])
            self._text.replace(node, f"({text})" if text[0] == "-" else text)
            return
        if isinstance(node, ast.Name) and node.id not in self._module.nodes[node]:
            self._looked_up.add(node.id)
        for child in ast.iter_child_nodes(node):
            self._names(child)

    def _import(self, node: ast.ImportFrom) -> None:
        """The import without what is not looked up any more."""
        aliases = [alias for alias in node.names if self._is_needed(alias.asname or alias.name)]
        if len(aliases) < len(node.names):
            names = ", ".join(ast.unparse(alias) for alias in aliases)
            self._text.replace(node, f"from {node.module} import {names}" if aliases else "pass")

    def _is_needed(self, name: str) -> bool:
        origin = self._modules.origin(self._module, name)
        if name in self._looked_up or origin is None:
            return True
        return not (name in self._replaced or self._constants.value(self._modules.followed(origin)))
