"""HKDF and HMAC with SHA-256: RFC 5869, RFC 4231, on the backend of this platform and the portable one."""

import hashlib

import case
from aead import from_hex
from wattpact_protocol.crypto import _hkdf_portable, hkdf

VECTORS = case.vectors("hkdf")


def on_both_backends(test):
    def run():
        chosen = hkdf._backend
        for backend in (chosen, _hkdf_portable):
            hkdf._backend = backend
            try:
                test()
            finally:
                hkdf._backend = chosen

    return run


@on_both_backends
def test_hmac_is_rfc_4231s():
    for vector in VECTORS["hmac"]:
        key, data, mac = from_hex(vector, "key", "data", "hmac")
        assert hkdf.hmac_sha256(key, data)[: len(mac)] == mac, vector["name"]


@on_both_backends
def test_hkdf_is_rfc_5869s():
    for vector in VECTORS["derive"]:
        secret, salt, info, prk, output = from_hex(vector, "secret", "salt", "info", "prk", "output")
        assert hkdf.extract(salt, secret) == prk, vector["name"]
        assert hkdf.expand(prk, info, vector["length"]) == output, vector["name"]
        assert hkdf.derive(secret, salt, info, vector["length"]) == output, vector["name"]


@on_both_backends
def test_keys_of_a_block_and_about():
    # RFC 2104, 2: a key longer than a block of 64 bytes is its hash; a shorter one is filled up with zeros.
    base = hkdf.hmac_sha256(b"k" * 64, b"data")
    assert hkdf.hmac_sha256(b"k" * 63 + b"\x00", b"data") == hkdf.hmac_sha256(b"k" * 63, b"data") != base
    assert hkdf.hmac_sha256(b"k" * 65, b"data") == hkdf.hmac_sha256(hashlib.sha256(b"k" * 65).digest(), b"data") != base
    assert hkdf.hmac_sha256(bytes(64), b"") == hkdf.hmac_sha256(b"", b"")


@on_both_backends
def test_every_length_is_a_prefix_of_the_longest():
    longest = hkdf.expand(bytes(32), b"info", 8160)
    assert len(longest) == 8160
    for length in (1, 31, 32, 33, 64, 65, 8128, 8159):
        assert hkdf.expand(bytes(32), b"info", length) == longest[:length]


@on_both_backends
def test_lengths_that_there_are_not():
    for vector in VECTORS["bad_length"]:
        case.raises(hkdf.HkdfError, hkdf.derive, b"secret", b"", b"", vector["length"])
    for length in (True, None, "32", 32.0, b"32"):
        case.raises(hkdf.HkdfError, hkdf.derive, b"secret", b"", b"", length)
    case.raises(hkdf.HkdfError, hkdf.expand, bytes(31), b"", 16)


@on_both_backends
def test_what_is_not_bytes_is_rejected():
    for wrong in (None, "text", 7, [1], bytearray(32), memoryview(bytes(32))):
        for function, count in ((hkdf.hmac_sha256, 2), (hkdf.extract, 2), (hkdf.equal, 2)):
            for place in range(count):
                arguments = [bytes(32)] * count
                arguments[place] = wrong
                case.raises(hkdf.HkdfError, function, *arguments)
        case.raises(hkdf.HkdfError, hkdf.expand, wrong, b"", 16)
        case.raises(hkdf.HkdfError, hkdf.expand, bytes(32), wrong, 16)


@on_both_backends
def test_equality():
    base = bytes(range(32))
    assert hkdf.equal(base, bytes(range(32))) and hkdf.equal(b"", b"")
    for at in range(32):
        other = bytearray(base)
        other[at] ^= 0x80 >> at % 8
        assert not hkdf.equal(base, bytes(other)), at
    assert not hkdf.equal(base, base[:-1]) and not hkdf.equal(base, base + b"\x00") and not hkdf.equal(b"", b"\x00")
