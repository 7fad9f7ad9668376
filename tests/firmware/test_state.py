"""The store under power cuts at every byte, damage, a full flash, and (MicroPython) on a littlefs that loses power."""

import os

import case
from case import raises
from simulator import flash
from wattpact_meter.storage.store import MAX_VALUE_BYTES, StateError, Store

VALUES = [None, 0, -5, 1 << 60, b"", b"\x00\xff", "text", [], [1, [2, [None, True]]], {1: b"x", "two": [False]}, {}]


def test_values_come_back_also_after_reopening():
    with flash.Folder() as folder:
        store = Store(folder + "/s")
        for value in VALUES:
            store.save("value", value)
            assert store.load("value") == value
            assert Store(folder + "/s").load("value") == value
        store.save("other", [1])
        assert (store.load("value"), store.load("other"), store.load("never")) == (VALUES[-1], [1], None)
        assert store.corrupt == set()
        assert flash.names(folder + "/s") == ["other", "value"]


def test_what_cannot_be_kept_is_rejected_and_the_old_value_stays():
    with flash.Folder() as folder:
        store = Store(folder)
        store.save("value", [1])
        for value in (object(), {(1, 2): 3}, 1 << 70, bytes(MAX_VALUE_BYTES)):
            raises(StateError, store.save, "value", value)
        for name in ("", "a/b", "..", "a.new", "Upper", "x" * 25):
            raises(StateError, store.save, name, 1)
            raises(StateError, store.load, name)
        assert Store(folder).load("value") == [1]


def test_power_cut_at_every_byte_of_a_save():
    with flash.Folder() as folder:
        store = Store(folder)
        store.save("value", ["the new one", 2])
        new = flash.read(folder + "/value")
        os.remove(folder + "/value")
        for old in (None, [1]):
            if old is not None:
                store.save("value", old)
            for cut in range(len(new) + 1):
                flash.write(folder + "/value.new", new[:cut])
                opened = Store(folder)
                assert opened.load("value") == old
                assert opened.corrupt == set()
                assert [name for name in flash.names(folder) if name.endswith(".new")] == []


def test_damage_at_every_byte_is_reported_until_the_next_save():
    with flash.Folder() as folder:
        Store(folder).save("value", [b"registers", 12345])
        data = flash.read(folder + "/value")
        for place in range(len(data)):
            for damaged in (data[:place], data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :], data + b"\0"):
                flash.write(folder + "/value", damaged)
                store = Store(folder)
                assert store.load("value") is None
                assert store.corrupt == {"value"}
        store.save("value", 1)
        assert store.corrupt == set() and Store(folder).load("value") == 1


def test_a_flash_that_fails_is_an_error_and_the_old_value_stays():
    def fail(file):
        raise OSError(28, "full")

    with flash.Folder() as folder:
        Store(folder).save("value", 1)
        error = raises(StateError, Store(folder, fsync=fail).save, "value", 2)
        assert "flash failed" in str(error)
        assert Store(folder).load("value") == 1


if case.MICROPYTHON:

    def test_littlefs_power_cut_at_every_write():
        def count_up(blocks, count):
            """Save rising numbers under two names until the power goes; the last that was acknowledged."""
            done = 0
            try:
                with flash.Mounted(blocks) as mounted:
                    store = Store(mounted.path + "/s")
                    done = store.load("one") or 0
                    for number in range(done + 1, done + count + 1):
                        store.save("two", [number, bytes(number % 50)])
                        store.save("one", number)
                        done = number
            except (OSError, StateError):
                pass
            return done

        fresh = flash.Blocks(12)
        with flash.Mounted(fresh, fresh=True):
            pass
        count_up(fresh, 9)
        image = bytes(fresh.image)
        whole = flash.Blocks(image=bytearray(image))
        assert count_up(whole, 15) == 24
        assert whole.writes > 60
        for cut in range(1, whole.writes + 2):
            blocks = flash.Blocks(image=bytearray(image))
            blocks.writes_left = cut
            done = count_up(blocks, 15)
            blocks.writes_left = None
            with flash.Mounted(blocks) as mounted:
                store = Store(mounted.path + "/s")
                one, two = store.load("one"), store.load("two")
                assert store.corrupt == set()
                assert one in (done, done + 1), (cut, done, one)
                assert two in ([one, bytes(one % 50)], [one + 1, bytes((one + 1) % 50)])
                store.save("one", 0)
                assert store.load("one") == 0
