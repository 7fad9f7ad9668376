"""The end of a month: each bill is stated once it is settled, closes, and later readings make a correction."""

import asyncio
import io
import logging
from pathlib import Path

import pytest
from simulator.community import DAY_S, NEVER, START_S
from simulator.host import hosted
from simulator.month import TradedMonth
from wattpact import audit
from wattpact.audit import page
from wattpact.billing import bill, closing
from wattpact.cli import main
from wattpact.node import data_directory
from wattpact.node.month_end import MonthEnd
from wattpact.ordering.proven import Proven
from wattpact.ordering.writer import Writer
from wattpact.projections import follow, stored_accounts
from wattpact.store.publishing import publish
from wattpact.store.recorded import record_of
from wattpact_protocol.ledger import records
from wattpact_protocol.ledger.statements import CLOSES_AFTER_S
from wattpact_protocol.log import kinds, reasons

MONTH = "2026-10"
BEGIN_S, END_S = bill.month_window(MONTH, "Europe/Amsterdam")
LAST_S = START_S + 28 * DAY_S


class Months:
    """West and east with a meter each, west's read to the end of October, east's until three days before."""

    def __init__(self, folder):
        self.community = community = hosted(folder, now_s=START_S, seals=NEVER)
        self.west, self.east = community.person("west"), community.person("east")
        self.pump, self.stove = community.meter("pump", self.west), community.meter("stove", self.east)
        self.roof = community.meter("roof", self.east)  # which has not published anything
        community.now_s = END_S + 3600
        self.measure(self.pump, START_S, START_S + 31 * DAY_S, 0, 5000)
        self.measure(self.stove, START_S, LAST_S, 0, 1000)
        self.store, self.host = community.sink.store, community.host.key

    def measure(self, meter, from_s, to_s, before_wh, after_wh):
        """Readings of every day, of which the first has all that was used."""
        values = [before_wh] + [after_wh] * ((to_s - from_s) // DAY_S)
        self.community.reading(meter, from_s, values, step_s=DAY_S)

    @property
    def now_s(self):
        return self.community.now_s

    def sign(self, kind, body):
        return publish(self.store, self.host, kind, body, self.now_s)

    def ready(self):
        unsealer = follow.bring_up(self.store, [self.community.issuer], self.now_s, self.host, fresh=True)
        Writer(self.store, self.host, lambda: self.now_s).refresh()
        return unsealer.on(self.store)

    def close(self, month=MONTH):
        """What was due, by label: the Wh that were stated."""
        unsealer, arguments = self.ready(), (self.now_s, self.host.kid, Proven(self.store), self.sign)
        made = list(closing.state_due(self.store, unsealer, [month], *arguments))
        self.ready()
        assert not [one for one in made if isinstance(one, closing.Failed)], made
        return {one.label: one.fields["grid_import_wh"] for one in made}

    def bill(self, owner, month=MONTH):
        accounts = stored_accounts.accounts_of(self.store, self.now_s)
        return bill.make(accounts, owner.kid, month, bill.stated_in(self.store, self.now_s, self.host.kid)), accounts

    def export(self, owner, sign=None):
        unsealer = self.ready()
        made, accounts = self.bill(owner)
        held = list(stored_accounts.entries_for(self.store, made.statement, unsealer))
        return bill.export(made, accounts, held, self.host.kid, Proven(self.store), sign or self.sign)

    def audit(self, data):
        return audit.audit(io.BytesIO(data), self.community.root.public_key)

    def record(self, owner):
        return record_of(self.store, records.STATEMENT, self.host.kid, owner.kid, BEGIN_S)


@pytest.fixture
def october(tmp_path):
    made = Months(tmp_path)
    yield made
    made.community.sink.close()


def test_a_month_is_stated_once_it_is_settled(october):
    assert october.close() == {"west": 5000}, "east's is waited for"
    assert october.close() == {}
    october.community.now_s = LAST_S + 7 * DAY_S
    assert october.close() == {}
    october.community.now_s += 1
    assert october.close() == {"east": 1000}, "and now no more"
    assert october.close() == {}
    assert october.close("2026-11") == {}, "which is not over"


def test_a_month_that_is_not_settled_is_stated_when_it_would_close(october):
    made, _ = october.bill(october.east)
    made.statement.settled_to_s = END_S - 900
    assert not closing.is_due(october.store, made, END_S + CLOSES_AFTER_S - 1)
    assert closing.is_due(october.store, made, END_S + CLOSES_AFTER_S)


def test_readings_that_come_before_it_closes_change_it_and_later_ones_are_a_correction(october):
    community = october.community
    october.close()
    community.now_s = END_S + 3 * DAY_S
    october.measure(october.stove, LAST_S, START_S + 32 * DAY_S, 1000, 1800)
    assert october.close() == {"east": 1800}
    first = october.record(october.east)
    assert "late readings can change it until it closes on 2026-11-15" in bill.text(october.bill(october.east)[0])
    community.now_s = END_S + CLOSES_AFTER_S
    assert october.close() == {}
    text = bill.text(october.bill(october.east)[0])
    assert "Closed on 2026-11-15 with 0.54 EUR to pay; late readings make corrections." in text
    report = october.audit(october.export(october.east))
    assert report.corrects == first and report.doubtful == []


def test_a_meter_that_comes_back_after_it_closed_makes_a_correction(october):
    community, east = october.community, october.east
    community.now_s = END_S + CLOSES_AFTER_S
    assert october.close() == {"west": 5000, "east": 1000}
    closed = october.record(east)
    community.now_s += 20 * DAY_S
    october.measure(october.stove, LAST_S, START_S + 32 * DAY_S, 1000, 1800)
    october.ready()
    text = bill.text(october.bill(east)[0])
    assert "Closed on 2026-11-15 with 0.30 EUR to pay; late readings make corrections." in text
    assert "Readings that came since change it: a correction follows, 0.24 EUR to pay." in text
    shown = october.bill(east)[0].as_json()
    assert shown["closed"] and (shown["stated_nano"], shown["net_nano"]) == (300_000_000, 540_000_000)
    assert october.close() == {"east": 1800}
    corrected = october.record(east)
    assert corrected["net_nano"] == 540_000_000 and corrected["id"] != closed["id"]
    community.reading(october.stove, START_S + 32 * DAY_S, [1800, 2000], step_s=3600)
    assert october.close() == {}, "no figure of October is another"
    text = bill.text(october.bill(east)[0])
    assert "with 0.30 EUR to pay;" in text and "Corrected once, last on 2026-12-05: 0.54 EUR to pay in all." in text
    report = october.audit(october.export(east))
    text = page.text(report)
    assert report.corrects == corrected and "The period closed with 0.30 EUR to pay, stated at 2026-11-14" in text
    assert "Corrections since: 1, the last with 0.54 EUR to pay in all." in text and "has the same total" in text


def test_a_correction_is_audited_with_what_it_corrects(october):
    community, east = october.community, october.east
    community.now_s = END_S + CLOSES_AFTER_S
    october.close()
    community.now_s += DAY_S
    october.measure(october.stove, LAST_S, START_S + 32 * DAY_S, 1000, 1900)
    signed = []

    def keep(kind, body):
        signed.append(body)
        return october.sign(kind, body)

    report = october.audit(october.export(east, keep))
    assert signed[0]["corrects"] == october.record(east)["id"]
    text = page.text(report)
    assert "The period closed with 0.30 EUR to pay, stated at 2026-11-14" in text
    assert "This is a correction of that: 0.27 EUR to pay." in text and "was not checked here" in text
    assert page.as_json(report)["corrects"]["net_nano"] == 300_000_000


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda body: body.pop("corrects"), "is closed; only a correction could follow"),
        (lambda body: body.update(corrects=bytes(32)), "it corrects another statement"),
    ],
)
def test_another_past_is_refuted_and_has_no_place(october, change, text):
    october.community.now_s = END_S + CLOSES_AFTER_S
    october.close()
    before = october.record(october.east)

    def dishonest(kind, body):
        change(body)
        return october.sign(kind, body)

    with pytest.raises(audit.Refuted, match=text):
        october.audit(october.export(october.east, dishonest))
    october.ready()
    last = list(october.store.stream(of_kinds=(kinds.STATEMENT,)))[-1]
    assert october.store.place(last.cursor).reason in (reasons.PERIOD_CLOSED, reasons.CORRECTS_NOTHING)
    assert october.record(october.east) == before


def test_a_correction_of_what_is_not_closed_is_refuted(october):
    october.close()
    last = october.record(october.west)["id"]
    with pytest.raises(audit.Refuted, match="not closed yet"):
        october.audit(october.export(october.west, lambda kind, body: october.sign(kind, {**body, "corrects": last})))


def test_who_sells_is_stated_audited_and_corrected_too(october):
    """What is to receive is below zero, in the ledger's record too."""
    community = october.community
    community.now_s = END_S + CLOSES_AFTER_S
    community.reading(october.roof, START_S, [0] * 32, [0] + [20_000] * 31, step_s=DAY_S)
    october.close()
    record = october.record(october.east)
    assert record["net_nano"] == record["closed_nano"] == 300_000_000 - 20_000 * 80_000
    assert "The period closed with 1.30 EUR to receive" in page.text(october.audit(october.export(october.east)))


def test_months_are_stated_in_any_order_and_none_holds_up_another(october):
    """A host that was down for months, or a month that somebody exported first."""
    community = october.community
    november = bill.month_window("2026-11", "Europe/Amsterdam")
    december = bill.month_window("2026-12", "Europe/Amsterdam")
    community.now_s = december[1] + 8 * DAY_S
    assert october.close("2026-12") == {"west": 0, "east": 0}
    assert october.close() == {"west": 5000, "east": 1000}
    assert october.close("2026-11") == {"west": 0, "east": 0}
    spans = record_of(october.store, records.STATED, october.host.kid, october.west.kid)["spans"]
    assert spans == [[BEGIN_S, december[1]]] and november[0] == END_S


def test_a_bill_that_cannot_be_made_or_stated_holds_up_nobody(october, monkeypatch):
    make = bill.make

    def fails_for_west(accounts, subject, *more):
        if subject == october.west.kid:
            raise bill.BillError("readings of pump are sealed")
        return make(accounts, subject, *more)

    monkeypatch.setattr("wattpact.billing.bill.make", fails_for_west)
    october.community.now_s = LAST_S + 7 * DAY_S + 1
    unsealer, arguments = october.ready(), (october.now_s, october.host.kid, Proven(october.store), october.sign)
    made = list(closing.state_due(october.store, unsealer, [MONTH], *arguments))
    assert [one for one in made if isinstance(one, closing.Failed)] == [
        closing.Failed("west", MONTH, "readings of pump are sealed")
    ]
    assert [one.label for one in made if not isinstance(one, closing.Failed)] == ["east"]


def test_what_the_ledger_would_reject_is_not_signed_again_and_again(october):
    """Another period of one's own is in the way, as after a change of the time zone."""
    accounts = stored_accounts.accounts_of(october.store, october.now_s)
    _, header = october.ready(), None
    header = Proven(october.store).header
    body = accounts.statement(october.west.kid, BEGIN_S + 900, END_S + 900).fields([], header)
    october.sign(kinds.STATEMENT, body)
    october.ready()
    before = october.store.last_cursor((kinds.STATEMENT,))
    unsealer, arguments = october.ready(), (october.now_s, october.host.kid, Proven(october.store), october.sign)
    made = list(closing.state_due(october.store, unsealer, [MONTH], *arguments))
    assert [(one.label, one.reason[:27]) for one in made] == [("west", "It is about time that its h")]
    assert october.store.last_cursor((kinds.STATEMENT,)) == before
    with pytest.raises(audit.Refuted, match="time that its host stated before"):
        october.audit(october.export(october.west))


def test_the_months_that_are_over():
    assert closing.months_over(START_S + 31 * DAY_S, "UTC") == ["2026-08", "2026-09", "2026-10"]
    assert closing.months_over(START_S + 31 * DAY_S - 1, "UTC", 2) == ["2026-08", "2026-09"]
    assert closing.months_over(40 * DAY_S, "UTC") == ["1970-01"] and closing.months_over(0, "UTC") == []


@pytest.fixture
def traded_node(tmp_path):
    """A month of three owners, and a data directory that ingested all of it."""
    traded = TradedMonth("closing")
    folder = tmp_path / "node"
    folder.mkdir()
    traded.fill(folder)
    return traded, folder


def run(folder, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["--data", str(folder), *arguments])
    return stopped.value.code or 0


def test_the_command_reports_what_it_signed(traded_node, monkeypatch, capsys):
    traded, folder = traded_node
    monkeypatch.setattr(data_directory, "clock", lambda: traded.now_s)
    assert run(folder, "bill", "--close") == 0
    shown = capsys.readouterr().out.splitlines()
    assert sorted(line.split(":")[0] for line in shown) == [f"{MONTH}, {name}" for name in ("east", "north", "west")]
    assert all(line.endswith(("to pay", "to receive")) and ": stated, " in line for line in shown), shown
    for more, months in ((("--month", MONTH), MONTH), ((), f"2026-08 to {MONTH}")):
        assert run(folder, "bill", "--close", *more) == 0
        assert capsys.readouterr().out == f"Nothing is due of {months}.\n"
    assert run(folder, "bill", "--close", "--owner", "west") == 2
    assert "--close goes with --month alone" in capsys.readouterr().err
    assert run(folder, "bill", "--close", "--json") == 2 and "--month alone" in capsys.readouterr().err
    (folder / "keys" / "host.key").rename(folder / "host.key")
    assert run(folder, "bill", "--owner", "west", "--month", MONTH) == 0, "a bill is shown without a key to sign it"
    assert "Settled until the end" in capsys.readouterr().out


def test_a_node_closes_months_beside_its_work(traded_node, caplog, tmp_path):
    _, folder = traded_node
    caplog.set_level(logging.INFO, "wattpact.node")
    asyncio.run(MonthEnd(folder).close())
    assert any(line.startswith("bills: Nothing is due") or ": stated, " in line for line in caplog.messages)
    caplog.clear()
    asyncio.run(MonthEnd(tmp_path / "nowhere").close())
    assert [row.levelname for row in caplog.records] == ["WARNING"] and "wattpact keys init" in caplog.messages[0]

    async def stopped():
        task = asyncio.create_task(MonthEnd(folder).close())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        assert not [one for one in commands if str(folder).encode() in one and b"--close" in one], "it is ended too"

    asyncio.run(stopped())
