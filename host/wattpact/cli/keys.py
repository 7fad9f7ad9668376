"""`wattpact keys`: the keys of the community and of its people."""

import zoneinfo
from pathlib import Path
from typing import Any

import click
from wattpact_protocol.log import roles

from wattpact import keys
from wattpact.cli import times
from wattpact.cli.frame import Price, Session, as_json, price, show_fields, show_json, show_table
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.store.records import Certified


@click.group(short_help="Make and list the keys of a community and its people.")
def command() -> None:
    """Keys: of the community, and of each person in it."""


def _timezone(_: click.Context, __: click.Parameter, name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(f"{name!r} is not a time zone; write one like Europe/Berlin") from None
    return name


@command.command()
@click.option("--name", required=True, metavar="TEXT", help="The community's name.")
@click.option("--currency", default="EUR", show_default=True, help="The currency of prices and bills.")
@click.option(
    "--timezone",
    default="Europe/Berlin",
    show_default=True,
    callback=_timezone,
    help="The time zone of months and days.",
)
@click.option(
    "--slot",
    default=900,
    show_default=True,
    type=click.IntRange(1, 86400),
    help="Length of a settlement slot, seconds.",
)
@click.option(
    "--import-price", default="0.30", show_default=True, type=Price(), help="Price of a kWh bought from the grid."
)
@click.option(
    "--export-price", default="0.08", show_default=True, type=Price(), help="Price of a kWh sold to the grid."
)
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def init(session: Session, /, directory: Path | None, import_price: int, export_price: int, **terms: Any) -> None:
    """Found a community in DIRECTORY, or that of --data: its keys and first entries."""
    path = directory or session.data
    wanted = members.FoundingTerms(
        terms["name"], terms["currency"], terms["timezone"], terms["slot"], import_price, export_price
    )  # fmt: skip
    made = data_directory.create(path, wanted, data_directory.clock())
    click.echo(f"{wanted.name} is founded in {path}. Community id: {made.community.hex()}")
    unit = f"{wanted.currency}/kWh"
    click.echo(f"Grid prices: import {price(import_price)} {unit}, export {price(export_price)} {unit}.")
    click.echo(f"Root key, for meters and auditors: {made.root_public_key.hex()}")
    click.echo(f"Now move {made.keyring.path(keys.ROOT)} to a place that is offline, and keep a copy.")
    click.echo("It is needed only to renew the issuer's key; whoever has it controls the community.")


@command.command()
@click.argument("name")
@click.option("--label", metavar="TEXT", help="The person's name on bills and on the page.  [default: NAME]")
@click.pass_obj
def person(session: Session, name: str, label: str | None) -> None:
    """Make a key for a person, and certify it with the issuer's key."""
    keys.check_name(name)
    made = data_directory.add_person(session.data_directory(), name, label or name, data_directory.clock())
    click.echo(f"{label or name} is enrolled. Key id: {made.kid.hex()}")


def _row(known: Certified, here: bool) -> dict[str, Any]:
    body = known.body
    return {
        "role": roles.NAMES[body["role"]], "label": body["label"], "kid": known.kid.hex(),
        "version": body["version"], "not_before_s": body["not_before_s"], "not_after_s": body["not_after_s"],
        "public_key": body["public_key"].hex(), "key_is_here": here,
    }  # fmt: skip


def _rows(session: Session) -> tuple[list[dict[str, Any]], str]:
    """All certificates, and the community's time zone."""
    directory = session.data_directory()
    ring = directory.keyring
    signers = ring.people() + [ring.load(name) for name in (keys.ROOT, keys.ISSUER, keys.HOST) if ring.has(name)]
    here = {signer.kid for signer in signers}
    with directory.reader() as reader:
        return [_row(known, known.kid in here) for known in reader.certificates()], times.zone_of(reader)


@command.command("list")
@as_json
@click.pass_obj
def list_keys(session: Session, as_json: bool) -> None:
    """List all certificates, and which of their keys are in this data directory."""
    rows, zone = _rows(session)
    if as_json:
        show_json(rows)
        return
    cells = []
    for row in rows:
        here = "yes" if row["key_is_here"] else ""
        cells.append((row["role"], row["label"], row["kid"], times.day(row["not_after_s"], zone), here))
    show_table(("role", "label", "key id", "valid until", "key here"), cells)


@command.command()
@click.argument("who")
@as_json
@click.pass_obj
def show(session: Session, who: str, as_json: bool) -> None:
    """Show one certificate; WHO is a label or the start of a key id. Secret keys are never shown."""
    rows, zone = _rows(session)
    found = [row for row in rows if row["label"] == who] or [row for row in rows if row["kid"].startswith(who.lower())]
    if len(found) != 1:
        raise members.EnrolError(f"{who!r} names {'several keys' if found else 'no key'}; see `wattpact keys list`")
    row = found[0]
    if as_json:
        show_json(row)
        return
    show_fields({
        "role": row["role"], "label": row["label"], "key id": row["kid"], "public key": row["public_key"],
        "version": row["version"], "valid from": times.day(row["not_before_s"], zone),
        "valid until": times.day(row["not_after_s"], zone),
        "key is here": "yes" if row["key_is_here"] else "no",
    })  # fmt: skip
