"""datagram: five types, one shape each; everything else is rejected with the reason that is counted."""

import case
from simulator import bodies
from wattpact_protocol.encoding import cbor
from wattpact_protocol.sync import datagram

COMMUNITY = bytes(range(16))
GOOD = {
    datagram.DIGEST: [bodies.KID, 0, 7, bytes(8), 12],
    datagram.HEAD: [bodies.KID, 0, 7],
    datagram.ENTRY: b"an entry",
    datagram.INBOX: [bytes(8), 3, 9, b"an entry"],
    datagram.ENROL: [bytes(32), bytes(32)],
}


def _reason(data):
    return str(case.raises(datagram.DatagramError, datagram.decode, data, COMMUNITY))


def test_round_trip():
    for kind, body in GOOD.items():
        assert datagram.decode(datagram.encode(kind, COMMUNITY, body), COMMUNITY) == (kind, body)
    assert sorted(GOOD) == sorted(datagram.NAMES)


def test_reasons():
    assert _reason(bytes(1201)) == "oversize"
    assert _reason(b"") == "malformed"
    assert _reason(b"\xff" * 40) == "malformed"
    assert _reason(cbor.encode([])) == "malformed"
    assert _reason(cbor.encode({})) == "malformed"
    assert _reason(cbor.encode([2, 2, COMMUNITY, GOOD[2]])) == "unknown_version"
    assert _reason(cbor.encode([True, 2, COMMUNITY, GOOD[2]])) == "unknown_version"
    assert _reason(cbor.encode([1, 2, bytes(16), GOOD[2]])) == "wrong_community"
    assert _reason(cbor.encode([1, 2, 5, GOOD[2]])) == "wrong_community"
    assert _reason(cbor.encode([1, 9, COMMUNITY, GOOD[2]])) == "unknown_type"
    assert _reason(cbor.encode([1, True, COMMUNITY, GOOD[2]])) == "unknown_type"
    assert _reason(cbor.encode([1, b"", COMMUNITY, GOOD[2]])) == "unknown_type"


def test_bodies_are_strict():
    for kind, body in GOOD.items():
        for bad in (None, 5, [], "text", {}):
            assert _reason(cbor.encode([1, kind, COMMUNITY, bad])) == "malformed"
        if kind == datagram.ENTRY:
            continue
        for place in range(len(body)):
            for bad in (None, -1, 1 << 63, True, b"123", "text", [], bytes(1025)):
                changed = list(body)
                changed[place] = bad
                data = cbor.encode([1, kind, COMMUNITY, changed])
                if isinstance(body[place], bytes) and body[place] == b"an entry" and bad == b"123":
                    continue
                assert _reason(data) == "malformed", (kind, place, bad)
        assert _reason(cbor.encode([1, kind, COMMUNITY, body + [0]])) == "malformed"


def test_ten_thousand_mangled_datagrams():
    bits = case.Bits("datagrams")
    kinds = sorted(GOOD)
    for _ in range(case.scale(10000, 3000)):
        kind = bits.choice(kinds)
        raw = bytearray(datagram.encode(kind, COMMUNITY, GOOD[kind]))
        for _ in range(1 + bits.below(3)):
            raw[bits.below(len(raw))] = bits.below(256)
        try:
            assert datagram.decode(bytes(raw), COMMUNITY)[0] in GOOD
        except datagram.DatagramError:
            pass
