"""Live events: what changed, pushed to every open page over one stream each (Server-Sent Events).

    entry      one row of the log, when it is taken in
    meters     all meters, when they differ from what was last sent, at most once a second
    contracts  contracts that are not over, and those that ended lately; likewise
    bills      this month's bills, at most every five seconds

What always holds: an answer is computed once however many pages are open, and not at all while none is; a page that
reads too slowly is cut off, comes back by itself, and begins with the whole picture again.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from wattpact.api import models
from wattpact.api.questions import known_parameters
from wattpact.views import Views

log = logging.getLogger(__name__)

POLL_S = 0.2
MAX_PAGES = 64
MAX_BEHIND = 256
MAX_ROWS = 100
SHOWN_AFTER_END_S = 60


class Page:
    """One open page: what it has still to be sent; None ends it."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[ServerSentEvent | None] = asyncio.Queue(MAX_BEHIND)

    def send(self, event: ServerSentEvent | None) -> bool:
        try:
            self.waiting.put_nowait(event)
        except asyncio.QueueFull:
            return False
        return True

    def cut_off(self) -> None:
        while not self.waiting.empty():
            self.waiting.get_nowait()
        self.send(None)


class Whole:
    """An answer that is sent whole whenever it differs from the last, no more often than every `least_s`."""

    def __init__(self, name: str, answer: Callable[[], Any], least_s: float) -> None:
        self.name = name
        self.answer = answer
        self.least_s = least_s
        self.due_s = 0.0
        self.last: str | None = None

    async def changed(self, now_s: float) -> ServerSentEvent | None:
        if now_s < self.due_s:
            return None
        self.due_s = now_s + self.least_s
        text = json.dumps(await run_in_threadpool(self.answer), separators=(",", ":"))
        if text == self.last:
            return None
        self.last = text
        return self.event()

    def event(self) -> ServerSentEvent:
        return ServerSentEvent(raw_data=self.last, event=self.name)


class Feed:
    """Watches the views while pages are open, and tells them."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self.pages: set[Page] = set()
        self.cursor: int | None = None
        self.watcher: asyncio.Task[None] | None = None
        self.wholes = [
            Whole("meters", views.meters, 1),
            Whole("contracts", self.shown_contracts, 1),
            Whole("bills", lambda: views.bills(None, None), 5),
        ]

    def shown_contracts(self) -> list[dict[str, Any]]:
        return self.views.contracts(ended_after_s=int(time.time()) - SHOWN_AFTER_END_S)

    async def pages_events(self, after: int | None) -> AsyncIterator[ServerSentEvent]:
        """For one page: the whole picture, the rows after that cursor, then whatever changes."""
        page = Page()
        self.pages.add(page)
        try:
            for row in await run_in_threadpool(self.views.log_after, after, MAX_ROWS) if after is not None else ():
                yield entry_event(row)
            for whole in self.wholes:
                if whole.last is not None:
                    yield whole.event()
            if self.watcher is None or self.watcher.done():
                self.watcher = asyncio.create_task(self.watch())
            while (event := await page.waiting.get()) is not None:
                yield event
        finally:
            self.pages.discard(page)

    async def watch(self) -> None:
        """Runs while there are pages. A view that fails once (a busy database) is asked again."""
        while self.pages:
            try:
                for event in await self.news():
                    self.tell(event)
            except Exception:
                log.exception("live events: a view failed")
            await asyncio.sleep(POLL_S)
        self.cursor = None

    async def news(self) -> list[ServerSentEvent]:
        newest = await run_in_threadpool(self.views.last_cursor)
        found = []
        if self.cursor is not None and newest != self.cursor:
            found = [entry_event(row) for row in await run_in_threadpool(self.views.log_after, self.cursor, MAX_ROWS)]
        self.cursor = newest
        for whole in self.wholes:
            event = await whole.changed(time.monotonic())
            found += [event] if event else []
        return found

    def tell(self, event: ServerSentEvent) -> None:
        for page in list(self.pages):
            if not page.send(event):
                page.cut_off()

    def close(self) -> None:
        """End every stream, so that a server can stop."""
        for page in list(self.pages):
            page.cut_off()


def entry_event(row: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(data=row, event="entry", id=str(row["cursor"]))


router = APIRouter(prefix="/api", dependencies=[Depends(known_parameters)])
TOO_MANY: dict[int | str, dict[str, Any]] = {503: {"model": models.Problem, "description": "Too many pages are open"}}


async def room(request: Request) -> Feed:
    feed: Feed = request.app.state.feed
    if len(feed.pages) >= MAX_PAGES:
        raise HTTPException(503, f"{MAX_PAGES} pages are open already; close one.")
    return feed


@router.get("/events", response_class=EventSourceResponse, responses=TOO_MANY)
async def events(
    feed: Annotated[Feed, Depends(room)],
    last_event_id: Annotated[str | None, Header(description="cursor of the last entry seen")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """A stream of `entry`, `meters`, `contracts` and `bills` events; each one's data is what the question gives."""
    seen = last_event_id or ""
    after = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 19 else None
    async for event in feed.pages_events(after):
        yield event
