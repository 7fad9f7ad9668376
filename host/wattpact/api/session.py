"""Signing in and out: the only requests that do not just read. They change what a browser sends, and nothing here.

The cookie is the code itself, so that a link that is revoked or expires ends every session it began. SameSite=Strict
keeps it from requests that another site's page makes; such a page may not sign a browser in as somebody else either.
"""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import Field, SecretStr

from wattpact.api import models
from wattpact.api.routes import INVALID, known_parameters
from wattpact.api.viewer import BAD_CODE, Entered, access_of, cookie_name
from wattpact.membership.access_links import Pass

PATH = "/api/session"
METHODS = "GET, HEAD, POST, DELETE"


class Credentials(models.Model):
    """The part of a link after `#code=`."""

    code: Annotated[SecretStr, Field(max_length=64)]


def _same_site(request: Request) -> None:
    """Browsers name the site that a request comes from, on plain http by its Origin alone; programs send neither."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if site not in ("same-origin", "none") if site is not None else elsewhere:
        raise HTTPException(403, "A page of another site cannot sign anybody in or out here.")


def _session(known: Pass | None) -> models.Session:
    if known is None:
        return models.Session(role="nobody", kid=None, label=None, expires_s=None)
    if known.person is None:
        return models.Session(role="operator", kid=None, label=None, expires_s=known.expires_s)
    kid = known.person.hex()
    return models.Session(role="person", kid=kid, label=known.name or kid, expires_s=known.expires_s)


def _set_cookie(request: Request, response: Response, value: str, lasts_s: int) -> None:
    response.set_cookie(
        cookie_name(access_of(request)), value, max_age=lasts_s, path="/api", httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip


ELSEWHERE: dict[int | str, dict[str, Any]] = {
    403: {"model": models.Problem, "description": "The request comes from another site's page"}
}
router = APIRouter(prefix="/api", dependencies=[Depends(known_parameters)], responses=INVALID | BAD_CODE)
SameSite = Depends(_same_site)


@router.get("/session")
def session(known: Entered) -> models.Session:
    """Who makes this request, as this node sees it."""
    return _session(known)


@router.post("/session", dependencies=[SameSite], responses=ELSEWHERE)
def sign_in(request: Request, response: Response, credentials: Credentials) -> models.Session:
    """Exchange the code of a link for a cookie that lasts as long as the link."""
    access, code = access_of(request), credentials.code.get_secret_value().strip()
    known = access.enter(code)
    _set_cookie(request, response, code, known.expires_s - access.clock())
    return _session(known)


@router.delete("/session", dependencies=[SameSite], responses=ELSEWHERE)
def sign_out(request: Request, response: Response) -> models.Session:
    """Delete the cookie; the link itself stays valid."""
    _set_cookie(request, response, "", 0)
    return _session(None)
