"""The checks of the documents find what is broken, and find nothing in the documents there are."""

from pathlib import Path

import pytest

from tools import module_map
from tools.check_docs import CHECKOUT, Names, absent_names, absent_rules, anchors, broken_links, documents


@pytest.fixture(scope="module")
def names() -> Names:
    return Names(CHECKOUT)


def test_links_resolve():
    assert [line for document in documents(CHECKOUT) for line in broken_links(document, CHECKOUT)] == []


def test_rules_that_are_cited_exist():
    assert [line for document in documents(CHECKOUT) for line in absent_rules(document, CHECKOUT)] == []


def test_a_rule_that_is_not_there_is_seen(tmp_path: Path):
    (tmp_path / "other.md").write_text("1. First\n10. Tenth\n")
    (tmp_path / "page.md").write_text("([a](other.md), 1), [b](other.md), rule\n10, [c](other.md#x), rules 2 and 3")
    assert list(absent_rules(tmp_path / "page.md", tmp_path)) == ["page.md: other.md has no rule 2"]


def test_what_is_named_exists(names: Names):
    assert [line for document in documents(CHECKOUT) for line in absent_names(document, CHECKOUT, names)] == []


def test_the_map_and_the_picture_are_what_the_packages_are():
    assert module_map.outdated() == []


def test_the_picture_shows_packages_and_arrows_between_them():
    table = module_map.may_import()
    assert [box for box in module_map.BOXES if box.part not in table[box.top]] == []
    places = {(box.column, box.row) for box in module_map.BOXES}
    assert len(places) == len(module_map.BOXES)
    assert {place for start, end, _ in module_map.ARROWS for place in (start, end)} == places


def test_a_package_without_a_row_is_seen():
    text = module_map.PAGE.read_text(encoding="utf-8")
    assert module_map.page(text.replace("| `ledger` |", "| `else` |")) == text


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("[a](other.md)", False),
        ("[a](other.md#some-heading-of-it)", False),
        ("[a](#here)", False),
        ("![a](picture.png)", True),
        ("[a](absent.md)", True),
        ("[a](other.md#nowhere)", True),
        ("[a](../../outside.md)", True),
        ("[a](https://example.org/absent.md)", False),
        ("```\n[a](absent.md)\n```", False),
    ],
)
def test_a_broken_link_is_seen(tmp_path: Path, link: str, broken: bool):
    (tmp_path / "outside.md").write_text("")
    root = tmp_path / "project"
    root.mkdir()
    (root / "other.md").write_text("# Some `heading` of it\n")
    (root / "page.md").write_text(f"# Here\n\n{link}\n")
    assert bool(list(broken_links(root / "page.md", root))) == broken


@pytest.mark.parametrize(
    "span",
    [
        "protocol/wattpact_protocol/log/absent.py",
        "host/wattpact/absent",
        "settlement/absent.py",
        "absent.py",
        "tests/absent/*.py",
        "wattpact.views.absent",
        "wattpact_protocol.settlement.absent",
        "tools.absent",
        "cbor.absent",
        "ed25519.absent_steps(seed)",
    ],
)
def test_a_name_of_nothing_is_seen(names: Names, span: str):
    assert names.lacks(span)


@pytest.mark.parametrize(
    "span",
    [
        "protocol/wattpact_protocol/log/entry.py",
        "host/wattpact",
        "wattpact_protocol/log/entry.py",
        "log/entry.py",
        "metering/sampler",
        "drivers/",
        "tests/host/test_*.py",
        "wattpact.views.visible",
        "wattpact.audit",
        "tools.words",
        "cbor.decode",
        "ed25519.sign(seed, message)",
        "gc.mem_free()",
        "house.img.relay",
        "keys/issuer.key",
        "import_wh",
        "wattpact/1",
    ],
)
def test_a_name_of_something_is_not(names: Names, span: str):
    assert not names.lacks(span)


def test_repeated_headings_have_anchors_of_their_own():
    assert anchors("# A b\n## A b\n```\n# not one\n```\n") == {"a-b", "a-b-1"}
