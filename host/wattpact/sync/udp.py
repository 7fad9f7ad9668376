"""The socket to meters: datagrams in, batches of entries out, answers back."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, cast

from wattpact.store.records import StoreError
from wattpact.sync.host_link import Link
from wattpact.sync.peer import Address, Datagrams

_LOG = logging.getLogger("wattpact.link")

FLUSH_S = 0.003
MAX_BATCH = 256


class Edge(asyncio.DatagramProtocol):
    """The socket: datagrams in, batches to `ingest`, datagrams out."""

    def __init__(
        self, link: Link, ingest: Callable[[list[tuple[bytes, Address]]], None], clock: Callable[[], int]
    ) -> None:
        self._link = link
        self._ingest = ingest
        self._clock = clock
        self._transport: asyncio.DatagramTransport | None = None
        self._flushing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's own datagram transport is no DatagramTransport by inheritance, only by what it does.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: Any) -> None:
        try:
            self.send(self._link.receive(data, address[:2], now_ms(), self._clock()))
        except StoreError as error:
            _LOG.error("a datagram was not answered, and its meter will send it again: %s", error)
        if len(self._link.batch) >= MAX_BATCH:
            self.flush()
        elif self._link.batch and self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        batch = self._link.pop_batch()
        if batch:
            self._ingest(batch)

    def send(self, datagrams: Datagrams) -> None:
        for data, address in datagrams:
            if self._transport is not None and not self._transport.is_closing():
                self._transport.sendto(data, address)


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
