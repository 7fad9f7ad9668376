"""Ed25519: RFC 8032, the vectors and Wycheproof, through the public names and through the portable backend."""

import json

import case
from wattpact_protocol import _ed25519_portable, ed25519


def portable_verify(public_key, message, signature):
    """As ed25519.verify checks lengths for either backend."""
    return len(public_key) == 32 and len(signature) == 64 and _ed25519_portable.verify(public_key, message, signature)


VERIFIERS = (ed25519.verify, portable_verify)


def test_signatures_of_rfc_8032():
    for vector in case.vectors("ed25519")["sign"]:
        seed, key, message, signature = [
            bytes.fromhex(vector[name]) for name in ("seed", "public_key", "message", "signature")
        ]
        for backend in (ed25519, _ed25519_portable):
            assert backend.public_key(seed) == key, vector["name"]
            assert backend.sign(seed, message) == signature, vector["name"]
        for verify in VERIFIERS:
            assert verify(key, message, signature) is True, vector["name"]
            assert verify(key, message + b"\x00", signature) is False, vector["name"]


def test_verdicts_of_the_vectors():
    for vector in case.vectors("ed25519")["verify"]:
        key, message, signature = [bytes.fromhex(vector[name]) for name in ("public_key", "message", "signature")]
        for verify in VERIFIERS:
            assert verify(key, message, signature) is vector["valid"], vector["name"]


def test_verdicts_of_wycheproof():
    with open(case.data("crypto/wycheproof/ed25519_test.json")) as file:
        suite = json.load(file)
    judged = 0
    for group in suite["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["pk"])
        for test in group["tests"]:
            message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
            for verify in VERIFIERS:
                assert verify(key, message, signature) is (test["result"] == "valid"), test["tcId"]
            judged += 1
    assert judged == suite["numberOfTests"] == 151


def test_a_key_that_is_not_reduced_is_no_point():
    for y in range(19):
        reduced = _ed25519_portable._decompress(y.to_bytes(32, "little"))
        assert _ed25519_portable._decompress((y + (1 << 255) - 19).to_bytes(32, "little")) is None
        if reduced is not None:
            assert _ed25519_portable._compress(reduced) == y.to_bytes(32, "little")


def test_every_changed_bit_is_refused():
    seed = bytes(range(32))
    key, message = ed25519.public_key(seed), b"reading"
    signature = ed25519.sign(seed, message)
    assert ed25519.verify(key, message, signature)
    for bit in range(0, 512, case.scale(1, 16)):
        changed = bytearray(signature)
        changed[bit >> 3] ^= 1 << (bit & 7)
        for verify in VERIFIERS:
            assert verify(key, message, bytes(changed)) is False, bit


def test_a_seed_of_another_length_or_type_is_refused():
    for seed in (b"", bytes(31), bytes(33), bytes(64), "0" * 32, None, 32):
        case.raises(ed25519.SeedError, ed25519.public_key, seed)
        case.raises(ed25519.SeedError, ed25519.sign, seed, b"")
    assert issubclass(ed25519.SeedError, ValueError)
