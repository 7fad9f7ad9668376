"""A meter's end of a real UDP socket, for tests that play the meter."""

import asyncio
import socket

from wattpact_protocol.sync import datagram

NOWHERE = bytes(8)  # the inbox of a meter that has received nothing yet


class Wire:
    """Sends and receives decoded datagrams of one community, to and from 127.0.0.1."""

    def __init__(self, community, port):
        self.community = community
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", port))

    def send(self, kind, body):
        self.socket.send(datagram.encode(kind, self.community.id, body))

    async def receive(self, timeout_s=5):
        loop = asyncio.get_running_loop()
        data = await asyncio.wait_for(loop.sock_recv(self.socket, 2048), timeout_s)
        return datagram.decode(data, self.community.id)

    async def until(self, wanted):
        """Everything received up to the datagram that `wanted(kind, body)` takes."""
        found = []
        while not found or not wanted(*found[-1]):
            found.append(await self.receive())
        return found
