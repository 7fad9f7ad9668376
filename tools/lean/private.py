"""Short names for what only a class itself names: its private attributes and methods, a third of an image's names.

Objects of different classes share these names, as arguments of different functions share theirs; a class and those that
it inherits from are one. A name stays as it is where it is used of anything but `self`, or is in a text.
"""

import ast
from collections.abc import Iterable, Iterator
from string import ascii_lowercase

from tools.lean.scopes import Module, bound_by, words

Place = tuple[ast.AST, int, str]  # a node, so many columns into it, and the name that is there

SHORT = [*ascii_lowercase, *[first + second for first in "xyz" for second in ascii_lowercase]]
_DEFINED = {ast.FunctionDef: len("def "), ast.AsyncFunctionDef: len("async def ")}


class Privates:
    """Privates(modules): of all that a board may load."""

    def __init__(self, modules: "list[Module]") -> None:
        classes = {module.name: _classes(module) for module in modules}
        self._families = _families(node for nodes in classes.values() for node in nodes)
        self._places: dict[str, list[tuple[str, Place]]] = {}  # by module, each with its family
        names: dict[str, set[str]] = {}  # of a family
        attributes: set[str] = set()  # of anything else
        kept: set[str] = set()
        for module in modules:
            places = [(self._families[node.name], place) for node in classes[module.name] for place in _own(node)]
            self._places[module.name] = places
            own = {node for _, (node, _, _) in places}
            attributes.update(
                node.attr for node in _executed(module) if isinstance(node, ast.Attribute) and node not in own
            )
            kept.update(name for node in _executed(module) for name in _texts(node))
            kept.update(name for node in classes[module.name] for name in _assigned(node))
            for family, (_, _, name) in places:
                names.setdefault(family, set()).add(name)
        self._short = {family: _shortened(own, attributes, kept) for family, own in names.items()}

    def of(self, module: Module) -> "Iterator[tuple[ast.AST, int, str, str]]":
        """Each place of a private name: node, column in it, the name, and the short one."""
        for family, (node, column, name) in self._places[module.name]:
            if name in self._short[family]:
                yield node, column, name, self._short[family][name]


def _shortened(own: "set[str]", attributes: "set[str]", kept: "set[str]") -> "dict[str, str]":
    private = sorted(name for name in own - attributes - kept if name.startswith("_") and not name.endswith("__"))
    free = [short for short in SHORT if short not in own | attributes]
    return dict(zip(private, free, strict=False))


def _classes(module: Module) -> "list[ast.ClassDef]":
    return [node for node in module.body if isinstance(node, ast.ClassDef)]


def _families(classes: "Iterable[ast.ClassDef]") -> "dict[str, str]":
    """The name of each class, and one that it has in common with all that inherit from it or that it inherits from."""
    nodes = list(classes)
    families = {node.name: node.name for node in nodes}
    for node in nodes:
        for name in families.keys() & {word for base in node.bases for word in words(ast.unparse(base))}:
            old, new = families[node.name], families[name]
            families = {key: new if family == old else family for key, family in families.items()}
    return families


def _own(node: ast.ClassDef) -> "Iterator[Place]":
    """Where a class names what its objects have: its methods, and attributes of `self`."""
    for child in node.body:
        if type(child) in _DEFINED:
            yield child, _DEFINED[type(child)], child.name  # type: ignore[attr-defined]
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self":
            yield part, len("self."), part.attr


def _assigned(node: ast.ClassDef) -> "Iterator[str]":
    return bound_by([child for child in node.body if type(child) not in _DEFINED])


def _executed(module: Module) -> "Iterator[ast.AST]":
    """All nodes but docstrings."""
    waiting: list[ast.AST] = list(module.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
            yield node
            waiting += ast.iter_child_nodes(node)


def _texts(node: ast.AST) -> "set[str]":
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
        return words(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
    return set()
