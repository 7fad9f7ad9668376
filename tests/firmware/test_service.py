"""The service start: who gets one, what it lets a person do, and that it ends; the meter's settings are never half."""

import json
import os

import case
from boards.virtual.radio import Radio
from case import raises
from simulator import flash
from simulator.service import NETWORKS, Board, Relay, rpc, sends, strings, wifi
from wattpact_meter import service_wanted, setting_checks
from wattpact_meter.service import service, settings_file, wifi_settings
from wattpact_meter.service.settings_file import SettingsFileError, put_wifi

OLD = {"host": ["192.0.2.1", 47800], "rated_w": 11000, "wifi": {"ssid": "old", "password": "old secret"}, "ä": [None]}
READY, TRYING, DONE = (1, b"\x02"), (1, b"\x03"), (1, b"\x04")
SENT_WIFI = (4, b"\x01\x00")


def error(number):
    return (2, bytes([number]))


def notes_packets(board):
    """What was sent until now becomes an event."""
    board.events.append(board.serial.take())


def write(path, values):
    flash.write(path, json.dumps(values).encode())


def read(path):
    return json.loads(flash.read(path).decode())


def served(folder, *at, values=OLD):
    """A service start in which a client sends something at those ms; the board, why it ended and after how long."""
    write(folder + "/settings.json", values)
    board = Board(folder + "/settings.json", at)
    ended, after_ms = board.serve()
    return board, ended, after_ms


# Who gets one


def test_who_wants_one_gets_one_and_it_never_becomes_two():
    wifi_none, without = dict(OLD, wifi=None), dict(OLD)
    del without["wifi"]
    for values, request, given, held, why in (
        (OLD, False, False, False, ""), (OLD, False, False, True, "button"), (OLD, True, False, False, "request"),
        (OLD, True, True, False, "request"), (None, False, False, False, "no_settings"),
        (None, False, True, False, "no_settings"), (without, False, False, False, "no_wifi"),
        (without, False, True, False, ""), (wifi_none, False, False, False, ""), ("torn", False, False, False, ""),
        ([], False, False, False, ""), ("torn", True, False, False, "request"),
    ):  # fmt: skip
        with flash.Folder() as folder:
            settings, mark = folder + "/settings.json", folder + "/service"
            if values == "torn":
                flash.write(settings, b'{"wifi": {"ssid": "ho')
            elif values is not None:
                write(settings, values)
            if request:
                flash.write(mark, b"")
            if given:
                flash.write(mark + ".given", b"")
            assert service_wanted.reason(settings, mark, held) == why
            if why:
                assert service_wanted.begin(mark)
                assert flash.names(folder).count("service") == 0 and flash.names(folder).count("service.given") == 1
                again = service_wanted.reason(settings, mark, False)
                assert again == ("no_settings" if values is None else "")


def test_a_request_that_cannot_be_taken_back_is_not_followed():
    with flash.Folder() as folder:
        assert not service_wanted.begin(folder + "/absent/service")
        os.mkdir(folder + "/service")  # which no rename puts over a file
        flash.write(folder + "/service.given", b"")
        assert service_wanted.reason(folder + "/settings.json", folder + "/service", False) == "request"
        assert not service_wanted.begin(folder + "/service")


def test_settings_that_are_too_long_are_the_meters_to_report():
    assert service_wanted.MAX_BYTES == setting_checks.MAX_BYTES
    with flash.Folder() as folder:
        write(folder + "/settings.json", {"x": "y" * 5000})
        assert service_wanted.reason(folder + "/settings.json", folder + "/service", False) == ""
        raises(ValueError, service_wanted.read, folder + "/settings.json")
        for data in (b"[" * 4000, b"{}" + b" " * 4095):
            flash.write(folder + "/settings.json", data)
            raises(ValueError, service_wanted.read, folder + "/settings.json")
        flash.write(folder + "/settings.json", b"{}" + b" " * 4094)
        assert service_wanted.read(folder + "/settings.json") == {}


def test_settings_that_cannot_be_reached_are_the_meters_to_report():
    with flash.Folder() as folder:
        os.mkdir(folder + "/settings.json")
        assert service_wanted.reason(folder + "/settings.json", folder + "/service", False) == ""
        os.rmdir(folder + "/settings.json")
        assert service_wanted.reason(folder + "/settings.json", folder + "/service", False) == "no_settings"


# What it does


def test_settings_that_work_are_kept_beside_all_others():
    with flash.Folder() as folder:
        board, ended, after_ms = served(folder, (1_000, sends(wifi("house", NETWORKS["house"]))))
        assert board.serial.take() == [TRYING, DONE, SENT_WIFI]
        assert read(board.settings_path) == dict(OLD, wifi={"ssid": "house", "password": NETWORKS["house"]})
        assert flash.names(folder) == ["settings.json"]
        assert ended == "done" and 11_500 <= after_ms <= 11_600


def test_a_meter_without_settings_gets_a_file_with_its_wifi():
    with flash.Folder() as folder:
        board = Board(folder + "/settings.json", [(10, sends(wifi("Ökostrom", NETWORKS["Ökostrom"])))])
        assert board.serve("no_settings")[0] == "done"
        assert read(board.settings_path) == {"wifi": {"ssid": "Ökostrom", "password": "größer"}}


def test_settings_that_do_not_work_change_nothing():
    for ssid, password in (("house", "wrong horse"), ("elsewhere", "correct horse"), ("house", ""), ("barn", "x")):
        with flash.Folder() as folder:
            write(folder + "/settings.json", OLD)
            before = flash.read(folder + "/settings.json")
            at = [(1_000, sends(wifi(ssid, password))), (30_500, notes_packets), (40_000, sends(rpc(2)))]
            board = Board(folder + "/settings.json", at)
            ended, after_ms = board.serve()
            assert board.events[1] == [TRYING]  # a slow access point has 30 s
            assert board.serial.take() == [error(3), READY, error(0), READY]
            assert flash.read(board.settings_path) == before and flash.names(folder) == ["settings.json"]
            assert ended == "idle" and 640_000 <= after_ms <= 640_100


def test_a_radio_that_cannot_begin_is_not_waited_for():
    with flash.Folder() as folder:
        write(folder + "/settings.json", OLD)
        board = Board(folder + "/settings.json", [(10, sends(wifi("house", NETWORKS["house"])))])
        board.radio.join = lambda ssid, password: False
        board._at.append((1_000, sends(rpc(2))))
        board.serve()
        assert board.serial.take() == [TRYING, error(3), READY, error(0), READY]
        assert read(board.settings_path) == OLD


class SlowRadio(Radio):
    """It reports late_ms later that it left, and at some time after that it joined what it was joining before."""

    def __init__(self, board, late_ms, joins_late_ms=None):
        super().__init__(NETWORKS)
        self._board, self._late_ms, self._joins_late_ms = board, late_ms, joins_late_ms
        self._reports = []
        self.joins = []

    @property
    def is_joined(self):
        while self._reports and self._board.now_ms >= self._reports[0][0]:
            self._is_joined = self._reports.pop(0)[1]
        return self._is_joined

    @is_joined.setter
    def is_joined(self, value):
        self._is_joined = value

    def join(self, ssid, password):
        self.joins.append((ssid, self._board.now_ms - 5_000, self.is_joined))
        return super().join(ssid, password)

    def leave(self):
        now_ms = self._board.now_ms
        if self._joins_late_ms is not None:
            self._reports.append((now_ms + self._joins_late_ms, True))
        if self.is_joined or self._reports:
            self._reports.append((now_ms + self._late_ms, False))


def served_slowly(folder, late_ms, joins_late_ms=None):
    """It is joined, by settings that worked, when others come that do not."""
    write(folder + "/settings.json", OLD)
    at = [(10, sends(wifi("barn", ""))), (9_000, notes_packets), (9_010, sends(wifi("house", "mistyped")))]
    board = Board(folder + "/settings.json", at)
    board.radio = SlowRadio(board, late_ms, joins_late_ms)
    return board, board.serve()[1]


def test_a_connection_of_before_is_no_success():
    """A radio reports that it left, or that it had joined just before it did, only later."""
    for late_ms, joins_late_ms in ((60, None), (300, None), (2_000, None), (4_500, None), (300, 100)):
        with flash.Folder() as folder:
            board, after_ms = served_slowly(folder, late_ms, joins_late_ms)
            assert board.events[1] == [TRYING, DONE, SENT_WIFI]
            assert board.serial.take() == [TRYING, error(3), READY]
            assert read(board.settings_path)["wifi"] == {"ssid": "barn", "password": ""}
            (_, _, was_joined), (ssid, joined_ms, is_joined) = board.radio.joins
            assert (was_joined, ssid, is_joined) == (False, "house", False)
            assert max(500, late_ms) <= joined_ms - 9_010 <= max(500, late_ms) + 150
            assert 49_000 <= after_ms <= 49_150  # 30 s in all, and 10 s


def test_a_radio_that_does_not_leave_joins_nothing_else():
    with flash.Folder() as folder:
        board, after_ms = served_slowly(folder, 6_000)
        assert board.serial.take() == [TRYING, error(3), READY] and len(board.radio.joins) == 1
        assert read(board.settings_path)["wifi"] == {"ssid": "barn", "password": ""}
        assert 24_000 <= after_ms <= 24_150


def test_the_second_attempt_may_work():
    with flash.Folder() as folder:
        board, ended, _ = served(
            folder, (10, sends(wifi("house", "wrong"))), (31_000, sends(wifi("barn", ""))), (33_000, sends(rpc(2)))
        )
        assert board.serial.take() == [
            TRYING, error(3), READY, error(0), TRYING, DONE, SENT_WIFI, DONE, (4, b"\x02\x00")
        ]  # fmt: skip
        assert read(board.settings_path)["wifi"] == {"ssid": "barn", "password": ""} and ended == "done"


def test_it_names_itself_and_the_networks_there_are():
    networks = {"n%02d" % n: "x" * (n % 2) for n in range(30)}
    networks["x" * 33] = networks[""] = "never shown"
    with flash.Folder() as folder:
        write(folder + "/settings.json", OLD)
        board = Board(folder + "/settings.json", [(10, sends(rpc(3))), (20, sends(rpc(4)))], networks)
        strong = board.radio.scan
        board.radio.scan = lambda: [(b"n00", -90, True)] + strong() + [(b"n01", -10, True)]
        board.serve()
        info, *found, last = [strings(data) for kind, data in board.serial.take() if kind == 4]
        assert info == (3, [b"Wattpact", wifi_settings.VERSION, b"ESP32", b"Wattpact meter"])
        assert last == (4, []) and len(found) == wifi_settings.MOST_NETWORKS
        assert found[0] == (4, [b"n01", b"-10", b"YES"]) and found[1] == (4, [b"n00", b"-55", b"NO"])
        levels = [int(row[1]) for _, row in found]
        assert levels == sorted(levels)[::-1] and len({row[0] for _, row in found}) == len(found)


def test_what_is_wrong_is_answered_with_its_error():
    with flash.Folder() as folder:
        for data, number in [
            (wifi("x" * 33, ""), 1), (wifi("", "x"), 1), (wifi("x", "y" * 64), 1), (rpc(1), 1), (rpc(1, b"\x01a"), 1),
            (rpc(1, b"\x01a\x00\x00"), 1), (rpc(1, b"\x01\xff\x00"), 1), (rpc(9), 2), (rpc(5, b"name"), 2), (rpc(0), 2),
            (rpc(2)[:-2] + b"\x00", 1), (b"IMPROV\x01\x03\xff", 1), (b"IMPROV\x01\x03\x20", 1),
        ]:  # fmt: skip
            board, ended, _ = served(folder, (10, sends(data)), (2_000, sends(rpc(2))))
            assert board.serial.take() == [error(number), error(0), READY], data
            assert ended == "idle" and read(board.settings_path) == OLD


def test_settings_that_cannot_be_kept_leave_what_was_there():
    with flash.Folder() as folder:
        flash.write(folder + "/settings.json", b"torn")
        board = Board(folder + "/settings.json", [(10, sends(wifi("barn", "")))])
        board.serve()
        assert board.serial.take() == [TRYING, error(0xFF), READY]
        assert flash.read(board.settings_path) == b"torn" and not board.radio.is_joined
        said = board.events[1].pop("text")
        assert said.startswith(board.settings_path + " was not written: ")
        assert board.events[1] == {"event": "error", "where": "service"}


def test_new_settings_that_are_not_as_they_were_written_replace_nothing():
    fits = {"x": "y" * (4096 - len(json.dumps({"x": "", "wifi": {"ssid": "house", "password": "new"}})))}
    longer = {"x": fits["x"] + "y"}
    with flash.Folder() as folder:
        path = folder + "/settings.json"
        write(path, longer)
        raises(SettingsFileError, put_wifi, path, "house", "new")
        assert read(path) == longer and flash.names(folder) == ["settings.json"]
        write(path, fits)
        right, settings_file.read = settings_file.read, lambda path: right(path) if path[-4:] != ".new" else {}
        try:
            raises(SettingsFileError, put_wifi, path, "house", "new")  # a flash that reads as something else
        finally:
            settings_file.read = right
        assert read(path) == fits and flash.names(folder) == ["settings.json"]
        put_wifi(path, "house", "new")
        assert len(flash.read(path)) == 4096 and flash.names(folder) == ["settings.json"]


def test_the_rest_of_a_frame_is_awaited_for_a_second():
    with flash.Folder() as folder:
        head, rest = rpc(2)[:9], rpc(2)[9:]
        at = [(1_000, sends(head)), (1_900, sends(rest)), (2_500, notes_packets), (3_000, sends(head))]
        board, _, _ = served(folder, *at, (3_900, notes_packets), (4_200, notes_packets), (4_300, sends(rest)))
        assert board.events[1:4] == [[READY], [], [error(1)]] and board.serial.take() == []


def test_no_password_is_in_a_reply_or_a_line():
    secrets = ("correct horse", "wrong horse", "old secret")
    with flash.Folder() as folder:
        at = [(10, sends(wifi("house", "wrong horse"))), (31_000, sends(wifi("house", "correct horse")))]
        at += [(32_000 + n, sends(rpc(n))) for n in range(2, 8)]
        board, _, _ = served(folder, *at)
        sent = board.serial.sent + json.dumps(board.events).encode()
        assert len(board.serial.take()) > 10 and not [one for one in secrets if one.encode() in sent]
        flash.write(folder + "/settings.json", b'{"wifi": {"password": "old secret", "ss')
        raised = raises(SettingsFileError, put_wifi, folder + "/settings.json", "house", "correct horse")
        assert not [one for one in secrets if one in str(raised) + repr(raised)]


# That it ends


def test_it_ends_where_nobody_uses_it():
    with flash.Folder() as folder:
        board, ended, after_ms = served(folder, (5_000, sends(b"hello, is anybody there?\r\n")))
        assert ended == "idle" and 600_000 <= after_ms <= 600_100 and board.serial.sent == b""
        assert [event["event"] for event in board.events] == ["service", "service_ended"]
        assert board.events[1]["rejected"][0]["noise"] == 25 and board.fed_ms[-1] == board.now_ms
        _, ended, after_ms = served(folder, (400_000, sends(rpc(2))))
        assert ended == "idle" and 1_000_000 <= after_ms <= 1_000_100


def test_nobody_can_make_it_last_longer_than_an_hour():
    with flash.Folder() as folder:
        _, ended, after_ms = served(folder, *[(n * 60_000, sends(rpc(2))) for n in range(70)])
        assert ended == "longest" and 3_600_000 <= after_ms <= 3_600_100


def test_a_person_can_leave_it_and_a_frame_cannot():
    with flash.Folder() as folder:
        for keys in (b"\r\x03", b"\x03\x03"):
            raises(KeyboardInterrupt, served, folder, (1_000, sends(keys)))
        raises(KeyboardInterrupt, served, folder, (1_000, sends(b"IMPROV\x01\x03\x40" + b"\r\x03")))
        # An SSID of three characters and a password of eight have the same bytes in their lengths.
        _, ended, _ = served(folder, (1_000, sends(wifi("abc", "\r\x03\x03 345"))), (2_000, sends(b"\x03")))
        assert ended == "idle"


def test_the_relay_is_open_from_the_first_moment_and_stays_so():
    with flash.Folder() as folder:
        write(folder + "/settings.json", OLD)
        board = Board(folder + "/settings.json")
        board.relay = Relay(stuck=3)
        board.report = lambda event: board.events.append((event["event"], list(board.relay.driven)))
        board.serve()
        assert board.relay.driven == [False] * 4 and not board.relay.closed
        assert board.events[0] == ("service", [False])


def test_each_service_is_a_row():
    """Another one is served beside the first, and each can end it."""

    class Other:
        rejected = {}
        is_done = False

        def __init__(self, board):
            self.board = board

        def poll(self, now_ms):
            self.is_done = now_ms >= 100_000
            return False

    rows, service.SERVICES = service.SERVICES, service.SERVICES + (Other,)
    try:
        with flash.Folder() as folder:
            board, ended, after_ms = served(folder, (10, sends(rpc(2))))
            assert ended == "done" and board.serial.take() == [READY] and 95_000 <= after_ms <= 95_100
    finally:
        service.SERVICES = rows


# Power that fails


def test_a_power_cut_leaves_the_old_settings_or_the_new():
    case.only_micropython("littlefs is MicroPython's")
    new = dict(OLD, wifi={"ssid": "house", "password": "new secret"})
    blocks = flash.Blocks()
    with flash.Mounted(blocks, fresh=True) as mounted:
        write(mounted.path + "/settings.json", OLD)
        flash.write(mounted.path + "/service", b"")
    image, seen, writes_left = bytes(blocks.image), [], 0
    while True:
        blocks = flash.Blocks(image=bytearray(image))
        with flash.Mounted(blocks) as mounted:
            path, mark = mounted.path + "/settings.json", mounted.path + "/service"
            blocks.writes_left = writes_left
            try:
                began = service_wanted.begin(mark)
                kept = began
                if began:
                    put_wifi(path, "house", "new secret")
            except SettingsFileError:
                kept = False
        blocks.writes_left = None
        with flash.Mounted(blocks) as mounted:
            values = read(path)
            assert values in (OLD, new), writes_left
            assert values == new or not kept, "it was kept, and is not there"
            if began:
                assert service_wanted.reason(path, mark, False) == "", "the request would be followed twice"
            seen.append((began, values == new))
        if kept:
            break
        writes_left += 1
    assert (False, False) in seen and (True, False) in seen and seen[-1] == (True, True) and len(seen) > 5


# Hostile input


def test_whatever_comes_it_goes_on_and_keeps_the_settings():
    bits = case.Bits("service")
    with flash.Folder() as folder:
        write(folder + "/settings.json", OLD)
        before = flash.read(folder + "/settings.json")
        board = Board(folder + "/settings.json", networks={})
        served_ = wifi_settings.WifiSettings(board)
        for _ in range(case.cases(case.scale(3000, 600), 200)):
            payload = bits.bytes(bits.below(30))
            data = bits.choice((rpc(bits.below(6), payload), wifi("a" * bits.below(40), "b" * bits.below(70)), payload))
            board.serial.incoming.append(data)
            board.now_ms += 700 * bits.below(100)
            try:
                served_.poll(board.now_ms)
            except KeyboardInterrupt:
                served_ = wifi_settings.WifiSettings(board)
            assert len(board.serial.sent) < 3_000
            board.serial.take()
        assert flash.read(board.settings_path) == before and flash.names(folder) == ["settings.json"]
