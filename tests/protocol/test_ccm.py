"""AES-CCM on every backend: RFC 3610, SP 800-38C, Wycheproof, COSE; bad input raises CcmError and nothing else."""

import json

import case
from aead import from_hex, on_every_backend
from wattpact_protocol.crypto import ccm

VECTORS = case.vectors("ccm")
# Wycheproof's verdicts, by tcId: no case is "acceptable" there, and no backend here differs from another. All other
# cases are valid. Sizes are rejected before anything is computed.
INVALID_NONCE = list(range(487, 526))
INVALID_TAG = list(range(526, 553))
CHANGED_TAG = list(range(52, 79)) + list(range(130, 157)) + list(range(208, 235))


@on_every_backend
def test_vectors_seal_and_open():
    for vector in VECTORS["seal"]:
        key, nonce, aad, plaintext, sealed = from_hex(vector, "key", "nonce", "aad", "plaintext", "sealed")
        size = vector["tag_length"]
        assert ccm.seal(key, nonce, aad, plaintext, size) == sealed, vector["name"]
        assert ccm.open(key, nonce, aad, sealed, size) == plaintext, vector["name"]


@on_every_backend
def test_vectors_that_do_not_open():
    for vector in VECTORS["bad"]:
        key, nonce, aad, sealed = from_hex(vector, "key", "nonce", "aad", "sealed")
        error = case.raises(ccm.CcmError, ccm.open, key, nonce, aad, sealed, vector["tag_length"])
        for secret in (vector["key"], vector["plaintext"], str(key)[2:-1], "\\x"):
            assert not secret or secret not in repr(error), vector["name"]


@on_every_backend
def test_two_keys_may_open_one_ciphertext():
    # Why whoever seals a reading commits to the key first: one entry could otherwise be opened as two bills.
    one, other = [vector for vector in VECTORS["seal"] if vector["clause"] == "no commitment"]
    assert one["sealed"] == other["sealed"] and one["nonce"] == other["nonce"]
    contents = []
    for vector in (one, other):
        key, nonce, sealed = from_hex(vector, "key", "nonce", "sealed")
        contents.append(ccm.open(key, nonce, b"", sealed, 4))
    assert len(contents[0]) == len(contents[1]) == 16 and contents[0] != contents[1]


@on_every_backend
def test_sp_800_38c_example_4():
    # C.4: so much aad that its length takes six bytes.
    aad = bytes(range(256)) * 256
    sealed = ccm.seal(bytes(range(0x40, 0x50)), bytes(range(0x10, 0x1D)), aad, bytes(range(0x20, 0x40)), 14)
    assert sealed.hex() == (
        "69915dad1e84c6376a68c2967e4dab615ae0fd1faec44cc484828529463ccf72b4ac6bec93e8598e7f0dadbcea5b"
    )


@on_every_backend
def test_the_default_tag_has_8_bytes():
    # COSE's AES-CCM-16-64-128, algorithm 10 (RFC 9053, 4.2).
    key, nonce = bytes(16), bytes(13)
    sealed = ccm.seal(key, nonce, b"", b"x")
    assert len(sealed) == 9 and sealed == ccm.seal(key, nonce, b"", b"x", 8)
    assert ccm.open(key, nonce, b"", sealed) == b"x"


@on_every_backend
def test_every_flipped_bit_is_rejected():
    bits = case.Bits("flips")
    key, nonce, aad, plaintext = bits.bytes(16), bits.bytes(13), bits.bytes(7), bits.bytes(21)
    parts = [key, nonce, aad, ccm.seal(key, nonce, aad, plaintext)]
    assert ccm.open(*parts) == plaintext
    for place, part in enumerate(parts):
        for at in range(len(part)):
            changed = bytearray(part)
            changed[at] ^= 1 << bits.below(8)
            arguments = parts[:place] + [bytes(changed)] + parts[place + 1 :]
            case.raises(ccm.CcmError, ccm.open, *arguments)


@on_every_backend
def test_every_truncation_is_rejected():
    key, nonce, aad = bytes(16), bytes(13), b"aad"
    sealed = ccm.seal(key, nonce, aad, bytes(40))
    for length in range(len(sealed)):
        case.raises(ccm.CcmError, ccm.open, key, nonce, aad, sealed[:length])


@on_every_backend
def test_wrong_types_and_sizes_are_rejected():
    good = [bytes(16), bytes(13), b"aad", bytes(30), 8]
    ccm.seal(*good)
    no_bytes = (None, 0, 16, "text" * 4, [0] * 16, (0,) * 16, bytearray(16), memoryview(bytes(16)), True, 1.5)
    wrong = {
        0: no_bytes + (b"", bytes(1), bytes(15), bytes(17), bytes(23), bytes(25), bytes(31), bytes(33), bytes(4096)),
        1: no_bytes + (b"", bytes(6), bytes(14), bytes(16), bytes(4096)),
        2: no_bytes + (bytes(ccm.MAX_LENGTH + 1),),
        3: no_bytes + (bytes(1 << 16), bytes(ccm.MAX_LENGTH + 9)),
        4: (None, "8", b"8", 8.0, True, False, -8, 0, 1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 18, 32, 1 << 70, [8]),
    }
    for place, values in wrong.items():
        for value in values:
            arguments = good[:place] + [value] + good[place + 1 :]
            case.raises(ccm.CcmError, ccm.seal, *arguments)
            if place != 3 or not isinstance(value, bytes):
                case.raises(ccm.CcmError, ccm.open, *arguments)
    case.raises(ccm.CcmError, ccm.open, good[0], good[1], b"", bytes((1 << 16) + 8))
    case.raises(ccm.CcmError, ccm.open, good[0], bytes(7), b"", bytes(ccm.MAX_LENGTH + 9))


def test_the_longest_text_of_a_nonce_of_13_bytes():
    # RFC 3610, 2.1: two bytes are left for its length.
    key, nonce, text = bytes(16), bytes(13), bytes(65535)
    assert ccm.open(key, nonce, b"", ccm.seal(key, nonce, b"", text)) == text


@on_every_backend
def test_verdicts_of_wycheproof():
    with open(case.data("crypto/wycheproof/aes_ccm_test.json")) as file:
        groups = json.load(file)["testGroups"]
    count = 0
    for group in groups:
        for test in group["tests"]:
            count += 1
            check_one(test, group["tagSize"] // 8)
    assert count == 552


def check_one(test, tag_length):
    """One case of Wycheproof's: it seals and opens as stated, or does not open and does not seal to this."""
    name = test["tcId"]
    rejected = name in INVALID_NONCE or name in INVALID_TAG
    changed = name in CHANGED_TAG
    assert test["result"] == ("invalid" if rejected or changed else "valid"), name
    key, nonce, aad, text, ciphertext, tag = from_hex(test, "key", "iv", "aad", "msg", "ct", "tag")
    sealed = ciphertext + tag
    if rejected:
        case.raises(ccm.CcmError, ccm.seal, key, nonce, aad, text, tag_length)
    else:
        assert (ccm.seal(key, nonce, aad, text, tag_length) == sealed) is not changed, name
    if rejected or changed:
        case.raises(ccm.CcmError, ccm.open, key, nonce, aad, sealed, tag_length)
    else:
        assert ccm.open(key, nonce, aad, sealed, tag_length) == text, name


@on_every_backend
def test_coses_examples():
    for kind in ("", "enc-"):
        for number in range(1, 9):
            path = "cose/aes-ccm-examples/aes-ccm-%s0%d.json" % (kind, number)
            with open(case.data(path)) as file:
                example = json.load(file)
            cose_example(example, path)


def cose_example(example, path):
    aad, key = from_hex(example["intermediates"], "AAD_hex", "CEK_hex")
    nonce = bytes.fromhex(example["input"]["rng_stream"][0])
    text = example["input"]["plaintext"].encode()
    # "... 16-128/64": bits of tag after the slash, and nonces of 13 bytes with 16, of 7 with 64.
    algorithm = example["title"].split("AES-CCM ")[1].split(" ")[0]
    tag_length = int(algorithm.split("/")[1]) // 8
    assert len(nonce) == {"16": 13, "64": 7}[algorithm.split("-")[0]], path
    sealed = ccm.seal(key, nonce, aad, text, tag_length)
    assert sealed.hex() in example["output"]["cbor"].lower(), path
    assert ccm.open(key, nonce, aad, sealed, tag_length) == text, path
