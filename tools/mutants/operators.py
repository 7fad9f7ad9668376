"""Mutants of one module: each a small edit of its source that a test should notice.

What is shown to people or to tools is left alone: docstrings, annotations, the texts of errors and of logs, `__repr__`.
"""

import ast
import re
from collections.abc import Iterator

COMPARISONS = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">=")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<=")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
ARITHMETIC = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
CODE = re.compile(r"[a-z][a-z0-9_]*")  # a text that is a name of something, and not a sentence
LOGGERS = ("log", "logger", "logging", "warnings")
UNSEEN = ("__repr__", "__str__")


class Mutant:
    """One edit: bytes start to end of the module's source become `new`."""

    def __init__(self, source: bytes, start: int, end: int, new: str) -> None:
        self.start = start
        self.text = source[:start] + new.encode() + source[end:]
        first = source.rfind(b"\n", 0, start) + 1
        last = (source + b"\n").find(b"\n", end)
        self.line = source.count(b"\n", 0, start) + 1
        self.before = _squeezed(source[first:last])
        self.after = _squeezed(source[first:start] + new.encode() + source[end:last])


def mutants(source: bytes) -> "list[Mutant]":
    """All mutants of a module, in the order of their places."""
    return sorted(_Edits(source).mutants(), key=lambda mutant: (mutant.start, mutant.after))


def _squeezed(lines: bytes) -> str:
    return " ".join(lines.decode().split())


class _Edits:
    def __init__(self, source: bytes) -> None:
        self._source = source
        self._tree = ast.parse(source)
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        nodes = list(_visible(self._tree))
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        self._codes = sorted({text for text in texts if CODE.fullmatch(text)})
        self._nodes = nodes

    def mutants(self) -> "Iterator[Mutant]":
        for node in self._nodes:
            for start, end, new in self._edits(node):
                yield Mutant(self._source, start, end, new)

    def _edits(self, node: ast.AST) -> "Iterator[tuple[int, int, str]]":
        if isinstance(node, ast.Compare):
            yield from self._comparison(node)
        elif isinstance(node, ast.BinOp):
            yield from self._arithmetic(node, self._end(node.left), self._start(node.right))
        elif isinstance(node, ast.AugAssign):
            yield from self._arithmetic(node, self._end(node.target), self._start(node.value))
            yield self._whole(node, "pass")
        elif isinstance(node, ast.BoolOp):
            yield from self._logic(node)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield self._whole(node, "bool(%s)" % self._text(node.operand))
        elif isinstance(node, ast.Constant):
            yield from self._constant(node)
        elif isinstance(node, ast.Return):
            if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
                yield self._whole(node, "return None")
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
            yield self._whole(node.test, "False")
            if not isinstance(node, ast.While):
                yield self._whole(node.test, "True")
        elif isinstance(node, (ast.Raise, ast.Delete)) or _is_effect(node):
            yield self._whole(node, "pass")
        elif isinstance(node, ast.Continue):
            yield self._whole(node, "break")
        elif isinstance(node, ast.Break):
            yield self._whole(node, "continue")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield self._whole(node.func, CALLS[node.func.id])

    def _comparison(self, node: ast.Compare) -> "Iterator[tuple[int, int, str]]":
        left: ast.expr = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            old, others = COMPARISONS[type(operator)]
            for new in others:
                yield self._between(self._end(left), self._start(right), old, new)
            left = right

    def _arithmetic(self, node: "ast.BinOp | ast.AugAssign", start: int, end: int) -> "Iterator[tuple[int, int, str]]":
        if isinstance(node, ast.BinOp) and isinstance(node.left, (ast.Constant, ast.JoinedStr)):
            if not isinstance(getattr(node.left, "value", ""), int):
                return  # a text or bytes: "+" joins and "%" formats
        if type(node.op) in ARITHMETIC:
            yield self._between(start, end, *ARITHMETIC[type(node.op)])

    def _logic(self, node: ast.BoolOp) -> "Iterator[tuple[int, int, str]]":
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield self._between(self._end(left), self._start(right), old, new)

    def _constant(self, node: ast.Constant) -> "Iterator[tuple[int, int, str]]":
        value = node.value
        if value is True or value is False:
            yield self._whole(node, str(not value))
        elif isinstance(value, int):
            yield self._whole(node, str(value + 1))
            yield self._whole(node, "(%d)" % (value - 1))
        elif isinstance(value, str) and value in self._codes and len(self._codes) > 1:
            yield self._whole(node, '"%s"' % self._codes[self._codes.index(value) - 1])

    def _between(self, start: int, end: int, old: str, new: str) -> "tuple[int, int, str]":
        gap = self._source[start:end]
        found = re.search(
            (r"\b%s\b" if old[0].isalpha() else "%s") % re.escape(old).replace(r"\ ", r"\s+"), gap.decode()
        )
        assert found, (old, gap)
        return start + found.start(), start + found.end(), new

    def _whole(self, node: ast.AST, new: str) -> "tuple[int, int, str]":
        return self._start(node), self._end(node), new

    def _text(self, node: ast.AST) -> str:
        return self._source[self._start(node) : self._end(node)].decode()

    def _start(self, node: ast.AST) -> int:
        return self._starts[getattr(node, "lineno", 1) - 1] + int(getattr(node, "col_offset", 0))

    def _end(self, node: ast.AST) -> int:
        return self._starts[getattr(node, "end_lineno", 1) - 1] + int(getattr(node, "end_col_offset", 0))


def _visible(node: ast.AST) -> "Iterator[ast.AST]":
    """The nodes under one that do something which a test can see."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_unseen(child):
                yield child
                yield from _codes_raised(child) if isinstance(child, ast.Raise) else _visible(child)


def _is_unseen(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        called = node.value.func if isinstance(node.value, ast.Call) else None
        logged = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id in LOGGERS
        return isinstance(node.value, ast.Constant) or logged
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets] == ["TYPE_CHECKING"]
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    if isinstance(node, ast.Assert) or isinstance(node, ast.FunctionDef) and node.name in UNSEEN:
        return True
    return isinstance(node, ast.JoinedStr)


def _codes_raised(node: ast.Raise) -> "list[ast.AST]":
    """Of what is raised only the codes count; sentences and what is formatted into them are for people."""
    return [
        one for one in getattr(node.exc, "args", ()) if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]


def _is_effect(node: ast.AST) -> bool:
    """A statement whose loss leaves the code whole: a call for its effect, or a value set in an object."""
    if isinstance(node, ast.Assign):
        return all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets)
    return isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.YieldFrom))
