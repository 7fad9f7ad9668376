"""`wattpact demo`: three houses on this machine, and the page to watch them on."""

import asyncio
import contextlib
import signal
import time
from pathlib import Path

import click

from wattpact import keys
from wattpact.cli.frame import DEFAULT_DATA, Session, show_fields
from wattpact.cli.node import HTTP_PORT, web_server
from wattpact.node import data_directory, node
from wattpact.node.data_directory import DataDirectory
from wattpact.simulation import demo

FOLDER = Path("wattpact-demo")
_PORT = click.IntRange(0, 65535)
_HERE = ("127.0.0.1", "0.0.0.0")


@click.command(short_help="Three houses on this machine, with a live page.")
@click.option("--port", default=HTTP_PORT, show_default=True, type=_PORT, envvar="PORT", help="The port of the page.")
@click.option("--http-listen", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where pages are.")
@click.option("--seconds", type=click.IntRange(1), help="Stop by itself after so long.")
@click.pass_obj
def command(session: Session, port: int, http_listen: str, seconds: int | None) -> None:
    """Run three houses on this machine: two produce, one charges a car under contracts with them.

    Each has a meter of its own, the real firmware in a MicroPython process. It prints links to the page: the operator's
    shows everything, a house's what is its own. Ctrl-C stops everything; the next run goes on with the same data, in
    the folder that --data names (wattpact-demo if it names none)."""
    folder = FOLDER if session.data == Path(DEFAULT_DATA) else session.data
    opened = demo.prepare(folder, data_directory.clock())
    with opened.lock():
        asyncio.run(_run(opened, (http_listen, port), seconds))


async def _run(opened: DataDirectory, web: tuple[str, int], seconds: int | None) -> None:
    running = node.Node(
        opened.store(), opened.root_public_key, opened.keyring.load(keys.HOST), opened.issuer(), data_directory.clock
    )
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    started = time.monotonic()
    server = web_server(running)
    playing = None
    try:
        udp_port = await running.start("127.0.0.1", 0)
        http_port = await server.start(*web)
        url = f"http://{'localhost' if web[0] in _HERE else web[0]}:{http_port}"
        click.echo(f"The page is on {url}/ and shows what is measured to who opens one of these links, for a day:")
        show_fields(dict(demo.links(opened, running.store, url, data_directory.clock())))
        playing = demo.Demo(opened, running, udp_port, lambda text: _tell(started, text))
        await _until(stopping, asyncio.create_task(playing.run()), seconds)
    finally:
        if playing is not None:
            click.echo("stopping")
            await playing.stop()
        await server.stop()
        await running.stop()
    click.echo(f"Stopped. The data are in {opened.path}; the next run goes on with them.")


async def _until(stopping: asyncio.Event, playing: "asyncio.Task[None]", seconds: int | None) -> None:
    """Wait for the person, the clock, or an error of the demo's own, which is raised."""
    told = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({told, playing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if playing in done:
        playing.result()
    for task in (told, playing):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _tell(started: float, text: str) -> None:
    elapsed = int(time.monotonic() - started)
    click.echo(f"{elapsed // 60:02}:{elapsed % 60:02}  {text}")
