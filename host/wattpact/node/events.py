"""Events of a node: what has just changed, for whoever waits for it in the node's own event loop.

    entries      the store has entries up to `cursor`
    meters       a meter was in contact, or was enrolled
    rejections   entries or datagrams were rejected, and are counted in the store
    cosigned     a witness cosigned the ledger's head
    stop         the node stops; no event follows

What always holds: an event names what changed and carries none of it, since the store has it; so a subscriber that is
too slow loses the oldest events, holds up nobody, and misses nothing by it.
"""

import asyncio
from typing import NamedTuple

ENTRIES, METERS, REJECTIONS, COSIGNED, STOP = "entries", "meters", "rejections", "cosigned", "stop"
QUEUE_EVENTS = 64


class Event(NamedTuple):
    """`cursor` is that of the newest entry, and 0 for all other events."""

    name: str
    cursor: int = 0


class Events:
    """The one source of events of a node; each subscriber has a bounded queue of its own."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Event]] = set()

    def subscribe(self) -> "asyncio.Queue[Event]":
        """The events from now on, until `unsubscribe`."""
        queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_EVENTS)
        self._queues.add(queue)
        return queue

    def unsubscribe(self, queue: "asyncio.Queue[Event]") -> None:
        self._queues.discard(queue)

    def notify(self, name: str, cursor: int = 0) -> None:
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(Event(name, cursor))
