"""A witness over HTTP: an ASGI application with the one request of tlog-witness.

What always holds: a request is read for at most READ_S and MAX_REQUEST_BYTES; requests are answered one after another.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from wattpact.ordering import submitting
from wattpact.ordering.submitting import Answer
from wattpact.witness.keeper import Keeper

READ_S = 10
TOO_LARGE, TOO_SLOW, NO_METHOD, FAILED = 413, 408, 405, 500

_LOG = logging.getLogger("wattpact.witness")

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def application(keeper: Keeper, clock: Callable[[], int]) -> Callable[[Any, Receive, Send], Awaitable[None]]:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _send(send, await _answer(keeper, clock, scope, receive))

    return app


async def _answer(keeper: Keeper, clock: Callable[[], int], scope: Any, receive: Receive) -> Answer:
    if scope["path"] != submitting.PATH:
        return Answer(submitting.NOT_FOUND, f"a witness has {submitting.PATH} alone\n")
    if scope["method"] != "POST":
        return Answer(NO_METHOD, "submit with POST\n")
    try:
        async with asyncio.timeout(READ_S):
            body = await _body(receive)
    except TimeoutError:
        return Answer(TOO_SLOW, "the request did not end\n")
    if body is None:
        return Answer(TOO_LARGE, f"a request has at most {submitting.MAX_REQUEST_BYTES} bytes\n")
    try:
        return keeper.add_checkpoint(body, clock())
    except OSError as error:
        _LOG.error("nothing was cosigned: %s", error)
        return Answer(FAILED, "nothing could be stored here\n")


async def _body(receive: Receive) -> bytes | None:
    """None where it is too long."""
    body = b""
    while True:
        event = await receive()
        body += bytes(event.get("body", b""))
        if len(body) > submitting.MAX_REQUEST_BYTES:
            return None
        if not event.get("more_body", False):
            return body


async def _send(send: Send, answer: Answer) -> None:
    kind = submitting.SIZE_TYPE if answer.status == submitting.CONFLICT else "text/plain; charset=utf-8"
    body = answer.text.encode()
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
