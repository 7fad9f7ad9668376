"""What members with good keys and bad intentions can make a node do: nothing that it was not built for."""

import pytest
from case import Bits, cases
from fastapi.testclient import TestClient
from simulator import damage
from simulator.community import START_S
from simulator.deal import Deal
from simulator.host import hosted, node_of
from simulator.http import app_at, by, code
from wattpact.billing import bill
from wattpact.ingest.pipeline import STORED
from wattpact.projections import stored_accounts
from wattpact_protocol.log import entry, kinds

SAYS = {
    "meter": [
        kinds.READING, kinds.EVENT, kinds.OFFER, kinds.DEMAND, kinds.ACCEPTANCE, kinds.CONTRACT,
        kinds.USAGE_START, kinds.USAGE, kinds.USAGE_END, kinds.TERMINATE,
    ],
    "person": [kinds.MANDATE, kinds.TERMINATE],
}  # fmt: skip
QUESTIONS = ("community", "meters", "contracts", "log", "bills", "bills?month=1970-01")


@pytest.fixture
def community(tmp_path):
    made = hosted(tmp_path)
    yield made
    made.sink.close()


def deal(community, bits, meters, n):
    """A contract between two meters on whatever terms, and its start."""
    now_s = community.now_s
    near = (now_s, 60)
    names = ("price_micro_per_kwh", "wh", "max_w", "start_s", "end_s")
    terms = {name: kinds.fields(kinds.OFFER)[at][2] for at, name in enumerate(names)}
    offer = {name: damage.field(bits, shape, near, [], []) for name, shape in terms.items()}
    wide = {"start_s": 0, "end_s": kinds.MAX_UINT, "wh": kinds.MAX_U32, "expires_s": kinds.MAX_UINT}
    if bits.below(2):
        offer |= {"start_s": now_s, "end_s": now_s + 600, "max_w": 1000}  # terms that the ledger allows
    rows = kinds.fields(kinds.ACCEPTANCE)[1:4]
    taken = {name: damage.field(bits, shape, near, [], []) for _, name, shape, _ in rows}
    taken["wh"] = max(1, min(taken["wh"], offer["wh"]))
    supplier, consumer = meters[n % 3], meters[(n + 1) % 3]
    made = Deal(
        supplier, consumer, now_s, {**wide, "limit_micro_per_kwh": 0},
        {**wide, "limit_micro_per_kwh": kinds.MAX_U32}, {**offer, "valid_until_s": kinds.MAX_UINT}, taken,
    )  # fmt: skip
    started = {"contract": made.contract.id, "grant": 1, "import_wh": 0}
    start = consumer.publish("usage_start", started, now_s - bits.below(600))
    return [(new.raw, ("10.0.0.1", 1)) for new in [*made.entries, start]]


@pytest.mark.parametrize("seed", range(cases(8, 1)))
@pytest.mark.timeout(60)
def test_no_values_that_the_table_allows_stop_a_node(community, seed):
    """It ingests, grants, settles, bills, answers and starts again, and an honest pair trades as before."""
    bits = Bits(f"hostile {seed}")
    meters = [community.owned_meter(f"House {n}") for n in range(3)]
    people = [meter.owner for meter in meters]
    kids = [author.kid for author in meters + people]
    node = node_of(community)
    ids = [bytes(32)]
    stored = 0
    for n in range(300):
        author = bits.choice(meters + people)
        kind = bits.choice(SAYS["meter" if author.chained else "person"])
        made = damage.body(bits, kind, (community.now_s, 60), ids[-16:], kids)
        if not author.chained:
            made |= {"order_id": n.to_bytes(8, "big"), "meter": bits.choice(meters).kid}
            made.setdefault("expires_s", community.now_s)
            if kind == kinds.TERMINATE:
                del made["meter"]
        before = author.place
        try:
            new = author.publish(kind, made, bits.choice([community.now_s, START_S - 3600, community.now_s + 299]))
        except entry.EntryError:
            continue  # too long to be published
        if node.ingest([(new.raw, ("10.0.0.1", 1))])[0].reason == STORED:
            stored += 1
            ids.append(new.id)
        else:
            author.place = before
        community.now_s += bits.below(10)
        if n % 20 == 0:
            stored += sum(verdict.reason == STORED for verdict in node.ingest(deal(community, bits, meters, n)))
    assert stored > 100
    assert list(community.sink.store.contracts())
    honest = Deal(community.owned_meter("House 8"), community.owned_meter("House 9"), t=community.now_s)
    for restarted in (node, node_of(community)):
        restarted.ingest([(new.raw, ("10.0.0.1", 1)) for new in honest.entries])
    grants = [entry.decode(row.raw, community.id).body for row in community.sink.store.entries(of_kinds=[kinds.GRANT])]
    assert honest.contract.id in [grant["contract"] for grant in grants]
    reader = community.sink.store.reader()
    accounts = stored_accounts.accounts_of(reader, community.now_s)
    figures = [made.fields for made in bill.make_all(accounts, bill.month_of(community.now_s, "UTC"))]
    assert sum(made["bought_wh"] for made in figures) == sum(made["sold_wh"] for made in figures)
    app = app_at(community.sink.path, lambda: community.now_s)
    with TestClient(app, headers=by(code(community.sink.store))) as client:
        for question in QUESTIONS:
            answer = client.get(f"/api/{question}")
            assert answer.status_code == 200, (question, answer.text)


SEALS = [kinds.READING, kinds.EVENT, kinds.USAGE_START, kinds.USAGE, kinds.USAGE_END]


@pytest.mark.parametrize("seed", range(cases(4, 1)))
@pytest.mark.timeout(60)
def test_no_keys_and_no_sealed_parts_stop_a_node(community, seed):
    """Epochs for nobody, keys of no epoch, ciphertexts of nothing: honest neighbours are billed as before."""
    bits = Bits(f"sealed and hostile {seed}")
    bad, seller, buyer = (community.owned_meter(f"House {n}") for n in range(3))
    kids = [bad.kid, bad.owner.kid, community.issuer.kid, seller.owner.kid]
    node = node_of(community)
    community.now_s += 800  # a slot ends in between
    honest = Deal(seller, buyer, t=community.now_s)
    node.ingest([(new.raw, ("10.0.0.1", 1)) for new in honest.entries])
    key_nos = [1, 2, 3, 4, 5, kinds.MAX_U32]
    said = []
    for n in range(200):
        kind = bits.choice([kinds.KEY_EPOCH, kinds.KEY_OPEN, *SEALS, *SEALS])
        made = damage.body(bits, kind, (community.now_s, 1, 3), [honest.contract.id], kids)
        if kind in SEALS:
            hidden = {} if kind == kinds.READING else made
            made = {name: value for name, value in hidden.items() if name not in kinds.SEALABLE[kind]}
            made[kinds.SEALED] = damage.any_sealed_part(bits, key_nos)
        try:
            said.append(bad.publish(kind, made, community.now_s))
        except entry.EntryError:
            continue  # too long to be published
        if n % 10 == 0:
            said += [meter.reading(community.now_s, [(n % 7, 0)]) for meter in (seller, buyer)]
            community.now_s += 15
        if len(said) > 40:
            assert {verdict.reason for verdict in node.ingest([(new.raw, ("10.0.0.1", 1)) for new in said])} == {STORED}
            said = []
            if bits.below(3) == 0:
                node = node_of(community)
    assert not [row for row in community.sink.store.registers() if row.meter == bad.kid]
    voids = [row.void_reason for row in community.sink.store.entries(author=bad.kid, of_kinds=(kinds.READING,))]
    assert voids.count("bad_seal") + community.sink.store.sealing()[bad.kid] == len(voids) > 10
    assert voids.count("bad_seal") > 3
    reader = community.sink.store.reader()
    accounts = stored_accounts.accounts_of(reader, community.now_s + 86400)
    month = bill.month_of(community.now_s, "UTC")
    assert bill.make(accounts, buyer.owner.kid, month).fields["grid_import_wh"] > 0
    app = app_at(community.sink.path, lambda: community.now_s)
    with TestClient(app, headers=by(code(community.sink.store))) as client:
        for question in QUESTIONS[:4]:
            assert client.get(f"/api/{question}").status_code == 200, question
        mine = client.get(f"/api/bills?owner={buyer.owner.kid.hex()}&month={month}")
        assert mine.status_code == 200, mine.text
