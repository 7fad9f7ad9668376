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

if TYPE_CHECKING:
    from wattpact.api.server import WebServer

HTTP_PORT = 8080
_PORT = click.IntRange(0, 65535)


@click.command(short_help="Run the node until it is stopped.")
@click.option("--listen", default="0.0.0.0", show_default=True, metavar="ADDRESS", help="The address for meters.")
@click.option("--port", default=node.UDP_PORT, show_default=True, type=_PORT, help="The UDP port for meters.")
@click.option(
    "--http-listen", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address of the page."
)
@click.option("--http-port", default=HTTP_PORT, show_default=True, type=_PORT, help="The port of the page.")
@click.option("--no-http", is_flag=True, help="Serve no page and no HTTP API.")
@click.pass_obj
def command(session: Session, listen: str, port: int, http_listen: str, http_port: int, no_http: bool) -> None:
    """Run the node: store what meters sign, grant contracts, serve the page. Ctrl-C stops it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    directory = session.data_directory()
    web = None if no_http else (http_listen, http_port)
    with directory.lock():
        asyncio.run(_run(directory, (listen, port), web))


async def _run(directory: DataDirectory, udp: tuple[str, int], web: tuple[str, int] | None) -> None:
    running = node.Node(
        directory.store(), directory.root_public_key, directory.keyring.load(keys.HOST), directory.issuer(),
        data_directory.clock, people=directory.keyring.people(), checks_clock=True,
    )  # fmt: skip
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = None
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
        await stopping.wait()
    finally:
        if server is not None:
            await server.stop()
        await running.stop()
    click.echo("Stopped.")


def web_server(running: node.Node) -> "WebServer":
    """The page and the API of a node, not started yet."""
    from wattpact import api
    from wattpact.api import server

    app = api.create_app(running)
    return server.WebServer(app, app.state.feed.close)
