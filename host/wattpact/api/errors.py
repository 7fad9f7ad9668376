"""Errors: whatever was wrong with a request, the answer is a fitting status and one sentence in `detail`."""

import asyncio
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from wattpact.api import session
from wattpact.api.headers import ENDLESS
from wattpact.api.viewer import GUESS_COSTS_S, access_of
from wattpact.membership.access_links import BadCode
from wattpact.store.records import StoreError
from wattpact.views import BadRequest, Forbidden, NotFound

log = logging.getLogger(__name__)

BAD_BODY = 'The body must be JSON of the form {"code": "..."}.'  # what was sent may be a code: it is not repeated


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status, headers)


def explain(error: dict[str, Any]) -> str:
    """One of pydantic's validation errors as a sentence."""
    if error["loc"][:1] == ("body",):
        return BAD_BODY
    place = [str(part) for part in error["loc"] if part not in ("query", "path")]
    name = place[0] if place else "the request"
    if error["type"] == "missing":
        return f"{name} is required."
    text = error["msg"].removeprefix("Input should ").removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch":
        text = "be " + _FORMS.get(name, "of another form")
    value = str(error.get("input", ""))
    return f"{name} must {text[:120]}, not {value[:40]!r}." if text.startswith("be ") else f"{name}: {text[:120]}."


_FORMS = {
    "kid": "16 hexadecimal digits", "meter": "16 hexadecimal digits", "owner": "16 hexadecimal digits",
    "month": "a month written YYYY-MM",
}  # fmt: skip


_METHODS = {ENDLESS: "GET", session.PATH: session.METHODS}


def install(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, explain(error.errors()[0]))

    @app.exception_handler(BadRequest)
    async def bad_request(_: Request, error: BadRequest) -> JSONResponse:
        return problem(422, str(error))

    @app.exception_handler(NotFound)
    async def not_found(_: Request, error: NotFound) -> JSONResponse:
        return problem(404, str(error))

    @app.exception_handler(Forbidden)
    async def forbidden(_: Request, error: Forbidden) -> JSONResponse:
        return problem(403, str(error))

    @app.exception_handler(BadCode)
    async def bad_code(request: Request, error: BadCode) -> JSONResponse:
        """A guess is counted, and is answered late; the node and other requests do not wait for it."""
        if error.is_guess:
            access_of(request).count_guess(request.client.host if request.client else "")
            await asyncio.sleep(GUESS_COSTS_S)
        return problem(401, str(error), {"www-authenticate": "Bearer"})

    @app.exception_handler(StoreError)
    async def unavailable(request: Request, error: StoreError) -> JSONResponse:
        log.error("%s: %s", request.url.path, error)
        text = str(error)
        return problem(503, text[:1].upper() + text[1:] + ".")

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        sentence = str(error.detail)
        if error.status_code == 404:
            sentence = "There is no page and no answer at this address; /openapi.json describes all addresses."
        elif error.status_code == 400:  # the framework's own, for a body that is not even text
            return problem(422, BAD_BODY)
        elif error.status_code == 405:
            allowed = _METHODS.get(request.url.path, "GET, HEAD")
            sentence = f"This API only reads: use {'GET, POST or DELETE' if 'POST' in allowed else 'GET'}."
            headers = {"allow": allowed}
        return problem(error.status_code, sentence, headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s failed", request.url.path, exc_info=error)
        return problem(500, "The node could not answer; its log says why.")
