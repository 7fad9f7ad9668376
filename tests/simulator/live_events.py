"""Live events for tests, over a real socket: a test client would wait for a stream's end. A store that no node runs on
is watched here, as a node would.

with served(app) as base, httpx.stream("GET", f"{base}/api/events") as answer:
    stream = events(answer.iter_lines())                  (name, id, data) of each event
    whole = take(stream, {"meters", "bills"})             the last of each, once all have come
"""

import asyncio
import json
import threading
import time
from contextlib import contextmanager

from wattpact.api.server import WebServer
from wattpact.node.events import ENTRIES


@contextmanager
def served(app):
    """The address of a server that runs in a thread of its own; what is appended to the store is notified."""
    listening = threading.Event()
    box = {}

    async def serve():
        server = WebServer(app, app.state.feed.close)
        box["port"] = await server.start("127.0.0.1", 0)
        box["stop"], box["loop"] = asyncio.Event(), asyncio.get_running_loop()
        watching = asyncio.create_task(watch(app))
        listening.set()
        await box["stop"].wait()
        watching.cancel()
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert listening.wait(10)
    try:
        yield f"http://127.0.0.1:{box['port']}"
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)
        thread.join(10)
        assert not thread.is_alive()


async def watch(app):
    """What a node does for its own store."""
    views, seen = app.state.views, 0
    while True:
        if views.last_cursor() != seen:
            seen = views.last_cursor()
            app.state.feed.events.notify(ENTRIES, seen)
        await asyncio.sleep(0.02)


def events(lines):
    """(event, id, data) of a stream of lines."""
    name, last, data = "", None, []
    for line in lines:
        if not line:
            if data:
                yield name, last, json.loads("".join(data))
            name, data = "", []
        elif not line.startswith(":"):
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "id":
                last = value
            else:
                data.append(value)


def take(stream, wanted, within_s=8):
    """Events until each of the wanted names came; the last of each."""
    found, until = {}, time.monotonic() + within_s
    for name, last, data in stream:
        found[name] = (last, data)
        if wanted <= set(found):
            return found
        assert time.monotonic() < until, found
    raise AssertionError(f"the stream ended after {sorted(found)}")
