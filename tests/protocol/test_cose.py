"""COSE_Sign1: the vectors, the working group's examples, and the parser of the one shape against the general one."""

import hashlib
import json

import case
from wattpact_protocol.crypto import ed25519
from wattpact_protocol.encoding import cbor, cose

SEED = bytes(range(32))
KID = b"\x01\x02\x03\x04\x05\x06\x07\x08"
AAD = b"wattpact/1" + bytes(16)


def no_signer(message):
    """A signature that is none, for envelopes whose shape alone matters."""
    return hashlib.sha256(message).digest() * 2


def decode_generally(data):
    """What decode1 stands for, by the general decoder and the shape of docs/spec/cose.md."""
    value = cbor.decode(data)
    if not isinstance(value, cbor.Tag) or not isinstance(value.value, list) or len(value.value) != 4:
        raise cose.DecodeError("not tag 18 with an array of four")
    protected, unprotected, payload, signature = value.value
    if not isinstance(protected, bytes) or not isinstance(payload, bytes) or not isinstance(signature, bytes):
        raise cose.DecodeError("not byte strings")
    header = cbor.decode(protected)
    if not isinstance(header, dict) or set(header) != {1, 4} or unprotected != {} or len(signature) != 64:
        raise cose.DecodeError("not the headers or the signature")
    alg, kid = header[1], header[4]
    if alg is True or alg not in (-8, -19) or not isinstance(kid, bytes) or len(kid) != 8:
        raise cose.DecodeError("not the algorithm or the kid")
    return alg, kid, protected, payload, signature


def parts(envelope):
    return envelope.alg, envelope.kid, envelope.protected, envelope.payload, envelope.signature


def verdict(decode, data):
    """The parts, or None where the bytes are rejected."""
    try:
        return decode(data)
    except cbor.DecodeError:
        return None


def verify1(envelope, aad, public_key, verifier=ed25519.verify):
    """Whether the envelope's signature is the key's, over its payload in this aad."""
    if not isinstance(envelope, cose.Sign1):
        envelope = cose.decode1(envelope)
    return verifier(public_key, cose.sig_structure(envelope.protected, aad, envelope.payload), envelope.signature)


def test_good_vectors():
    for vector in case.vectors("cose")["good"]:
        field = {}
        for name in vector:
            if name not in ("name", "clause"):
                field[name] = bytes.fromhex(vector[name])
        entry, aad, payload, protected = field["entry"], field["aad"], field["payload"], field["protected"]
        made = cose.sign1(field["kid"], payload, aad, lambda message, seed=field["seed"]: ed25519.sign(seed, message))
        assert made == entry, vector["name"]
        envelope = cose.decode1(entry)
        assert parts(envelope) == (-8, field["kid"], protected, payload, entry[-64:]), vector["name"]
        assert cose.sig_structure(protected, aad, payload) == field["sig_structure"]
        assert cbor.decode(field["sig_structure"], limit=2048) == ["Signature1", protected, aad, payload]
        assert cose.entry_id(protected, aad, payload) == field["id"]
        assert verify1(entry, aad, field["public_key"]) is True
        assert verify1(envelope, aad, field["public_key"]) is True
        assert verify1(envelope, aad[:-1] + b"\xff", field["public_key"]) is False
        assert verify1(envelope, aad, bytes(32)) is False


def test_bad_vectors():
    for vector in case.vectors("cose")["bad"]:
        data = bytes.fromhex(vector["hex"])
        case.raises(cose.DecodeError, cose.decode1, data)
        assert verdict(decode_generally, data) is None, vector["name"]
    assert issubclass(cose.DecodeError, cbor.DecodeError) and issubclass(cose.EncodeError, cbor.EncodeError)


def test_working_group_examples():
    """By file: does the signature hold (None: not Ed25519). No example has our headers: every envelope is rejected."""
    signature_holds = {
        "eddsa-examples/eddsa-sig-01": True,
        "eddsa-examples/eddsa-sig-02": None,  # Ed448
        "sign1-tests/sign-pass-01": None,  # ES256 from here on; alg and kid unprotected
        "sign1-tests/sign-pass-02": None,
        "sign1-tests/sign-pass-03": None,  # and no tag
        "sign1-tests/sign-fail-01": None,  # another tag
        "sign1-tests/sign-fail-02": None,  # signature changed
        "sign1-tests/sign-fail-03": None,  # an unknown algorithm
        "sign1-tests/sign-fail-04": None,
        "sign1-tests/sign-fail-06": None,
        "sign1-tests/sign-fail-07": None,
    }
    for name in sorted(signature_holds):
        with open(case.data("cose/" + name + ".json")) as file:
            example = json.load(file)
        data = bytes.fromhex(example["output"]["cbor"])
        case.raises(cose.DecodeError, cose.decode1, data)
        given, to_be_signed = example["input"]["sign0"], bytes.fromhex(example["intermediates"]["ToBeSign_hex"])
        _, protected, aad, payload = cbor.decode(to_be_signed)
        assert cose.sig_structure(protected, aad, payload) == to_be_signed, name
        assert aad == bytes.fromhex(given.get("external", "")), name
        if signature_holds[name] is not None:
            tagged = cbor.decode(data)
            public_key, seed = bytes.fromhex(given["key"]["x_hex"]), bytes.fromhex(given["key"]["d_hex"])
            assert tagged.value[0] == protected and tagged.value[2] == payload
            assert ed25519.verify(public_key, to_be_signed, tagged.value[3]) is signature_holds[name]
            assert ed25519.sign(seed, to_be_signed) == tagged.value[3]


def test_both_algorithm_names_are_taken_and_one_is_made():
    entry = cose.sign1(KID, b"payload", AAD, no_signer)
    assert cose.decode1(entry).alg == cose.EDDSA == -8
    specified = entry.replace(b"\x01\x27\x04", b"\x01\x32\x04")
    envelope = cose.decode1(specified)
    assert envelope.alg == cose.ED25519 == -19
    protected = b"\xa2\x01\x32\x04\x48" + KID
    signature = ed25519.sign(SEED, cose.sig_structure(protected, AAD, b"payload"))
    assert verify1(specified[:-64] + signature, AAD, ed25519.public_key(SEED)) is True


def test_the_verifier_is_given_key_message_and_signature():
    entry = cose.sign1(KID, b"payload", AAD, no_signer)
    calls = []

    def verifier(*arguments):
        calls.append(arguments)
        return True

    assert verify1(entry, AAD, b"key", verifier) is True
    envelope = cose.decode1(entry)
    assert calls == [(b"key", cose.sig_structure(envelope.protected, AAD, b"payload"), entry[-64:])]


def test_sign1_makes_only_what_decode1_takes():
    for kid in (b"", KID[:7], KID + b"9"):
        case.raises(cose.EncodeError, cose.sign1, kid, b"", AAD, no_signer)
    for length in (0, 63, 65):
        case.raises(cose.EncodeError, cose.sign1, KID, b"", AAD, lambda message, n=length: bytes(n))
    case.raises(cose.EncodeError, cose.sign1, KID, bytes(939), AAD, no_signer)
    case.raises(cose.EncodeError, cose.sign1, KID, bytes(65536), AAD, no_signer)
    assert len(cose.sign1(KID, bytes(938), AAD, no_signer)) == 1024
    for length in range(0, 939, case.scale(1, 29)):
        entry = cose.sign1(KID, bytes(length), AAD, no_signer)
        assert parts(cose.decode1(entry)) == decode_generally(entry)


def test_decode1_takes_any_buffer_and_nothing_else():
    entry = cose.sign1(KID, b"payload", AAD, no_signer)
    for buffer in (entry, bytearray(entry), memoryview(entry)):
        envelope = cose.decode1(buffer)
        assert parts(envelope) == decode_generally(entry)
        assert type(envelope.payload) is bytes
    for other in ("", None, 84, [entry]):
        case.raises(cose.DecodeError, cose.decode1, other)


def agree(data):
    envelope = verdict(cose.decode1, data)
    assert (envelope and parts(envelope)) == verdict(decode_generally, data), data.hex()


def test_decode1_and_the_general_decoder_agree_on_every_changed_byte_and_length():
    for payload in (b"", b"a" * 23, b"a" * 24, b"a" * 300):
        entry = cose.sign1(KID, payload, AAD, no_signer)
        for length in range(0, len(entry), case.scale(1, 7)):
            agree(entry[:length])
        for place in list(range(24)) + list(range(len(entry) - 68, len(entry) - 60)):
            for byte in range(0, 256, case.scale(1, 5)):
                agree(entry[:place] + bytes([byte]) + entry[place + 1 :])


def test_decode1_and_the_general_decoder_agree_on_mutations():
    bits = case.Bits("envelopes")
    heads = (b"\x40", b"\x57", b"\x58", b"\x59", b"\x5a", b"\x58\x40", b"\xa0", b"\xd2", b"\x84", b"\x4d", b"\x00")
    for _ in range(case.scale(5000, 300)):
        entry = cose.sign1(KID, bits.bytes(bits.below(300)), AAD, no_signer)
        for _ in range(1 + bits.below(3)):
            place = bits.below(len(entry))
            entry = entry[:place] + bits.choice(heads) * bits.below(3) + entry[place + bits.below(3) :]
        agree(entry)
