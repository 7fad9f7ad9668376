"""Private attributes by shorter names: those of two classes may have one name, which then takes room once."""

import ast
from collections.abc import Iterator

from tools.lean.names import Modules


class Attributes:
    """short: of each attribute that only methods of its own class use, as `self._x`, its name in a meter."""

    def __init__(self, modules: Modules, linked: frozenset[str], fixed: set[str]) -> None:
        self._families: dict[str, str] = {}  # of each class the first of those that it is derived from
        own: dict[str, set[str]] = {}
        seen: set[ast.AST] = set()
        for name in sorted(linked):
            for node in modules.modules[name].body:
                if isinstance(node, ast.ClassDef):
                    for base in node.bases:
                        self._join(node.name, ast.unparse(base).rpartition(".")[2])
                    for part in ast.walk(node):
                        if isinstance(part, ast.Attribute) and ast.unparse(part.value) == "self":
                            own.setdefault(node.name, set()).add(part.attr)
                            seen.add(part)
        others = {
            node.attr for module in modules.modules.values() for node in module.nodes
            if isinstance(node, ast.Attribute) and node not in seen
        }  # fmt: skip
        families: dict[str, set[str]] = {}
        for name, attributes in own.items():
            families.setdefault(self._family(name), set()).update(attributes)
        private = {name for names in own.values() for name in names if name[0] == "_" and name[1] != "_"}
        self.short: dict[str, str] = {}
        for name in sorted(private - others - fixed):
            near = set().union(*(names for names in families.values() if name in names))
            taken = {self.short.get(other, other) for other in near - {name}} | others | fixed
            self.short[name] = next(short for short in _candidates() if short not in taken)

    def _family(self, name: str) -> str:
        while name in self._families:
            name = self._families[name]
        return name

    def _join(self, name: str, base: str) -> None:
        one, other = self._family(name), self._family(base)
        if one != other:
            self._families[one] = other


def _candidates() -> Iterator[str]:
    for length in range(1, 4):
        for number in range(26**length):
            letters = ""
            for _ in range(length):
                letters += chr(ord("a") + number % 26)
                number //= 26
            yield "_" + letters
