"""Evidence: which entries a statement rests on, picked from all that a host holds.

    statement -> meters and contracts of its closure -> runs of logs, documents, certificates -> sorted entries

What always holds: of every meter in the closure the log is whole from the reading that brackets the window's start
to the one that reaches its end; whatever an entry names is there if the host has it, and so is what commits to the key
of each sealed entry. Entries are read unsealed, and stay sealed in the bundle. docs/spec/bundle.md.
"""

from collections.abc import Iterable

from wattpact_protocol.encoding import cbor, cose
from wattpact_protocol.log import ids, kinds, readings
from wattpact_protocol.log.entry import Entry
from wattpact_protocol.settlement.inputs import SettlementInputs
from wattpact_protocol.settlement.statement import Statement

from wattpact.bundle import format

_NAMES = ("contract", "acceptance", "offer", "demand", "mandate")
_USAGE = (kinds.USAGE, kinds.USAGE_END)
_SEALABLE = tuple(kinds.SEALABLE)


def collect(entries: Iterable[Entry], inputs: SettlementInputs, statement: Statement, host: bytes) -> list[Entry]:
    """Everything but the statement itself, in the bundle's order; `host` is who will sign it.

    `entries` are unsealed; a reading that is still sealed is void."""
    voids = {name for name, _ in inputs.voids}
    held = _Held(new for new in entries if new.kind != kinds.CERTIFICATE or new.id not in voids)
    picked: dict[bytes, Entry] = {}
    for kid in statement.closure:
        for new in run(held.logs.get(kid, []), voids, statement.evidence_from_s, statement.to_s):
            picked[new.id] = new
    for new in held.about(_concerned(inputs, statement)):
        picked[new.id] = new
    for new in held.default_supply(set(statement.closure)):
        picked[new.id] = new
    held.add_key_openings(picked)
    held.add_named(picked)
    for new in held.community:
        if new.kind == kinds.COMMUNITY or new.body["from_s"] < statement.to_s:
            picked[new.id] = new
    for new in held.certificates_of(_who(inputs, statement, picked, host)):
        picked[new.id] = new
    return sorted(picked.values(), key=lambda new: format.order_of(new, held.roles.get(new.kid, 0)))


class _Held:
    """All entries of a host, by what they are looked up by."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.by_id: dict[bytes, Entry] = {}
        self.logs: dict[bytes, list[Entry]] = {}
        self.certificates: dict[bytes, list[Entry]] = {}
        self.community: list[Entry] = []
        self.roles: dict[bytes, int] = {}
        self._about: dict[bytes, list[Entry]] = {}
        for new in entries:
            self._keep(new)
        for log in self.logs.values():
            log.sort(key=lambda new: (new.generation, new.sequence))

    def _keep(self, new: Entry) -> None:
        if new.kind == kinds.CERTIFICATE:
            kid = ids.kid_of(new.body["public_key"])
            self.certificates.setdefault(kid, []).append(new)
            self.roles[kid] = new.body["role"]
        elif new.kind in (kinds.COMMUNITY, kinds.TARIFF):
            self.community.append(new)
        else:
            self.logs.setdefault(new.kid, []).append(new)
            if new.kind != kinds.READING:
                self.by_id[new.id] = new
                if "contract" in new.body:
                    self._about.setdefault(new.body["contract"], []).append(new)

    def about(self, contracts: list[bytes]) -> list[Entry]:
        """The contracts, and every entry about them that changes what they carry."""
        found = [self.by_id[name] for name in contracts]
        for name in contracts:
            found += [new for new in self._about.get(name, []) if new.kind not in (*_USAGE, kinds.EVENT)]
        return found

    def default_supply(self, meters: set[bytes]) -> list[Entry]:
        """The grants that let meters draw from the grid alone: their usage names them."""
        return [
            new for new in self.by_id.values()
            if new.kind == kinds.GRANT and new.body["default_supply"] and new.body["meter"] in meters
        ]  # fmt: skip

    def add_named(self, picked: dict[bytes, Entry]) -> None:
        """Add what the picked entries name, and what those name, as far as it is here."""
        waiting = list(picked.values())
        while waiting:
            new = waiting.pop()
            if new.kind == kinds.READING:
                continue
            for field in _NAMES:
                named = self.by_id.get(new.body.get(field, b""))
                if named is not None and named.id not in picked:
                    picked[named.id] = named
                    waiting.append(named)

    def add_key_openings(self, picked: dict[bytes, Entry]) -> None:
        """Add the KEY_OPEN of each key that seals a picked entry; where there is none, the log up to that entry, so
        that it shows."""
        openings: dict[tuple[bytes, int, int], Entry] = {}
        for log in self.logs.values():
            for new in log:
                if new.kind == kinds.KEY_OPEN:
                    openings.setdefault((new.kid, new.generation, new.body["key_no"]), new)
        for new in list(picked.values()):
            key_no = key_no_of(new)
            if key_no is None:
                continue
            opening = openings.get((new.kid, new.generation, key_no))
            if opening is not None and opening.sequence < new.sequence:
                picked[opening.id] = opening
                continue
            for other in self.logs[new.kid]:
                if other.generation == new.generation and other.sequence < new.sequence:
                    picked[other.id] = other

    def certificates_of(self, kids: set[bytes]) -> list[Entry]:
        """All versions, and those of whoever certified, up to the root."""
        found: dict[bytes, list[Entry]] = {}
        waiting = list(kids)
        while waiting:
            kid = waiting.pop()
            if kid not in found:
                found[kid] = self.certificates.get(kid, [])
                waiting += [new.kid for new in found[kid]]
        return [new for rows in found.values() for new in rows]


def key_no_of(new: Entry) -> int | None:
    """The number of the key that an entry is sealed with, unsealed here or not; None for what is not sealed."""
    if new.kind not in _SEALABLE:
        return None
    body = new.body
    if not new.is_sealed:
        body = kinds.decode(new.kind, cbor.decode(cose.decode1(new.raw).payload)[5])
    part = body.get(kinds.SEALED)
    return None if part is None else int(part.key_no)


def run(log: list[Entry], voids: set[bytes], from_s: int, to_s: int) -> list[Entry]:
    """The part of a meter's log that has its registers from from_s to to_s.

    It starts at the last good reading that begins at or before from_s and after all before it had ended, or with the
    log; it ends with the first good reading that reaches to_s, or with the log."""
    first, last, known_s = 0, len(log), -1
    for index, new in enumerate(log):
        if new.kind != kinds.READING or new.id in voids or new.is_sealed:
            continue
        if known_s <= new.body["t0_s"] <= from_s:
            first = index
        known_s = max(known_s, readings.end_s(new.body))
        if known_s >= to_s:
            last = index + 1
            break
    return log[first:last]


def _concerned(inputs: SettlementInputs, statement: Statement) -> list[bytes]:
    """The contracts of the closure."""
    meters = set(statement.closure)
    return [
        contract.id for contract in inputs.contracts.by_id.values()
        if contract.start_s < statement.to_s and contract.end_s > statement.evidence_from_s
        and (contract.consumer in meters or contract.supplier in meters)
    ]  # fmt: skip


def _who(inputs: SettlementInputs, statement: Statement, picked: dict[bytes, Entry], host: bytes) -> set[bytes]:
    """Everyone whose certificate an auditor needs."""
    found = {statement.subject, host, *statement.closure, *inputs.ever_owned_by(statement.subject)}
    for kid in statement.closure:
        found |= {span[2] for span in inputs.payers(kid, statement.from_s, statement.to_s)}
    return found | {new.kid for new in picked.values()}
