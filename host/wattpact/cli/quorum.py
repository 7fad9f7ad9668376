"""`wattpact quorum`: a ledger that several hosts order together, instead of one."""

import re
from pathlib import Path

import click
from wattpact_protocol.log import ids, roles

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

_KEY = re.compile(r"([0-9a-f]{64})-([0-9a-f]{8})")


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
               f"  wattpact quorum add NAME {_key_text(directory.community, host.public_key)}")  # fmt: skip


@command.command()
@click.argument("name")
@click.argument("key", metavar="KEY")
@click.option("--again", is_flag=True, help="It decides already, and has lost its disk: its log begins anew.")
@click.option("--yes", is_flag=True, help="Go on without confirmation.")
@click.pass_obj
def add(session: Session, name: str, key: str, again: bool, yes: bool) -> None:
    """Let the host with that KEY, as `wattpact quorum join` gave it there, decide with the others, under a NAME.

    It must run and follow: from then on it counts among those of whom more than two thirds have to run."""
    directory = session.data_directory()
    public_key = _key_of(directory.community, key)
    with directory.store() as store:
        _check_shared(store)
        count = len({*hosts_that_decide(store), public_key})
        if not yes and not again:
            click.confirm(f"Does that host run, and follow? {count} hosts decide then, and without {_needed(count)} of"
                          " them nothing is ordered, not even that one of them leaves. Go on?", abort=True)  # fmt: skip
        members.enrol_host(store, directory.needed_issuer(), public_key, name, data_directory.clock(), again)
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
        "its own key": _key_text(directory.community, own),
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


def _key_text(community: bytes, public_key: bytes) -> str:
    """A key with a check of it, since nothing would be ordered without the host of a key that nobody has."""
    return f"{public_key.hex()}-{ids.sha256(community + public_key)[:4].hex()}"


def _key_of(community: bytes, text: str) -> bytes:
    """Raises QuorumCommandError."""
    found = _KEY.fullmatch(text.lower())
    public_key = bytes.fromhex(found[1]) if found else b""
    if not found or _key_text(community, public_key) != text.lower():
        raise QuorumCommandError(
            f"{text!r} is no key of a host: copy what `wattpact quorum join` printed there, all of it"
        )
    return public_key


def _needed(count: int) -> int:
    """More than two thirds."""
    return 2 * count // 3 + 1


def _check_shared(reader: Reader) -> None:
    if not reader.number(QUORUM_BLOCKS):
        raise FoundedError("one host orders this ledger; `wattpact quorum found` hands it over to several")
