"""What is sealed is shown by the keys that were disclosed, and by no other; a file of keys is read strictly."""

import io
import json
import os
import stat

import case
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator import bodies
from simulator.authors import REAL
from simulator.community import DAILY, START_S, Community
from simulator.disclosed import disclosed
from simulator.month import HOUR, MONTH, S, TradedMonth
from test_cli import run
from wattpact import audit
from wattpact.accounts import Accounts
from wattpact.audit import page
from wattpact.billing import collect
from wattpact.bundle import disclosure, format
from wattpact.bundle.disclosure import Disclosure, DisclosureError, PeriodKey
from wattpact.node import data_directory
from wattpact_protocol.log import entry, kinds, roles
from wattpact_protocol.sealing import content, epochs, period_keys

KEY = bytes(range(48))
COMMUNITY = bytes(range(16))


# The file


def some(count=2):
    keys = [PeriodKey(bytes([number]) * 8, 0, number + 1, KEY, 5, 9) for number in range(count)]
    return Disclosure(COMMUNITY, keys, "some.keys")


def rows_of(found):
    return [(one.place, one.key, one.from_s, one.to_s) for one in found.keys]


def test_what_is_written_is_read_again(tmp_path):
    given_keys = [*some().keys, PeriodKey(b"x" * 8, (1 << 32) - 1, (1 << 32) - 1, KEY)]
    path = tmp_path / "a.keys"
    disclosure.write(path, Disclosure(COMMUNITY, given_keys))
    found = disclosure.read(str(path))
    assert (found.community, found.name) == (COMMUNITY, str(path))
    assert rows_of(found) == [(one.place, one.key, one.from_s, one.to_s) for one in given_keys]
    assert disclosure.decode(disclosure.encode(Disclosure(COMMUNITY, []))).keys == []


def test_a_file_is_its_owners_alone_and_whole_or_not_there(tmp_path):
    path = tmp_path / "a.keys"
    path.write_text("before")
    path.chmod(0o644)
    old_mask = os.umask(0)
    try:
        disclosure.write(path, some())
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and [one.name for one in tmp_path.iterdir()] == ["a.keys"]
    for target in (tmp_path / "no" / "a.keys", tmp_path, tmp_path / "a\0b", type(path)("")):
        with pytest.raises(DisclosureError, match="cannot write"):
            disclosure.write(target, some())
    assert [one.name for one in tmp_path.iterdir()] == ["a.keys"]


def test_no_more_keys_than_are_read_again_are_written():
    many = Disclosure(COMMUNITY, some(1).keys * (disclosure.MAX_KEYS + 1))
    with pytest.raises(DisclosureError, match="at most"):
        disclosure.encode(many)


def test_keys_are_in_no_repr():
    shown = repr(some()) + repr(some().keys) + str(some().keys[0])
    assert KEY.hex() not in shown and repr(KEY) not in shown


GOOD = json.loads(disclosure.encode(some()))


def changed(**fields):
    return {**GOOD, "keys": [{**GOOD["keys"][0], **fields}]}


@pytest.mark.parametrize(
    "content",
    [
        None, [], 5, "x", {}, {**GOOD, "wattpact_disclosure": 2}, {**GOOD, "wattpact_disclosure": True},
        {**GOOD, "wattpact_disclosure": "1"}, {**GOOD, "more": 1}, {**GOOD, "community": "00"},
        {**GOOD, "community": GOOD["community"].upper().replace("0", "A")}, {**GOOD, "keys": {}},
        {**GOOD, "keys": [[]]}, {**GOOD, "keys": [{}]}, changed(more=1), changed(meter="00"), changed(meter=None),
        changed(key="00" * 47), changed(key="zz" * 48), changed(key=" 0" * 48), changed(key="\ud800" * 96),
        changed(key=KEY.hex().upper()), changed(key_no=0), changed(key_no=1 << 32), changed(key_no=True),
        changed(generation=-1), changed(generation=1 << 32), changed(generation=0.5), changed(from_s=None),
        changed(from_s=10), changed(to_s=1 << 63), changed(from_s="5"),
    ],
)  # fmt: skip
def test_what_is_no_disclosure_is_rejected_in_one_sentence(content):
    with pytest.raises(DisclosureError) as caught:
        disclosure.decode(json.dumps(content).encode(), "x")
    assert KEY.hex() not in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"\xef\xbb\xbf" + disclosure.encode(some()), b"[" * 100_000, b'{"a": NaN}', b"9" * 5000,
        disclosure.encode(some())[:-3], disclosure.encode(some()) + b"{}", bytes(disclosure.MAX_BYTES + 1),
        disclosure.encode(some()).replace(b'"keys"', b'"community"'),
        disclosure.encode(some()).replace(b'"from_s": 5', b'"from_s": ' + b"5" * 5000),
        disclosure.encode(some()).replace(b'"from_s": 5', b'"from_s": 5, "from_s": 5', 1),
        b'{"wattpact_disclosure": 1, "community": "' + COMMUNITY.hex().encode() + b'", "keys": ['
        + b"{}," * disclosure.MAX_KEYS + b"{}]}",
    ],
    ids=range(13),
)  # fmt: skip
def test_bytes_that_are_no_disclosure_are_rejected(data):
    with pytest.raises(DisclosureError):
        disclosure.decode(data)


def test_what_is_no_file_is_rejected(tmp_path):
    for path in (str(tmp_path), str(tmp_path / "absent"), "\0", "", "x" * 5000):
        with pytest.raises(DisclosureError):
            disclosure.read(path)
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(DisclosureError, match="larger than any"):
        disclosure.read(str(tmp_path / "sparse"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(KEY.hex()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*GOOD, *GOOD["keys"][0]]) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=12,
)


@settings(max_examples=case.cases(400, 60), deadline=None)
@given(VALUES | st.builds(lambda keys: {**GOOD, "keys": keys}, st.lists(VALUES, max_size=3)))
def test_any_json_is_a_disclosure_or_rejected(content):
    try:
        found = disclosure.decode(json.dumps(content).encode())
    except DisclosureError as error:
        assert KEY.hex() not in str(error)
    else:
        assert json.loads(disclosure.encode(found)) == content


@settings(max_examples=case.cases(400, 60), deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255), st.integers(0, 10_000), st.binary(max_size=30))
def test_any_bytes_are_a_disclosure_or_rejected(position, flip, cut, more):
    good = disclosure.encode(some())
    at = position % len(good)
    for data in (good[:at] + bytes((good[at] ^ flip,)) + good[at + 1 :], good[: cut % len(good)] + more, more):
        try:
            found = disclosure.decode(data)
        except DisclosureError as error:
            assert KEY.hex() not in str(error)
        else:
            assert all(len(one.key) == 48 and len(one.meter) == 8 for one in found.keys)


# The audit


@pytest.fixture(scope="module")
def traded() -> TradedMonth:
    return TradedMonth("disclosed")


@pytest.fixture(scope="module")
def good(traded: TradedMonth) -> bytes:
    return traded.bundle()


def check(data, traded, *given_files):
    return audit.audit(io.BytesIO(data), traded.community.root.public_key, given_files)


def undecided(data, traded, *given_files) -> audit.Undecided:
    with pytest.raises(audit.Undecided) as caught:
        check(data, traded, *given_files)
    return caught.value


def split(data):
    """Head, records and entries."""
    return [raw for _, raw in format.read(io.BytesIO(data))]


def decoded(data, community):
    return [entry.decode(raw, community) for raw in format.entries_of(io.BytesIO(data))]


def key_periods(rows):
    return [(row["label"], row["key_no"]) for row in rows]


def places(traded, *labels, key_no=None):
    """The key periods of these meters."""
    kids = {traded.community.by_name[label].kid for label in labels}
    return [place for place in sorted(traded.community.keys) if place[0] in kids and key_no in (None, place[2])]


def test_nothing_is_measured_in_the_open(good):
    sealed = set()
    for new in decoded(good, COMMUNITY):
        hidden = kinds.SEALABLE.get(new.kind, ())
        assert not any(name in new.body for name in hidden)
        if kinds.SEALED in new.body:
            sealed.add(new.kind)
    assert sealed == {kinds.READING, *kinds.SEALABLE}


def test_without_keys_nothing_is_decided_and_what_is_missing_is_named(traded, good):
    found = undecided(good, traded)
    expected = [(name, number) for name in ("pump", "roof", "wallbox") for number in (1, 2)]
    assert sorted(key_periods(found.missing)) == expected and found.unsealed == found.misfits == []
    assert sum(row["readings"] for row in found.missing) == check(good, traded, *traded.keys).counts["reading"]
    assert "key periods 1 to 2 of roof" in str(found)


def test_what_needs_no_key_is_checked_without_one(traded, good):
    bits = case.Bits("sealed flips")
    for _ in range(case.cases(300, 60)):
        position, flip = bits.below(len(good)), 1 + bits.below(255)
        data = good[:position] + bytes((good[position] ^ flip,)) + good[position + 1 :]
        with pytest.raises(audit.Refuted):
            check(data, traded)
    raws = split(good)
    for number in range(len(raws)):
        # Which records are needed follows from the readings.
        is_record = number > 0 and not format.is_entry(raws[number])
        with pytest.raises((audit.Refuted, audit.Undecided) if is_record else audit.Refuted):
            check(b"".join(raws[:number] + raws[number + 1 :]), traded)


def test_a_flip_in_the_keys_never_changes_a_figure(traded, good):
    data = disclosure.encode(traded.keys[0])
    figures = check(good, traded, *traded.keys).fields
    bits = case.Bits("flipped keys")
    rejected, flips = 0, case.cases(400, 80)
    for _ in range(flips):
        position, flip = bits.below(len(data)), 1 << bits.below(8)
        try:
            found = disclosure.decode(data[:position] + bytes((data[position] ^ flip,)) + data[position + 1 :])
            assert check(good, traded, found).fields == figures
        except (DisclosureError, audit.Undecided):
            rejected += 1
    assert rejected > flips * 3 // 4


def test_with_a_days_keys_that_day_can_be_recomputed_and_no_other(traded, good):
    day = disclosed(traded.community, places(traded, "pump", "roof", "wallbox", key_no=1))
    found = undecided(good, traded, day)
    assert sorted(key_periods(found.missing)) == [("pump", 2), ("roof", 2), ("wallbox", 2)]
    assert sorted(key_periods(found.unsealed)) == [("pump", 1), ("roof", 1), ("wallbox", 1)]
    (wallbox,) = [row for row in found.unsealed if row["label"] == "wallbox"]
    assert (wallbox["import_wh"], wallbox["export_wh"]) == (450 * 15, 0)
    hours = stated_for(TradedMonth("disclosed"), traded.west, S, S + 2 * HOUR)  # where the month is not stated
    assert check(hours, traded, day).fields["to_s"] == S + 2 * HOUR
    other = disclosed(traded.community, places(traded, "pump", "roof", "wallbox", key_no=2))
    assert sorted(key_periods(undecided(hours, traded, other).missing)) == [("pump", 1), ("roof", 1), ("wallbox", 1)]


def test_keys_of_another_meter_do_not_help(traded, good):
    found = undecided(good, traded, disclosed(traded.community, places(traded, "roof", "wallbox")))
    assert sorted(key_periods(found.missing)) == [("pump", 1), ("pump", 2)]
    mixed = [
        PeriodKey(*place, traded.community.keys[place[0], 0, 3 - place[2]]) for place in sorted(traded.community.keys)
    ]
    swapped = undecided(good, traded, Disclosure(traded.community.id, mixed, "mixed.keys"))
    assert len(swapped.misfits) == 6


def test_a_key_that_was_not_committed_to_is_named(traded, good):
    keys = [
        PeriodKey(*one.place, one.key[:20] + bytes((one.key[20] ^ 1,)) + one.key[21:])
        if one.place == places(traded, "wallbox")[0] else one for one in traded.keys[0].keys
    ]  # fmt: skip
    wrong = Disclosure(traded.community.id, keys, "wrong.keys")
    found = undecided(good, traded, wrong)
    assert (
        "the key given for key period 1 of wallbox in 'wrong.keys' is not the one that the meter committed to"
        in str(found)
    )
    named = found.misfits[0]["entry"]
    new = entry.decode(split(good)[named["number"] - 1], traded.community.id)
    assert new.kind == kinds.KEY_OPEN and new.kid == traded.wallbox.kid and new.body["key_no"] == 1
    # The same file beside the right one does no harm, and is named.
    report = check(good, traded, wrong, *traded.keys)
    remark = "the key for key period 1 of wallbox is not the one that the meter committed to; another given key is"
    assert report.keys == [f"wrong.keys: {remark}"]
    assert check(good, traded, *traded.keys, *traded.keys).keys == []


def test_a_report_shows_what_was_unsealed(traded, good):
    extra = Disclosure(traded.community.id, [PeriodKey(bytes(8), 0, 1, KEY)], "extra.keys")
    report = check(good, traded, *traded.keys, extra)
    assert sorted(key_periods(report.unsealed)) == [(name, no) for name in ("pump", "roof", "wallbox") for no in (1, 2)]
    assert sum(row["readings"] for row in report.unsealed) == report.counts["reading"]
    assert report.keys == ["1 keys are for key periods that are not in this bundle"]
    text = page.text(report)
    assert "key periods 1 to 2, 17 readings" in text and "1 keys are for key periods" in text


def test_keys_of_another_community_are_rejected(traded, good):
    with pytest.raises(DisclosureError, match="another community"):
        check(good, traded, Disclosure(COMMUNITY, [], "foreign.keys"))


def test_plain_readings_go_on_working():
    traded = TradedMonth("open", sealed=False)
    report = check(traded.bundle(), traded)
    assert report.unsealed == report.keys == [] and report.counts["reading"] == 27
    assert "disclosed" not in page.text(report)


# Meters and hosts that are not honest


def resealed(traded, key, kind, body, key_no=None):
    """A body that pump sealed with a key, under the number that it opened last or another."""
    community, pump = traded.community, traded.pump
    number = pump.key_no if key_no is None else key_no
    return content.seal_body(key, number, (community.id, pump.kid, 0), kind, body)


def reading_body(t0_s, values):
    return bodies.reading_at(t0_s, values)


def accounts_of(traded):
    """The operator's, which holds void what does not open."""
    accounts = Accounts()
    for new in traded.unsealed:
        if new.kind == kinds.READING and new.is_sealed:
            accounts.inputs.voids.append((new.id, "bad_seal"))
        else:
            accounts.apply([new])
    accounts.settle(traded.now_s)
    return accounts


def stated_for(traded, person, from_s, to_s, leave_out=lambda new: False, added=()):
    """A host's bundle for any time, from which it may leave things out, and to which it may add."""
    accounts = accounts_of(traded)
    made = accounts.statement(person.kid, from_s, to_s)
    picked = collect.collect(traded.unsealed, accounts.inputs, made, traded.community.host.kid)
    picked = [new for new in picked if not leave_out(new)]
    for new in added:
        picked.insert(next(at for at, other in enumerate(picked) if other.kid == new.kid), new)
    return traded.state(made, picked)


def test_a_second_key_that_unseals_an_entry_is_rejected_by_the_commitment():
    traded = TradedMonth("two keys")
    community, pump = traded.community, traded.pump
    end_s = traded.now_s - 7200
    committed = bytes(reversed(KEY))
    community.open_due_key(pump, end_s + 900)
    community.open_key(pump, end_s + 900, key=committed)
    body = resealed(traded, KEY, kinds.READING, reading_body(end_s + 900, (2000, 2100)))
    lie = community.publish(pump, kinds.READING, body, end_s + 1800)
    place = (pump.kid, 0, lie.body[kinds.SEALED].key_no)
    assert content.unseal_body(KEY, (community.id, pump.kid, 0), kinds.READING, lie.body)["t0_s"] == end_s + 900
    traded.now_s += 30 * 86400
    data = stated_for(traded, traded.north, S, end_s + 3600)
    assert lie.raw in split(data)
    first = disclosed(community, [one for one in sorted(community.keys) if one != place])
    other = Disclosure(community.id, [*first.keys, PeriodKey(*place, KEY)], "other.keys")
    found = undecided(data, traded, other)
    assert key_periods(found.misfits) == key_periods(found.missing) == [("pump", place[2])]
    report = check(data, traded, *traded.keys)
    assert any("counts for nothing: bad_seal" in text and "reading of pump" in text for text in report.void)
    # Both: the one that was committed to counts.
    assert check(data, traded, other, *traded.keys).fields == report.fields


def test_of_two_that_open_one_number_the_first_counts():
    traded = TradedMonth("opened twice")
    community = traded.community
    state = traded.pump
    kept = dict(community.keys)
    state.key_no -= 1
    again = community.open_key(state, traded.now_s - 7000, key=KEY)
    community.keys.update(kept)
    state.period_key = kept[state.kid, 0, state.key_no]
    community.reading(traded.pump, traded.now_s - 6300, [2000, 2000])
    assert again.body["key_no"] == 2
    data = stated_for(traded, traded.north, S, traded.now_s - 5400)
    report = check(data, traded, *traded.keys)
    assert any("key_opened_twice" in text and "key_open of pump" in text for text in report.void)


def test_an_entry_that_is_sealed_anew_breaks_the_log(traded, good):
    """The meter may have changed its mind: what it publishes instead is another entry, and the one after denies it."""
    community, wallbox = traded.community, traded.wallbox
    raws = split(good)
    parts = len(raws) - len(decoded(good, community.id))
    said = decoded(good, community.id)
    sealed = [at for at, new in enumerate(said, parts) if new.kid == wallbox.kid and new.kind == kinds.READING]
    for at in sealed:
        old = said[at - parts]
        key_no = old.body[kinds.SEALED].key_no
        place = (community.id, wallbox.kid, 0)
        key = community.keys[wallbox.kid, 0, key_no]
        body = content.unseal_body(key, place, old.kind, old.body)
        body["registers"][1][1] = [value + 1 for value in body["registers"][1][1]]
        body = content.seal_body(key, key_no, place, old.kind, body)
        where = (old.generation, old.sequence, old.previous)
        new = entry.sign(old.kind, body, where, old.stamp, old.kid, community.id, wallbox.sign)
        with pytest.raises(audit.Refuted) as caught:
            check(b"".join([*raws[:at], new.raw, *raws[at + 1 :]]), traded, *traded.keys)
        if at != sealed[-1]:
            assert "does not name the entry before it" in caught.value.reason
            assert caught.value.entry["number"] == at + 2
        else:
            assert "evidence_root" in caught.value.reason
        with pytest.raises(audit.Refuted):
            check(b"".join([*raws[:at], new.raw, *raws[at:]]), traded, *traded.keys)


def test_a_host_that_leaves_a_commitment_out_is_refuted_though_it_signs():
    """Without it the readings would be void, and the bill another."""
    traded = TradedMonth("left out")
    assert check(traded.bundle(), traded, *traded.keys)
    # The log before the run is not shown, but for the keys that were opened in it.
    later = TradedMonth("left out later")
    community, pump = later.community, later.pump
    end_s = later.now_s - 7200
    for number in range(8):
        community.reading(pump, end_s + 900 + 900 * number, [2000, 2000])
    later.now_s += 86400
    window = (end_s + 4500, end_s + 6300)
    data = stated_for(later, later.north, *window)
    assert check(data, later, *later.keys)
    held = decoded(data, community.id)
    shown = [new for new in held if new.kid == pump.kid and new.kind in (kinds.KEY_OPEN, kinds.KEY_EPOCH)]
    assert [(new.kind, new.body["key_no"]) for new in shown] == [(kinds.KEY_OPEN, 2)]
    first = next(new for new in community.entries if new.kid == pump.kid)
    for added in ((), (first,)):
        lie = stated_for(later, later.north, *window, lambda new: new.id == shown[0].id, added)
        for files in (later.keys, ()):
            with pytest.raises(audit.Refuted, match="no entry before it commits to the key that seals it"):
                check(lie, later, *files)


def never_opened():
    """(traded, reading): pump seals a reading with a key that it opens nowhere."""
    traded = TradedMonth("never opened")
    community, pump = traded.community, traded.pump
    end_s = traded.now_s - 7200
    body = resealed(traded, KEY, kinds.READING, reading_body(end_s + 900, (2000, 2100)), key_no=9)
    lie = community.publish(pump, kinds.READING, body, end_s + 1800)
    community.reading(pump, end_s + 900, [2000, 2050])
    traded.now_s += 86400
    return traded, lie


def test_a_meter_that_never_opened_its_key_spoils_its_own_entry():
    traded, lie = never_opened()
    end_s = traded.now_s - 86400 - 7200
    data = stated_for(traded, traded.north, end_s, end_s + 1800)
    assert lie.raw in split(data)
    report = check(data, traded, *traded.keys)
    assert len([text for text in report.void if "bad_seal" in text]) == 1
    assert report.fields["grid_import_wh"] == 50


def test_a_key_that_is_opened_afterwards_opens_nothing():
    traded = TradedMonth("too late")
    community, pump = traded.community, traded.pump
    end_s = traded.now_s - 7200
    key = period_keys.period_key(pump.secret, pump.kid, pump.key_no + 1)
    body = resealed(traded, key, kinds.READING, reading_body(end_s + 900, (2000, 2100)), pump.key_no + 1)
    early = community.publish(pump, kinds.READING, body, end_s + 1800)
    community.open_key(pump, end_s + 1800)
    community.reading(pump, end_s + 900, [2000, 2050])
    traded.now_s += 86400
    assert next(new for new in traded.unsealed if new.id == early.id).is_sealed
    report = check(stated_for(traded, traded.north, end_s, end_s + 1800), traded, *traded.keys)
    assert [text for text in report.void if "bad_seal" in text] and report.fields["grid_import_wh"] == 50


def test_an_entry_about_usage_counts_though_its_seal_is_bad():
    """The contract, the grant and the time are open, and no figure rests on the rest."""
    traded = TradedMonth("bad usage")
    community, pump = traded.community, traded.pump
    said = {"contract": traded.second.id, "attributed_wh": 7, "import_wh": 5, "reason": 3}
    body = resealed(traded, KEY, kinds.USAGE_END, said)
    community.publish(pump, kinds.USAGE_END, body, traded.now_s - 6000)
    community.reading(pump, traded.now_s - 6300, [2000, 2000])
    data = stated_for(traded, traded.north, S, traded.now_s - 5400)
    report = check(data, traded, *traded.keys)
    assert any("the sealed part of entry" in text and "usage_end of pump" in text for text in report.void)


def test_a_key_period_in_which_no_reading_is_needs_no_key(tmp_path):
    traded = TradedMonth("no reading")
    community, pump = traded.community, traded.pump
    begin_s = traded.now_s - 7200 + 2 * 86400
    body = {"contract": traded.second.id, "attributed_wh": 7, "import_wh": 2000, "reason": 3}
    community.publish(pump, kinds.USAGE_END, body, begin_s)
    community.reading(pump, begin_s + 86400, [2000, 2000])
    traded.now_s = begin_s + 2 * 86400
    node = traded.fill(tmp_path)
    data = stated_for(traded, traded.north, S + 4 * 86400, begin_s + 86400)
    (tmp_path / "north.bundle").write_bytes(data)
    asked = disclose(node, "--bundle", tmp_path / "north.bundle", "--dry-run", "--json")
    shown = [row["key_no"] for row in json.loads(asked.out)["key_periods"] if row["label"] == "pump"]
    assert shown == [1, 2, 4]
    given_files = disclosed(community, [one for one in sorted(community.keys) if one[::2] != (pump.kid, 3)])
    report = check(data, traded, given_files)
    assert any("pump" in text and "no key for key period 3;" in text for text in report.missing)
    assert report.fields == check(data, traded, *traded.keys).fields


# The commands


@pytest.fixture(scope="module")
def node(traded, tmp_path_factory):
    return traded.fill(tmp_path_factory.mktemp("node"))


@pytest.fixture
def exported(traded, node, monkeypatch, tmp_path):
    """West's bundle, as the operator writes it."""
    monkeypatch.setattr(data_directory, "clock", lambda: traded.now_s)
    target = tmp_path / "west.bundle"
    assert run("--data", node, "bill", "--owner", "west", "--month", MONTH, "--export", target).status == 0
    return target


def disclose(node, *words):
    return run("--data", node, "disclose", *words)


def audited(traded, target, *files):
    words = [word for path in files for word in ("--keys", path)]
    return run("audit", target, "--root", traded.community.root.public_key.hex(), *words)


FIRST_DAY = ("--from", "2026-10-01", "--to", "2026-10-02")


def test_the_operator_discloses_a_meters_day(traded, node, tmp_path):
    target = tmp_path / "roof.keys"
    result = disclose(node, "--meter", "roof", *FIRST_DAY, "-o", target)
    assert result.status == 0, result.errors
    assert [one.place for one in disclosure.read(str(target)).keys] == places(traded, "roof", key_no=1)
    (key,) = disclosure.read(str(target)).keys
    assert (key.from_s, key.to_s) == (S, S + 4 * HOUR) and key.key == traded.community.keys[key.place]
    row = next(line for line in result.out.splitlines() if line.startswith("roof"))
    assert row.split() == ["roof", "1", "2026-10-01", "02:00", "2026-10-01", "06:00", "4", "0"]
    assert "its whole key period" in result.out and key.key.hex() not in result.out
    assert max(map(len, result.out.splitlines()[:2])) <= 80


def test_times_are_the_communitys_or_unix_seconds(traded, node, tmp_path):
    for words, expected in (
        (("--from", S, "--to", S + 1), 1), (("--from", S + 4 * HOUR - 1, "--to", S + 4 * HOUR), 1),
        (("--from", "2026-10-01T05:59", "--to", "2026-10-01T06:00"), 1), (("--from", S, "--to", traded.now_s), 2),
        (("--from", "2026-10-01T03:59Z", "--to", "2026-10-01T04:30Z"), 1),
        (("--from", "2026-11-01", "--to", "2026-11-02"), 1),
    ):  # fmt: skip
        result = disclose(node, "--meter", "roof", *words, "--dry-run", "--json")
        assert len(json.loads(result.out)["key_periods"]) == expected, words
    gap = disclose(node, "--meter", "roof", "--from", "2026-10-01T06:00", "--to", "2026-10-20", "--dry-run")
    assert (
        gap.status == 1
        and "has no sealed readings in that time; its sealed readings are from 2026-10-01 02:00:00 CEST" in gap.errors
    )


def test_a_dry_run_shows_the_same_and_writes_nothing(node, tmp_path):
    before = sorted(node.rglob("*"))
    shown = disclose(node, "--meter", "roof", *FIRST_DAY, "--dry-run")
    written = disclose(node, "--meter", "roof", *FIRST_DAY, "-o", tmp_path / "x")
    assert shown.out.splitlines()[:-1] == written.out.splitlines()[:-1] and "nothing was written" in shown.out
    assert sorted(node.rglob("*")) == before


def test_for_a_bundle_all_that_it_rests_on_is_disclosed(traded, node, exported, tmp_path):
    bare = audited(traded, exported)
    keys = exported.with_suffix(".keys")
    assert bare.status == 2 and bare.errors.count("\n") == 1
    command = f"wattpact disclose --bundle {exported} -o {keys}"
    assert "key periods 1 to 2 of roof" in bare.errors and f"`{command}`" in bare.errors
    told = run("audit", exported, "--root", traded.community.root.public_key.hex(), "--json")
    shown = json.loads(told.out)
    assert (told.status, shown["verdict"], shown["command"]) == (2, "undecided", command)
    assert {(row["label"], row["key_no"]) for row in shown["missing"]} >= {("roof", 1), ("wallbox", 2)}
    result = run("--data", node, *command.split()[1:])
    assert result.status == 0 and "6 keys in" in result.out
    assert audited(traded, exported, keys).out.startswith("AGREES")
    assert [one.place for one in disclosure.read(str(keys)).keys] == places(traded, "pump", "roof", "wallbox")


def test_a_wrong_key_is_distinguished_from_a_missing_one(traded, exported, tmp_path):
    first, *others = traded.keys[0].keys
    wrong = PeriodKey(*first.place, bytes(48))
    disclosure.write(tmp_path / "bad.keys", Disclosure(traded.community.id, [wrong, *others]))
    result = audited(traded, exported, tmp_path / "bad.keys")
    label = next(one.name for one in traded.community.by_name.values() if one.kid == first.meter)
    assert (result.status, result.out, result.errors.count("\n")) == (2, "", 1)
    assert f"the key given for key period 1 of {label} in " in result.errors
    assert (
        "is not the one that the meter committed to in entry " in result.errors
        and "no key was given" not in result.errors
    )
    assert bytes(48).hex() not in result.errors


def test_an_owner_discloses_the_own_meter_and_no_other(traded, node, exported, tmp_path):
    own = disclose(node, "--meter", "wallbox", *FIRST_DAY, "--as", "west", "-o", tmp_path / "wallbox.keys")
    assert own.status == 0, own.errors
    assert [one.place for one in disclosure.read(str(tmp_path / "wallbox.keys")).keys] == places(
        traded, "wallbox", key_no=1
    )
    other = disclose(node, "--meter", "roof", *FIRST_DAY, "--as", "west", "-o", tmp_path / "roof.keys")
    assert (
        other.status == 1 and "roof belongs to somebody else" in other.errors and not (tmp_path / "roof.keys").exists()
    )
    for name in ("west", "north"):
        result = disclose(node, "--bundle", exported, "--as", name, "-o", tmp_path / f"{name}.keys")
        assert (
            result.status == 0 and "Not disclosed, since the meters belong to others: key periods 1, 2 of" in result.out
        )
    part = audited(traded, exported, tmp_path / "west.keys", tmp_path / "north.keys")
    assert part.status == 2 and "for key periods 1 to 2 of roof;" in part.errors
    assert (
        disclose(node, "--meter", "roof", "--from", S, "--to", traded.now_s, "-o", tmp_path / "roof.keys").status == 0
    )
    files = [tmp_path / f"{name}.keys" for name in ("west", "north", "roof")]
    assert audited(traded, exported, *files).status == 0


@pytest.mark.parametrize(
    ("typed", "shows"),
    [
        ([], "choose what to disclose"),
        (["--meter", "roof"], "choose what to disclose"),
        (["--meter", "roof", "--bundle", "x", *FIRST_DAY], "choose what to disclose"),
        (["--bundle", "x", *FIRST_DAY, "-o", "y"], "leave out --from and --to"),
        (["--meter", "roof", *FIRST_DAY], "give the file for the keys with -o"),
        (["--meter", "roof", *FIRST_DAY, "--dry-run", "-o", "x"], "give the file for the keys"),
        (["--meter", "cellar", *FIRST_DAY, "--dry-run"], "there is no meter 'cellar'"),
        (["--meter", "roof", "--from", "soon", "--to", "2026-10-02", "--dry-run"], "is not a time"),
        (["--meter", "roof", "--from", "2026-10-02", "--to", "2026-10-01", "--dry-run"], "is not before"),
        (["--meter", "roof", *FIRST_DAY, "--as", "dave", "--dry-run"], "there is no person 'dave'"),
        (["--meter", "roof", *FIRST_DAY, "--as", "east", "--dry-run"], "the key of east is not in this data directory"),
        (["--meter", "roof", *FIRST_DAY, "-o", "/nowhere/x"], "cannot write '/nowhere/x'"),
        (["--bundle", "/nowhere/x", "--dry-run"], "No such file"),
        (["--bundle", __file__, "--dry-run"], "is no bundle of this community"),
        (["--bundle", os.devnull, "--dry-run"], "was not signed by a host of this community"),
    ],
)
def test_a_wrong_order_gets_one_line(typed, shows, node, tmp_path):
    result = disclose(node, *typed)
    assert result.status in (1, 2) and result.errors.count("\n") == 1 and result.out == ""
    assert shows in result.errors, result.errors


def test_a_bundle_that_no_host_signed_is_not_disclosed_for(traded, node, exported, tmp_path):
    """Who requests keys may not add to what a bill rests on."""
    raws = split(exported.read_bytes())
    unsigned = raws[-1][:-1] + bytes([raws[-1][-1] ^ 1])
    for name, data in (("cut", raws[:-2] + raws[-1:]), ("unsigned", [*raws[:-1], unsigned])):
        path = tmp_path / name
        path.write_bytes(b"".join(data))
        result = disclose(node, "--bundle", path, "-o", tmp_path / "keys")
        assert result.status == 1 and "was not signed by a host" in result.errors
    assert not (tmp_path / "keys").exists()


def test_without_the_issuers_key_only_a_person_discloses(tmp_path):
    traded = TradedMonth("no issuer")
    node = traded.fill(tmp_path)
    (node / "keys" / "issuer.key").unlink()
    result = disclose(node, "--meter", "roof", *FIRST_DAY, "--dry-run")
    assert (
        result.status == 1
        and "issuer.key, is not in this data directory; a person discloses with --as NAME" in result.errors
    )
    assert disclose(node, "--meter", "wallbox", *FIRST_DAY, "--as", "west", "--dry-run").status == 0


def test_who_moves_in_cannot_show_what_was_before(tmp_path):
    traded = TradedMonth("moved")
    community, pump = traded.community, traded.pump
    moved_s = traded.now_s
    community.certify(pump, community.issuer, roles.METER, 2, begin_s=moved_s, owner=traded.west.kid, rated_w=12000)
    community.begin_epoch(pump, moved_s)
    community.reading(pump, moved_s, [2000, 2020])
    traded.now_s += 86400
    node = traded.fill(tmp_path)
    new = ("--meter", "pump", "--from", moved_s, "--to", moved_s + 900)
    old = ("--meter", "pump", "--from", S, "--to", S + HOUR)
    both = ("--meter", "pump", "--from", S, "--to", moved_s + 900)
    for words, who, status in (
        (new, "west", 0), (old, "west", 1), (both, "west", 1), (old, "north", 0), (new, "north", 1), (both, None, 0),
    ):  # fmt: skip
        party = () if who is None else ("--as", who)
        result = disclose(node, *words, *party, "--dry-run")
        assert result.status == status, (words, who, result.errors)
        if status:
            assert "there is no key here for key period" in result.errors and "who had the meter then" in result.errors


def test_what_is_void_takes_no_key(tmp_path, monkeypatch):
    traded, lie = never_opened()
    node = traded.fill(tmp_path)
    monkeypatch.setattr(data_directory, "clock", lambda: traded.now_s)
    times = ("--from", traded.now_s - 86400 - 7200, "--to", traded.now_s)
    shown = disclose(node, "--meter", "pump", *times, "--dry-run")
    assert shown.status == 0 and "Void, and no key can show them: key period 9 of pump." in shown.out
    bundles, files = tmp_path / "north.bundle", tmp_path / "north.keys"
    words = ("bill", "--owner", "north", "--month", "2026-11", "--export", bundles, "--keys", files)
    assert run("--data", node, *words).status == 0
    assert lie.raw in split(bundles.read_bytes())
    report = audited(traded, bundles, files)
    assert report.status == 0 and "counts for nothing: bad_seal" in report.out


def test_a_meter_that_sealed_nothing_has_nothing_to_disclose(tmp_path):
    traded = TradedMonth("open", sealed=False)
    node = traded.fill(tmp_path)
    result = disclose(node, "--meter", "roof", *FIRST_DAY, "--dry-run")
    assert result.status == 1 and "it has no sealed readings yet" in result.errors


def test_a_community_seals_for_owner_and_operator_alone():
    """The tests' own meters are what they stand for."""
    community = Community(crypto=REAL, seals=DAILY)
    owner = community.person("owner")
    meter = community.meter("meter", owner)
    community.reading(meter, START_S, [0, 5])
    epoch, opened, reading = [new for new in community.entries if new.kid == meter.kid]
    assert [kid for kid, _ in epoch.body["wraps"]] == [community.issuer.kid, owner.kid]
    secret = epochs.unwrap(
        period_keys.sealing_secret(owner.key.seed), owner.kid, (community.id, meter.kid), epoch.body
    )  # fmt: skip
    assert period_keys.commitment(period_keys.period_key(secret, meter.kid, 1)) == opened.body["commitment"]
    assert reading.is_sealed and community.unsealed()[-1].body["registers"][1] == [0, [5]]
