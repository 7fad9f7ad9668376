"""`wattpact node`: run the node until it is stopped."""

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

import click

from wattpact import keys
from wattpact.cli.frame import Session
from wattpact.node import data_directory, node
from wattpact.node.data_directory import DataDirectory
from wattpact.node.month_end import MonthEnd
from wattpact.store.interface import Store
from wattpact.store.records import QUORUM_BLOCKS

if TYPE_CHECKING:
    from wattpact.api.server import WebServer
    from wattpact.quorum.engine import Network, Quorum

HTTP_PORT = 8080
P2P_PORT = 26656
_PORT = click.IntRange(0, 65535)


@click.command(short_help="Run the node until it is stopped.")
@click.option("--listen", default="0.0.0.0", show_default=True, metavar="ADDRESS", help="The address for meters.")
@click.option("--port", default=node.UDP_PORT, show_default=True, type=_PORT, help="The UDP port for meters.")
@click.option(
    "--http-listen", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address of the page."
)
@click.option("--http-port", default=HTTP_PORT, show_default=True, type=_PORT, help="The port of the page.")
@click.option("--no-http", is_flag=True, help="Serve no page and no HTTP API.")
@click.option("--engine", type=click.Choice(["embedded", "cometbft"]), help="Who orders the ledger: this host alone, "
              "or several together. Without it, as `wattpact quorum found` or `join` has set it up.")  # fmt: skip
@click.option("--peer", "peers", multiple=True, metavar="ID@ADDRESS:PORT", help="Another host that orders with this "
              "one, as `wattpact quorum show` gives it there; kept for the next start.")  # fmt: skip
@click.option("--p2p-listen", default=f"0.0.0.0:{P2P_PORT}", show_default=True, metavar="ADDRESS:PORT",
              help="Where other hosts reach this one.")  # fmt: skip
@click.option("--cometbft", metavar="PROGRAM", help="CometBFT 0.38; without it, the one on the PATH.")
@click.pass_obj
def command(
    session: Session, listen: str, port: int, http_listen: str, http_port: int, no_http: bool, engine: str | None,
    peers: tuple[str, ...], p2p_listen: str, cometbft: str | None,
) -> None:  # fmt: skip
    """Run the node: store what meters sign, grant contracts, serve the page. Ctrl-C stops it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    directory = session.data_directory()
    web = None if no_http else (http_listen, http_port)
    shared = is_shared(directory, engine)
    if not shared and (peers or cometbft):
        raise click.UsageError("--peer and --cometbft are for --engine cometbft")
    with directory.lock():
        network = None if not shared else network_of(directory, p2p_listen, peers, cometbft)
        asyncio.run(_run(directory, (listen, port), web, network))


def is_shared(directory: DataDirectory, engine: str | None) -> bool:
    """Whether a quorum orders, which is so for good once it is; raises NodeError for another engine."""
    with directory.reader() as reader:
        shared = reader.number(QUORUM_BLOCKS) > 0
    if shared and engine == "embedded":
        raise node.NodeError("several hosts order this ledger; start the node with --engine cometbft")
    if not shared and engine == "cometbft":
        raise node.NodeError("one host orders this ledger; `wattpact quorum found` hands it over to several")
    return shared


def network_of(directory: DataDirectory, listen: str, peers: tuple[str, ...], program: str | None) -> "Network":
    from wattpact.consensus import process
    from wattpact.quorum.engine import HOME, Network

    return Network(directory.path / HOME, process.find_program(program), listen, peers)


async def _run(
    directory: DataDirectory, udp: tuple[str, int], web: tuple[str, int] | None, network: "Network | None"
) -> None:
    store, host = directory.store(), directory.keyring.load(keys.HOST)
    running = node.Node(
        store, directory.root_public_key, host, directory.issuer(), data_directory.clock,
        people=directory.keyring.people(), checks_clock=True, quorum=quorum_over(store, host, network),
    )  # fmt: skip
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = None
    month_end = None
    try:
        port = await running.start(*udp)
        click.echo(f"Meters reach this node on UDP {udp[0]} port {port}.")
        if web is not None:
            server = web_server(running)
            http_port = await server.start(*web)
            click.echo(f"The page is on http://{web[0]}:{http_port}/")
            click.echo(
                "It shows measurements only to those who open a link: `wattpact access new --operator` makes one."
            )
        if directory.issuer() is not None:  # who can read what meters seal
            month_end = asyncio.create_task(MonthEnd(directory.path).run())
        await stopping.wait()
    finally:
        if month_end is not None:
            month_end.cancel()
            await asyncio.wait([month_end])
        if server is not None:
            await server.stop()
        await running.stop()
    click.echo("Stopped.")


def quorum_over(store: Store, host: keys.Signer, network: "Network | None") -> "Quorum | None":
    if network is None:
        return None
    from wattpact.quorum.engine import Quorum

    return Quorum(store, host, data_directory.clock, network)


def web_server(running: node.Node) -> "WebServer":
    """The page and the API of a node, not started yet."""
    from wattpact import api
    from wattpact.api import server

    app = api.create_app(running)
    return server.WebServer(app, app.state.feed.close)
