"""What each viewer is shown of what the node knows. All that decides it is here, and is pure.

    operator   everything
    a person   what is their own: meters, readings, bills, orders, and the usage of contracts that they are a side of
    nobody     that meters and entries exist, and what entries show to anyone: terms, tariffs, certificates

What always holds: a row comes with its `audience`, the people besides the operator whom its measured part is for, and
leaves without it; a field that is not shown is None, and `sealed` is the reason: it is not for the viewer ("viewer"),
or this host has no key to it ("host"). docs/spec/sealing.md, docs/reference/http-api.md.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wattpact_protocol.log import kind_texts, kinds

from wattpact.views import Forbidden, Json, NotFound, Views

VIEWER, HOST = "viewer", "host"


class Viewer(NamedTuple):
    """Who looks: the operator, a person by key id, or anyone."""

    is_operator: bool
    person: bytes | None = None

    def may_see(self, audience: Iterable[bytes]) -> bool:
        return self.is_operator or (self.person is not None and self.person in audience)


OPERATOR, NOBODY = Viewer(True), Viewer(False)

_OF_METER = ("import_wh", "export_wh", "power_w", "register_time_s")
_OF_CONTRACT = ("carried_wh", "short_wh", "unused_wh", "attributed_wh", "due_nano", "flow_w")
# By name, the kinds of entry that show how somebody lives, or what they would pay, as others see them.
PRIVATE = {name: text for kind, name in kinds.NAMES.items() if (text := kind_texts.private(kind)) is not None}


def meters(viewer: Viewer, rows: Iterable[Json]) -> list[Json]:
    """A relay's state is an open entry, and still its owner's affair."""
    return [
        {**_row(viewer, row, _OF_METER), "relay": row["relay"] if viewer.may_see(row["audience"]) else None}
        for row in rows
    ]


def contracts(viewer: Viewer, rows: Iterable[Json]) -> list[Json]:
    return [_row(viewer, row, _OF_CONTRACT) for row in rows]


def log_rows(viewer: Viewer, rows: Iterable[Json]) -> list[Json]:
    return [_log_row(viewer, row) for row in rows]


def bills(viewer: Viewer, rows: Iterable[Json]) -> list[Json]:
    """A bill is its owner's, whole, or not there."""
    return [row for row in rows if viewer.may_see([bytes.fromhex(row["owner"])])]


def readings(viewer: Viewer, row: Json) -> Json:
    """Points of the time in which the meter was the viewer's; raises Forbidden where it never was.

    `tenures` of the row is (from, to, owner) in turn. The register at a boundary ends one and begins the next."""
    shown = {name: value for name, value in row.items() if name not in ("label", "tenures")}
    if viewer.is_operator:
        return shown
    mine = [(from_s, to_s) for from_s, to_s, owner in row["tenures"] if viewer.may_see([owner])]
    if not mine:
        raise Forbidden(f"Readings of {row['label']} are for its owner and the operator: open your own link.")
    shown["points"] = [
        point if any(from_s <= point["t_s"] <= to_s for from_s, to_s in mine)
        else {"t_s": point["t_s"], "import_wh": None, "export_wh": None, "estimated": False}
        for point in row["points"]
    ]  # fmt: skip
    return shown


def _row(viewer: Viewer, row: Json, measured: Sequence[str]) -> Json:
    """Without what was measured where it is not for the viewer, or where the host itself could not read it."""
    shown = {name: value for name, value in row.items() if name != "audience"}
    shown["sealed"] = HOST if row["sealed"] else None if viewer.may_see(row["audience"]) else VIEWER
    if shown["sealed"] is not None:
        shown.update(dict.fromkeys(measured))
    return shown


def _log_row(viewer: Viewer, row: Json) -> Json:
    shown = {name: value for name, value in row.items() if name != "audience"}
    host = HOST if row["sealed"] else None
    text = PRIVATE.get(row["kind"])
    if text is not None and not viewer.may_see(row["audience"]):
        return {**shown, "text": text, "void_reason": None, "void_text": None, "sealed": host or VIEWER}
    return {**shown, "sealed": host}


class Seen:
    """A node's views as one viewer is shown them."""

    def __init__(self, views: Views, viewer: Viewer) -> None:
        self.viewer = viewer
        self._views = views

    def community(self) -> Json:
        return self._views.community()

    def meters(self) -> list[Json]:
        return meters(self.viewer, self._views.meters())

    def meter(self, kid: bytes) -> Json:
        return meters(self.viewer, [self._views.meter(kid)])[0]

    def readings(self, meter: bytes, from_s: int | None, to_s: int | None, step_s: int | None) -> Json:
        return readings(self.viewer, self._views.readings(meter, from_s, to_s, step_s))

    def contracts(self, states: Sequence[str] = (), meter: bytes | None = None) -> list[Json]:
        return contracts(self.viewer, self._views.contracts(states, meter))

    def contract(self, contract_id: bytes) -> Json:
        return contracts(self.viewer, [self._views.contract(contract_id)])[0]

    def log(self, meter: bytes | None, kinds: Sequence[str], before: int | None, limit: int) -> Json:
        found = self._views.log(meter, kinds, before, limit)
        return {**found, "entries": log_rows(self.viewer, found["entries"])}

    def bills(self, month: str | None, owner: bytes | None) -> list[Json]:
        """Without an owner, all that are for the viewer: none where nothing is."""
        if self.viewer.is_operator:
            return self._views.bills(month, owner)
        if owner is not None and owner != self.viewer.person:
            raise Forbidden("A bill is for its owner and the operator: open your own link.")
        if self.viewer.person is None:
            return []
        try:
            return bills(self.viewer, self._views.bills(month, self.viewer.person))
        except NotFound:
            if owner is not None:
                raise
            return []
