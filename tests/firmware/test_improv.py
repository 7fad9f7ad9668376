"""Improv's frames: found in whatever comes, with what is wrong counted, and never more kept than one frame."""

import case
from case import raises
from simulator.service import packet, rpc, scan, wifi
from wattpact_meter.service import improv

# Bytes of the protocol's own page: the header, version 1, a command (3) of two bytes, "request current state" (2, 0).
REQUEST_STATE = bytes.fromhex("494d50524f56 01 03 02 02 00".replace(" ", ""))
REQUEST_STATE += bytes([sum(REQUEST_STATE) & 0xFF])


def hostile(bits):
    """Bytes of pieces that a parser may stumble over."""
    pieces = []
    for _ in range(1 + bits.below(8)):
        whole = packet(bits.choice((3, 3, 3, 1, 4, 9)), bits.bytes(bits.below(40)), bits.choice((1, 1, 1, 2)))
        cut = bits.below(len(whole))
        long = b"IMPROV\x01\x03" + bytes([bits.below(256)])
        broken = whole[:cut] + bytes([whole[cut] ^ (1 << bits.below(8))]) + whole[cut + 1 :]
        pieces.append(
            bits.choice((whole, whole, whole[:cut], whole[cut:], broken, long, bits.bytes(bits.below(20)), b"IMPROV"))
        )
    return b"".join(pieces)


def feed(frames, data, bits):
    """In pieces of any length."""
    found = []
    while data:
        size = 1 + bits.below(64)
        found += frames.feed(data[:size])
        assert len(frames._held) <= improv.FRAME_BYTES
        data = data[size:]
    return found


def test_a_frame_is_as_the_protocol_has_it():
    assert improv.Frames().feed(REQUEST_STATE) == [b"\x02\x00"]
    assert improv.state(improv.READY) == b"IMPROV\x01\x01\x01\x02" + bytes([0xE2]) + b"\n"
    assert improv.error(improv.OTHER_ERROR) == packet(2, b"\xff")
    assert improv.result(3, [b"ab", b""]) == packet(4, b"\x03\x04\x02ab\x00")


def test_each_rejection_is_counted_by_its_reason():
    good = rpc(2)
    for data, why, count in (
        (b"hello, meter\r\n", "noise", 13), (packet(3, b"\x02\x00", 2), "noise", len(good) - 1),
        (packet(1, b"\x02"), "type", 1), (b"IMPROV\x01\x03\xf7", "length", 1),
        (good[:-2] + b"\x00", "checksum", 1),
    ):  # fmt: skip
        frames = improv.Frames()
        assert frames.feed(data + good) == [b"\x02\x00"], why
        assert frames.rejected[why] == count, (why, frames.rejected)
        assert frames.frames_rejected == (0 if why == "noise" else 1)
        assert not frames.is_within


def test_one_that_was_cut_hides_no_other():
    frames = improv.Frames()
    assert frames.feed(b"IMPROV\x01\x03\x60\x01" + rpc(2) + rpc(4)) == [] and frames.is_within
    assert frames.cut() == [b"\x02\x00", b"\x04\x00"]
    assert frames.rejected["cut"] == 1 and not frames.is_within
    assert frames.feed(b"IMP") == [] and frames.cut() == [] and frames.rejected["cut"] == 1
    assert frames.feed(b"IMPROV\x01") == [] and frames.cut() == [] and frames.rejected["cut"] == 2


def test_the_longest_frame_has_256_bytes():
    frames = improv.Frames()
    longest = packet(3, bytes(246))
    assert len(longest) == 257 and frames.feed(longest) == [bytes(246)]
    assert frames.feed(packet(3, bytes(247))) == [] and frames.rejected["length"] == 1
    for size, is_there in ((118, True), (119, False)):  # two more bytes each, for lengths, of the 246
        full = improv.result(4, [b"x" * 124, b"y" * size])
        assert (b"y" in full) == is_there and len(full) <= 257
    many = improv.result(4, [b"x" * 100, b"y" * 100, b"w" * 100, b"z"])
    assert len(many) <= 257 and many.count(b"y") == 100 and many.count(b"w") == many.count(b"z") == 0


def test_lengths_within_a_command_agree_or_it_is_none():
    assert improv.command(b"\x01\x02ab") == (1, b"ab")
    for data in (b"", b"\x01", b"\x01\x01", b"\x01\x00a", b"\x01\xff"):
        raises(improv.ImprovError, improv.command, data)
    assert improv.texts(b"\x01a\x00\x02bc") == [b"a", b"", b"bc"] and improv.texts(b"") == []
    for payload in (b"\x01", b"\xff", b"\x00\x02a"):
        raises(improv.ImprovError, improv.texts, payload)
    _, payload = improv.command(improv.Frames().feed(wifi("house", "ö"))[0])
    assert improv.texts(payload) == [b"house", "ö".encode()]


def test_what_is_outside_of_frames_is_there_to_be_seen():
    frames = improv.Frames()
    frames.feed(rpc(3) + b"\r\x03")
    assert frames.outside == b"\r\x03"
    frames = improv.Frames()
    assert frames.feed(packet(3, b"\r\x03\x03\x03")) == [b"\r\x03\x03\x03"] and frames.outside == b"\n"


def test_whatever_comes_the_same_is_found_as_in_all_of_it_together():
    bits = case.Bits("improv")
    for _ in range(case.cases(case.scale(2000, 400), 100)):
        data = hostile(bits)
        frames = improv.Frames()
        assert feed(frames, data, bits) + frames.cut() == scan(data), data
        assert frames._held == b"" and len(frames.outside) <= 2
        assert frames.feed(rpc(2)) == [b"\x02\x00"], data
