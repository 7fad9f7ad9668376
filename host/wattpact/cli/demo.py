"""`wattpact demo`: a community of three households on this machine, with its live page."""

import asyncio
import contextlib
import signal
import time
from pathlib import Path

import click

from wattpact import keys
from wattpact.cli.frame import DEFAULT_DATA, Session, show_fields
from wattpact.cli.meter import relay_text
from wattpact.cli.node import HTTP_PORT, web_server
from wattpact.node import data_directory, node
from wattpact.node.data_directory import DataDirectory
from wattpact.simulation import demo

FOLDER = Path("wattpact-demo")
_PORT = click.IntRange(0, 65535)
_HERE = ("127.0.0.1", "0.0.0.0")


@click.command(short_help="Run a community of three households here, with a live page.")
@click.option("--port", default=HTTP_PORT, show_default=True, type=_PORT, envvar="PORT", help="The port of the page.")
@click.option(
    "--http-listen", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address of the page."
)
@click.option("--seconds", type=click.IntRange(1), help="Stop after so many seconds.")
@click.pass_obj
def command(session: Session, port: int, http_listen: str, seconds: int | None) -> None:
    """Run a community of three households on this machine: two produce, one charges a car under contracts with them.

    Each has its own meter, the real firmware in a MicroPython process. The demo prints links to the page: the
    operator's shows everything, a household's what is its own. Ctrl-C stops the demo. Its data are in the folder of
    --data, or in wattpact-demo, and the next run continues with them."""
    folder = FOLDER if session.data == Path(DEFAULT_DATA) else session.data
    directory = demo.prepare(folder, data_directory.clock())
    with directory.lock():
        asyncio.run(_run(directory, (http_listen, port), seconds))


async def _run(directory: DataDirectory, web: tuple[str, int], seconds: int | None) -> None:
    running = node.Node(
        directory.store(),
        directory.root_public_key,
        directory.keyring.load(keys.HOST),
        directory.issuer(),
        data_directory.clock,
        checks_clock=True,
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
        click.echo(
            f"The page is on {url}/ and shows measurements to whoever opens one of these links, valid for a day:"
        )
        show_fields(dict(demo.links(directory, running.store, url, data_directory.clock())))
        playing = demo.Demo(directory, running, udp_port, lambda text: _show_progress(started, text), relay_text)
        await _until(stopping, asyncio.create_task(playing.run()), seconds)
    finally:
        if playing is not None:
            click.echo("Stopping ...")
            await playing.stop()
        await server.stop()
        await running.stop()
    click.echo(f"Stopped. The data are in {directory.path}; the next run continues with them.")


async def _until(stopping: asyncio.Event, playing: "asyncio.Task[None]", seconds: int | None) -> None:
    """Until Ctrl-C, the end of the time, or an error of the demo itself, which is raised."""
    stopped = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({stopped, playing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if playing in done:
        playing.result()
    for task in (stopped, playing):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _show_progress(started: float, text: str) -> None:
    elapsed = int(time.monotonic() - started)
    click.echo(f"{elapsed // 60:02}:{elapsed % 60:02}  {text}")
