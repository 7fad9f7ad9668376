"""The journal under power cuts at every byte, damage, a full flash and, on MicroPython, a littlefs that loses power."""

import os

import case
from case import raises
from simulator import flash
from wattpact_meter.storage import journal
from wattpact_meter.storage.journal import Journal, JournalError, JournalFull


def entry(sequence, length=None):
    bits = case.Bits("entry %d" % sequence)
    return bits.bytes(1 + bits.below(90) if length is None else length)


def fill(trader, count):
    for sequence in range(trader.next_sequence, trader.next_sequence + count):
        trader.append(entry(sequence), sequence)


def assert_holds(trader, first, after):
    assert trader.next_sequence == after
    for sequence in range(first, after):
        assert trader.read(sequence) == entry(sequence), sequence


def assert_goes_on(trader):
    after = trader.next_sequence
    fill(trader, 3)
    assert_holds(trader, after, after + 3)


def test_what_was_appended_is_read_back():
    with flash.Folder() as folder:
        trader = Journal(folder + "/j", segment_bytes=400)
        assert (trader.first, trader.next_sequence, trader.read(-1), trader.read(0)) == (0, 0, None, None)
        fill(trader, 40)
        for opened in (trader, Journal(folder + "/j", segment_bytes=400)):
            assert_holds(opened, 0, 40)
            assert (opened.first, opened.read(40), opened.read(-1)) == (0, None, None)
            assert (opened.missing, opened.dropped_bytes) == ([], 0)
            for sequence in (39, 3, 17, 16, 4, 5, 6, 0):  # in any order
                assert opened.read(sequence) == entry(sequence)
        assert len(flash.names(folder + "/j")) > 4


def test_a_place_far_in_a_segment_is_looked_for_in_steps():
    """No slice of a meter reads more than a few records, wherever a host wants its log from."""
    with flash.Folder() as folder:
        trader = Journal(folder + "/j", segment_bytes=16_000)
        fill(trader, 80)
        for sequence in (79, 40, 3):
            given_up = trader.read_steps(sequence)
            next(given_up, None)
            given_up.close()
            gave_way, work = 0, trader.read_steps(sequence)
            while True:
                try:
                    next(work)
                    gave_way += 1
                except StopIteration as done:
                    assert done.value == entry(sequence)
                    break
            assert gave_way >= sequence // 4, (sequence, gave_way)
            assert trader.read(sequence + 1) == (entry(sequence + 1) if sequence < 79 else None)


def test_every_append_is_made_durable_before_it_returns():
    lengths = []
    with flash.Folder() as folder:
        path = folder + "/0000000000.log"

        def sync(file):
            file.flush()
            lengths.append(len(flash.read(path)))

        trader = Journal(folder, fsync=sync)
        fill(trader, 5)
        total = 0
        for sequence in range(5):
            total += 16 + len(entry(sequence))
            assert lengths[sequence] == total
        assert len(lengths) == 5


def test_an_append_out_of_order_or_out_of_bounds_is_rejected():
    with flash.Folder() as folder:
        trader = Journal(folder)
        raises(JournalError, trader.append, b"x", 1)
        fill(trader, 3)
        for sequence in (0, 2, 4, -1):
            raises(JournalError, trader.append, b"x", sequence)
        raises(JournalError, trader.append, b"", 3)
        raises(JournalError, trader.append, bytes(1025), 3)
        trader.append(bytes(1024), 3)
        assert trader.read(3) == bytes(1024)
        assert Journal(folder).read(2) == entry(2)


def test_power_cut_at_every_byte_of_an_append():
    with flash.Folder() as folder:
        trader = Journal(folder + "/whole", segment_bytes=300)
        fill(trader, 9)
        before = {name: flash.read(folder + "/whole/" + name) for name in flash.names(folder + "/whole")}
        fill(trader, 1)
        whole = flash.read(folder + "/whole/" + flash.names(folder + "/whole")[-1])
        last = flash.names(folder + "/whole")[-1]
        start = len(before.get(last, b""))
        assert start > 0  # the append goes into a segment that has records
        for cut in range(start, len(whole)):
            os.mkdir(folder + "/cut")
            for name, data in before.items():
                flash.write(folder + "/cut/" + name, whole[:cut] if name == last else data)
            opened = Journal(folder + "/cut", segment_bytes=300)
            assert_holds(opened, 0, 9)
            assert (opened.missing, opened.dropped_bytes) == ([], cut - start), cut
            assert_goes_on(opened)
            opened.close()
            again = Journal(folder + "/cut", segment_bytes=300)
            assert_holds(again, 0, 12)
            assert again.missing == []
            flash.clear(folder + "/cut")


def test_power_cut_at_every_byte_of_the_first_record_of_a_segment():
    with flash.Folder() as folder:
        for held in (0, 4):
            trader = Journal(folder + "/whole", segment_bytes=64)
            for sequence in range(held + 1):
                trader.append(entry(sequence, 60), sequence)
            trader.close()
            names = flash.names(folder + "/whole")
            whole = flash.read(folder + "/whole/" + names[-1])
            assert len(names) == held + 1
            for cut in range(len(whole)):
                flash.write(folder + "/whole/" + names[-1], whole[:cut])
                opened = Journal(folder + "/whole", segment_bytes=64)
                assert opened.next_sequence == held
                assert (opened.missing, opened.dropped_bytes) == ([], cut)
                opened.append(b"in its place", held)
                opened.close()
                again = Journal(folder + "/whole", segment_bytes=64)
                assert (again.read(held), again.dropped_bytes) == (b"in its place", 0)
                assert [again.read(n) for n in range(held)] == [entry(n, 60) for n in range(held)]
            flash.clear(folder + "/whole")


def test_power_cut_between_the_steps_of_a_prune():
    with flash.Folder() as folder:
        trader = Journal(folder, segment_bytes=200)
        fill(trader, 40)
        names = flash.names(folder)
        firsts = [int(name[:-4]) for name in names]
        for removed in range(1, len(names)):
            os.remove(folder + "/" + names[removed - 1])
            opened = Journal(folder, segment_bytes=200)
            assert (opened.first, opened.missing) == (firsts[removed], [])
            assert_holds(opened, firsts[removed], 40)


def test_prune_drops_whole_segments_and_never_the_last():
    with flash.Folder() as folder:
        trader = Journal(folder, segment_bytes=200)
        fill(trader, 40)
        firsts = [int(name[:-4]) for name in flash.names(folder)]
        before = trader.size_bytes
        trader.prune(firsts[3] + 1)
        assert trader.first == firsts[3] and trader.size_bytes < before
        assert_holds(trader, firsts[3], 40)
        assert trader.read(firsts[3] - 1) is None and not trader.missing
        trader.prune(10**9)
        assert trader.first == firsts[-1] and flash.names(folder) == ["%010d.log" % firsts[-1]]
        assert trader.next_sequence == Journal(folder).next_sequence == 40
        assert_goes_on(trader)


def test_pruned_to_a_torn_segment_the_sequence_goes_on():
    with flash.Folder() as folder:
        trader = Journal(folder, segment_bytes=64)
        for sequence in range(4):
            trader.append(entry(sequence, 60), sequence)
        trader.close()
        flash.write(folder + "/0000000003.log", b"WJ\0")
        trader = Journal(folder, segment_bytes=64)
        trader.prune(3)
        assert flash.names(folder) == ["0000000003.log"]
        assert Journal(folder).next_sequence == 3
        trader.append(b"three", 3)
        assert Journal(folder).read(3) == b"three"


def test_damage_anywhere_is_seen_and_what_checks_is_kept():
    with flash.Folder() as folder:
        trader = Journal(folder + "/j", segment_bytes=250)
        fill(trader, 12)
        trader.close()
        names = flash.names(folder + "/j")
        assert len(names) >= 3
        tried = 0
        for name in names[:-1]:
            path = folder + "/j/" + name
            data = flash.read(path)
            for place in range(0, len(data), case.scale(1, 5)):
                flash.write(path, data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
                damaged = Journal(folder + "/j", segment_bytes=250)
                lost = [n for n in range(12) if damaged.read(n) is None]
                assert len(lost) == 1, (name, place, lost)
                assert damaged.missing == [(lost[0], lost[0] + 1)]
                assert damaged.next_sequence == 12
                assert [n for n in range(12) if damaged.read(n) not in (entry(n), None)] == []
                tried += 1
            flash.write(path, data)
        assert tried > 40


def test_damage_after_opening_is_seen_when_it_is_read():
    with flash.Folder() as folder:
        trader = Journal(folder)
        fill(trader, 6)
        trader.close()
        path = folder + "/0000000000.log"
        data = flash.read(path)
        place = data.find(entry(2)) if len(entry(2)) > 3 else 0
        flash.write(path, data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert not trader.missing
        assert trader.read(2) is None
        assert trader.missing == [(2, 3)]
        assert trader.read(3) == entry(3) and trader.read(1) == entry(1)


def test_a_segment_that_is_gone_is_missed():
    with flash.Folder() as folder:
        trader = Journal(folder, segment_bytes=200)
        fill(trader, 30)
        trader.close()
        names = flash.names(folder)
        os.remove(folder + "/" + names[2])
        first, after = int(names[2][:-4]), int(names[3][:-4])
        opened = Journal(folder, segment_bytes=200)
        assert opened.missing == [(first, after)]
        assert [opened.read(n) for n in range(first)] == [entry(n) for n in range(first)]
        assert [opened.read(n) for n in range(after, 30)] == [entry(n) for n in range(after, 30)]
        assert [opened.read(n) for n in range(first, after)] == [None] * (after - first)


def test_files_of_others_are_left_alone():
    with flash.Folder() as folder:
        flash.write(folder + "/notes.txt", b"hello")
        flash.write(folder + "/x1.log", b"hello")
        fill(Journal(folder), 2)
        assert_holds(Journal(folder), 0, 2)
        assert flash.read(folder + "/notes.txt") == b"hello"


def test_a_full_journal_raises_and_goes_on_after_pruning():
    with flash.Folder() as folder:
        trader = Journal(folder, limit_bytes=1000, segment_bytes=250)
        count = 0
        try:
            while True:
                trader.append(entry(count, 50), count)
                count += 1
        except JournalFull as error:
            assert "1000 bytes" in str(error)
        assert count == 1000 // 66
        raises(JournalFull, trader.append, entry(count, 50), count)
        trader.prune(6)
        trader.append(entry(count, 50), count)
        assert Journal(folder).next_sequence == count + 1 and not Journal(folder).missing


class Failing:
    """A sync that fails the second time, after the bytes may have reached flash."""

    def __init__(self, number):
        self.calls = 0
        self.number = number

    def __call__(self, file):
        file.flush()
        self.calls += 1
        if self.calls == 2:
            raise OSError(self.number, "the flash")


def test_an_append_that_failed_gives_way_to_what_follows_it():
    for number, error in ((28, JournalFull), (5, JournalError)):
        for before in (0, 1):
            with flash.Folder() as folder:
                sync = Failing(number)
                sync.calls = 1 - before
                trader = Journal(folder, fsync=sync)
                fill(trader, before)
                raises(error, trader.append, b"never acknowledged", before)
                assert trader.next_sequence == before
                trader.append(b"acknowledged", before)
                trader.append(b"the next", before + 1)
                for opened in (trader, Journal(folder)):
                    assert opened.read(before) == b"acknowledged"
                    assert opened.read(before + 1) == b"the next"
                    assert opened.next_sequence == before + 2 and not opened.missing


if case.MICROPYTHON:

    def acknowledged_run(blocks, count, pruned):
        """Append until the power goes; returns how many appends returned."""
        done = 0
        try:
            with flash.Mounted(blocks) as mounted:
                trader = Journal(mounted.path + "/j", segment_bytes=500)
                done = trader.next_sequence
                fill_until = done + count
                while done < fill_until:
                    trader.append(entry(done), done)
                    done += 1
                    if done % 20 == 0:
                        trader.prune(done - pruned)
        except (OSError, JournalError):
            pass
        return done

    def test_littlefs_power_cut_at_every_write():
        fresh = flash.Blocks(24)
        with flash.Mounted(fresh, fresh=True):
            pass
        acknowledged_run(fresh, 37, 30)
        image = bytes(fresh.image)
        whole = flash.Blocks(image=bytearray(image))
        assert acknowledged_run(whole, 26, 10) == 63
        assert whole.writes > 100
        for cut in range(1, whole.writes + 2):
            blocks = flash.Blocks(image=bytearray(image))
            blocks.writes_left = cut
            done = acknowledged_run(blocks, 26, 10)
            assert 37 <= done <= 63
            blocks.writes_left = None
            with flash.Mounted(blocks) as mounted:
                trader = Journal(mounted.path + "/j", segment_bytes=500)
                assert trader.next_sequence in (done, done + 1), (cut, done, trader.next_sequence)
                assert trader.missing == []
                for sequence in range(trader.first, done):
                    assert trader.read(sequence) == entry(sequence), (cut, sequence)
                assert trader.first <= max(done - 10, 7)
                assert_goes_on(trader)

    def test_littlefs_that_is_full_raises_and_loses_nothing():
        blocks = flash.Blocks(16)
        with flash.Mounted(blocks, fresh=True) as mounted:
            trader = Journal(mounted.path + "/j", segment_bytes=4000)
            count = 0
            try:
                while True:
                    trader.append(entry(count, 900), count)
                    count += 1
            except JournalFull as error:
                assert "full" in str(error)
            assert count > 20
        with flash.Mounted(blocks) as mounted:
            trader = Journal(mounted.path + "/j", segment_bytes=4000)
            assert [n for n in range(count) if trader.read(n) != entry(n, 900)] == []
            trader.prune(count - 6)
            trader.append(entry(count, 900), count)
            assert trader.read(count) == entry(count, 900) and not trader.missing


def test_a_flash_that_fails_while_all_is_dropped_frees_no_sequence():
    for good in range(3):
        with flash.Folder() as folder:
            trader = Journal(folder, segment_bytes=400)
            fill(trader, 20)
            remove, count = trader._remove, len(trader._segments)
            assert count > 3

            def fail(segment, trader=trader, left=count - good, remove=remove):
                if len(trader._segments) == left:
                    raise JournalError("flash failed")
                remove(segment)

            trader._remove = fail
            raises(JournalError, trader.clear)
            assert trader.next_sequence == Journal(folder, segment_bytes=400).next_sequence == 20
            trader._remove = remove
            assert_goes_on(trader)
            trader.clear()
            assert (trader.first, trader.next_sequence, flash.names(folder)) == (0, 0, [])
            fill(trader, 3)
            assert_holds(trader, 0, 3)


def test_a_record_behind_which_memory_runs_out_gives_way_to_the_one_in_its_place():
    """It may be in the file, and nobody has seen it."""

    def fail(file):
        file.flush()
        raise MemoryError("memory allocation failed")

    with flash.Folder() as folder:
        trader = Journal(folder)
        fill(trader, 3)
        works, trader._fsync = trader._fsync, fail
        raises(MemoryError, trader.append, b"never seen", 3)
        trader._fsync = works
        fill(trader, 3)
        for opened in (trader, Journal(folder)):
            assert_holds(opened, 0, 6)


def test_records_are_as_in_the_specification():
    with flash.Folder() as folder:
        Journal(folder).append(b"abc", 0)
        data = flash.read(folder + "/0000000000.log")
        assert data[:12] == b"WJ\0\x03" + bytes(8) and data[16:] == b"abc"
        assert journal.MAX_RECORD_BYTES == 1024
