"""`wattpact quorum`, and a node of several: what can be set up without CometBFT, and what nonsense is answered with."""

import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout

import pytest
from wattpact import cli
from wattpact.consensus import home
from wattpact.node.data_directory import DataDirectory
from wattpact.quorum import founded
from wattpact.quorum.engine import HOME


def run(*typed):
    """(status, what was printed, errors)."""
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        cli.main(list(map(str, typed)))
    return ended.value.code or 0, out.getvalue(), errors.getvalue()


def good(*typed):
    status, out, errors = run(*typed)
    assert status == 0, errors
    return out


def bad(*typed):
    """The one line of it."""
    status, _, errors = run(*typed)
    assert status and len(errors.strip().splitlines()) == 1, errors
    return errors


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory):
    """A community that was handed over, its file, and another host that joined."""
    path = tmp_path_factory.mktemp("handed over")
    good("keys", "init", "--name", "Sun Street", path / "one")
    good("--data", path / "one", "bill")  # orders what the community begins with
    good("--data", path / "one", "quorum", "found", path / "sun.ledger", "--yes")
    joined = good("--data", path / "two", "quorum", "join", path / "sun.ledger", "--root", path / "one/settings.json")
    (path / "key").write_text(joined.split()[-1])
    return path


def test_whoever_joins_has_the_blocks_and_makes_the_same_genesis(handed_over):
    one, two = (DataDirectory(handed_over / name) for name in ("one", "two"))
    with one.reader() as first, two.reader() as second:
        assert founded.genesis(first) == founded.genesis(second)
        assert first.block(0) == second.block(0) and first.last_block() == second.last_block()
    shown = json.loads(good("--data", handed_over / "two", "quorum", "show", "--json"))
    assert (shown["needed"], shown["id"], shown["waits"]) == (1, None, None)
    assert shown["hosts"][0]["name"] and not shown["hosts"][0]["is_this"]
    assert "does not decide" in good("--data", handed_over / "two", "quorum", "show")


def test_a_second_time_the_same_file_is_written(handed_over):
    good("--data", handed_over / "one", "quorum", "found", handed_over / "again.ledger")
    assert (handed_over / "again.ledger").read_bytes() == (handed_over / "sun.ledger").read_bytes()


def test_a_host_is_added_by_its_whole_key(handed_over):
    key = (handed_over / "key").read_text()
    for wrong in ("", key[:64], key[:-1], "0" * 64, "0" + key[1:] if key[0] != "0" else "1" + key[1:]):
        assert "is no key of a host" in bad("--data", handed_over / "one", "quorum", "add", "two", wrong, "--yes")
    status, asked, _ = run("--data", handed_over / "one", "quorum", "add", "two", key)
    assert status and "without 2 of them nothing is ordered" in asked, "it is confirmed before"
    good("--data", handed_over / "one", "quorum", "add", "two", key, "--yes")
    assert "enrolled already" in bad("--data", handed_over / "one", "quorum", "add", "two", key, "--yes")
    good("--data", handed_over / "one", "quorum", "add", "two", key, "--again")
    assert "no host 'three'" in bad("--data", handed_over / "one", "quorum", "remove", "three")
    good("--data", handed_over / "one", "quorum", "remove", "two")


def test_only_the_issuer_adds(handed_over):
    key = (handed_over / "key").read_text()
    assert "issuer's key" in bad("--data", handed_over / "two", "quorum", "add", "two", key, "--yes")


def test_a_ledger_of_one_host_has_no_quorum_and_the_other_way_round(handed_over, tmp_path):
    good("keys", "init", "--name", "Moon Lane", tmp_path / "alone")
    for typed in (("show",), ("remove", "x")):
        assert "quorum found" in bad("--data", tmp_path / "alone", "quorum", *typed)
    assert "quorum found" in bad("--data", tmp_path / "alone", "node", "--engine", "cometbft")
    assert "several hosts order" in bad("--data", handed_over / "one", "node", "--engine", "embedded")
    assert "--engine cometbft" in run("--data", tmp_path / "alone", "node", "--peer", "x@y:1")[2]


def test_joining_nonsense_leaves_nothing_but_the_key(handed_over, tmp_path):
    root = handed_over / "one/settings.json"
    (tmp_path / "file").write_bytes(b"nonsense")
    assert "wrote" in bad("--data", tmp_path / "new", "quorum", "join", tmp_path / "file", "--root", root)
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["keys"]
    good("--data", tmp_path / "new", "quorum", "join", handed_over / "sun.ledger", "--root", root)
    assert "a community in" in bad(
        "--data", tmp_path / "new", "quorum", "join", handed_over / "sun.ledger", "--root", root
    )
    assert "another community" in bad(
        "--data", tmp_path / "other", "quorum", "join", handed_over / "sun.ledger", "--root", "00" * 32
    )


def test_what_cometbft_needs_is_named(handed_over, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("WATTPACT_COMETBFT", raising=False)
    error = bad("--data", handed_over / "one", "node", "--port", "0", "--no-http")
    assert "CometBFT" in error and "--cometbft" in error


def test_others_reach_a_host_by_its_id_once_it_was_started(handed_over, tmp_path):
    shutil.copytree(handed_over / "one", tmp_path / "one")
    directory = DataDirectory(tmp_path / "one")
    with directory.reader() as reader:
        home.write_home(directory.path / HOME, directory.host(), founded.genesis(reader), "127.0.0.1:1", [])
    shown = good("--data", tmp_path / "one", "quorum", "show")
    assert f"--peer {home.node_id(directory.path / HOME)}@ADDRESS:26656" in shown
