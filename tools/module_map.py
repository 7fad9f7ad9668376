"""Writes the module map and the picture of the data's way in docs/architecture.md.

    python -m tools.module_map            write both
    python -m tools.module_map --check    only compare

A row of the map is a package: what the first sentence of its own docstring calls it, and what it may import by the
table in tests/test_architecture.py. The picture's boxes are packages of that table, placed by hand.
"""

import ast
import re
import sys
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "architecture.md"
PICTURE = CHECKOUT / "docs" / "data-path.svg"
PROTOCOL, METER, HOST = "PROTOCOL", "METER", "HOST"  # as that table calls them
FOLDERS = {PROTOCOL: "protocol/wattpact_protocol", METER: "firmware/wattpact_meter", HOST: "host/wattpact"}
BEGIN, END = "<!-- packages: tools/module_map.py -->\n", "<!-- end -->\n"


def sentence_of(folder: str, part: str) -> str:
    """The first sentence of a package's docstring, or of a module's beside the packages."""
    package, module = CHECKOUT / folder / part / "__init__.py", CHECKOUT / folder / f"{part}.py"
    docstring = (
        ast.get_docstring(ast.parse((package if package.exists() else module).read_text(encoding="utf-8"))) or ""
    )
    first = re.split(r"(?<=\.)\s", " ".join(docstring.split()), maxsplit=1)[0]
    return first.rstrip(".").replace("|", "\\|")


def may_import() -> dict[str, dict[str, str]]:
    """The table MAY_IMPORT: the packages of each folder, each with what it may import."""
    source = (CHECKOUT / "tests" / "test_architecture.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MAY_IMPORT":
            assert isinstance(node.value, ast.Dict)
            rows = zip(node.value.keys, node.value.values, strict=True)
            return {ast.unparse(top): ast.literal_eval(row) for top, row in rows if top is not None}
    raise SystemExit("tests/test_architecture.py has no table MAY_IMPORT")


def tables() -> str:
    table = may_import()
    lines = []
    for top, folder in FOLDERS.items():
        lines += [f"### `{folder}`", "", "| package | what it is | imports |", "|---|---|---|"]
        for part, imports in table[top].items():
            others = ", ".join(imports.split())
            lines.append(f"| `{part}` | {sentence_of(folder, part)} | {others} |")
        lines.append("")
    return "\n".join(lines)


class Box(NamedTuple):
    column: int
    row: int
    top: str
    part: str
    note: str


BOXES = [
    Box(0, 0, METER, "drivers", "pins, UART, UDP"),
    Box(1, 0, METER, "sources", "what measures"),
    Box(2, 0, METER, "metering", "energy to registers"),
    Box(3, 0, METER, "log", "seal, sign, append"),
    Box(4, 0, METER, "storage", "flash, first"),
    Box(5, 0, METER, "sync", "outbox, inbox"),
    Box(0, 1, METER, "control", "relay, policies"),
    Box(2, 1, PROTOCOL, "guard", "closed, or open?"),
    Box(5, 1, METER, "trade", "orders, contracts"),
    Box(0, 2, HOST, "sync", "heads, inboxes"),
    Box(1, 2, HOST, "ingest", "verify, then append"),
    Box(2, 2, HOST, "store", "one database"),
    Box(3, 2, HOST, "projections", "unseal, fold once"),
    Box(4, 2, HOST, "billing", "statement"),
    Box(5, 2, HOST, "bundle", "one file"),
    Box(6, 2, HOST, "audit", "recompute"),
    Box(1, 3, HOST, "membership", "certificates, links"),
    Box(2, 3, HOST, "market", "contracts to grants"),
    Box(3, 3, HOST, "views", "for a viewer"),
    Box(4, 3, HOST, "api", "HTTP, page"),
]
# From, to (column, row), and the words beside the arrow.
ARROWS = [
    ((0, 0), (1, 0), ""), ((1, 0), (2, 0), ""), ((2, 0), (3, 0), ""), ((3, 0), (4, 0), ""), ((4, 0), (5, 0), ""),
    ((2, 0), (2, 1), "registers"), ((5, 0), (5, 1), ""), ((5, 1), (2, 1), "grants with Wh left"),
    ((2, 1), (0, 1), "decision"), ((0, 1), (0, 0), ""),
    ((0, 2), (1, 2), ""), ((1, 2), (2, 2), ""), ((2, 2), (3, 2), ""), ((3, 2), (4, 2), ""), ((4, 2), (5, 2), ""),
    ((5, 2), (6, 2), ""), ((1, 3), (1, 2), ""), ((2, 3), (2, 2), ""), ((3, 2), (3, 3), ""), ((3, 3), (4, 3), ""),
]  # fmt: skip
WIDTH, HEIGHT, STEP_X, LEFT = 112, 44, 136, 20
TOPS = (44, 126, 266, 348)
SIZE = (LEFT + 6 * STEP_X + WIDTH + 20, TOPS[3] + HEIGHT + 16)
FILL = {METER: "#fde8c8", PROTOCOL: "#d9ead3", HOST: "#d6e4f5"}


def picture() -> str:
    wide, high = SIZE
    wire_y, wire_x, in_x = TOPS[1] + HEIGHT + 36, _middle(6), _middle(0)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="11">',
        "<title>The way of the data: from drivers over the meter's log and UDP to store, bill and audit</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
        f'<rect width="{wide}" height="{high}" fill="#fff"/>',
        *_lane(0, 1, "meter: wattpact_meter (guard: wattpact_protocol)", 6),
        *_lane(2, 3, "host: wattpact", 7),
        '<g stroke="#555" fill="none" marker-end="url(#tip)">',
        *(_arrow(start, end) for start, end, _ in ARROWS),
        f'<path d="M{_left(5) + WIDTH} {TOPS[0] + HEIGHT // 2}H{wire_x}V{wire_y}H{in_x}V{TOPS[2]}"'
        ' marker-start="url(#tip)"/>',
        "</g>",
        f'<text x="{wide // 2}" y="{wire_y - 6}" text-anchor="middle">UDP: entries of the log to the host; heads, '
        "certificates, offers, grants and receipts to the meter</text>",
        *(_label(start, end, words) for start, end, words in ARROWS if words),
        *(line for box in BOXES for line in _box(box)),
        "</svg>",
    ]
    return "\n".join(out) + "\n"


def _left(column: int) -> int:
    return LEFT + column * STEP_X


def _middle(column: int) -> int:
    return _left(column) + WIDTH // 2


def _lane(first: int, last: int, name: str, columns: int) -> list[str]:
    top, wide = TOPS[first] - 30, columns * STEP_X - STEP_X + WIDTH + 20
    high = TOPS[last] + HEIGHT + 12 - top
    return [
        f'<rect x="{LEFT - 10}" y="{top}" width="{wide}" height="{high}" rx="8" fill="#f6f6f6" stroke="#ccc"/>',
        f'<text x="{_left(1)}" y="{top + 18}" fill="#444">{name}</text>',
    ]


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    (from_x, from_y), (to_x, to_y) = start, end
    if from_y == to_y:
        y, right = TOPS[from_y] + HEIGHT // 2, to_x > from_x
        x1, x2 = (_left(from_x) + WIDTH, _left(to_x)) if right else (_left(from_x), _left(to_x) + WIDTH)
        return f'<path d="M{x1} {y}H{x2}"/>'
    y1, y2 = (TOPS[from_y] + HEIGHT, TOPS[to_y]) if to_y > from_y else (TOPS[from_y], TOPS[to_y] + HEIGHT)
    return f'<path d="M{_middle(from_x)} {y1}V{y2}"/>'


def _label(start: tuple[int, int], end: tuple[int, int], words: str) -> str:
    if start[1] == end[1]:
        x = (_middle(start[0]) + _middle(end[0])) // 2
        return f'<text x="{x}" y="{TOPS[start[1]] + HEIGHT // 2 - 6}" text-anchor="middle">{words}</text>'
    return f'<text x="{_middle(start[0]) + 8}" y="{(TOPS[start[1]] + HEIGHT + TOPS[end[1]]) // 2 + 4}">{words}</text>'


def _box(box: Box) -> list[str]:
    x, y, middle = _left(box.column), TOPS[box.row], _middle(box.column)
    return [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{FILL[box.top]}" stroke="#888"/>',
        f'<text x="{middle}" y="{y + 18}" text-anchor="middle" font-weight="bold" font-size="13">{box.part}</text>',
        f'<text x="{middle}" y="{y + 35}" text-anchor="middle" fill="#333">{box.note}</text>',
    ]


def page(text: str) -> str:
    """The page with the tables as they are now."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + tables() + "\n" + END + rest.partition(END)[2]


def outdated() -> list[str]:
    """What is not as this module would write it."""
    text = PAGE.read_text(encoding="utf-8")
    wrong = ["docs/architecture.md: the module map"] if text != page(text) else []
    if not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != picture():
        wrong.append("docs/data-path.svg")
    return [f"{name} is not what `python -m tools.module_map` writes" for name in wrong]


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        print("\n".join(outdated()) or "module map: up to date")
        return 1 if outdated() else 0
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
