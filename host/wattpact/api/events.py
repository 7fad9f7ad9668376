"""Live events: what changed, pushed to every open page over one stream each (Server-Sent Events).

    entry      one row of the log, when it is taken in
    meters     all meters, when they differ from what was last sent, at most once a second
    contracts  contracts that are not over, and those that ended lately; likewise
    bills      this month's bills, at most every five seconds

What always holds: an answer is computed once however many pages are open, and shown once to each kind of viewer; not at
all while no page is open. A page that reads too slowly, or whose link has ended, is cut off, comes back by itself, and
begins with the whole picture again.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from wattpact.api import models
from wattpact.api.asker import BAD_CODE, Entered, viewer_of
from wattpact.api.questions import known_parameters
from wattpact.membership.access_links import Access
from wattpact.views import BadRequest, Json, NotFound, Views, visible
from wattpact.views.visible import NOBODY, Viewer

log = logging.getLogger(__name__)

POLL_S = 0.2
MAX_PAGES = 64
MAX_OPEN_PAGES = 40  # of them, of nobody known
CHECKED_EVERY_S = 5
MAX_BEHIND = 256
MAX_ROWS = 100
SHOWN_AFTER_END_S = 60


class Page:
    """One open page: what it has still to be sent; None ends it. `digest` is of the link it was opened with."""

    def __init__(self, digest: bytes | None = None) -> None:
        self.digest = digest
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


class Channel:
    """The open pages of one viewer, and what each whole answer last was for them."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.pages: set[Page] = set()
        self.last: dict[str, str] = {}

    def changed(self, name: str, text: str) -> None:
        if self.last.get(name) != text:
            self.last[name] = text
            self.tell(ServerSentEvent(raw_data=text, event=name))

    def tell(self, event: ServerSentEvent) -> None:
        for page in list(self.pages):
            if not page.send(event):
                page.cut_off()


class Whole(NamedTuple):
    """An answer that is sent whole whenever it differs from the last, no more often than every `least_s`."""

    name: str
    answer: Callable[[Views], list[Json]]
    shown: Callable[[Viewer, list[Json]], list[Json]]
    least_s: float


def _contracts(views: Views) -> list[Json]:
    return views.contracts(ended_after_s=int(time.time()) - SHOWN_AFTER_END_S)


def _bills(views: Views) -> list[Json]:
    try:
        return views.bills(None, None)
    except (BadRequest, NotFound):
        return []  # a host that cannot read the readings makes none


WHOLES = (
    Whole("meters", lambda views: views.meters(), visible.meters, 1),
    Whole("contracts", _contracts, visible.contracts, 1),
    Whole("bills", _bills, visible.bills, 5),
)


class Feed:
    """Watches the views while pages are open, and tells them."""

    def __init__(self, views: Views, access: Access) -> None:
        self.views = views
        self.access = access
        self.channels: dict[Viewer, Channel] = {}
        self.cursor: int | None = None
        self.watcher: asyncio.Task[None] | None = None
        self._due_s: dict[str, float] = {}
        self._checked_s = 0.0

    @property
    def pages(self) -> list[Page]:
        return [page for channel in self.channels.values() for page in channel.pages]

    def has_room(self, viewer: Viewer) -> bool:
        """Pages that are not signed in leave some room for those that are."""
        channel = self.channels.get(NOBODY)
        crowded = viewer == NOBODY and channel is not None and len(channel.pages) >= MAX_OPEN_PAGES
        return not crowded and len(self.pages) < MAX_PAGES

    async def pages_events(
        self, viewer: Viewer, digest: bytes | None, after: int | None
    ) -> AsyncIterator[ServerSentEvent]:
        """For one page: the whole picture, the rows after that cursor, then whatever changes."""
        page, channel = Page(digest), self._join(viewer)
        channel.pages.add(page)
        try:
            for row in await run_in_threadpool(self.views.log_after, after, MAX_ROWS) if after is not None else ():
                yield entry_event(viewer, row)
            for name, text in channel.last.items():
                yield ServerSentEvent(raw_data=text, event=name)
            if self.watcher is None or self.watcher.done():
                self.watcher = asyncio.create_task(self.watch())
            while (event := await page.waiting.get()) is not None:
                yield event
        finally:
            channel.pages.discard(page)
            if not channel.pages and self.channels.get(viewer) is channel:
                del self.channels[viewer]

    def _join(self, viewer: Viewer) -> Channel:
        if viewer not in self.channels:
            self.channels[viewer] = Channel(viewer)
            self._due_s.clear()  # the new viewer's picture does not wait for the next round
        return self.channels[viewer]

    async def watch(self) -> None:
        """Runs while there are pages. A view that fails once (a busy database) is asked again."""
        while self.pages:
            try:
                await self._check_links()
                await self._tell_rows()
                for whole in WHOLES:
                    await self._tell_whole(whole)
            except Exception:
                log.exception("live events: a view failed")
            await asyncio.sleep(POLL_S)
        self.cursor = None

    async def _check_links(self) -> None:
        """A page whose link has ended is cut off; it comes back as nobody's."""
        if time.monotonic() - self._checked_s < CHECKED_EVERY_S:
            return
        self._checked_s = time.monotonic()
        digests = {page.digest for page in self.pages if page.digest is not None}
        ended = {digest for digest in digests if not await run_in_threadpool(self.access.stands, digest)}
        for page in self.pages:
            if page.digest in ended:
                page.cut_off()

    async def _tell_rows(self) -> None:
        newest = await run_in_threadpool(self.views.last_cursor)
        if self.cursor is not None and newest != self.cursor:
            rows = await run_in_threadpool(self.views.log_after, self.cursor, MAX_ROWS)
            for channel in list(self.channels.values()):
                for row in rows:
                    channel.tell(entry_event(channel.viewer, row))
        self.cursor = newest

    async def _tell_whole(self, whole: Whole) -> None:
        now_s = time.monotonic()
        if now_s < self._due_s.get(whole.name, 0):
            return
        self._due_s[whole.name] = now_s + whole.least_s
        channels = list(self.channels.values())
        texts = await run_in_threadpool(_texts, self.views, whole, [channel.viewer for channel in channels])
        for channel, text in zip(channels, texts, strict=True):
            channel.changed(whole.name, text)

    def close(self) -> None:
        """End every stream, so that a server can stop."""
        for page in self.pages:
            page.cut_off()


def _texts(views: Views, whole: Whole, viewers: list[Viewer]) -> list[str]:
    """The answer, computed once, as each of the viewers is shown it."""
    rows = whole.answer(views)
    return [json.dumps(whole.shown(viewer, rows), separators=(",", ":")) for viewer in viewers]


def entry_event(viewer: Viewer, row: Json) -> ServerSentEvent:
    return ServerSentEvent(data=visible.log_rows(viewer, [row])[0], event="entry", id=str(row["cursor"]))


router = APIRouter(prefix="/api", dependencies=[Depends(known_parameters)])
TOO_MANY: dict[int | str, dict[str, Any]] = {503: {"model": models.Problem, "description": "Too many pages are open"}}


async def room(request: Request, known: Entered) -> Feed:
    feed: Feed = request.app.state.feed
    if not feed.has_room(viewer_of(known)):
        raise HTTPException(503, "Too many pages are open already; close one.")
    return feed


@router.get("/events", response_class=EventSourceResponse, responses=TOO_MANY | BAD_CODE)
async def events(
    feed: Annotated[Feed, Depends(room)],
    known: Entered,
    last_event_id: Annotated[str | None, Header(description="cursor of the last entry seen")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """A stream of `entry`, `meters`, `contracts` and `bills` events; data are what the question gives the asker."""
    seen = last_event_id or ""
    after = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 19 else None
    async for event in feed.pages_events(viewer_of(known), known.digest if known else None, after):
        yield event
