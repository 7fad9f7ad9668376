"""`wattpact bill`: what a person has to pay or to receive for a month, and the bundle that proves it."""

import os
from pathlib import Path

import click

from wattpact import accounting, bill, home, keys
from wattpact.cli.frame import Session, as_json, show_json


@click.command()
@click.option("--owner", required=True, metavar="NAME", help="Whose bill: a person's name or key id.")
@click.option("--month", metavar="YYYY-MM", help="Which month; this one if not said.")
@click.option("--export", "target", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Also write the signed bundle that `wattpact audit` verifies.")  # fmt: skip
@as_json
@click.pass_obj
def command(session: Session, owner: str, month: str | None, target: Path | None, as_json: bool) -> None:
    """Show a person's bill for a month: bought, sold, grid, net, and saved against the grid alone."""
    opened = session.home()
    now_s = home.clock()
    with opened.reader() as reader:
        ledger = accounting.ledger_of(reader, now_s)
        subject = bill.find_owner(ledger, owner)
        made = bill.make(ledger, subject, month or bill.month_of(now_s, accounting.timezone(ledger)))
        if target is not None:
            host = opened.keyring.load(keys.HOST)
            held = accounting.evidence_for(reader, made.statement)
            with opened.store() as store:
                data = bill.export(made, ledger, held, host.kid, lambda kind, body: store.say(host, kind, body, now_s))
            _write(target, data)
    if as_json:
        show_json(made.as_json())
        return
    click.echo(bill.text(made))
    if target is not None:
        click.echo(f"\nThe bundle is in {target}. Check it anywhere with:\n"
                   f"  wattpact audit {target} --root {opened.root_public_key.hex()}")  # fmt: skip


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all; an earlier export of that name is replaced."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
