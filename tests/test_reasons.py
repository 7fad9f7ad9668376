"""One vocabulary of reasons: each has a code and a sentence, and no module has a reason of its own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattpact_protocol.guard import guard
from wattpact_protocol.guard.table import CLOSED, KEEP, OPEN, Row, names
from wattpact_protocol.log import reason_texts, reasons

from tools.words import hits

CHECKOUT = Path(__file__).parent.parent
CODES = {name: value for name, value in vars(reasons).items() if name.isupper()}
VOCABULARY = {"protocol/wattpact_protocol/log/reasons.py"}


def modules() -> Iterator[Path]:
    for folder in ("protocol", "firmware", "host/wattpact"):
        yield from sorted((CHECKOUT / folder).rglob("*.py"))


def own_reasons(tree: ast.AST, codes: set[str]) -> Iterator[str]:
    """String literals that are a code of the vocabulary, and those that a function returns as a reason."""
    keys = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "_" in node.value:
            if node.value in codes and id(node) not in keys:
                yield node.value
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value in codes:
            yield str(node.value.value)
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            if "str | None" in ast.unparse(node.returns):
                yield from (text for text in returned(node) if re.fullmatch("[a-z]+(_[a-z]+)+", text) or text in codes)


def returned(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield from results(node.value)


def results(node: ast.expr) -> Iterator[str]:
    """What an expression may come out as, of string literals."""
    if isinstance(node, ast.IfExp):
        yield from (text for part in (node.body, node.orelse) for text in results(part))
    elif isinstance(node, ast.BoolOp):
        yield from (text for part in node.values for text in results(part))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def test_no_module_has_a_reason_of_its_own():
    found = {}
    for path in modules():
        name = str(path.relative_to(CHECKOUT))
        if name not in VOCABULARY:
            own = set(own_reasons(ast.parse(path.read_text()), set(CODES.values())))
            if own:
                found[name] = own
    assert not found, "import these from wattpact_protocol.log.reasons"


@pytest.mark.parametrize(
    "source",
    [
        'def f(x) -> "str | None":\n    return "something_new" if x else None',
        'def f(x) -> "str | None":\n    return "gap"',
        'GAP = "gap"',
        'count("bad_seal")',
    ],
)
def test_a_reason_in_a_module_is_seen(source: str):
    assert list(own_reasons(ast.parse(source), set(CODES.values())))


def test_every_reason_has_a_code_of_its_own_and_a_sentence():
    for name, code in CODES.items():
        assert code == name.lower()
    assert list(reason_texts.TEXTS) == list(CODES.values())


def test_every_reason_of_the_guard_has_a_sentence_for_each_position_it_goes_with():
    rows = [Row(name) for name in names()]
    closed = {row.name for row in rows if row.relay in (CLOSED, KEEP)} | {"warning"}
    is_open = {row.name for row in rows if row.relay in (OPEN, KEEP)} | (set(guard.WAITS) - {"warning"})
    assert set(reason_texts.RELAY_CLOSED) == closed
    assert set(reason_texts.RELAY_OPEN) == is_open | {"no_contract"}
    assert closed | is_open | {"no_contract"} == {*names(), *guard.WAITS}


def test_sentences_are_plain():
    texts = {**reason_texts.TEXTS, **reason_texts.RELAY_CLOSED, **reason_texts.RELAY_OPEN}
    for code, text in texts.items():
        assert text[0].isupper() and text.endswith(".") and len(text) <= 100, code
        assert hits("docs/sentence.md", text) == [], code


def test_a_code_from_elsewhere_is_shown_with_spaces():
    assert reason_texts.text("some_new_reason") == "Some new reason."
    assert reason_texts.relay_text("some_new_reason", True) == reason_texts.UNKNOWN
