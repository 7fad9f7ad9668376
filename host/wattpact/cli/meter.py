"""`wattpact meter`: enrol meters, and show what is stored of them."""

import time
from typing import Any

import click
from wattpact_protocol.log import entry, event_codes, kind_texts, kinds, reason_texts, roles
from wattpact_protocol.sync import enrolment

from wattpact.cli import times
from wattpact.cli.frame import Session, age, as_json, energy, show_fields, show_json, show_table
from wattpact.market import terms
from wattpact.membership import members, renewal
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectory
from wattpact.ordering.noted import height_of, noted_of
from wattpact.store.interface import Reader, Store
from wattpact.store.records import Certified
from wattpact.views import meters
from wattpact.views.meters import NO_RELAY

_POLL_S = 0.5
_RELAY = {event_codes.RELAY_CLOSED: True, event_codes.RELAY_OPENED: False}
_EVENTS_BACK = 200
_NO_KEY = "this host has no key to them"
_ASSURANCES = {name: number for number, name in roles.ASSURANCES.items()}


@click.group(short_help="Enrol meters, and show their registers and relays.")
def command() -> None:
    """Meters: enrol them, and show their registers and relays."""


def _code(_: click.Context, __: click.Parameter, text: str) -> bytes:
    try:
        return enrolment.parse_code(text)
    except enrolment.CodeError as error:
        raise click.BadParameter(str(error)) from None


@command.command("enrol")
@click.option("--code", required=True, callback=_code, metavar="CODE", help="The code on the meter's sticker.")
@click.option("--label", required=True, metavar="TEXT", help="The meter's name, such as 'House 3'.")
@click.option("--owner", required=True, metavar="NAME", help="The person who owns it: their label or key id.")
@click.option(
    "--rated-w", required=True, type=click.IntRange(1, 1_000_000), help="The highest power that it can carry, watts."
)
@click.option("--supply-point", metavar="TEXT", help="The number of the supply point that it measures.")
@click.option("--assurance", default="virtual", show_default=True, type=click.Choice(tuple(_ASSURANCES)),
              help="How its secret key is protected.")  # fmt: skip
@click.option(
    "--wait", default=0, metavar="S", type=click.IntRange(0, 3600), help="Wait up to so many seconds for its request."
)
@click.pass_obj
def enrol_meter(
    session: Session, /, code: bytes, owner: str, label: str, wait: int, assurance: str, **more: Any
) -> None:
    """Enrol the meter that has this code on its sticker. It sends its request to a running node every few seconds."""
    directory = session.data_directory()
    issuer = directory.needed_issuer()
    fields = {name: value for name, value in more.items() if value is not None}
    fields["assurance"] = _ASSURANCES[assurance]
    with directory.store() as store:
        holder = members.find_person(store.certificates(), directory.keyring.people(), owner)
        public_key = _proved(store, code, wait)
        made = members.enrol_meter(store, issuer, public_key, label, holder.kid, data_directory.clock(), **fields)
    click.echo(f"{made.body['label']} is enrolled; its owner is {holder.body['label']}.")


def _proved(store: Store, code: bytes, wait_s: int) -> bytes:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return members.with_code(store.pending(), code, store.community)
        except members.EnrolError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_S)


@command.command("renew")
@click.argument("meter")
@click.option("--anyway", is_flag=True, help="Though it reported no lost log: what it has not delivered yet is lost.")
@click.pass_obj
def renew_meter(session: Session, /, meter: str, anyway: bool) -> None:
    """Let a meter that lost its log begin a new one; METER is its label or the start of its key id. It gets a new
    certificate and goes on by itself. What the old log had that was not delivered is lost, and audits show it."""
    directory = session.data_directory()
    issuer = directory.needed_issuer()
    with directory.store() as store:
        known = members.find(store.certificates(), roles.METER, meter)
        if not (anyway or known.kid in renewal.lost_logs(store) or renewal.is_frozen(store, known)):
            raise members.EnrolError(f"{known.body['label']!r} has not reported a lost log; renew it with --anyway?")
        made = renewal.renew_meter(store, issuer, known, data_directory.clock())
    click.echo(f"{made.body['label']} is certified anew and begins generation {made.body['generation']} of its log.")


def _show_age(directory: DataDirectory, reader: Reader) -> None:
    """How old the newest of what is shown is, and whether anything newer can be expected."""
    (newest,) = reader.entries(limit=1, newest_first=True)
    click.echo(f"\nThe newest entry was stored {age(data_directory.clock() - newest.received_s)} ago.")
    if not directory.has_node():
        click.echo("No node is running on this data directory, so no newer entries arrive.")


def _row(reader: Reader, known: Certified, owners: dict[bytes, str], lost: dict[bytes, int]) -> dict[str, Any]:
    body = known.body
    row: dict[str, Any] = {
        "kid": known.kid.hex(), "label": body["label"], "owner": owners.get(body.get("owner", b"")),
        "supply_point": body.get("supply_point"), "rated_w": body.get("rated_w"),
        "assurance": roles.ASSURANCES[body["assurance"]], "generation": body["generation"], "entries": 0,
        "import_wh": None, "export_wh": None, "reading_s": None, "relay": _relay(reader, known.kid),
        "unreadable": reader.sealing().get(known.kid, 0), "log_lost_s": lost.get(known.kid),
    }  # fmt: skip
    head = reader.head(known.kid, body["generation"])
    row["entries"] = head[0] + 1 if head else 0
    row["ledger"] = _in_ledger(reader, known.kid, body["generation"], row["entries"])
    for kept in reader.registers(known.kid):
        row.update(import_wh=kept.energy.get(1), export_wh=kept.energy.get(2), reading_s=kept.end_s)
    return row


def _in_ledger(reader: Reader, kid: bytes, generation: int, entries: int) -> dict[str, Any]:
    """As the page has it, and the block that noted the log last."""
    row, noted = meters.ledger(reader, kid, generation, entries), noted_of(reader, kid)
    if noted is not None:
        row["noted"]["block"] = height_of(reader, kid, noted)
    return row


def _relay(reader: Reader, kid: bytes) -> dict[str, Any] | None:
    """Whether the relay is closed and why, by the meter's last event of it."""
    for row in reader.entries(author=kid, of_kinds=(kinds.EVENT,), limit=_EVENTS_BACK, newest_first=True):
        new = entry.decode(row.raw, reader.community)
        if new.body["code"] in _RELAY and row.void_reason is None:
            closed = _RELAY[new.body["code"]]
            return {"closed": closed, "reason": new.body.get("text", ""), "since_s": new.stamp.unix_s}
    return None


def _rows(reader: Reader) -> list[dict[str, Any]]:
    certified = reader.certificates()
    owners = {known.kid: known.body["label"] for known in certified}
    lost = renewal.lost_logs(reader)
    return [_row(reader, known, owners, lost) for known in certified if known.body["role"] == roles.METER]


@command.command("list")
@as_json
@click.pass_obj
def list_meters(session: Session, as_json: bool) -> None:
    """List the enrolled meters with their stored registers, and how many wait to be enrolled."""
    directory = session.data_directory()
    with directory.reader() as reader:
        rows, waiting = _rows(reader), len(reader.pending())
        if as_json:
            show_json(rows)
            return
        _show_rows(rows, waiting, times.zone_of(reader))
        _show_age(directory, reader)


def _show_rows(rows: list[dict[str, Any]], waiting: int, zone: str) -> None:
    if rows:
        titles = ("meter", "key id", "owner", "import", "export", "relay", "last reading")
        show_table(titles, [_cells(row, zone) for row in rows])
    else:
        click.echo("No meters are enrolled yet.")
    unreadable = sum(1 for row in rows if row["unreadable"])
    if unreadable:
        click.echo(f"Readings of {_count(unreadable)} are unreadable: {_NO_KEY}.")
    for row in rows:
        if row["log_lost_s"]:
            click.echo(f'{row["label"]} lost its log: `wattpact meter renew "{row["label"]}"`')
    if waiting:
        verb = "waits" if waiting == 1 else "wait"
        click.echo(f"{_count(waiting)} {verb} to be enrolled: `wattpact meter enrol --code CODE ...`")


def _count(meters: int) -> str:
    return "1 meter" if meters == 1 else f"{meters} meters"


@command.command()
@click.argument("meter")
@as_json
@click.pass_obj
def show(session: Session, meter: str, as_json: bool) -> None:
    """Show one meter; METER is its label or the start of its key id."""
    directory = session.data_directory()
    with directory.reader() as reader:
        known = members.find(reader.certificates(), roles.METER, meter)
        row = next(row for row in _rows(reader) if row["kid"] == known.kid.hex())
        if as_json:
            show_json(row)
            return
        _show_row(row, times.zone_of(reader))
        _show_age(directory, reader)


@command.command("new-registers")
@click.argument("meter")
@click.pass_obj
def new_registers(session: Session, meter: str) -> None:
    """Order a meter to begin a new register generation, because the meter behind it or its registers were replaced.

    METER is its label or the start of its key id. Most replacements it notices by itself. No energy is counted between
    the last values of the old generation and the first of the new one, which the meter publishes."""
    directory = session.data_directory()
    issuer = directory.needed_issuer()
    with directory.store() as store:
        known = members.find(store.certificates(), roles.METER, meter)
        number = _register_generation(store, known.kid) + 1
        if number == 1:
            raise terms.GovernanceError(f"{known.body['label']} has not published any registers yet")
        terms.set_policy(store, issuer, known.kid, {"register_generation": number}, data_directory.clock())
    click.echo(f"{known.body['label']} begins register generation {number} with the next values that it measures.")


def _register_generation(reader: Reader, kid: bytes) -> int:
    """The newest that the meter has published; 0 for none."""
    newest = max((row.generation for row in reader.registers(kid)), default=0)
    for row in reader.entries(author=kid, of_kinds=(kinds.EVENT,), limit=_EVENTS_BACK, newest_first=True):
        body = entry.decode(row.raw, reader.community).body
        if body["code"] == event_codes.REGISTER_OPEN:
            newest = max(newest, int(body.get("detail", 0)))
    return newest


def _show_row(row: dict[str, Any], zone: str) -> None:
    show_fields({
        "meter": row["label"], "key id": row["kid"], "owner": row["owner"], "supply point": row["supply_point"],
        "rated": f"{row['rated_w']} W" if row["rated_w"] else None, "key storage": row["assurance"],
        "entries": row["entries"], "import": _energy(row["import_wh"]), "export": _energy(row["export_wh"]),
        "last reading": "-" if row["reading_s"] is None else times.shown(row["reading_s"], zone),
        "relay": _relay_text(row["relay"], zone),
        "log": f"reported lost, last at {times.shown(row['log_lost_s'], zone)}" if row["log_lost_s"] else None,
        "unreadable": f"{row['unreadable']} readings: {_NO_KEY}" if row["unreadable"] else None,
        "in the ledger": _noted_text(row, zone), "head it reported": _head_text(row["ledger"]["head"], zone),
        "it reported": _problem_text(row["ledger"], zone),
    })  # fmt: skip


def _noted_text(row: dict[str, Any], zone: str) -> str:
    """the first 40 entries, noted by block 12 at 2026-12-01 10:05:00 CET; 3 wait"""
    noted, waiting = row["ledger"]["noted"], row["ledger"]["waiting"]
    if noted is None:
        return f"nothing of its log; {waiting} of its entries wait"
    old = f" of generation {noted['generation']}" if noted["generation"] != row["generation"] else ""
    block = f"block {noted['block']}" if noted["block"] is not None else "a block"
    text = f"the first {noted['next_sequence']} entries{old}, noted by {block} at {times.shown(noted['time_s'], zone)}"
    return f"{text}; {waiting} wait" if waiting else text


def _head_text(head: dict[str, Any] | None, zone: str) -> str | None:
    if head is None:
        return None
    root = kind_texts.short_root(head["root"])
    return f"{head['blocks']} blocks, root {root}, at {times.shown(head['reported_s'], zone)}"


def _problem_text(ledger: dict[str, Any], zone: str) -> str | None:
    problem = ledger["problem"]
    return None if problem is None else f"{problem} ({times.shown(ledger['problem_s'], zone)})"


def _cells(row: dict[str, Any], zone: str) -> tuple[str, ...]:
    registers = (_energy(row["import_wh"]), _energy(row["export_wh"]))
    relay = "-" if row["relay"] is None else _position(row["relay"])
    return (row["label"], row["kid"][:8], row["owner"] or "-", *registers, relay, times.minute(row["reading_s"], zone))


def _position(relay: dict[str, Any]) -> str:
    return "closed" if relay["closed"] else "open"


def _relay_text(relay: dict[str, Any] | None, zone: str) -> str:
    if relay is None:
        return NO_RELAY
    return f"since {times.shown(relay['since_s'], zone)} {relay_text(relay['closed'], relay['reason'])}"


def relay_text(is_closed: bool, reason: str) -> str:
    """A relay's position and the reason that its meter gave: open: no contract has energy left."""
    text = reason_texts.relay_text(reason, is_closed)
    return ("closed" if is_closed else "open") + (f": {text[:1].lower()}{text[1:].rstrip('.')}" if text else "")


def _energy(wh: int | None) -> str:
    return "-" if wh is None else energy(wh)
