"""The auditor accepts nothing that is not signed, linked and computed again, and names the entry that shows it."""

import io
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import case
import pytest
from simulator.authors import REAL
from simulator.community import Community
from simulator.generated import Generated
from simulator.month import HOUR, MONTH, S, TradedMonth
from simulator.proving import Proving, Stamped
from wattpact import audit
from wattpact.accounts import Accounts
from wattpact.billing import bill, collect
from wattpact.bundle import disclosure, format
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.encoding import cbor, cose
from wattpact_protocol.log import entry, event_codes, ids, kinds, roles

CHECKOUT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def traded() -> TradedMonth:
    return TradedMonth()


@pytest.fixture(scope="module")
def good(traded: TradedMonth) -> bytes:
    return traded.bundle()


def check(data: bytes, traded: TradedMonth) -> audit.Report:
    return audit.audit(io.BytesIO(data), traded.community.root.public_key, traded.keys)


def reject(data: bytes, traded: TradedMonth) -> audit.Refuted:
    with pytest.raises(audit.Refuted) as caught:
        check(data, traded)
    return caught.value


def split(data: bytes) -> list[bytes]:
    """Head, records and entries."""
    return [raw for _, raw in format.read(io.BytesIO(data))]


def entries_in(data: bytes) -> list[bytes]:
    return list(format.entries_of(io.BytesIO(data)))


def number_at(data: bytes, position: int) -> int:
    """The number of the part that holds a byte."""
    return sum(offset <= position for offset, _ in format.read(io.BytesIO(data)))


def test_a_good_bundle_agrees_with_the_bill_to_the_last_digit(traded, good):
    for person in (traded.east, traded.west, traded.north):
        report = check(traded.bundle(person), traded)
        made = bill.make(traded.accounts(), person.kid, MONTH)
        for name, value in made.fields.items():
            if not name.startswith("evidence"):
                assert report.fields[name] == value, name
        assert [line["carried_nano"] for line in report.lines] == [line["nano"] for line in made.as_json()["lines"]]
    report = check(good, traded)
    assert report.counts["entries"] == len(entries_in(good)) == 1 + sum(list(report.counts.values())[1:])


def test_every_kind_of_entry_that_a_bundle_has_is_in_the_month(good):
    found = {kinds.NAMES[cbor.decode(cose.decode1(raw).payload)[0]] for raw in entries_in(good)}
    assert found == set(kinds.NAMES.values()) - {"policy", "receipt"}


def test_a_report_shows_what_is_missing_estimated_void_or_doubtful(traded):
    report = check(traded.bundle(traded.north), traded)
    assert any("pump" in text and "2 gaps" in text for text in report.missing)
    assert any("pump" in text and "899 Wh" in text for text in report.estimated)
    assert any("falling_register" in text and "pump" in text for text in report.void)
    assert any("wallbox" in text and "1 entries" in text for text in report.doubtful)
    assert any("supplier's mandate" in text for text in report.doubtful) is False


def test_any_flipped_byte_is_rejected_and_its_entry_named(traded, good):
    bits = case.Bits("flips")
    for _ in range(case.cases(2000, 200)):
        position, flip = bits.below(len(good)), 1 + bits.below(255)
        data = good[:position] + bytes((good[position] ^ flip,)) + good[position + 1 :]
        refuted = reject(data, traded)
        assert refuted.entry, refuted.sentence()
        number = number_at(good, position)
        if number == 1 and refuted.entry["kind"] == "statement":
            continue  # whether a host signed the head is known once it is known who the host is
        if position < len(good) - sum(map(len, entries_in(good))) and "left out" in refuted.sentence():
            continue  # the key of one that the state does not have became that of another which it has not either
        assert refuted.entry["number"] == number and refuted.entry["offset"] <= position, (position, refuted.sentence())


def changed(value):
    """The same kind of value, another one: every leaf of a structure in turn."""
    if value is None:
        yield 1
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, bytes):
        yield bytes((value[0] ^ 1,)) + value[1:] if value else b"\x00"
    elif isinstance(value, str):
        yield value[:-1] + ("a" if value[-1:] != "a" else "b")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from (value[:index] + [other] + value[index + 1 :] for other in changed(item))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: other} for other in changed(item))


def test_every_field_of_every_kind_is_covered_by_the_signature(traded, good):
    raws, seen, cases = split(good), set(), 0
    for number, raw in enumerate(raws, 1):
        if not format.is_entry(raw):
            continue
        envelope = cose.decode1(raw)
        payload = cbor.decode(envelope.payload)
        if payload[0] in seen and payload[0] != kinds.CERTIFICATE:
            continue
        seen.add(payload[0])
        for other in changed(payload):
            forged = cose.sign1(envelope.kid, cbor.encode(other), b"", lambda _, raw=raw: raw[-64:])
            data = b"".join([*raws[: number - 1], forged, *raws[number:]])
            refuted = reject(data, traded)
            assert refuted.entry and refuted.entry["number"] == number, refuted.sentence()
            cases += 1
    assert len(seen) == 18 and cases > 250


def test_an_entry_removed_repeated_or_moved_is_rejected(traded, good):
    raws = split(good)
    for number in range(0, len(raws), case.cases(1, 3)):
        assert reject(b"".join(raws[:number] + raws[number + 1 :]), traded)
        repeated = reject(b"".join([*raws[: number + 1], *raws[number:]]), traded)
        assert repeated.entry and repeated.entry["number"] == number + 2
        if number + 1 < len(raws):
            moved = [*raws[:number], raws[number + 1], raws[number], *raws[number + 2 :]]
            assert reject(b"".join(moved), traded)


def test_a_cut_bundle_is_rejected(traded, good):
    offsets = [offset for offset, _ in format.read(io.BytesIO(good))]
    bits = case.Bits("cuts")
    for size in [*offsets, *(bits.below(len(good)) for _ in range(case.cases(200, 40)))]:
        assert reject(good[:size], traded)


def test_what_is_no_bundle_is_rejected(traded):
    assert reject(b"", traded).sentence() == "refuted: after 0 entries the bundle ends without a statement"
    bits = case.Bits("noise")
    for size in (1, 19, 20, 21, 500, 5000):
        assert reject(bits.bytes(size), traded).entry["number"] == 1
    assert reject(bytes(5000), traded).entry["number"] == 1


def test_another_communitys_entries_are_rejected(traded, good):
    other = TradedMonth("elsewhere")
    theirs, ours = split(other.bundle()), split(good)
    parts = len(theirs) - len(entries_in(b"".join(theirs)))
    assert reject(b"".join(theirs), traded).entry["number"] == 1
    assert reject(b"".join([*ours[:parts], *theirs[parts:]]), traded).entry["number"] == parts + 1
    for number in (3, parts + 3, parts + 20, len(ours) - 2):
        refuted = reject(b"".join([*ours[:number], theirs[number], *ours[number + 1 :]]), traded)
        assert refuted.entry["number"] == number + 1


def test_a_statement_from_another_month_is_rejected(traded, good):
    refuted = reject(b"".join([*split(good)[:-1], split(traded.bundle(month="2026-09"))[-1]]), traded)
    assert refuted.entry["kind"] == "statement"


def test_generated_communities_agree_with_their_audit_whatever_is_late():
    """The closure of a statement is enough: the auditor sees a part of the community and finds the same."""
    waiting, narrowed, seeds = 0, 0, case.cases(60, 20)
    for seed in range(seeds):
        made = Generated(seed, REAL, 3600)
        community, bits = made.community, made.bits
        lasts = {meter.kid: bits.choice([0, 0, 1, 2, 5]) for meter in made.meters}
        entries = [new for new in community.entries if not lasts.get(new.kid)]
        for kid, dropped in lasts.items():
            if dropped:
                log = [new for new in community.entries if new.kid == kid]
                entries += log[: max(1, len(log) - dropped)]
        accounts, sink = Accounts(), Stamped(community)
        for new in entries:
            sink.append(new)
        accounts.apply(entries)
        now_s = made.end + bits.choice([0, 1800, 7200])
        accounts.settle(now_s)
        sink.refresh(now_s)
        first = S + 900 * bits.below(made.slots)
        for person in made.people:
            statement = accounts.statement(person.kid, first, made.end)
            picked = collect.collect(entries, accounts.inputs, statement, community.host.kid)
            data = sink.bundle(
                statement, picked,
                partial(community.publish, community.host, unix_s=now_s),
            )  # fmt: skip
            report = audit.audit(io.BytesIO(data), community.root.public_key)
            waiting += report.fields["unsettled_meters"] > 0
            narrowed += 0 < len(statement.closure) < len(made.meters)
    assert waiting * 6 > seeds and narrowed * 3 > seeds


class Liar:
    """A host that drops entries and signs a statement over what is left."""

    def __init__(self, traded: TradedMonth):
        self.traded = traded

    def bundle(self, keep, change=None) -> bytes:
        accounts = self.traded.accounts()
        made = bill.make(accounts, self.traded.west.kid, MONTH)
        entries = list(self.traded.unsealed)
        host = self.traded.community.host.kid
        picked = [new for new in collect.collect(entries, accounts.inputs, made.statement, host) if keep(new)]
        return self.traded.state(made.statement, picked, change)


def test_a_host_that_leaves_a_reading_out_is_refuted_though_it_signs(traded):
    liar = Liar(traded)
    assert check(liar.bundle(lambda new: True), traded)
    readings = [new for new in traded.community.entries if new.kind == kinds.READING and new.kid == traded.wallbox.kid]
    for left_out in readings[1:-1]:
        refuted = reject(liar.bundle(lambda new, left_out=left_out: new.id != left_out.id), traded)
        assert refuted.entry["author"] == traded.wallbox.kid.hex()
        assert left_out.sequence < refuted.entry["sequence"] <= left_out.sequence + 3
    refuted = reject(liar.bundle(lambda new: new.id != readings[0].id), traded)
    assert refuted.entry["kind"] == "reading"


def test_a_host_that_orders_its_entries_otherwise_is_refuted_though_it_signs(traded):
    made = bill.make(traded.accounts(), traded.west.kid, MONTH).statement
    picked = collect.collect(traded.unsealed, traded.accounts().inputs, made, traded.community.host.kid)
    for number in range(4, len(picked) - 1):
        moved = [*picked[:number], picked[number + 1], picked[number], *picked[number + 2 :]]
        data = traded.state(made, moved)
        refuted, parts = reject(data, traded), len(split(data)) - len(entries_in(data))
        assert refuted.entry and refuted.entry["number"] - parts in (number + 1, number + 2)


def test_a_host_that_signs_other_figures_is_refuted_on_each(traded):
    liar = Liar(traded)
    accounts = traded.accounts()
    fields = bill.make(accounts, traded.west.kid, MONTH).fields
    for name, value in fields.items():
        if name in ("subject", "from_s", "to_s", "evidence", "evidence_root"):
            continue
        other = bytes(32) if isinstance(value, bytes) else value + 1
        refuted = reject(liar.bundle(lambda new: True, {name: other}), traded)
        assert refuted.entry["kind"] == "statement" and name in refuted.reason
    for name, value in (("from_s", S + 3600), ("from_s", fields["from_s"] + 1), ("to_s", 0)):
        assert reject(liar.bundle(lambda new: True, {name: value}), traded)
    assert reject(liar.bundle(lambda new: True, {"subject": bytes(8)}), traded)


def test_only_the_root_that_is_pinned_is_trusted(traded, good):
    with pytest.raises(audit.Refuted):
        audit.audit(io.BytesIO(good), traded.community.host.public_key)


@pytest.mark.parametrize("who", ["east", "roof", "host"])
def test_nobody_publishes_what_its_role_does_not_allow(who):
    liar = TradedMonth("rogue")
    rogue = liar.community.by_name[who]
    new = liar.community.publish(
        rogue, kinds.TARIFF, {"from_s": 0, "import_micro_per_kwh": 1, "export_micro_per_kwh": 1}
    )
    refuted = reject(b"".join([*split(liar.bundle())[:-1], new.raw]), liar)
    assert refuted.entry["kind"] == "tariff" and "may not publish" in refuted.reason


def forked(traded: TradedMonth) -> None:
    """The issuer publishes two entries in one place of its log."""
    issuer = traded.community.issuer
    place = issuer.place
    traded.community.tariff(S, 1, 1)
    issuer.place = place
    body = next(new.body for new in traded.community.entries if new.kind == kinds.COMMUNITY)
    traded.community.publish(issuer, kinds.COMMUNITY, {**body, "version": 2})


def unlinked(who: str):
    """An author forgets its last entry's id."""

    def act(traded: TradedMonth) -> None:
        author = traded.community.by_name[who]
        author.head.previous = bytes(32)
        if who == "issuer":
            traded.community.tariff(S, 1, 1)
        else:
            traded.community.publish(author, kinds.EVENT, {"code": event_codes.BOOT}, S)
            traded.community.reading(author, traded.now_s, [90_000], [90_000])

    return act


def unfounded(traded: TradedMonth) -> None:
    """A meter's log begins without the meter's certificate."""
    new = traded.community.meter("new", traded.west)
    new.head.previous = bytes(32)
    traded.community.reading(new, S, [0, 1])


def another_root(traded: TradedMonth) -> None:
    """The root certifies a second root, which certifies a second issuer, which sets a price."""
    community = traded.community
    second = community.certify(community.author("second"), community.root, roles.ROOT)
    second.begin(0, community.entries[-1].id)
    other = community.certify(community.author("other"), second, roles.ISSUER)
    community.publish(other, kinds.TARIFF, {"from_s": 0, "import_micro_per_kwh": 1, "export_micro_per_kwh": 1})


def too_early(traded: TradedMonth) -> None:
    """The issuer publishes before its certificate begins."""
    traded.community.tariff(0, 1, 1, unix_s=S - 10 * 86400)


def two_orders(traded: TradedMonth) -> None:
    """A person's order stands in a place that only a log has."""
    body = {**traded.community.mandate(traded.west, traded.wallbox, 1, 1, 1, 1, S, S + 1).body, "order_id": bytes(8)}
    traded.west.chained, traded.west.place = True, (0, 5, bytes(32))
    mandate = traded.community.publish(traded.west, kinds.MANDATE, body)
    traded.community.offer(traded.wallbox, 1, 1, 1, S, S + 1, mandate.id, traded.now_s)
    traded.community.reading(traded.wallbox, traded.now_s - 1, [90_000])


def own_role(traded: TradedMonth) -> None:
    """A meter's key is certified again, as a host's."""
    traded.community.certify(traded.roof, traded.community.issuer, roles.HOST, 2)


def back_again(traded: TradedMonth) -> None:
    """A meter's second certificate closes a generation, its third goes back to it."""
    traded.community.certify(traded.roof, traded.community.issuer, roles.METER, 2, generation=1, owner=traded.east.kid)
    traded.community.certify(traded.roof, traded.community.issuer, roles.METER, 3, generation=0, owner=traded.east.kid)


@pytest.mark.parametrize(
    ("act", "kind", "shows"),
    [
        (forked, "tariff", "same place"), (unlinked("issuer"), "tariff", "does not name the entry before it"),
        (unlinked("pump"), "event", "does not name the entry before it"),
        (unfounded, "key_epoch", "does not name its author's certificate"),
        (another_root, "certificate", "may not publish this"),
        (too_early, "tariff", "outside its author's certificates"), (two_orders, "mandate", "not a valid order"),
        (own_role, "certificate", "another role"), (back_again, "certificate", "an earlier generation"),
    ],
)  # fmt: skip
def test_what_is_signed_and_still_wrong_is_refuted(act, kind, shows):
    """Whoever holds the key: a host may have ingested and signed for what it should have rejected."""
    traded = TradedMonth(shows)
    accounts = traded.accounts()
    act(traded)
    made = bill.make(accounts, traded.west.kid, MONTH).statement
    community = traded.community
    roles = {}
    for new in community.entries:
        if new.kind == kinds.CERTIFICATE:
            roles.setdefault(ids.kid_of(new.body["public_key"]), new.body["role"])
    wrong = sorted(community.entries, key=lambda new: format.order_of(new, roles[new.kid]))
    refuted = reject(traded.state(made, wrong), traded)
    assert refuted.entry and refuted.entry["kind"] == kind and shows in refuted.reason, refuted.sentence()


def test_nothing_follows_the_statement(traded, good):
    other = traded.publish(kinds.STATEMENT, entry.decode(split(good)[-1], traded.community.id).body)
    refuted = reject(good + other.raw, traded)
    assert "after the statement" in refuted.reason and refuted.entry["number"] == len(split(good)) + 1


def test_a_window_after_the_slot_that_waits_waits_too():
    """What holds a meter back may be before the window, with a partner that the window knows nothing of."""
    community = Community(crypto=REAL, sink=Proving)
    west = community.person("west")
    roof, wallbox = community.meter("roof", community.person("east")), community.meter("wallbox", west)
    community.agree(roof, wallbox, 200_000, 900, 9000, S, S + 1800)
    community.reading(roof, S, [0, 0], [0, 100])
    community.reading(wallbox, S, [100 * i for i in range(9)])
    accounts = Accounts()
    accounts.apply(community.entries)
    now_s = S + 7200
    accounts.settle(now_s)
    statement = accounts.statement(west.kid, S + 3600, now_s)
    assert statement.settled_to_s == S + 3600 and statement.evidence_from_s == S
    assert statement.closure == sorted([roof.kid, wallbox.kid])
    picked = collect.collect(community.entries, accounts.inputs, statement, community.host.kid)
    community.sink.refresh(now_s)
    data = community.sink.bundle(statement, picked, partial(community.publish, community.host, unix_s=now_s))
    assert audit.audit(io.BytesIO(data), community.root.public_key).fields["unsettled_meters"] == 2


def test_a_meter_that_is_waited_for_is_named():
    traded = TradedMonth("late")
    dropped = [new for new in traded.community.entries if new.kid == traded.roof.kid and new.kind == kinds.READING]
    traded.community.sink.entries = [new for new in traded.community.entries if new not in dropped[2:]]
    traded.now_s = S + 5 * HOUR
    report = check(traded.bundle(), traded)
    assert report.fields["settled_to_s"] == S + 2 * HOUR and report.fields["unsettled_meters"] == 3
    assert any("roof" in text and "no readings after" in text for text in report.missing)


def test_an_audit_imports_nothing_of_the_accounts_and_opens_no_socket(traded, good, tmp_path):
    program = (
        "import sys, socket\n"
        "def reject(*_): raise SystemExit('a socket was opened')\n"
        "socket.socket = reject\n"
        "from wattpact import audit\n"
        "import wattpact.audit.program\n"
        "from wattpact.bundle import disclosure\n"
        "given = [disclosure.read(sys.argv[3])]\n"
        "report = audit.audit(open(sys.argv[1], 'rb'), audit.read_pin(sys.argv[2]), given)\n"
        "loaded = sorted(name for name in sys.modules if name.startswith('wattpact.'))\n"
        "print(report.fields['net_nano'], ' '.join(loaded))\n"
    )
    path = tmp_path / "bundle"
    path.write_bytes(good)
    disclosure.write(tmp_path / "keys", *traded.keys)
    environment = {**os.environ, "PYTHONPATH": f"{CHECKOUT}/host:{CHECKOUT}/protocol"}
    command = [sys.executable, "-c", program, str(path), traded.community.root.public_key.hex(), str(tmp_path / "keys")]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert result.returncode == 0, result.stderr
    net_nano, *loaded = result.stdout.split()
    assert int(net_nano) == bill.make(traded.accounts(), traded.west.kid, MONTH).fields["net_nano"]
    assert {name.split(".")[1] for name in loaded} == {"audit", "bundle"}


def test_a_pin_is_hex_or_a_file_with_it(tmp_path):
    key = bytes(range(32))
    for text in (key.hex(), f"{key.hex()}\n", f'{{"public_key": "{key.hex()}"}}'):
        path = tmp_path / "root.key"
        path.write_text(text)
        assert audit.read_pin(str(path)) == key
    assert audit.read_pin(key.hex().upper()) == key
    bad = ["", "00", key.hex() + "00", str(tmp_path), str(tmp_path / "absent"), "\0", "x" * 5000]
    for number, text in enumerate(("[]", "{}", "[" * 4000, '{"public_key": 3}', "zz", "\xff")):
        path = tmp_path / f"bad{number}"
        path.write_text(text, encoding="latin-1")
        bad.append(str(path))
    for text in bad:
        with pytest.raises(audit.PinError):
            audit.read_pin(text)


def test_entries_are_named_as_far_as_they_can_be_read(traded, good):
    raw = split(good)[-2]
    new = entry.decode(raw, traded.community.id)
    for broken in (raw[:17] + b"\x00" + raw[18:], raw[:2] + b"\x00" + raw[3:], raw[:-70]):
        refuted = reject(b"".join([*split(good)[:-2], broken]), traded)
        assert refuted.entry["kind"] == new.name and refuted.entry["sequence"] == new.sequence
        assert new.kid.hex() in refuted.sentence()


def test_default_supply_is_shown_with_its_grant_and_nothing_is_missing():
    traded = TradedMonth("default supply")
    community = traded.community
    grant = {
        "number": 90, "meter": traded.pump.kid, "contract": bytes([9]) * 32, "wh": 0, "max_w": 9000, "from_s": S,
        "to_s": S + 40 * 24 * HOUR, "price_micro_per_kwh": 0, "priority": 65535, "start_by_s": S + 40 * 24 * HOUR,
        "default_supply": True,
    }  # fmt: skip
    community.publish(community.issuer, kinds.GRANT, grant, S + 20)
    before = check(traded.bundle(traded.north), traded)
    end_s = S + 31 * 24 * HOUR
    community.publish(
        traded.pump, kinds.USAGE_START, {"contract": bytes([9]) * 32, "grant": 90, "import_wh": 2000}, end_s
    )
    community.reading(traded.pump, end_s + 900, [2000, 2000])
    report = check(traded.bundle(traded.north), traded)
    assert report.counts["grant"] == before.counts["grant"] == 3
    assert [text for text in report.missing if "names an entry" in text] == []


def test_another_root_key_is_named_as_what_it_may_be(good):
    with pytest.raises(audit.Refuted, match="is this the root key of its community"):
        audit.audit(io.BytesIO(good), ed25519.public_key(bytes(32)))
