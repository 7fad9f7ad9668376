"""Joins the modules that every meter loads into one, `wattpact`: each module takes heap of its own, each name that one
imports of another takes some in both, and nobody but people needs either.

Left out are the functions, classes and methods that nothing on a device mentions, by name or in a text. A module must
reach another as `module.name` or import the name, at its top level; anything else is a LinkError.
"""

import ast
import builtins
import runpy
from functools import cache
from collections.abc import Iterator
from typing import NamedTuple

from tools.device_files import ROOTS, device_files
from tools.lean.leaner import Leaner
from tools.lean.scopes import Holder, LinkError, Module, Use, bound_by
from tools.lean.text import Text

LINKED = "wattpact"
# What takes the place of wattpact_meter/load_order.py, since there is one module to load.
_LOAD = f'"""Loads the joined modules."""\n\n\ndef load():\n    import {LINKED}\n'
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
        node = module.bound[name][-1]
        if isinstance(node, ast.Try):
            node = self._choice(module, node)
        for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
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
                    names = {statement.module, *[f"{statement.module}.{alias.name}" for alias in statement.names]}
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


class _Joined:
    """One module on its way into the joined one, or, as it is loaded for itself, to what imports from that."""

    def __init__(self, program: Program, module: Module) -> None:
        self._program, self._module = program, module
        self._is_member = module.name in program.members
        self._text = Text(module.source)

    def text(self) -> str:
        module = self._module
        for node in module.only_for_types:
            self._text.replace(node, "")
        if self._is_member:
            self._thin()
        for use in module.uses:
            if self._program.is_live(module, use.holder):
                self._name(use)
        for statement in module.imports:
            self._import(statement, is_inner=False)
        for statement in module.inner_imports:
            self._import(statement, is_inner=True)
        return self._text.result()

    def _thin(self) -> None:
        program, module = self._program, self._module
        dropped = list(program.dropped(module))
        emptied = [node.body[0] for node in module.body if isinstance(node, ast.ClassDef) and set(node.body) <= {*dropped}]
        for node in dropped:
            self._text.replace(node, "pass" if node in emptied else "")
        for choice in module.choices:
            self._text.replace(choice, "pass")
        for node in module.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self._define(node)
        for statement, holder in module.global_statements:
            if program.is_live(module, holder):
                names = [program.linked_name(Found(module.name, name)) for name in statement.names]
                self._text.replace(statement, f"global {', '.join(names)}")
        for node, old, new in program.argument_names(module):
            self._text.rename(node, 0, old, new)

    def _define(self, node: "ast.FunctionDef | ast.ClassDef") -> None:
        name = self._program.linked_name(Found(self._module.name, node.name))
        if name:
            self._text.rename(node, len("def " if isinstance(node, ast.FunctionDef) else "class "), node.name, name)

    def _name(self, use: Use) -> None:
        found, node = self._program.resolve(self._module, use)
        if self._is_member or found.module in self._program.members or node is use.outer:
            name = self._program.linked_name(found) or found.name
            is_set = isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
            self._text.replace(node, f'__import__("{LINKED}").{name}' if is_set else name)

    def _import(self, statement: "ast.Import | ast.ImportFrom", is_inner: bool) -> None:
        """Imports of joined modules are of the joined one, in which there are none; others are as they were."""
        program, kept, joined = self._program, [], []
        for alias in statement.names:
            found = program.of_import(statement, alias)
            name = alias.asname or alias.name
            if found.module not in program.members:
                kept.append(self._other(statement, alias, found, is_inner))
            elif is_inner and (self._is_member or not found.name):
                raise self._module.fail(statement, f"{name} is to be imported at the top")
            elif is_inner:
                joined.append(f"{program.linked_name(found)} as {name}")
            else:
                joined += sorted(program.used_of(self._module, name))
        if joined and not self._is_member:
            kept.append(f"from {LINKED} import {', '.join(joined)}")
        self._text.replace(statement, "; ".join(filter(None, kept)) or ("pass" if is_inner else ""))

    def _other(
        self, statement: "ast.Import | ast.ImportFrom", alias: ast.alias, found: Found, is_inner: bool
    ) -> str:
        """An import of what is not joined; in the joined module under the one name that it has there."""
        line = f"from {statement.module} " if isinstance(statement, ast.ImportFrom) else ""
        if not self._is_member or is_inner:
            return f"{line}import {ast.unparse(alias)}"
        if found.module:
            raise self._module.fail(statement, f"{alias.name} is not among what every meter loads")
        name = self._program.linked_name(found)
        return f"{line}import {alias.name} as {name}" if name else ""


def text_of(program: Program, module: Module) -> str:
    """A module as it is joined, or as it is loaded beside the joined one."""
    return _Joined(program, module).text()


def joined_files(arch: str, programs: "dict[str, str] | None" = None) -> "dict[str, str]":
    """Name on the device -> source of every file that goes onto a chip of this architecture; with `programs`, files of
    the same kind, that are not the device's."""
    program = read(arch, programs)
    files = {f"{LINKED}.py": "".join(text for _, text in sections(program))}
    for module in program.modules.values():
        if module.name == "wattpact_meter.load_order":
            files[module.file] = _LOAD
        elif module.name in program.loaded and module.name not in program.members:
            files[module.file] = text_of(program, module)
    return files


def sections(program: Program) -> "list[tuple[str, str]]":
    """(module, its part of the joined source) in order; each has the lines of the module's own file."""
    return [(name, text_of(program, program.modules[name])) for name in program.members]


def lean_files(arch: str, programs: "dict[str, str] | None" = None) -> "dict[str, str]":
    """Name on the device -> source of every file of this architecture, each module for itself."""
    texts = {**_device_texts(), **(programs or {})}
    sources = Leaner({_dotted(file): text for file, text in texts.items() if file.endswith(".py")})
    return {
        file: sources.lean(_dotted(file)) if file.endswith(".py") else text for file, text in texts.items()
        if arch != "bytecode" or not file.endswith("_viper.py")
    }  # fmt: skip


@cache
def _device_texts() -> "dict[str, str]":
    return {file: path.read_text(encoding="utf-8") for file, path in device_files()}


def read(arch: str, programs: "dict[str, str] | None" = None) -> Program:
    """All modules of this architecture, and which of them are joined, in the order in which they are loaded."""
    modules = {_dotted(file): Module(file, source) for file, source in lean_files(arch, programs).items()}
    order = runpy.run_path(str(ROOTS["wattpact_meter"] / "load_order.py"))
    names = [f"wattpact_protocol.{name}" for name in order["PROTOCOL"].split()]
    names += [f"wattpact_meter.{name}" for name in order["METER"].split()]
    portable = [name for name in names if name.endswith("_portable")]
    worse = {name for name in portable if any(name[:-8] + better in modules for better in order["BETTER"])}
    return Program(modules, [name for name in names if name in modules and name not in worse])


def _dotted(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def where(arch: str, line: int) -> str:
    """Module and line of a line of the joined source."""
    for name, text in sections(read(arch)):
        count = text.count("\n")
        if line <= count:
            return f"{name}, line {line}"
        line -= count
    raise LinkError("the joined source is shorter")

