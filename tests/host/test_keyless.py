"""A host without any key: it checks, keeps and passes on what it cannot read, and catches up with a key."""

import itertools

import pytest
from fastapi.testclient import TestClient
from simulator.authors import Author
from simulator.community import START_S
from simulator.host import TERMS, key
from simulator.http import app_at, by, code
from simulator.trading import WH, Trading
from wattpact import cli, keys
from wattpact.billing import bill
from wattpact.ingest.pipeline import Ingest
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.node import Node
from wattpact.projections import stored_accounts
from wattpact.store.sqlite.store import Store
from wattpact_protocol.log import entry, kinds

SENTENCE = "are sealed, and this host has no key to them: put issuer.key back, or make the bill where it is"


@pytest.fixture(scope="module")
def trading(tmp_path_factory):
    """A whole trade, ingested by a host that has the key."""
    made = Trading(tmp_path_factory.mktemp("trading"))
    made.trade()
    made.run(slots=10)
    yield made
    made.close()


class Keyless:
    """A node of the same community with none of its keys but a host's, and what is sent to it."""

    def __init__(self, directory, trading, readers=()):
        self.trading, self.community = trading, trading.community
        self.path = directory / "wattpact.db"
        self.store = Store(self.path, self.community.id)
        self.start(readers)

    def start(self, readers):
        issuer, people = (readers[0], readers[1:]) if readers else (None, ())
        root = self.community.root.public_key
        self.node = Node(self.store, root, self.community.host, issuer, self.trading.clock, people=people)

    def take(self, rows):
        """At the times at which the other host received them, which decide what the ledger makes of them."""
        verdicts, now_s = [], self.trading.now_s
        for received_s, same in itertools.groupby(rows, key=lambda row: row.received_s):
            self.trading.now_s = received_s
            verdicts += self.node.ingest([(row.raw, ("10.0.0.1", 1)) for row in same])
        self.trading.now_s = now_s
        return verdicts

    def close(self):
        self.node.pipeline.close()
        self.store.close()


@pytest.fixture
def keyless(tmp_path, trading):
    made = Keyless(tmp_path, trading)
    theirs = [row for row in trading.community.sink.store.entries() if row.author != trading.community.host.kid]
    verdicts = made.take(theirs)
    assert {(verdict.reason, verdict.void_reason) for verdict in verdicts} == {("stored", None)}
    yield made
    made.close()


def month_of(trading):
    return bill.month_of(trading.now_s, TERMS.timezone)


def bills(store, trading, *readers):
    accounts = stored_accounts.accounts_of(store, trading.now_s)
    return {made.label: made.fields for made in bill.make_all(accounts, month_of(trading))}


def test_it_stores_what_it_cannot_read_and_receipts_it(keyless, trading):
    """Byte for byte, with one receipt a meter that names the end of its log."""
    for meter in trading.meters:
        held = [row.raw for row in keyless.store.entries(author=meter.kid)]
        assert held == [row.raw for row in trading.community.sink.store.entries(author=meter.kid)]
    rows = keyless.store.entries(of_kinds=(kinds.RECEIPT,))
    receipts = [entry.decode(row.raw, trading.community.id).body for row in rows]
    ends = {body["author"]: body["sequence"] for body in receipts}
    assert ends == {meter.kid: meter.sequence - 1 for meter in trading.meters}


def test_it_rejects_forks_gaps_and_forgeries_of_what_it_cannot_read(keyless, trading):
    meter = trading.wallbox
    row = next(row for row in keyless.store.entries(author=meter.kid) if row.kind == kinds.READING)
    body = entry.decode(row.raw, trading.community.id).body
    place = entry.decode(row.raw, trading.community.id)
    other = meter.sign_at("reading", body, (0, row.sequence, place.previous), trading.now_s)
    forged = other.raw[:-1] + bytes([other.raw[-1] ^ 1])
    gap = meter.sign_at("reading", body, (0, meter.sequence + 3, bytes(32)), trading.now_s)
    reasons = [verdict.reason for verdict in keyless.node.ingest([(raw, ("10.0.0.1", 1)) for raw in (forged, gap.raw)])]
    assert reasons == ["bad_signature", "gap"]


def test_it_passes_on_to_the_meters_what_the_host_with_the_key_does(keyless, trading):
    for meter in trading.meters:
        told = [said.raw for said in keyless.node.inbox.after(meter.kid, 0, 1000)]
        names = {entry.decode(raw, trading.community.id).name for raw in told}
        assert {"certificate", "community", "mandate"} <= names
        assert "reading" not in names
    inbox = keyless.node.inbox.after(trading.wallbox.kid, 0, 1000)
    told = [entry.decode(said.raw, trading.community.id) for said in inbox]
    assert [new.body["contract"] for new in told if new.kind == kinds.GRANT] == trading.contracts


def test_it_shows_no_registers_and_makes_no_bill_and_gives_the_reason(keyless, trading):
    assert keyless.store.registers() == []
    assert keyless.store.sealing() == {meter.kid: 10 for meter in trading.meters}
    accounts = stored_accounts.accounts_of(keyless.store, trading.now_s)
    assert accounts.inputs.sealed == keyless.store.sealing() and accounts.inputs.voids == []
    for person in (meter.owner for meter in trading.meters):
        with pytest.raises(bill.BillError, match=SENTENCE):
            bill.make(accounts, person.kid, month_of(trading))
    app = app_at(keyless.path, trading.clock, signers=())
    with TestClient(app, headers=by(code(keyless.store))) as client:
        assert {row["import_wh"] for row in client.get("/api/meters").json()} == {None}
        assert {row["attributed_wh"] for row in client.get("/api/contracts").json()} == {None}
        answer = client.get("/api/bills")
        assert answer.status_code == 422 and SENTENCE in answer.json()["detail"]
        texts = {row["kind"]: row["text"] for row in client.get("/api/log?limit=200").json()["entries"]}
    assert texts["reading"] == "A sealed reading" and texts["usage_start"].endswith("; the import register is sealed")
    assert texts["usage"].startswith("Used a sealed amount, at most 40 Wh, under the contract with ")
    assert texts["key_epoch"].startswith("Readings are sealed for issuer and House")


def test_when_the_key_comes_everything_is_there(keyless, trading):
    whole = trading.community.sink.store
    keyless.start([trading.community.issuer])
    for meter in trading.meters:
        assert keyless.store.points(meter.kid) == whole.points(meter.kid) != []
        (one,), (other,) = keyless.store.registers(meter.kid), whole.registers(meter.kid)
        assert one._replace(received_s=0) == other._replace(received_s=0)
    made = bills(keyless.store, trading, trading.community.issuer)
    assert made == bills(whole, trading, trading.community.issuer)
    assert made["House 3"]["bought_wh"] == 2 * WH


def test_an_owner_alone_sees_the_own_meter_and_still_gets_no_bill(keyless, trading):
    owner = trading.wallbox.owner.key
    people = Node(
        keyless.store, trading.community.root.public_key, trading.community.host, None, trading.clock, people=[owner]
    )
    people.pipeline.close()
    assert [row.meter for row in keyless.store.registers()] == [trading.wallbox.kid]
    accounts = stored_accounts.accounts_of(keyless.store, trading.now_s)
    assert set(accounts.inputs.sealed) == {trading.solar.kid, trading.battery.kid}
    with pytest.raises(bill.BillError, match="readings of House 1 solar and House 2 battery " + SENTENCE):
        bill.make(accounts, owner.kid, month_of(trading))


def test_the_command_line_gives_the_reason_too(tmp_path, capsys, monkeypatch):
    """A data directory whose issuer.key is taken away and put back; not at the end of a month, whose bill has none of
    what the next begins with."""
    now_s = START_S + 14 * 86_400
    monkeypatch.setattr(data_directory, "clock", lambda: now_s)
    data = tmp_path / "data"
    made = data_directory.create(data, TERMS, now_s)
    owner = data_directory.add_person(made, "east", "East", now_s)
    meter = Meter(made, owner, now_s)
    path = made.keyring.path(keys.ISSUER)
    elsewhere = tmp_path / "issuer.key"
    people = tmp_path / "east.key"
    path.rename(elsewhere)
    made.keyring.person_path("east").rename(people)
    meter.measure(now_s)

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            cli.main(["--data", str(data), *words])
        out = capsys.readouterr()
        return ended.value.code or 0, out.out + out.err

    status, text = run("bill")
    assert status != 0 and "readings of House 1 " + SENTENCE in text
    assert "Readings of 1 meter are unreadable: this host has no key to them." in run("meter", "list")[1]
    assert "1 readings: this host has no key to them" in run("meter", "show", "House 1")[1]
    people.rename(made.keyring.person_path("east"))
    assert run("bill")[0] == 0  # which unseals what its owner's key is for; what is shown of a meter is what is stored
    assert "7 Wh" in run("meter", "show", "House 1")[1]
    elsewhere.rename(path)
    assert run("bill")[0] == 0
    assert "unreadable" not in run("meter", "list")[1]


class Meter:
    """A meter of a data directory, that opens a key and publishes one reading, straight into its store."""

    def __init__(self, made, owner, now_s):
        self.made = made
        issuer = made.issuer()
        signer = key("House 1")
        with made.store() as store:
            arguments = (store, issuer, signer.public_key, "House 1", owner.kid, now_s)
            certificate = members.enrol_meter(*arguments, rated_w=11_000)
        self.author = Author.certified(signer, made.community, certificate)
        self.readers = [issuer, owner]

    def measure(self, now_s):
        said = [self.author.begin_epoch(self.readers, now_s), self.author.open_key(now_s)]
        said.append(self.author.reading(now_s - 15, [(7, 0)]))
        with self.made.store() as store:
            ingest = Ingest(store, self.made.root_public_key, data_directory.clock)
            assert {verdict.reason for verdict in ingest.ingest([new.raw for new in said])} == {"stored"}
            ingest.close()
