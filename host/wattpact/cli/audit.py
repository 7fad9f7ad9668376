"""`wattpact audit`: verify a bill's bundle, with no network, a pinned key and the keys that were disclosed."""

import sys

import click

from wattpact.audit import program
from wattpact.cli.frame import as_json


@click.command(short_help="Verify the bundle of a bill, with no network.")
@click.argument("file", metavar="FILE")
@click.option(
    "--root", required=True, metavar="KEY", help="The community's root key: 64 hex digits, or a file with them."
)
@click.option("--keys", multiple=True, metavar="FILE", help=program.KEYS_HELP)
@click.option("--witness", "witnesses", multiple=True, metavar="KEY", help=program.WITNESS_HELP)
@click.option("--cosigned", type=click.IntRange(0), metavar="N", help=program.COSIGNED_HELP)
@as_json
@click.pass_context
def command(
    context: click.Context, file: str, root: str, keys: tuple[str, ...], witnesses: tuple[str, ...],
    cosigned: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Verify FILE, the bundle of a bill, with the root key that you trust; no network or data directory is used.

    Exit status: 0 the bill is right, 1 it is not, and the entry at fault is named, 2 the bundle cannot be read or keys
    are missing."""
    context.exit(program.run(file, root, keys, as_json, sys.stdout, sys.stderr, witnesses, cosigned))
