"""The table of sources: which kinds a board has, what the settings may have of one, and what a source gives."""

import case
from wattpact_meter.metering.measurement import Measurement
from wattpact_meter.setting_checks import choice, flag, number, text
from wattpact_meter.settings import Settings, SettingsError
from wattpact_meter.sources import kinds, p1_frame
from wattpact_meter.sources.ct import CtSource
from wattpact_meter.sources.p1 import P1Source

CALIBRATION = {"id": 1, "voltage_uv_per_count": 210000, "current_ua_per_count": 88900}
TELEGRAM = (
    b"/ISK5\\2M550T\r\n\r\n0-0:1.0.0(260701120000S)\r\n0-0:96.1.1(4530)\r\n"
    b"1-0:1.8.1(000012.345*kWh)\r\n1-0:2.8.1(000000.007*kWh)\r\n1-0:1.7.0(01.193*kW)\r\n!\r\n"
)


class Line:
    def __init__(self, plan):
        self.plan = plan
        self.data = TELEGRAM

    def read(self):
        data, self.data = self.data, b""
        return data


class Adc:
    """A converter whose block is three samples of nothing."""

    def __init__(self, has_voltage):
        self.has_voltage = has_voltage

    def sample(self):
        return (0, 500, 1000), (2048, 2048, 2048), (2048, 2048, 2048)


SERIAL = {"serial": (Line, {"file": (text, None, 1, 20), "every_ms": (number, 1000, 0, 5000)})}


def settings(source, **more):
    values = {"host": ["h", 1], "root_public_key": "07" * 32, "rated_w": 5000, "source": source}
    values.update(more)
    return Settings(values)


def made(source, parts=SERIAL, more=None, **others):
    return kinds.make(settings(source, **others), parts, more)


def problem(*arguments, **others):
    try:
        made(*arguments, **others)
    except SettingsError as error:
        return str(error)
    raise AssertionError("accepted")


def test_a_kind_needs_its_parts():
    assert problem({"kind": "ct"}) == "source kind must be one of p1"
    assert problem({"kind": "ct"}, {}) == "source kind must be one of "
    both = dict(SERIAL, adc=(Adc, {}))
    assert problem({"kind": "sun"}, both) == "source kind must be one of ct, p1"
    assert "calibration" in problem({"kind": "ct"}, both)
    source = made({"kind": "ct"}, both, calibration=CALIBRATION)
    assert isinstance(source, CtSource) and source._adc.has_voltage
    assert source.read(0) == [] and source.rejected == {} and source.pause_ms > 0


def test_settings_of_the_kind_and_of_its_parts_are_checked():
    source = made({"kind": "p1", "file": "x", "crc": False})
    assert isinstance(source, P1Source) and source._serial.plan["every_ms"] == 1000
    for plan, named in (
        ({}, "source file"), ({"file": ""}, "source file"), ({"file": "x", "every_ms": 5001}, "source every_ms"),
        ({"file": "x", "crc": 1}, "source crc must be true or false"), ({"file": "x", "old": None}, "source old"),
        ({"file": "x", "checksum": "crc"}, "source checksum must be one of arc, x25"),
        ({"file": "x", "watts": 5}, "source watts is not a setting of kind p1"),
    ):  # fmt: skip
        assert named in problem(dict(plan, kind="p1")), plan


def test_an_old_p1_port_sends_no_checksum():
    for plan, accepted in (({}, 0), ({"old": True}, 1), ({"crc": False}, 1), ({"old": True, "crc": True}, 1)):
        source = made(dict(plan, kind="p1", file="x"))
        assert len(source.read(0)) == source.accepted == accepted and source.read(1) == []
        assert source.rejected == ({} if accepted else {"no_crc": 1})


def test_the_kind_of_checksum_is_a_setting():
    body = TELEGRAM[:-2]
    for named, kind in ((None, p1_frame.ARC), ("arc", p1_frame.ARC), ("x25", p1_frame.X25)):
        for sent in (p1_frame.ARC, p1_frame.X25):
            source = made(dict({"checksum": named} if named else {}, kind="p1", file="x"))
            source._serial.data = body + b"%04X\r\n" % p1_frame.crc16(body, sent)
            assert len(source.read(0)) == (sent is kind), named


def test_a_telegram_is_a_measurement_of_registers():
    (found,) = made({"kind": "p1", "file": "x", "old": True}).read(0)
    assert isinstance(found, Measurement) and found.serial == "4530"
    assert found.registers_wh == {1: 12345, 3: 12345, 2: 7, 4: 7}
    assert found.unix_s == 1782900000 and found.power_w == 1193 and len(found.energy_nj) == found.duration_us == 0
    assert (found.quality, found.instantaneous[64]) == (0, 1193)


def test_a_board_may_have_kinds_of_its_own():
    keys = {"crc": (flag, False), "old": (flag, False), "checksum": (choice, "arc", "arc")}
    rows = {"mine": ("wattpact_meter.sources.p1", ("serial",), keys)}
    assert len(made({"kind": "mine", "file": "x"}, more=rows).read(0)) == 1
    assert problem({"kind": "sun"}, more=rows) == "source kind must be one of mine, p1"


def test_every_row_names_a_module_that_makes_its_source():
    import sys

    for name, (module, needs, keys) in kinds.KINDS.items():
        __import__(module)
        assert callable(sys.modules[module].make) and needs and "kind" not in keys, name
    case.raises(SettingsError, made, {"kind": "p1"})
