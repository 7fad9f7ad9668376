"""What befalls the hosts of a demo, one thing after another, while its households trade.

    one is killed; one loses its disk; one proposes garbage; two are away      each is waited for until it is over

What always holds: after each, the hosts have the same blocks, and in them whatever binds others and was signed before;
a demo in which that is not so ends with an error.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from wattpact_protocol.log import kinds, reasons

from wattpact.node.node import Node
from wattpact.ordering.writer import ORDERED
from wattpact.simulation.demo import BATTERY, SUN, WALLBOX, Demo, DemoError, Order
from wattpact.simulation.garbage import PROPOSES
from wattpact.simulation.hosts import COUNT, Host, Hosts, head
from wattpact.store.records import WAITS

DEAL_WH = 16  # what is bought at once: 8 s of the wallbox
CREDIT_WH = 20  # so much the wallbox draws without a contract before its relay opens, for a minute at least
DEALS = 10  # so many the wallbox's owner orders at once
SELL_S, LONG_S, BUY_S = 110, 200, 400  # so long an order is in force; a meter holds eight
AHEAD_S = 4  # so long before a contract is used up the next is ordered
GARBAGE_TIMES = 3
SETTLED_S = 2  # what was under way when hosts were killed is over

LOOK_S = 0.1
REPORT_S = 60


class Outages:
    """`report` prints a line; between two events trade goes on for at least `pause_s`."""

    def __init__(
        self, community: Demo, node: Node, hosts: Hosts, report: Callable[[str], None], pause_s: float
    ) -> None:  # fmt: skip
        self._community = community
        self._node = node
        self._store = node.store
        self._hosts = hosts
        self._report = report
        self._pause_s = pause_s
        self._running: set[Host] = set()  # those that should
        self._deals, self._ordered = 0, 0  # how many, and the last cursor before the last one
        self._buys, self._buys_until_s = 0, 0.0  # deals that the wallbox's owner has ordered
        self._begun_wh, self._used_up_s = 0, 0.0  # when what the wallbox was granted is used up
        self._checked, self._entries = 0, 0  # a cursor, and how many entries up to it bind others

    async def run(self, once: bool) -> None:
        """Start everything and go on until cancelled, or until each event was once. Raises DemoError, HostError,
        VirtualMeterError."""
        await self._start()
        one, two, three = self._hosts.others
        while True:
            await self._killed(one)
            await self._trade_while(asyncio.sleep(self._pause_s))
            await self._lost_its_disk(two)
            await self._trade_while(asyncio.sleep(self._pause_s))
            await self._spoils(three)
            await self._trade_while(asyncio.sleep(self._pause_s))
            await self._two_away(one, two)
            if once:
                return
            await self._trade_while(asyncio.sleep(self._pause_s))
            one, two, three = two, three, one

    async def _start(self) -> None:
        began_s, folder = time.monotonic(), self._hosts.others[0].folder.parent
        self._report(f"Host 1 is this process; three more are started, each with its CometBFT and its data in {folder}")
        await asyncio.gather(*(self._begin(host) for host in self._hosts.others))
        await self._until(lambda: self._hosts.decide(self._store), "four hosts to decide")
        await self._agree(began_s, f"{COUNT} hosts order together, three of them are enough")
        await self._community.start()
        await self._deal(time.monotonic(), "The first contract")

    async def _begin(self, host: Host, spoils: bool = False) -> None:
        await self._hosts.start(host, spoils)
        self._running.add(host)

    async def _end(self, *hosts: Host, killed: bool = True) -> None:
        self._running -= set(hosts)
        await asyncio.gather(*(host.kill() if killed else host.stop() for host in hosts))

    # The events

    async def _killed(self, host: Host) -> None:
        await self._little_left()
        await self._end(host)
        self._report(f"{host.label} is killed (kill -9): three hosts are left")
        await self._deal(time.monotonic(), "Trade goes on")
        await self._back(host)

    async def _lost_its_disk(self, host: Host) -> None:
        await self._little_left()
        await self._end(host)
        await asyncio.to_thread(host.lose_disk)
        self._report(f"{host.label} has lost its disk: all but its key is gone, and three hosts are left")
        await self._deal(time.monotonic(), "Trade goes on")
        await asyncio.to_thread(host.join, self._node.clock())
        self._hosts.begin_log(host, self._store, self._node.clock())
        await self._back(host, " with an empty disk")

    async def _spoils(self, host: Host) -> None:
        await self._end(host, killed=False)
        await self._begin(host, spoils=True)
        self._report(f"{host.label} proposes garbage from now on, each time that it is its turn to propose a block")
        while sum((garbage := _garbage(host)).values()) < GARBAGE_TIMES:
            await self._little_left()
            await self._deal(time.monotonic(), "Trade goes on")
        await self._end(host, killed=False)
        kinds_of_it = ", ".join(f"{name} ({count})" for name, count in garbage.items())
        self._report(f"{host.label} proposed garbage {sum(garbage.values())} times: {kinds_of_it}")
        await self._back(host)

    async def _two_away(self, one: Host, other: Host) -> None:
        await self._little_left()
        await self._deal(time.monotonic(), "The last contract before two hosts are gone")
        await self._community.until(lambda: self._community.is_supplied, "the relay to close")
        await self._end(one, other)
        self._report(f"{one.label} and {other.label} are killed: two hosts are left, and cannot order anything")
        self._order(LONG_S)
        await asyncio.sleep(SETTLED_S)
        blocks = head(self._hosts.first).blocks
        await self._until(lambda: self._waits != "", "the node to notice")
        self._report(f"Nothing is ordered now: {self._waits}.")
        await self._community.until(lambda: self._community.is_cut_off, "the energy to be used up")
        self._report("The meters went on by themselves: the relay opened once contract and credit were used up")
        if head(self._hosts.first).blocks != blocks:
            raise DemoError("a block was made by two hosts of four")
        began_s = time.monotonic()
        self._report(f"{one.label} is started again: three hosts are enough")
        await self._begin(one)
        await self._until(lambda: head(self._hosts.first).blocks > blocks, "a block")
        self._report(f"The ledger goes on {time.monotonic() - began_s:.1f} s later")
        await self._granted(began_s, "Trade goes on")
        await self._back(other)

    async def _back(self, host: Host, how: str = "") -> None:
        began_s = time.monotonic()
        self._report(f"{host.label} is started again{how}")
        await self._begin(host)
        await self._trade_while(self._agree(began_s, f"{host.label} is back"))

    # The trade

    async def _trade_while(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Deals, one after another, until something else is over."""
        over = asyncio.create_task(waiting)
        while not over.done():
            left = asyncio.create_task(self._little_left())
            await asyncio.wait({over, left}, return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                await self._deal(time.monotonic(), "")
            left.cancel()
        await over

    async def _little_left(self) -> None:
        """Until it is time to order what the wallbox draws next."""
        if self._begun_wh:
            await self._community.until(lambda: self._community.is_supplied, "the relay to close")
            self._used_up_s = max(self._used_up_s, time.monotonic()) + self._begun_wh * 3600 / WALLBOX.watts
            self._begun_wh = 0
        await asyncio.sleep(max(0, self._used_up_s - AHEAD_S - time.monotonic()))

    async def _deal(self, since_s: float, what: str) -> None:
        """What is ordered now is granted; without a text it is not shown."""
        self._order()
        await self._granted(since_s, what)

    def _order(self, for_s: int = SELL_S) -> None:
        """Owners order the next deal."""
        seller, price = ((SUN, 180_000), (BATTERY, 220_000))[self._deals % 2]
        self._deals += 1
        self._ordered = self._store.last_cursor()
        if not self._buys or time.monotonic() >= self._buys_until_s:
            self._buys, self._buys_until_s = DEALS, time.monotonic() + BUY_S / 2
            self._community.mandate([Order(WALLBOX, kinds.BUY, 250_000, DEALS * DEAL_WH)], BUY_S)
        self._buys -= 1
        self._community.mandate([Order(seller, kinds.SELL, price, DEAL_WH)], for_s)

    async def _granted(self, since_s: float, what: str) -> None:
        ordered = self._ordered
        await self._until(lambda: self._is_granted(ordered), "the next grant", self._order)
        self._begun_wh += DEAL_WH
        if what:
            took_s = time.monotonic() - since_s
            self._report(f"{what}: {DEAL_WH} Wh were granted to {WALLBOX.owner} {took_s:.1f} s later")

    def _is_granted(self, after: int) -> bool:
        """Whether a grant behind that cursor is in a block."""
        rows = self._store.entries(after, of_kinds=(kinds.GRANT,))
        return any(found.height is not None for found in self._store.ordered([row.cursor for row in rows]).values())

    # What must hold

    @property
    def _waits(self) -> str:
        return self._store.text(WAITS)

    async def _agree(self, since_s: float, what: str) -> None:
        """Until every host has what was signed until now; then they must have the same blocks."""
        signed, published = self._store.last_cursor(ORDERED), self._community.published
        await self._until(lambda: self._node.ordering.placed() >= signed, "all that was signed to have its place")
        await self._until(lambda: self._stored(published), "the meters' entries to be stored")
        blocks = head(self._hosts.first).blocks
        await self._until(lambda: min(one.blocks for one in self._hosts.heads()) >= blocks, "every host to follow")
        heads = self._hosts.heads(blocks)
        if len(set(heads)) > 1:
            raise DemoError(f"the ledger is forked: {', '.join(one.root.hex()[:16] for one in heads)} over {blocks}")
        self._count(signed)
        self._report(
            f"{what}, after {time.monotonic() - since_s:.1f} s: all have the same {blocks} blocks, root"
            f" {heads[0].root.hex()[:16]}, with each of the {self._entries} entries signed until then"
        )

    def _count(self, signed: int) -> None:
        """The entries up to that cursor, of which none may have been left behind."""
        rows = self._store.entries(self._checked, signed + 1, ORDERED)
        for cursor, found in self._store.ordered([row.cursor for row in rows]).items():
            if found.reason == reasons.DUPLICATE:
                raise DemoError(f"entry {cursor} is lost: one behind it in its log was ordered before it")
        self._checked, self._entries = signed, self._entries + len(rows)

    def _stored(self, published: dict[bytes, int]) -> bool:
        """Whether the logs of meters are here as far as the meters reported to have signed."""
        heads = {kid: self._store.head(kid, 0) for kid in published}
        return all(found is not None and found[0] + 1 >= published[kid] for kid, found in heads.items())

    async def _until(self, holds: Callable[[], bool], what: str, again: Callable[[], None] | None = None) -> None:
        """Where it takes long, that is reported, and `again` called."""
        report_s = time.monotonic() + REPORT_S
        while not holds():
            for host in self._running:
                if host.ended.is_set():
                    raise DemoError(f"{host.label} ended by itself; {host.log} has what it printed")
            await asyncio.sleep(LOOK_S)
            if time.monotonic() >= report_s:
                report_s += REPORT_S
                self._report(f"still waiting for {what}")
                if again is not None:
                    again()


def _garbage(host: Host) -> dict[str, int]:
    """What it proposed, and how often."""
    return {line.removeprefix(PROPOSES): n for line, n in host.printed.items() if line.startswith(PROPOSES)}
