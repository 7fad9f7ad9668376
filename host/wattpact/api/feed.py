"""Live events: what changed, pushed to every open page over one stream each (Server-Sent Events).

    entry      one row of the log, when its entry is stored
    meters     all meters, when they differ from what was last sent, at most once a second
    contracts  contracts that are not over, and those that ended lately; likewise
    bills      this month's bills, at most every five seconds
    community  the community and its counts; likewise

What always holds: nothing is computed unless an event of the node or the time may have changed it, then once however
many pages are open, and not at all while no page is open; each kind of viewer is sent its own view of it. A page that
reads too slowly, or whose link has ended, is cut off, reconnects by itself, and begins with the whole picture again.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from wattpact.membership.access_links import Access
from wattpact.node.events import COSIGNED, ENTRIES, METERS, REJECTIONS, STOP, Event, Events
from wattpact.views import BadRequest, Json, NotFound, Views, visible
from wattpact.views.visible import NOBODY, Viewer

log = logging.getLogger(__name__)

MAX_PAGES = 64
MAX_OPEN_PAGES = 40  # of them, of viewers who are not signed in
CHECKED_EVERY_S = 5
MAX_BEHIND = 256
MAX_ROWS = 100
SHOWN_AFTER_END_S = 60
GATHER_S = 0.1
RETRY_S = 1


class Page:
    """One open page: what is still to be sent to it; None ends it. `digest` is of the link it was opened with."""

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
    """The open pages of one viewer, and what each live answer last was for them."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.pages: set[Page] = set()
        self.last: dict[str, str] = {}

    def update(self, name: str, text: str) -> None:
        if self.last.get(name) != text:
            self.last[name] = text
            self.send(ServerSentEvent(raw_data=text, event=name))

    def send(self, event: ServerSentEvent) -> None:
        for page in list(self.pages):
            if not page.send(event):
                page.cut_off()


class LiveAnswer(NamedTuple):
    """An answer that is sent whole whenever it differs from the last. It is computed anew after events of these names,
    no more often than every `least_s`; and every `most_s`, since some of it follows from the time alone."""

    name: str
    answer: Callable[[Views], Any]
    shown: Callable[[Viewer, Any], Any]
    follows: tuple[str, ...]
    least_s: float
    most_s: float


def _contracts(views: Views) -> list[Json]:
    return views.contracts(ended_after_s=int(time.time()) - SHOWN_AFTER_END_S)


def _bills(views: Views) -> list[Json]:
    try:
        return views.bills(None, None)
    except (BadRequest, NotFound):
        return []  # a host that cannot read the readings makes none


ANSWERS = (
    LiveAnswer("meters", lambda views: views.meters(), visible.meters, (ENTRIES, METERS), 1, 5),
    LiveAnswer("contracts", _contracts, visible.contracts, (ENTRIES,), 1, 5),
    LiveAnswer("bills", _bills, visible.bills, (ENTRIES,), 5, 60),
    LiveAnswer(
        "community", lambda views: views.community(), lambda _, body: body, (ENTRIES, REJECTIONS, COSIGNED), 5, 60
    ),
)


class Feed:
    """Waits for the node's events while pages are open, and sends pages what has changed."""

    def __init__(self, views: Views, access: Access, events: Events) -> None:
        self.views = views
        self.access = access
        self.events = events
        self.channels: dict[Viewer, Channel] = {}
        self.watcher: asyncio.Task[None] | None = None
        self._forget()

    def _forget(self) -> None:
        self._cursor: int | None = None
        self._newest: dict[str, Any] = {}
        self._computed_s: dict[str, float] = {}
        self._due_s = {answer.name: 0.0 for answer in ANSWERS}
        self._checked_s = time.monotonic()

    @property
    def pages(self) -> list[Page]:
        return [page for channel in self.channels.values() for page in channel.pages]

    def has_room(self, viewer: Viewer) -> bool:
        """Pages that are not signed in leave some room for those that are."""
        channel = self.channels.get(NOBODY)
        crowded = viewer == NOBODY and channel is not None and len(channel.pages) >= MAX_OPEN_PAGES
        return not crowded and len(self.pages) < MAX_PAGES

    async def stream(self, viewer: Viewer, digest: bytes | None, after: int | None) -> AsyncIterator[ServerSentEvent]:
        """For one page: the rows after that cursor, the whole picture, then whatever changes. Nothing where others came
        since there was room, so that many at once are no more than one after another."""
        if not self.has_room(viewer):
            return
        page, channel = Page(digest), self._join(viewer)
        channel.pages.add(page)
        try:
            if self._cursor is None:
                self._cursor = await run_in_threadpool(self.views.last_cursor)
            for row in await run_in_threadpool(self.views.log_after, after, MAX_ROWS) if after is not None else ():
                yield entry_event(viewer, row)
            for name, text in list(channel.last.items()):  # others are added meanwhile, and come behind
                yield ServerSentEvent(raw_data=text, event=name)
            if self.watcher is None or self.watcher.done():
                self.watcher = asyncio.create_task(self._watch())
            while (event := await page.waiting.get()) is not None:
                yield event
        finally:
            self._leave(page, channel)

    def _join(self, viewer: Viewer) -> Channel:
        """A new viewer's picture is made of the answers that are there; it does not wait for the next change."""
        if viewer not in self.channels:
            channel = self.channels[viewer] = Channel(viewer)
            for answer in ANSWERS:
                if answer.name in self._newest:
                    channel.last[answer.name] = text_for(viewer, answer, self._newest[answer.name])
        return self.channels[viewer]

    def _leave(self, page: Page, channel: Channel) -> None:
        channel.pages.discard(page)
        if not channel.pages and self.channels.get(channel.viewer) is channel:
            del self.channels[channel.viewer]
        if not self.pages:
            if self.watcher is not None:
                self.watcher.cancel()
                self.watcher = None
            self._forget()

    async def _watch(self) -> None:
        """Runs while there are pages. A view that fails once (a busy database) is computed again."""
        queue = self.events.subscribe()
        try:
            while True:
                try:
                    await self._end_pages_of_ended_links()
                    await self._send_rows()
                    for answer in ANSWERS:
                        await self._send_if_due(answer)
                except Exception:
                    log.exception("live events: an answer could not be computed")
                    await asyncio.sleep(RETRY_S)
                await self._wait(queue)
        finally:
            self.events.unsubscribe(queue)

    async def _wait(self, queue: "asyncio.Queue[Event]") -> None:
        """Until the node has events, or the next answer or check of links is due by time."""
        wait_s = min(*self._due_s.values(), self._checked_s + CHECKED_EVERY_S) - time.monotonic()
        if queue.empty() and wait_s > 0:
            with contextlib.suppress(TimeoutError):
                self._note(await asyncio.wait_for(queue.get(), wait_s))
        await asyncio.sleep(GATHER_S)  # a burst of events is answered once
        while not queue.empty():
            self._note(queue.get_nowait())

    def _note(self, event: Event) -> None:
        if event.name == STOP:
            self.close()
        for answer in ANSWERS:
            if event.name in answer.follows:
                soonest_s = self._computed_s.get(answer.name, 0) + answer.least_s
                self._due_s[answer.name] = min(self._due_s[answer.name], soonest_s)

    async def _end_pages_of_ended_links(self) -> None:
        """A page whose link has ended is cut off; it comes back as nobody's."""
        if time.monotonic() - self._checked_s < CHECKED_EVERY_S:
            return
        self._checked_s = time.monotonic()
        digests = {page.digest for page in self.pages if page.digest is not None}
        ended = {digest for digest in digests if not await run_in_threadpool(self.access.is_valid, digest)}
        for page in self.pages:
            if page.digest in ended:
                page.cut_off()

    async def _send_rows(self) -> None:
        newest = await run_in_threadpool(self.views.last_cursor)
        if self._cursor is not None and newest != self._cursor:
            rows = await run_in_threadpool(self.views.log_after, self._cursor, MAX_ROWS)
            for channel in list(self.channels.values()):
                for row in rows:
                    channel.send(entry_event(channel.viewer, row))
        self._cursor = newest

    async def _send_if_due(self, answer: LiveAnswer) -> None:
        now_s = time.monotonic()
        if now_s < self._due_s[answer.name]:
            return
        self._computed_s[answer.name], self._due_s[answer.name] = now_s, now_s + answer.least_s  # should it fail
        viewers = list(self.channels)
        body, texts = await run_in_threadpool(computed, self.views, answer, viewers)
        self._due_s[answer.name] = now_s + answer.most_s
        self._newest[answer.name] = body
        for viewer, channel in list(self.channels.items()):
            channel.update(answer.name, texts.get(viewer) or text_for(viewer, answer, body))

    def close(self) -> None:
        """End every stream, so that a server can stop."""
        for page in self.pages:
            page.cut_off()


def computed(views: Views, answer: LiveAnswer, viewers: list[Viewer]) -> tuple[Any, dict[Viewer, str]]:
    """The answer, computed once, and as each of the viewers is shown it."""
    body = answer.answer(views)
    return body, {viewer: text_for(viewer, answer, body) for viewer in viewers}


def text_for(viewer: Viewer, answer: LiveAnswer, body: Any) -> str:
    return json.dumps(answer.shown(viewer, body), separators=(",", ":"))


def entry_event(viewer: Viewer, row: Json) -> ServerSentEvent:
    return ServerSentEvent(data=visible.log_rows(viewer, [row])[0], event="entry", id=str(row["cursor"]))
