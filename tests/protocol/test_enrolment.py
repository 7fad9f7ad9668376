"""enrolment and merkle: RFC 9162 anchors, mistyped codes."""

import case
from wattpact_protocol.crypto import hkdf, merkle
from wattpact_protocol.sync import enrolment


def test_a_proof_is_for_one_code_community_and_key():
    base = enrolment.proof(bytes(16), bytes(16), bytes(32))
    assert hkdf.equal(base, enrolment.proof(bytes(16), bytes(16), bytes(32)))
    for other in (
        enrolment.proof(b"\x01" + bytes(15), bytes(16), bytes(32)),
        enrolment.proof(bytes(16), b"\x01" + bytes(15), bytes(32)),
        enrolment.proof(bytes(16), bytes(16), b"\x01" + bytes(31)),
        base[:-1],
    ):
        assert not hkdf.equal(base, other)


def test_codes():
    bits = case.Bits("codes")
    for _ in range(200):
        code = bits.bytes(16)
        text = enrolment.format_code(code)
        assert len(text) == 31 and text.count("-") == 5
        assert enrolment.parse_code(text) == code
        assert enrolment.parse_code(text.lower().replace("-", " ")) == code
    for wrong in ("", "A", text[:-1], text + "A", text.replace("-", "1", 1), "0" * 26, "A" * 25 + "B"):
        case.raises(enrolment.CodeError, enrolment.parse_code, wrong)


def test_merkle_is_rfc_9162s():
    # Test values of the tree of RFC 9162 (as of RFC 6962) over the leaves "", 00, 10, 2021, 3031, 40414243.
    leaves = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243")]
    roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    ]
    for count in range(7):
        assert merkle.root(leaves[:count]).hex() == roots[count], count
