"""Modules joined into one for a chip: the same meaning under other names, and nothing that no board reaches."""

import runpy
from pathlib import Path

import pytest

from tools.lean import joined as link
from tools.lean.program import Program
from tools.lean.scopes import LinkError, Module


def joined(tmp_path: Path, members: "dict[str, str]", others: "dict[str, str] | None" = None) -> "dict[str, object]":
    """The names at the top of the joined module, after running it."""
    text = "".join(part for _, part in link.sections(program(members, others)))
    (tmp_path / "wattpact.py").write_text(text)
    return runpy.run_path(str(tmp_path / "wattpact.py"))


def program(members: "dict[str, str]", others: "dict[str, str] | None" = None) -> Program:
    sources = {**members, **(others or {})}
    modules = {name: Module(name.replace(".", "/") + ".py", source) for name, source in sources.items()}
    return Program(modules, list(members))


RULES = """
LIMIT = [3]

def check(value):
    return value < LIMIT[0]

def never_called():
    return LIMIT
"""


def test_two_names_that_are_alike_stay_two(tmp_path: Path):
    members = {
        "p.rules": RULES,
        "p.others": "LIMIT = [5]\n\ndef check(value):\n    return value < LIMIT[0]\n",
        "p.both": "from p import others, rules\n\nRESULT = [rules.check(4), others.check(4)]\n",
    }
    names = joined(tmp_path, members, {"main": "from p.both import RESULT\nprint(RESULT)\n"})
    assert names["RESULT"] == [False, True]


def test_a_name_means_in_a_function_what_it_meant(tmp_path: Path):
    user = """
from p.rules import check
from p import rules

def both(LIMIT):
    check = LIMIT
    return check, rules.check(LIMIT), [rules.check(check) for check in (1, 9)]

class Holder:
    check = 7
    def read(self):
        return check(self.check), Holder.check

RESULT = both(4), Holder().read()
"""
    names = joined(tmp_path, {"p.rules": RULES, "p.user": user}, {"main": "from p import user\nprint(user.RESULT)\n"})
    assert names["RESULT"] == ((4, False, [True, False]), (False, 7))


def test_a_global_that_a_function_sets_is_its_modules(tmp_path: Path):
    count = "_total = [0]\n\ndef add(n):\n    global _total\n    _total = [_total[0] + n]\n    return _total[0]\n"
    twice = {"p.a": count, "p.b": count, "p.c": "from p import a, b\n\nRESULT = [a.add(1), a.add(1), b.add(5)]\n"}
    names = joined(tmp_path, twice, {"main": "from p.c import RESULT\nRESULT\n"})
    assert names["RESULT"] == [1, 2, 5]


def test_arguments_given_by_name_keep_it_and_others_get_a_short_one(tmp_path: Path):
    source = """
def scaled(value, factor=2, *, places=0):
    return [value * factor + a + places for a in (0, 1)]

RESULT = scaled(10, places=5)
"""
    names = joined(tmp_path, {"p.a": source}, {"main": "from p.a import RESULT\nRESULT\n"})
    assert names["RESULT"] == [25, 26]
    scaled = names["scaled"]
    assert scaled.__code__.co_varnames[:3] == ("b", "c", "places")  # type: ignore[attr-defined]


PRIVATE = """
class Base:
    def __init__(self):
        self._total = 1
        self.a = 10

    def total(self):
        return self._total + self.a

class Row(Base):
    def __init__(self):
        super().__init__()
        self._more = 100

    def _sum(self):
        return self._more + self._total

    def sums(self, other):
        return self.total(), self._sum(), other._shown, getattr(self, "_named")()

    def _named(self):
        return 1000

class Other:
    def __init__(self):
        self._shown = 3
        self._hidden = 4

    def both(self):
        return self._shown, self._hidden

RESULT = Row().sums(Other()), Other().both()
"""


def test_private_names_of_classes_are_short_and_the_same_in_many(tmp_path: Path):
    names = joined(tmp_path, {"p.a": PRIVATE}, {"main": "from p.a import RESULT, Row, Other\nRESULT, Row, Other\n"})
    assert names["RESULT"] == ((11, 101, 3, 1000), (3, 4))
    row, other = names["Row"](), names["Other"]()  # type: ignore[operator]
    assert vars(row) == {"a": 10, "b": 100, "d": 1}  # one with its base, whose public "a" keeps its name
    assert hasattr(row, "c") and hasattr(row, "_named")  # "_sum" is a method; a text has "_named"
    assert vars(other) == {"_shown": 3, "a": 4}  # another class uses "_shown"


def test_what_nothing_mentions_is_left_out(tmp_path: Path):
    source = """
class Row:
    def __init__(self):
        self.n = 1
    def used(self):
        return self.n
    def by_its_name_in_a_text(self):
        return 2
    def unused(self):
        return 3

def helper():
    return getattr(Row(), "by_its_name_in_a_text")()
"""
    main = "from p.a import Row, helper\nRow().used(), helper()\n"
    names = joined(tmp_path, {"p.a": source, "p.rules": RULES}, {"main": main})
    assert hasattr(names["Row"], "used") and hasattr(names["Row"], "by_its_name_in_a_text")
    assert not hasattr(names["Row"], "unused")
    assert "never_called" not in names and "check" not in names


def test_an_import_that_is_tried_is_the_first_that_a_device_has(tmp_path: Path):
    facade = """
try:
    from p import _host as _backend
except ImportError:
    from p import _portable as _backend

def work():
    return _backend.work()

RESULT = work()
"""
    members = {"p._portable": "def work():\n    return 'portable'\n", "p.facade": facade}
    assert joined(tmp_path, members, {"main": "from p.facade import RESULT\nRESULT\n"})["RESULT"] == "portable"


@pytest.mark.parametrize(
    "source",
    [
        "from p import rules\nx = rules\n",
        "from p import rules\nrules.LIMIT = 4\n",
        "def f():\n    from p import rules\n    return rules\n",
        "def f(n):\n    def g():\n        nonlocal n\n",
        "from p.rules import nothing\nnothing()\n",
        "from p import late\nlate.f()\n",
    ],
)
def test_what_cannot_be_joined_is_an_error_that_names_the_file(source: str, tmp_path: Path):
    with pytest.raises(LinkError, match=r"p/(user|rules)\.py"):
        joined(tmp_path, {"p.rules": RULES, "p.user": source}, {"p.late": "def f():\n    pass\n"})


def test_others_import_from_the_joined_module():
    source = "from p import rules\nfrom p.late import g\n\nrules.check = g\nprint(rules.check(rules.LIMIT))\n"
    made = program({"p.rules": RULES}, {"main": source, "p.late": "def g(x):\n    return x\n"})
    text = link.text_of(made, made.modules["main"])
    assert text.splitlines()[:2] == ["from wattpact import LIMIT, check", "from p.late import g"]
    assert '__import__("wattpact").check = g' in text and "check(LIMIT)" in text


def test_each_line_is_found_again():
    text = link.joined_files("bytecode")["wattpact.py"].splitlines()
    number = next(n for n, line in enumerate(text, 1) if line.startswith("class Journal:"))
    module, _, line = link.where("bytecode", number).partition(", line ")
    assert module == "wattpact_meter.storage.journal"
    source = Path("firmware/wattpact_meter/storage/journal.py").read_text().splitlines()
    assert source[int(line) - 1] == "class Journal:"
