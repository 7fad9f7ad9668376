"""A host that makes a bundle other than it is: it leaves parts out or changes them, computes the statement again from
what is left, and signs it. It has its own key and nobody else's."""

import io

from wattpact import audit
from wattpact.audit.shapes import misshapen
from wattpact.bundle import format
from wattpact_protocol.crypto import merkle
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import blocks, checkpoints, records
from wattpact_protocol.ledger.state_map import StateMap
from wattpact_protocol.log import entry, kinds
from wattpact_protocol.sealing.period_keys import NoKeyError, SealError
from wattpact_protocol.settlement import statement
from wattpact_protocol.settlement.inputs import SettlementInputs
from wattpact_protocol.settlement.slots import Settlement

from simulator.unsealing import Unsealer


class DishonestHost:
    """`head`, `records`, `entries`: the parts of an honest bundle of somebody's month, as bytes."""

    def __init__(self, traded, owner=None):
        self.traded = traded
        self.community = traded.community
        self._decoded = {}
        parts = [raw for _, raw in format.read(io.BytesIO(traded.bundle(owner)))]
        self.head = parts[0]
        self.records = [raw for raw in parts[1:] if not format.is_entry(raw)]
        *self.entries, stated = [raw for raw in parts if format.is_entry(raw)]
        self.stated = self.decode(stated)

    def decode(self, raw):
        if raw not in self._decoded:
            self._decoded[raw] = entry.decode(raw, self.community.id)
        return self._decoded[raw]

    def bundle(self, entries=None, proven=None, head=None, **change):
        """The honest bundle with other parts; `change`: fields of the statement."""
        entries = self.entries if entries is None else entries
        proven = self.records if proven is None else proven
        decoded = [self.decode(raw) for raw in entries]
        body = {**self.stated.body, **self._figures(decoded, proven)}
        body.update(evidence=len(decoded), evidence_root=merkle.root([new.id for new in decoded]), **change)
        host = self.community.host
        stated = host.sign_at(kinds.STATEMENT, body, host.place, self.stated.stamp.unix_s)
        return b"".join([self.head if head is None else head, *proven, *entries, stated.raw])

    def with_another_state(self, changed, **change):
        """The honest bundle by a host that signed another ledger, of one block: `changed` has values of records by
        their place; the others are proven beside them."""
        rows = [format.decode_record(raw) for raw in self.records]
        values = {row.key: changed.get(place, row.value) for place, row in enumerate(rows)}
        held = StateMap({})
        held.update({key: value for key, value in values.items() if value is not None})
        before = blocks.decode_header(format.decode_head(self.head).header)
        header = blocks.Header(0, before.time_s, blocks.NO_BLOCK, bytes(32), bytes(32), held.root())
        host = self.community.host
        point = checkpoints.Checkpoint(checkpoints.origin_of(self.community.id), 1, header.id)
        checkpoints.sign(point, host.public_key, host.sign)
        proven = []
        for key, value in values.items():
            proof = held.prove(key)
            proven.append(cbor.encode(cbor.encode([key, value, proof.siblings, proof.other])))
        head = cbor.encode(cbor.encode([point.text, header.raw, []]))
        return self.bundle(proven=proven, head=head, height=0, state_root=header.state_root, **change)

    def audit(self, data):
        """The report, or what refutes the bundle."""
        try:
            return audit.audit(io.BytesIO(data), self.community.root.public_key, self.traded.keys)
        except (audit.Refuted, audit.Undecided) as found:
            return found

    def _figures(self, decoded, proven):
        """What the statement amounts to with these parts; nothing where they cannot be settled."""
        inputs, body = SettlementInputs(), self.stated.body
        unsealer = Unsealer(self.community.id, keys=self.community.keys)
        try:
            for raw in proven:
                found = format.decode_record(raw)
                if found.value is not None:
                    record, key = records.parts_of(found.key)
                    fields = records.decode(record, found.value)
                    if misshapen(fields):
                        return {}
                    inputs.follow(record, key, fields)
            for new in unsealer.all(decoded):
                inputs.apply(new)
            settled = Settlement(inputs.slot_s, inputs.silence_s, inputs.load_profiles, inputs.contracts)
            settled.advance(body["to_s"], self.stated.stamp.unix_s)
            made = statement.state(inputs, settled, body["subject"], body["from_s"], body["to_s"])
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, NoKeyError, SealError):
            return {}
        figures = made.figures()
        lines = [line.leaf() for line in made.lines]
        return {**figures, "lines": len(lines), "lines_root": merkle.root(lines)}
