"""The auditor believes nothing that is not signed, linked and computed again, and names the entry that shows it."""

import io
import os
import subprocess
import sys
from pathlib import Path

import case
import pytest
from simulator.community import Village
from simulator.generated import Generated
from simulator.month import HOUR, MONTH, S, Scene
from wattpact import audit
from wattpact.billing import bill, collect
from wattpact.bundle import disclosure, format
from wattpact.ledger import Ledger
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.encoding import cbor, cose
from wattpact_protocol.log import entry, event_codes, ids, kinds, roles

CHECKOUT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@pytest.fixture(scope="module")
def good(scene: Scene) -> bytes:
    return scene.bundle()


def check(data: bytes, scene: Scene) -> audit.Report:
    return audit.audit(io.BytesIO(data), scene.village.root.public_key, scene.keys)


def refuse(data: bytes, scene: Scene) -> audit.Refuted:
    with pytest.raises(audit.Refuted) as caught:
        check(data, scene)
    return caught.value


def split(data: bytes) -> list[bytes]:
    return [raw for _, raw in format.read(io.BytesIO(data))]


def number_at(data: bytes, position: int) -> int:
    """The number of the entry that holds a byte."""
    return sum(offset <= position for offset, _ in format.read(io.BytesIO(data)))


def test_a_good_bundle_agrees_with_the_bill_to_the_last_digit(scene, good):
    for person in (scene.east, scene.west, scene.north):
        report = check(scene.bundle(person), scene)
        made = bill.make(scene.ledger(), person.kid, MONTH)
        for name, value in made.fields.items():
            if not name.startswith("evidence"):
                assert report.fields[name] == value, name
        assert [line["carried_nano"] for line in report.lines] == [line["nano"] for line in made.as_json()["lines"]]
    report = check(good, scene)
    assert report.counts["entries"] == len(split(good)) == 1 + sum(list(report.counts.values())[1:])


def test_every_kind_of_evidence_is_in_the_scene(good):
    found = {kinds.NAMES[cbor.decode(cose.decode1(raw).payload)[0]] for raw in split(good)}
    assert found == set(kinds.NAMES.values()) - {"policy", "receipt"}


def test_a_report_says_what_is_missing_estimated_void_or_doubtful(scene):
    report = check(scene.bundle(scene.north), scene)
    assert any("pump" in text and "2 gaps" in text for text in report.missing)
    assert any("pump" in text and "899 Wh" in text for text in report.estimated)
    assert any("falling_register" in text and "pump" in text for text in report.void)
    assert any("wallbox" in text and "1 entries" in text for text in report.doubtful)
    assert any("supplier's mandate" in text for text in report.doubtful) is False


def test_any_flipped_byte_is_refused_and_its_entry_named(scene, good):
    bits = case.Bits("flips")
    for _ in range(case.cases(2000, 200)):
        position, flip = bits.below(len(good)), 1 + bits.below(255)
        data = good[:position] + bytes((good[position] ^ flip,)) + good[position + 1 :]
        refuted = refuse(data, scene)
        assert refuted.entry and refuted.entry["number"] == number_at(good, position), (position, refuted.sentence())
        assert refuted.entry["offset"] <= position


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


def test_every_field_of_every_kind_is_covered_by_the_signature(scene, good):
    raws, seen, cases = split(good), set(), 0
    for number, raw in enumerate(raws, 1):
        envelope = cose.decode1(raw)
        payload = cbor.decode(envelope.payload)
        if payload[0] in seen and payload[0] != kinds.CERTIFICATE:
            continue
        seen.add(payload[0])
        for other in changed(payload):
            forged = cose.sign1(envelope.kid, cbor.encode(other), b"", lambda _, raw=raw: raw[-64:])
            data = b"".join([*raws[: number - 1], forged, *raws[number:]])
            refuted = refuse(data, scene)
            assert refuted.entry and refuted.entry["number"] == number, refuted.sentence()
            cases += 1
    assert len(seen) == 18 and cases > 250


def test_an_entry_removed_repeated_or_moved_is_refused(scene, good):
    raws = split(good)
    for number in range(len(raws)):
        assert refuse(b"".join(raws[:number] + raws[number + 1 :]), scene)
        repeated = refuse(b"".join([*raws[: number + 1], *raws[number:]]), scene)
        assert repeated.entry and repeated.entry["number"] == number + 2
        if number + 1 < len(raws):
            moved = [*raws[:number], raws[number + 1], raws[number], *raws[number + 2 :]]
            assert refuse(b"".join(moved), scene)


def test_a_cut_bundle_is_refused(scene, good):
    offsets = [offset for offset, _ in format.read(io.BytesIO(good))]
    bits = case.Bits("cuts")
    for size in [*offsets, *(bits.below(len(good)) for _ in range(200))]:
        assert refuse(good[:size], scene)


def test_what_is_no_bundle_is_refused(scene, good):
    assert "no entries" in refuse(b"", scene).sentence() or "0 entries" in refuse(b"", scene).sentence()
    bits = case.Bits("noise")
    for size in (1, 19, 20, 21, 500, 5000):
        assert refuse(bits.bytes(size), scene).entry["number"] == 1
    assert refuse(bytes(5000), scene).entry["number"] == 1


def test_another_communitys_entries_are_refused(scene, good):
    other = Scene("elsewhere")
    assert refuse(other.bundle(), scene).entry["number"] == 1
    theirs, ours = split(other.bundle()), split(good)
    for number in (3, 20, len(ours) - 2):
        refuted = refuse(b"".join([*ours[:number], theirs[number], *ours[number + 1 :]]), scene)
        assert refuted.entry["number"] == number + 1


def test_a_statement_from_another_month_is_refused(scene, good):
    refuted = refuse(b"".join([*split(good)[:-1], split(scene.bundle(month="2026-09"))[-1]]), scene)
    assert refuted.entry["kind"] == "statement"


def test_generated_communities_agree_with_their_audit_whatever_is_late():
    """The closure of a statement is enough: the auditor sees a part of the community and finds the same."""
    waiting = partial = 0
    for seed in range(60):
        made = Generated(seed, ed25519, 3600)
        village, bits = made.village, made.bits
        lasts = {meter.kid: bits.choice([0, 0, 1, 2, 5]) for meter in made.meters}
        entries = [new for new in village.entries if not lasts.get(new.kid)]
        for kid, dropped in lasts.items():
            if dropped:
                log = [new for new in village.entries if new.kid == kid]
                entries += log[: max(1, len(log) - dropped)]
        ledger = Ledger()
        ledger.apply(entries)
        now_s = made.end + bits.choice([0, 1800, 7200])
        ledger.settle(now_s)
        first = S + 900 * bits.below(made.slots)
        for person in made.people:
            statement = ledger.statement(person.kid, first, made.end)
            picked = collect.collect(entries, ledger.inputs, statement, village.host.kid)
            fields = statement.fields([new.id for new in picked])
            data = format.write(picked, village.publish(village.host, kinds.STATEMENT, fields, now_s))
            report = audit.audit(io.BytesIO(data), village.root.public_key)
            waiting += report.fields["unsettled_meters"] > 0
            partial += 0 < len(statement.closure) < len(made.meters)
    assert waiting > 10 and partial > 20


class Liar:
    """A host that drops entries and signs a statement over what is left."""

    def __init__(self, scene: Scene):
        self.scene = scene

    def bundle(self, keep, change=None) -> bytes:
        ledger = self.scene.ledger()
        made = bill.make(ledger, self.scene.west.kid, MONTH)
        entries = list(self.scene.opened)
        host = self.scene.village.host.kid
        picked = [new for new in collect.collect(entries, ledger.inputs, made.statement, host) if keep(new)]
        fields = {**made.statement.fields([new.id for new in picked]), **(change or {})}
        return format.write(picked, self.scene.publish(kinds.STATEMENT, fields))


def test_a_host_that_leaves_a_reading_out_is_refuted_though_it_signs(scene):
    liar = Liar(scene)
    assert check(liar.bundle(lambda new: True), scene)
    readings = [new for new in scene.village.entries if new.kind == kinds.READING and new.kid == scene.wallbox.kid]
    for left_out in readings[1:-1]:
        refuted = refuse(liar.bundle(lambda new, left_out=left_out: new.id != left_out.id), scene)
        assert refuted.entry["author"] == scene.wallbox.kid.hex()
        assert left_out.sequence < refuted.entry["sequence"] <= left_out.sequence + 3
    refuted = refuse(liar.bundle(lambda new: new.id != readings[0].id), scene)
    assert refuted.entry["kind"] == "reading"


def test_a_host_that_orders_its_evidence_otherwise_is_refuted_though_it_signs(scene):
    made = bill.make(scene.ledger(), scene.west.kid, MONTH).statement
    picked = collect.collect(scene.opened, scene.ledger().inputs, made, scene.village.host.kid)
    for number in range(4, len(picked) - 1):
        moved = [*picked[:number], picked[number + 1], picked[number], *picked[number + 2 :]]
        stated = scene.publish(kinds.STATEMENT, made.fields([new.id for new in moved]))
        refuted = refuse(format.write(moved, stated), scene)
        assert refuted.entry and refuted.entry["number"] in (number + 1, number + 2)


def test_a_host_that_signs_other_figures_is_refuted_on_each(scene):
    liar = Liar(scene)
    ledger = scene.ledger()
    fields = bill.make(ledger, scene.west.kid, MONTH).fields
    for name, value in fields.items():
        if name in ("subject", "from_s", "to_s", "evidence", "evidence_root"):
            continue
        other = bytes(32) if isinstance(value, bytes) else value + 1
        refuted = refuse(liar.bundle(lambda new: True, {name: other}), scene)
        assert refuted.entry["kind"] == "statement" and name in refuted.reason
    for name, value in (("from_s", S + 3600), ("from_s", fields["from_s"] + 1), ("to_s", 0)):
        assert refuse(liar.bundle(lambda new: True, {name: value}), scene)
    assert refuse(liar.bundle(lambda new: True, {"subject": bytes(8)}), scene)


def test_only_the_root_that_is_pinned_is_believed(scene, good):
    with pytest.raises(audit.Refuted):
        audit.audit(io.BytesIO(good), scene.village.host.public_key)


@pytest.mark.parametrize("who", ["east", "roof", "host"])
def test_nobody_says_what_its_role_does_not_allow(scene, who):
    liar = Scene("rogue")
    rogue = liar.village.by_name[who]
    new = liar.village.publish(rogue, kinds.TARIFF, {"from_s": 0, "import_micro_per_kwh": 1, "export_micro_per_kwh": 1})
    refuted = refuse(b"".join([*split(liar.bundle())[:-1], new.raw]), liar)
    assert refuted.entry["kind"] == "tariff" and "may not publish" in refuted.reason


def forked(scene: Scene) -> None:
    """The issuer says two things in one place of its log."""
    issuer = scene.village.issuer
    place = issuer.place
    scene.village.tariff(S, 1, 1)
    issuer.place = place
    body = next(new.body for new in scene.village.entries if new.kind == kinds.COMMUNITY)
    scene.village.publish(issuer, kinds.COMMUNITY, {**body, "version": 2})


def unlinked(who: str):
    """An author forgets its last entry's id."""

    def act(scene: Scene) -> None:
        author = scene.village.by_name[who]
        author.head.previous = bytes(32)
        if who == "issuer":
            scene.village.tariff(S, 1, 1)
        else:
            scene.village.publish(author, kinds.EVENT, {"code": event_codes.BOOT}, S)
            scene.village.reading(author, scene.now_s, [90_000], [90_000])

    return act


def unfounded(scene: Scene) -> None:
    """A meter's log begins without the meter's certificate."""
    new = scene.village.meter("new", scene.west)
    new.head.previous = bytes(32)
    scene.village.reading(new, S, [0, 1])


def another_root(scene: Scene) -> None:
    """The root certifies a second root, which certifies a second issuer, which sets a price."""
    village = scene.village
    second = village.certify(village.author("second"), village.root, roles.ROOT)
    second.begin(0, village.entries[-1].id)
    other = village.certify(village.author("other"), second, roles.ISSUER)
    village.publish(other, kinds.TARIFF, {"from_s": 0, "import_micro_per_kwh": 1, "export_micro_per_kwh": 1})


def too_early(scene: Scene) -> None:
    """The issuer speaks before its certificate begins."""
    scene.village.tariff(0, 1, 1, unix_s=S - 10 * 86400)


def two_orders(scene: Scene) -> None:
    """A person's order stands in a place that only a log has."""
    body = {**scene.village.mandate(scene.west, scene.wallbox, 1, 1, 1, 1, S, S + 1).body, "order_id": bytes(8)}
    scene.west.chained, scene.west.place = True, (0, 5, bytes(32))
    mandate = scene.village.publish(scene.west, kinds.MANDATE, body)
    scene.village.offer(scene.wallbox, 1, 1, 1, S, S + 1, mandate.id, scene.now_s)
    scene.village.reading(scene.wallbox, scene.now_s - 1, [90_000])


def own_role(scene: Scene) -> None:
    """A meter's key is certified again, as a host's."""
    scene.village.certify(scene.roof, scene.village.issuer, roles.HOST, 2)


def back_again(scene: Scene) -> None:
    """A meter's second certificate closes a generation, its third goes back to it."""
    scene.village.certify(scene.roof, scene.village.issuer, roles.METER, 2, generation=1, owner=scene.east.kid)
    scene.village.certify(scene.roof, scene.village.issuer, roles.METER, 3, generation=0, owner=scene.east.kid)


@pytest.mark.parametrize(
    ("act", "kind", "says"),
    [
        (forked, "tariff", "same place"), (unlinked("issuer"), "tariff", "does not name the entry before it"),
        (unlinked("pump"), "event", "does not name the entry before it"),
        (unfounded, "key_epoch", "does not name its author's certificate"),
        (another_root, "certificate", "may not publish this"),
        (too_early, "tariff", "outside its author's certificates"), (two_orders, "mandate", "not a valid order"),
        (own_role, "certificate", "another role"), (back_again, "certificate", "an earlier generation"),
    ],
)  # fmt: skip
def test_what_is_signed_and_still_wrong_is_refuted(act, kind, says):
    """Whoever holds the key: a host may have taken in and signed for what it should have refused."""
    scene = Scene(says)
    ledger = scene.ledger()
    act(scene)
    made = bill.make(ledger, scene.west.kid, MONTH).statement
    village = scene.village
    roles = {}
    for new in village.entries:
        if new.kind == kinds.CERTIFICATE:
            roles.setdefault(ids.kid_of(new.body["public_key"]), new.body["role"])
    wrong = sorted(village.entries, key=lambda new: format.order_of(new, roles[new.kid]))
    stated = scene.publish(kinds.STATEMENT, made.fields([new.id for new in wrong]))
    refuted = refuse(format.write(wrong, stated), scene)
    assert refuted.entry and refuted.entry["kind"] == kind and says in refuted.reason, refuted.sentence()


def test_nothing_follows_the_statement_and_its_period_is_whole_slots(scene, good):
    other = scene.publish(kinds.STATEMENT, entry.decode(split(good)[-1], scene.village.community).body)
    refuted = refuse(good + other.raw, scene)
    assert "after the statement" in refuted.reason and refuted.entry["number"] == len(split(good)) + 1


def test_a_window_after_the_slot_that_waits_waits_too():
    """What holds a meter back may lie before the window, with a partner that the window knows nothing of."""
    village = Village(900, ed25519=ed25519)
    west = village.person("west")
    roof, wallbox = village.meter("roof"), village.meter("wallbox", west)
    village.agree(roof, wallbox, 200_000, 900, 9000, S, S + 1800)
    village.reading(roof, S, [0, 0], [0, 100])
    village.reading(wallbox, S, [100 * i for i in range(9)])
    ledger = Ledger()
    ledger.apply(village.entries)
    now_s = S + 7200
    ledger.settle(now_s)
    statement = ledger.statement(west.kid, S + 3600, now_s)
    assert statement.settled_to_s == S + 3600 and statement.evidence_from_s == S
    assert statement.closure == sorted([roof.kid, wallbox.kid])
    picked = collect.collect(village.entries, ledger.inputs, statement, village.host.kid)
    fields = statement.fields([new.id for new in picked])
    data = format.write(picked, village.publish(village.host, kinds.STATEMENT, fields, now_s))
    assert audit.audit(io.BytesIO(data), village.root.public_key).fields["unsettled_meters"] == 2


def test_a_meter_that_is_waited_for_is_named():
    scene = Scene("late")
    dropped = [new for new in scene.village.entries if new.kid == scene.roof.kid and new.kind == kinds.READING]
    scene.village.entries = [new for new in scene.village.entries if new not in dropped[2:]]
    scene.now_s = S + 5 * HOUR
    report = check(scene.bundle(), scene)
    assert report.fields["settled_to_s"] == S + 2 * HOUR and report.fields["unsettled_meters"] == 3
    assert any("roof" in text and "no readings after" in text for text in report.missing)


def test_an_audit_imports_nothing_of_the_ledger_and_opens_no_socket(scene, good, tmp_path):
    program = (
        "import sys, socket\n"
        "def refuse(*_): raise SystemExit('a socket was opened')\n"
        "socket.socket = refuse\n"
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
    disclosure.write(tmp_path / "keys", *scene.keys)
    environment = {**os.environ, "PYTHONPATH": f"{CHECKOUT}/host:{CHECKOUT}/protocol"}
    command = [sys.executable, "-c", program, str(path), scene.village.root.public_key.hex(), str(tmp_path / "keys")]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert result.returncode == 0, result.stderr
    net_nano, *loaded = result.stdout.split()
    assert int(net_nano) == bill.make(scene.ledger(), scene.west.kid, MONTH).fields["net_nano"]
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


def test_entries_are_named_as_far_as_they_can_be_read(scene, good):
    raw = split(good)[-2]
    new = entry.decode(raw, scene.village.community)
    for broken in (raw[:17] + b"\x00" + raw[18:], raw[:2] + b"\x00" + raw[3:], raw[:-70]):
        refuted = refuse(b"".join([*split(good)[:-2], broken]), scene)
        assert refuted.entry["kind"] == new.name and refuted.entry["sequence"] == new.sequence
        assert new.kid.hex() in refuted.sentence()


def test_default_supply_is_shown_with_its_grant_and_nothing_is_missing():
    scene = Scene("default supply")
    village = scene.village
    grant = {
        "number": 90, "meter": scene.pump.kid, "contract": bytes([9]) * 32, "wh": 0, "max_w": 9000, "from_s": S,
        "to_s": S + 40 * 24 * HOUR, "price_micro_per_kwh": 0, "priority": 65535, "start_by_s": S + 40 * 24 * HOUR,
        "default_supply": True,
    }  # fmt: skip
    village.publish(village.issuer, kinds.GRANT, grant, S + 20)
    before = check(scene.bundle(scene.north), scene)
    end_s = S + 31 * 24 * HOUR
    village.publish(scene.pump, kinds.USAGE_START, {"contract": bytes([9]) * 32, "grant": 90, "import_wh": 2000}, end_s)
    village.reading(scene.pump, end_s + 900, [2000, 2000])
    report = check(scene.bundle(scene.north), scene)
    assert report.counts["grant"] == before.counts["grant"] == 3
    assert [text for text in report.missing if "names an entry" in text] == []


def test_another_root_key_is_named_as_what_it_may_be(good):
    with pytest.raises(audit.Refuted, match="is this the root key of its community"):
        audit.audit(io.BytesIO(good), ed25519.public_key(bytes(32)))
