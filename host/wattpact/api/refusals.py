"""Refusals: whatever was wrong, the answer is a fitting status and one sentence in `detail`."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from wattpact.api.headers import ENDLESS
from wattpact.reader import StoreError
from wattpact.views import BadQuestion, NoSuchThing

log = logging.getLogger(__name__)


def refuse(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status, headers)


def explain(error: dict[str, Any]) -> str:
    """One validation error of pydantic's as a sentence."""
    place = [str(part) for part in error["loc"] if part not in ("query", "path")]
    name = place[0] if place else "the request"
    if error["type"] == "missing":
        return f"{name} is required."
    said = error["msg"].removeprefix("Input should ").removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch":
        said = "be " + _FORMS.get(name, "of another form")
    value = str(error.get("input", ""))
    return f"{name} must {said[:120]}, not {value[:40]!r}." if said.startswith("be ") else f"{name}: {said[:120]}."


_FORMS = {
    "kid": "16 hexadecimal digits", "meter": "16 hexadecimal digits", "owner": "16 hexadecimal digits",
    "month": "a month written YYYY-MM",
}  # fmt: skip


def install(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return refuse(422, explain(error.errors()[0]))

    @app.exception_handler(BadQuestion)
    async def nonsense(_: Request, error: BadQuestion) -> JSONResponse:
        return refuse(422, str(error))

    @app.exception_handler(NoSuchThing)
    async def absent(_: Request, error: NoSuchThing) -> JSONResponse:
        return refuse(404, str(error))

    @app.exception_handler(StoreError)
    async def unavailable(request: Request, error: StoreError) -> JSONResponse:
        log.error("%s: %s", request.url.path, error)
        text = str(error)
        return refuse(503, text[:1].upper() + text[1:] + ".")

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        sentence = str(error.detail)
        if error.status_code == 404:
            sentence = "There is nothing at this address; /openapi.json lists what there is."
        elif error.status_code == 405:
            sentence = "This API only reads: use GET."
            headers = {"allow": "GET" if request.url.path == ENDLESS else "GET, HEAD"}
        return refuse(error.status_code, sentence, headers)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        log.error("%s failed", request.url.path, exc_info=error)
        return refuse(500, "The node could not answer; its log says why.")
