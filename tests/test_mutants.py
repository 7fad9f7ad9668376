"""The tool that makes mutants: what it changes, what it leaves alone, and that each seed makes the same ones."""

import ast

import pytest

from tools.mutants import __main__ as mutants
from tools.mutants import known, operators
from tools.mutants.targets import CHECKOUT, EQUIVALENT, TARGETS, files

SOURCE = b'''
"""Text with 1 < 2."""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KIND, OTHER = "kind", "other"

def f(a: "int | 5", b=3):
    """More text."""
    log.info("%d", 7)
    if a < b and not a:
        raise ValueError("a sentence of %d" % 9)
    x.y = max(a, b) + 1
    return a

class C:
    def __repr__(self):
        return 4 * "x"
'''


def test_each_operator_and_nothing_that_only_people_read():
    made = {(mutant.line, mutant.after) for mutant in operators.mutants(SOURCE)}
    assert made == {
        (7, 'KIND, OTHER = "other", "other"'), (7, 'KIND, OTHER = "kind", "kind"'),
        (9, 'def f(a: "int | 5", b=4):'), (9, 'def f(a: "int | 5", b=(2)):'),
        (12, "if a <= b and not a:"), (12, "if a > b and not a:"), (12, "if a < b or not a:"),
        (12, "if a < b and bool(a):"), (12, "if True:"), (12, "if False:"), (13, "pass"),
        (14, "x.y = min(a, b) + 1"), (14, "x.y = max(a, b) - 1"), (14, "x.y = max(a, b) + 2"),
        (14, "x.y = max(a, b) + (0)"), (14, "pass"), (15, "return None"),
    }  # fmt: skip


def test_a_mutant_is_the_source_with_one_edit():
    for mutant in operators.mutants(SOURCE):
        ast.parse(mutant.text)
        assert mutant.text != SOURCE and mutant.before != mutant.after


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_makes_the_same_mutants_and_more_of_them_begin_alike(name: str):
    few, many = (mutants.chosen(TARGETS[name], count, "1") for count in (10, 20))
    assert [job.mutant.text for job in many[:10]] == [job.mutant.text for job in few]
    assert mutants.chosen(TARGETS[name], 10, "2") != few
    assert all((CHECKOUT / test).is_file() for test in TARGETS[name].tests)


def test_each_equivalent_mutant_and_each_known_one_is_there_still():
    made = {
        (path, mutant.before, mutant.after)
        for path in {path for path, _, _ in EQUIVALENT}
        for mutant in operators.mutants((CHECKOUT / path).read_bytes())
    }
    assert set(EQUIVALENT) <= made
    assert len(known.jobs()) == 9
    assert all((CHECKOUT / test).is_file() for one in known.KNOWN for test in one.tests)
    assert list(files("protocol/wattpact_protocol/guard"))[0] == "protocol/wattpact_protocol/guard/__init__.py"
