"""The feed of live events: the whole picture, then what changes, computed once for all pages that are open."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import httpx
import pytest
from fastapi.sse import ServerSentEvent
from simulator.http import app_at, by, code
from simulator.live_events import events, served, take
from simulator.trading import Trading
from wattpact.api.feed import ANSWERS, GATHER_S, MAX_BEHIND, RETRY_S, Channel, Feed, Page
from wattpact.node.events import COSIGNED, ENTRIES, METERS, STOP, Events
from wattpact.store.records import StoreError
from wattpact.views.visible import NOBODY, OPERATOR


@pytest.fixture
def ten_times_as_fast(monkeypatch):
    quick = [answer._replace(least_s=answer.least_s / 10) for answer in ANSWERS]
    monkeypatch.setattr("wattpact.api.feed.ANSWERS", quick)
    monkeypatch.setattr("wattpact.api.feed.GATHER_S", GATHER_S / 10)
    monkeypatch.setattr("wattpact.api.feed.RETRY_S", RETRY_S / 10)


def test_events_give_the_whole_picture_then_what_changes(tmp_path, ten_times_as_fast):
    trading = Trading(tmp_path)
    trading.trade()
    app = app_at(trading.path, trading.clock, tmp_path)
    headers = by(code(trading.community.sink.store))
    with served(app) as base, httpx.stream("GET", f"{base}/api/events", headers=headers, timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = events(answer.iter_lines())
        whole = take(stream, {"meters", "contracts", "bills"})
        assert [row["label"] for row in whole["meters"][1]] == ["House 1 solar", "House 2 battery", "House 3 wallbox"]
        trading.run(slots=1)
        changed = take(stream, {"entry", "meters"})
        assert int(changed["entry"][0]) == changed["entry"][1]["cursor"]
        wallbox = next(row for row in take(stream, {"bills"})["bills"][1] if row["label"] == "House 3")
        assert wallbox["owner"] == trading.wallbox.owner.kid.hex()
    trading.close()


def test_a_page_that_comes_back_is_sent_what_it_missed(tmp_path):
    trading = Trading(tmp_path)
    trading.run(slots=1)
    newest = trading.community.sink.store.last_cursor()
    app = app_at(trading.path, trading.clock, tmp_path)
    headers = {"last-event-id": str(newest - 2)}
    with served(app) as base, httpx.stream("GET", f"{base}/api/events", headers=headers, timeout=10) as answer:
        missed = [next_event for next_event, _ in zip(events(answer.iter_lines()), range(2), strict=False)]
    assert [(name, int(last)) for name, last, _ in missed] == [("entry", newest - 1), ("entry", newest)]
    trading.close()


def test_a_server_stops_although_pages_are_open(tmp_path):
    trading = Trading(tmp_path)
    app = app_at(trading.path, trading.clock, tmp_path)
    with served(app) as base:
        opened = httpx.stream("GET", f"{base}/api/events", timeout=10)
        lines = opened.__enter__().iter_lines()
        next(lines)
    trading.close()


def test_pages_beyond_the_bound_are_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr("wattpact.api.feed.MAX_PAGES", 1)
    trading = Trading(tmp_path)
    app = app_at(trading.path, trading.clock, tmp_path)
    with served(app) as base, httpx.stream("GET", f"{base}/api/events", timeout=10) as first:
        lines = first.iter_lines()
        next(lines)
        assert httpx.get(f"{base}/api/events").status_code == 503
    trading.close()


def test_pages_that_come_at_once_are_no_more_than_there_is_room_for(monkeypatch):
    """Each looked for room before any of them was there."""
    monkeypatch.setattr("wattpact.api.feed.MAX_PAGES", 1)

    async def run():
        feed = Feed(SimpleNamespace(last_cursor=lambda: 0), None, Events())
        first, second = (feed.stream(OPERATOR, None, None) for _ in range(2))
        waiting = asyncio.ensure_future(anext(first))
        while not feed.pages:
            await asyncio.sleep(0)
        assert [event async for event in second] == []
        assert len(feed.pages) == 1
        waiting.cancel()

    asyncio.run(run())


def test_a_page_gets_its_first_picture_while_answers_are_added_to_it():
    async def run():
        feed = Feed(SimpleNamespace(last_cursor=lambda: 0), None, Events())
        feed._newest = {"meters": [], "contracts": []}
        page = feed.stream(OPERATOR, None, None)
        seen = [(await anext(page)).event]
        feed.channels[OPERATOR].update("bills", "[]")
        seen += [(await anext(page)).event for _ in range(2)]
        await page.aclose()
        return seen

    assert asyncio.run(run()) == ["meters", "contracts", "bills"]


def test_a_slow_page_is_cut_off_and_others_are_not():
    async def traded():
        channel = Channel(NOBODY)
        slow, quick = Page(), Page()
        channel.pages = {slow, quick}
        for number in range(MAX_BEHIND + 1):
            channel.send(ServerSentEvent(data=number))
            quick.waiting.get_nowait()
        return slow.waiting.qsize(), slow.waiting.get_nowait(), quick.waiting.qsize()

    assert asyncio.run(traded()) == (1, None, 0)


class CountedViews:
    """Views of nothing, which count what is computed."""

    def __init__(self):
        self.computed = Counter()
        self.failing = set()
        self.cursor = 0

    def last_cursor(self):
        self.computed["last_cursor"] += 1
        return self.cursor

    def log_after(self, cursor, limit):
        return [{**ROW, "cursor": number} for number in range(cursor + 1, self.cursor + 1)]

    def _answer(self, name, answer):
        self.computed[name] += 1
        if name in self.failing:
            self.failing.discard(name)
            raise StoreError("the database is in use by another program")
        return answer

    def meters(self):
        return self._answer("meters", [])

    def contracts(self, ended_after_s):
        return self._answer("contracts", [])

    def bills(self, month, owner):
        return self._answer("bills", [])

    def community(self):
        return self._answer("community", {"number": self.computed["community"]})


ROW = {"cursor": 0, "kind": "tariff", "text": "", "void_reason": None, "sealed": None, "audience": []}
WHOLE = {"meters", "contracts", "bills", "community"}


async def names_of(stream, count):
    return [(await asyncio.wait_for(anext(stream), 5)).event for _ in range(count)]


def test_answers_are_computed_after_events_and_not_by_polling():
    async def traded():
        views, changes = CountedViews(), Events()
        feed = Feed(views, None, changes)
        page = feed.stream(OPERATOR, None, None)
        assert set(await names_of(page, 4)) == WHOLE
        before = Counter(views.computed)
        await asyncio.sleep(0.5)
        assert views.computed == before
        other = feed.stream(NOBODY, None, None)
        assert set(await names_of(other, 4)) == WHOLE and views.computed == before
        for number in range(1, 21):
            views.cursor = number
            changes.notify(ENTRIES, number)
            changes.notify(METERS)
        assert await names_of(page, 20) == await names_of(other, 20) == ["entry"] * 20
        await asyncio.sleep(1.2)
        changed = views.computed - before
        assert (changed["meters"], changed["contracts"]) == (1, 1) and changed["bills"] == changed["community"] == 0
        assert changed["last_cursor"] <= 4
        await page.aclose()
        await other.aclose()

    asyncio.run(traded())


def test_a_cosignature_is_shown_with_the_community(monkeypatch):
    monkeypatch.setattr("wattpact.api.feed.ANSWERS", [answer._replace(least_s=0) for answer in ANSWERS])

    async def traded():
        views, changes = CountedViews(), Events()
        page = Feed(views, None, changes).stream(OPERATOR, None, None)
        assert set(await names_of(page, 4)) == WHOLE
        before = Counter(views.computed)
        changes.notify(COSIGNED)
        assert await names_of(page, 1) == ["community"]
        assert views.computed - before == Counter(community=1, last_cursor=1)
        await page.aclose()

    asyncio.run(traded())


def test_only_what_an_event_may_have_changed_is_computed_and_an_answer_that_failed_again(ten_times_as_fast):
    async def traded():
        views, changes = CountedViews(), Events()
        feed = Feed(views, None, changes)
        page = feed.stream(OPERATOR, None, None)
        await names_of(page, 4)
        before = Counter(views.computed)
        views.failing.add("meters")
        changes.notify(METERS)
        await asyncio.sleep(0.25)
        changed = views.computed - before
        assert changed["meters"] == 2 and changed["contracts"] == 0
        before, views.log_after = Counter(views.computed), lambda cursor, limit: 1 / 0
        views.cursor = 1
        changes.notify(ENTRIES, 1)
        await asyncio.sleep(0.08)
        assert views.computed - before == Counter(last_cursor=1)  # and not over and over
        changes.notify(STOP)
        with pytest.raises(StopAsyncIteration):
            while True:
                await asyncio.wait_for(anext(page), 5)
        assert feed.pages == []

    asyncio.run(traded())
