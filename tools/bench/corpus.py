"""A community with meters and their signed and sealed readings, made once for a run."""

from collections.abc import Generator
from pathlib import Path

from wattpact.keys import Signer
from wattpact.store import open_store
from wattpact.store.interface import Store
from wattpact.store.records import Accepted
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.log import chain, entry, ids, kinds, roles
from wattpact_protocol.sealing import content, epochs, period_keys

NOW_S = 1_760_000_000
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
    issuer = Author(b"i" * 32, root.community)
    certificates = [root.publish(kinds.CERTIFICATE, certificate(root, roles.ROOT, "root"))]
    certificates.append(root.publish(kinds.CERTIFICATE, certificate(issuer, roles.ISSUER, "issuer", **_READS)))
    issuer.head = chain.start(issuer.kid, 0, certificates[-1].id)
    enrolled: list[Author] = []
    for number in range(meters):
        meter = Author(ids.sha256(b"meter%d" % number), root.community)
        body = certificate(meter, roles.METER, f"meter {number}", rated_w=25000)
        certificates.append(issuer.publish(kinds.CERTIFICATE, body))
        meter.head = chain.start(meter.kid, 0, certificates[-1].id)
        enrolled.append(meter)
    return root, certificates, enrolled


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
