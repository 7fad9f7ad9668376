"""What the names of a device's modules mean: which scope binds each, and which module's definition it is in the end."""

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

Holder = tuple[str, str]  # (name at the top of a module or "", method or "") in whose code something is


class LinkError(Exception):
    """Modules that cannot be joined; the text names the module, the line and what is not understood."""


class Use(NamedTuple):
    """A name that no function binds; `outer` is the attribute that is taken of it, if any, and `hidden` are the names
    that mean something else there."""

    node: ast.Name
    outer: "ast.Attribute | None"
    holder: Holder
    hidden: "frozenset[str]" = frozenset()


class Scope:
    """Of a function: what it binds, its arguments, and where each name is used. A class has one that functions in it
    do not see."""

    def __init__(self, bound: "set[str]", arguments: "list[ast.arg]", is_class: bool = False) -> None:
        self.bound = bound
        self.arguments = arguments
        self.is_class = is_class
        self.uses: dict[str, list[ast.Name]] = {}
        self.near: set[str] = set(bound)  # with what functions in it and around it bind


class Module:
    """Module(file, source): a device file, its name on the device with slashes and ".py"."""

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        self.name = file[:-3].replace("/", ".")
        self.source = source
        self.body: list[ast.stmt] = []
        self.only_for_types: list[ast.stmt] = []
        for node in ast.parse(source).body:
            (self.only_for_types if _is_for_types(node) else self.body).append(node)
        self.imports: list[ast.Import | ast.ImportFrom] = []
        self.inner_imports: list[ast.Import | ast.ImportFrom] = []  # of functions
        self.choices: list[ast.Try] = []  # imports that are tried one after the other
        self.bound: dict[str, list[ast.stmt]] = {}
        for node in self.body:
            self._bind(node)
        self.global_statements: list[tuple[ast.Global, Holder]] = []
        self.uses: list[Use] = []
        self.scopes: list[Scope] = []
        self.parts: dict[Holder, set[str]] = {}  # attributes and what strings have in them, by whose code it is
        for node in self.body:
            _Visitor(self, node)

    def _bind(self, node: ast.stmt) -> None:
        if isinstance(node, ast.If):
            for child in node.body + node.orelse:
                self._bind(child)
            return
        if isinstance(node, ast.Try):
            self.choices.append(node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self.imports.append(node)
        for name in bound_by([node]):
            self.bound.setdefault(name, []).append(node)

    def fail(self, node: ast.AST, what: str) -> LinkError:
        return LinkError(f"{self.file}:{getattr(node, 'lineno', 0)}: {what}")


def _is_for_types(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in ("TYPE_CHECKING", "False")
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TYPE_CHECKING"


def bound_by(body: "list[ast.stmt]") -> "Iterator[str]":
    """The names that statements bind in their own scope."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
            continue
        if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            yield node.id
        waiting += ast.iter_child_nodes(node)


class _Visitor:
    """Finds what one statement at the top of a module uses, and in which scopes."""

    def __init__(self, module: Module, node: ast.stmt) -> None:
        self._module = module
        self._scopes: list[Scope] = []
        self._visits: dict[type, Callable[[Any], None]] = {
            ast.FunctionDef: self._function, ast.Lambda: self._lambda, ast.ClassDef: self._class,
            ast.ListComp: self._comprehension, ast.SetComp: self._comprehension, ast.DictComp: self._comprehension,
            ast.GeneratorExp: self._comprehension, ast.AnnAssign: self._annotated, ast.Import: self._import,
            ast.ImportFrom: self._import, ast.Global: self._global, ast.Nonlocal: self._unknown,
            ast.JoinedStr: self._unknown, ast.Constant: self._constant, ast.Expr: self._expression,
            ast.keyword: self._keyword, ast.Attribute: self._attribute, ast.Name: self._name,
        }  # fmt: skip
        is_definition = isinstance(node, (ast.FunctionDef, ast.ClassDef))
        top = node.name if is_definition else _only_target(node)  # type: ignore[attr-defined]
        self._holder: Holder = (top, "")
        self._part(self._holder)
        self._visit(node)

    def _visit(self, node: "ast.AST | None") -> None:
        if node is None:
            return
        visit = self._visits.get(type(node))
        if visit is not None:
            visit(node)
        else:
            self._visit_all(list(ast.iter_child_nodes(node)))

    def _part(self, holder: Holder) -> "set[str]":
        return self._module.parts.setdefault(holder, set())

    def _function(self, node: ast.FunctionDef) -> None:
        before = self._holder
        if len(self._scopes) == 1 and self._scopes[0].is_class:
            self._holder = (before[0], node.name)
            self._part(self._holder)
        self._visit_all(node.decorator_list, node.args.defaults, node.args.kw_defaults)
        declared = {name for child in ast.walk(node) if isinstance(child, ast.Global) for name in child.names}
        arguments = _arguments(node.args)
        bound = (set(bound_by(node.body)) | {argument.arg for argument in arguments}) - declared
        self._in_scope(Scope(bound, arguments), node.body)
        self._holder = before

    def _lambda(self, node: ast.Lambda) -> None:
        self._visit_all(node.args.defaults)
        arguments = _arguments(node.args)
        self._in_scope(Scope({argument.arg for argument in arguments}, arguments), [node.body])

    def _class(self, node: ast.ClassDef) -> None:
        self._visit_all(node.decorator_list, node.bases)
        self._in_scope(Scope(set(bound_by(node.body)), [], is_class=True), node.body)

    def _comprehension(self, node: "ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp") -> None:
        targets = {
            child.id for generator in node.generators for child in ast.walk(generator.target)
            if isinstance(child, ast.Name)
        }  # fmt: skip
        self._in_scope(Scope(targets, []), list(ast.iter_child_nodes(node)))

    def _annotated(self, node: ast.AnnAssign) -> None:
        self._visit_all([node.target], [node.value])

    def _import(self, node: "ast.Import | ast.ImportFrom") -> None:
        if self._scopes:
            self._module.inner_imports.append(node)

    def _global(self, node: ast.Global) -> None:
        self._module.global_statements.append((node, self._holder))

    def _unknown(self, node: ast.AST) -> None:
        raise self._module.fail(node, f"{type(node).__name__} is not followed")

    def _constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, (str, bytes)):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            self._part(self._holder).update(words(text))

    def _expression(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # what is one is a docstring
            self._visit(node.value)

    def _keyword(self, node: ast.keyword) -> None:
        if node.arg:
            self._part(self._holder).add(node.arg)
        self._visit(node.value)

    def _attribute(self, node: ast.Attribute) -> None:
        self._part(self._holder).add(node.attr)
        if isinstance(node.value, ast.Name):
            self._use(node.value, node)
        else:
            self._visit(node.value)

    def _name(self, node: ast.Name) -> None:
        self._use(node, None)

    def _use(self, node: ast.Name, outer: "ast.Attribute | None") -> None:
        for depth, scope in enumerate(reversed(self._scopes)):
            if node.id in scope.bound and (not scope.is_class or not depth):
                scope.uses.setdefault(node.id, []).append(node)
                return
        if node.id in self._module.bound:
            hidden = frozenset(name for scope in self._scopes for name in scope.bound)
            self._module.uses.append(Use(node, outer, self._holder, hidden))

    def _in_scope(self, scope: Scope, body: "Sequence[ast.AST]") -> None:
        for outer in self._scopes:
            outer.near |= scope.bound
            scope.near |= outer.bound
        self._scopes.append(scope)
        self._module.scopes.append(scope)
        self._visit_all(body)
        self._scopes.pop()

    def _visit_all(self, *lists: "Sequence[ast.AST | None]") -> None:
        for nodes in lists:
            for node in nodes:
                self._visit(node)


def words(text: str) -> "set[str]":
    """What may be a name in a text."""
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())


def _arguments(arguments: ast.arguments) -> "list[ast.arg]":
    found = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
    return found + [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]


def _only_target(node: ast.stmt) -> str:
    """The name that an assignment is for, empty for anything else: that runs whatever is used of it."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""
