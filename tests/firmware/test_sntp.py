"""The time in an SNTP answer, by the fields of RFC 4330 section 4, what is no answer, and when one counts."""

from wattpact_meter.clock import EARLIEST_S, LATEST_S, Now
from wattpact_meter.drivers import sntp
from wattpact_meter.drivers.sntp import EVERY_MS, FROM_1900_S, RETRY_MS, Sntp, decode
from wattpact_protocol.log import entry

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


def test_a_time_that_no_meter_lives_in_is_none():
    for unix_s in (0, 600, 946_684_800, 1_262_304_000, EARLIEST_S - 1, LATEST_S, (1 << 32) - 1):
        assert decode(answer((unix_s + FROM_1900_S) % (1 << 32)), NUMBER) is None, unix_s
    for unix_s in (EARLIEST_S, 2_387_000_000, LATEST_S - 1):
        assert decode(answer((unix_s + FROM_1900_S) % (1 << 32)), NUMBER) == unix_s


def test_a_meter_has_no_such_time_wherever_it_comes_from():
    for unix_s in (None, 0, EARLIEST_S - 1, LATEST_S, 1 << 62, -1):
        now = Now(5, unix_s, 2)
        assert now.unix_s is None and now.clock_status == 2 | entry.CLOCK_INVALID
    assert (Now(5, EARLIEST_S).unix_s, Now(5, LATEST_S - 1, 2).clock_status) == (EARLIEST_S, 2)


class Server:
    """A network whose time server answers each request with the next of `times`; None is no answer."""

    AF_INET, SOCK_DGRAM = 2, 2

    def __init__(self, *times):
        self.times = list(times)
        self.requests = 0

    def address(self, name):
        return "192.0.2.1"

    def socket(self, family, kind):
        return self

    def getaddrinfo(self, host, port):
        return [(2, 2, 0, "", (host, port))]

    def setblocking(self, flag):
        pass

    def connect(self, address):
        pass

    def close(self):
        pass

    def send(self, data):
        self.requests += 1
        self.number = data[40:]

    def recv(self, most):
        unix_s = self.times.pop(0)
        if unix_s is None:
            raise OSError(11)
        return answer((unix_s + FROM_1900_S) % (1 << 32), number=self.number)


def polled(*times):
    """Each time that counted, and the requests that were sent in two hours."""
    server, found, kept = Server(*times), [], sntp.socket
    sntp.socket = server
    try:
        client = Sntp("time.example", server)
        for now_ms in range(0, 2 * EVERY_MS, 500):
            unix_s = client.poll(now_ms) if server.times else None
            if unix_s is not None:
                found.append((now_ms, unix_s))
    finally:
        sntp.socket = kept
    assert all(later[0] - one[0] > EVERY_MS for one, later in zip(found, found[1:]))
    return [unix_s for _, unix_s in found], server.requests


AT_S = EARLIEST_S + 1000
AGAIN_S = RETRY_MS // 1000


def test_an_answer_counts_once_another_agrees():
    assert polled(AT_S, AT_S + AGAIN_S) == ([AT_S + AGAIN_S], 2)
    assert polled(AT_S, AT_S + 15, AT_S + 3615, AT_S + 3630) == ([AT_S + 15, AT_S + 3630], 4)


def test_one_bad_answer_sets_no_clock():
    assert polled(AT_S + 600_000_000, AT_S + 15, AT_S + 30) == ([AT_S + 30], 3)
    assert polled(AT_S, AT_S + 600_000_000, AT_S + 30, AT_S + 45) == ([AT_S + 45], 4)
    assert polled(AT_S, None, None, AT_S + 32) == ([AT_S + 32], 3)  # what was lost is requested again
    assert polled(AT_S, 0, 0, AT_S + 32) == ([AT_S + 32], 3)  # so is what was no time
