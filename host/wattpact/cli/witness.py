"""`wattpact ledger witness`: who cosigns the ledger's head, and being a witness of another's."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import Any, NamedTuple

import click
from wattpact_protocol.ledger import checkpoints
from wattpact_protocol.log import ids, roles

from wattpact.audit import read_pin
from wattpact.bundle import cosigned
from wattpact.bundle.cosigned import WitnessKey
from wattpact.cli import times
from wattpact.cli.frame import Session, as_json, show_json, show_table
from wattpact.node import data_directory
from wattpact.ordering import cosigning, submitting
from wattpact.store.interface import Reader
from wattpact.store.records import Witness
from wattpact.witness import forks, keeper, serving

PORT = 47880


@click.group("witness", short_help="Who cosigns the head; and cosign another's.")
def command() -> None:
    """Witnesses cosign the head while the ledger only grows, so that a host cannot show two people two ledgers.

    `add`, `list` and `remove` are for whoever runs the node; `init`, `run` and `fork` for whoever is a witness."""


class WitnessState(NamedTuple):
    """A witness, and when it cosigned the head over `witness.blocks` blocks."""

    witness: Witness
    cosigned_s: int | None

    def sentence(self, blocks: int, zone: str) -> str:
        one = self.witness
        parts = []
        if one.conflict:
            parts.append(f"SAW ANOTHER HISTORY: {one.conflict}")
        if self.cosigned_s is not None:
            which = "this head" if one.blocks == blocks else f"the head over {one.blocks} blocks"
            parts.append(f"cosigned {which} at {times.shown(self.cosigned_s, zone)}")
        else:
            parts.append("has not cosigned yet")
        if one.problem and one.problem != one.conflict:
            parts.append(f"failed at {times.shown(one.tried_s, zone)}: {one.problem}")
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        one = self.witness
        return {
            "name": one.name, "key": WitnessKey(one.name, one.public_key).text, "url": one.url, "blocks": one.blocks,
            "cosigned_s": self.cosigned_s, "tried_s": one.tried_s, "problem": one.problem, "conflict": one.conflict,
        }  # fmt: skip


def state_of(reader: Reader, one: Witness) -> WitnessState:
    heads = reader.cosigned_heads(one.blocks, 1) if one.blocks else []
    found = cosigned.cosigners(checkpoints.decode(heads[0]), [WitnessKey(one.name, one.public_key)]) if heads else {}
    return WitnessState(one, found.get(one.name))


def ledger_key(reader: Reader) -> str | None:
    """The key that signs the head, as witnesses take it; None where no host is certified."""
    hosts = [known.body["public_key"] for known in reader.certificates() if known.body["role"] == roles.HOST]
    origin = checkpoints.origin_of(reader.community)
    return checkpoints.verifier_key(origin, hosts[-1], checkpoints.ED25519) if hosts else None


@command.command()
@click.argument("key")
@click.option("--url", required=True, metavar="URL", help="Where it is: the address before /add-checkpoint.")
@click.pass_obj
def add(session: Session, key: str, url: str) -> None:
    """Submit the head to the witness with KEY from now on; KEY is NAME+HASH+KEY, as the witness shows it."""
    found, address = cosigned.read_key(key), submitting.check_url(url)
    directory = session.data_directory()
    with directory.store() as store:
        cosigning.add(store, found, address, data_directory.clock())
        log_key = ledger_key(store)
    click.echo(
        f"The node submits its head to {found.name} at {address}. Its operator needs the ledger's key:\n  {log_key}"
    )


@command.command("list")
@as_json
@click.pass_obj
def show(session: Session, as_json: bool) -> None:
    """List the witnesses: what each cosigned last, and what went wrong since."""
    with session.data_directory().reader() as reader:
        rows = [state_of(reader, one) for one in reader.witnesses()]
        last, zone = reader.last_block(), times.zone_of(reader)
    if as_json:
        show_json([row.as_json() for row in rows])
        return
    if not rows:
        click.echo("No witness cosigns the head; add one with `wattpact ledger witness add KEY --url URL`.")
        return
    show_table(("witness", "address", "blocks"), [
        (row.witness.name, row.witness.url, str(row.witness.blocks)) for row in rows
    ])  # fmt: skip
    for row in rows:
        click.echo(f"{row.witness.name}: {row.sentence(last.height + 1 if last else 0, zone)}")


@command.command()
@click.argument("name")
@click.pass_obj
def remove(session: Session, name: str) -> None:
    """Submit nothing more to the witness NAME; what it cosigned stays."""
    with session.data_directory().store() as store:
        cosigning.remove(store, name)
    click.echo(f"{name} is no witness any more.")


@command.command()
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", required=True, help="The name of the witness, as a part of the network: pi.example/house-4.")
@click.option("--root", required=True, metavar="KEY", help="The community's root key: 64 hex digits, or a file.")
@click.option("--log-key", metavar="KEY", help="The ledger's key, as `wattpact ledger head` shows it; not needed by a "
              "witness that has the blocks.")  # fmt: skip
def init(directory: Path, name: str, root: str, log_key: str | None) -> None:
    """Make a witness of one community, with a key and a memory of its own in DIR."""
    root_public_key = read_pin(root)
    found = None if log_key is None else cosigned.read_log_key(log_key, ids.community_id(root_public_key))
    key = keeper.create(directory, keeper.Pinned(cosigned.check_name(name), root_public_key, found))
    click.echo(f"The witness is in {directory}. Whoever runs the community's node adds it with:\n"
               f"  wattpact ledger witness add {key.text} --url http://ADDRESS:{PORT}")  # fmt: skip


@command.command()
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--listen", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to answer on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="The TCP port.")
@click.option("--blocks", "source", type=click.Path(exists=True, path_type=Path), metavar="PATH",
              help="A data directory or a file of `wattpact ledger export`: what it has is applied, and nothing else "
              "is cosigned.")  # fmt: skip
def run(directory: Path, listen: str, port: int, source: Path | None) -> None:
    """Be the witness in DIR until stopped: cosign each head that the node submits, while the ledger only grows."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    held = keeper.Keeper(directory, source)
    with held.lock():
        held.catch_up()
        asyncio.run(_run(held, listen, port))


async def _run(held: keeper.Keeper, listen: str, port: int) -> None:
    from wattpact.api.server import WebServer

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = WebServer(serving.application(held, data_directory.clock))
    bound = await server.start(listen, port)
    click.echo(f"The witness {held.key.text} answers on http://{listen}:{bound}/")
    await stopping.wait()
    await server.stop()
    click.echo("Stopped.")


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--log-key", required=True, metavar="KEY", help="The ledger's key, as `wattpact ledger head` shows it.")
def fork(file: Path, log_key: str) -> None:
    """Check FILE, two heads that a witness kept: does it prove that the host signed two histories?"""
    origin, public_key = cosigned.read_any_log_key(log_key)
    with file.open("rb") as read:
        text = read.read(forks.MAX_BYTES).decode(errors="replace")
    point = forks.verify(text, origin, public_key)
    click.echo(f"PROVEN: the key of {origin} signed two histories of {point.size} blocks.")
