"""The check of the documents' links finds what is broken, and finds nothing in the documents there are."""

from pathlib import Path

import pytest

from tools.check_docs import CHECKOUT, anchors, broken_links, documents


def test_links_resolve():
    assert [line for document in documents(CHECKOUT) for line in broken_links(document, CHECKOUT)] == []


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


def test_repeated_headings_have_anchors_of_their_own():
    assert anchors("# A b\n## A b\n```\n# not one\n```\n") == {"a-b", "a-b-1"}
