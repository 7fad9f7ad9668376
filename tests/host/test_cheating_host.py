"""A dishonest host, with its own key: whatever it leaves out of a bundle or changes in one, an audit shows it."""

import io
from collections import Counter

import case
import pytest
from simulator.community import DAY_S, START_S
from simulator.dishonest import DishonestHost
from simulator.month import TradedMonth
from wattpact import audit
from wattpact.bundle import format
from wattpact_protocol.encoding import cbor
from wattpact_protocol.ledger import records
from wattpact_protocol.log import entry, event_codes, kinds


@pytest.fixture(scope="module")
def traded() -> TradedMonth:
    return TradedMonth("cheated")


@pytest.fixture(scope="module", params=case.cases(["east", "west", "north"], ["west"]))
def host(request, traded) -> DishonestHost:
    return DishonestHost(traded, getattr(traded, request.param))


def without(parts, index):
    return parts[:index] + parts[index + 1 :]


def refuted(host, data) -> audit.Refuted:
    found = host.audit(data)
    assert isinstance(found, audit.Refuted), found
    return found


def test_a_host_that_changes_nothing_agrees(host):
    assert isinstance(host.audit(host.bundle()), audit.Report)


def test_no_entry_can_be_left_out(host):
    for index in range(len(host.entries)):
        refuted(host, host.bundle(without(host.entries, index)))


def test_no_record_of_the_ledger_can_be_left_out(host):
    for index, raw in enumerate(host.records):
        found = refuted(host, host.bundle(proven=without(host.records, index)))
        name = records.ROWS[records.parts_of(format.decode_record(raw).key)[0]][0]
        assert found.reason.startswith(f"the ledger's record is left out: {name} "), (name, found.reason)


def test_no_record_can_be_shown_as_absent_or_with_other_values(host):
    for index, raw in enumerate(host.records):
        found = format.decode_record(raw)
        for value in (None, cbor.encode([]), (found.value or b"\x80")[:-1] + b"\x07"):
            if value != found.value:
                forged = cbor.encode(cbor.encode([found.key, value, *cbor.decode(cbor.decode(raw))[2:]]))
                refuted(host, host.bundle(proven=[*host.records[:index], forged, *host.records[index + 1 :]]))


def test_a_meter_or_a_contract_that_is_left_out_whole_is_named(traded):
    """Not an entry alone but all that shows it: a contract with its supplier, and a meter of the subject's."""
    host = DishonestHost(traded, traded.west)
    roof = traded.roof.kid

    def is_of_the_roof(raw):
        new = host.decode(raw)
        return roof in (new.kid, new.body.get("meter")) or new.body.get("label") == "roof"

    entries = [raw for raw in host.entries if not is_of_the_roof(raw)]
    proven = [raw for raw in host.records if roof not in format.decode_record(raw).key]
    names = [roof.hex(), *(one.id.hex()[:16] for one in (traded.first, traded.second))]
    for data in (host.bundle(entries, proven), host.bundle(entries)):
        assert any(name in refuted(host, data).reason for name in names)
    host = DishonestHost(traded, traded.east)
    entries = [raw for raw in host.entries if host.decode(raw).kid != roof]
    reason = refuted(host, host.bundle(entries)).reason
    assert any(name in reason for name in names), reason


def test_a_statement_dated_ahead_makes_nobody_silent(traded):
    host = DishonestHost(traded, traded.west)
    host.stated.stamp.unix_s += 500 * DAY_S
    assert "dated long after" in refuted(host, host.bundle()).reason


def test_other_figures_are_refuted(host):
    changed = 0
    for name, value in host.stated.body.items():
        if name.endswith(("_wh", "_nano")) or name in ("lines", "unsettled_meters", "height", "settled_to_s"):
            refuted(host, host.bundle(**{name: value + 900}))
            changed += 1
    assert changed > 12


def test_mutations_of_a_bundle_are_refuted(traded):
    """Entries and records dropped, moved, repeated or cut, several at once, and all of it signed anew."""
    hosts = [DishonestHost(traded, who) for who in (traded.east, traded.west, traded.north)]
    seen = set()
    for seed in range(case.cases(2000, 200)):
        bits = case.Bits(f"mutation {seed}")
        host = bits.choice(hosts)
        entries, proven = list(host.entries), list(host.records)
        for _ in range(1 + bits.below(3)):
            seen.add(mutate(bits, bits.choice([entries, proven])))
        if entries != host.entries or proven != host.records:
            refuted(host, host.bundle(decodable(host, entries), proven))
    assert seen == {"dropped", "moved", "repeated", "damaged"}


def mutate(bits, parts):
    at, kind = bits.below(len(parts)), bits.choice(["dropped", "moved", "repeated", "damaged"])
    if kind == "dropped":
        del parts[at]
    elif kind == "moved":
        other = (at + 1 + bits.below(len(parts) - 1)) % len(parts)
        parts[at], parts[other] = parts[other], parts[at]
    elif kind == "repeated":
        parts.insert(bits.below(len(parts)), parts[at])
    else:
        place = bits.below(len(parts[at]))
        parts[at] = parts[at][:place] + bytes((parts[at][place] ^ 1 << bits.below(8),)) + parts[at][place + 1 :]
    return kind


def decodable(host, entries):
    """Without those that decode no more: no host could state what it rests on with them."""
    found = []
    for raw in entries:
        try:
            host.decode(raw)
        except entry.EntryError:
            continue
        found.append(raw)
    return found


def test_records_that_a_host_makes_up_crash_nothing(traded):
    """A host chooses its state root, so the values of its records may be anything."""
    host = DishonestHost(traded, traded.west)
    bits = case.Bits("made up")
    shapes = [None, -1, 1 << 62, b"", b"x" * 8, "text", [], [[]], [b"x"], [[b"x"] * 6], {}, True]
    for _ in range(case.cases(2000, 200)):
        at = bits.below(len(host.records))
        found = format.decode_record(host.records[at])
        record, _ = records.parts_of(found.key)
        if found.value is None:
            continue
        fields = cbor.decode(found.value, limit=records.MAX_BYTES)
        fields[bits.below(len(fields))] = bits.choice(shapes)
        data = host.with_another_state({at: cbor.encode(fields)})
        assert isinstance(host.audit(data), (audit.Refuted, audit.Report)), (record, fields)


# What a host decides: when it ordered something, within what stamps allow.
OF_THE_HOST = {"matched_s", "granted_s", "ended_s"}


def test_a_host_that_signs_another_ledger_changes_no_contract(traded):
    """Terms, parties, mandates, start and end are what their authors signed, whatever a host recorded of them."""
    host = DishonestHost(traded, traded.west)
    assert isinstance(host.audit(host.with_another_state({})), audit.Report)
    tried = set()
    for at, fields in of_record(host, records.CONTRACT):
        for name, value in fields.items():
            if name in OF_THE_HOST or (name == "used_from_s" and value is not None):
                continue
            for other in others_of(name, value):
                data = host.with_another_state({at: records.encode(records.CONTRACT, {**fields, name: other})})
                assert isinstance(host.audit(data), audit.Refuted), (name, value, other)
                tried.add(name)
    assert tried == set(fields) - OF_THE_HOST - {"used_from_s"}


def of_record(host, record):
    for at, raw in enumerate(host.records):
        found = format.decode_record(raw)
        if records.parts_of(found.key)[0] == record and found.value is not None:
            yield at, records.decode(record, found.value)


def others_of(name, value):
    if name == "terminated_s":
        return [START_S + 100] if value is None else [value - 2 * 3600]
    if name == "terminated_by":
        return [by for by in ("consumer", "supplier", "operator") if by != value]
    return [bytes([value[0] ^ 1]) + value[1:]] if isinstance(value, bytes) else [value + 1]


def test_a_host_dates_no_end_and_no_use_back(traded):
    host = DishonestHost(traded, traded.west)
    moved = set()
    for at, fields in of_record(host, records.CONTRACT):
        for name, moved_s in (("terminated_s", -3600), ("used_from_s", -60), ("used_from_s", 7200)):
            if fields[name] is not None:
                changed = {**fields, name: fields[name] + moved_s}
                refuted(host, host.with_another_state({at: records.encode(records.CONTRACT, changed)}))
                moved.add((name, moved_s))
    assert len(moved) == 3


def test_a_host_binds_nobody_beyond_a_mandate(traded):
    host = DishonestHost(traded, traded.west)
    mandates = list(of_record(host, records.MANDATE))
    assert mandates
    for at, fields in mandates:
        for name in ("wh", "used_wh"):
            changed = {**fields, name: fields["used_wh"] - 1 if name == "used_wh" else fields["wh"] + 1000}
            data = host.with_another_state({at: records.encode(records.MANDATE, changed)})
            assert "mandate" in refuted(host, data).reason


def test_a_host_changes_no_owner_rating_price_slot_or_key(traded):
    host = DishonestHost(traded, traded.west)
    changed = Counter()
    for record, name in ((records.COMMUNITY, "slot_s"), (records.COMMUNITY, "silence_s"), (records.KEY, "id")):
        for at, fields in of_record(host, record):
            value = bytes(32) if name == "id" else fields[name] + 1
            refuted(host, host.with_another_state({at: records.encode(record, {**fields, name: value})}))
            changed[record, name] += 1
    for record, name, columns in ((records.AUTHOR, "certificates", (1, 3, 4, 5)), (records.TARIFFS, "rows", (1, 2))):
        for at, fields in of_record(host, record):
            for row in range(len(fields[name])):
                for column in columns:
                    rows = [list(one) for one in fields[name]]
                    rows[row][column] = bytes(8) if column == 4 else rows[row][column] + 1
                    refuted(host, host.with_another_state({at: records.encode(record, {**fields, name: rows})}))
                    changed[record, column] += 1
    assert len(changed) == 9, changed


def test_every_kind_of_entry_and_record_is_among_what_was_left_out(traded):
    hosts = [DishonestHost(traded, who) for who in (traded.east, traded.west, traded.north)]
    left_out = {host.decode(raw).kind for host in hosts for raw in host.entries}
    assert left_out == set(kinds.NAMES) - {kinds.POLICY, kinds.RECEIPT, kinds.STATEMENT}
    numbers = {records.parts_of(format.decode_record(raw).key)[0] for host in hosts for raw in host.records}
    assert {records.COMMUNITY, records.AUTHOR, records.HEAD, records.OWNED, records.TARIFFS} < numbers
    assert {records.MANDATE, records.CONTRACT, records.CONTRACTS, records.KEY} < numbers


class Withheld(TradedMonth):
    """Two contracts more that are granted: under one the pump's relay closes and no start is reported; of the other the
    host leaves the reported start out of its ledger."""

    def deal(self):
        community = self.community
        self.withheld, self.left_out = (
            community.agree(self.roof, self.pump, 180_000, 500, 4000, START_S, START_S + 7200, used_s=-1)
            for _ in range(2)
        )
        closed = {"code": event_codes.RELAY_CLOSED, "contract": self.withheld.id, "registers": {1: 0}}
        community.publish(self.pump, kinds.EVENT, closed, START_S + 20)
        order, community.sink.order = community.sink.order, lambda entries, *more: None
        community.start(self.pump, self.left_out, START_S + 30)
        community.terminate(self.north, self.left_out, START_S + 40)
        community.sink.order = order
        super().deal()


def test_what_is_reported_and_not_counted_is_named_with_its_author():
    traded = Withheld("withheld")
    report = audit.audit(io.BytesIO(traded.bundle(traded.north)), traded.community.root.public_key, traded.keys)
    pump, north = traded.pump.kid.hex(), traded.north.kid.hex()
    withheld, left_out = (f"contract {one.id.hex()[:16]}" for one in (traded.withheld, traded.left_out))
    for contract, text, author in (
        (withheld, "closed its relay under it", pump), (left_out, "a start of use by", pump),
        (left_out, "an end by", north),
    ):  # fmt: skip
        assert any(contract in one and text in one and author in one for one in report.doubtful), report.doubtful


def test_a_contract_that_lasts_for_years_costs_an_audit_nothing(traded):
    host = DishonestHost(traded, traded.west)
    contracts = list(of_record(host, records.CONTRACT))
    assert contracts
    for at, fields in contracts:
        longer = records.encode(records.CONTRACT, {**fields, "end_s": fields["start_s"] + 10**9})
        assert "lasts longer" in refuted(host, host.with_another_state({at: longer})).reason
