"""Links, sessions, and what the operator, each owner and nobody are shown: nothing measured reaches another."""

import asyncio
import json
import logging
import re
from types import SimpleNamespace

import httpx
import pytest
import schemathesis
from case import cases
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import one_of
from simulator.community import START_S
from simulator.http import app_at, by, code
from simulator.live_events import events, served, take
from simulator.trading import SLOT_S, Trading
from test_cli import run
from wattpact.api import create_app, errors, models
from wattpact.api.feed import ANSWERS, MAX_OPEN_PAGES, Feed, Page, computed
from wattpact.membership import access_links
from wattpact.membership.access_links import Access, BadCode
from wattpact.node import data_directory
from wattpact.node.events import Events
from wattpact.node.node import Node
from wattpact.simulation import demo
from wattpact.views import Forbidden, visible
from wattpact.views.visible import NOBODY, OPERATOR, Viewer
from wattpact_protocol.log import kinds

CODE = bytes(range(16))
EXAMPLES = cases(30, 10)


@pytest.fixture(scope="module")
def trading(tmp_path_factory):
    """House 3 used up a contract with House 1 and half of one with House 2; a third party, House 9, looks on."""
    made = Trading(tmp_path_factory.mktemp("trading"))
    made.onlooker = made.community.meter("House 9 garage", made.community.person("House 9"))
    made.landlord = SimpleNamespace(owner=made.community.person("Landlord"))  # of no meter
    made.trade()
    made.run(slots=6)
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(trading):
    return app_at(trading.path, trading.clock)


@pytest.fixture(autouse=True)
def guesses_are_quick(monkeypatch):
    monkeypatch.setattr(errors, "GUESS_COSTS_S", 0)


@pytest.fixture
def answer_of(app, trading):
    """answer_of(who, path, **values) -> answer; who is a meter (its owner is the viewer), "operator" or "nobody"."""
    store = trading.community.sink.store
    with TestClient(app) as client:

        def get_answer(who, path, **values):
            if who == "nobody":
                headers = {}
            else:
                headers = by(code(store, None if who == "operator" else who.owner.kid))
            return client.get(f"/api/{path}", params=values, headers=headers)

        yield get_answer


# Codes


def test_a_code_is_kept_as_its_hash_alone(tmp_path):
    trading = Trading(tmp_path)
    store = trading.community.sink.store
    text = access_links.issue(store, CODE, None, "phone", START_S, 60)
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    known = Access(trading.path, lambda: START_S).enter(text)
    assert CODE not in kept and text.encode() not in kept and known.digest in kept
    assert text not in repr(known) and CODE.hex() not in repr(known)
    trading.close()


def test_a_code_opens_until_its_time_and_until_it_is_revoked(tmp_path):
    trading = Trading(tmp_path)
    store, now = trading.community.sink.store, [START_S]
    text = access_links.issue(store, CODE, trading.solar.owner.kid, "", START_S, 60)
    door = Access(trading.path, lambda: now[0])
    for written in (text, text.upper(), f" {text}\n"):
        assert (door.enter(written).person, door.enter(written).name) == (trading.solar.owner.kid, "House 1")
    now[0] = START_S + 59
    assert door.is_valid(door.enter(text).digest)
    now[0] = START_S + 60
    with pytest.raises(BadCode, match="expired") as ended:
        door.enter(text)
    assert not ended.value.is_guess
    now[0] = START_S
    known = door.enter(text)
    access_links.revoke(store, [known.digest])
    assert not door.is_valid(known.digest)
    with pytest.raises(BadCode, match="not known here") as gone:
        door.enter(text)
    assert gone.value.is_guess and text not in str(gone.value)
    trading.close()


@pytest.mark.parametrize("text", ["", "a" * 25, "a" * 27, "1" * 26, "\u00e4" * 26, "a" * 100_000, "=" * 26, "a\0" * 13])
def test_what_is_no_code_is_rejected_like_a_wrong_one(trading, text):
    with pytest.raises(BadCode, match="not known here"):
        Access(trading.path, trading.clock).enter(text)


def test_a_use_is_noted_once_an_hour(tmp_path):
    trading = Trading(tmp_path)
    store, now = trading.community.sink.store, [START_S]
    text = access_links.issue(store, CODE, None, "", START_S, 86400)
    door = Access(trading.path, lambda: now[0])
    noted = []
    for later_s in (0, 10, 3599, 3600, 3700):
        now[0] = START_S + later_s
        door.enter(text)
        noted.append(access_links.listed(store)[0].last_used_s - START_S)
    assert noted == [0, 0, 0, 3600, 3600]
    trading.close()


def test_links_that_ended_are_forgotten(tmp_path):
    trading = Trading(tmp_path)
    store = trading.community.sink.store
    access_links.issue(store, CODE, None, "old", START_S, 60)
    access_links.issue(store, CODE[::-1], None, "new", START_S + 60 + access_links.DAY_S + 1, 60)
    assert [row.label for row in access_links.listed(store)] == ["new"]
    trading.close()


# Sessions


def test_a_browser_signs_in_by_a_cookie_that_no_script_reads(app, trading):
    text = code(trading.community.sink.store, trading.solar.owner.kid)
    with TestClient(app) as client:
        assert client.get("/api/session").json() == {"role": "nobody", "kid": None, "label": None, "expires_s": None}
        answer = client.post("/api/session", json={"code": text})
        assert answer.status_code == 200
        found = models.Session.model_validate(answer.json())
        assert (found.role, found.label, found.kid) == ("person", "House 1", trading.solar.owner.kid.hex())
        cookie = answer.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/api", "max-age=")), cookie
        assert "secure" not in cookie and text not in answer.text
        assert client.get("/api/session").json() == answer.json()
        assert client.delete("/api/session").json()["role"] == "nobody"
        assert client.get("/api/session").json()["role"] == "nobody"


def test_over_https_the_cookie_stays_there(app, trading):
    with TestClient(app, base_url="https://pi.example") as client:
        answer = client.post("/api/session", json={"code": code(trading.community.sink.store)})
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_session_ends_with_its_link(tmp_path):
    trading = Trading(tmp_path)
    store = trading.community.sink.store
    with TestClient(app_at(trading.path, trading.clock)) as client:
        client.post("/api/session", json={"code": code(store)})
        assert client.get("/api/session").json()["role"] == "operator"
        access_links.revoke(store, [row.digest for row in access_links.listed(store)])
        assert client.get("/api/session").json()["role"] == "nobody"
        assert {row["power_w"] for row in client.get("/api/meters").json()} == {None}
    trading.close()


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://testserver"}, 200),
        ({"origin": "http://testserver:81"}, 403),
        ({"origin": "http://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://proxied.example", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://testserver", "sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_another_sites_page_signs_nobody_in_or_out(app, trading, method, headers, status):
    body = json.dumps({"code": code(trading.community.sink.store)}) if method == "POST" else ""
    more = {"content-type": "application/json"}
    with TestClient(app) as client:
        answer = client.request(method, "/api/session", content=body, headers={**more, **headers})
    assert answer.status_code == status, answer.text
    assert (status == 200) == ("set-cookie" in answer.headers)


def test_a_form_of_another_site_cannot_carry_a_code(app, trading):
    """What a browser sends without a preflight request: form types, and text that looks like JSON."""
    text = code(trading.community.sink.store)
    with TestClient(app) as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            answer = client.post("/api/session", content=json.dumps({"code": text}), headers={"content-type": kind})
            assert answer.status_code == 422 and "set-cookie" not in answer.headers
            assert text not in answer.text


@pytest.mark.parametrize("body", [{}, {"code": 5}, {"code": "a" * 26, "more": 1}, {"code": "a" * 65}, [], "CODE", None])
def test_what_was_sent_for_a_code_is_not_repeated(app, body):
    with TestClient(app) as client:
        answer = client.post("/api/session", json=body)
    assert answer.status_code == 422 and "a" * 26 not in answer.text and "CODE" not in answer.text
    assert answer.json()["detail"].endswith(".")


def test_a_wrong_code_is_rejected_and_counted_and_named_nowhere(tmp_path, caplog):
    trading = Trading(tmp_path)
    community = trading.community
    node = Node(community.sink.store, community.root.public_key, community.host, community.issuer, trading.clock)
    guess = access_links.text_of(b"\x55" * 16)
    with caplog.at_level(logging.DEBUG), TestClient(create_app(node)) as client:
        for answer in (
            client.get("/api/meters", headers=by(guess)), client.post("/api/session", json={"code": guess}),
            client.get("/api/session", headers={"authorization": f"bearer {guess}"}),
        ):  # fmt: skip
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
            assert guess not in answer.text and answer.json()["detail"].startswith("This link is not known here")
        assert client.get("/api/meters", headers={"authorization": "Basic eDp5"}).status_code == 200
    counted = {row.reason: row.times for row in node.pipeline.rejections.drain(trading.now_s)}
    assert counted == {"bad_access_code": 3}
    assert "bad_access_code" in caplog.text and guess not in caplog.text
    node.pipeline.close()
    trading.close()


def test_a_link_that_expired_is_no_guess(tmp_path):
    trading = Trading(tmp_path)
    counted = []
    text = code(trading.community.sink.store, None, trading.now_s - 60, 60)
    with TestClient(app_at(trading.path, trading.clock, count_guess=counted.append)) as client:
        answer = client.get("/api/meters", headers=by(text))
        assert answer.status_code == 401 and "has expired" in answer.json()["detail"] and counted == []
        client.get("/api/meters", headers=by("a" * 26))
        assert counted == ["testclient"]
    trading.close()


def test_a_guess_takes_its_time_and_others_do_not_wait(app, monkeypatch):
    monkeypatch.setattr(errors, "GUESS_COSTS_S", 0.4)

    async def traded():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            guess = asyncio.create_task(client.get("/api/session", headers=by("a" * 26)))
            await asyncio.sleep(0)
            for _ in range(5):
                assert (await client.get("/api/session")).status_code == 200
            assert not guess.done()
            return (await guess).status_code

    assert asyncio.run(traded()) == 401


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS"])
def test_the_session_has_three_methods(app, method):
    with TestClient(app) as client:
        answer = client.request(method, "/api/session")
    assert answer.status_code == 405 and answer.headers["allow"] == "GET, HEAD, POST, DELETE"


# What each is shown

MEASURED = ("import_wh", "export_wh", "power_w", "register_time_s", "relay")
CAME_OF_IT = ("carried_wh", "short_wh", "unused_wh", "attributed_wh", "due_nano", "flow_w")


def test_a_meter_is_its_owners(answer_of, trading):
    everything = {row["kid"]: row for row in answer_of("operator", "meters").json()}
    assert {row["sealed"] for row in everything.values()} == {None}
    for who in ("nobody", *trading.meters, trading.onlooker):
        rows = answer_of(who, "meters").json()
        assert {row["kid"] for row in rows} == set(everything)
        for row in rows:
            models.Meter.model_validate(row)
            if who != "nobody" and row["kid"] == who.kid.hex():
                assert row == everything[row["kid"]]
            else:
                assert row == {**everything[row["kid"]], **dict.fromkeys(MEASURED), "sealed": "viewer"}
            assert answer_of(who, f"meters/{row['kid']}").json() == row


def test_what_came_of_a_contract_is_for_both_its_sides(answer_of, trading):
    everything = {row["id"]: row for row in answer_of("operator", "contracts").json()}
    sides = {"nobody": 0, trading.solar: 1, trading.battery: 1, trading.wallbox: 2, trading.onlooker: 0}
    for who, count in sides.items():
        seen, rows = 0, answer_of(who, "contracts").json()
        assert {row["id"] for row in rows} == set(everything) != set()
        for row in rows:
            models.Contract.model_validate(row)
            whole = everything[row["id"]]
            if who != "nobody" and who.kid.hex() in (row["supplier"], row["consumer"]):
                assert row == whole and row["carried_wh"] > 0
                seen += 1
            else:
                assert row == {**whole, **dict.fromkeys(CAME_OF_IT), "sealed": "viewer"}
        assert seen == count


def test_readings_are_their_owners(answer_of, trading):
    for meter in trading.meters:
        for who in ("operator", "nobody", *trading.meters, trading.onlooker):
            answer = answer_of(who, "readings", meter=meter.kid.hex())
            if who in ("operator", meter):
                assert answer.status_code == 200 and set(answer.json()) == set(models.Readings.model_fields)
            else:
                label = meter.certificate.body["label"]
                assert answer.status_code == 403
                assert answer.json() == {
                    "detail": f"Readings of {label} are for its owner and the operator: open your own link."
                }


def test_a_bill_is_its_owners(answer_of, trading):
    everything = {row["owner"]: row for row in answer_of("operator", "bills").json()}
    assert len(everything) == 4
    assert answer_of(trading.landlord, "bills").json() == []
    assert answer_of(trading.landlord, "bills", owner=trading.landlord.owner.kid.hex()).status_code == 404
    assert answer_of("nobody", "bills").json() == []
    for meter in (*trading.meters, trading.onlooker):
        own = meter.owner.kid.hex()
        assert answer_of(meter, "bills").json() == [everything[own]] == answer_of(meter, "bills", owner=own).json()
        for other in everything:
            assert (answer_of(meter, "bills", owner=other).status_code == 200) == (other == own)
            assert answer_of("nobody", "bills", owner=other).status_code == 403


def test_of_others_private_entries_only_their_kind_is_shown(answer_of, trading):
    private = set(visible.PRIVATE)
    everything = {row["id"]: row for row in answer_of("operator", "log", limit=200).json()["entries"]}
    assert {row["kind"] for row in everything.values()} >= private - {"statement"}
    for who in ("nobody", trading.solar, trading.onlooker):
        mine = set() if who == "nobody" else {who.kid.hex(), who.owner.kid.hex()}
        rows = answer_of(who, "log", limit=200).json()["entries"]
        assert len(rows) == len(everything)
        for row in rows:
            models.LogRow.model_validate(row)
            if row["kind"] not in private or row["author"] in mine:
                assert row == everything[row["id"]]
            elif row["sealed"] is not None:
                plain = {
                    "text": visible.PRIVATE[row["kind"]],
                    "sealed": "viewer",
                    "void_reason": None,
                    "void_text": None,
                }
                assert row == {**everything[row["id"]], **plain}
            else:
                assert who == trading.solar and row["kind"] in ("usage", "usage_end")
                assert row["text"].endswith(("of 40 Wh under the contract with House 1 solar", "40 Wh of 40 Wh used"))


def test_a_statement_is_for_whom_it_is_about(tmp_path):
    trading = Trading(tmp_path)
    community, owner = trading.community, trading.solar.owner
    fields = {name: 0 for _, name, _, required in kinds.fields(kinds.STATEMENT) if required}
    roots = {name: bytes(32) for name in fields if name.endswith("_root")}
    body = {**fields, **roots, "subject": owner.kid, "net_nano": -5_000_000}
    community.publish(community.host, "statement", body)
    with TestClient(app_at(trading.path, trading.clock)) as client:
        told = {}
        for who in (None, owner.kid, trading.battery.owner.kid):
            headers = by(code(community.sink.store, who))
            told[who] = client.get("/api/log?kind=statement", headers=headers).json()["entries"][0]["text"]
    assert told[None] == told[owner.kid] != told[trading.battery.owner.kid] == "A statement of a bill"
    assert "House 1" in told[None]
    trading.close()


def test_a_supplier_sees_what_was_used_and_not_the_consumers_register(answer_of, trading):
    rows = answer_of(trading.solar, "log", meter=trading.wallbox.kid.hex(), limit=200).json()["entries"]
    told = [row["text"] for row in rows if row["sealed"] is None and row["kind"] in visible.PRIVATE]
    assert "Used 10 Wh of 40 Wh under the contract with House 1 solar" in told
    assert not [text for text in told if "register" in text or "House 2" in text]


def test_no_figure_of_a_meter_is_anywhere_in_what_nobody_gets(answer_of, trading):
    """Powers, sums, and the registers that are like no other number here, looked for in every answer."""
    figures = {meter.registers[side] for meter in trading.meters for side in (0, 1) if meter.registers[side] > 50}
    figures |= {7200, 7920} | {row["net_nano"] for row in answer_of("operator", "bills").json() if row["net_nano"]}
    assert len(figures) >= 6
    questions = ("meters", "contracts", "log", "bills")
    places = r'"(cursor|sequence|next_sequence|rated_w)":\d+'
    known = " ".join(answer_of("operator", question).text for question in questions)
    shown = " ".join(re.sub(places, "", answer_of("nobody", question).text) for question in questions)
    for figure in figures:
        assert re.search(rf"\b{abs(figure)}\b", known)
        assert not re.search(rf"\b{abs(figure)}\b", shown), figure


def test_a_new_owner_sees_what_came_after_and_the_old_one_what_was_before(tmp_path):
    trading = Trading(tmp_path)
    trading.run(slots=4)
    community, meter, moved_s = trading.community, trading.solar, trading.now_s
    tenant = community.person("Tenant")
    certificate = {**meter.certificate.body, "version": 2, "owner": tenant.kid, "not_before_s": moved_s}
    community.now_s = moved_s
    community.publish(community.issuer, "certificate", certificate)
    trading.run(slots=4)
    values = {"meter": meter.kid.hex(), "from": moved_s - 4 * SLOT_S, "to": moved_s + 4 * SLOT_S, "step": SLOT_S}
    with TestClient(app_at(trading.path, trading.clock)) as client:

        def exported(person):
            answer = client.get("/api/readings", params=values, headers=by(code(community.sink.store, person)))
            return [point["export_wh"] for point in answer.json()["points"]]

        assert exported(None) == [0, 11, 22, 33, 44, 55, 66, 77, 88]
        assert exported(meter.owner.kid) == [0, 11, 22, 33, 44, None, None, None, None]
        assert exported(tenant.kid) == [None, None, None, None, 44, 55, 66, 77, 88]

        def texts(person):
            params = {"meter": meter.kid.hex(), "kind": "reading", "limit": 200}
            rows = client.get("/api/log", params=params, headers=by(code(community.sink.store, person))).json()[
                "entries"
            ]
            return [row["sealed"] is None for row in rows]

        assert texts(tenant.kid).count(True) >= 4 and texts(meter.owner.kid).count(True) >= 4
        assert not any(one and other for one, other in zip(texts(tenant.kid), texts(meter.owner.kid), strict=True))
        for person, sees in ((meter.owner.kid, False), (tenant.kid, True)):
            row = client.get(f"/api/meters/{meter.kid.hex()}", headers=by(code(community.sink.store, person))).json()
            assert (row["export_wh"] is not None) == sees
        late = {**values, "from": moved_s + SLOT_S, "to": moved_s + 3 * SLOT_S}
        answer = client.get("/api/readings", params=late, headers=by(code(community.sink.store, meter.owner.kid)))
        assert answer.status_code == 403
    trading.close()


def test_why_a_reading_counts_for_nothing_shows_what_it_measured():
    row = {"kind": "reading", "text": "x", "void_reason": "falling_register", "audience": {b"owner"}, "sealed": False}
    assert visible.log_rows(NOBODY, [row])[0]["void_reason"] is None
    assert visible.log_rows(Viewer(False, b"owner"), [row])[0]["void_reason"] == "falling_register"
    certificate = {**row, "kind": "certificate", "void_reason": "stale_version"}
    assert visible.log_rows(NOBODY, [certificate])[0]["void_reason"] == "stale_version"


def test_a_meter_without_an_owner_is_the_operators():
    row = {"audience": {b"itself.."}, "sealed": False, **dict.fromkeys(MEASURED, 5)}
    assert visible.meters(Viewer(False, b"somebody"), [row])[0]["relay"] is None
    assert visible.meters(OPERATOR, [row])[0]["import_wh"] == 5


def test_tenures_decide_which_points_are_shown():
    points = [{"t_s": t, "import_wh": t, "export_wh": 0, "estimated": False} for t in range(0, 50, 10)]
    row = {"label": "x", "tenures": [(0, 20, b"first"), (20, 40, b"second")], "points": points}
    shown = visible.readings(Viewer(False, b"second"), row)
    assert [point["import_wh"] for point in shown["points"]] == [None, None, 20, 30, 40]
    assert "tenures" not in shown and "label" not in shown
    with pytest.raises(Forbidden):
        visible.readings(NOBODY, row)
    assert row["points"] == points


def test_a_host_without_the_key_shows_no_value_to_anyone(tmp_path):
    trading = Trading(tmp_path, readers=[])
    trading.trade()
    trading.run(slots=3)
    app = app_at(trading.path, trading.clock, signers=())
    with TestClient(app, headers=by(code(trading.community.sink.store))) as client:
        for row in client.get("/api/meters").json():
            models.Meter.model_validate(row)
            assert row["sealed"] == "host" and row["relay"] is not None
            assert [row[name] for name in MEASURED[:4]] == [None] * 4
        for row in client.get("/api/contracts").json():
            assert row["sealed"] == "host" and [row[name] for name in CAME_OF_IT] == [None] * 6
        assert client.get("/api/community").json()["counts"]["sealed"] == 9
        rows = client.get("/api/log", params={"kind": ["reading", "usage", "usage_start"], "limit": 200}).json()
        assert {row["sealed"] for row in rows["entries"]} == {"host"}
        assert not [row["text"] for row in rows["entries"] if re.search(r"\d+ Wh (import|export|of)", row["text"])]
        rejected = client.get("/api/bills")
        assert rejected.status_code == 422 and "key" in rejected.json()["detail"]
    with TestClient(app) as client:
        assert {(row["sealed"], row["relay"]) for row in client.get("/api/meters").json()} == {("host", None)}
        rows = client.get("/api/log", params={"kind": ["event", "reading"], "limit": 200}).json()["entries"]
        assert {(row["sealed"], row["text"]) for row in rows} == {
            ("viewer", "A meter's own event"), ("host", "A sealed reading"),
        }  # fmt: skip
    trading.close()


# Events


def test_each_page_receives_what_its_viewer_may(tmp_path):
    trading = Trading(tmp_path)
    trading.trade()
    store = trading.community.sink.store
    headers = {"nobody": {}, "House 1": by(code(store, trading.solar.owner.kid))}
    found = {}
    with served(app_at(trading.path, trading.clock)) as base:
        opened = {
            who: httpx.stream("GET", f"{base}/api/events", headers=more, timeout=10) for who, more in headers.items()
        }
        streams = {who: events(stream.__enter__().iter_lines()) for who, stream in opened.items()}
        whole = {who: take(stream, {"meters", "contracts", "bills"}) for who, stream in streams.items()}
        assert whole["nobody"]["bills"][1] == [] and len(whole["House 1"]["bills"][1]) == 1
        trading.run(slots=2)
        for who, stream in streams.items():
            rows = [data for name, _, data in (next(stream) for _ in range(9)) if name == "entry"]
            found[who] = {row["author_label"]: row["text"] for row in rows if row["kind"] == "reading"}
        for stream in opened.values():
            stream.__exit__(None, None, None)
    assert set(found["nobody"].values()) == {"A sealed reading"}
    assert found["House 1"]["House 1 solar"].startswith("Measured 0 Wh imported and 11 Wh exported")
    assert found["House 1"]["House 3 wallbox"] == "A sealed reading"
    trading.close()


def test_a_stream_ends_with_its_link(tmp_path, monkeypatch):
    monkeypatch.setattr("wattpact.api.feed.CHECKED_EVERY_S", 0.1)
    trading = Trading(tmp_path)
    store = trading.community.sink.store
    app = app_at(trading.path, trading.clock)
    with served(app) as base:
        with httpx.stream("GET", f"{base}/api/events", headers=by(code(store)), timeout=10) as answer:
            lines = answer.iter_lines()
            next(lines)
            access_links.revoke(store, [row.digest for row in access_links.listed(store)])
            list(lines)  # it ends, else this is a timeout
    trading.close()


def test_an_answer_is_computed_once_for_all_viewers(trading):
    views = app_at(trading.path, trading.clock).state.views
    answer_of = []
    whole = ANSWERS[0]._replace(answer=lambda views: answer_of.append(1) or views.meters())
    viewers = [OPERATOR, NOBODY, *(Viewer(False, meter.owner.kid) for meter in trading.meters)]
    _, texts = computed(views, whole, viewers)
    assert answer_of == [1] and len(set(texts.values())) == len(viewers)


def test_a_viewers_answers_are_dropped_with_their_last_page(trading):
    feed = Feed(app_at(trading.path, trading.clock).state.views, Access(trading.path, trading.clock), Events())

    async def traded():
        streams = [feed.stream(OPERATOR, b"digest", None) for _ in range(2)]
        for stream in streams:
            await asyncio.wait_for(anext(stream), 5)
        assert list(feed.channels) == [OPERATOR]
        await streams[0].aclose()
        assert list(feed.channels) == [OPERATOR]
        await streams[1].aclose()
        assert feed.channels == {} and feed.watcher is None

    asyncio.run(traded())


def test_pages_of_nobody_leave_room_for_others():
    feed = Feed(None, None, Events())
    feed._join(NOBODY).pages.update(Page() for _ in range(MAX_OPEN_PAGES))
    assert not feed.has_room(NOBODY) and feed.has_room(OPERATOR)


# The description, and the command


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_fuzzed(app, method):
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operation = schema["/api/session"][method]
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    strategies = [operation.as_strategy(generation_mode=mode) for mode in modes]
    answered = []

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=one_of(strategies))
    def check(case):
        # That a code must be one that was given out no schema can state.
        excluded = [schemathesis.specs.openapi.checks.positive_data_acceptance]
        answered.append(case.call_and_validate(excluded_checks=excluded).status_code)

    check()
    assert answered and max(answered) < 500


def test_the_description_states_that_a_code_may_be_sent(app):
    with TestClient(app) as client:
        described = client.get("/openapi.json").json()
    assert described["security"] == [{}, {"code": []}]
    assert described["components"]["securitySchemes"]["code"]["scheme"] == "bearer"


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    path = tmp_path_factory.mktemp("home") / "data"
    assert run("keys", "init", "--name", "Sun Street", path).status == 0
    assert run("--data", path, "keys", "person", "east", "--label", "East").status == 0
    return path


def test_links_are_made_listed_and_revoked(founded):
    made = run(
        "--data", founded, "access", "new", "--person", "east", "--label", "tablet", "--url", "http://pi.local:80/"
    )
    assert made.status == 0 and "It shows what the meters of East measure until" in made.out
    link = made.out.splitlines()[0]
    assert re.fullmatch(r"http://pi\.local:80/#code=[a-z2-7]{26}", link)
    operator = run("--data", founded, "access", "new", "--operator", "--days", "1").out
    assert operator.startswith("http://localhost:8080/#code=") and "It shows everything until" in operator
    door = Access(founded / data_directory.DATABASE, data_directory.clock)
    assert door.enter(link.partition("=")[2]).name == "East"
    assert door.enter(operator.splitlines()[0].partition("=")[2]).person is None
    rows = json.loads(run("--data", founded, "access", "list", "--json").out)
    assert {(row["who"], row["name"], row["label"]) for row in rows} == {
        ("person", "East", "tablet"),
        ("operator", None, ""),
    }
    listed = run("--data", founded, "access", "list").out
    assert "East" in listed and "tablet" in listed and link.partition("=")[2] not in listed
    one = next(row["id"] for row in rows if row["who"] == "operator")
    assert run("--data", founded, "access", "revoke", one).out == "Revoked 1 link.\n"
    assert run("--data", founded, "access", "revoke", "--person", "East").out == "Revoked 1 link.\n"
    assert run("--data", founded, "access", "revoke", "--operator").out == "Revoked 0 links.\n"
    assert json.loads(run("--data", founded, "access", "list", "--json").out) == []


NONSENSE = [
    (["new"], "either --person NAME or --operator"),
    (["new", "--person", "East", "--operator"], "either --person NAME or --operator"),
    (["new", "--person", "West"], "there is no person 'West'"),
    (["new", "--operator", "--days", "0"], "not in the range"),
    (["new", "--operator", "--url", "pi.local"], "is not an address"),
    (["revoke"], "choose the links"),
    (["revoke", "nonsense"], "names no link"),
]


@pytest.mark.parametrize(("typed", "shown"), NONSENSE)
def test_nonsense_gets_one_line(founded, typed, shown):
    done = run("--data", founded, "access", *typed)
    assert done.status in (1, 2) and done.out == "" and shown in done.errors and done.errors.count("\n") == 1


def test_the_demo_gives_the_operator_and_each_house_a_link(tmp_path):
    of = demo.prepare(tmp_path / "demo", START_S)
    with of.store() as store:
        found = demo.links(of, store, "http://localhost:8080", START_S)
        again = demo.links(of, store, "http://localhost:8080", START_S + 60)
    opened = Access(of.database, lambda: START_S + access_links.DAY_S - 1)
    names = [(who, opened.enter(link.removeprefix("http://localhost:8080/#code=")).name) for who, link in found]
    assert names == [("Operator", None), ("House 1", "House 1"), ("House 2", "House 2"), ("House 3", "House 3")]
    assert not {link for _, link in found} & {link for _, link in again}
    with pytest.raises(BadCode, match="expired"):
        Access(of.database, lambda: START_S + access_links.DAY_S).enter(found[0][1][-26:])


def test_a_proxy_with_tls_keeps_the_cookie_to_https(app, trading):
    """As a web server on the same machine passes a request on; another machine's claim of it counts nothing."""
    body = {"code": code(trading.community.sink.store)}
    with served(app) as base:
        plain = httpx.post(f"{base}/api/session", json=body)
        proxied = httpx.post(f"{base}/api/session", json=body, headers={"x-forwarded-proto": "https"})
    assert "secure" not in plain.headers["set-cookie"].lower()
    assert "secure" in proxied.headers["set-cookie"].lower()
