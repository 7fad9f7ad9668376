"""The HTTP server of a node: one ASGI application on one port, in the node's own event loop.

What always holds: a port that is taken is a sentence, not a traceback; stopping ends open streams first, so that it
does not wait until every page is closed.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

STOP_S = 2


class WebServerError(Exception):
    """The server cannot listen; the text says why."""


class _Server(uvicorn.Server):
    """The node handles the signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebServer:
    """`close_streams` is called before the server stops."""

    def __init__(self, app: Any, close_streams: Callable[[], None] = lambda: None) -> None:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=STOP_S
        )
        self._server = _Server(config)
        self._close_streams = close_streams
        self._task: asyncio.Task[None] | None = None

    async def start(self, address: str = "127.0.0.1", port: int = 8080) -> int:
        """Listen; gives the port. Raises WebServerError."""
        listening = _listen(address, port)
        self._task = asyncio.create_task(self._server.serve([listening]))
        return int(listening.getsockname()[1])

    async def stop(self) -> None:
        self._close_streams()
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def _listen(address: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen()  # from now on connections wait, and are not turned away while the server starts
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            reason = "another program uses it; choose another port"
        raise WebServerError(f"cannot listen on {address} port {port}: {reason}") from None
    return listening
