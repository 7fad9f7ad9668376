"""The command line: every piece of nonsense gets one line and a status; a sensible command is carried out."""

import io
import json
import os
import re
import socket
import stat
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import click
import pytest
from simulator.authors import Author
from simulator.deal import Deal
from simulator.host import key
from wattpact import cli
from wattpact.cli import frame
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact_protocol.log import entry, kinds, roles
from wattpact_protocol.sync import enrolment

CODE = enrolment.format_code(bytes(range(16)))


class Result:
    def __init__(self, status, out, errors):
        self.status, self.out, self.errors = status, out, errors


def run(*typed):
    """What `wattpact WORDS` prints and returns."""
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        cli.main(list(map(str, typed)))
    return Result(ended.value.code or 0, out.getvalue(), errors.getvalue())


def founded_for_east(path, *labels):
    """A data directory with a person, east, who owns meters with these labels."""
    assert run("keys", "init", "--name", "Sun Street", path).status == 0
    assert run("--data", path, "keys", "person", "east").status == 0
    made = data_directory.DataDirectory(path)
    owner, now_s = made.keyring.person("east"), data_directory.clock()
    with made.store() as store:
        for label in labels:
            members.enrol_meter(store, made.issuer(), key(label).public_key, label, owner.kid, now_s, rated_w=11000)
    return made


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    """A data directory with a person, a person without a key here, and two meters of the first."""
    path = tmp_path_factory.mktemp("home") / "data"
    assert run("keys", "init", "--name", "Sun Street", path).status == 0
    assert run("--data", path, "keys", "person", "east", "--label", "East").status == 0
    made = data_directory.DataDirectory(path)
    with made.store() as store:
        issuer, now_s = made.issuer(), data_directory.clock()
        east = next(known for known in store.certificates() if known.body["label"] == "East")
        away = key("away")
        members.enrol_person(store, issuer, away, "Away", now_s)
        for label, owner in (("House 1", east.kid), ("House 2", east.kid), ("House 3", away.kid)):
            members.enrol_meter(store, issuer, key(label).public_key, label, owner, now_s, rated_w=11000)
    return made


ENROL = ("meter", "enrol", "--label", "House 9", "--owner", "East", "--rated-w", "11000")
OFFER = ("contract", "offer", "--meter", "House 1", "--wh", "50", "--price", "0.20", "--max-w", "5000", "--hours", "2")


def changed(typed, option, value):
    typed = list(typed)
    typed[typed.index(option) + 1] = value
    return typed


NONSENSE = [
    (["nonsense"], "No such command 'nonsense'"),
    (["--nonsense"], "No such option"),
    (["--data"], "requires an argument"),
    (["meter"], "wattpact meter needs a command: enrol, list, new-registers, renew, show"),
    (["meter", "nonsense"], "No such command"),
    (["meter", "show"], "Missing argument"),
    (["meter", "show", "House 7"], "there is no meter 'House 7'"),
    (["meter", "show", ""], "there is no meter ''"),
    (["meter", "show", "\udcff"], "there is no meter"),
    (["meter", "show", "a\nb"], "there is no meter"),
    (["meter", "list", "more"], "unexpected extra argument"),
    ([*ENROL], "Missing option '--code'"),
    ([*ENROL, "--code", ""], "a sticker code has 26"),
    ([*ENROL, "--code", "1" * 26], "is not in a sticker code"),
    ([*ENROL, "--code", CODE], "no meter waits to be enrolled"),
    ([*changed(ENROL, "--owner", "Nobody"), "--code", CODE], "there is no person 'Nobody'"),
    ([*changed(ENROL, "--rated-w", "0"), "--code", CODE], "0 is not in the range"),
    ([*changed(ENROL, "--rated-w", "much"), "--code", CODE], "'much' is not a valid integer"),
    ([*ENROL, "--code", CODE, "--wait", "-1"], "not in the range"),
    (["keys", "init"], "Missing option '--name'"),
    (["keys", "init", "--name", "X"], "there is a community in"),
    (["keys", "init", "--name", "X", "--slot", "0"], "not in the range"),
    (["keys", "init", "--name", "X", "--timezone", "Mars/Olympus"], "is not a time zone"),
    (["keys", "init", "--name", "X", "--timezone", "../../etc/passwd"], "is not a time zone"),
    (["keys", "init", "--name", "X", "--import-price", "0,30"], "is not a price per kWh"),
    (["keys", "person"], "Missing argument"),
    (["keys", "person", "../east"], "cannot name a key"),
    (["keys", "person", "east"], "east has a key already"),
    (["keys", "person", "other", "--label", "East"], "there is a person 'East' already"),
    (["keys", "person", "other", "--label", "x" * 33], "label is out of range"),
    (["keys", "show", "nobody"], "names no key"),
    (["keys", "show", ""], "names several keys"),
    (["keys", "export", "east"], "No such command"),
    (["contract", "show", "beef"], "is no contract"),
    (["contract", "show", "b"], "is no contract"),
    (["contract", "terminate", "0000"], "is no contract"),
    (changed(OFFER, "--meter", "House 7"), "there is no meter 'House 7'"),
    (changed(OFFER, "--meter", "House 3"), "the key of the owner of House 3 is not in this data directory"),
    (changed(OFFER, "--wh", "0"), "not in the range"),
    (changed(OFFER, "--wh", "1.5"), "not a valid integer"),
    (changed(OFFER, "--wh", str(1 << 32)), "not in the range"),
    (changed(OFFER, "--price", "-0.2"), "is not a price"),
    (changed(OFFER, "--price", "0.0000001"), "at most six decimals"),
    (changed(OFFER, "--price", "1e-3"), "is not a price"),
    (changed(OFFER, "--price", "4294.967296"), "more than the highest price, 4294.967295 per kWh"),
    (changed(OFFER, "--price", "nan"), "is not a price"),
    (changed(OFFER, "--price", "٣"), "is not a price"),
    (changed(OFFER, "--max-w", "0"), "not in the range"),
    (changed(OFFER, "--hours", "0"), "not a number of hours above 0"),
    (changed(OFFER, "--hours", "0.0001"), "not a number of hours above 0"),
    (changed(OFFER, "--hours", "forever"), "not a number of hours above 0"),
    (["node", "--port", "70000"], "not in the range"),
    (["node", "--listen", "no-such-host.invalid", "--port", "0", "--no-http"], "cannot listen"),
    (["node", "--listen", "127.0.0.1", "--port", "0", "--http-listen", "nowhere.invalid"], "cannot listen"),
]


@pytest.mark.parametrize(("typed", "part"), NONSENSE)
def test_nonsense_gets_one_line_and_a_status(founded, typed, part):
    before = sorted(founded.path.rglob("*.key"))
    result = run("--data", founded.path, *typed)
    assert result.status in (1, 2), result.errors
    if part is not None:
        assert result.errors.startswith("wattpact: ") and result.errors.count("\n") == 1, result.errors
        assert part in result.errors
    assert "Traceback" not in result.errors
    assert sorted(founded.path.rglob("*.key")) == before


def test_a_port_that_is_taken_is_one_line(founded):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        typed = ("node", "--listen", "127.0.0.1", "--port", "0", "--http-port", port)
        result = run("--data", founded.path, *typed)
    assert result.status == 1 and result.errors.count("\n") == 1
    assert f"port {port}: another program uses it; choose another port" in result.errors


@pytest.mark.parametrize(
    "typed", [["meter", "list"], ["contract", "list"], ["keys", "list"], ["node"], ["keys", "person", "x"]]
)
def test_without_a_data_directory_it_shows_how_to_make_one(tmp_path, typed):
    result = run("--data", tmp_path / "absent", *typed)
    assert result.status == 1
    assert re.fullmatch(
        r"wattpact: \S+absent is not a data directory; make one with `wattpact keys init`, .*\n", result.errors
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"wattpact_data": 1, "root_public_key": "00"}', '{"wattpact_data": 2}']
)
def test_damaged_settings_are_named(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    result = run("--data", tmp_path, "meter", "list")
    assert (result.status, result.errors.count("\n")) == (1, 1) and "settings.json is damaged" in result.errors


def test_a_damaged_database_is_named(tmp_path):
    assert run("keys", "init", "--name", "X", tmp_path / "d").status == 0
    (tmp_path / "d" / "wattpact.db").write_bytes(b"junk" * 2000)
    result = run("--data", tmp_path / "d", "meter", "list")
    assert (result.status, result.errors.count("\n")) == (1, 1) and "damaged" in result.errors


def test_a_fault_of_ours_is_one_line_and_debug_shows_where(founded, monkeypatch):
    def break_it(*_):
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("wattpact.store.sqlite.reader.Reader.certificates", break_it)
    result = run("--data", founded.path, "meter", "list")
    assert result.status == 70
    assert result.errors == ("wattpact: an error in Wattpact itself (ZeroDivisionError: oh no); --debug shows where\n")
    with pytest.raises(ZeroDivisionError):
        cli.main(["--debug", "--data", str(founded.path), "meter", "list"])


@pytest.mark.parametrize(
    "typed", [["--name", ""], ["--name", "x" * 33], ["--name", "x", "--currency", "too long a one"]]
)
def test_terms_that_cannot_be_published_leave_nothing_behind(typed, tmp_path):
    path = tmp_path / "data"
    rejected = run("keys", "init", *typed, path)
    assert rejected.status == 1 and "is out of range" in rejected.errors
    assert not path.exists()
    assert run("keys", "init", "--name", "Sun Street", path).status == 0


def test_founding_makes_private_keys_and_never_twice(tmp_path):
    path = tmp_path / "d"
    result = run("keys", "init", "--name", "Sun Street", "--slot", "60", "--import-price", "0.3125", path)
    assert result.status == 0 and "offline" in result.out and "0.3125 EUR" in result.out
    files = {found.name: stat.S_IMODE(found.stat().st_mode) for found in (path / "keys").glob("*.key")}
    assert files == {"root.key": 0o600, "issuer.key": 0o600, "host.key": 0o600}
    seeds = [json.loads(found.read_text())["seed"] for found in (path / "keys").glob("*.key")]
    assert len(set(seeds)) == 3 and not any(seed in result.out for seed in seeds)
    before = {found: found.read_bytes() for found in path.rglob("*") if found.is_file()}
    again = run("keys", "init", "--name", "Other", path)
    assert again.status == 1
    assert {found: found.read_bytes() for found in path.rglob("*") if found.is_file()} == before
    with data_directory.DataDirectory(path).reader() as reader:
        said = {row.kind: entry.decode(row.raw, reader.community).body for row in reader.entries()}
    assert said[kinds.COMMUNITY]["slot_s"] == 60
    assert said[kinds.TARIFF] == {"from_s": 0, "import_micro_per_kwh": 312_500, "export_micro_per_kwh": 80_000}


@pytest.mark.parametrize("typed", [["meter", "list"], ["meter", "show", "House 1"]])
def test_meters_are_shown_as_stored_with_their_age_and_nothing_is_written(founded, monkeypatch, typed):
    with founded.reader() as reader:
        stored_s = reader.entries(limit=1, newest_first=True)[0].received_s
    monkeypatch.setattr(data_directory, "clock", lambda: stored_s + 7 * 60)
    monkeypatch.setattr(data_directory.DataDirectory, "store", lambda self: pytest.fail("opened for writing"))
    idle = "The newest entry was stored 7 min ago.\nNo node is running on this data directory"
    assert idle in run("--data", founded.path, *typed).out
    with founded.lock():
        assert founded.has_node()
        running = run("--data", founded.path, *typed)
    assert "stored 7 min ago." in running.out and "No node is running" not in running.out
    assert not founded.has_node()


def test_an_age_is_a_whole_number_of_one_unit():
    assert [frame.age(seconds) for seconds in (-3, 0, 119, 120, 7199, 7200, 172_799, 172_800)] == [
        "0 s", "0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days",
    ]  # fmt: skip


def test_lists_fit_80_columns_and_have_json(founded):
    for group in ("keys", "meter", "contract"):
        result = run("--data", founded.path, group, "list")
        assert result.status == 0 and result.out
        assert max(map(len, result.out.splitlines())) <= 80
        assert isinstance(json.loads(run("--data", founded.path, group, "list", "--json").out), list)
    meter = json.loads(run("--data", founded.path, "meter", "show", "House 1", "--json").out)
    assert (meter["label"], meter["owner"], meter["rated_w"]) == ("House 1", "East", 11000)
    assert "East" in run("--data", founded.path, "meter", "show", "House 1").out
    assert key("House 1").kid.hex() in run("--data", founded.path, "keys", "show", "House 1").out


def test_no_command_ever_shows_a_seed(founded):
    seeds = [json.loads(found.read_text())["seed"] for found in founded.path.rglob("*.key")]
    shown = "".join(
        run("--data", founded.path, *typed).out
        for typed in (["keys", "list"], ["keys", "list", "--json"], ["keys", "show", "East", "--json"])
    )
    assert shown and not any(seed in shown for seed in seeds)


def test_a_meter_is_enrolled_by_its_code(tmp_path):
    path = tmp_path / "d"
    run("keys", "init", "--name", "X", path)
    run("--data", path, "keys", "person", "west", "--label", "West B.")
    made, meter = data_directory.DataDirectory(path), key("new meter")
    with made.store() as store:
        proof = enrolment.proof(bytes(range(16)), store.community, meter.public_key)
        store.keep_pending(meter.public_key, proof, "10.0.0.5", data_directory.clock())
    assert "1 meter waits to be enrolled" in run("--data", path, "meter", "list").out
    typed = ["meter", "enrol", "--label", "House 9", "--owner", "west", "--rated-w", "7400", "--supply-point", "SP 9",
             "--assurance", "open flash", "--code"]  # fmt: skip
    wrong = run("--data", path, *typed, enrolment.format_code(bytes(16)))
    assert wrong.status == 1 and "none with this code" in wrong.errors
    nobody = run("--data", path, *changed(typed, "--owner", "carl"), CODE)
    assert nobody.status == 1 and "there is no person 'carl'" in nobody.errors
    right = run("--data", path, *typed, CODE.lower().replace("-", " "))
    assert (right.status, right.out) == (0, "House 9 is enrolled; its owner is West B..\n"), right.errors
    with made.reader() as reader:
        body = members.find(reader.certificates(), roles.METER, "House 9").body
    assert (body["public_key"], body["rated_w"], body["supply_point"]) == (meter.public_key, 7400, "SP 9")
    shown = run("--data", path, "meter", "show", "House 9").out
    assert run("--data", path, "bill", "--owner", "west").out.startswith("West B.,")
    assert "SP 9" in shown and "open flash" in shown and "No relay has been operated" in shown


@pytest.mark.parametrize(("verb", "side"), [("offer", kinds.SELL), ("ask", kinds.BUY)])
def test_an_order_has_exactly_what_was_typed(founded, verb, side):
    before = data_directory.clock()
    typed = ["contract", verb, *OFFER[2:]]
    result = run("--data", founded.path, *changed(changed(typed, "--price", "0.187654"), "--hours", "0.5"))
    assert result.status == 0, result.errors
    with founded.reader() as reader:
        row = reader.entries(of_kinds=[kinds.MANDATE], newest_first=True, limit=1)[0]
        body = entry.decode(row.raw, reader.community).body
    assert (body["side"], body["limit_micro_per_kwh"], body["wh"], body["max_w"]) == (side, 187_654, 50, 5000)
    assert body["meter"] == key("House 1").kid and 0 <= body["start_s"] - before <= 2
    assert body["end_s"] - body["start_s"] == 1800 and body["expires_s"] == body["end_s"]
    assert row.id.hex()[:12] in result.out


@pytest.fixture
def dealt(tmp_path):
    """A data directory in which two persons' meters have made a contract."""
    path = tmp_path / "d"
    run("keys", "init", "--name", "X", path)
    for name in ("east", "west", "carl"):
        run("--data", path, "keys", "person", name)
    made = data_directory.DataDirectory(path)
    now_s = data_directory.clock()
    with made.store() as store:
        sides = []
        for label, owner in (("House 1", "east"), ("House 2", "west")):
            person = made.keyring.person(owner)
            certificate = members.enrol_meter(
                store, made.issuer(), key(label).public_key, label, person.kid, now_s, rated_w=11000
            )  # fmt: skip
            sides.append(Side(store, key(label), certificate, person))
        from wattpact.ingest.pipeline import Ingest

        deal = Deal(*sides, t=now_s)
        ingest = Ingest(store, made.root_public_key, lambda: now_s + 5)
        assert {verdict.reason for verdict in ingest.ingest([new.raw for new in deal.entries])} == {"stored"}
        ingest.close()
    return made, deal.contract.id.hex()


class Side:
    """A meter and its owner, as Deal uses them."""

    def __init__(self, store, signer, certificate, owner):
        found = {known.kid: known for known in store.certificates()}
        self.meter = Author.certified(signer, store.community, certificate)
        self.owner = Author.certified(owner, store.community, found[owner.kid])
        self.kid, self.publish = self.meter.kid, self.meter.publish


def test_a_contract_can_be_seen(dealt):
    made, contract = dealt
    (row,) = json.loads(run("--data", made.path, "contract", "list", "--json").out)
    assert (row["id"], row["state"], row["wh"], row["supplier_label"]) == (contract, "matched", 40, "House 1")
    listed = run("--data", made.path, "contract", "list").out
    assert contract[:8] in listed and "0.18" in listed and max(map(len, listed.splitlines())) <= 80
    shown = run("--data", made.path, "contract", "show", contract[:6]).out
    assert "House 2" in shown
    life = [line.partition(": block ") for line in shown.splitlines() if ": block " in line]
    assert [step for step, _, _ in life] == ["offered by House 1", "accepted by House 2", "agreed by House 1"]
    assert all(re.fullmatch(r"[0-9]+, 20[0-9-]+ [0-9:]+ CES?T, no witness yet", place) for _, _, place in life), life
    found = json.loads(run("--data", made.path, "contract", "show", contract, "--json").out)
    assert [step["step"] for step in found["life"]] == ["offered", "accepted", "agreed"]
    assert run("--data", made.path, "contract", "list", "--state", "void").out == "No contract is in this state.\n"


def test_a_contract_is_ended_by_a_side_or_the_operator_alone(dealt):
    made, contract = dealt
    both = run("--data", made.path, "contract", "terminate", contract[:8])
    assert both.status == 1 and "choose one with --as east or west" in both.errors
    stranger = run("--data", made.path, "contract", "terminate", contract[:8], "--as", "carl")
    assert stranger.status == 1 and "carl owns neither meter" in stranger.errors
    assert run("--data", made.path, "contract", "terminate", contract[:8], "--as", "nobody").status == 1
    assert run("--data", made.path, "contract", "terminate", contract[:8], "--as", "west").status == 0
    (row,) = json.loads(run("--data", made.path, "contract", "list", "--json").out)
    assert row["terminated_by"] == "consumer"
    again = run("--data", made.path, "contract", "terminate", contract[:8], "--as", "operator")
    assert again.status == 1 and "ended already" in again.errors


def test_a_contract_that_never_began_cannot_be_ended(dealt, monkeypatch):
    made, contract = dealt
    late_s = data_directory.clock() + 700  # it had 600 s to begin
    monkeypatch.setattr(data_directory, "clock", lambda: late_s)
    (row,) = json.loads(run("--data", made.path, "contract", "list", "--json").out)
    assert row["state"] == "void"
    rejected = run("--data", made.path, "contract", "terminate", contract[:8], "--as", "west")
    assert rejected.status == 1 and "ended already" in rejected.errors


def test_the_operator_ends_a_contract(dealt):
    made, contract = dealt
    assert run("--data", made.path, "contract", "terminate", contract[:8], "--as", "operator").status == 0
    (row,) = json.loads(run("--data", made.path, "contract", "list", "--json").out)
    assert row["terminated_by"] == "operator"


def commands(group, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        yield (*path, name), found
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


def test_every_command_and_option_states_what_it_is_for():
    for path, command in commands(cli.main):
        assert command.help, path
        result = run(*path, "--help")
        assert result.status == 0 and "Usage: wattpact " + " ".join(path) in result.out
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, (path, parameter.name)


def test_a_module_that_is_not_installed_is_not_offered():
    root = frame.Root({"keys": "wattpact.cli.keys", "gone": "wattpact.cli.gone"})
    assert root.list_commands(click.Context(root)) == ["keys"]
    assert root.get_command(click.Context(root), "gone") is None


def test_help_does_not_wait_for_the_web_framework():
    source = "import sys; from wattpact.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    source += "print(sorted({'fastapi', 'uvicorn'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    typed = [sys.executable, "-c", source]
    shown = subprocess.run(typed, capture_output=True, text=True, env=environment, check=True, timeout=60).stdout
    assert shown.splitlines()[-1] == "[]"


def test_a_closed_pipe_is_no_error(founded):
    program = f"{sys.executable} -c 'from wattpact.cli import main; main()'"
    command = f"{program} --data {founded.path} keys list --json | true"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, env=environment, timeout=60
    )
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("micro", "shown"), [(200_000, "0.20"), (187_654, "0.187654"), (0, "0.00"), (12_500_000, "12.50")]
)
def test_prices_are_shown_as_they_are_typed(micro, shown):
    assert frame.price(micro) == shown
    assert frame.Price().convert(shown, None, None) == micro


def test_wide_tables_are_cut_where_they_are_widest(capsys):
    frame.show_table(("name", "text"), [("a" * 30, "b" * 90), ("c", "d")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) == frame.WIDTH and "…" in lines[1] and lines[2].split() == ["c", "d"]


def test_a_table_cuts_names_and_no_time(capsys):
    frame.show_table(("meter", "from"), [("House 1 " * 12, "2026-11-30 14:08")])
    line = capsys.readouterr().out.splitlines()[1]
    assert len(line) == frame.WIDTH and line.endswith("…  2026-11-30 14:08")
