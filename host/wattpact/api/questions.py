"""The questions a browser or another program may ask. Each runs in a thread, so that none holds up the node.

What an asker is shown is decided in `wattpact.views.visible`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from wattpact_protocol.log import kinds

from wattpact.api import models
from wattpact.api.asker import BAD_CODE, Entered, viewer_of
from wattpact.views import BadRequest
from wattpact.views.visible import Seen

KID = r"^[0-9a-f]{16}$"
MONTH = r"^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])$"
LAST_S = 1 << 40  # beyond any time that an entry can carry
MAX_LOG_ROWS = 200


def known_parameters(request: Request) -> None:
    """A parameter that is not there is refused, rather than passed over as if it had been obeyed."""
    known = {field.alias: field for field in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise BadRequest(f"There is no parameter {name[:40]!r} here; there is: {allowed}.")
        if len(request.query_params.getlist(name)) > 1 and name not in ("kind", "state"):
            raise BadRequest(f"{name} may be given once.")


def seen_by(request: Request, known: Entered) -> Seen:
    return Seen(request.app.state.views, viewer_of(known))


NONSENSE: dict[int | str, dict[str, Any]] = {
    422: {"model": models.Problem, "description": "The question makes no sense"}
}
router = APIRouter(prefix="/api", dependencies=[Depends(known_parameters)], responses=NONSENSE | BAD_CODE)
Ask = Annotated[Seen, Depends(seen_by)]
MeterKid = Annotated[str | None, Query(pattern=KID, description="only this meter, by its kid")]
NOT_THERE: dict[int | str, dict[str, Any]] = {404: {"model": models.Problem, "description": "There is no such thing"}}
NOT_YOURS: dict[int | str, dict[str, Any]] = {403: {"model": models.Problem, "description": "It is not for this asker"}}


def _kid(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


@router.get("/community", response_model=models.Community)
def community(views: Ask) -> Any:
    """The community, the grid's prices, and how much this node has taken in and refused."""
    return views.community()


@router.get("/meters", response_model=list[models.Meter])
def meters(views: Ask) -> Any:
    """Every meter; of the asker's own, power now, registers, the relay and why."""
    return views.meters()


@router.get("/meters/{kid}", response_model=models.Meter, responses=NOT_THERE)
def meter(views: Ask, kid: Annotated[str, Path(pattern=KID, description="the meter's kid")]) -> Any:
    """One meter."""
    return views.meter(bytes.fromhex(kid))


@router.get("/readings", response_model=models.Readings, responses=NOT_THERE | NOT_YOURS)
def readings(
    views: Ask,
    meter: Annotated[str, Query(pattern=KID, description="the meter's kid")],
    from_s: Annotated[int | None, Query(alias="from", ge=0, le=LAST_S, description="Unix seconds; a day ago")] = None,
    to_s: Annotated[int | None, Query(alias="to", ge=0, le=LAST_S, description="Unix seconds; now")] = None,
    step_s: Annotated[
        int | None, Query(alias="step", ge=1, le=366 * 86400, description="seconds; chosen to suit the period")
    ] = None,
) -> Any:
    """The registers of a meter of the asker's at every step from `from` to `to`, at most 2,000 points."""
    return views.readings(bytes.fromhex(meter), from_s, to_s, step_s)


@router.get("/contracts", response_model=list[models.Contract], responses=NOT_THERE)
def contracts(
    views: Ask,
    state: Annotated[list[models.ContractState] | None, Query(description="only these states")] = None,
    meter: MeterKid = None,
) -> Any:
    """Contracts, newest first; the newest 1,000. Of the asker's own, what came of them."""
    return views.contracts(state or (), _kid(meter))


@router.get("/log", response_model=models.Log, responses=NOT_THERE)
def log(
    views: Ask,
    meter: Annotated[str | None, Query(pattern=KID, description="only this author, by its kid")] = None,
    kind: Annotated[list[models.Kind] | None, Query(description="only these kinds of entry")] = None,
    before: Annotated[int | None, Query(ge=1, le=kinds.MAX_UINT, description="only rows before this cursor")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LOG_ROWS, description="how many rows at most")] = 50,
) -> Any:
    """What was said, newest first, each entry as one sentence."""
    return views.log(_kid(meter), kind or (), before, limit)


@router.get("/bills", response_model=list[models.Bill], responses=NOT_THERE | NOT_YOURS)
def bills(
    views: Ask,
    month: Annotated[str | None, Query(pattern=MONTH, description="YYYY-MM; this month")] = None,
    owner: Annotated[str | None, Query(pattern=KID, description="only this owner, by its kid")] = None,
) -> Any:
    """What the asker's month comes to so far, and the contracts behind it; to the operator, every owner's."""
    return views.bills(month, _kid(owner))
