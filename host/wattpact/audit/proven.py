"""The ledger's part of a bundle: its signed head, and the records of one state, each proven under it and each made by
entries that are in the bundle.

What always holds after `check`: the state is of a block under a checkpoint that the stating host signed; of the meters,
times and owners that the statement is about no contract, certificate, tariff or key is left out; and none is in the
records that its authors did not sign. docs/spec/bundle.md, "Records".
"""

from collections.abc import Iterator
from typing import Any

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.ledger import blocks, checkpoints, members, records, state_map, tree
from wattpact_protocol.log import kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.inputs import SettlementInputs
from wattpact_protocol.settlement.statement import Statement

from wattpact.bundle import format
from wattpact.bundle.format import Head, Record

MAX_LATER_S = 3600  # a statement is at most so much younger than the state that it rests on


class ProofProblem(ValueError):
    """What is wrong with the ledger's part of a bundle."""


class LedgerPart:
    """Fed with the head, then the records in the order of their keys. Raises ProofProblem."""

    def __init__(self, community: bytes) -> None:
        self._community = community
        self._head: Head | None = None
        self.header: blocks.Header | None = None
        self._records: dict[bytes, Record] = {}
        self._last = b""

    def add_head(self, raw: bytes) -> None:
        try:
            self._head = format.decode_head(raw)
            self.header = blocks.decode_header(self._head.header)
        except ValueError as error:
            raise ProofProblem(str(error)) from None

    def checkpoint(self) -> checkpoints.Checkpoint:
        """The head's; raises ProofProblem."""
        if self._head is None:
            raise ProofProblem("the bundle has no head of the ledger")
        try:
            return checkpoints.decode(self._head.checkpoint)
        except ValueError as error:
            raise ProofProblem(str(error)) from None

    def add_record(self, raw: bytes) -> None:
        if self.header is None:
            raise ProofProblem("a record comes before the head")
        try:
            found = format.decode_record(raw)
            state_map.verify(self.header.state_root, found.key, found.value, found.proof)
        except ValueError as error:
            raise ProofProblem(f"a record is not proven: {error}") from None
        if found.key <= self._last:
            raise ProofProblem("a record is out of order, or there twice")
        self._last = found.key
        self._records[found.key] = found

    def feed(self, inputs: SettlementInputs) -> None:
        """Apply the records that money rests on."""
        for name in self._records:
            record, key = self._parts(name)
            fields = self.get(record, *key)
            if fields is not None:
                inputs.follow(record, key, fields)

    def get(self, record: int, *key: bytes | int) -> dict[str, Any] | None:
        """A record that the state has, None where it has none. Raises ProofProblem where the bundle leaves it out."""
        name = records.key_of(record, *key)
        if name not in self._records:
            shown = " ".join(part.hex() if isinstance(part, bytes) else str(part) for part in key)
            raise ProofProblem(f"the ledger's record is left out: {records.ROWS[record][0]} {shown}")
        value = self._records[name].value
        try:
            return None if value is None else records.decode(record, value)
        except (KeyError, ValueError) as error:
            raise ProofProblem(f"a record is malformed: {error}") from None

    def _parts(self, name: bytes) -> tuple[int, list[Any]]:
        try:
            record, key = records.parts_of(name)
        except (TypeError, ValueError):
            raise ProofProblem("the key of a record is malformed") from None
        if record not in records.ROWS:
            raise ProofProblem("the key of a record is malformed")
        return record, key

    def check_head(self, stated: Entry, public_key: bytes) -> None:
        """Whether the host that made the statement signed the ledger's head, and the statement names this state."""
        point = self.checkpoint()
        assert self._head is not None and self.header is not None  # since it has a checkpoint
        header = self.header
        try:
            if point.origin != checkpoints.origin_of(self._community):
                raise ProofProblem("the checkpoint is of another ledger")
            if not checkpoints.is_signed(point, public_key, ed25519.verify):
                raise ProofProblem("the checkpoint is not signed by the host that made the statement")
            tree.verify_inclusion(header.id, header.height, point.size, self._head.inclusion, point.root)
        except ValueError as error:
            raise ProofProblem(str(error)) from None
        body = stated.body
        if (body["height"], body["state_root"]) != (header.height, header.state_root):
            raise ProofProblem("the statement names another state")
        if (stated.stamp.unix_s or 0) > header.time_s + MAX_LATER_S:
            raise ProofProblem("the statement is dated long after the state that it rests on")

    def check_whole(self, made: Statement, entries: "Named") -> None:
        """Whether all of the state that the statement depends on is here, and was signed by its authors."""
        for meter in (self.get(records.OWNED, made.subject) or {"meters": []})["meters"]:
            self._check_author(meter, entries)
        for kid in made.closure:
            self._check_author(kid, entries)
            for period in members.periods_of(made.evidence_from_s, made.to_s):
                for name in (self.get(records.CONTRACTS, kid, period) or {"ids": []})["ids"]:
                    self._check_contract(name, made, entries)
        self._check_tariffs(made, entries)

    def _check_author(self, kid: bytes, entries: "Named") -> None:
        author = self.get(records.AUTHOR, kid)
        if author is None:
            raise ProofProblem(f"{kid.hex()} is in nobody's certificate")
        for held in members.certificates(author):
            new = entries.named(held["id"], kinds.CERTIFICATE, f"a certificate of {kid.hex()}")
            body = new.body
            stated = (body["version"], body["not_after_s"], body.get("owner", b""), body.get("rated_w", 0))
            if stated != (held["version"], held["end_s"], held["owner"], held["rated_w"]):
                raise ProofProblem(f"the record of a certificate of {kid.hex()} is not what was signed")
            if held["begin_s"] < body["not_before_s"]:
                raise ProofProblem(f"a certificate of {kid.hex()} holds before its own begin")

    def _check_contract(self, name: bytes, made: Statement, entries: "Named") -> None:
        fields = self.get(records.CONTRACT, name)
        if fields is None:
            raise ProofProblem(f"contract {name.hex()[:16]} is listed and not recorded")
        if fields["start_s"] >= made.to_s or fields["end_s"] <= made.evidence_from_s:
            return
        shown = f"contract {name.hex()[:16]}"
        wrong = [what for what, good in _signed(name, fields, entries, shown) if not good]
        if wrong:
            raise ProofProblem(f"{shown} is not what was signed: {', '.join(wrong)}")

    def _check_tariffs(self, made: Statement, entries: "Named") -> None:
        newest = self.get(records.TARIFFS)
        period = -1 if newest is None else newest["before"]
        while period >= 0:
            held = self.get(records.TARIFFS, period)
            if held is None:
                raise ProofProblem("a tariff is listed and not recorded")
            for from_s, import_price, export_price, name in held["rows"]:
                if from_s >= made.to_s:
                    continue
                body = entries.named(name, kinds.TARIFF, "a tariff").body
                stated = (body["from_s"], body["import_micro_per_kwh"], body["export_micro_per_kwh"])
                if stated != (from_s, import_price, export_price):
                    raise ProofProblem("the record of a tariff is not what was signed")
            if any(row[0] <= made.from_s for row in held["rows"]):
                return
            period = held["before"]

    def check_key(self, opening: Entry) -> None:
        """Whether an opening of a key is the one that counts."""
        held = self.get(records.KEY, opening.kid, opening.generation, opening.body["key_no"])
        if held is None or held["id"] != opening.id:
            raise ProofProblem("another opening of this key was ordered before it")

    def anchored(self, kid: bytes) -> tuple[int, int] | None:
        """(generation, next sequence) up to which the log of a meter is known to exist."""
        held = self.get(records.HEAD, kid)
        return None if held is None else (held["generation"], held["next_sequence"])


class Named:
    """The entries of a bundle but its readings, by id and by the contract that they are about."""

    def __init__(self) -> None:
        self._by_id: dict[bytes, Entry] = {}
        self._about: dict[tuple[bytes, int], list[Entry]] = {}

    def add(self, new: Entry) -> None:
        self._by_id[new.id] = new
        if "contract" in new.body:
            self._about.setdefault((new.body["contract"], new.kind), []).append(new)

    def named(self, name: bytes, kind: int, what: str) -> Entry:
        found = self._by_id.get(name)
        if found is None or found.kind != kind:
            raise ProofProblem(f"{what} is left out of the bundle")
        return found

    def about(self, contract: bytes, kind: int) -> list[Entry]:
        return self._about.get((contract, kind), [])


def _signed(name: bytes, fields: dict[str, Any], entries: Named, shown: str) -> Iterator[tuple[str, bool]]:
    """(what, whether the record of a contract has it as it was signed)."""
    bound = entries.named(name, kinds.CONTRACT, shown)
    acceptance = entries.named(bound.body["acceptance"], kinds.ACCEPTANCE, f"the acceptance of {shown}")
    offer = entries.named(acceptance.body["offer"], kinds.OFFER, f"the offer of {shown}")
    terms, taken = offer.body, acceptance.body
    yield "parties", (fields["supplier"], fields["consumer"]) == (offer.kid, acceptance.kid) and bound.kid == offer.kid
    yield "names", (fields["offer"], fields["acceptance"]) == (offer.id, acceptance.id)
    for field in ("price_micro_per_kwh", "max_w", "start_s", "end_s"):
        yield field, fields[field] == terms[field]
    yield "wh", fields["wh"] == taken["wh"] <= terms["wh"]
    yield "priority", fields["priority"] == taken["priority"]
    yield "start_by_s", fields["start_by_s"] == min(terms["start_s"] + taken["start_timeout_s"], terms["end_s"])
    yield from _bought(fields, offer, acceptance, entries, shown)
    yield from _lived(name, fields, entries)


def _bought(
    fields: dict[str, Any], offer: Entry, acceptance: Entry, entries: Named, shown: str
) -> Iterator[tuple[str, bool]]:
    """The mandates of both owners."""
    sells = entries.named(offer.body["mandate"], kinds.MANDATE, f"the supplier's mandate of {shown}")
    demand = entries.named(acceptance.body.get("demand", b""), kinds.DEMAND, f"the demand of {shown}")
    buys = entries.named(demand.body["mandate"], kinds.MANDATE, f"the consumer's mandate of {shown}")
    for mandate, meter, side in ((sells, fields["supplier"], kinds.SELL), (buys, fields["consumer"], kinds.BUY)):
        body, price = mandate.body, fields["price_micro_per_kwh"]
        limit = body["limit_micro_per_kwh"]
        within = price >= limit if side == kinds.SELL else price <= limit
        covers = (body["meter"], body["side"]) == (meter, side) and within and fields["wh"] <= body["wh"]
        yield ("supplier's mandate" if side == kinds.SELL else "consumer's mandate"), covers


def _lived(name: bytes, fields: dict[str, Any], entries: Named) -> Iterator[tuple[str, bool]]:
    """Grant, start and end."""
    if fields["granted_s"] is not None:
        grants = entries.about(name, kinds.GRANT)
        yield "grant", any(new.body["number"] == fields["grant"] for new in grants)
        yield "time of the grant", fields["granted_s"] >= fields["matched_s"]
    if fields["used_from_s"] is not None:
        first_s = max(fields["start_s"], fields["granted_s"] or 0)
        starts = [new for new in entries.about(name, kinds.USAGE_START) if new.kid == fields["consumer"]]
        yield "start", any(fields["used_from_s"] == max(new.stamp.unix_s or 0, first_s) for new in starts)
    if fields["terminated_s"] is not None:
        yield "end", bool(entries.about(name, kinds.TERMINATE)) and fields["terminated_s"] >= fields["matched_s"]
