"""The demo: a node and three virtual meters on this machine, and owners who sell and buy in rounds.

    House 1 sells solar power, House 2 its battery, House 3 buys for its wallbox, whose relay follows the contracts

What always holds: the meters are the real firmware, each in a process of its own, and act by signed entries over UDP.
The demo only plays the people: it enrols, sets a policy, and signs mandates. Its data stay in a folder, and the next
run continues with them.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wattpact_protocol.log import kinds, roles
from wattpact_protocol.sync import enrolment

from wattpact.device.virtual_meter import VirtualMeter
from wattpact.keys import Signer
from wattpact.membership import access_links, members
from wattpact.node import data_directory
from wattpact.node.data_directory import DataDirectory
from wattpact.node.node import Node
from wattpact.store.interface import Store
from wattpact.store.publishing import publish

SLOT_S = 5
TERMS = members.FoundingTerms(
    name="Sun Street", currency="EUR", timezone="Europe/Berlin", slot_s=SLOT_S,
    import_micro_per_kwh=310_000, export_micro_per_kwh=80_000, silence_s=60,
)  # fmt: skip

# No credit, no quiet hours, no wait before opening, consent given: so that a whole cycle takes two minutes.
# The 60 s that a relay stays open at least cannot be shortened by a policy.
POLICY = {
    "version": 1, "emergency_credit_wh": 0, "quiet_hours": False, "quiet_weekends": False, "warn_wait_max_s": 0,
    "reconnect_wait_max_s": 0, "consent_required": False,
}  # fmt: skip

FLASH_BYTES = 1 << 21
PAUSE_S = 4
PATIENCE_S = 180
ORDER_S = 480  # a meter holds eight orders of its owner that are not over, and a round takes some 100 s


class House(NamedTuple):
    """A household: the name of its key, its own name, its meter's label, load (negative: it produces) and rating."""

    name: str
    owner: str
    label: str
    watts: int
    load: str
    rated_w: int


HOUSES = (
    House("house-1", "House 1", "House 1 solar", -8000, "always", 11000),
    House("house-2", "House 2", "House 2 battery", -9000, "always", 11000),
    House("house-3", "House 3", "House 3 wallbox", 7200, "relay", 11000),
)
SUN, BATTERY, WALLBOX = HOUSES


class Order(NamedTuple):
    """What an owner mandates: side, price limit in micro-units per kWh, energy."""

    house: House
    side: int
    limit_micro_per_kwh: int
    wh: int


# What is sold and bought in turn: first two contracts, filled in order of price, then one at a time.
ROUNDS = (
    (
        Order(SUN, kinds.SELL, 180_000, 20),
        Order(BATTERY, kinds.SELL, 220_000, 20),
        Order(WALLBOX, kinds.BUY, 250_000, 40),
    ),
    (
        Order(SUN, kinds.SELL, 180_000, 80),
        Order(WALLBOX, kinds.BUY, 250_000, 80),
    ),
    (
        Order(BATTERY, kinds.SELL, 220_000, 60),
        Order(SUN, kinds.SELL, 190_000, 60),
        Order(WALLBOX, kinds.BUY, 250_000, 120),
    ),
)


class DemoError(RuntimeError):
    """The demo cannot continue; the text says why."""


def prepare(folder: Path, now_s: int, credit_wh: int = 0) -> DataDirectory:
    """The demo's data directory, made at the first run, with that emergency credit; raises DataDirectoryError,
    KeyFileError, StoreError."""
    if folder.joinpath(data_directory.SETTINGS).exists():
        return DataDirectory(folder)
    made = data_directory.create(folder, TERMS, now_s)
    for house in HOUSES:
        data_directory.add_person(made, house.name, house.owner, now_s)
    with made.store() as store:
        publish(store, _issuer(made), kinds.POLICY, {**POLICY, "emergency_credit_wh": credit_wh}, now_s)
    folder.joinpath("root.hex").write_text(made.root_public_key.hex() + "\n")
    return made


def links(of: DataDirectory, store: Store, url: str, now_s: int) -> list[tuple[str, str]]:
    """New links for a day to the page at `url`: (whose, link) for the operator and each household."""
    people = [(house.owner, of.keyring.person(house.name).kid) for house in HOUSES]
    found = []
    for whose, kid in [("Operator", None), *people]:
        text = access_links.issue(
            store, secrets.token_bytes(access_links.CODE_BYTES), kid, "demo", now_s, access_links.DAY_S
        )
        found.append((whose, access_links.link(url, text)))
    return found


def _issuer(of: DataDirectory) -> Signer:
    issuer = of.issuer()
    if issuer is None:
        raise DemoError(
            f"the issuer's key is missing from {of.path}; remove the folder, and the demo starts with a new one"
        )
    return issuer


class Demo:
    """Runs the meters and plays their owners beside a node that has been started.

    `report` prints a line; `relay_text(is_closed, reason)` is a relay's position and reason as a text."""

    def __init__(
        self, of: DataDirectory, node: Node, udp_port: int, report: Callable[[str], None],
        relay_text: Callable[[bool, str], str],
    ) -> None:  # fmt: skip
        self._directory = of
        self._node = node
        self._store: Store = node.store
        self._udp_port = udp_port
        self._report = report
        self._relay_text = relay_text
        self._kids: dict[str, bytes] = {}
        self._relay: tuple[bool, str] | None = None
        self._changed = asyncio.Event()
        self._published: dict[bytes, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._meters = {house.name: self._meter(house) for house in HOUSES}

    def _meter(self, house: House) -> VirtualMeter:
        configuration = {
            "host": ["127.0.0.1", self._udp_port], "root_public_key": self._directory.root_public_key.hex(),
            "rated_w": house.rated_w, "step_s": SLOT_S, "flash_bytes": FLASH_BYTES, "seed": len(self._kids) + 1,
            "source": {"kind": "synthetic", "watts": house.watts, "load": house.load},
        }  # fmt: skip
        folder = self._directory.path.joinpath("meters", house.name)
        return VirtualMeter(folder, configuration, lambda event: self._receive(house, event))

    def _receive(self, house: House, event: dict[str, Any]) -> None:
        name = event.get("event")
        if name == "started":
            self._kids[house.name] = bytes.fromhex(event["kid"])
            self._report(f"{house.label}: meter {event['kid']} has started")
            self._enrol(house, event["code"])
        elif name == "status":
            self._published[self._kids[house.name]] = event["next_sequence"]
        elif name == "relay" and house is WALLBOX:
            self._relay = (event["closed"], event["reason"])
            self._report(f"{house.label}: relay {self._relay_text(*self._relay)}")
        elif name == "ended":
            self._report(f"{house.label}: the meter's process ended with status {event['status']} and is started again")
        elif name == "error":
            self._report(f"{house.label}: {event.get('text')}")
        self._changed.set()

    def _enrol(self, house: House, code: str) -> None:
        """As `wattpact meter enrol` does, with the code that the meter shows, once its request has arrived."""
        if any(known.kid == self._kids[house.name] for known in self._store.certificates()):
            return
        self._tasks.append(asyncio.create_task(self._enrol_on_request(house, enrolment.parse_code(code))))

    async def _enrol_on_request(self, house: House, code: bytes) -> None:
        owner = members.find(self._store.certificates(), roles.PERSON, house.owner)
        for _ in range(PATIENCE_S * 5):
            await asyncio.sleep(0.2)
            try:
                public_key = members.with_code(self._store.pending(), code, self._store.community)
            except members.EnrolError:
                continue
            now_s = self._node.clock()
            members.enrol_meter(
                self._store, _issuer(self._directory), public_key, house.label, owner.kid, now_s, rated_w=house.rated_w
            )
            self._node.catch_up()
            self._report(f"{house.label}: enrolled; its owner is {house.owner}")
            self._changed.set()
            return
        raise DemoError(f"{house.label} sent no enrolment request within {PATIENCE_S} s")

    async def start(self) -> None:
        """Start the meters and enrol them; raises DemoError, VirtualMeterError."""
        for meter in self._meters.values():
            await meter.start()
        await self.until(self._all_enrolled, "the meters to be enrolled")

    async def run(self) -> None:
        """Start, and play rounds until cancelled; raises DemoError, VirtualMeterError."""
        await self.start()
        number = 0
        while True:
            self.mandate(ROUNDS[number % len(ROUNDS)])
            await self.until(lambda: self.is_supplied, "a grant to close the relay")
            await self.until(lambda: self.is_cut_off, "the energy to be used up")
            await asyncio.sleep(PAUSE_S)
            number += 1

    def _all_enrolled(self) -> bool:
        known = {certified.kid for certified in self._store.certificates()}
        return len(self._kids) == len(HOUSES) and set(self._kids.values()) <= known

    @property
    def published(self) -> dict[bytes, int]:
        """How many entries each meter has signed, as it reported last."""
        return dict(self._published)

    @property
    def is_supplied(self) -> bool:
        """Whether the wallbox's relay is closed by a grant."""
        return self._relay == (True, "grant")

    @property
    def is_cut_off(self) -> bool:
        return self._relay is not None and not self._relay[0]

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for something that the meters do; where it takes long, report it and wait on."""
        report_s = time.monotonic() + PATIENCE_S  # by the clock: meters report something every few seconds
        while not holds():
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), 10)
            if time.monotonic() >= report_s:
                report_s += PATIENCE_S
                self._report(f"still waiting for {what}")
            for task in self._tasks:
                if task.done() and task.exception() is not None:
                    raise DemoError(str(task.exception()))

    def mandate(self, orders: "Sequence[Order]", for_s: int = ORDER_S) -> None:
        """Each owner signs what the meter may commit to by itself, for so long."""
        now_s = self._node.clock()
        for order in orders:
            body = {
                "order_id": secrets.token_bytes(8), "expires_s": now_s + for_s, "meter": self._kids[order.house.name],
                "side": order.side, "limit_micro_per_kwh": order.limit_micro_per_kwh, "wh": order.wh,
                "max_w": order.house.rated_w, "start_s": now_s, "end_s": now_s + for_s,
            }  # fmt: skip
            publish(self._store, self._directory.keyring.person(order.house.name), kinds.MANDATE, body, now_s)
            verb, bound = ("sell", "at least") if order.side == kinds.SELL else ("buy", "no more than")
            price = f"{order.limit_micro_per_kwh // 10_000} cents/kWh"
            self._report(f"{order.house.owner}: may {verb} up to {order.wh} Wh for {bound} {price}")
        self._node.catch_up()

    async def stop(self) -> None:
        """Stop every meter as Ctrl-C would."""
        await asyncio.gather(*(meter.stop() for meter in self._meters.values()))
