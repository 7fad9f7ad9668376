"""Modules of a package as one module of the meter, which spares it the table and the three names of each.

To MicroPython each file costs 270 bytes of heap, and beyond 64 of them its collector walks over all that is alive more
than once. Names stay what they are, unless two of them would be one: those have their module's before them.
"""

import ast
import builtins
from collections.abc import Callable, Iterator
from typing import Any

from tools.lean.names import Module, Modules, Place, bound_names


class Links:
    """linked: the dotted names of the modules that become part of their package."""

    def __init__(self, modules: Modules, linked: "frozenset[str]", value: "Callable[[Place], tuple[Any, ...]]") -> None:
        self._modules = modules
        self._linked = linked
        self._value = value
        self._taken = {package: self._ambiguous(package) for package in {_package(name) for name in linked}}

    def packages(self) -> list[str]:
        return sorted(self._taken)

    def parts(self, package: str) -> list[str]:
        """The linked modules of a package, each after those that it imports."""
        names = [name for name in self._modules.modules if name in self._linked and _package(name) == package]
        ordered: list[str] = []
        while names:
            ready = [name for name in names if not self._needs(name) & set(names) - {name}]
            ordered += ready
            names = [name for name in names if name not in ready]
        return ordered

    def lines(self, name: str) -> int:
        """How many lines of its package a module is."""
        return self._modules.modules[name].source.count("\n") + 1

    def _needs(self, name: str) -> set[str]:
        module = self._modules.modules[name]
        found = set()
        for bound in module.imports:
            origin = self._modules.origin(module, bound)
            if origin:
                found |= {origin[0], ".".join(origin)}
        return found

    def _ambiguous(self, package: str) -> set[str]:
        """Names that mean more than one thing within the modules of a package."""
        meanings: dict[str, set[object]] = {name: {"built in"} for name in dir(builtins)}
        for name in self._modules.modules:
            if name in self._linked and _package(name) == package:
                module = self._modules.modules[name]
                for bound in module.tops:
                    meanings.setdefault(bound, set()).add(self._meaning(module, bound))
                for bound, places in module.imports.items():
                    meanings.setdefault(bound, set()).add(tuple(sorted(places)))
                for local in module.nodes.values():
                    for bound in local:
                        meanings.setdefault(bound, set()).add("local")
        return {name for name, meant in meanings.items() if len(meant) > 1}

    def _meaning(self, module: Module, name: str) -> object:
        """A module of MicroPython is the same one, whoever imports it."""
        nodes = [node for node in module.own if name in bound_names(node)]
        return ast.unparse(nodes[0]) if all(isinstance(node, ast.Import) for node in nodes) else (module.name, name)

    def holds(self, place: Place) -> bool:
        """Whether a name is in a linked module, or is one."""
        return place[0] in self._linked or ".".join(place) in self._linked

    def new_name(self, place: Place) -> str:
        """What a name of a module's top level is called in the meter."""
        if place[0] in self._linked and place[1] in self._taken[_package(place[0])]:
            return place[0].rpartition(".")[2] + "_" + place[1]
        return place[1]

    def name(self, module: Module, node: ast.AST, place: "Place | None") -> "str | None":
        """How a name or an attribute is written in a module; None where it is as it was."""
        if place and place[0] in self._linked:
            new = self.new_name(place)
            if not self._is_within(module, place[0]):
                return f"{_alias(_package(place[0]))}.{new}"
            return new if new != ast.unparse(node) else None
        if isinstance(node, ast.Name) and module.name in self._linked and node.id in module.imports:
            if node.id not in module.nodes[node]:
                new = self.new_name((module.name, node.id))
                return new if new != node.id else None
        return None

    def _is_within(self, module: Module, name: str) -> bool:
        return module.name in self._linked and _package(module.name) == _package(name)

    def alias(self, module: Module, alias: ast.alias) -> str:
        """What is imported from a module that is not linked."""
        new = self.new_name((module.name, alias.asname or alias.name))
        return alias.name if new == alias.name else f"{alias.name} as {new}"

    def imports(self, module: Module, node: ast.ImportFrom) -> "Iterator[str]":
        """Imports of packages in which what this names is now."""
        packages = set()
        for alias in node.names:
            origin = self._modules.origin(module, alias.asname or alias.name)
            if origin:
                place = self._modules.followed(origin)
                if self.holds(place) and not self._value(place):
                    packages.add(_package(place[0] if place[0] in self._linked else ".".join(place)))
        for package in sorted(packages):
            if not self._is_within(module, package + "."):
                root, _, name = package.rpartition(".")
                yield f"from {root} import {name} as {_alias(package)}"


def _package(name: str) -> str:
    return name.rpartition(".")[0]


def _alias(package: str) -> str:
    return package.replace("wattpact_", "").replace(".", "_")
