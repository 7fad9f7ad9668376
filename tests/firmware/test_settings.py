"""Settings are complete and in range, or rejected with a text that names the key."""

import json

import case
from case import raises
from simulator import flash
from wattpact_meter import setting_checks, settings
from wattpact_meter.settings import Settings, SettingsError
from wattpact_protocol.log import ids

LEAST = {"host": ["192.0.2.1", 4711], "root_public_key": "ab" * 32, "rated_w": 11000, "source": {"kind": "p1"}}


def changed(key, value):
    values = dict(LEAST)
    values[key] = value
    return values


def test_what_is_not_set_has_its_default():
    made = Settings(LEAST)
    assert made.host == ("192.0.2.1", 4711)
    assert made.root_public_key == b"\xab" * 32
    assert made.community == ids.community_id(b"\xab" * 32)
    assert (made.rated_w, made.step_s, made.intervals) == (11000, 900, 1)
    assert made.source == {"kind": "p1"}
    assert (made.calibration_id, made.calibration, made.wifi) == (None, None, None)


def test_everything_can_be_set():
    values = dict(LEAST)
    values["step_s"] = 5
    values["intervals"] = 60
    values["wifi"] = {"ssid": "house", "password": "secret"}
    values["calibration"] = {"id": 7, "voltage_uv_per_count": 210000, "current_ua_per_count": 15000, "starting_ma": 10}
    made = Settings(values)
    assert (made.step_s, made.intervals, made.wifi) == (5, 60, ("house", "secret"))
    assert (made.calibration_id, made.calibration.starting_ma) == (7, 10)
    assert made.calibration.voltage_uv_per_count == 210000


def test_each_key_that_is_wrong_is_named():
    wrong = {
        "host": [None, "192.0.2.1:4711", ["192.0.2.1"], ["", 1], ["a", 0], ["a", 65536], ["a", "1"], ["a" * 65, 1]],
        "root_public_key": [None, "", "ab" * 31, "zz" * 32, 5],
        "rated_w": [None, 0, -1, 10**7, "11000", True, []],
        "step_s": [None, 0, 7, 86401, 2 * 86400, "900", False],
        "intervals": [0, 61, None],
        "source": [None, "p1", {}, {"kind": 1}, []],
        "calibration": [
            5, {}, {"id": 1}, {"id": -1, "voltage_uv_per_count": 1, "current_ua_per_count": 1},
            {"id": 1, "voltage_uv_per_count": 1, "current_ua_per_count": 0},
            {"id": 1, "voltage_uv_per_count": 1, "current_ua_per_count": 1, "colour": 1},
        ],
        "wifi": [5, {}, {"ssid": "x"}, {"ssid": "", "password": ""}, {"ssid": "x", "password": 1}],
    }  # fmt: skip
    for key, values in wrong.items():
        for value in values:
            error = raises(SettingsError, Settings, changed(key, value))
            assert key in str(error), (key, value, error)
    assert "colour is not a setting" in str(raises(SettingsError, Settings, changed("colour", 1)))
    for key in LEAST:
        assert key in str(raises(SettingsError, Settings, {k: v for k, v in LEAST.items() if k != key}))


def test_a_file_that_is_no_json_object_is_rejected():
    def use(path):
        return Settings(settings.read(path))

    with flash.Folder() as folder:
        path = folder + "/settings.json"
        assert path in str(raises(SettingsError, settings.read, path))
        for data in (b"", b"[]", b"5", b"{", b'{"a":', b"\xff\xfe", b'"' + b"x" * 5000 + b'"', b"[" * 3000):
            flash.write(path, data)
            raises(SettingsError, use, path)
        flash.write(path, json.dumps(LEAST).encode())
        assert settings.read(path) == LEAST


def test_nonsense_raises_nothing_else():
    bits = case.Bits("settings")
    good = json.dumps(LEAST).encode()
    for _ in range(case.scale(2000, 300)):
        data = bytearray(good)
        for _ in range(1 + bits.below(3)):
            data[bits.below(len(data))] = bits.below(256)
        try:
            Settings(setting_checks.decode(bytes(data)))
        except SettingsError:
            pass


def test_the_password_is_not_shown():
    password = "correct horse battery"
    for wifi in ({"ssid": "x", "password": password * 4}, {"ssid": "", "password": password}, {"password": password}):
        error = raises(SettingsError, Settings, changed("wifi", wifi))
        assert password not in repr(error) + str(error)
    text = json.dumps(changed("wifi", {"ssid": "x", "password": password}))
    for broken in ("{" + text, "[" + text + "]"):
        error = raises(SettingsError, setting_checks.decode, broken.encode())
        assert password not in repr(error) + str(error)
    kept = Settings(changed("wifi", {"ssid": "x", "password": password}))
    assert password not in repr(kept) + "%r %s" % (kept, kept)
