"""A community with meters and their signed and sealed readings, made once for a run."""

from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

from wattpact.keys import Signer
from wattpact.store import open_store
from wattpact.store.interface import Store
from wattpact.store.records import Accepted
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import chain, entry, ids, kinds, roles
from wattpact_protocol.sealing import content, epochs, period_keys

NOW_S = 1_760_000_000
START_WITHIN_S = 3600  # a contract is used so soon after its begin
ISSUER = Signer(b"i" * 32, "issuer")


class Author:
    """A key with a log."""

    def __init__(self, seed: bytes, community: bytes | None = None) -> None:
        self.seed = seed
        self.public_key = ed25519.public_key(seed)
        self.kid = ids.kid_of(self.public_key)
        self.community = community or ids.community_id(self.public_key)
        self.head = chain.start(self.kid, 0, entry.NO_PREVIOUS)
        self.key = b""

    def open_key(self) -> list[entry.Entry]:
        """An epoch for the issuer and its first key: from now on `seal` does."""
        secret = ids.sha256(self.seed)
        place, readers = (self.community, self.kid), [(ISSUER.kid, ISSUER.sealing_key)]
        steps = epochs.wrap_steps(secret, ids.sha256(secret), 1, place, readers)
        self.key = period_keys.period_key(secret, self.kid, 1)
        begun = {"key_no": 1, "epoch": 1, "commitment": period_keys.commitment(self.key)}
        return [self.publish(kinds.KEY_EPOCH, _value_of(steps)), self.publish(kinds.KEY_OPEN, begun)]

    def seal(self, kind: int, body: dict[str, object]) -> dict[str, object]:
        return content.seal_body(self.key, 1, (self.community, self.kid, 0), kind, body) if self.key else body

    def unsealed(self, new: entry.Entry) -> entry.Entry:
        """As who has the key reads it."""
        return new.with_body(content.unseal_body(self.key, (self.community, self.kid, 0), new.kind, new.body))

    def publish(self, kind: int, body: dict[str, object], unix_s: int = NOW_S) -> entry.Entry:
        place = (self.head.generation, self.head.next_sequence, self.head.previous)
        new = entry.sign(kind, body, place, entry.Stamp(1, 0, unix_s), self.kid, self.community, self._sign)
        self.head.accept(new)
        return new

    def _sign(self, message: bytes) -> bytes:
        return ed25519.sign(self.seed, message)


def _value_of(steps: Generator[None, None, dict[str, object]]) -> dict[str, object]:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return dict(done.value)


def certificate(author: Author, role: int, label: str, **more: object) -> dict[str, object]:
    return {
        "version": 1, "public_key": author.public_key, "role": role, "label": label, "generation": 0, "epoch": 0,
        "not_before_s": 0, "not_after_s": 1 << 33, "assurance": 0, **more,
    }  # fmt: skip


def enrolled(seed: bytes, by: Author, role: int, label: str, unix_s: int, **more: object) -> tuple[Author, entry.Entry]:
    """An author, and the certificate that another gave it."""
    author = Author(seed, by.community)
    certified = by.publish(kinds.CERTIFICATE, certificate(author, role, label, **more), unix_s)
    author.head = chain.start(author.kid, 0, certified.id)
    return author, certified


class Household(NamedTuple):
    meter: Author
    owner: Author


class Terms(NamedTuple):
    """Of a contract; `number` is its order's and its grant's."""

    number: int
    wh: int
    max_w: int
    price_micro_per_kwh: int
    start_s: int
    end_s: int


class Trade(NamedTuple):
    """What makes a contract, and the body of what its consumer then publishes as it begins to use it."""

    entries: list[entry.Entry]
    contract: bytes
    number: int

    def start(self, import_wh: int) -> dict[str, object]:
        return {"contract": self.contract, "grant": self.number, "import_wh": import_wh}


def trade(issuer: Author, supplier: Household, consumer: Household, terms: Terms, unix_s: int) -> Trade:
    """Two mandates, offer, demand, acceptance, contract and grant."""
    period = {"start_s": terms.start_s, "end_s": terms.end_s}
    most = {"wh": terms.wh, "max_w": terms.max_w}
    price = {"price_micro_per_kwh": terms.price_micro_per_kwh}
    sells, buys = (
        _mandate(household, side, {**most, **period}, terms, unix_s)
        for household, side in ((supplier, kinds.SELL), (consumer, kinds.BUY))
    )
    offered = {**most, **price, **period, "valid_until_s": terms.end_s}
    offer = supplier.meter.publish(kinds.OFFER, {**offered, "mandate": sells.id}, unix_s)
    demand = consumer.meter.publish(kinds.DEMAND, {**offered, "mandate": buys.id}, unix_s)
    acceptance = consumer.meter.publish(kinds.ACCEPTANCE, {
        "offer": offer.id, "demand": demand.id, "wh": terms.wh, "priority": 1, "start_timeout_s": START_WITHIN_S,
    }, unix_s)  # fmt: skip
    contract = supplier.meter.publish(kinds.CONTRACT, {"acceptance": acceptance.id}, unix_s)
    grant = issuer.publish(kinds.GRANT, {
        **most, **price, "number": terms.number, "meter": consumer.meter.kid, "contract": contract.id,
        "from_s": terms.start_s, "to_s": terms.end_s, "priority": 1, "start_by_s": terms.start_s + START_WITHIN_S,
        "default_supply": False,
    }, unix_s)  # fmt: skip
    return Trade([sells, buys, offer, demand, acceptance, contract, grant], contract.id, terms.number)


def _mandate(household: Household, side: int, wanted: dict[str, int], terms: Terms, unix_s: int) -> entry.Entry:
    owner, begin = household.owner, household.owner.head.previous
    new = owner.publish(kinds.MANDATE, {
        **wanted, "order_id": terms.number.to_bytes(8, "big"), "expires_s": terms.end_s, "meter": household.meter.kid,
        "side": side, "limit_micro_per_kwh": terms.price_micro_per_kwh,
    }, unix_s)  # fmt: skip
    owner.head = chain.start(owner.kid, 0, begin)  # a person's orders are in no chain
    return new


_READS: dict[str, object] = {"sealing_key": ISSUER.sealing_key}


def reading(t0_s: int, imported_wh: int, deltas: list[int], step_s: int) -> dict[str, object]:
    """As a meter publishes it: import, export and the power now."""
    return {
        "register_generation": 0, "t0_s": t0_s, "step_s": step_s, "quality": 0, "calibration": None,
        "registers": {1: [imported_wh, deltas], 2: [88, [0] * len(deltas)], 64: [3120, []]}, "bad_mask": 0,
    }  # fmt: skip


def community(meters: int) -> tuple[Author, list[entry.Entry], list[Author]]:
    """(root, the certificates, meters)."""
    root = Author(b"r" * 32)
    of_root = root.publish(kinds.CERTIFICATE, certificate(root, roles.ROOT, "root"))
    issuer, of_issuer = enrolled(b"i" * 32, root, roles.ISSUER, "issuer", NOW_S, **_READS)
    made = [
        enrolled(ids.sha256(b"meter%d" % number), issuer, roles.METER, f"meter {number}", NOW_S, rated_w=25000)
        for number in range(meters)
    ]
    certificates = [of_root, of_issuer, *(certified for _, certified in made)]
    return root, certificates, [meter for meter, _ in made]


def readings_of(
    meters: list[Author], count: int, intervals: int, step_s: int = 60, seals: bool = True
) -> list[entry.Entry]:
    """`count` readings, one meter after the other, each of `intervals` intervals, from a day in the past on.

    Where they are sealed, the two entries with which a meter's key period begins come before them."""
    made = [one for meter in meters for one in meter.open_key()] if seals else []
    at = {meter.kid: (NOW_S, 120_000) for meter in meters}
    for number in range(count):
        meter = meters[number % len(meters)]
        t0_s, wh = at[meter.kid]
        deltas = [(number * 7 + i) % 60 for i in range(intervals)]
        body = meter.seal(kinds.READING, reading(t0_s, wh, deltas, step_s))
        made.append(meter.publish(kinds.READING, body, t0_s + step_s * intervals))
        at[meter.kid] = (t0_s + step_s * intervals, wh + sum(deltas))
    return made


def store_with(path: Path, community_id: bytes, entries: list[entry.Entry]) -> Store:
    store = open_store(path, community_id)
    store.append([Accepted(one) for one in entries], NOW_S)
    return store
