"""Names to addresses without waiting: the messages of RFC 1035, what is no answer, and when a request is sent."""

import case
from wattpact_meter.drivers import dns
from wattpact_meter.drivers.dns import Resolver, decode, encode, is_numeric

NUMBER, NAME = b"\xab\xcd", "pool.ntp.org"
# RFC 1035, 4.1: head, then the question as labels, type A, class IN
REQUEST = b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04pool\x03ntp\x03org\x00\x00\x01\x00\x01"


def record(data=b"\xc0\x00\x02\x07", kind=1, seconds=300, owner=b"\xc0\x0c"):
    """One of an answer's records: an address, whose owner is the name in the question."""
    return (
        owner + kind.to_bytes(2, "big") + b"\x00\x01" + seconds.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data
    )


def answer(*records, request=REQUEST, flags=b"\x81\x80", counted=None):
    count = len(records) if counted is None else counted
    return request[:2] + flags + b"\x00\x01" + count.to_bytes(2, "big") + bytes(4) + request[12:] + b"".join(records)


def test_a_request_is_as_in_the_standard():
    assert encode(NUMBER, NAME) == REQUEST
    assert encode(NUMBER, "a" * 63)[12] == 63 and len(encode(NUMBER, ".".join(["a" * 49] * 5))) == 12 + 251 + 4
    for wrong in ("", ".", "a..b", "a.", "a" * 64, "a b", "caf\xe9", "a\n", ".".join(["a" * 63] * 4)):
        case.raises(ValueError, encode, NUMBER, wrong)


def test_the_first_address_in_an_answer_is_taken():
    assert decode(answer(record()), REQUEST) == ("192.0.2.7", 300)
    alias = record(b"\x03abc\xc0\x11", kind=5, seconds=9)
    assert decode(answer(alias, record(owner=b"\x03abc\xc0\x11", seconds=7)), REQUEST) == ("192.0.2.7", 7)
    both = answer(record(bytes(16), kind=28), record(b"\xff\x00\x01\xff"), record())
    assert decode(both, REQUEST) == ("255.0.1.255", 300)


def test_what_is_no_answer_gives_no_address():
    good = answer(record())
    other = encode(NUMBER, "pool.ntp.net")
    for wrong in (
        b"", good[:12], REQUEST, answer(), answer(record(), request=other),
        answer(record(), request=b"\xab\xce" + REQUEST[2:]),
        answer(record(), flags=b"\x01\x80"),  # a request
        answer(record(), flags=b"\x83\x80"),  # cut off
        answer(record(), flags=b"\x89\x80"),  # of another kind
        answer(record(), flags=b"\x81\x83"),  # no such name
        answer(record(bytes(5))), answer(record(kind=16)), answer(record(), counted=0),
        answer(record(kind=5), counted=2),
        answer(record())[:-1], answer(record(owner=b"\x40" + bytes(64))), answer(record(owner=b"\x3f")),
        good + bytes(dns.MAX_BYTES), answer(*[record(kind=5)] * dns.MAX_RECORDS, record()),
        good[:4] + b"\x00\x02" + good[6:],
    ):  # fmt: skip
        assert decode(wrong, REQUEST) is None, wrong


def test_no_damage_makes_it_raise():
    bits = case.Bits("names")
    found = 0
    for _ in range(case.scale(20_000, 1500)):
        data = bytearray(answer(record(b"\x03abc\xc0\x11", kind=5), record(), record(bytes(16), kind=28)))
        for _ in range(bits.below(4)):
            at = bits.below(len(data))
            data[at : at + bits.below(3)] = bits.bytes(bits.below(3))
            data = data or bytearray(1)
        address = decode(bytes(data), REQUEST)
        found += address is not None
        assert address is None or (is_numeric(address[0]) and 0 <= address[1] < 1 << 32)
    assert found


def test_numbers_are_distinguished_from_names():
    assert [is_numeric(name) for name in ("192.0.2.7", "0.0.0.0", "255.255.255.255")] == [True] * 3
    for name in (
        "",
        "a.b.c.d",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.-4",
        "1.2.3.",
        "1.2.3.4000",
        "1.2.3.\xb2",
        NAME,
    ):
        assert not is_numeric(name), name


class Wire:
    """In the place of the socket module: one socket at a time, with what was sent and what is to be received."""

    AF_INET = SOCK_DGRAM = 0

    def __init__(self):
        self.sent = []
        self.incoming = []
        self.is_open = False
        self.fails = False

    def socket(self, *_):
        assert not self.is_open
        self.is_open = True
        return self

    def getaddrinfo(self, address, port):
        assert is_numeric(address), "this would wait"
        return [(0, 0, 0, "", (address, port))]

    def setblocking(self, blocking):
        assert not blocking

    def connect(self, address):
        assert address == ("192.0.2.1", 53)
        if self.fails:
            raise OSError(101)

    def send(self, data):
        self.sent.append(data)

    def recv(self, most):
        if not self.incoming:
            raise OSError(11)
        return self.incoming.pop(0)[:most]

    def close(self):
        self.is_open = False


class Lookups:
    """A resolver on a wire of its own, and the name server's address."""

    def __init__(self):
        self.wire, self.server, self._before = Wire(), "192.0.2.1", dns.socket
        self.resolver = Resolver(lambda: self.server, case.Bits("numbers").bytes)
        self.ms = 0

    def __enter__(self):
        dns.socket = self.wire
        return self

    def __exit__(self, *_):
        dns.socket = self._before

    def poll(self, ms=0):
        self.ms += ms
        self.resolver.poll(self.ms)
        return len(self.wire.sent)

    def reply(self, *records):
        self.wire.incoming.append(answer(*records, request=self.wire.sent[-1]))
        self.poll(20)

    def times(self, ms, step_ms=100):
        """When requests are sent in so many ms without an answer."""
        sent = []
        for _ in range(ms // step_ms):
            before = len(self.wire.sent)
            if self.poll(step_ms) > before:
                sent.append(self.ms)
        return sent


def test_a_number_needs_no_request_and_a_name_one():
    with Lookups() as line:
        assert line.resolver.address("192.0.2.9") == "192.0.2.9" and line.poll() == 0
        assert line.resolver.address(NAME) is None and line.poll() == 1 and line.poll(100) == 1
        line.wire.incoming.append(b"noise")
        line.poll(100)
        assert line.resolver.address(NAME) is None
        line.reply(record())
        assert line.resolver.address(NAME) == "192.0.2.7" and not line.wire.is_open and line.poll(1000) == 1
        assert line.wire.sent[0][2:] == REQUEST[2:] and line.wire.sent[0][:2] != NUMBER


def test_an_address_serves_within_bounds_and_until_the_next():
    for seconds, due_ms in ((0, dns.SHORTEST_MS), (300, 300_000), (1 << 31, dns.LONGEST_MS)):
        with Lookups() as line:
            line.resolver.address(NAME)
            line.poll()
            line.reply(record(seconds=seconds))
            assert line.poll(due_ms - 1) == 1 and line.poll(1) == 2
            assert line.resolver.address(NAME) == "192.0.2.7"
            line.reply(record(b"\xc0\x00\x02\x08"))
            assert line.resolver.address(NAME) == "192.0.2.8"


def test_without_an_answer_requests_get_rarer():
    with Lookups() as line:
        line.resolver.address(NAME)
        sent = line.times(600_000)
        pauses = [after - before for before, after in zip(sent, sent[1:])]
        assert pauses == sorted(pauses) and pauses[0] <= 3_500 and 60_000 <= pauses[-1] <= 63_000 and len(sent) < 20
        before = len(line.wire.sent)
        while len(line.wire.sent) == before:
            line.poll(100)
        line.reply(record(seconds=60))  # the server is there again
        again = line.times(70_000)
        assert len(again) >= 2 and again[1] - again[0] == pauses[0], "pauses are as at first"


def test_without_a_network_nothing_is_sent_and_nothing_raised():
    with Lookups() as line:
        line.server = None
        line.resolver.address(NAME)
        assert line.times(10_000) == []
        line.server, line.wire.fails = "192.0.2.1", True
        assert line.times(10_000) == [] and not line.wire.is_open
        line.wire.fails = False
        assert line.times(20_000)


def test_what_is_no_name_is_never_sent():
    with Lookups() as line:
        assert line.resolver.address("no name") is None
        assert line.times(20_000) == [] and line.resolver.address("no name") is None and not line.wire.is_open


def test_names_are_bounded_and_take_turns():
    with Lookups() as line:
        names = ["n%d.example" % n for n in range(dns.MAX_NAMES + 2)]
        for name in names:
            assert line.resolver.address(name) is None
        line.times(20_000)
        asked = {data[13:15] for data in line.wire.sent}
        assert asked == {name[:2].encode() for name in names[: dns.MAX_NAMES]}
