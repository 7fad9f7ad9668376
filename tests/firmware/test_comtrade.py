"""COMTRADE: a real recording, a small one worked by hand, and everything that is not one."""

import case
from boards.virtual.comtrade import ComtradeError, read

CFG = """substation,recorder,1999
3,2A,1D
1,I1,A,line,ampere,-0.5,2.25,,-99999,99999,1,1,P
2,U1,A,line,kV,1.5E-2,0,,-99999,99999,1,1,P
1,trip,,,0
50
1
1200.5,3
01/02/2020,03:04:05.000000
01/02/2020,03:04:05.001000
ASCII
1
"""
DAT = "1,,3,-2,0\n2,833,-4,100,1\n3,1666,0,0,0\n"


def test_a_recording_worked_by_hand():
    for cfg, dat in ((CFG, DAT), (CFG.encode(), DAT.replace("\n", "\r\n").encode() + b"\x1a")):
        found = read(cfg, dat)
        assert found.frequency_mhz == 50000 and found.rate_uhz == 1200500000 and found.samples == 3
        assert sorted(found.channels) == ["I1", "U1"]
        assert found.channels["I1"].quantity == "A" and found.channels["I1"].micro == [750000, 4250000, 2250000]
        assert found.channels["U1"].quantity == "V" and found.channels["U1"].micro == [-30000000, 1500000000, 0]
        assert [found.time_us(k) for k in range(3)] == [0, 833, 1666]


def test_the_ion7650_recording():
    path = case.data("waveforms/keating_ion7650/keating_1999.DAT")
    with open(path[:-3] + "CFG", "rb") as cfg, open(path, "rb") as dat:
        found = read(cfg.read(), dat.read())
    assert found.frequency_mhz == 60000 and found.rate_uhz == 30707244141 and found.samples == 2048
    assert sorted(found.channels) == ["I1", "I2", "I3", "I4", "U1", "U2", "U3", "U4"]
    # 1905 * -0.113816305994987 + 8.42240664362904 and 1571 * -0.0197614394128323 + 25.3736882060767, by hand
    assert found.channels["U1"].micro[0] == -208397656 and found.channels["I1"].micro[0] == -5671533
    assert len(found.channels["U4"].micro) == 2048 and found.time_us(2047) == 66662


def test_what_is_no_recording_is_rejected():
    for old, new in (
        ("1999", "1991"), ("1999", "1999,x"), ("3,2A,1D", "4,2A,1D"), ("2A", "2"), ("2A", "A"), ("3,2A,1D", "1,0A,1D"),
        ("3,2A,1D", "99,98A,1D"), ("1,I1", "2,I1"), ("U1", "I1"), ("ampere", "furlong"), ("-0.5", "-0.5.1"),
        ("-0.5", "--0.5"), ("-0.5", "nan"), ("-0.5", "1e999"), ("-0.5", ""), ("-0.5", "0." + "1" * 40),
        ("\n50\n1\n", "\n50\n2\n"), ("\n50\n", "\nx\n"), ("\n50\n", "\n0\n"), ("1200.5,3", "1200.5,4"),
        ("1200.5,3", "0,3"), ("1200.5,3", "1200.5,999999999"), ("1200.5,3", "1200.5"), ("ASCII", "BINARY"),
        ("1,trip,,,0\n", ""),
    ):  # fmt: skip
        assert old in CFG
        case.raises(ComtradeError, read, CFG.replace(old, new), DAT)
    for old, new in (
        ("1,,3", "0,,3"), ("2,833", "3,833"), ("-4,100", "-4"), ("100", "1000000"), ("100", "1_0"), ("100", "\xb2"),
        ("100", "1.5"), ("100", ""), ("3,1666,0,0,0\n", ""), ("100,1", "100,1,1"),
    ):  # fmt: skip
        assert old in DAT
        case.raises(ComtradeError, read, CFG, DAT.replace(old, new))
    narrow = CFG.replace("-99999,99999,1,1,P\n2", "-3,2,1,1,P\n2")
    case.raises(ComtradeError, read, narrow, DAT)
    binary = CFG.encode() + b"\xff"
    for cfg, dat in (("", ""), (b"", b""), (CFG, ""), ("", DAT), (binary, DAT), (CFG, b"1,,3,-2,0\n\xff")):
        case.raises(ComtradeError, read, cfg, dat)


def test_no_damage_makes_it_raise_anything_else():
    bits = case.Bits("damage")
    for _ in range(case.scale(3000, 500)):
        files = [bytearray(CFG.encode()), bytearray(DAT.encode())]
        for _ in range(1 + bits.below(3)):
            file = files[bits.below(2)]
            if file:
                at = bits.below(len(file))
                file[at : at + bits.below(3)] = bits.bytes(bits.below(3))
        try:
            found = read(bytes(files[0]), bytes(files[1]))
        except ComtradeError:
            continue
        assert found.samples > 0 and all(len(c.micro) == found.samples for c in found.channels.values())
