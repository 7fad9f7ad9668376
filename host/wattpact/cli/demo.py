"""`wattpact demo`: a community of three households on this machine, with its live page."""

import asyncio
import contextlib
import logging
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wattpact import keys
from wattpact.cli.frame import DEFAULT_DATA, Session, show_fields
from wattpact.cli.meter import relay_text
from wattpact.cli.node import HTTP_PORT, is_shared, quorum_over, web_server
from wattpact.node import data_directory, node
from wattpact.node.data_directory import DataDirectory
from wattpact.simulation import demo

if TYPE_CHECKING:
    from wattpact.simulation.hosts import Hosts

FOLDER, SHARED_FOLDER = Path("wattpact-demo"), Path("wattpact-demo-cometbft")
LOG = "host-1.log"
_PORT = click.IntRange(0, 65535)
_HERE = ("127.0.0.1", "0.0.0.0")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command(short_help="Run a community of three households here, with a live page.")
@click.option("--port", default=HTTP_PORT, show_default=True, type=_PORT, envvar="PORT", help="The port of the page.")
@click.option(
    "--http-listen", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address of the page."
)
@click.option("--seconds", type=click.IntRange(1), help="Stop after so many seconds.")
@click.option("--engine", type=click.Choice(["embedded", "cometbft"]), help="Who orders the ledger: one host, or four "
              "together. Without it, as the run before had it.")  # fmt: skip
@click.option("--cometbft", metavar="PROGRAM", help="CometBFT 0.38; without it, the one on the PATH.")
@click.option("--once", is_flag=True, help="With four hosts: stop when each event was once.")
@click.option("--pause", default=15, show_default=True, type=click.IntRange(0), metavar="SECONDS",
              help="With four hosts: how long trade goes on between two events, at least.")  # fmt: skip
@click.pass_obj
def command(
    session: Session, port: int, http_listen: str, seconds: int | None, engine: str | None, cometbft: str | None,
    once: bool, pause: int,
) -> None:  # fmt: skip
    """Run a community of three households on this machine: two produce, one charges a car under contracts with them.

    Each has its own meter, the real firmware in a MicroPython process. The demo prints links to the page: the
    operator's shows everything, a household's what is its own. Ctrl-C stops the demo. Its data are in the folder of
    --data, or in wattpact-demo, and the next run continues with them.

    With --engine cometbft four hosts order the ledger together: this process and three more, each with a data
    directory of its own. One is killed, one loses its disk, one proposes garbage, two are away, and so on; trade goes
    on whenever three are there. Its data are in wattpact-demo-cometbft then, unless --data names a folder."""
    standard = SHARED_FOLDER if engine == "cometbft" else FOLDER
    folder = standard if session.data == Path(DEFAULT_DATA) else session.data
    shared = engine == "cometbft"
    if not shared and (folder / data_directory.SETTINGS).exists():
        shared = is_shared(DataDirectory(folder), engine)
    if not shared and (cometbft or once):
        raise click.UsageError("--cometbft and --once are for --engine cometbft")
    web = http_listen, port
    if shared:
        _run_shared(folder, cometbft, web, seconds, once, pause)
        return
    directory = demo.prepare(folder, data_directory.clock())
    with directory.lock():
        asyncio.run(_run(directory, web, seconds))


def _run_shared(
    folder: Path, program: str | None, web: tuple[str, int], seconds: int | None, once: bool, pause: int
) -> None:  # fmt: skip
    from wattpact.consensus import process
    from wattpact.simulation.hosts import Hosts
    from wattpact.simulation.outages import CREDIT_WH

    found, now_s = process.find_program(program), data_directory.clock()
    directory = demo.prepare(folder, now_s, CREDIT_WH)
    directory.bring_up(now_s)
    logging.basicConfig(level=logging.INFO, format=_FORMAT, filename=directory.path / LOG)
    with directory.lock():
        hosts = Hosts(directory, found)
        hosts.found(now_s)
        asyncio.run(_run(directory, web, seconds, hosts, once, pause))


async def _run(
    directory: DataDirectory, web: tuple[str, int], seconds: int | None, hosts: "Hosts | None" = None,
    once: bool = False, pause: int = 0,
) -> None:  # fmt: skip
    store, host = directory.store(), directory.keyring.load(keys.HOST)
    running = node.Node(
        store, directory.root_public_key, host, directory.issuer(), data_directory.clock, checks_clock=True,
        quorum=quorum_over(store, host, None if hosts is None else hosts.network()),
    )  # fmt: skip
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    started = time.monotonic()

    def report(text: str) -> None:
        elapsed = int(time.monotonic() - started)
        click.echo(f"{elapsed // 60:02}:{elapsed % 60:02}  {text}")

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
        playing = demo.Demo(directory, running, udp_port, report, relay_text)
        if hosts is None:
            play = playing.run()
        else:
            from wattpact.simulation.outages import Outages

            play = Outages(playing, running, hosts, report, pause).run(once)
        await _until(stopping, asyncio.create_task(play), seconds)
    finally:
        if playing is not None:
            click.echo("Stopping ...")
            await playing.stop()
        if hosts is not None:
            await hosts.stop()
        await server.stop()
        await running.stop()
    click.echo(f"Stopped. The data are in {directory.path}; the next run continues with them.")


async def _until(stopping: asyncio.Event, playing: "asyncio.Task[None]", seconds: int | None) -> None:
    """Until Ctrl-C, the end of the time or of what is played, or an error of the demo itself, which is raised."""
    stopped = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({stopped, playing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if playing in done:
        playing.result()
    for task in (stopped, playing):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
