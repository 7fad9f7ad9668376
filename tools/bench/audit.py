"""The audit of a month against libsodium: one bundle checked whole, beside bare verifications of its signatures.

The bundle is a consumer's: its own quarter-hour readings and its supplier's for a month, one interval an entry, under a
contract a day, sealed under a key a day; the audit opens them. Both run on one thread, as an auditor's program does.
"""

import io
import time
from statistics import median
from typing import NamedTuple

from nacl.bindings import crypto_sign_open
from wattpact import audit
from wattpact.accounts import Accounts
from wattpact.billing import bill
from wattpact.bundle import format
from wattpact.bundle.disclosure import Disclosure, PeriodKey
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.ledger import checkpoints, ledger
from wattpact_protocol.ledger.ledger import Storage
from wattpact_protocol.ledger.machine import RULES
from wattpact_protocol.log import entry, ids, kinds, roles
from wattpact_protocol.sealing import content, period_keys

from tools.bench import corpus

SLOT_S = 900
START_S = 1_790_812_800  # 2026-10-01 00:00 UTC
MONTH = "2026-10"
DAY_S = 86_400


class Result(NamedTuple):
    """Medians over the rounds; `ratio` is of one round each."""

    entries: int
    bundle_bytes: int
    audit_s: float
    verification_s: float
    ratio: float


class Month:
    """A community with one supplier and one consumer, and what they publish in so many days.

    Its entries have their bodies unsealed over bytes that are sealed."""

    def __init__(self, days: int) -> None:
        self.entries: list[entry.Entry] = []
        self.keys: list[PeriodKey] = []
        self._newest: dict[bytes, PeriodKey] = {}
        self._trades = 0
        self.root = corpus.Author(b"r" * 32)
        self._publish(self.root, kinds.CERTIFICATE, corpus.certificate(self.root, roles.ROOT, "root"))
        self.issuer = self._enrolled(b"i", self.root, roles.ISSUER, "issuer")
        self.host = self._enrolled(b"h", self.issuer, roles.HOST, "host")
        self._publish(self.issuer, kinds.COMMUNITY, {
            "version": 1, "name": "Bench", "currency": "EUR", "slot_s": SLOT_S, "timezone": "UTC",
        })  # fmt: skip
        self._publish(self.issuer, kinds.TARIFF, {
            "from_s": 0, "import_micro_per_kwh": 300_000, "export_micro_per_kwh": 80_000,
        })  # fmt: skip
        self.seller = self._enrolled(b"s", self.issuer, roles.PERSON, "seller")
        self.buyer = self._enrolled(b"b", self.issuer, roles.PERSON, "buyer")
        self.roof = self._enrolled(b"1", self.issuer, roles.METER, "roof", owner=self.seller.kid, rated_w=9000)
        self.house = self._enrolled(b"2", self.issuer, roles.METER, "house", owner=self.buyer.kid, rated_w=9000)
        self._registers = {self.roof.kid: [1000, 0], self.house.kid: [1000, 0]}
        self.end_s = START_S + days * DAY_S
        for start_s in range(START_S, self.end_s, DAY_S):
            self._day(start_s)

    def _publish(self, by: corpus.Author, kind: int, body: dict[str, object], unix_s: int = START_S - 1) -> entry.Entry:
        new = by.publish(kind, body, unix_s)
        self.entries.append(new)
        return new

    def _open_key(self, meter: corpus.Author, start_s: int) -> None:
        """The meter's key for a day, committed to."""
        before = self._newest.get(meter.kid)
        key_no = before.key_no + 1 if before else 1
        key = period_keys.period_key(ids.sha256(meter.seed), meter.kid, key_no)
        self._newest[meter.kid] = PeriodKey(meter.kid, 0, key_no, key)
        self.keys.append(self._newest[meter.kid])
        begun = {"key_no": key_no, "epoch": 1, "commitment": period_keys.commitment(key)}
        self._publish(meter, kinds.KEY_OPEN, begun, start_s)

    def _publish_sealed(self, by: corpus.Author, kind: int, body: dict[str, object], unix_s: int) -> None:
        key = self._newest[by.kid]
        hidden = content.seal_body(key.key, key.key_no, (by.community, by.kid, 0), kind, body)
        self.entries.append(by.publish(kind, hidden, unix_s).with_body(body))

    def _enrolled(self, seed: bytes, by: corpus.Author, role: int, label: str, **more: object) -> corpus.Author:
        made, certified = corpus.enrolled(seed * 32, by, role, label, START_S - 1, **more)
        self.entries.append(certified)
        return made

    def _day(self, start_s: int) -> None:
        for meter in (self.roof, self.house):
            self._open_key(meter, start_s)
        self._trades += 1
        terms = corpus.Terms(self._trades, 6000, 4000, 200_000, start_s, start_s + DAY_S)
        supplier, consumer = corpus.Household(self.roof, self.seller), corpus.Household(self.house, self.buyer)
        made = corpus.trade(self.issuer, supplier, consumer, terms, start_s)
        self.entries += made.entries
        self._publish_sealed(self.house, kinds.USAGE_START, made.start(self._registers[self.house.kid][0]), start_s)
        for number, t0_s in enumerate(range(start_s, start_s + DAY_S, SLOT_S)):
            self._measure(self.roof, t0_s, 2, 90 if 24 <= number < 72 else 0)
            self._measure(self.house, t0_s, 40 + number % 30, 0)

    def _measure(self, meter: corpus.Author, t0_s: int, imported: int, exported: int) -> None:
        registers = self._registers[meter.kid]
        body = corpus.reading(t0_s, registers[0], [imported], SLOT_S)
        body["registers"] = {1: [registers[0], [imported]], 2: [registers[1], [exported]]}
        self._publish_sealed(meter, kinds.READING, body, t0_s + SLOT_S)
        registers[0] += imported
        registers[1] += exported

    def bundle(self) -> bytes:
        """The buyer's month, signed by the host."""
        now_s = self.end_s + 7200
        folded = Accounts()
        folded.apply(self.entries)
        folded.settle(now_s)
        made = bill.make(folded, self.buyer.kid, MONTH)
        return bill.export(
            made, folded, self.entries, self.host.kid, self._proven(now_s),
            lambda k, b: self._publish(self.host, k, b, now_s),
        )  # fmt: skip

    def _proven(self, now_s: int) -> "_Proven":
        """The ledger of all of it, each entry in a block at its stamp, and a last block of now."""
        storage = Storage({}, {}, {})
        ordered = ledger.Ledger(storage, self.root.community)
        for new in self.entries:
            if new.kind in RULES:
                _, rejected = ordered.propose([new], [], new.stamp.unix_s or 0)
                assert not rejected, rejected
        ordered.propose([], [], now_s, even_empty=True)
        return _Proven(storage, ordered, self.host)


class _Proven:
    """What a bundle takes of a ledger, as a host has it."""

    def __init__(self, storage: Storage, ordered: ledger.Ledger, host: corpus.Author) -> None:
        assert ordered.last is not None
        self.header = ordered.last
        self._storage, self._ordered, self._host = storage, ordered, host

    def head(self) -> format.Head:
        ordered = self._ordered
        point = checkpoints.Checkpoint(checkpoints.origin_of(ordered.community), ordered.size, ordered.root())
        checkpoints.sign(point, self._host.public_key, lambda message: ed25519.sign(self._host.seed, message))
        return format.Head(point.text, self.header.raw, ordered.inclusion(self.header.height))

    def record(self, key: bytes) -> format.Record:
        return format.Record(key, self._storage.values.get(key), self._ordered.prove(key))


def measure(days: int = 31, rounds: int = 5) -> Result:
    month = Month(days)
    data = month.bundle()
    entries = [entry.decode(raw, month.root.community) for raw in format.entries_of(io.BytesIO(data))]
    people = (month.root, month.issuer, month.host, month.seller, month.buyer, month.roof, month.house)
    keys = {one.kid: one.public_key for one in people}
    pairs = [(one.signature + one.signed, keys[one.kid]) for one in entries]
    given = Disclosure(month.root.community, month.keys)
    audits, references = [], []
    for _ in range(rounds):
        references.append(_verify_all(pairs))
        begin = time.perf_counter()
        report = audit.audit(io.BytesIO(data), month.root.public_key, [given])
        audits.append(time.perf_counter() - begin)
        assert report.counts["entries"] == len(entries), report.counts
        assert sum(row["readings"] for row in report.unsealed) == report.counts["reading"], report.unsealed
    ratio = median(one / other for one, other in zip(audits, references, strict=True))
    return Result(len(entries), len(data), median(audits), median(references), ratio)


def _verify_all(pairs: list[tuple[bytes, bytes]]) -> float:
    begin = time.perf_counter()
    for signed, public_key in pairs:
        crypto_sign_open(signed, public_key)
    return time.perf_counter() - begin
