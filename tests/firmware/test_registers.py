"""Registers: exact to the nanojoule, never falling, and hard to convince of what cannot be."""

import case
from wattpact_meter.metering.registers import (
    ADOPTED,
    FALL,
    JUMP,
    MALFORMED,
    MISSING,
    NANOJOULES_PER_WH,
    OPENED,
    PENDING,
    ZERO,
    Bank,
    RegisterError,
)
from wattpact_protocol.log import readings, register_table


def measured(phases=1):
    bank = Bank(20000)
    start = {}
    for phase in range(1, phases + 1):
        for number in register_table.phase_ids(phase):
            start[number] = 0
    bank.open_generation("ct-1", start)
    return bank


def adopted(serial="meter A", wh=1000000, now_s=100):
    bank = Bank(6000)
    assert bank.adopt(serial, {1: wh, 2: 500}, now_s - 1) == PENDING and bank.generation == 0
    assert bank.adopt(serial, {1: wh, 2: 500}, now_s) == OPENED
    return bank


def test_split_energy_adds_up_to_the_last_nanojoule():
    bits = case.Bits("split")
    for _ in range(case.scale(200, 40)):
        bank = measured(3)
        imported = exported = 0
        phases = [[0, 0], [0, 0], [0, 0]]
        for _ in range(50):
            powers = [bits.below(40000001) - 20000000 for _ in range(3)]
            duration_us = bits.choice((0, 1, 19999, 200000, 999999937, bits.below(10**8)))
            bank.add_energy([power * duration_us for power in powers])
            energy = sum(powers) * duration_us
            imported, exported = imported + max(energy, 0), exported + max(-energy, 0)
            for power, row in zip(powers, phases):
                row[power < 0] += abs(power) * duration_us
        values, rests = bank.snapshot(), bank.remainders_nj()
        held = {number: values[number] * NANOJOULES_PER_WH + rests[number] for number in values}
        assert held[1] == imported and held[2] == exported
        for phase in (1, 2, 3):
            ids = register_table.phase_ids(phase)
            assert [held[number] for number in ids] == phases[phase - 1]


def test_one_load_counted_whole_or_in_pieces_gives_the_same_registers():
    whole, pieces = measured(), measured()
    whole.add_energy((1234567 * 3600 * 10**6,))
    bits = case.Bits("pieces")
    left_us = 3600 * 10**6
    while left_us:
        step_us = min(left_us, 1 + bits.below(40000000))
        pieces.add_energy((1234567 * step_us,))
        left_us -= step_us
    assert whole.checkpoint() == pieces.checkpoint() and whole.snapshot()[1] == 1234
    assert whole.remainders_nj()[1] == 567 * NANOJOULES_PER_WH // 1000


def test_a_watt_hour_is_counted_when_it_is_complete():
    bank = measured()
    bank.add_energy((NANOJOULES_PER_WH - 1,))
    assert (bank.snapshot()[1], bank.remainders_nj()[1]) == (0, NANOJOULES_PER_WH - 1)
    bank.add_energy((1,))
    assert (bank.snapshot()[1], bank.remainders_nj()[1]) == (1, 0)
    bank.add_energy((-NANOJOULES_PER_WH,))
    assert bank.snapshot() == {1: 1, 2: 1, 11: 1, 12: 1}
    case.raises(RegisterError, Bank(1000).add_energy, (1,))


def test_where_memory_runs_out_energy_is_in_all_its_registers_or_in_none():
    """Of three phases and their total; it is counted again then, and must not be in a part of them twice."""
    for good in range(5):
        bank = measured(3)
        held, works, calls = bank.checkpoint(), bank._after, []

        def fail(*arguments, works=works, calls=calls, good=good):
            calls.append(arguments)
            if len(calls) > good:
                raise MemoryError("memory allocation failed")
            return works(*arguments)

        bank._after = fail
        phases_nj = [3 * NANOJOULES_PER_WH, -NANOJOULES_PER_WH, 1]
        if good < 4:
            case.raises(MemoryError, bank.add_energy, phases_nj)
            assert bank.checkpoint() == held, good
        else:
            bank.add_energy(phases_nj)
            assert bank.snapshot() == {1: 2, 2: 0, 11: 3, 12: 0, 21: 0, 22: 1, 31: 0, 32: 0}


def test_phases_that_oppose_each_other_are_netted_in_the_total():
    bank = measured(3)
    bank.add_energy([power * 3600 * 10**6 for power in (3600000, -1200000, -1200000)])
    assert bank.snapshot() == {1: 1200, 2: 0, 11: 3600, 12: 0, 21: 0, 22: 1200, 31: 0, 32: 1200}


def test_adopted_registers_equal_the_meters():
    bank = adopted()
    assert bank.snapshot() == {1: 1000000, 2: 500} and bank.serial == "meter A" and bank.generation == 1
    assert bank.adopt("meter A", {1: 1000010, 2: 500, 3: 400000}, 110) == ADOPTED
    assert bank.snapshot() == {1: 1000010, 2: 500, 3: 400000}
    one_way = Bank(6000)
    for now_s in (1, 2):
        one_way.adopt("heat pump", {1: 7}, now_s)
    assert one_way.snapshot() == {1: 7, 2: 0}
    assert one_way.adopt("heat pump", {1: 8}, 3) == ADOPTED


def test_impossible_registers_are_rejected_whole_and_counted():
    bank = adopted()
    limit_wh = 7200 * (10 + 60) // 3600 + 2  # a fifth above the rated 6 kW, for the time and a minute
    for values, verdict in (
        ({1: 999999, 2: 500}, FALL),
        ({1: 1000005, 2: 499}, FALL),
        ({1: 0, 2: 0}, ZERO),
        ({1: 1000000 + limit_wh + 1, 2: 500}, JUMP),
        ({1: 1000000, 2: 500 + limit_wh + 1}, JUMP),
        ({1: 1000000}, MISSING),
        ({2: 500}, MALFORMED),
        ({1: 1000000, 2: 500, 64: 100}, MALFORMED),
        ({1: 1000000, 2: 500, 7: 1}, MALFORMED),
        ({1: -1, 2: 500}, MALFORMED),
        ({1: register_table.MAX_WH + 1, 2: 500}, MALFORMED),
        ({}, MALFORMED),
    ):
        before = bank.verdicts.get(verdict, 0)
        assert bank.adopt("meter A", values, 110) == verdict, values
        assert bank.verdicts[verdict] == before + 1 and bank.snapshot() == {1: 1000000, 2: 500}
    assert bank.adopt("meter A", {1: 1000000 + limit_wh, 2: 500}, 110) == ADOPTED
    assert sum(bank.verdicts.values()) == 2 + 12 + 1


def test_a_stopped_clock_allows_no_more_than_the_lag():
    bank = adopted()
    assert bank.adopt("meter A", {1: 1000123, 2: 500}, 50) == JUMP
    assert bank.adopt("meter A", {1: 1000100, 2: 500}, 50) == ADOPTED
    assert bank.adopt("meter A", {1: 1000123, 2: 500}, 50) == JUMP  # the lag is not granted twice
    assert bank.adopt("meter A", {1: 1000122, 2: 500}, 50) == ADOPTED
    assert bank.adopt("meter A", {1: 1000123, 2: 500}, 50) == JUMP


def test_small_jumps_do_not_add_up():
    bank = adopted(now_s=0)
    for now_s in range(1, 3601):
        held = bank.snapshot()[1]
        while bank.adopt("meter A", {1: held + 1, 2: 500}, now_s) == ADOPTED:
            held += 1
        bank.adopt("meter A", {1: held, 2: 500}, now_s)
    assert bank.verdicts[JUMP] > 3000 and bank.generation == 1
    assert 7200 <= held - 1000000 <= 7200 + 7200 * 60 // 3600 + 10


def test_of_a_load_beyond_the_rated_no_more_than_a_fifth_above_it_is_counted():
    for load_w, most_lost_percent in ((7800, 3), (10800, 60)):
        bank, counted, opened_wh = adopted(now_s=0), 0, 1000000
        for now_s in range(1, 7201):
            wh = 1000000 + load_w * now_s // 3600
            if bank.adopt("meter A", {1: wh, 2: 500}, now_s) == OPENED:
                counted += bank.closing_wh[1] - opened_wh
                opened_wh = wh
        counted += bank.snapshot()[1] - opened_wh
        used = wh - 1000000
        assert counted <= min(used, 2 * (7200 + 60 * bank.generation)), (load_w, counted)
        assert counted * 100 >= used * (100 - most_lost_percent), (load_w, counted, used)


def test_idle_time_is_not_saved_up_for_a_jump():
    bank = adopted(now_s=0)
    for now_s in range(1, 1001):
        assert bank.adopt("meter A", {1: 1000000, 2: 500}, now_s, 0) == ADOPTED
    assert bank.adopt("meter A", {1: 1000125, 2: 500}, 1001, 0) == JUMP
    assert bank.adopt("meter A", {1: 1000124, 2: 500}, 1001, 0) == ADOPTED


def test_registers_that_move_once_an_hour_or_by_whole_kwh_are_adopted_when_they_come():
    for every_s, resolution_wh, rated_w, load_w, shown in (
        (3600, 1, 11000, 1000, False), (3600, 1, 11000, 1000, True), (3600, 1, 3680, 3500, True),
        (300, 1, 3680, 3500, False), (10, 1000, 11000, 1000, False), (10, 1000, 3680, 3600, True),
        (10, 100, 3680, 3000, True),
    ):  # fmt: skip
        bank, held = Bank(rated_w), 5_000_000
        for now_s in range(0, 6 * 3600 + 1, 10):
            if now_s % every_s == 0:
                held = (5_000_000 + load_w * now_s // 3600) // resolution_wh * resolution_wh
            bank.adopt("A", {1: held, 2: 0}, now_s, load_w if shown else None)
            assert now_s < 10 or bank.snapshot()[1] == held, (every_s, resolution_wh, now_s)
        assert bank.generation == 1 and 5_000_000 + load_w * 6 - held < resolution_wh


def test_what_may_come_at_once_is_what_was_shown_to_be_used():
    for power_w, most_wh in ((None, 11000 * 12 // 10 * 4000 // 3600 + 220), (100, 2 * 100 * 3590 // 3600 + 220)):
        for too_much in (0, 1):
            bank = Bank(11000)
            for now_s in range(0, 7201 if power_w is None else 3600, 10):
                bank.adopt("A", {1: 5_000_001, 2: 0}, now_s, power_w)
            verdict = bank.adopt("A", {1: 5_000_001 + most_wh + 2 + too_much, 2: 0}, now_s + 10, power_w)
            assert verdict == (JUMP if too_much else ADOPTED), (power_w, verdict)


def test_registers_that_rest_while_power_flows_are_frozen():
    for power_w, after_s in ((3600, 4000), (-3600, 4000), (100, 72_000), (0, None), (None, None)):
        bank = Bank(11000)
        since = None
        for now_s in range(0, 80_000, 10):
            assert now_s < 20 or bank.adopt("A", {1: 5_000_000, 2: 0}, now_s, power_w) == ADOPTED
            if now_s < 20:
                bank.adopt("A", {1: 5_000_000, 2: 0}, now_s, power_w)
            if bank.is_frozen(now_s) and since is None:
                since = now_s
        assert (since is None) == (after_s is None) and (not since or after_s < since <= after_s + 40), (power_w, since)
        bank.adopt("A", {1: 5_000_001, 2: 0}, now_s, power_w)
        assert not bank.is_frozen(now_s)


OLD, STEPS = {1: 17_077_972, 2: 900}, ({1: 7, 2: 900}, {1: 17_082_973, 2: 900}, {1: 17_077_972, 2: 0}, {1: 17_077_972})


def insisted(bank, values, from_s, count, every_s=1, watts=3600):
    """The verdicts on a meter that goes on from there."""
    verdicts = []
    for k in range(count):
        now = dict(values)
        now[1] += watts * every_s * k // 3600
        verdicts.append(bank.adopt("meter A", now, from_s + every_s * k, watts))
    return verdicts


def test_a_step_that_stays_begins_a_new_generation_and_is_no_energy():
    for step in STEPS:
        bank = Bank(11000)
        for now_s in (0, 1):
            bank.adopt("meter A", OLD, now_s)
        verdicts = insisted(bank, step, 2, 60)
        assert verdicts[4:] == [OPENED] + [ADOPTED] * 55 and OPENED not in verdicts[:4], (step, verdicts)
        assert bank.generation == 2 and bank.closing_wh == OLD and bank.snapshot()[1] == step[1] + 59


def test_a_rejected_jump_is_no_energy_however_much_time_passes():
    for pause_s in (10, 3600, 86400):
        bank = Bank(11000)
        for now_s in (0, 1):
            bank.adopt("meter A", OLD, now_s)
        for k in range(5):
            verdict = bank.adopt("meter A", {1: OLD[1] + 1500 + k, 2: 900}, 10 + k * pause_s)
            assert verdict == (OPENED if k == 4 else JUMP), (pause_s, k)
            assert bank.snapshot()[1] == OLD[1] + (1504 if k == 4 else 0)
        assert bank.generation == 2


def test_true_registers_that_come_back_after_bogus_ones_go_on():
    bank = Bank(11000)
    for now_s in range(600):
        bogus = now_s % 100 in (50, 51, 52, 53)
        true = {1: 5_000_000 + now_s, 2: 0}
        verdict = bank.adopt("meter A", {1: 80_000 + now_s, 2: 0} if bogus else true, now_s)
        assert now_s < 2 or verdict == (FALL if bogus else ADOPTED), (now_s, verdict)
        assert bogus or now_s < 2 or bank.snapshot() == true
    assert bank.generation == 1


def test_registers_that_insist_in_a_burst_wait_for_time_to_pass():
    bank = adopted()
    for _ in range(50):
        assert bank.adopt("meter A", {1: 7, 2: 500}, 110) == FALL
    assert bank.adopt("meter A", {1: 8, 2: 500}, 114) == OPENED


def test_nothing_but_zeros_must_last_ten_minutes():
    for tail, opened_s in (({1: 0, 2: 0}, 600), ({1: 1, 2: 0}, 100)):
        bank = adopted(now_s=0)
        for now_s in range(1000):
            verdict = bank.adopt("meter A", {1: 0, 2: 0} if now_s < 100 else tail, 1000 + now_s)
            if verdict == OPENED:
                break
        assert now_s == opened_s and bank.generation == 2 and bank.closing_wh[1] == 1000000
    bank = Bank(11000)
    for now_s, wh in enumerate([0, 0] + [50_002 + k for k in range(58)]):  # zeros at the start of a source
        bank.adopt("meter A", {1: wh, 2: 0}, now_s)
    assert bank.snapshot() == {1: 50_059, 2: 0} and bank.generation == 2 and bank.closing_wh == {1: 0, 2: 0}


def test_a_source_that_flaps_begins_generations_ever_more_rarely():
    bank = adopted()
    opened = []
    for k in range(6000):
        block = k // 40 % 2
        if bank.adopt("meter A", {1: 5_000_000 * block + 3, 2: 500}, 200 + k) == OPENED:
            opened.append(k)
    assert 3 <= bank.generation <= 5, opened
    for k in range(3000):
        bank.adopt("meter A", {1: 5_000_003, 2: 500}, 7000 + k)
    assert insisted(bank, {1: 7, 2: 500}, 10_000, 5)[4] == OPENED  # it is trusted again after ten quiet minutes


def test_after_a_restart_a_swapped_meter_is_no_energy():
    saved = adopted().checkpoint()
    for outage_s, higher_wh, opens in ((30, 5000, True), (3 * 3600, 5000, False), (3600, -999_000, True)):
        bank = Bank(6000, outage_s)
        bank.restore(saved)
        verdicts = insisted(bank, {1: 1_000_000 + higher_wh, 2: 500}, 50, 10)
        assert bank.generation == 1 + opens and (OPENED in verdicts) == opens, (outage_s, verdicts)
    bank = Bank(6000, None)
    bank.restore(saved)
    assert insisted(bank, {1: 1_005_000, 2: 500}, 50, 10) == [PENDING] * 10
    bank.outage_s = 60
    assert OPENED in insisted(bank, {1: 1_005_010, 2: 500}, 60, 10) and bank.generation == 2
    bank = Bank(6000, None)
    bank.restore(saved)
    assert insisted(bank, {1: 1_000_003, 2: 500}, 50, 2) == [PENDING, ADOPTED]  # nothing to wait for


def test_a_new_generation_can_be_demanded():
    bank = adopted()
    bank.begin_anew()
    assert bank.adopt("meter A", {1: 1_000_090, 2: 500}, 110) == PENDING
    assert bank.adopt("meter A", {1: 1_000_091, 2: 500}, 111) == OPENED and bank.generation == 2
    assert bank.adopt("meter A", {1: 1_000_092, 2: 500}, 112) == ADOPTED and bank.generation == 2


def test_registers_that_alternate_with_a_bogus_zero():
    for begins_with_zero in (False, True):
        bank = Bank(6000)
        taken = 0
        for k in range(20):
            bogus = (k % 2 == 0) == begins_with_zero
            verdict = bank.adopt("meter A", {1: 0, 2: 0} if bogus else {1: 5000000 + k, 2: 9}, k)
            taken += verdict in (OPENED, ADOPTED)
            assert bank.generation == 0 or bank.snapshot()[1] >= 5000000
        assert bank.snapshot() == {1: 5000018 + begins_with_zero, 2: 9}
        assert taken >= 8 and bank.generation == 1 and bank.verdicts[ZERO] >= 8


def test_a_bogus_first_reading_does_not_lock_the_true_ones_out():
    for bogus in ({1: 999999999, 2: 9}, {1: 0, 2: 0}, {1: 5000000, 2: 9, 3: 88}):
        bank = Bank(6000)
        assert bank.adopt("meter A", bogus, 0) == PENDING
        for k in range(1, 9):
            bank.adopt("meter A", {1: 5000000, 2: 9}, k)
        assert bank.snapshot() == {1: 5000000, 2: 9} and bank.generation == 1


def test_another_serial_opens_a_new_generation_once_confirmed():
    bank = adopted()
    assert bank.adopt("meter B", {1: 3, 2: 0}, 120) == PENDING and bank.serial == "meter A"
    assert bank.adopt("meter A", {1: 1000003, 2: 500}, 121) == ADOPTED  # a single strange telegram passes by
    assert bank.adopt("meter B", {1: 3, 2: 0}, 122) == PENDING
    assert bank.adopt("meter B", {1: 4, 2: 0}, 123) == OPENED
    assert (bank.serial, bank.generation, bank.snapshot()) == ("meter B", 2, {1: 4, 2: 0})
    assert bank.closing_wh == {1: 1000003, 2: 500}


def test_checkpoints_carry_remainders_and_never_let_a_register_fall():
    bank = measured()
    bank.add_energy((1500 * 3600 * 10**6,))
    saved = bank.checkpoint()
    bank.add_energy((-700 * (3600 * 10**6 + 1),))
    later = bank.checkpoint()
    fresh = Bank(20000)
    fresh.restore(later)
    assert fresh.checkpoint() == later and fresh.remainders_nj() == bank.remainders_nj() and fresh.serial == "ct-1"
    case.raises(RegisterError, fresh.restore, saved)
    fresh.open_generation("ct-2", {1: 5})
    case.raises(RegisterError, fresh.restore, later)
    assert fresh.snapshot()[1] == 5 and fresh.generation == 2


def test_what_is_no_checkpoint_is_rejected():
    good = measured().checkpoint()
    bad = [None, [], {}, good[:3], good + [0], [2] + good[1:], [1, -1, "a", []], [1, 1, b"a", []], [1, 1, "a", 5]]
    for row in ([1, 2], [1, 2, 3, 4], [7, 0, 0], [64, 0, 0], [1, -1, 0], [1, 0, NANOJOULES_PER_WH], [1, "0", 0], 5):
        bad.append([1, 1, "a", [row]])
    bad.append([1, 1, "a", [[1, 0, 0], [1, 0, 0]]])
    for structure in bad:
        bank = measured()
        case.raises(RegisterError, bank.restore, structure)
        assert bank.checkpoint() == good


def test_after_a_restart_the_source_must_agree_twice_and_with_what_was_held():
    saved = adopted().checkpoint()
    bank = Bank(6000, outage_s=86400)
    bank.restore(saved)
    assert bank.adopt("meter A", {1: 999000, 2: 500}, 1) == FALL
    assert bank.adopt("meter A", {1: 1000000 + 200000, 2: 500}, 2) == JUMP  # more than a day of 7.2 kW
    assert bank.adopt("meter A", {1: 1100000, 2: 500}, 3) == PENDING
    assert bank.adopt("meter A", {1: 1000400, 2: 500}, 4) == FALL
    for now_s in (5, 6, 7):
        verdict = bank.adopt("meter A", {1: 1000400, 2: 500}, now_s)
    assert verdict == ADOPTED and bank.snapshot()[1] == 1000400 and bank.generation == 1


def test_no_sequence_of_readings_makes_a_register_fall():
    bits = case.Bits("sequences")
    for _ in range(case.scale(300, 40)):
        bank = Bank(6000, outage_s=3600)
        now_s, true_wh = 0, bits.below(10**6)
        calls = 0
        for _ in range(100):
            now_s += bits.below(20)
            true_wh += bits.below(20)
            values = {1: true_wh, 2: 0}
            if bits.below(3) == 0:
                values = {1: bits.choice((0, 1, true_wh - 1, true_wh * 10, 1 << 40)), 2: bits.below(3)}
            before, generation = bank.snapshot(), bank.generation
            bank.adopt(bits.choice(("A", "A", "A", "A", "A", "B")), values, now_s)
            calls += 1
            after = bank.snapshot()
            if bank.generation == generation:
                assert all(after[number] >= wh for number, wh in before.items())
                if before and bank.verdicts.get(ADOPTED) and before != after:
                    assert values[1] == after[1]
            if bits.below(30) == 0:
                restarted = Bank(6000, outage_s=3600)
                restarted.restore(bank.checkpoint())
                restarted.verdicts = bank.verdicts
                bank = restarted
        assert sum(bank.verdicts.values()) == calls


def test_ids_are_those_of_the_readings():
    assert register_table.FIRST_INSTANTANEOUS == readings.FIRST_INSTANTANEOUS
    assert (register_table.IMPORT_WH, register_table.EXPORT_WH) == (readings.IMPORT_WH, readings.EXPORT_WH)
    assert register_table.MAX_WH == readings.MAX_WH
    assert [n for n in sorted(register_table.TABLE) if register_table.is_cumulative(n)] == [
        1, 2, 3, 4, 5, 6, 11, 12, 21, 22, 31, 32
    ]  # fmt: skip
    assert not register_table.is_cumulative(7) and not register_table.is_known(0)
    assert register_table.phase_ids(2) == (21, 22)
    case.raises(ValueError, register_table.phase_ids, 4)
