"""`wattpact bill`: what a person has to pay or to receive for a month, the bundle that proves it and its keys."""

import asyncio
import shlex
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from wattpact_protocol.ledger import checkpoints

from wattpact import keys
from wattpact.accounts import Statements
from wattpact.billing import bill, closing, disclose
from wattpact.bundle import cosigned, disclosure, money
from wattpact.cli.frame import Session, as_json, show_json, show_table
from wattpact.market import terms
from wattpact.node import data_directory
from wattpact.ordering import cosigning
from wattpact.ordering.cosigning import Cosigning
from wattpact.ordering.proven import Proven
from wattpact.projections import follow, stored_accounts
from wattpact.store.files import replacing
from wattpact.store.publishing import publish


@click.command(short_help="Show the bills of a month, and export one with its proof.")
@click.option("--owner", metavar="NAME", help="Whose bill: a person's name or key id; if omitted, everybody's.")
@click.option("--month", metavar="YYYY-MM", help="The month; if omitted, this month.")
@click.option("--export", "target", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Also write the signed bundle that `wattpact audit` verifies.")  # fmt: skip
@click.option("--keys", "keys_target", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Also write the keys of the bundle's readings, for the auditor.")  # fmt: skip
@click.option("--close", "closes", is_flag=True, help="Sign what is due of months that are over: each bill once it is "
              "settled, and corrections after the month has closed. A node does it by itself.")  # fmt: skip
@as_json
@click.pass_obj
def command(
    session: Session, owner: str | None, month: str | None, target: Path | None, keys_target: Path | None,
    closes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show the bill of a month, of everybody or of one person: bought, sold, from and to the grid, to pay, and saved
    compared with the grid alone."""
    if closes:
        if owner is not None or target is not None or keys_target is not None or as_json:
            raise click.UsageError("--close goes with --month alone: it is for everybody's bills")
        _close(session.data_directory(), month)
        return
    if owner is None and target is not None:
        raise click.UsageError("a bundle proves one person's bill: choose the person with --owner")
    if keys_target is not None and target is None:
        raise click.UsageError("the keys are for the readings of a bundle: write the bundle with --export")
    directory = session.data_directory()
    now_s = data_directory.clock()
    with directory.store() as store, directory.reader() as reader:
        unsealer = follow.bring_up(store, directory.readers(), now_s, directory.host(), fresh=True).on(reader)
        if target is not None:
            asyncio.run(Cosigning(store, data_directory.clock).submit())  # what the bundle rests on
        with reader.moment():  # else what a node stores beside this is in one part of it and not in another
            accounts = stored_accounts.accounts_of(reader, now_s)
            month = month or bill.month_of(now_s, stored_accounts.timezone(accounts))
            signer = directory.host()
            stated = None if signer is None else bill.stated_in(reader, now_s, signer.kid)
            if owner is None:
                _show_all(accounts, month, stated, as_json)
                return
            made = bill.make(accounts, _subject(directory, accounts, owner), month, stated)
            if target is not None:
                host, proven = directory.keyring.load(keys.HOST), Proven(reader)
                head = proven.head().checkpoint
                cosigners = cosigning.cosigners_of(reader, head)
                required = cosigned.promised(terms.newest_community(reader))
                signed = cosigned.cosigners(checkpoints.decode(head), required.witnesses)
                held = stored_accounts.entries_for(reader, made.statement, unsealer)
                data = bill.export(
                    made, accounts, held, host.kid, proven,
                    lambda kind, body: publish(store, host, kind, body, now_s),
                )  # fmt: skip
                shown, _ = disclose.for_bundle(reader, unsealer, data)
                given = None if keys_target is None else disclose.disclose(reader, unsealer, shown)
                with replacing(target) as file:
                    file.write(data)
                if keys_target is not None and given is not None:
                    disclosure.write(keys_target, given)
    if as_json:
        show_json(made.as_json())
        return
    click.echo(bill.text(made))
    if target is not None:
        _show_how_to_audit(target, keys_target, sum(not one.is_void for one in shown), directory.root_public_key)
        if cosigners is not None:
            click.echo(f"The ledger's head in it is cosigned by {', '.join(cosigners) or 'none of the witnesses'}.")
        if len(signed) < required.least:
            click.echo(f"The community's entry requires more, and an audit stays undecided: {required.sentence}.\n"
                       "Export it again once they answer.")  # fmt: skip


def _show_how_to_audit(target: Path, keys_target: Path | None, sealed: int, root: bytes) -> None:
    bundle = shlex.quote(str(target))
    given = str(keys_target or target.with_suffix(".keys"))
    click.echo(f"\nThe bundle is in {target}.")
    if keys_target is not None:
        click.echo(f"The keys to {sealed} key periods of readings are in {given}. Give that file to the auditor alone.")
    elif sealed:
        click.echo(f"Its readings are sealed, in {sealed} key periods. Give an auditor their keys with:\n"
                   f"  wattpact disclose --bundle {bundle} -o {shlex.quote(given)}")  # fmt: skip
    with_keys = f" --keys {shlex.quote(given)}" if sealed or keys_target is not None else ""
    click.echo(f"Check it anywhere with:\n  wattpact audit {bundle} --root {root.hex()}{with_keys}")


def _close(directory: data_directory.DataDirectory, month: str | None) -> None:
    now_s, host = data_directory.clock(), directory.keyring.load(keys.HOST)
    count = 0
    with directory.store() as store, directory.reader() as reader:
        unsealer = follow.bring_up(store, directory.readers(), now_s, host, fresh=True).on(reader)
        with reader.moment():
            timezone = stored_accounts.timezone(stored_accounts.accounts_of(reader, now_s))
            months = [month] if month else closing.months_over(now_s, timezone)
            failed = 0
            for made in closing.state_due(
                reader, unsealer, months, now_s, host.kid, Proven(reader),
                lambda kind, body: publish(store, host, kind, body, now_s),
            ):  # fmt: skip
                count += 1
                if isinstance(made, closing.Failed):
                    failed += 1
                    click.echo(f"{made.month}, {made.label}: not stated: {made.reason}", err=True)
                    continue
                due = money.due(made.fields["net_nano"], made.currency)
                what = "corrected" if made.stated is not None and made.stated.is_closed else "stated"
                click.echo(f"{made.month}, {made.label}: {what}, {due}")
    if failed:
        raise click.ClickException(f"{failed} of the bills could not be stated")
    if count == 0:
        click.echo(f"Nothing is due of {months[0] if len(months) == 1 else f'{months[0]} to {months[-1]}'}.")


def _subject(directory: data_directory.DataDirectory, accounts: Statements, owner: str) -> bytes:
    """Whose bill: a label, or else the name of a person's key here."""
    try:
        return bill.find_owner(accounts, owner)
    except bill.BillError:
        for signer in directory.keyring.people():
            if signer.name == owner:
                return signer.kid
        raise


def _show_all(accounts: Statements, month: str, stated: bill.StatedIn | None, as_json: bool) -> None:
    made = bill.make_all(accounts, month, stated)
    if as_json:
        show_json([one.as_json() for one in made])
    elif made:
        rows = sorted(_row(one) for one in made)
        show_table((month, "bought", "sold", "from grid", "to grid", "to pay", "saved"), rows)
        zone = ZoneInfo(stored_accounts.timezone(accounts))
        settled = datetime.fromtimestamp(min(one.statement.settled_to_s for one in made), zone)
        click.echo(f"\nEnergy in kWh; below 0: to receive. Settled until {settled:%Y-%m-%d %H:%M:%S %Z}.")
        click.echo("All figures of one person, with the contracts: --owner NAME.")
    else:
        click.echo("No meters yet, so no bills.")


def _row(made: bill.Bill) -> tuple[str, ...]:
    fields = made.fields
    names = ("bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh")
    energies = (money.energy(fields[name]).removesuffix(" kWh") for name in names)
    amounts = (money.rounded(fields[name], made.currency) for name in ("net_nano", "saved_nano"))
    return (made.label, *energies, *amounts)
