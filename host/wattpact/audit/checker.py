"""The audit of one bundle: every entry verified in order, then the statement computed again and compared.

What always holds: an audit that returns a report has verified every signature, every link and every figure; the
first thing that is wrong ends it with the entry that shows it; what can be checked without a key is checked before a
key is needed. docs/spec/bundle.md, "What an auditor checks".
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from wattpact_protocol.crypto import merkle
from wattpact_protocol.ledger import records
from wattpact_protocol.log import entry, ids, kinds
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.log.reasons import BAD_SEAL
from wattpact_protocol.sealing import period_keys
from wattpact_protocol.settlement import statement
from wattpact_protocol.settlement.inputs import SettlementInputs
from wattpact_protocol.settlement.slots import Settlement
from wattpact_protocol.settlement.statement import Statement

from wattpact.audit import account
from wattpact.audit.chain import Authors, Links
from wattpact.audit.findings import Refuted, Report, Uncosigned, Undecided, name_of, name_of_bytes
from wattpact.audit.proven import LedgerPart
from wattpact.audit.seals import Seals
from wattpact.audit.terms import Named, ProofProblem
from wattpact.bundle import format
from wattpact.bundle.cosigned import NOBODY, MissingCosignaturesError, Required, check, cosigners
from wattpact.bundle.disclosure import Disclosure


def audit(
    file: BinaryIO, root_public_key: bytes, disclosures: Iterable[Disclosure] = (), wanted: Required | None = None
) -> Report:
    """A report on a bundle that agrees with its statement; raises Refuted on one that does not, or whose head has not
    the cosignatures that are `wanted`, Undecided where it takes keys that `disclosures` do not have, DisclosureError
    for keys of another community. Where nothing is `wanted`, it is what the community's entry requires, and a bundle
    without it raises Uncosigned."""
    checker = _Checker(root_public_key, disclosures, wanted)
    number = 0
    try:
        for number, (offset, raw) in enumerate(format.read(file), 1):
            if format.is_entry(raw):
                checker.take(number, offset, raw)
            else:
                checker.take_proven(number, offset, raw)
    except format.BundleError as error:
        raise Refuted(str(error), name_of_bytes(error.raw, number + 1, error.offset)) from None
    return checker.conclude()


class _Checker:
    """What has been verified so far."""

    def __init__(self, root_public_key: bytes, disclosures: Iterable[Disclosure], wanted: Required | None) -> None:
        self.community = ids.community_id(root_public_key)
        self.seals = Seals(self.community, disclosures)
        self.authors = Authors(root_public_key)
        self.links = Links(self.authors)
        self.proven = LedgerPart(self.community)
        self.named = Named()
        self.wanted = wanted
        self.promised = NOBODY  # by the community's entry
        self.cosigned: dict[str, int] = {}
        self.inputs = SettlementInputs()
        self.ids: list[bytes] = []
        self.places: dict[bytes, dict[str, Any]] = {}
        self.kinds: dict[int, int] = {}
        self.doubtful: dict[bytes, list[int]] = {}
        self.voids: list[tuple[int, Entry, str]] = []
        self.numbers: dict[bytes, tuple[int, Entry]] = {}  # of all but readings
        self.statement: Entry | None = None
        self._openings: list[tuple[Entry, dict[str, Any]]] = []
        self._founded: set[bytes] = set()  # meters with a record
        self._named: dict[str, Any] = {}
        self._order: tuple[Any, ...] = ()
        self._uncosigned: str | None = None

    def take_proven(self, number: int, offset: int, raw: bytes) -> None:
        """Verify the head, which comes first, or a record, before any entry; raises Refuted."""
        try:
            if self.ids or self.statement is not None:
                raise ProofProblem("a part of the ledger comes after an entry")
            if number == 1:
                self.proven.add_head(raw)
            else:
                self.proven.add_record(raw)
        except ProofProblem as problem:
            raise Refuted(str(problem), name_of_bytes(raw, number, offset)) from None

    def take(self, number: int, offset: int, raw: bytes) -> None:
        """Verify one entry and apply it; raises Refuted."""
        try:
            new = entry.decode(raw, self.community)
            if not self.ids:
                self.proven.feed(self.inputs)
        except (entry.EntryError, ProofProblem) as error:
            raise Refuted(str(error), name_of_bytes(raw, number, offset)) from None
        reason = self.authors.admit(new) or self._misplaced(new) or self.links.add(new, number, offset)
        if reason is None and new.kind == kinds.READING:
            reason = self._unfounded(new)
        if reason is None and new.is_sealed:
            reason = self._uncommitted(new)
        if reason:
            raise Refuted(reason, name_of(new, number, offset))
        self._named = {}
        if new.kind == kinds.STATEMENT:
            self.statement = new
            self._named = name_of(new, number, offset)
            return
        self._count(new, number, offset)

    def _misplaced(self, new: Entry) -> str | None:
        if self.statement is not None:
            return "it comes after the statement"
        order = format.order_of(new, self.authors.by_kid[new.kid].role)
        if order <= self._order:
            return "it is out of order, or there twice"
        self._order = order
        return None

    def _unfounded(self, new: Entry) -> str | None:
        """A reading counts by the records of the community and of its meter."""
        if new.kid in self._founded:
            return None
        if self.inputs.community is None:
            return "it comes before the community's entry"
        try:
            is_known = self.proven.get(records.COMMUNITY) and self.proven.get(records.AUTHOR, new.kid)
        except ProofProblem as problem:
            return str(problem)
        if not is_known:
            return "the ledger has no record of its meter or of the community"
        self._founded.add(new.kid)
        return None

    def _uncommitted(self, new: Entry) -> str | None:
        """A part sealed with a key that no KEY_OPEN committed to is void. A host could make a part void by leaving its
        KEY_OPEN out, so the log must be shown from the start."""
        if self.seals.is_committed(new) or self.links.is_shown_from_start(new.kid):
            return None
        return "no entry before it commits to the key that seals it, and its log is not shown from the start"

    def _count(self, new: Entry, number: int, offset: int) -> None:
        self.ids.append(new.id)
        self.kinds[new.kind] = self.kinds.get(new.kind, 0) + 1
        if new.stamp.doubtful:
            self.doubtful.setdefault(new.kid, []).append(number)
        if new.kind == kinds.KEY_OPEN:
            self._open_key(number, new, name_of(new, number, offset))
        readable = self._unsealed(new, number) if new.is_sealed else new
        reason = self.inputs.apply(readable) if readable is not None else None
        if new.kind != kinds.READING:
            self.numbers[new.id] = (number, new)
            self.named.add(new)
        else:
            self._void(number, new, reason)
        run = self.links.runs.get(new.kid)
        if new.kind == kinds.READING and run is not None and run.number == number:
            self.places[new.kid] = name_of(new, number, offset)

    def _open_key(self, number: int, new: Entry, named: dict[str, Any]) -> None:
        """The second of one number counts for nothing; whether the first is the ledger's is checked in the end."""
        reason = self.seals.follow(new, named)
        self._void(number, new, reason)
        if reason is None:
            self._openings.append((new, named))

    def _unsealed(self, new: Entry, number: int) -> Entry | None:
        """A sealed entry as far as it can be read; None for a reading that cannot be unsealed."""
        try:
            return self.seals.unseal(new)
        except period_keys.NoKeyError:
            pass
        except period_keys.SealError:
            self._void(number, new, BAD_SEAL)
        return None if new.kind == kinds.READING else new

    def _void(self, number: int, new: Entry, reason: str | None) -> None:
        if reason:
            self.voids.append((number, new, reason))

    def conclude(self) -> Report:
        """Compute the statement again from what was verified; raises Refuted."""
        stated = self.statement
        if stated is None:
            raise Refuted(f"after {len(self.ids)} entries the bundle ends without a statement")
        unlinked = self.links.unlinked()
        if unlinked is not None:
            raise Refuted("it does not name the entry before it in its author's log", unlinked)
        body = stated.body
        self._check_window(stated)
        with _refuting(self._named):
            self.proven.check_head(stated, self.authors.by_kid[stated.kid].public_key)
        self._compare({"evidence": len(self.ids), "evidence_root": merkle.root(self.ids)}, body)
        self._check_cosigned()
        if self.seals.unreadable:
            raise Undecided(*account.keys_wanted(self))
        inputs = self.inputs
        settlement = Settlement(inputs.slot_s, inputs.silence_s, inputs.load_profiles, inputs.contracts)
        settlement.advance(body["to_s"], stated.stamp.unix_s or 0)
        made = statement.state(self.inputs, settlement, body["subject"], body["from_s"], body["to_s"])
        self._check_reach(made)
        self._check_proven(made)
        assert self.proven.header is not None  # since the head was checked
        self._compare(made.fields(self.ids, self.proven.header), body)
        report = account.report(self, stated, made, settlement)
        if self._uncosigned is not None:
            raise Uncosigned(report, self._uncosigned)
        return report

    def _check_cosigned(self) -> None:
        """What whoever verifies requires is missing or not; what the community's entry requires, and is missing,
        matters once all else agrees."""
        point = self.proven.checkpoint()
        with _refuting(self._named):
            self.promised = self.proven.promised(self.named)
        self.cosigned = cosigners(point, self.promised.witnesses)
        try:
            self.cosigned = {**self.cosigned, **check(point, self.promised if self.wanted is None else self.wanted)}
        except MissingCosignaturesError as error:
            if self.wanted is not None:
                raise Refuted(str(error)) from None
            self._uncosigned = str(error)

    def _check_window(self, stated: Entry) -> None:
        body, slot_s = stated.body, self.inputs.slot_s
        if self.inputs.community is None:
            raise Refuted("the bundle has no community's entry", self._named)
        if not slot_s:
            raise Refuted("the bundle has no record of the community", self._named)
        if stated.stamp.unix_s is None:
            raise Refuted("the statement has no time", self._named)
        if body["from_s"] % slot_s or body["to_s"] % slot_s or body["from_s"] >= body["to_s"]:
            raise Refuted("the statement's period is not a number of whole slots", self._named)
        if body["subject"] not in self.authors.by_kid:
            raise Refuted("the subject of the statement has no certificate", self._named)

    def _check_reach(self, made: Statement) -> None:
        """Every meter's readings go back to the window's start, or to the first entry of its log."""
        for kid in made.closure:
            load, run = self.inputs.load_profiles.get(kid), self.links.runs.get(kid)
            if kid not in self.authors.by_kid:
                raise Refuted(f"meter {kid.hex()} takes part and has no certificate in the bundle", self._named)
            if load is None or run is None or run.is_whole:
                continue
            if not load.times or load.times[0] > made.evidence_from_s:
                text = f"readings of this meter are left out before it: they are needed from {made.evidence_from_s} on"
                raise Refuted(text, self.places[kid])

    def _check_proven(self, made: Statement) -> None:
        """Nothing of the ledger is left out that the statement depends on, and nothing of a log that is known to exist
        where its readings do not reach the end."""
        with _refuting(self._named):
            self.proven.check_whole(made, self.named, self.authors.by_kid)
            if self.statement is not None:
                self.proven.check_closed(self.statement)
        used = {place for place, period in self.seals.key_periods.items() if period.readings + period.others}
        for opening, named in self._openings:
            if (opening.kid, opening.generation, opening.body["key_no"]) in used:
                with _refuting(named):
                    self.proven.check_key(opening)
        with _refuting(self._named):
            for kid in made.closure:
                self._check_end(kid, made)

    def _check_end(self, kid: bytes, made: Statement) -> None:
        load, anchored = self.inputs.load_profiles.get(kid), self.proven.anchored(kid)
        if anchored is None or (load is not None and load.end_s >= made.to_s):
            return
        shown = self.links.end_of(kid)
        if shown is None or shown < anchored:
            raise ProofProblem(
                f"the log of {kid.hex()} had {anchored[1]} entries, and those at its end are left out of the bundle"
            )

    def _compare(self, computed: dict[str, Any], stated: dict[str, Any]) -> None:
        wrong = [name for name in computed if computed[name] != stated[name]]
        if wrong:
            named = [f"{name} is {_shown(computed[name])}, not {_shown(stated[name])}" for name in wrong]
            raise Refuted("; ".join(named), self._named)


@contextmanager
def _refuting(named: dict[str, Any]) -> Iterator[None]:
    """What is wrong with the ledger's part refutes the bundle; `named` is the entry that shows it."""
    try:
        yield
    except ProofProblem as problem:
        raise Refuted(str(problem), named) from None


def _shown(value: Any) -> str:
    return value.hex()[:16] + "…" if isinstance(value, bytes) else str(value)
