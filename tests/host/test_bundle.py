"""Bundles: where one entry ends and the next begins, one order, and entries that are enough and no more."""

import io

import case
import pytest
from simulator.community import DAILY, Community
from simulator.month import HOUR, MONTH, S, TradedMonth
from wattpact.accounts import Accounts
from wattpact.audit import program
from wattpact.billing import bill, collect
from wattpact.bundle import format
from wattpact_protocol.log import entry, event_codes, kinds


@pytest.fixture(scope="module")
def traded() -> TradedMonth:
    return TradedMonth("bundle")


def split(data: bytes) -> list[bytes]:
    return [raw for _, raw in format.read(io.BytesIO(data))]


def collected(traded: TradedMonth, owner, entries=None, month=MONTH):
    accounts = traded.accounts()
    made = bill.make(accounts, owner.kid, month)
    return collect.collect(entries or traded.unsealed, accounts.inputs, made.statement, traded.community.host.kid)


def test_a_bundle_is_head_records_and_whole_entries_and_nothing_else(traded):
    data = traded.bundle()
    assert b"".join(split(data)) == data
    decoded = [entry.decode(raw, traded.community.id) for raw in format.entries_of(io.BytesIO(data))]
    assert decoded[-1].kind == kinds.STATEMENT and decoded[-1].kid == traded.community.host.kid
    assert all(new.kind != kinds.STATEMENT for new in decoded[:-1])


def test_the_same_entries_in_whatever_order_make_the_same_bundle(traded):
    expected = [new.id for new in collected(traded, traded.west)]
    for seed in range(20):
        entries = list(traded.unsealed)
        case.Bits(seed).shuffle(entries)
        assert [new.id for new in collected(traded, traded.west, entries)] == expected


def test_nothing_of_others_and_other_times_is_in_it():
    traded = TradedMonth("far")
    community = traded.community
    dora = community.person("dora")
    far = community.meter("far", dora)
    kept = [new.id for new in collected(traded, traded.west)]
    community.reading(far, S, [0, 5])
    later = traded.now_s + 40 * 24 * HOUR
    community.reading(traded.wallbox, later, [99_000, 99_001])
    community.tariff(later, 1, 1, later)
    assert [new.id for new in collected(traded, traded.west)] == kept
    certified = [new.body["label"] for new in collected(traded, traded.west) if new.kind == kinds.CERTIFICATE]
    assert "far" not in certified and "dora" not in certified


def test_a_run_brackets_its_window():
    community = Community()
    meter = community.meter("meter")
    community.publish(meter, kinds.EVENT, {"code": event_codes.BOOT})
    log = [community.entries[-1]]
    log += [community.reading(meter, S + 900 * i, [i, i + 1]) for i in range(10)]

    def run(from_s, to_s, voids=()):
        return [log.index(new) for new in collect.run(log, {log[i].id for i in voids}, from_s, to_s)]

    assert run(S + 1800, S + 3600) == [3, 4]
    assert run(S + 1799, S + 3601) == [2, 3, 4, 5]
    assert run(S - 1, S + 900) == [0, 1]
    assert run(S + 1800, S + 3600, voids=[3]) == [2, 3, 4]
    assert run(S + 7200, S + 99999) == [9, 10]
    assert run(S + 99999, S + 100000) == [10]
    # A generation that reaches back over the one before is no bracket: what it adds depends on what it overlaps.
    back = community.reading(meter, S + 8100, [0, 1, 2], register_generation=1)
    log.append(back)
    assert run(S + 8999, S + 9900) == [10, 11]


def test_a_reading_that_nobody_opened_bounds_no_run():
    community = Community(seals=DAILY)
    meter = community.meter("meter", community.person("owner"))
    for i in range(6):
        community.reading(meter, S + 900 * i, [i, i + 1])
    log = [new for new in community.unsealed() if new.kid == meter.kid]
    shut = [new for new in community.entries if new.kid == meter.kid]
    assert [new.kind for new in log[:2]] == [kinds.KEY_EPOCH, kinds.KEY_OPEN]

    def run(closed=()):
        entries = [shut[i] if i in closed else log[i] for i in range(len(log))]
        return [entries.index(new) for new in collect.run(entries, set(), S + 1800, S + 3600)]

    assert run() == [4, 5]
    assert run([4, 5]) == [3, 4, 5, 6]
    assert run(range(len(log))) == list(range(len(log)))
    assert {collect.key_no_of(new) for new in log[2:] + shut[2:]} == {1}
    assert collect.key_no_of(log[1]) is collect.key_no_of(community.entries[0]) is None


def test_a_meter_with_many_readings_gives_those_of_the_month_alone():
    community = Community()
    east = community.person("east")
    meter = community.meter("meter", east)
    for day in range(70):
        t0_s = S - 20 * 86400 + 86400 * day
        community.reading(meter, t0_s, [day * 10, day * 10 + 10], step_s=86400)
    accounts = Accounts()
    accounts.apply(community.entries)
    accounts.settle(S + 60 * 86400)
    made = bill.make(accounts, east.kid, "2026-10")
    picked = collect.collect(community.entries, accounts.inputs, made.statement, community.host.kid)
    assert sum(new.kind == kinds.READING for new in picked) == 32


@pytest.mark.parametrize("size", range(1, 21))
def test_a_head_that_is_cut_is_no_entry(traded, size):
    with pytest.raises(format.BundleError, match="no entry begins here|ends within"):
        list(format.read(io.BytesIO(traded.bundle()[:size])))


def test_reading_stays_small_whatever_it_is_given():
    class Endless(io.RawIOBase):
        """A file without end; it counts what is taken from it."""

        taken = 0

        def read(self, size=-1):
            assert 0 <= size <= 1024
            self.taken += size
            return b"\xd2\x84" + bytes(size - 2) if self.taken <= 20 else bytes(size)

    file = Endless()
    with pytest.raises(format.BundleError):
        list(format.read(file))
    assert file.taken <= 1024


@pytest.mark.parametrize("data", [b"root:x:0:0", b"\xd2", b"\x00" * 99, b"PK\x03\x04"])
def test_a_file_that_is_no_bundle_refutes_no_bill(tmp_path, data):
    path, errors = tmp_path / "keys", io.StringIO()
    path.write_bytes(data)
    assert program.run(str(path), "00" * 32, [], False, io.StringIO(), errors) == program.UNREADABLE
    assert errors.getvalue() == f"wattpact: {str(path)!r} is not a bundle\n"
