"""The ledger's part of a bundle: its signed head, and the records of one state, each proven under it and each made by
entries that are in the bundle.

What always holds after `check`: the state is of a block under a checkpoint that the stating host signed; of the meters,
times and owners that the statement is about no contract, certificate, tariff or key is left out; and none is in the
records that its authors did not sign. docs/spec/bundle.md, "Records".
"""

from collections.abc import Collection
from typing import Any

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.ledger import blocks, checkpoints, members, records, state_map, statements, tree
from wattpact_protocol.log import kinds, reason_texts, reasons, roles
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.inputs import SettlementInputs
from wattpact_protocol.settlement.statement import Statement

from wattpact.audit.shapes import misshapen
from wattpact.audit.terms import Contract, Named, ProofProblem, mandates_of, wrong_of
from wattpact.bundle import format
from wattpact.bundle.cosigned import Required, WitnessKeyError, promised
from wattpact.bundle.format import Record

MAX_LATER_S = 3600  # a statement is at most so much younger than the state that it rests on


class LedgerPart:
    """Fed with the head, then the records in the order of their keys. Raises ProofProblem."""

    def __init__(self, community: bytes) -> None:
        self._community = community
        self._point: checkpoints.Checkpoint | None = None
        self.header: blocks.Header | None = None
        self._records: dict[bytes, Record] = {}
        self._last = b""
        self.stated: list[Any] = []  # the times that its host stated of the subject before
        self.statement: dict[str, Any] | None = None  # the last statement about this one's period

    def add_head(self, raw: bytes) -> None:
        """Its block is under its checkpoint; who signed that is known with the statement, in `check_head`."""
        try:
            head = format.decode_head(raw)
            header, point = blocks.decode_header(head.header), checkpoints.decode(head.checkpoint)
            if point.origin != checkpoints.origin_of(self._community):
                raise ProofProblem("the checkpoint is of another ledger; is this the root key of its community?")
            tree.verify_inclusion(header.id, header.height, point.size, head.inclusion, point.root)
        except ValueError as error:
            raise ProofProblem(str(error)) from None
        self.header, self._point = header, point

    def checkpoint(self) -> checkpoints.Checkpoint:
        """The head's; raises ProofProblem."""
        if self._point is None:
            raise ProofProblem("the bundle has no head of the ledger")
        return self._point

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
            if fields is None:
                continue
            if record == records.CONTRACT and not 0 < fields["end_s"] - fields["start_s"] <= members.PERIOD_S:
                raise ProofProblem(f"contract {key[0].hex()[:16]} lasts longer than any that a ledger has")
            inputs.follow(record, key, fields)

    def get(self, record: int, *key: bytes | int) -> dict[str, Any] | None:
        """A record that the state has, None where it has none. Raises ProofProblem where the bundle leaves it out."""
        name = records.key_of(record, *key)
        if name not in self._records:
            shown = " ".join(part.hex() if isinstance(part, bytes) else str(part) for part in key)
            raise ProofProblem(f"the ledger's record is left out: {records.ROWS[record][0]} {shown}")
        value = self._records[name].value
        if value is None:
            return None
        try:
            fields = records.decode(record, value)
        except (KeyError, ValueError) as error:
            raise ProofProblem(f"a record is malformed: {error}") from None
        wrong = misshapen(fields)
        if wrong:
            raise ProofProblem(f"a record of {records.ROWS[record][0]} is malformed: {', '.join(wrong)}")
        return fields

    def _parts(self, name: bytes) -> tuple[int, list[Any]]:
        try:
            record, key = records.parts_of(name)
        except (TypeError, ValueError):
            raise ProofProblem("the key of a record is malformed") from None
        one: tuple[type, ...] = (bytes,)
        wanted = {records.AUTHOR: one, records.CONTRACT: one, records.COMMUNITY: ()}.get(record)
        if record == records.TARIFFS:
            wanted = (int,) if key else ()
        shape = tuple(type(part) for part in key)
        if record not in records.ROWS or not all(part in (bytes, int) for part in shape) or wanted not in (None, shape):
            raise ProofProblem("the key of a record is malformed")
        return record, key

    def check_head(self, stated: Entry, public_key: bytes) -> None:
        """Whether the host that made the statement signed the ledger's head, and the statement names this state."""
        point = self.checkpoint()
        assert self.header is not None  # since it has a checkpoint
        header = self.header
        if not checkpoints.is_signed(point, public_key, ed25519.verify):
            raise ProofProblem("the checkpoint is not signed by the host that made the statement")
        body = stated.body
        if (body["height"], body["state_root"]) != (header.height, header.state_root):
            raise ProofProblem("the statement names another state")
        if (stated.stamp.unix_s or 0) > header.time_s + MAX_LATER_S:
            raise ProofProblem("the statement is dated long after the state that it rests on")

    def check_whole(self, made: Statement, entries: Named, authors: Collection[bytes]) -> None:
        """Whether all of the state that the statement depends on is here, and was signed by its authors; `authors` are
        all that the bundle certifies."""
        self._check_community(entries)
        issuers = {kid for kid in authors if self._check_author(kid, entries)["role"] == roles.ISSUER}
        for meter in (self.get(records.OWNED, made.subject) or {"meters": []})["meters"]:
            self._check_author(meter, entries)
        self._check_contracts(made, entries, issuers)
        self._check_tariffs(made, entries)

    def statement_problem(self, stated: Entry) -> str | None:
        """Why the ledger would not order the statement, by the time of the block that it rests on."""
        assert self.header is not None  # since the head was checked
        return statements.problem(self.stated, self.statement, stated.body, self.header.time_s)

    def check_closed(self, stated: Entry) -> None:
        """No time is stated twice, and a period that is closed keeps what it was closed with."""
        subject, from_s = stated.body["subject"], stated.body["from_s"]
        held = self.get(records.STATED, stated.kid, subject)
        self.stated = held["spans"] if held is not None else []
        self.statement = self.get(records.STATEMENT, stated.kid, subject, from_s)
        problem = self.statement_problem(stated)
        if problem == reasons.PERIOD_CLOSED:
            raise ProofProblem("the period was stated before and is closed; only a correction could follow")
        if problem == reasons.CORRECTS_NOTHING:
            raise ProofProblem("it corrects another statement than the last about its period, or one not closed yet")
        if problem is not None:
            raise ProofProblem(f"the ledger cannot have it: {reason_texts.text(problem)}")

    def promised(self, entries: Named) -> Required:
        """The cosignatures that the community's entry requires, the newest as of this state."""
        held = self.get(records.COMMUNITY)
        if held is None:
            raise ProofProblem("the ledger has no community")
        try:
            return promised(entries.named(held["id"], kinds.COMMUNITY, "the community's entry").body)
        except WitnessKeyError as error:
            raise ProofProblem(str(error)) from None

    def _check_community(self, entries: Named) -> None:
        held = self.get(records.COMMUNITY)
        if held is None:
            raise ProofProblem("the ledger has no community")
        body = entries.named(held["id"], kinds.COMMUNITY, "the community's entry").body
        if (body["slot_s"], body.get("silence_s", 0)) != (held["slot_s"], held["silence_s"]):
            raise ProofProblem("the record of the community is not what was signed")

    def _check_author(self, kid: bytes, entries: Named) -> dict[str, Any]:
        """The record of an author."""
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
        return author

    def _check_contracts(self, made: Statement, entries: Named, issuers: set[bytes]) -> None:
        """Every contract that is listed for a meter of the closure, and what they amount to under each mandate."""
        bound: dict[Entry, int] = {}
        listed = {
            name for kid in made.closure for period in members.periods_of(made.evidence_from_s, made.to_s)
            for name in (self.get(records.CONTRACTS, kid, period) or {"ids": []})["ids"]
        }  # fmt: skip
        for name in sorted(listed):
            fields = self.get(records.CONTRACT, name)
            if fields is None:
                raise ProofProblem(f"contract {name.hex()[:16]} is listed and not recorded")
            if fields["start_s"] >= made.to_s or fields["end_s"] <= made.evidence_from_s:
                continue
            sides = [self.get(records.AUTHOR, fields[party]) for party in ("supplier", "consumer")]
            if sides[0] is None or sides[1] is None:
                raise ProofProblem(f"contract {name.hex()[:16]} is of meters that are in nobody's certificate")
            contract = Contract(name, fields, sides[0], sides[1], issuers)
            wrong = wrong_of(contract, entries)
            if wrong:
                raise ProofProblem(f"{contract.shown} is not what was signed: {', '.join(wrong)}")
            for mandate in mandates_of(contract, entries):
                bound[mandate] = bound.get(mandate, 0) + (0 if fields["used_from_s"] is None else fields["wh"])
        for mandate, wh in bound.items():
            self._check_mandate(mandate, wh)

    def _check_mandate(self, mandate: Entry, started_wh: int) -> None:
        """`started_wh`: of the contracts under it that are shown and were started; others' Wh may be free again."""
        held = self.get(records.MANDATE, mandate.id)
        if held is None or held["wh"] != mandate.body["wh"] or not started_wh <= held["used_wh"] <= held["wh"]:
            shown = f"mandate {mandate.id.hex()[:16]} of {mandate.kid.hex()}"
            raise ProofProblem(f"contracts of {started_wh} Wh are beyond the {shown}")

    def _check_tariffs(self, made: Statement, entries: Named) -> None:
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
