"""All modules of a device together: what each name is, what is used, and what it is called where many are one."""

import ast
import builtins
from collections.abc import Iterator
from typing import NamedTuple

from tools.lean.private import Privates
from tools.lean.scopes import Holder, LinkError, Module, Use, bound_by

_NOT_FREE = {*dir(builtins), "ptr8", "ptr16", "ptr32", "uint"}
_ARGUMENTS = "abcdefghijklmnopqrstuvwxyz"


class Found(NamedTuple):
    """What a name is in the end: a module of the device, a name in one, or (module is empty) the import of another."""

    module: str
    name: str = ""


class Program:
    """Program(modules, members): all modules of a device, of which `members` are to be joined, in that order."""

    def __init__(self, modules: "dict[str, Module]", members: "list[str]") -> None:
        self.modules = modules
        self.members = dict.fromkeys(members)
        self.loaded = self._all_loaded()
        self._known: dict[Found, Found] = {}
        self._live: set[Found] = set()
        self._parts: set[str] = set()
        self._follow()
        self._names = self._name_all()
        self.privates = Privates([modules[name] for name in sorted(self.loaded)])

    # What a name is

    def _top(self, module: Module, name: str) -> Found:
        key = Found(module.name, name)
        if key not in self._known:
            self._known[key] = key  # while it is looked for
            self._known[key] = self._find(module, name)
        return self._known[key]

    def _find(self, module: Module, name: str) -> Found:
        if name not in module.bound:
            raise LinkError(f"{module.file}: {name} is not there")
        node: ast.stmt = module.bound[name][-1]
        if isinstance(node, ast.Try):
            node = self._choice(module, node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return self.of_import(node, alias)
        return Found(module.name, name)

    def of_import(self, node: "ast.Import | ast.ImportFrom", alias: ast.alias) -> Found:
        if isinstance(node, ast.Import):
            return Found("", f"import {alias.name}")
        if f"{node.module}.{alias.name}" in self.modules:
            return Found(f"{node.module}.{alias.name}")
        if node.module in self.modules:
            return self._top(self.modules[node.module], alias.name)
        return Found("", f"from {node.module} import {alias.name}")

    def _choice(self, module: Module, node: ast.Try) -> ast.ImportFrom:
        """The first import of a module that the device has."""
        for option in [*node.body, *[child for handler in node.handlers for child in handler.body]]:
            if isinstance(option, ast.Try):
                return self._choice(module, option)
            if isinstance(option, ast.ImportFrom):
                if {option.module, f"{option.module}.{option.names[0].name}"} & self.modules.keys():
                    return option
        raise module.fail(node, "none of these is on the device")

    def resolve(self, module: Module, use: Use) -> "tuple[Found, ast.AST]":
        """What a use is of, and the node that names it."""
        found = self._top(module, use.node.id)
        if not found.module or found.name or not {found.module, module.name} & self.members.keys():
            return found, use.node
        if use.outer is None or (module.name in self.members and not isinstance(use.outer.ctx, ast.Load)):
            raise module.fail(use.node, f"{use.node.id} is a module, and this is not module.name")
        return self._top(self.modules[found.module], use.outer.attr), use.outer

    # What is used

    def _all_loaded(self) -> "set[str]":
        """The modules that a board may load: all but those of the protocol that none imports."""
        loaded: set[str] = set()
        waiting = [*self.members, *[name for name in self.modules if not name.startswith("wattpact_protocol.")]]
        while waiting:
            module = self.modules[waiting.pop()]
            loaded.add(module.name)
            for statement in module.imports + module.inner_imports:
                if isinstance(statement, ast.ImportFrom):
                    base = statement.module or ""
                    names = {base, *[f"{base}.{alias.name}" for alias in statement.names]}
                    waiting += (names & self.modules.keys()) - loaded
        return loaded

    def _follow(self) -> None:
        """Everything that is reached from what runs by itself: loading, and the modules that are not joined."""
        before = -1
        while before != len(self._live) + len(self._parts):
            before = len(self._live) + len(self._parts)
            for module in [self.modules[name] for name in self.loaded]:
                for holder, parts in module.parts.items():
                    self._parts |= parts if self.is_live(module, holder) else set()
                for use in module.uses:
                    if self.is_live(module, use.holder):
                        self._live.add(self.resolve(module, use)[0])
                for statement in module.inner_imports:
                    self._live.update(self.of_import(statement, alias) for alias in statement.names)

    def is_live(self, module: Module, holder: Holder) -> bool:
        """Whether that code is in the result."""
        top, part = holder
        if module.name not in self.members or not top:
            return True
        return Found(module.name, top) in self._live and self._is_named(part)

    def _is_named(self, part: str) -> bool:
        return not part or part in self._parts or part.startswith("__")

    def dropped(self, module: Module) -> "Iterator[ast.stmt]":
        """The statements at the top of a joined module, and the methods, without which it does the same."""
        for node in module.body:
            names = list(bound_by([node])) if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Assign)) else []
            if names and not any(Found(module.name, name) in self._live for name in names):
                yield node
            elif isinstance(node, ast.ClassDef):
                yield from (
                    child for child in node.body
                    if isinstance(child, ast.FunctionDef) and not self._is_named(child.name)
                )  # fmt: skip

    # What is what called

    def _name_all(self) -> "dict[Found, str]":
        """A name for each thing, that means nothing else where it is used."""
        hidden: dict[Found, set[str]] = {}
        for module in self.modules.values():
            own = set() if module.name in self.members else module.bound.keys() - self._joined_in(module)
            for use in module.uses:
                found, _ = self.resolve(module, use)
                if module.name in self.members or found.module in self.members:
                    hidden.setdefault(found, set()).update(use.hidden, own)
        taken = _NOT_FREE | set(_ARGUMENTS)
        names: dict[Found, str] = {}
        for found in sorted(self._live):
            if found.module in self.members or not found.module:
                names[found] = _free_name(found, taken | hidden.get(found, set()))
                taken.add(names[found])
        return names

    def _joined_in(self, module: Module) -> "set[str]":
        return {name for name in module.bound if self._top(module, name).module in self.members}

    def used_of(self, module: Module, name: str) -> "set[str]":
        """What a module uses of what it imports by this name, as it is called in the joined module."""
        return {self.linked_name(self.resolve(module, use)[0]) for use in module.uses if use.node.id == name}

    def linked_name(self, found: Found) -> str:
        """What something is called in the joined module; empty for what is not in it."""
        return self._names.get(found, "")

    def argument_names(self, module: Module) -> "Iterator[tuple[ast.AST, str, str]]":
        """Each place of an argument that is never given by its name, that name, and a short one for it: MicroPython
        keeps the names of arguments, and none of other locals."""
        for scope in module.scopes:
            free = [letter for letter in _ARGUMENTS if letter not in scope.near]
            for argument in scope.arguments:
                name = argument.arg
                if name not in self._parts and name != "self" and free:
                    short = free.pop(0)
                    for node in [argument, *scope.uses.get(name, ())]:
                        yield node, name, short


def _free_name(found: Found, taken: "set[str]") -> str:
    name, module = found.name.split(" ")[-1], found.module or "its"
    for option in (name, f"{name}_{module.split('.')[-1].strip('_')}", f"{name}_{module.replace('.', '_')}"):
        if option not in taken:
            return option
    raise LinkError(f"{found.module}: no name is free for {found.name}")
