"""The P1 port against telegrams of real meters, a real capture, and what a bad line makes of them.

Expected verdicts on the files were written by hand from reading them; the capture is checked against a reading of its
text that shares no code with the parser.
"""

import os

import case
from wattpact_meter.metering.registers import ADOPTED, OPENED, Bank
from wattpact_meter.sources import p1_frame, p1_telegram

SERIAL_A = "4B384547303034303436333935353037"


def read(data, size=4096, require_crc=True):
    reader = p1_frame.Reader(require_crc)
    found = []
    for at in range(0, len(data), size):
        found += reader.feed(data[at : at + size])
        assert reader.held_bytes <= p1_frame.MAX_TELEGRAM
    return reader, found


def contents(path):
    with open(case.data(path), "rb") as file:
        return file.read()


def values_of(one):
    return (
        one.identification, one.serial, one.version, one.local_time, one.unix_s, sorted(one.registers.items()),
        one.power_w, sorted(one.instantaneous.items()), one.breaker, one.tariff,
    )  # fmt: skip


def lines(*data, crc=None, start="/TST5 meter"):
    """A telegram of these data lines, with the checksum it needs, another one, or none ("")."""
    body = "\r\n".join((start, "") + data + ("!",)).encode()
    return body + ("%04X" % naive_crc(body) if crc is None else crc).encode() + b"\r\n"


def naive_crc(data):
    crc = 0
    for byte in data:
        for k in range(8):
            out = (crc ^ (byte >> k)) & 1
            crc >>= 1
            if out:
                crc ^= 0xA001
    return crc


ENERGY = (
    "1-0:1.8.1(000001.500*kWh)", "1-0:1.8.2(000002.250*kWh)", "1-0:2.8.1(000000.125*kWh)", "1-0:2.8.2(000000.000*kWh)"
)  # fmt: skip

# file: (verdict with a checksum required, verdict without, what an accepted one shows)
# Two example telegrams of a specification carry a checksum that is not theirs; DSMR 2.2 and 3 and ESY5Q3 carry none.
FILES = {
    "DSMRParser.Net__formattest": (None, None, {}, "Test\\V5-Telegram", None, None),
    "DSMRParser.Net__v2_2_mangled": (p1_frame.NO_CRC, None, {
        1: 78368099, 2: 12, 3: 41157401, 4: 5, 5: 37210698, 6: 7}, "5A424244303035313137383732353132", 680, 1),
    "DSMRParser.Net__v2_2_ok": (p1_frame.NO_CRC, None, {
        1: 3579, 2: 8023, 3: 1234, 4: 3456, 5: 2345, 6: 4567}, "30313233343536", 888880 - 999990, 1),
    "DSMRParser.Net__v3_ok": (p1_frame.NO_CRC, None, {
        1: 35802467, 2: 80246791, 3: 12345678, 4: 34567890, 5: 23456789, 6: 45678901},
        "466F6F42617242617A313233", 3140 - 420690, 1),
    "DSMRParser.Net__v4_2_ok": (None, None, {
        1: 1111111110, 2: 121212212, 3: 123456789, 4: 101010010, 5: 987654321, 6: 20202202}, SERIAL_A, -11111, None),
    "DSMRParser.Net__v5_ok": (None, None, {
        1: 1111111110, 2: 121212212, 3: 123456789, 4: 101010010, 5: 987654321, 6: 20202202}, SERIAL_A, -11111, None),
    "dsmr_parser__TELEGRAM_ESY5Q3DA1004_V304": (p1_frame.NO_CRC, None, {1: 32549506}, "1336001560", 1688, None),
    "dsmr_parser__TELEGRAM_ESY5Q3DB1024_V304": (
        p1_frame.NO_CRC, None, {1: 52185782, 2: 19949322}, "0272031312565", 2124, None),
    "dsmr_parser__TELEGRAM_FLUVIUS_V171": (
        None, None, {1: 15792, 2: 11, 3: 34, 4: 0, 5: 15758, 6: 11}, "3153414733313031303231363035", 0, 1),
    "dsmr_parser__TELEGRAM_FLUVIUS_V171_ALT": (
        None, None, {1: 571562, 2: 5, 3: 301548, 4: 5, 5: 270014, 6: 0}, "3153414733313030373231333236", 338, 1),
    # byte 02 in its identification, where a backslash and a 2 should be; the checksum holds for that
    "dsmr_parser__TELEGRAM_ISKRA_IE": (p1_frame.NOT_ASCII, p1_frame.NOT_ASCII, None, None, None, None),
    "dsmr_parser__TELEGRAM_SAGEMCOM_T210_D_R": (
        None, None, {1: 6545766, 2: 58, 3: 5017120, 4: 0, 5: 1528646, 6: 58}, "EST5\\253710000_A", 286, None),
    "dsmr_parser__TELEGRAM_UNPADDED_CRC": (None, None, {}, "ADC3100000158491", None, None),
    "dsmr_parser__TELEGRAM_V2_2": (
        p1_frame.NO_CRC, None, {1: 2002, 2: 2002, 3: 1001, 4: 1001, 5: 1001, 6: 1001}, "00000000000000", 1010, 1),
    "dsmr_parser__TELEGRAM_V3": (p1_frame.NO_CRC, None, {
        1: 24691356, 2: 24691356, 3: 12345678, 4: 12345678, 5: 12345678, 6: 12345678}, SERIAL_A, 1190, 1),
    "dsmr_parser__TELEGRAM_V4_2": (None, None, {
        1: 3016829, 2: 0, 3: 1581123, 4: 0, 5: 1435706, 6: 0}, "3960221976967177082151037881335713", 2027, None),
    "dsmr_parser__TELEGRAM_V5": (
        None, None, {1: 6825, 2: 2444, 3: 4426, 4: 2444, 5: 2399, 6: 0}, SERIAL_A, 244, None),
    "dsmr_parser__TELEGRAM_V5_EON_HU": (None, None, {
        1: 173640, 2: 627177, 3: 47719, 4: 401829, 5: 125921, 6: 225348}, "383930303832323030303032313630", -2601, 1),
    "dsmr_parser__TELEGRAM_V5_TWO_MBUS": (None, None, {
        1: 2375582, 2: 0, 3: 2130115, 4: 0, 5: 245467, 6: 0}, "4530303434303037333832323436303139", 111, None),
    "lvzon__p1-example-3.0": (p1_frame.NO_CRC, None, {
        1: 24691356, 2: 24691356, 3: 12345678, 4: 12345678, 5: 12345678, 6: 12345678}, SERIAL_A, 1190, 1),
    "lvzon__p1-example-4.0": (p1_frame.CRC, p1_frame.CRC, None, None, None, None),
    "lvzon__p1-example-5.0": (p1_frame.CRC, p1_frame.CRC, None, None, None, None),
}  # fmt: skip


def test_every_telegram_file_has_the_verdict_it_should():
    names = sorted(name[:-4] for name in os.listdir(case.data("p1/normalised_crlf")))
    assert names == sorted(FILES)
    for name in names:
        strict, lax, registers, serial, power_w, breaker = FILES[name]
        data = contents("p1/normalised_crlf/%s.txt" % name)
        for require_crc, verdict in ((True, strict), (False, lax)):
            reader, found = read(data, 64, require_crc)
            assert reader.rejected == ({verdict: 1} if verdict else {}), (name, reader.rejected)
            assert reader.accepted == len(found) == (not verdict), name
        if found:
            (one,) = found
            assert one.registers == registers and one.serial == serial, (name, one.registers, one.serial)
            assert one.power_w == power_w and one.breaker == breaker, (name, one.power_w, one.breaker)


def test_details_of_a_telegram():
    (one,) = read(contents("p1/normalised_crlf/dsmr_parser__TELEGRAM_V5_EON_HU.txt"))[1]
    assert one.version == "" and one.tariff == 1 and one.identification == "SAG5SAG-METER"
    assert one.local_time == (2023, 7, 24, 15, 7, 30, True) and one.unix_s == 1690204050
    # 13.7.0(4.556) is no power factor, and is left alone
    assert one.instantaneous == {64: -2601, 65: 240400, 66: 239100, 67: 241200, 68: 3000, 69: 4000, 70: 3000, 71: 50000}
    (one,) = read(contents("p1/normalised_crlf/DSMRParser.Net__v5_ok.txt"))[1]
    assert one.version == "50" and one.tariff == 2 and one.instantaneous[65] == 230100
    assert one.local_time == (2010, 12, 9, 11, 30, 20, False) and one.unix_s == 1291890620
    (one,) = read(contents("p1/normalised_crlf/dsmr_parser__TELEGRAM_FLUVIUS_V171_ALT.txt"))[1]
    assert one.version == "50217" and one.instantaneous[68] == 270


def plain_reading(text):
    """Serial, time text and energy in Wh, found by searching the text."""

    def between(start, end):
        at = text.index(start) + len(start)
        return text[at : text.index(end, at)]

    energy = {}
    for code, number in (("1.8.1", 3), ("1.8.2", 5), ("2.8.1", 4), ("2.8.2", 6)):
        energy[number] = int(between("1-0:%s(" % code, "*kWh)").replace(".", ""))
    energy[1] = energy[3] + energy[5]
    energy[2] = energy[4] + energy[6]
    return between("0-0:96.1.1(", ")"), between("0-0:1.0.0(", ")"), energy


def test_a_real_capture_is_accounted_for_to_the_last_telegram():
    data = contents("p1/real_stream/isk5_300_telegrams.txt")
    starts = data.count(b"/")
    assert starts == 299 and data.count(b"\r\n") == data.count(b"\n")  # its checksums hold for CR LF
    expected = [plain_reading("/" + text) for text in data.decode().split("/")[1:]]
    rows = []
    for size in (1, 7, 64, 4096):
        reader, found = read(data, size)
        assert reader.accepted + sum(reader.rejected.values()) == starts
        assert reader.rejected == {} and reader.skipped_bytes == data.index(b"/")  # it begins within a telegram
        rows.append([values_of(one) for one in found])
    assert rows[1:] == rows[:1] * 3
    bank = Bank(17250)
    for one, (serial, stamp, energy) in zip(found, expected):
        assert one.serial == serial and one.registers == energy
        assert "%02d%02d%02d%02d%02d%02d" % ((one.local_time[0] - 2000,) + one.local_time[1:6]) + "W" == stamp
        bank.adopt(one.serial, one.registers, one.unix_s)
        assert bank.generation == 0 or bank.snapshot() == energy
    assert bank.verdicts == {"pending": 1, OPENED: 1, ADOPTED: 297}
    steps = [b.unix_s - a.unix_s for a, b in zip(found, found[1:])]
    assert min(steps) == 1 and sum(steps) - len(steps) <= 2 and max(steps) <= 2


def plain_verdicts(data):
    """What is a telegram in `data`, found byte by byte: from a "/" before a "!", the right checksum after it."""
    taken = []
    starts = []
    for at in range(len(data)):
        if data[at] == 0x2F:
            starts.append(at)
        elif data[at] == 0x21:
            tail = data[at + 1 : at + 7]
            newline = tail.find(b"\n")
            digits = tail[:newline].strip(b"\r") if newline >= 0 else b""
            try:
                given = int(digits.decode(), 16) if 0 < len(digits) <= 4 else -1
            except (ValueError, UnicodeError):
                given = -1
            taken += [bytes(data[start:at]) for start in starts if given == naive_crc(data[start : at + 1])][:1]
    return taken


def mutate(data, bits):
    """The bytes after a few accidents of a line."""
    data = bytearray(data)
    for _ in range(1 + bits.below(3)):
        kind = bits.below(6)
        at = bits.below(len(data))
        length = 1 + bits.below(40)
        if kind == 0:
            data[at] ^= 1 << bits.below(8)
        elif kind == 1:
            data = data[:at] + data[at + length :]
        elif kind == 2:
            data = data[:at] + data[at : at + length] + data[at:]
        elif kind == 3:
            data = data[:at] + bits.bytes(length) + data[at:]
        elif kind == 4:
            other = bits.below(len(data))
            data = data[:at] + data[other : other + length] + data[at + length :]
        else:
            data[at] = bits.choice(b"/!()*.0\r\n\xff")
        data = data or bytearray(b"/")
    return bytes(data)


def test_mutated_telegrams_never_get_through():
    good = [
        lines("1-3:0.2.8(50)", "0-0:1.0.0(190324150519W)", "0-0:96.1.1(%s)" % SERIAL_A, *ENERGY),
        lines("1-3:0.2.8(42)", "0-0:96.1.1(%s)" % SERIAL_A, "1-0:1.7.0(00.378*kW)", "0-0:96.3.10(1)", *ENERGY),
    ]
    whole = plain_verdicts(b"".join(good))
    assert len(whole) == 2
    bits = case.Bits("mutations")
    bank = Bank(17250)
    adopted = read(good[0])[1][0].registers
    for now_s in (0, 1):
        bank.adopt(SERIAL_A, adopted, now_s)
    reader = p1_frame.Reader()
    starts = slashes = changed = 0
    for k in range(case.scale(10000, 2000)):
        data = mutate(bits.choice(good), bits) + b"\n"
        starts += (b"\n" + data).count(b"\n/")
        slashes += data.count(b"/") + 1
        size = bits.choice((1, 7, 64, 4096))
        found = []
        for at in range(0, len(data), size):
            found += reader.feed(data[at : at + size])
            assert reader.held_bytes <= p1_frame.MAX_TELEGRAM
        found += reader.feed(good[0])  # whatever was before it, a good one is read
        starts += 1
        assert values_of(found[-1]) == values_of(read(good[0])[1][0]), k
        expected = plain_verdicts(data)
        assert len(found) - 1 <= len(expected), (k, data)
        changed += not expected
        for one in found:
            bank.adopt(one.serial, one.registers, k)
        assert bank.snapshot() == adopted and bank.generation == 1
    assert starts <= reader.accepted + sum(reader.rejected.values()) <= slashes
    assert changed * 10 > 8 * case.scale(10000, 2000)
    for reason in (p1_frame.CRC, p1_frame.TRUNCATED, p1_frame.SYNTAX, p1_frame.NO_CRC):
        assert reader.rejected[reason] > 0, reader.rejected


def test_mangled_telegrams_without_checksum_stay_well_formed_or_out():
    good = lines("0-0:96.1.1(%s)" % SERIAL_A, *ENERGY, crc="")
    bits = case.Bits("no checksum")
    bank = Bank(17250)
    registers = read(good, 4096, False)[1][0].registers
    for now_s in (0, 1):
        bank.adopt(SERIAL_A, registers, now_s)
    reader = p1_frame.Reader(False)
    for _ in range(case.scale(3000, 500)):
        for one in reader.feed(mutate(good, bits) + good):
            assert all(0 <= wh < 10**18 for wh in one.registers.values())
            bank.adopt(one.serial, one.registers, 2)
        assert bank.generation == 1 and bank.snapshot()[1] <= registers[1] + 17250 * 12 * 61 // 36000 + 2


def test_each_reason_for_a_rejection():
    version = "1-3:0.2.8(50)"
    for data, reason in (
        (lines(version, *ENERGY, crc="0000"), p1_frame.CRC),
        (lines(version, *ENERGY, crc=""), p1_frame.NO_CRC),
        (lines(version, *ENERGY, crc="12345"), p1_frame.SYNTAX),
        (lines(version, *ENERGY, crc="12 4"), p1_frame.SYNTAX),
        (lines(version, *ENERGY, crc="+123"), p1_frame.SYNTAX),
        (lines(version, *ENERGY, crc="123456789"), p1_frame.SYNTAX),
        (lines(version, "0-0:96.1.1(\x01)"), p1_frame.NOT_ASCII),
        (lines(version, "1-0:1.8.0(1\xe9*kWh)"), p1_frame.NOT_ASCII),
        (lines(version, start="/TST5 \xff"), p1_frame.NOT_ASCII),
        (lines(version, "x" * 5000), p1_frame.OVERSIZE),
        (b"/ISk5 broken off\r\n\r\n" + lines(version, crc="0000"), p1_frame.TRUNCATED),
        (b"/ISk5 broken off" + lines(version, crc="0000"), p1_frame.CRC),
        (lines(version, *(ENERGY + ENERGY[:1])), p1_frame.SYNTAX),
        (lines(version, "1-0:1.8.0(1*kWh"), p1_frame.SYNTAX),
        (lines(version, "1-0:1.8.0(1(2)*kWh)"), p1_frame.SYNTAX),
        (lines(version, "1-0:1.8.0[1*kWh)"), p1_frame.SYNTAX),
        (lines(version, "1-0:1.8.0(1*kWh)", "(2*kWh)"), p1_frame.SYNTAX),
        (lines(version, "1-0:1.8.2"), p1_frame.SYNTAX),
        (lines(version, version), p1_frame.SYNTAX),
        (lines("0-0:96.1.1(45"), p1_frame.SYNTAX),
        (lines(version, "10:1.8.0(1*kWh)"), p1_frame.SYNTAX),
        (lines("(1*kWh)"), p1_frame.SYNTAX),
        (lines(version, start="/T"), p1_frame.SYNTAX),
        (lines(version, start="/" + "T" * 64), p1_frame.SYNTAX),
        (lines(version, "0-0:96.1.1(%s)" % ("3" * 97)), p1_frame.SYNTAX),
        (lines(version).replace(b"\r\n", b"\n"), p1_frame.CRC),
    ):
        reader, found = read(data, 4096)
        assert reader.rejected.get(reason) == 1 and not found, (reason, reader.rejected, data)
        reader.feed(b"\n")
        assert len(reader.feed(lines(version, *ENERGY))) == 1


def test_energy_that_cannot_be_read_exactly_is_rejected():
    for value in (
        "",
        "1",
        "1*Wh*",
        "*kWh",
        "1.*kWh",
        ".5*kWh",
        "1,5*kWh",
        "-1*kWh",
        "1e3*kWh",
        "1 *kWh",
        "0x1*kWh",
        "1*MWh",
        "1*mwh",
        "1*kkWh",
        "1*kvarh",
        "1_0*kWh",
        "1.2.3*kWh",
        "1234567890123456*kWh",
        "1*kWh)(2*kWh",
    ):
        reader, found = read(lines("1-0:1.8.0(%s)" % value))
        assert reader.rejected == {p1_frame.SYNTAX: 1} and not found, value
    for value, wh in (
        ("003432.827*kWh", 3432827),
        ("6545766*Wh", 6545766),
        ("00032549.5061662*kWh", 32549506),
        ("0.9999*kWh", 999),
        ("7*kWh", 7000),
        ("7.001*kwh", 7001),
        ("42*WH", 42),
        ("0.1*Wh", 0),
    ):
        (one,) = read(lines("1-0:1.8.0(%s)" % value))[1]
        assert one.registers == {1: wh}, value


def test_a_meter_that_sent_checksums_cannot_leave_them_out():
    reader = p1_frame.Reader(False)
    assert reader.feed(lines("1-3:0.2.8(42)", *ENERGY, crc="")) == [] and reader.rejected == {p1_frame.NO_CRC: 1}
    reader = p1_frame.Reader(False)
    bare = lines(*ENERGY, crc="")
    assert len(reader.feed(bare)) == 1
    assert len(reader.feed(lines(*ENERGY))) == 1
    assert reader.feed(bare) == [] and reader.rejected == {p1_frame.NO_CRC: 1}


def test_times():
    for text, unix_s in (
        ("190324150519W", 1553436319),
        ("191027025959S", 1572137999),  # the hour that comes twice
        ("191027020000W", 1572138000),
        ("200229000000W", 1582930800),
        ("000101000000W", 946681200),
        ("991231235959W", 4102441199),
        ("210229000000W", None),
        ("632525252525W", None),
        ("190324150519X", None),
        ("190324150519", None),
        ("190324240000W", None),
        ("190324 50519W", None),
        ("", None),
    ):
        (one,) = read(lines("0-0:1.0.0(%s)" % text, *ENERGY))[1]
        assert one.unix_s == unix_s and (one.local_time is None) == (unix_s is None), text
    (one,) = read(lines(*ENERGY))[1]
    assert one.unix_s is None


def test_garbage_is_skipped_and_never_kept():
    bits = case.Bits("garbage")
    reader = p1_frame.Reader()
    good = lines(*ENERGY)
    for _ in range(case.scale(200, 40)):
        for _ in range(5):
            reader.feed(bits.bytes(bits.below(3000)))
            assert reader.held_bytes <= p1_frame.MAX_TELEGRAM
        reader.feed(b"/" + b"(" * bits.below(9000))
        assert reader.held_bytes <= p1_frame.MAX_TELEGRAM
        assert len(reader.feed(good)) == 1
    assert reader.rejected[p1_frame.OVERSIZE] > 10 and reader.accepted == case.scale(200, 40)


def test_the_longest_telegram_that_fits():
    for extra in range(-20, 20):
        pad = p1_frame.MAX_TELEGRAM - 60 + extra
        data = lines("0-0:96.13.0(%s)" % ("30" * (pad // 2) + "3" * (pad % 2)))
        reader, found = read(data, 100)
        assert len(found) == (len(data) <= p1_frame.MAX_TELEGRAM), (len(data), reader.rejected)
        if not found:
            assert reader.rejected == {p1_frame.OVERSIZE: 1}, (len(data), reader.rejected)


def test_the_checksum_is_crc_16_arc():
    assert p1_frame.crc16(b"123456789") == 0xBB3D  # the check value of the CRC catalogue
    assert naive_crc(b"123456789") == 0xBB3D
    case.raises(p1_telegram.TelegramError, p1_telegram.decode, b"", True)


def test_the_other_checksum_is_crc_16_x25():
    assert p1_frame.crc16(b"123456789", p1_frame.X25) == 0x906E  # the check value of the CRC catalogue
    body = lines(*ENERGY, crc="")[:-2]
    data = body + b"%04X\r\n" % p1_frame.crc16(body, p1_frame.X25)
    for kind, reason in ((p1_frame.X25, None), (p1_frame.ARC, p1_frame.CRC)):
        reader = p1_frame.Reader(True, kind)
        assert len(reader.feed(data)) == (reason is None) and reader.rejected == ({reason: 1} if reason else {})


TOTALS = ("1-0:1.8.0(003816.208*kWh)", "1-0:2.8.0(003604.595*kWh)")


def test_a_slash_in_a_name_begins_no_telegram():
    named = lines(*TOTALS, start="/TST5/D999-METER/2")
    for size in (1, 7, 4096):
        reader, found = read(named * 3, size)
        assert [one.identification for one in found] == ["TST5/D999-METER/2"] * 3 and reader.rejected == {}
    for cut in range(1, len(named) - 2):  # the one before broke off: in a line, or at its end
        reader, found = read(named[:cut] + named)
        assert [one.identification for one in found] == ["TST5/D999-METER/2"], cut
        assert reader.rejected == {p1_frame.TRUNCATED: 1}, (cut, reader.rejected)


def test_lines_that_cannot_be_read_and_do_not_matter_are_skipped_lines():
    for broken, count in (
        (("0-1:24.2.1(260115115500W)(01234.567*m\xb3)",), 1),
        (("0-0:96.13.0(" + "\xff" * 200 + ")",), 1),
        (("0-0:98.1.0(", "0-0:1.0.0(220201000000T)", "(000001.000*kWh)"), 1),
        (("0-1:24.3.0(120517020000)(08", "(00124.477)"), 1),
        (("0-1.24.1.0(003)", "0-n:24.1.0(003)", "1-0: 32.32.0(00000)", "garbage"), 4),
        (("0-1:24.1.0(003)", "0-0:96.13.1()", "0-0:96.13.1()"), 0),
        (("1-0:32.7.0(230.1*v)", "1-0:32.7.0(231.0*v)"), 1),
        (("1-0:1.7.0(\x00)",), 1),
        (("1-0:1.8.0*01(000001.000*kWh)",), 0),  # a register of the month before
        (("1-0:1.7.0(00.378*kw)",), 0),
    ):
        for where in (0, 1, 2):
            data = TOTALS[:where] + broken + TOTALS[where:]
            if where and broken[0][0] == "(":
                continue
            reader, (one,) = read(lines("1-3:0.2.8(50)", "0-0:96.1.1(%s)" % SERIAL_A, *data))
            assert one.registers == {1: 3816208, 2: 3604595} and one.serial == SERIAL_A, broken
            assert reader.skipped_lines == one.skipped_lines == count and reader.rejected == {}, broken
            reader, found = read(lines("0-0:96.1.1(%s)" % SERIAL_A, *data, crc=""), 4096, False)
            assert bool(found) == (not count), broken  # nothing vouches for it
    assert one.power_w == 378


def test_all_tariffs_count_and_the_total_is_the_meters():
    rates = ["1-0:1.8.%d(%03d.000*kWh)" % (tariff, tariff) for tariff in range(1, 16)]
    rates += ["1-0:2.8.%d(%03d*Wh)" % (tariff, tariff) for tariff in range(1, 16)]
    (one,) = read(lines(*rates))[1]
    assert one.registers == {1: 120_000, 2: 120, 3: 1000, 5: 2000, 4: 1, 6: 2}
    (one,) = read(lines("1-0:1.8.0(000130.000*kWh)", *rates))[1]
    assert one.registers[1] == 130_000 and one.registers[2] == 120


def test_energy_of_channel_one_is_read_where_there_is_none_of_channel_zero():
    other = [line.replace("1-0:", "1-1:") for line in TOTALS + ("1-0:1.7.0(01.500*kW)", "1-0:32.7.0(229.0*V)")]
    (one,) = read(lines(*other))[1]
    assert one.registers == {1: 3816208, 2: 3604595} and one.power_w == 1500 and one.instantaneous[65] == 229_000
    (one,) = read(lines("1-0:1.8.0(7*Wh)", *other))[1]
    assert one.registers == {1: 7} and one.power_w is None
    reader, found = read(lines("1-1:1.8.0(7*Wh", *TOTALS))
    assert reader.rejected == {p1_frame.SYNTAX: 1} and not found


def test_telegrams_of_power_alone_have_no_registers():
    (one,) = read(lines("1-0:1.7.0(00.378*kW)"))[1]
    assert one.registers == {} and one.power_w == 378


def registers_in(text):
    """Every total that could honestly be read in the lines of `text`: those given, and the sum of all its tariffs."""
    found = {}
    for line in text.split("\r\n"):
        code, bracket, value = line.partition("(")
        if bracket and code[:6] in ("1-0:1.", "1-0:2.") and code[5:8] == ".8." and value[-1:] == ")":
            number, _, unit = value[:-1].partition("*")
            whole, _, fraction = number.partition(".")
            places = 3 if unit.lower() == "kwh" else 0
            try:
                found[code[4:]] = int((whole + (fraction + "000")[:places]))
            except ValueError:
                return None
    totals = {}
    for number, way in ((1, "1"), (2, "2")):
        rates = [found["%s.8.%d" % (way, k)] for k in range(1, 16) if "%s.8.%d" % (way, k) in found]
        if way + ".8.0" in found:
            totals[number] = found[way + ".8.0"]
        elif rates:
            totals[number] = sum(rates)
    return totals


def test_damage_under_a_checksum_gives_no_register_that_is_not_in_the_text():
    """As by a meter whose own text is damaged, so that its checksum holds."""
    bits = case.Bits("damaged text")
    data = ENERGY + ("1-0:1.8.3(000001.000*kWh)", "0-0:96.13.0()", "0-1:24.2.1(260115115500W)(01234.567*m3)")
    good = lines("1-3:0.2.8(50)", "0-0:96.1.1(%s)" % SERIAL_A, *data, crc="")[:-2]
    taken = skipped_lines = 0
    for k in range(case.scale(10000, 2000)):
        body = mutate(good[:-1], bits).replace(b"!", b"") + b"!"
        reader, found = read(b"\r\n" + body + b"%04X\r\n" % naive_crc(body), 512)
        for one in found:
            taken += 1
            skipped_lines += one.skipped_lines
            text = "".join([chr(byte) if byte < 128 else "?" for byte in body])
            honest = registers_in(text[:-1])
            totals = {number: wh for number, wh in one.registers.items() if number < 3}
            assert honest is None or totals == honest, (k, body, totals, honest)
            assert one.serial in text and one.version in text and one.identification in text
    assert taken * 10 > case.scale(10000, 2000) and skipped_lines > 20
