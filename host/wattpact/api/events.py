"""The request for live events, which never ends: `wattpact.api.feed` sends what changes."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from wattpact.api import models
from wattpact.api.feed import Feed
from wattpact.api.routes import known_parameters
from wattpact.api.viewer import BAD_CODE, Entered, viewer_of

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
    last_event_id: Annotated[str | None, Header(description="cursor of the last entry received")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """A stream of `entry`, `meters`, `contracts`, `bills` and `community` events; each carries what the request of that
    name answers to this viewer."""
    seen = last_event_id or ""
    after = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 19 else None
    async for event in feed.stream(viewer_of(known), known.digest if known else None, after):
        yield event
