"""`wattpact access`: links that let the operator, or one person, see on the page what is measured."""

import secrets
from typing import Any

import click

from wattpact.cli import times
from wattpact.cli.frame import Session, as_json, show_json, show_table
from wattpact.cli.node import HTTP_PORT
from wattpact.membership import access_links, members
from wattpact.membership.access_links import Pass
from wattpact.node import data_directory

MAX_DAYS = 3660


@click.group(short_help="Make links to the page, list them, revoke them.")
def command() -> None:
    """Access: a person's link shows what that person's meters measure; the operator's link shows everything."""


@command.command()
@click.option("--person", metavar="NAME", help="Make it for this person: a label, key name or key id.")
@click.option("--operator", is_flag=True, help="Make it for the operator, who sees everything.")
@click.option(
    "--days", default=90, show_default=True, type=click.IntRange(1, MAX_DAYS), help="How many days the link is valid."
)
@click.option("--label", default="", metavar="TEXT", help="A note for `wattpact access list`, such as the device.")
@click.option(
    "--url",
    default=f"http://localhost:{HTTP_PORT}",
    show_default=True,
    help="The page's address, as its user reaches it.",
)
@click.pass_obj
def new(session: Session, person: str | None, operator: bool, days: int, label: str, url: str) -> None:
    """Make a link. It is printed once and not stored. Whoever has it can use it, so send it as you would a password."""
    if operator == (person is not None):
        raise click.UsageError("give either --person NAME or --operator")
    if not url.startswith(("http://", "https://")) or "#" in url:
        raise click.BadParameter(f"{url!r} is not an address; write one like http://pi.local:8080", param_hint="--url")
    directory, now_s = session.data_directory(), data_directory.clock()
    with directory.store() as store:
        known = members.find_person(store.certificates(), directory.keyring.people(), person) if person else None
        code, kid = secrets.token_bytes(access_links.CODE_BYTES), known.kid if known else None
        text = access_links.issue(store, code, kid, label, now_s, days * access_links.DAY_S)
        until = times.day(now_s + days * access_links.DAY_S, times.zone_of(store))
    click.echo(access_links.link(url, text))
    content = f"what the meters of {known.body['label']} measure" if known else "everything"
    click.echo(f"It shows {content} until {until}.")


def _who(row: Pass) -> str:
    return "operator" if row.person is None else row.name or row.person.hex()


def _row(row: Pass) -> dict[str, Any]:
    return {
        "id": row.id, "who": "operator" if row.person is None else "person",
        "person": row.person.hex() if row.person else None, "name": row.name, "label": row.label,
        "created_s": row.created_s, "expires_s": row.expires_s, "last_used_s": row.last_used_s,
    }  # fmt: skip


@command.command("list")
@as_json
@click.pass_obj
def list_links(session: Session, as_json: bool) -> None:
    """List links: whose they are, until when, when last used. The links themselves are not stored."""
    with session.data_directory().store() as store:
        rows, zone = access_links.listed(store), times.zone_of(store)
    if as_json:
        show_json([_row(row) for row in rows])
        return
    now_s, cells = data_directory.clock(), []
    for row in rows:
        ends = f"{times.day(row.expires_s, zone)}{'' if row.expires_s > now_s else ' (expired)'}"
        made, used = times.day(row.created_s, zone), times.minute(row.last_used_s, zone)
        cells.append((row.id, _who(row), row.label, made, ends, used))
    show_table(("id", "whose", "note", "made", "valid until", "last used"), cells)


@command.command(short_help="Revoke links.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--person", metavar="NAME", help="Revoke all links of this person.")
@click.option("--operator", is_flag=True, help="Revoke all links of the operator.")
@click.pass_obj
def revoke(session: Session, ids: tuple[str, ...], person: str | None, operator: bool) -> None:
    """Revoke links: by the IDs of `wattpact access list`, or all of a person or of the operator.

    Pages that were opened with them are signed out within seconds."""
    if not ids and person is None and not operator:
        raise click.UsageError("choose the links: an ID, --person NAME or --operator")
    directory = session.data_directory()
    with directory.store() as store, store.transaction():
        rows = access_links.listed(store)
        found = [_named(rows, text) for text in ids]
        if person is not None:
            kid = members.find_person(store.certificates(), directory.keyring.people(), person).kid
            found += [row for row in rows if row.person == kid]
        found += [row for row in rows if operator and row.person is None]
        access_links.revoke(store, {row.digest for row in found})
    count = len({row.digest for row in found})
    click.echo(f"Revoked {count} {'link' if count == 1 else 'links'}.")


def _named(rows: list[Pass], text: str) -> Pass:
    found = [row for row in rows if len(text) >= 4 and row.digest.hex().startswith(text.lower())]
    if len(found) != 1:
        raise access_links.AccessError(
            f"{text!r} names {'several links' if found else 'no link'}; see `wattpact access list`"
        )
    return found[0]
