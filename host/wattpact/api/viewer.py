"""Who makes a request: the operator, a person, or nobody, by the code of a link. docs/decisions/access-links.md.

A browser exchanges the code once for a cookie that no script can read and that no other site's page can make it send; a
program sends `Authorization: Bearer CODE`. What always holds: a code is in no address, no log and no answer.
"""

from typing import Annotated, Any

from fastapi import Depends, Request

from wattpact.api import models
from wattpact.membership.access_links import Access, BadCode, Pass
from wattpact.views.visible import NOBODY, Viewer

GUESS_COSTS_S = 0.5
_BEARER = "bearer "

BAD_CODE: dict[int | str, dict[str, Any]] = {401: {"model": models.Problem, "description": "The code is not valid"}}
# For /openapi.json. Nothing requires a code: without one there is less to see.
SCHEMES = {
    "code": {"type": "http", "scheme": "bearer", "description": "The code of a link; a browser has it in a cookie."}
}
SECURITY: list[dict[str, list[str]]] = [{}, {"code": []}]


def access_of(request: Request) -> Access:
    access: Access = request.app.state.access
    return access


def cookie_name(access: Access) -> str:
    """One for each community: the cookies of a machine are shared by all its ports."""
    return f"wattpact-{access.community.hex()[:8]}"


def entered(request: Request) -> Pass | None:
    """The link that a request was made with; None without one, or with the cookie of one that has ended.

    Raises BadCode for a wrong code in the header."""
    access = access_of(request)
    header = request.headers.get("authorization", "")
    if header.lower().startswith(_BEARER):
        return access.enter(header[len(_BEARER) :])
    if not request.cookies:
        return None
    try:
        return access.enter(request.cookies.get(cookie_name(access), ""))
    except BadCode:
        return None


Entered = Annotated[Pass | None, Depends(entered)]


def viewer_of(known: Pass | None) -> Viewer:
    return NOBODY if known is None else Viewer(known.person is None, known.person)
