"""`wattpact meter`: enrol meters, and see what they have said."""

import time
from typing import Any

import click
from wattpact_protocol.log import entry, event_codes, kinds, roles
from wattpact_protocol.sync import enrolment

from wattpact.cli.frame import Session, as_json, energy, moment, show_fields, show_json, show_table
from wattpact.keys import KeyFileError
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectory
from wattpact.projections import follow
from wattpact.store.interface import Reader, Store
from wattpact.store.records import Certified
from wattpact.views.meters import CLOSED_WORDS, NO_RELAY, OPEN_WORDS

_POLL_S = 0.5
_RELAY = {event_codes.RELAY_CLOSED: True, event_codes.RELAY_OPENED: False}
_EVENTS_BACK = 200
_SEALED, _NO_KEY = "There are sealed readings", "this host has no key to them"
_ASSURANCES = {name: number for number, name in roles.ASSURANCES.items()}


@click.group(short_help="Enrol meters, and see what they have said.")
def command() -> None:
    """Meters: enrol them, and see what they have said."""


def _code(_: click.Context, __: click.Parameter, text: str) -> bytes:
    try:
        return enrolment.parse_code(text)
    except enrolment.CodeError as error:
        raise click.BadParameter(str(error)) from None


@command.command("enrol")
@click.option("--code", required=True, callback=_code, metavar="CODE", help="The code on the meter's sticker.")
@click.option("--label", required=True, metavar="TEXT", help="What to call the meter, like 'House 3'.")
@click.option("--owner", required=True, metavar="NAME", help="The person who owns it: a label or key id.")
@click.option("--rated-w", required=True, type=click.IntRange(1, 1_000_000), help="The most it can carry, watts.")
@click.option("--supply-point", metavar="TEXT", help="The number of the supply point it measures.")
@click.option("--assurance", default="virtual", show_default=True, type=click.Choice(tuple(_ASSURANCES)),
              help="How its key is kept.")  # fmt: skip
@click.option("--wait", default=0, metavar="S", type=click.IntRange(0, 3600), help="Wait so long for it to ask.")
@click.pass_obj
def enrol_meter(
    session: Session, /, code: bytes, owner: str, label: str, wait: int, assurance: str, **more: Any
) -> None:
    """Enrol the meter that proves the code on its sticker; it asks a running node every few seconds."""
    opened = session.data_directory()
    issuer = opened.issuer()
    if issuer is None:
        raise KeyFileError("the issuer's key is not here, so nobody can be enrolled here")
    fields = {name: value for name, value in more.items() if value is not None}
    fields["assurance"] = _ASSURANCES[assurance]
    with opened.store() as store:
        holder = members.find_person(store.certificates(), opened.keyring.people(), owner)
        public_key = _proved(store, code, wait)
        made = members.enrol_meter(store, issuer, public_key, label, holder.kid, data_directory.clock(), **fields)
    click.echo(f"{made.body['label']} is enrolled for {holder.body['label']}.")


def _proved(store: Store, code: bytes, wait_s: int) -> bytes:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return members.with_code(store.pending(), code, store.community)
        except members.EnrolError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_S)


def _measure(opened: DataDirectory) -> None:
    """Open what has come since a node last did, with the keys that are here now."""
    with opened.store() as store:
        follow.bring_up(store, opened.readers(), data_directory.clock())


def _row(reader: Reader, known: Certified, owners: dict[bytes, str]) -> dict[str, Any]:
    body = known.body
    row: dict[str, Any] = {
        "kid": known.kid.hex(), "label": body["label"], "owner": owners.get(body.get("owner", b"")),
        "supply_point": body.get("supply_point"), "rated_w": body.get("rated_w"),
        "assurance": roles.ASSURANCES[body["assurance"]], "entries": 0,
        "import_wh": None, "export_wh": None, "reading_s": None, "relay": _relay(reader, known.kid),
        "unopened": reader.sealing().get(known.kid, 0),
    }  # fmt: skip
    head = reader.head(known.kid, body["generation"])
    row["entries"] = head[0] + 1 if head else 0
    for kept in reader.registers(known.kid):
        row.update(import_wh=kept.energy.get(1), export_wh=kept.energy.get(2), reading_s=kept.end_s)
    return row


def _relay(reader: Reader, kid: bytes) -> dict[str, Any] | None:
    """How the relay stands and why, by the meter's own last word on it."""
    for row in reader.entries(author=kid, of_kinds=(kinds.EVENT,), limit=_EVENTS_BACK, newest_first=True):
        said = entry.decode(row.raw, reader.community)
        if said.body["code"] in _RELAY and row.void_reason is None:
            closed = _RELAY[said.body["code"]]
            return {"closed": closed, "reason": said.body.get("text", ""), "since_s": said.stamp.unix_s}
    return None


def _rows(reader: Reader) -> list[dict[str, Any]]:
    certified = reader.certificates()
    owners = {known.kid: known.body["label"] for known in certified}
    return [_row(reader, known, owners) for known in certified if known.body["role"] == roles.METER]


@command.command("list")
@as_json
@click.pass_obj
def list_meters(session: Session, as_json: bool) -> None:
    """List the enrolled meters with their registers, and how many ask to be enrolled."""
    opened = session.data_directory()
    _measure(opened)
    with opened.reader() as reader:
        rows, waiting = _rows(reader), len(reader.pending())
    if as_json:
        show_json(rows)
        return
    cells = [_cells(row) for row in rows]
    if cells:
        show_table(("meter", "key id", "owner", "import", "export", "relay", "last reading"), cells)
    else:
        click.echo("No meter is enrolled yet.")
    closed = sum(1 for row in rows if row["unopened"])
    if closed:
        click.echo(f"{_SEALED} of {closed} {'meter' if closed == 1 else 'meters'}: {_NO_KEY}.")
    if waiting:
        click.echo(f"{waiting} {'asks' if waiting == 1 else 'ask'} to be enrolled: `wattpact meter enrol --code ...`")


@command.command()
@click.argument("meter")
@as_json
@click.pass_obj
def show(session: Session, meter: str, as_json: bool) -> None:
    """Show one meter; METER is its label or the start of its key id."""
    opened = session.data_directory()
    _measure(opened)
    with opened.reader() as reader:
        known = members.find(reader.certificates(), roles.METER, meter)
        row = next(row for row in _rows(reader) if row["kid"] == known.kid.hex())
    if as_json:
        show_json(row)
        return
    show_fields({
        "meter": row["label"], "key id": row["kid"], "owner": row["owner"], "supply point": row["supply_point"],
        "rated": f"{row['rated_w']} W" if row["rated_w"] else None, "key storage": row["assurance"],
        "entries": row["entries"], "import": _energy(row["import_wh"]), "export": _energy(row["export_wh"]),
        "last reading": moment(row["reading_s"]), "relay": _relay_text(row["relay"]),
        "sealed": f"{row['unopened']} readings: {_NO_KEY}" if row["unopened"] else None,
    })  # fmt: skip


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    registers = (_energy(row["import_wh"]), _energy(row["export_wh"]))
    relay = "-" if row["relay"] is None else _position(row["relay"])
    return (row["label"], row["kid"][:8], row["owner"] or "-", *registers, relay, moment(row["reading_s"])[:16])


def _position(relay: dict[str, Any]) -> str:
    return "closed" if relay["closed"] else "open"


def _relay_text(relay: dict[str, Any] | None) -> str:
    if relay is None:
        return NO_RELAY
    words = (CLOSED_WORDS if relay["closed"] else OPEN_WORDS).get(relay["reason"], "")
    return f"{_position(relay)} since {moment(relay['since_s'])}. {words}".rstrip()


def _energy(wh: int | None) -> str:
    return "-" if wh is None else energy(wh)
