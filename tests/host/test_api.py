"""The HTTP API over a real store: its figures, its rejections, its headers, and a fuzzer's worst."""

import logging

import pytest
import schemathesis
from case import cases
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import one_of
from schemathesis.specs.openapi.checks import positive_data_acceptance
from simulator.http import app_at, by, code
from simulator.trading import SLOT_S, WH, Trading
from wattpact.accounts import Accounts
from wattpact.api import create_app, models
from wattpact.api.models import Bill, Community, Contract, ContractLife, Log, Meter, Readings
from wattpact.billing import bill
from wattpact.market import terms
from wattpact.node.node import Node
from wattpact.store.records import Witness
from wattpact.views.stored import StoredViews
from wattpact_protocol.log import kinds, reason_texts

EXAMPLES = cases(30, 10)
REQUESTS = ("/api/community", "/api/meters", "/api/contracts", "/api/log", "/api/bills")


@pytest.fixture(scope="module")
def trading(tmp_path_factory):
    """Two contracts agreed; one used up, the other half."""
    made = Trading(tmp_path_factory.mktemp("trading"))
    made.trade()
    made.run(slots=6)
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(trading, tmp_path_factory):
    dist = tmp_path_factory.mktemp("dist")
    (dist / "assets").mkdir()
    (dist / "index.html").write_text("<!doctype html><title>page</title>")
    (dist / "assets" / "page-1a2b.js").write_text("1")
    heard = {meter.kid: trading.now_s for meter in trading.meters}
    return app_at(trading.path, trading.clock, dist, lambda: heard)


@pytest.fixture(scope="module")
def client(app, trading):
    """The operator's."""
    with TestClient(app, headers=by(code(trading.community.sink.store))) as made:
        yield made


def get(client, question, **values):
    answer = client.get(f"/api/{question}", params=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_community(client, trading):
    found = get(client, "community")
    Community.model_validate(found)
    assert (found["name"], found["currency"], found["slot_s"], found["now_s"]) == (
        "Sun Street",
        "EUR",
        5,
        trading.now_s,
    )
    assert found["community_id"] == trading.community.id.hex()
    assert found["tariff"] == {"import_micro_per_kwh": 310_000, "export_micro_per_kwh": 80_000}
    assert found["counts"]["entries"] == trading.community.sink.store.last_cursor()


def test_meters(client, trading):
    found = {row["label"]: row for row in get(client, "meters")}
    for row in found.values():
        Meter.model_validate(row)
    assert list(found) == ["House 1 solar", "House 2 battery", "House 3 wallbox"]
    wallbox = found["House 3 wallbox"]
    assert (wallbox["import_wh"], wallbox["export_wh"], wallbox["power_w"]) == (60, 0, 7200)
    assert wallbox["online"] and wallbox["owner_label"] == "House 3" and wallbox["register_time_s"] == trading.now_s
    assert wallbox["relay"]["closed"] is True and wallbox["relay"]["reason"] == "grant"
    assert wallbox["relay"]["text"] == "House 2 battery supplies it: 20 Wh left at 0.22 EUR/kWh."
    assert wallbox["log"] == {"generation": 0, "next_sequence": trading.wallbox.sequence}
    ledger = wallbox["ledger"]
    noted = 0 if ledger["noted"] is None else ledger["noted"]["next_sequence"]
    assert noted + ledger["waiting"] == wallbox["log"]["next_sequence"]
    assert ledger["head"] is None and ledger["problem"] is None
    assert found["House 1 solar"]["power_w"] == -7920
    assert found["House 1 solar"]["relay"]["closed"] is None
    assert get(client, f"meters/{wallbox['kid']}") == wallbox


def test_readings_are_registers_at_boundaries(client, trading):
    kid = trading.wallbox.kid.hex()
    from_s, to_s = trading.now_s - 8 * SLOT_S, trading.now_s + SLOT_S
    found = get(client, "readings", meter=kid, **{"from": from_s, "to": to_s, "step": SLOT_S})
    Readings.model_validate(found)
    assert [point["import_wh"] for point in found["points"]] == [None, None, 0, 10, 20, 30, 40, 50, 60, None]
    assert not any(point["estimated"] for point in found["points"])


def test_readings_between_measurements_are_estimated(client, trading):
    kid = trading.wallbox.kid.hex()
    values = {"from": trading.now_s - 30, "to": trading.now_s + 8, "step": 4}
    points = get(client, "readings", meter=kid, **values)["points"]
    assert [(point["import_wh"], point["estimated"]) for point in points] == [
        (0, False), (8, True), (16, True), (24, True), (32, True), (40, False), (48, True), (56, True), (60, True),
        (None, False),
    ]  # fmt: skip


def test_readings_choose_a_step_and_a_day(client, trading):
    found = get(client, "readings", meter=trading.solar.kid.hex())
    assert (found["from_s"], found["to_s"], found["step_s"]) == (trading.now_s - 86400, trading.now_s, 300)
    assert len(found["points"]) == 289


def test_contracts(client, trading):
    found = get(client, "contracts")
    first, second = sorted(found, key=lambda row: row["priority"])
    for row in found:
        Contract.model_validate(row)
    assert (first["state"], first["end_reason"], first["carried_wh"], first["flow_w"]) == ("ended", "used up", 40, 0)
    assert first["due_nano"] == 40 * 180_000
    assert (second["state"], second["carried_wh"], second["flow_w"]) == ("active", 20, 7200)
    assert second["attributed_wh"] == 20
    assert (second["supplier_label"], second["consumer_label"]) == ("House 2 battery", "House 3 wallbox")
    assert get(client, "contracts", state="active") == [second]
    assert get(client, "contracts", meter=trading.solar.kid.hex()) == [first]
    assert get(client, "contracts", state=["void", "settled"]) == []


def test_flow_follows_priority_limit_and_export(tmp_path):
    """7,200 W are drawn: the first contract carries all, since its supplier exports 7,920 W; the second waits."""
    trading = Trading(tmp_path)
    trading.trade()
    trading.run(slots=2)
    rows = {row["priority"]: row for row in StoredViews(trading.path, trading.clock).contracts()}
    trading.close()
    assert (rows[1]["flow_w"], rows[2]["flow_w"], rows[2]["state"]) == (7200, 0, "granted")


def test_log_shows_each_entry_in_a_sentence(client, trading):
    rows = get(client, "log", limit=200)["entries"]
    texts = [row["text"] for row in rows]
    for row in rows:
        assert row["text"][0].isupper() and "\n" not in row["text"] and "None" not in row["text"], row
    assert texts[0] == "Used 20 Wh of 40 Wh under the contract with House 2 battery"
    for sentence in (
        "Closed the relay: contract with House 1 solar, 40 Wh",
        "Offers 40 Wh at 0.18 EUR/kWh, with at most 8,000 W",
        "Accepted 40 Wh from House 1 solar at 0.18 EUR/kWh, as priority 1",
        "Confirmed the contract: 40 Wh to House 3 wallbox at 0.18 EUR/kWh",
        "Granted 40 Wh from House 1 solar to House 3 wallbox, grant 1",
        "House 3 wallbox may buy up to 80 Wh at no more than 0.25 EUR/kWh",
        "Measured 10 Wh imported and 0 Wh exported in 5 s; registers at 60 Wh import and 0 Wh export",
        "Finished with the contract with House 1 solar (used up): 40 Wh of 40 Wh used",
        "Grid prices: 0.31 EUR/kWh for import, 0.08 EUR/kWh for export",
    ):
        assert sentence in texts


def test_log_pages_through_everything_once(client, trading):
    seen, before = [], None
    while True:
        page = get(client, "log", limit=7, **({} if before is None else {"before": before}))
        Log.model_validate(page)
        seen += [row["cursor"] for row in page["entries"]]
        before = page["next"]
        if before is None:
            break
    assert seen == list(range(trading.community.sink.store.last_cursor(), 0, -1))


LIFE = ["offered", "accepted", "agreed", "granted", "started", "ended"]


def test_rows_show_the_block_that_ordered_their_entry(client, trading):
    store = trading.community.sink.store
    rows = get(client, "log", limit=200)["entries"]
    for row in rows:
        place = store.place(row["cursor"])
        assert (row["block"] is None) == (row["kind"] in ("reading", "event", "usage", "receipt")), row
        if row["block"] is not None:
            assert row["block"]["height"] == place.height and row["block"]["seen_by"] == []
            assert row["block"]["time_s"] == store.block(place.height).time_s
    by_id = {row["id"]: row["block"] for row in rows}
    for row in get(client, "contracts"):
        assert row["block"] == by_id[row["id"]]
    last = store.last_block()
    assert get(client, "community")["ledger"] == {
        "blocks": last.height + 1, "time_s": last.time_s, "witnesses": [], "required": None, "waits": None,
    }  # fmt: skip


def test_the_life_of_a_contract(client, trading):
    first, second = trading.contracts
    found = get(client, f"contracts/{first.hex()}")
    ContractLife.model_validate(found)
    assert {name: value for name, value in found.items() if name != "life"} in get(client, "contracts")
    assert [step["step"] for step in found["life"]] == LIFE
    assert [step["author_label"] for step in found["life"]] == [
        "House 1 solar", "House 3 wallbox", "House 1 solar", "issuer", "House 3 wallbox", "House 3 wallbox",
    ]  # fmt: skip
    heights = [step["block"]["height"] for step in found["life"]]
    assert heights == sorted(heights) and found["life"][2]["block"] == found["block"]
    assert [step["step"] for step in get(client, f"contracts/{second.hex()}")["life"]] == LIFE[:-1]
    assert client.get(f"/api/contracts/{bytes(32).hex()}").status_code == 404


def test_who_saw_a_block_is_who_cosigned_a_head_with_it(tmp_path):
    trading = Trading(tmp_path)
    contract = trading.trade()[0]
    trading.run(slots=5)
    store = trading.community.sink.store
    views = StoredViews(trading.path, trading.clock)
    height = views.contract(contract)["block"]["height"]
    for name, blocks in (("all.example", store.last_block().height + 1), ("agreed.example", height + 1), ("new", 0)):
        store.keep_witness(Witness(name, bytes(32), "http://x.example", 1, blocks, None, None, None))
    trading.close()
    life = {step["step"]: step["block"]["seen_by"] for step in views.contract(contract)["life"]}
    assert life["offered"] == life["agreed"] == ["agreed.example", "all.example"] and life["ended"] == ["all.example"]
    rows = views.log(None, (), None, 200)["entries"]
    assert {row["id"]: row["block"]["seen_by"] for row in rows if row["block"]}[contract.hex()] == life["agreed"]
    (row,) = (row for row in views.contracts() if row["id"] == contract.hex())
    assert row["block"]["seen_by"] == life["agreed"]
    found = views.community()["ledger"]
    assert [one["blocks"] for one in found["witnesses"]] == [height + 1, found["blocks"], 0]
    assert found["required"] is None


def test_how_many_cosigned_the_newest_head_of_those_that_must(tmp_path):
    """One of the same name with another key is another witness."""
    trading = Trading(tmp_path)
    store, community = trading.community.sink.store, trading.community
    named = [(name, bytes([number]) * 32) for number, name in enumerate(("a", "b", "c"))]
    terms.set_witnesses(store, community.issuer, named, 2, trading.now_s)
    community.sink.projections.follow()
    blocks = store.last_block().height + 1
    for name, key, seen in (("a", bytes(32), blocks), ("b", bytes(32), blocks), ("c", bytes([2]) * 32, blocks - 1)):
        store.keep_witness(Witness(name, key, "http://x.example", 1, seen, None, None, None))
    views = StoredViews(trading.path, trading.clock)
    assert views.community()["ledger"]["required"] == {"cosigned": 2, "witnesses": ["a", "b", "c"], "have_cosigned": 1}
    texts = [row["text"] for row in views.log(None, ("community",), None, 9)["entries"]]
    trading.close()
    assert texts[0].endswith("time zone Europe/Berlin; 2 of 3 witnesses must have cosigned: a, b, c")
    assert texts[1].endswith("time zone Europe/Berlin")


def test_what_the_ledger_rejected_has_no_block_and_a_reason(tmp_path):
    trading = Trading(tmp_path)
    contract = trading.trade()[0]
    body = {"contract": contract, "reason": "never mind", "order_id": bytes(8), "expires_s": trading.now_s + 60}
    late = trading.community.publish(trading.battery.owner, "terminate", body)
    row = next(row for row in StoredViews(trading.path, trading.clock).log(None, (), None, 200)["entries"]
               if row["id"] == late.id.hex())  # fmt: skip
    trading.close()
    assert row["block"] is None and row["void_reason"] == "not_a_party"
    assert row["void_text"] == reason_texts.text("not_a_party")


def test_log_by_author_and_kind(client, trading):
    kid = trading.wallbox.kid.hex()
    rows = get(client, "log", meter=kid, kind=["usage_end", "event"])["entries"]
    assert {row["author"] for row in rows} == {kid}
    assert [row["kind"] for row in rows] == ["usage_end", "event", "event"]


def test_bills_are_those_of_accounts_folded_from_all_entries(client, trading):
    accounts = Accounts()
    for row in trading.community.sink.store.entries():
        accounts.apply([trading.community.sink.unsealed(row)])
    accounts.settle(trading.now_s)
    bills = get(client, "bills")
    month = bill.month_of(trading.now_s, "Europe/Berlin")
    assert {row["owner"]: row["net_nano"] for row in bills} == {
        made.statement.subject.hex(): made.fields["net_nano"] for made in bill.make_all(accounts, month)
    }
    for row in bills:
        Bill.model_validate(row)
    buyer = next(row for row in bills if row["label"] == "House 3")
    assert (buyer["bought_wh"], buyer["bought_nano"]) == (60, 40 * 180_000 + 20 * 220_000)
    assert buyer["saved_nano"] == 60 * 310_000 - buyer["bought_nano"]
    assert [(line["role"], line["with_label"]) for line in buyer["lines"]] == [
        ("bought", "House 1 solar"), ("bought", "House 2 battery"),
    ]  # fmt: skip
    assert get(client, "bills", owner=buyer["owner"], month=month) == [buyer]


INVALID = (
    ("meters/zz", 422), ("meters/0000000000000000", 404), ("meters/?x=1", 404), ("nothing", 404), ("", 404),
    ("readings", 422), ("readings?meter=zz", 422), ("readings?meter=0000000000000000", 404),
    ("readings?meter=KID&from=9&to=9", 422), ("readings?meter=KID&from=10&to=9", 422),
    ("readings?meter=KID&from=-1", 422),
    ("readings?meter=KID&from=0&to=86400&step=1", 422), ("readings?meter=KID&step=0", 422),
    ("readings?meter=KID&from=yesterday", 422), ("readings?meter=KID&from=1.5", 422),
    ("readings?meter=KID&meter=KID", 422),
    ("readings?meter=KID&to=99999999999999999999", 422), ("contracts?state=lost", 422), ("contracts?meter=1", 422),
    ("contracts?meter=0000000000000000", 404), ("log?limit=0", 422), ("log?limit=201", 422), ("log?limit=x", 422),
    ("log?before=0", 422), ("log?before=99999999999999999999999", 422), ("log?kind=poem", 422), ("log?metre=KID", 422),
    ("log?meter=ffffffffffffffff", 404), ("bills?month=2026-13", 422), ("bills?month=0000-01", 422),
    ("bills?month=9999-12", 422), ("bills?month=now", 422), ("bills?owner=ffffffffffffffff", 404),
    ("community?x=", 422),
    ("events?x=1", 422),
)  # fmt: skip


@pytest.mark.parametrize(("query", "status"), INVALID)
def test_nonsense_is_rejected_in_a_sentence(client, trading, query, status):
    answer = client.get("/api/" + query.replace("KID", trading.wallbox.kid.hex()))
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["detail"]
    sentence = answer.json()["detail"]
    assert sentence.endswith(".") and "\n" not in sentence and 10 < len(sentence) < 400


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/api/meters", "/api/events", "/openapi.json"])
def test_nothing_can_be_changed(client, method, path):
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == ("GET" if path == "/api/events" else "GET, HEAD")
    assert "only reads" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/", *REQUESTS, "/openapi.json", "/assets/page-1a2b.js", "/api/meters/zz"])
def test_head_is_get_without_its_body(client, path):
    head, whole = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]


@pytest.mark.parametrize("path", ["/", "/api/meters", "/api/nothing", "/assets/page-1a2b.js", "/openapi.json"])
def test_every_answer_is_guarded(client, path):
    headers = client.get(path, headers={"origin": "http://elsewhere.example"}).headers
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in policy and "http" not in policy
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in headers if name.startswith("access-control")]


def test_named_by_content_lasts_and_the_rest_is_requested_again(client):
    assert "immutable" in client.get("/assets/page-1a2b.js").headers["cache-control"]
    for path in ("/", "/assets/none.js"):
        assert client.get(path).headers["cache-control"] == "no-cache"
    for path in ("/api/meters", "/api/session", "/api/nothing"):
        assert client.get(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/assets/../index.html", "/assets/%2e%2e/%2e%2e/etc/passwd", "/page//etc/passwd"])
def test_files_outside_are_not_served(client, path):
    assert client.get(path).status_code == 404


def test_without_a_built_page_the_api_gives_the_reason(trading, tmp_path):
    with TestClient(app_at(trading.path, trading.clock, tmp_path)) as client:
        answer = client.get("/")
        assert answer.status_code == 503 and "make web" in answer.json()["detail"]
        assert client.get("/api/meters").status_code == 200


def test_a_store_that_fails_is_a_sentence_and_a_line_in_the_log(tmp_path, caplog):
    with TestClient(app_at(tmp_path / "nowhere.db", lambda: 0, tmp_path)) as client, caplog.at_level(logging.ERROR):
        answer = client.get("/api/meters")
    assert "/api/meters: there is no database" in caplog.text
    assert answer.status_code == 503 and answer.json()["detail"].startswith("There is no database")


def test_every_kind_of_entry_is_described():
    assert sorted(models.Kind.__args__) == sorted(kinds.KINDS)


def test_the_description_loads_nothing_and_names_every_request(client):
    described = client.get("/openapi.json").json()
    of_one = {"/api/meters/{kid}", "/api/contracts/{id}"}
    assert set(described["paths"]) == {*REQUESTS, *of_one, "/api/readings", "/api/events", "/api/session"}
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_an_old_power_is_not_now(tmp_path):
    trading = Trading(tmp_path)
    trading.run(slots=2)
    late = StoredViews(trading.path, lambda: trading.now_s + 60)
    assert {(row["power_w"], row["online"]) for row in late.meters()} == {(None, False)}
    assert {row["power_w"] for row in StoredViews(trading.path, trading.clock).meters()} == {0, -7920}
    trading.close()


def test_power_without_the_register_is_the_last_intervals(tmp_path):
    trading = Trading(tmp_path)
    trading.community.now_s = trading.now_s + 30
    trading.community.sink.stored(trading.wallbox.reading(trading.now_s, [(3, 0), (10, 1)], 15))
    rows = {row["label"]: row for row in StoredViews(trading.path, lambda: trading.now_s + 30).meters()}
    trading.close()
    assert rows["House 3 wallbox"]["power_w"] == 9 * 3600 // 15


def test_the_wait_of_an_open_relay(tmp_path):
    trading = Trading(tmp_path)
    trading.trade()
    trading.run(slots=8)
    opened_s = trading.now_s
    relay = StoredViews(trading.path, lambda: opened_s + 20).meter(trading.wallbox.kid)["relay"]
    rested = StoredViews(trading.path, lambda: opened_s + 61).meter(trading.wallbox.kid)["relay"]
    trading.agree()
    ready = StoredViews(trading.path, lambda: opened_s + 20).meter(trading.wallbox.kid)["relay"]
    trading.close()
    assert relay == {
        "closed": False, "reason": "no_contract", "since_s": opened_s, "wait_until_s": opened_s + 60,
        "text": "No contract has energy left. The relay stays open for a while before it may close again.",
    }  # fmt: skip
    assert (rested["text"], rested["wait_until_s"]) == ("No contract has energy left.", None)
    assert ready["text"] == (
        "A contract with House 1 solar is ready. The relay stays open for a while before it may close again."
    )


def test_answers_follow_the_store(tmp_path):
    """What another program stores shows in the next answer, and costs what is new."""
    trading = Trading(tmp_path)
    views = StoredViews(trading.path, trading.clock, signers=[trading.community.issuer])
    assert views.contracts() == []
    trading.trade()
    assert [row["state"] for row in views.contracts()] == ["granted", "granted"]
    trading.run(slots=8)
    assert [row["carried_wh"] for row in views.contracts()] == [WH, WH]
    trading.close()


def test_a_node_serves_it(tmp_path):
    trading = Trading(tmp_path)
    community = trading.community
    keys = (community.root.public_key, community.host, community.issuer)
    node = Node(community.sink.store, *keys, trading.clock)
    with TestClient(create_app(node)) as client:
        assert len(client.get("/api/meters").json()) == 3
    node.pipeline.close()
    trading.close()


def operations(app):
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    found = {operation.ok().path: operation.ok() for operation in schema.get_all_operations()}
    del found["/api/events"], found["/api/session"]  # one never ends, the other is test_access.py's
    return found


@pytest.mark.parametrize("viewer", ["operator", "nobody"])
@pytest.mark.parametrize("path", [*REQUESTS, "/api/meters/{kid}", "/api/contracts/{id}", "/api/readings"])
def test_fuzzed(app, trading, path, viewer):
    """Whatever a generator of requests thinks of is answered as in /openapi.json, and never by a 5xx."""
    operation = operations(app)[path]
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    strategies = [operation.as_strategy(generation_mode=mode) for mode in modes]
    headers = by(code(trading.community.sink.store)) if viewer == "operator" else {}
    answered = []
    # That `from` is before `to` no schema can state.
    beyond_schema = [positive_data_acceptance] if path == "/api/readings" else []

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=one_of(strategies))
    def check(case):
        answer = case.call_and_validate(excluded_checks=beyond_schema, headers=headers)
        answered.append(answer.status_code)

    check()
    assert answered and max(answered) < 500
