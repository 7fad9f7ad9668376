"""What is constant at the top levels of modules: its name is left out wherever it is only reached by imports."""

import ast
from collections.abc import Callable
from typing import Any

from tools.lean.names import Module, Modules, Place

_SHORT = 32  # a longer text, or bytes or a tuple, is an object of its own in each module: it is for one alone
_CALLS: dict[str, Callable[..., Any]] = {"bytes": bytes, "bytes.fromhex": bytes.fromhex, "len": len}


class Constants:
    """What is constant at the top levels of modules."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._values: dict[Place, tuple[Any, ...]] = {}
        self._kept: set[str] = set()
        self._large: set[Place] = set()  # what would be there more than once
        users: dict[Place, set[str]] = {}
        for name, module in modules.modules.items():
            for node in module.nodes:
                place = modules.place(module, node)
                if isinstance(node, ast.Attribute) and (place is None or not isinstance(node.ctx, ast.Load)):
                    self._kept.add(node.attr)  # of something else than a module, or set there
                elif place and isinstance(getattr(node, "ctx", None), ast.Load):
                    users.setdefault(place, set()).add(name)
        for place, names in users.items():
            found = self.value(place)
            if found and len(names) > 1 and not isinstance(found[0], int) and len(found[0] or "") > _SHORT:
                self._large.add(place)

    def value(self, place: "Place | None") -> "tuple[Any, ...]":
        """The value of a constant in a tuple of one; an empty one for anything else."""
        return () if place is None or place in self._large else self._known(place)

    def _known(self, place: Place) -> "tuple[Any, ...]":
        if place not in self._values:
            self._values[place] = ()  # to what needs itself
            self._values[place] = self._find(place)
        return self._values[place]

    def _find(self, place: Place) -> "tuple[Any, ...]":
        module = self._modules.modules.get(place[0])
        if module is None or place[1] not in module.assigned or place[1] in self._kept:
            return ()
        try:
            return (self._worth(module, module.assigned[place[1]]),)
        except (ValueError, TypeError):
            return ()

    def _worth(self, module: Module, node: ast.expr) -> Any:
        """What an expression is worth; raises ValueError where only running it would show."""
        if isinstance(node, ast.Constant) and not isinstance(node.value, float):
            return node.value
        if isinstance(node, ast.Tuple):
            return tuple(self._worth(module, item) for item in node.elts)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _CALLS and not node.keywords:
            return _CALLS[ast.unparse(node.func)](*(self._worth(module, item) for item in node.args))
        if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Slice)):
            return self._worked_out(module, node)
        place = self._modules.place(module, node)
        found = self._known(place) if place else ()
        if not found:
            raise ValueError("no constant")
        return found[0]

    def _worked_out(self, module: Module, node: ast.expr) -> Any:
        parts = dict(ast.iter_fields(node))
        known = {field: self._worth(module, part) for field, part in parts.items() if isinstance(part, ast.expr)}
        if isinstance(node, ast.Slice):
            return slice(*(known.get(field) for field in node._fields))
        expression = type(node)(**{**parts, **{field: ast.Name(field, ast.Load()) for field in known}})
        return eval(compile(ast.fix_missing_locations(ast.Expression(expression)), "", "eval"), {}, known)
