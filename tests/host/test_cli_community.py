"""`wattpact community` and the table of everybody's bills: what the issuer publishes, and what comes of it."""

import datetime
import json
import zoneinfo

import pytest
from simulator.authors import Author
from simulator.host import key
from test_cli import founded_for_east, run
from wattpact.ingest.pipeline import Ingest
from wattpact.market import terms
from wattpact.node import data_directory
from wattpact_protocol.guard.guard import Policy
from wattpact_protocol.guard.policy import numbers, switches
from wattpact_protocol.log import entry, event_codes, kinds

NOON = datetime.datetime(2999, 12, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))


@pytest.fixture
def founded(tmp_path):
    """A data directory with a person who owns two meters."""
    return founded_for_east(tmp_path / "data", "House 1", "House 2")


def published(made, kind):
    """The bodies of that kind, all signed by the issuer."""
    with made.reader() as reader:
        rows = [entry.decode(row.raw, made.community) for row in reader.entries(of_kinds=(kind,))]
    assert {new.kid for new in rows} <= {made.issuer().kid}
    return [new.body for new in rows]


def shown(made):
    return json.loads(run("--data", made.path, "community", "show", "--json").out)


NONSENSE = [
    (["community"], "needs a command: default-supply, policy, show, tariff, witnesses"),
    (["community", "tariff", "--import", "0.31"], "Missing option '--export'"),
    (["community", "tariff", "--import", "0,31", "--export", "0"], "is not a price"),
    (["community", "tariff", "--import", "1", "--export", "0", "--from", "tomorrow"], "is not a time"),
    (["community", "tariff", "--import", "1", "--export", "0", "--from", "0001-01-01"], "is not a time"),
    (["community", "tariff", "--import", "1", "--export", "0", "--from", "\x00"], "is not a time"),
    (["community", "policy"], "nothing to change"),
    (["community", "policy", "--rest-s", "59"], "not in the range"),
    (["community", "policy", "--meter", "House 9", "--protected"], "there is no meter 'House 9'"),
    (["community", "policy", "--holiday", "25.12.2026"], "a holiday is a date"),
    (["community", "policy", *["--holiday", "2026-12-25"] * 33], "at most 32 holidays"),
    (["community", "policy", "--holiday", "1969-12-31"], "holiday is not a whole number"),
    (["community", "default-supply", "--meter", "House 1"], "Missing option '--until'"),
    (["community", "default-supply", "--meter", "House 1", "--until", "2020-01-01"], "is in the past"),
    (["community", "default-supply", "--meter", "nobody", "--until", "2999-01-01"], "there is no meter"),
]


@pytest.mark.parametrize(("typed", "part"), NONSENSE)
def test_nonsense_gets_one_line_and_publishes_nothing(founded, typed, part):
    def count():
        with founded.reader() as reader:
            return reader.last_cursor()

    before = count()
    result = run("--data", founded.path, *typed)
    assert result.status in (1, 2) and result.errors.count("\n") == 1 and part in result.errors, result.errors
    assert count() == before


def test_only_the_issuer_may_publish_it(founded):
    founded.keyring.path("issuer").unlink()
    typed = (["tariff", "--import", "1", "--export", "0"], ["policy", "--protected"],
             ["default-supply", "--meter", "House 1", "--until", "2999-01-01"])  # fmt: skip
    for command in typed:
        result = run("--data", founded.path, "community", *command)
        assert result.status == 1 and "only the issuer's key can sign this" in result.errors
    assert shown(founded)["name"] == "Sun Street"


def test_a_tariff_holds_from_its_time_and_not_before_the_next_slot(founded):
    change, now_s = ("--data", founded.path, "community", "tariff"), data_directory.clock()
    assert run(*change, "--import", "0.33", "--export", "0").status == 0
    result = run(*change, "--import", "0.315", "--export", "0.07", "--from", "2999-12-01T12:00")
    assert result.status == 0 and "0.315 EUR" in result.out
    body = published(founded, kinds.TARIFF)[-1]
    assert body == {
        "from_s": int(NOON.timestamp()), "import_micro_per_kwh": 315_000, "export_micro_per_kwh": 70_000
    }  # fmt: skip
    now, soon, later = shown(founded)["tariffs"]
    assert now["import_micro_per_kwh"] == 300_000
    assert soon["import_micro_per_kwh"] == 330_000 and later["import_micro_per_kwh"] == 315_000
    assert soon["from_s"] % 900 == 0 and now_s < soon["from_s"] < now_s + 960
    text = run("--data", founded.path, "community", "show").out
    assert "now: import 0.30 EUR/kWh, export" in text and "from 2999-12-01 12:00:00 CET: import 0.315" in text
    past = run(*change, "--import", "1", "--export", "0", "--from", "2026-01-01")
    assert past.status == 1 and "prices hold from a slot that has not begun: from 20" in past.errors
    assert len(published(founded, kinds.TARIFF)) == 3


def test_a_policy_keeps_what_is_not_changed(founded):
    change = ("--data", founded.path, "community", "policy")
    assert run(*change, "--emergency-credit-wh", "500", "--no-quiet-hours").status == 0
    assert run(*change, "--rest-s", "90", "--holiday", "2026-12-26", "--holiday", "2026-12-25").status == 0
    assert run(*change, "--meter", "House 2", "--protected").status == 0
    assert run(*change, "--defaults", "--rest-s", "70").status == 0
    first, second, own, last = published(founded, kinds.POLICY)
    assert first == {"version": 1, "emergency_credit_wh": 500, "quiet_hours": False}
    days = [(datetime.date(2026, 12, day) - datetime.date(1970, 1, 1)).days for day in (25, 26)]
    assert second == {**first, "version": 2, "rest_s": 90, "holidays": days}
    assert own == {**second, "version": 1, "protected": True, "meter": key("House 2").kid}
    assert last == {"version": 3, "rest_s": 70}
    for body in (first, second, own, last):
        Policy.from_fields(body)  # a guard takes it
    everyone, house = shown(founded)["policies"]
    assert (everyone["meter"], everyone["rest_s"], everyone["quiet_hours"]) == (None, 70, True)
    assert (house["meter"], house["protected"], house["emergency_credit_wh"]) == ("House 2", True, 500)


def test_an_order_to_open_holds_until_it_is_withdrawn(founded):
    change = ("--data", founded.path, "community", "policy", "--meter", "House 1")
    before_s = data_directory.clock()
    for typed in (["--open"], ["--rest-s", "61"], ["--no-open"]):
        assert run(*change, *typed).status == 0
    opened, kept, withdrawn = published(founded, kinds.POLICY)
    assert before_s <= opened["operator_open_at_s"] <= data_directory.clock()
    assert kept["operator_open_at_s"] == opened["operator_open_at_s"] and "operator_open_at_s" not in withdrawn


def test_a_new_register_generation_is_ordered_of_one_meter(founded):
    order = ("--data", founded.path, "meter", "new-registers")
    nothing = run(*order, "House 1")
    assert nothing.status == 1 and nothing.errors.count("\n") == 1 and "not published any registers" in nothing.errors
    with founded.store() as store:
        known = {one.kid: one for one in store.certificates()}
        signer = key("House 1")
        meter = Author.certified(signer, store.community, known[signer.kid])
        ingest = Ingest(store, founded.root_public_key, data_directory.clock)
        for detail, number in ((1, 2), (4, 5)):
            body = {"code": event_codes.REGISTER_OPEN, "detail": detail, "text": "4530"}
            new = meter.publish(kinds.EVENT, body, data_directory.clock())
            assert [verdict.reason for verdict in ingest.ingest([new.raw])] == ["stored"]
            assert f"begins register generation {number} " in run(*order, "House 1").out
        ingest.close()
    assert run("--data", founded.path, "community", "policy", "--meter", "House 1", "--rest-s", "90").status == 0
    first, second, third = published(founded, kinds.POLICY)
    assert first == {"version": 1, "meter": key("House 1").kid, "register_generation": 2}
    assert second == {**first, "version": 2, "register_generation": 5}
    assert third == {**second, "version": 3, "rest_s": 90}
    assert run(*order, "House 9").status == 1


def test_every_field_of_a_policy_has_its_option(founded):
    names = [name for name, *_ in (*numbers(), *switches())]
    help_text = run("community", "policy", "--help").out
    for name in names:
        assert f"--{name.replace('_', '-')}" in help_text
    fields = {field for _, field, _, _ in kinds.fields(kinds.POLICY)}
    assert fields == {*names, "holidays", "version", "meter", "operator_open_at_s", "register_generation"}


def test_default_supply_is_a_grant_with_the_next_number(founded):
    for meter in ("House 1", "House 2"):
        typed = ("--meter", meter, "--until", "2999-12-01T12:00")
        assert run("--data", founded.path, "community", "default-supply", *typed).status == 0
    first, second = published(founded, kinds.GRANT)
    assert (first["number"], second["number"]) == (1, 2) and first["contract"] != second["contract"]
    assert first["default_supply"] and first["to_s"] == int(NOON.timestamp()) and first["max_w"] == 11000
    assert [row["meter"] for row in shown(founded)["default_supply"]] == ["House 1", "House 2"]
    with founded.reader() as reader:
        assert terms.supplied_until(reader)[key("House 2").kid] == first["to_s"]


def test_the_table_of_bills_shows_what_each_bill_shows(founded, monkeypatch):
    shown(founded)  # which orders the certificates: energy from before belongs to nobody
    slot_s = (data_directory.clock() // 900 + 1) * 900
    monkeypatch.setattr(data_directory, "clock", lambda: slot_s + 1800)
    with founded.store() as store:
        known = {one.kid: one for one in store.certificates()}
        entries = []
        for label, step in (("House 1", (1500, 0)), ("House 2", (0, 700))):
            signer = key(label)
            meter = Author.certified(signer, store.community, known[signer.kid])
            entries.append(meter.reading(slot_s, [step] * 2, step_s=900))
        ingest = Ingest(store, founded.root_public_key, data_directory.clock)
        assert {verdict.reason for verdict in ingest.ingest([new.raw for new in entries])} == {"stored"}
        ingest.close()
    month = datetime.datetime.fromtimestamp(slot_s, zoneinfo.ZoneInfo("Europe/Berlin")).strftime("%Y-%m")
    out = run("--data", founded.path, "bill", "--month", month).out
    (row,) = [line for line in out.splitlines() if line.startswith("east")]
    one = json.loads(run("--data", founded.path, "bill", "--owner", "east", "--month", month, "--json").out)
    assert row.split()[1:5] == ["0.000", "0.000", "3.000", "1.400"]
    assert (one["grid_import_wh"], one["grid_export_wh"]) == (3000, 1400)
    assert row.split()[5:7] == ["0.79", "EUR"] and one["net_nano"] == 3000 * 300_000 - 1400 * 80_000
    assert max(map(len, out.splitlines())) <= 80 and "Settled until" in out
    assert json.loads(run("--data", founded.path, "bill", "--month", month, "--json").out) == [one]
    rejected = run("--data", founded.path, "bill", "--export", "x.bundle")
    assert rejected.status == 2 and "one person's bill" in rejected.errors


def test_without_meters_there_are_no_bills(tmp_path):
    run("keys", "init", "--name", "Sun Street", tmp_path / "data")
    assert run("--data", tmp_path / "data", "bill").out == "No meters yet, so no bills.\n"
