"""Words mean one thing each: docs/glossary.md defines every term once, and no text uses a word that a term replaced."""

import re

import pytest

from tools.words import CHECKOUT, FORBIDDEN, all_hits, counts, hits

# How many hits there are: a number only falls, and is lowered with what lowers it. The documents have none.
MOST = {"docs": 0, "protocol": 0, "firmware": 0, "host/wattpact": 0, "host/web": 0, "tools": 0, "tests": 0}

TERM = re.compile(r"^\| \*\*(.+?)\*\* \| (.+?) \| (.*?) \|$", re.MULTILINE)


def terms() -> list[tuple[str, str, str]]:
    """Each term of the glossary, its meaning, and where it is in the code."""
    return TERM.findall((CHECKOUT / "docs" / "glossary.md").read_text(encoding="utf-8"))


def test_no_text_uses_anything_else_where_there_is_a_term():
    found = all_hits()
    more = {folder: number for folder, number in counts(found).items() if number > MOST[folder]}
    assert not more, "\n".join(
        ["`python -m tools.words` lists all; here are those of folders with more than before:"]
        + [f"{hit.file}:{hit.line}: {hit.word} -> {hit.use}" for hit in found if hit.file.startswith(tuple(more))]
    )


def test_the_glossary_defines_each_term_once():
    names = [name.lower() for name, _, _ in terms()]
    assert len(names) > 50
    assert [name for name in names if names.count(name) > 1] == []
    assert names == sorted(names)


def test_no_term_was_replaced_by_another():
    assert [hit for name, _, _ in terms() for hit in hits("docs/glossary.md", name)] == []


@pytest.mark.parametrize("row", FORBIDDEN, ids=lambda row: row.pattern)
def test_every_row_gives_what_to_use(row):
    assert row.use and hits("docs/page.md", row.use, [row]) == []


@pytest.mark.parametrize(
    ("file", "source", "words"),
    [
        ("docs/a.md", "The meter said so.", ["said"]),
        ("docs/a.md", "`said` is a field.\n```\nsaid\n```\n", []),
        ("docs/a.md", "    indented text is read too, and said", ["said"]),
        ("docs/a.md", "A stand-in stands in for a chip.", []),
        ("docs/a.md", "What it comes\nto.", ["comes to"]),
        ("docs/a.md", "In fact facts are inputs.", ["facts"]),
        ("docs/a.md", "unsaid, aforesaid and hearsay", []),
        ("host/wattpact/a.py", '"""Says so."""\nsaid = heard("told")  # asks\n', ["Says", "asks", "told"]),
        ("host/wattpact/a.py", "# what it comes\n# to\nx = 1\n", ["comes # to"]),
        ("host/wattpact/a.py", 'x = f"{told} hears `said`"\n', ["hears"]),
        ("host/wattpact/a.py", "# 16 words of 64 bits\n", []),
        ("host/wattpact/a.py", "# the words of 64\n", ["words"]),
        ("protocol/wattpact_protocol/crypto/a.py", "# the words of 64\n", []),
        ("host/web/src/a.tsx", "<p>Nothing was said yet</p>", ["said"]),
        ("host/web/src/a.tsx", 'const said = tell("heard"); // told', ["heard", "told"]),
        ("docs/a.md", "<!-- rows: tools/x.py -->\nsaid\n<!-- end -->\ntold", ["told"]),
        ("docs/spec/bundle.md", "evidence", []),
        ("tests/host/test_a.py", "def test_it_says_so(said): pass\n", ["says"]),
        ("host/wattpact/a.py", "def says(): pass\n", []),
        ("host/wattpact/a.py", "def is_refused(): pass\n", ["refused"]),
        ("host/wattpact/a.py", "def take(it, refusing): it.refused = refusing\n", ["refused", "refusing"]),
        ("tests/host/test_a.py", "def test_it_is_refused(): refusals = 0\n", ["refusals", "refused"]),
        ("host/wattpact/a.py", '"""An error; the text says why, docs/spec/log.md says which."""', []),
    ],
)
def test_what_is_found(file: str, source: str, words: list[str]):
    assert [hit.word for hit in hits(file, source)] == words


def test_a_hit_names_its_line():
    assert [hit.line for hit in hits("protocol/a.py", 'x = 1\n"""One\n\ntells"""\n# and\n# tells\n')] == [4, 6]
    assert [hit.line for hit in hits("docs/a.md", "One\n```\ntells\n```\ntells\n")] == [5]
