"""`wattpact quorum`: a ledger that several hosts order together, instead of one."""

import re
from pathlib import Path

import click
from wattpact_protocol.log import roles

from wattpact import keys
from wattpact.audit import read_pin
from wattpact.cli import times
from wattpact.cli.frame import Session, as_json, show_fields, show_json, show_table
from wattpact.cli.node import P2P_PORT
from wattpact.consensus import home
from wattpact.membership import members
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectoryError
from wattpact.quorum import founded
from wattpact.quorum.application import hosts_that_decide
from wattpact.quorum.engine import HOME
from wattpact.quorum.founded import FoundedError
from wattpact.store import DATABASE
from wattpact.store.interface import Reader
from wattpact.store.records import QUORUM_BLOCKS, WAITS

_KEY = re.compile(r"[0-9a-f]{64}")


class QuorumCommandError(ValueError):
    """What a command cannot do; the text says why and what to do."""


@click.group(short_help="Order the ledger by several hosts together.")
def command() -> None:
    """From four hosts on, of different owners, a ledger need not have one writer: all of them order it together by
    CometBFT, and it goes on while more than two thirds of them run.

    The founder hands the ledger over with `found`, others `join`, and the issuer adds each with `add`. All run
    `wattpact node --engine cometbft`."""


@command.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Go on without confirmation.")
@click.pass_obj
def found(session: Session, file: Path, yes: bool) -> None:
    """Hand this ledger over to a quorum, and write FILE for the hosts that join.

    This host orders alone no longer, and that cannot be taken back. A second time only FILE is written again."""
    directory = session.data_directory()
    directory.bring_up(data_directory.clock())
    with directory.store() as store:
        if not store.number(QUORUM_BLOCKS):
            if not yes:
                click.confirm("From now on the ledger is ordered by a quorum of hosts only. Go on?", abort=True)
            with directory.lock():
                founded.begin(store)
        count = founded.write(file, store)
    click.echo(f"The first {count} blocks are in {file}. Each host that joins needs it, and the community's root key:"
               f"\n  {directory.root_public_key.hex()}\nStart this host with:\n  wattpact --data {directory.path} node"
               " --engine cometbft")  # fmt: skip


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--root", required=True, metavar="KEY", help="The community's root key: 64 hex digits, or a file.")
@click.pass_obj
def join(session: Session, file: Path, root: str) -> None:
    """Make this machine another host of a community, from the FILE that its founder wrote.

    Every block in FILE is checked with the root key. A new data directory is made, with a key for this host. A host
    that comes back from a lost disk keeps its key: put the backup of keys/host.key into the new directory before."""
    path = session.data
    if (path / "settings.json").exists():
        raise DataDirectoryError(f"there is a community in {path} already; choose another with --data")
    directory = data_directory.begin_host(path, read_pin(root))
    host = directory.keyring.load(keys.HOST)
    try:
        with directory.store() as store:
            count = founded.join(store, file, host, data_directory.clock())
    except BaseException:
        (path / "settings.json").unlink()  # the key stays, for when it is tried again
        for one in path.glob(f"{DATABASE}*"):
            one.unlink()
        raise
    click.echo(f"This host has the first {count} blocks. Start it, with the address of a host that runs:\n"
               f"  wattpact --data {path} node --engine cometbft --peer ID@ADDRESS:{P2P_PORT}\n"
               "Once it follows, the community's operator lets it decide with the others:\n"
               f"  wattpact quorum add NAME {host.public_key.hex()}")  # fmt: skip


@command.command()
@click.argument("name")
@click.argument("key", metavar="KEY")
@click.pass_obj
def add(session: Session, name: str, key: str) -> None:
    """Let the host with that public KEY decide with the others, under a NAME."""
    if not _KEY.fullmatch(key.lower()):
        raise QuorumCommandError(f"{key!r} is no public key: copy the 64 hex digits that `wattpact quorum join` showed")
    directory = session.data_directory()
    with directory.store() as store:
        _check_shared(store)
        members.enrol_host(store, directory.needed_issuer(), bytes.fromhex(key), name, data_directory.clock())
    click.echo(f"{name} decides with the others as soon as this is ordered; `wattpact quorum show` shows when.")


@command.command()
@click.argument("name")
@click.pass_obj
def remove(session: Session, name: str) -> None:
    """End the certificate of a host: it follows the ledger, and decides no longer."""
    directory = session.data_directory()
    with directory.store() as store:
        _check_shared(store)
        deciding = hosts_that_decide(store)
        known = members.find(store.certificates(), roles.HOST, name)
        if deciding == [known.body["public_key"]]:
            raise QuorumCommandError(f"{name} is the only host that decides: without it nothing would be ordered")
        members.retire_host(store, directory.needed_issuer(), name, data_directory.clock())
    click.echo(f"{name} decides no longer as soon as this is ordered.")


@command.command()
@as_json
@click.pass_obj
def show(session: Session, as_json: bool) -> None:
    """Show who decides, how far this host is, and how others reach it."""
    directory = session.data_directory()
    with directory.reader() as reader:
        _check_shared(reader)
        deciding, own = hosts_that_decide(reader), directory.keyring.load(keys.HOST).public_key
        names = {known.body["public_key"]: known.body["label"] for known in reader.certificates()}
        last, zone, waits = reader.last_block(), times.zone_of(reader), reader.text(WAITS)
    folder = directory.path / HOME
    reached = home.node_id(folder) if folder.exists() else None
    assert last is not None  # a quorum began after one
    if as_json:
        show_json({
            "hosts": [{"name": names.get(key), "key": key.hex(), "is_this": key == own} for key in deciding],
            "needed": _needed(len(deciding)), "blocks": last.height + 1, "time_s": last.time_s, "id": reached,
            "waits": waits or None,
        })  # fmt: skip
        return
    show_fields({
        "hosts that decide": f"{len(deciding)}, of which {_needed(len(deciding))} must run",
        "last block": f"{last.height}, {times.shown(last.time_s, zone)}",
        "others reach it by": f"--peer {reached}@ADDRESS:{P2P_PORT}" if reached else "its node was not started yet",
    })  # fmt: skip
    click.echo()
    show_table(("host", "key", ""), [
        (names.get(key, "?"), key.hex()[:16], "this host" if key == own else "") for key in deciding
    ])  # fmt: skip
    if own not in deciding:
        click.echo("This host follows, and does not decide.")
    if waits:
        click.echo(f"Nothing is ordered now: {waits}.")


def _needed(count: int) -> int:
    """More than two thirds."""
    return 2 * count // 3 + 1


def _check_shared(reader: Reader) -> None:
    if not reader.number(QUORUM_BLOCKS):
        raise FoundedError("one host orders this ledger; `wattpact quorum found` hands it over to several")
