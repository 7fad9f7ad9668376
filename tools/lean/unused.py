"""What a meter has no use for in its code: functions and classes that nothing there names, and names of parameters."""

import ast
import re
from collections.abc import Iterator

from tools.lean.names import Module, Modules

_WORD = re.compile(r"[A-Za-z_]\w*")
_SHORT_NAMES = "abcdefghijkl"


class Unused:
    """definitions: functions, methods and classes of the `linked` modules whose names are nowhere else. Names alone
    are compared, so that what is found by its name as a text is used as well. named: names of other than attributes."""

    def __init__(self, modules: Modules, linked: frozenset[str]) -> None:
        self.definitions: set[ast.AST] = set()
        own = [modules.modules[name] for name in linked]
        while True:
            used = {
                word for module in modules.modules.values() for node in self.kept(module)
                for word in _words(node, module.nodes[node])
            }  # fmt: skip
            found = {node for module in own for node in self.kept(module) if _name(node) and _name(node) not in used}
            if not found:
                break
            self.definitions |= found
        tops = set().union(*(module.tops for module in modules.modules.values()))
        self._fixed = used | tops
        self.named = tops | {
            word for module in modules.modules.values() for node in module.nodes if not isinstance(node, ast.Attribute)
            for word in (_name(node), *_words(node, module.nodes[node]))
        }  # fmt: skip

    def kept(self, module: Module) -> Iterator[ast.AST]:
        """What is executed of a module, without those definitions."""
        inside: set[ast.AST] = set()
        for node in module.nodes:  # parents first
            if node in inside or node in self.definitions:
                inside.update(ast.iter_child_nodes(node))
            else:
                yield node

    def short_names(self, function: "ast.FunctionDef | ast.Lambda") -> dict[str, str]:
        """Of each parameter that no call names a name that others have as well, since each name takes room."""
        inside = list(ast.walk(function))
        args = [arg.arg for arg in function.args.args + function.args.kwonlyargs]
        bound = [name for node in inside for name in _bound_again(node)]
        taken = {node.id for node in inside if isinstance(node, ast.Name)} | set(bound)
        free = (name for name in _SHORT_NAMES if name not in taken)
        return {name: next(free, name) for name in args if name not in self._fixed and bound.count(name) == 1}


def _name(node: ast.AST) -> str:
    """The name that a definition gives, but for those that the language itself uses."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("__"):
        return node.name
    return ""


def _bound_again(node: ast.AST) -> Iterator[str]:
    """Names that are others' within: of parameters, what comprehensions go through, and what is passed on."""
    if isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.comprehension):
        yield from (part.id for part in ast.walk(node.target) if isinstance(part, ast.Name))
    elif isinstance(node, ast.Nonlocal):
        yield from node.names


def _words(node: ast.AST, local: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in local:
        yield node.id
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.keyword) and node.arg:
        yield node.arg
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from _WORD.findall(node.value)
