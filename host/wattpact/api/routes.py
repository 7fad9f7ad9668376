"""The requests that a browser or another program may make. Each runs in a thread, so that none holds up the node.

What a viewer is shown is decided in `wattpact.views.visible`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from wattpact_protocol.log import kinds

from wattpact.api import models
from wattpact.api.viewer import BAD_CODE, Entered, viewer_of
from wattpact.views import BadRequest
from wattpact.views.visible import Seen

KID = r"^[0-9a-f]{16}$"
ENTRY_ID = r"^[0-9a-f]{64}$"
MONTH = r"^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])$"
LAST_S = 1 << 40  # beyond any time that an entry can carry
MAX_LOG_ROWS = 200


def known_parameters(request: Request) -> None:
    """An unknown parameter is an error; ignored, it would look as if it had been applied."""
    known = {field.alias: field for field in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise BadRequest(f"There is no parameter {name[:40]!r} here; the parameters are: {allowed}.")
        if len(request.query_params.getlist(name)) > 1 and name not in ("kind", "state"):
            raise BadRequest(f"{name} may be given once.")


def seen_by(request: Request, known: Entered) -> Seen:
    return Seen(request.app.state.views, viewer_of(known))


INVALID: dict[int | str, dict[str, Any]] = {422: {"model": models.Problem, "description": "The request is not valid"}}
router = APIRouter(prefix="/api", dependencies=[Depends(known_parameters)], responses=INVALID | BAD_CODE)
Visible = Annotated[Seen, Depends(seen_by)]
MeterKid = Annotated[str | None, Query(pattern=KID, description="only this meter, by its kid")]
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": models.Problem, "description": "There is none of that name"}
}
FORBIDDEN: dict[int | str, dict[str, Any]] = {
    403: {"model": models.Problem, "description": "It is not for this viewer"}
}


def _kid(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


@router.get("/community", response_model=models.Community)
def community(views: Visible) -> Any:
    """The community, the grid's prices, and how many entries this node stored and rejected."""
    return views.community()


@router.get("/meters", response_model=list[models.Meter])
def meters(views: Visible) -> Any:
    """Every meter; of the viewer's own also the power now, the registers, and the relay with its reason."""
    return views.meters()


@router.get("/meters/{kid}", response_model=models.Meter, responses=NOT_FOUND)
def meter(views: Visible, kid: Annotated[str, Path(pattern=KID, description="the meter's kid")]) -> Any:
    """One meter."""
    return views.meter(bytes.fromhex(kid))


@router.get("/readings", response_model=models.Readings, responses=NOT_FOUND | FORBIDDEN)
def readings(
    views: Visible,
    meter: Annotated[str, Query(pattern=KID, description="the meter's kid")],
    from_s: Annotated[int | None, Query(alias="from", ge=0, le=LAST_S, description="Unix seconds; a day ago")] = None,
    to_s: Annotated[int | None, Query(alias="to", ge=0, le=LAST_S, description="Unix seconds; now")] = None,
    step_s: Annotated[
        int | None, Query(alias="step", ge=1, le=366 * 86400, description="seconds; chosen to suit the period")
    ] = None,
) -> Any:
    """The registers of one of the viewer's meters at every step from `from` to `to`, at most 2,000 points."""
    return views.readings(bytes.fromhex(meter), from_s, to_s, step_s)


@router.get("/contracts", response_model=list[models.Contract], responses=NOT_FOUND)
def contracts(
    views: Visible,
    state: Annotated[list[models.ContractState] | None, Query(description="only these states")] = None,
    meter: MeterKid = None,
) -> Any:
    """Contracts, newest first; at most 1,000. Of the viewer's own also what was delivered and is due."""
    return views.contracts(state or (), _kid(meter))


@router.get("/contracts/{id}", response_model=models.ContractLife, responses=NOT_FOUND)
def contract(
    views: Visible, name: Annotated[str, Path(alias="id", pattern=ENTRY_ID, description="the contract's id")]
) -> Any:
    """One contract, and the steps of its life: the block that ordered each, and who saw it."""
    return views.contract(bytes.fromhex(name))


@router.get("/log", response_model=models.Log, responses=NOT_FOUND)
def log(
    views: Visible,
    meter: Annotated[str | None, Query(pattern=KID, description="only this author, by its kid")] = None,
    kind: Annotated[list[models.Kind] | None, Query(description="only these kinds of entry")] = None,
    before: Annotated[int | None, Query(ge=1, le=kinds.MAX_UINT, description="only rows before this cursor")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LOG_ROWS, description="how many rows at most")] = 50,
) -> Any:
    """Entries, newest first, each as one sentence."""
    return views.log(_kid(meter), kind or (), before, limit)


@router.get("/bills", response_model=list[models.Bill], responses=NOT_FOUND | FORBIDDEN)
def bills(
    views: Visible,
    month: Annotated[str | None, Query(pattern=MONTH, description="YYYY-MM; this month")] = None,
    owner: Annotated[str | None, Query(pattern=KID, description="only this owner, by its kid")] = None,
) -> Any:
    """The viewer's bill of a month so far, with its contracts; for the operator, the bills of all owners."""
    return views.bills(month, _kid(owner))
