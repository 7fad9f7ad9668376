"""Source text in which nodes of its syntax tree are replaced, each line staying the line that it was."""

import ast


class Text:
    """Text(source): collects replacements, which must not overlap."""

    def __init__(self, source: str) -> None:
        self._lines = source.encode().splitlines(keepends=True)
        self._edits: list[tuple[int, int, int, int, bytes]] = []

    def replace(self, node: ast.AST, new: str) -> None:
        """A statement, with its decorators, or an expression; what it took more lines for ends in empty lines."""
        first, column = node.lineno, node.col_offset  # type: ignore[attr-defined]
        if getattr(node, "decorator_list", None):
            first = node.decorator_list[0].lineno  # type: ignore[attr-defined]
        self._edits.append((first, column, node.end_lineno, node.end_col_offset, new.encode()))  # type: ignore[attr-defined]

    def rename(self, node: ast.AST, offset: int, old: str, new: str) -> None:
        """A name in a node, so many columns from where the node begins."""
        line, column = node.lineno, node.col_offset + offset  # type: ignore[attr-defined]
        self._edits.append((line, column, line, column + len(old.encode()), new.encode()))

    def result(self) -> str:
        """The text with all replacements made; a replacement within another is dropped with it."""
        lines = list(self._lines)
        end = (1 << 30, 0)
        for line, column, end_line, end_column, new in sorted(self._outermost(), reverse=True):
            assert (end_line, end_column) <= end, "replacements overlap"
            end = (line, column)
            tail = lines[end_line - 1][end_column:]
            head = lines[line - 1][:column]
            lines[line - 1 : end_line] = [head + new + b"\n" * (end_line - line) + tail]
            lines[line - 1 : line] = lines[line - 1].splitlines(keepends=True)
        return b"".join(lines).decode()

    def _outermost(self) -> "list[tuple[int, int, int, int, bytes]]":
        found: list[tuple[int, int, int, int, bytes]] = []
        for edit in sorted(set(self._edits), key=lambda edit: (edit[0], edit[1], -edit[2], -edit[3])):
            if not found or edit[:2] >= found[-1][2:4]:
                found.append(edit)
        return found
