"""Joins the modules that every meter loads into one, `wattpact`: each module takes heap of its own, each name that one
imports of another takes some in both, and nobody but people needs either.

Left out are the functions, classes and methods that nothing on a device mentions, by name or in a text. What is private
to a class is called the same in many. A module must
reach another as `module.name` or import the name, at its top level; anything else is a LinkError.
"""

import ast
import runpy
from functools import cache

from tools.device_files import ROOTS, device_files
from tools.lean.leaner import Leaner
from tools.lean.program import Found, Program
from tools.lean.scopes import LinkError, Module, Use
from tools.lean.text import Text

LINKED = "wattpact"
# What takes the place of wattpact_meter/load_order.py, since there is one module to load.
_LOAD = f'"""Loads the joined modules."""\n\n\ndef load():\n    import {LINKED}\n'


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
        for place, column, old, new in self._program.privates.of(module):
            self._text.rename(place, column, old, new)
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
        for choice in module.choices:
            self._text.replace(choice, "pass")
        for node in module.body:
            if isinstance(node, ast.ClassDef) and set(node.body) <= {*dropped}:
                self._text.replace(dropped.pop(dropped.index(node.body[0])), "pass")
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self._define(node)
        for unused in dropped:
            self._text.replace(unused, "")
        for statement, holder in module.global_statements:
            if program.is_live(module, holder):
                names = [program.linked_name(Found(module.name, name)) for name in statement.names]
                self._text.replace(statement, f"global {', '.join(names)}")
        for place, old, new in program.argument_names(module):
            self._text.rename(place, 0, old, new)

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

    def _other(self, statement: "ast.Import | ast.ImportFrom", alias: ast.alias, found: Found, is_inner: bool) -> str:
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
    return dict(_joined(arch, tuple((programs or {}).items())))


@cache
def _joined(arch: str, programs: "tuple[tuple[str, str], ...]") -> "dict[str, str]":
    program = read(arch, dict(programs))
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
    lean = _lean(tuple((file, text) for file, text in texts.items() if file.endswith(".py")))
    return {
        file: lean.get(file, text) for file, text in texts.items()
        if arch != "bytecode" or not file.endswith("_viper.py")
    }  # fmt: skip


@cache
def _lean(sources: "tuple[tuple[str, str], ...]") -> "dict[str, str]":
    leaner = Leaner({_dotted(file): text for file, text in sources})
    return {file: leaner.lean(_dotted(file)) for file, _ in sources}


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
