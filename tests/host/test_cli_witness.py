"""`wattpact ledger` and its witnesses: nonsense gets one line and a status; a sensible command is carried out."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import pytest
from simulator.witnessing import Log, answering, served_by
from wattpact import cli
from wattpact.bundle.cosigned import WitnessKey
from wattpact.keys import Signer
from wattpact.node import data_directory
from wattpact.witness import forks
from wattpact.witness.keeper import Keeper
from wattpact_protocol.ledger import checkpoints

KEY = WitnessKey("pi.example", Signer(bytes(32)).public_key).text
LOG_KEY = checkpoints.verifier_key("wattpact/00", bytes(32), checkpoints.ED25519)


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


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("home") / "data"
    good("keys", "init", "--name", "Sun Street", path)
    good("--data", path, "bill")  # orders what the community begins with
    return path


@pytest.fixture(scope="module")
def root(data):
    return data / "settings.json"


@pytest.fixture
def witness(data, root, tmp_path):
    """A witness that answers, added to the node."""
    log_key = json.loads(good("--data", data, "ledger", "head", "--json"))["key"]
    good("ledger", "witness", "init", tmp_path / "w", "--name", "pi.example", "--root", root, "--log-key", log_key)
    keeper = Keeper(tmp_path / "w")
    server, url = served_by(answering(keeper, data_directory.clock))
    good("--data", data, "ledger", "witness", "add", keeper.key.text, "--url", url + "/")
    yield keeper
    server.shutdown()
    good("--data", data, "ledger", "witness", "remove", "pi.example")


NONSENSE = [
    (["ledger", "witness", "add", "nonsense", "--url", "http://pi.example"], "no key of a witness"),
    (["ledger", "witness", "add", KEY[:-1], "--url", "http://pi.example"], "no key of a witness"),
    (["ledger", "witness", "add", KEY.replace("pi", "po"), "--url", "http://pi.example"], "does not fit its hash"),
    (["ledger", "witness", "add", KEY, "--url", "ftp://pi.example"], "no address of a witness"),
    (["ledger", "witness", "add", KEY], "Missing option '--url'"),
    (["ledger", "witness", "remove", "nobody"], "no witness nobody"),
    (["ledger", "witness", "run", "{data}"], "no witness's directory"),
    (["ledger", "witness", "init", "{tmp}/w", "--name", "a b", "--root", "{root}"], "cannot name a witness"),
    (["ledger", "witness", "init", "{tmp}/w", "--name", "x", "--root", "{root}", "--log-key", KEY], "is of type 4"),
    (["ledger", "witness", "fork", "{root}", "--log-key", KEY], "is of type 4"),
    (["ledger", "witness", "fork", "{root}", "--log-key", LOG_KEY], "not two signed heads"),
    (["ledger", "follow", "{data}", "--root", "{root}", "--witness", KEY], "missing: pi.example"),
    (["ledger", "follow", "{data}", "--root", "{root}", "--cosigned", "1"], "0 witnesses are given"),
    (["ledger", "follow", "{root}", "--root", "{root}"], "no file that `wattpact ledger export` wrote"),
    (["ledger", "follow", "{tmp}", "--root", "{root}"], "no database"),
    (["ledger", "block", "99999"], "no block 99999"),
    (["ledger", "prove", "nonsense", "-o", "{tmp}/proof"], "no id of an entry"),
    (["ledger", "verify", "{root}", "--root", "{root}"], "no proof"),
    (["audit", "{root}", "--root", "{root}", "--witness", "x"], "no key of a witness"),
    (["community", "witnesses"], "give --witness for each witness, or --none alone"),
    (["community", "witnesses", "--none", "--witness", KEY], "give --witness for each witness, or --none alone"),
    (["community", "witnesses", "--none", "--cosigned", "0"], "give --witness for each witness, or --none alone"),
    (["community", "witnesses", "--witness", "x"], "no key of a witness"),
    (["community", "witnesses", "--witness", KEY, "--cosigned", "2"], "2 cosignatures are required and 1 witnesses"),
]


@pytest.mark.parametrize(("typed", "message"), NONSENSE, ids=lambda value: None if isinstance(value, str) else value[1])
def test_nonsense_is_one_line(data, root, tmp_path, typed, message):
    places = {"data": data, "root": root, "tmp": tmp_path}
    status, out, errors = run("--data", data, *(str(one).format(**places) for one in typed))
    assert status not in (0, 70) and message in errors and errors.count("\n") == 1 and "Traceback" not in errors, errors


def test_a_node_knows_its_witnesses(data, witness):
    shown = good("--data", data, "ledger", "witness", "list")
    assert "http://127.0.0.1:" in shown and "pi.example: has not cosigned yet" in shown
    assert "already" in run("--data", data, "ledger", "witness", "add", KEY, "--url", "http://x.example")[2]
    good("--data", data, "keys", "person", "east")
    shown = good("--data", data, "bill", "--owner", "east", "--export", data / "east.bundle")
    assert "head in it is cosigned by pi.example." in shown
    (known,) = json.loads(good("--data", data, "ledger", "witness", "list", "--json"))
    head = json.loads(good("--data", data, "ledger", "head", "--json"))
    assert known["blocks"] and known["key"] == witness.key.text and head["witnesses"] == [known]
    assert "pi.example: cosigned" in good("--data", data, "ledger", "head")
    assert "pi.example at" in good("--data", data, "ledger", "block", "0")


def test_what_an_export_proves_can_be_required(data, root, witness, tmp_path):
    bundle, blocks, proof = data / "west.bundle", tmp_path / "ledger.blocks", tmp_path / "proof"
    good("--data", data, "keys", "person", "west")
    good("--data", data, "bill", "--owner", "west", "--export", bundle)
    shown = good("audit", bundle, "--root", root, "--witness", witness.key.text)
    assert "AGREES" in shown and "Cosigned: by pi.example at" in shown
    status, _, errors = run("audit", bundle, "--root", root, "--witness", witness.key.text, "--witness", WitnessKey(
        "other.example", bytes(32)
    ).text)  # fmt: skip
    assert status == 1 and "missing: other.example" in errors
    first = json.loads(good("--data", data, "ledger", "block", "0", "--json"))["entries"][0]["id"]
    good("--data", data, "ledger", "prove", first, "-o", proof)
    assert "Cosigned by pi.example" in good("ledger", "verify", proof, "--root", root, "--witness", witness.key.text)
    assert "blocks are in" in good("--data", data, "ledger", "export", "-o", blocks)
    assert "AGREES" in good("ledger", "follow", blocks, "--root", root)
    assert "AGREES" in good("ledger", "follow", data, "--root", root)


def test_two_heads_are_a_proof_for_everybody(data, tmp_path):
    directory = data_directory.DataDirectory(data)
    one = Log(SimpleNamespace(id=directory.community, host=directory.host()))
    one.append(4)
    other = one.branch(3)
    other.append(1, "another block")
    (tmp_path / "fork-4.txt").write_text(forks.encode(one.head(), other.head()))
    log_key = json.loads(good("--data", data, "ledger", "head", "--json"))["key"]
    shown = good("ledger", "witness", "fork", tmp_path / "fork-4.txt", "--log-key", log_key)
    assert shown.startswith("PROVEN") and "two histories of 4 blocks" in shown


def test_the_community_names_who_must_have_cosigned(data, root, witness, tmp_path):
    """Named, kept to, not kept to, and taken back: the community's entry rises each time, and the log shows it."""
    bundle, blocks, proof = data / "north.bundle", tmp_path / "ledger.blocks", tmp_path / "proof"
    good("--data", data, "keys", "person", "north")
    shown = good("--data", data, "community", "witnesses", "--witness", witness.key.text)
    assert "Version 2 of the community's entry: 1 of 1 witness must have cosigned: pi.example." in shown
    assert "does not submit" not in shown
    assert "1 of 1 witness must have cosigned" in good("--data", data, "community", "show")
    found = json.loads(good("--data", data, "community", "show", "--json"))
    assert (found["version"], found["witnesses"], found["cosigned"]) == (2, [witness.key.text], 1)
    shown = good("--data", data, "bill", "--owner", "north", "--export", bundle)
    assert "cosigned by pi.example" in shown and "requires more" not in shown
    assert "version 2: 1 of 1 witness must have cosigned: pi.example" in good("audit", bundle, "--root", root)
    other = WitnessKey("other.example", bytes(32)).text
    shown = good("--data", data, "community", "witnesses", "--witness", witness.key.text, "--witness", other)
    assert "does not submit its head to other.example yet" in shown
    shown = good("--data", data, "bill", "--owner", "north", "--export", bundle)
    assert "The community's entry requires more, and an audit stays undecided: 2 of 2 witnesses" in shown
    status, _, errors = run("audit", bundle, "--root", root)
    assert status == 2 and "version 3 of the community's entry requires; missing: other.example" in errors
    assert "AGREES" in good("audit", bundle, "--root", root, "--cosigned", "0")
    good("--data", data, "ledger", "export", "-o", blocks)
    first = json.loads(good("--data", data, "ledger", "block", "0", "--json"))["entries"][0]["id"]
    good("--data", data, "ledger", "prove", first, "-o", proof)
    for command, shows in (
        (["follow", blocks], "AGREES"),
        (["follow", data], "AGREES"),
        (["verify", proof], "block 0"),
    ):
        status, _, errors = run("ledger", *command, "--root", root)
        assert status == 1 and "version 3 of the community's entry requires; missing: " in errors, command
        assert shows in good("ledger", *command, "--root", root, "--cosigned", "0")
    good("--data", data, "community", "witnesses", "--none")
    assert "AGREES" in good("ledger", "follow", data, "--root", root)
    assert json.loads(good("--data", data, "community", "show", "--json"))["version"] == 4
