"""The time in an SNTP answer, by the fields of RFC 4330 section 4, and what is no answer."""

from wattpact_meter.drivers.sntp import decode

NUMBER = b"8 random"


def answer(seconds, leap=0, mode=4, stratum=2, number=NUMBER, length=48):
    head = bytes([leap << 6 | 4 << 3 | mode, stratum, 6, 0xEC])
    data = head + bytes(20) + number + bytes(8) + seconds.to_bytes(4, "big") + bytes(4)
    return (data + bytes(20))[:length]


def test_the_transmit_timestamp_is_unix_time():
    assert decode(answer(3944678400), NUMBER) == 1735689600  # 2025-01-01T00:00:00Z
    assert decode(answer(3994678400), NUMBER) == 1785689600
    assert decode(answer(0xFFFFFFFF), NUMBER) == 2085978495  # the last second of era 0, 2036-02-07T06:28:15Z
    assert decode(answer(1), NUMBER) == 2085978497  # era 1, RFC 4330 section 3


def test_what_is_no_answer_is_not_taken():
    good = 3994678400
    for wrong in (
        answer(good, leap=3), answer(good, mode=3), answer(good, mode=5), answer(good, stratum=0),
        answer(good, stratum=16), answer(good, number=b"8 others"), answer(0), answer(good, length=47),
        answer(good, length=49), b"",
    ):  # fmt: skip
        assert decode(wrong, NUMBER) is None
