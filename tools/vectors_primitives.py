"""Cases for cbor.json and cose.json.

CBOR items are literals, value and bytes side by side. COSE cases change one thing in one good envelope.
"""

import hashlib
from typing import Any

from wattpact_protocol.crypto import ed25519
from wattpact_protocol.encoding import cbor, cose

from tools.vectors_ed25519 import RFC8032

Case = dict[str, Any]

# clause of RFC 8949, what it shows, value, bytes
_CBOR_GOOD: list[tuple[str, str, Any, str]] = [
    ("Appendix A", "0", 0, "00"),
    ("Appendix A", "10", 10, "0a"),
    ("Appendix A", "23, the last in one byte", 23, "17"),
    ("Appendix A", "24", 24, "1818"),
    ("Appendix A", "100", 100, "1864"),
    ("4.2.1", "255, the last in two bytes", 255, "18ff"),
    ("4.2.1", "256", 256, "190100"),
    ("Appendix A", "1000", 1000, "1903e8"),
    ("4.2.1", "65535, the last in three bytes", 65535, "19ffff"),
    ("4.2.1", "65536", 65536, "1a00010000"),
    ("Appendix A", "1000000", 1000000, "1a000f4240"),
    ("4.2.1", "2^32 - 1, the last in five bytes", 4294967295, "1affffffff"),
    ("4.2.1", "2^32", 4294967296, "1b0000000100000000"),
    ("Appendix A", "1000000000000", 1000000000000, "1b000000e8d4a51000"),
    ("Appendix A", "the greatest integer", 18446744073709551615, "1bffffffffffffffff"),
    ("Appendix A", "-1", -1, "20"),
    ("Appendix A", "-10", -10, "29"),
    ("4.2.1", "-24, the last in one byte", -24, "37"),
    ("4.2.1", "-25", -25, "3818"),
    ("Appendix A", "-100", -100, "3863"),
    ("Appendix A", "-1000", -1000, "3903e7"),
    ("Appendix A", "the least integer", -18446744073709551616, "3bffffffffffffffff"),
    ("Appendix A", "false", False, "f4"),
    ("Appendix A", "true", True, "f5"),
    ("Appendix A", "null", None, "f6"),
    ("Appendix A", "no bytes", b"", "40"),
    ("Appendix A", "four bytes", bytes((1, 2, 3, 4)), "4401020304"),
    ("4.2.1", "24 bytes", bytes(24), "5818" + "00" * 24),
    ("Appendix A", "no text", "", "60"),
    ("Appendix A", "IETF", "IETF", "6449455446"),
    ("Appendix A", "two bytes of UTF-8", "\u00fc", "62c3bc"),
    ("Appendix A", "three bytes of UTF-8", "\u6c34", "63e6b0b4"),
    ("Appendix A", "four bytes of UTF-8", "\U00010151", "64f0908591"),
    ("Appendix A", "no items", [], "80"),
    ("Appendix A", "three items", [1, 2, 3], "83010203"),
    ("Appendix A", "arrays in an array", [1, [2, 3], [4, 5]], "8301820203820405"),
    ("Appendix A", "no pairs", {}, "a0"),
    ("Appendix A", "integer keys", {1: 2, 3: 4}, "a201020304"),
    ("Appendix A", "text keys", {"a": 1, "b": [2, 3]}, "a26161016162820203"),
    ("Appendix A", "map in an array", ["a", {"b": "c"}], "826161a161626163"),
    ("4.2.1", "bytewise order", {10: 1, 100: 1, -1: 1, "z": 1, "aa": 1}, "a50a011864012001617a0162616101"),
    ("3.4", "tag 18", cbor.Tag(18, [b"", {}]), "d28240a0"),
    ("profile: depth", "six levels", [[[[[[0]]]]]], "81818181818100"),
    ("profile: depth", "six levels of each kind", cbor.Tag(18, [{1: cbor.Tag(18, [{}])}]), "d281a101d281a0"),
]

# clause, what is wrong, bytes
_CBOR_BAD: list[tuple[str, str, str]] = [
    ("3", "nothing", ""),
    ("3", "head cut short", "19ff"),
    ("3", "bytes cut short", "43aabb"),
    ("3", "text cut short", "6361"),
    ("3", "array cut short", "8201"),
    ("3", "map cut short after a key", "a101"),
    ("3", "tag of nothing", "d2"),
    ("3", "a length beyond all memory", "5bffffffffffffffff"),
    ("3", "reserved argument 28", "1c"),
    ("3", "reserved argument 30 of a tag", "de00"),
    ("4.2.1", "23 in two bytes", "1817"),
    ("4.2.1", "255 in three bytes", "1900ff"),
    ("4.2.1", "65535 in five bytes", "1a0000ffff"),
    ("4.2.1", "2^32 - 1 in nine bytes", "1b00000000ffffffff"),
    ("4.2.1", "-1 in two bytes", "3800"),
    ("4.2.1", "length of bytes in two bytes", "5801ff"),
    ("4.2.1", "length of text in two bytes", "780161"),
    ("4.2.1", "count of an array in two bytes", "980101"),
    ("4.2.1", "count of a map in two bytes", "b8010101"),
    ("4.2.1", "tag 18 in three bytes", "d9001280"),
    ("4.2.1", "indefinite bytes", "5f4101ff"),
    ("4.2.1", "indefinite text", "7f6161ff"),
    ("4.2.1", "indefinite array", "9f01ff"),
    ("4.2.1", "indefinite map", "bf0101ff"),
    ("3.2.1", "break alone", "ff"),
    ("5.6", "a key twice", "a201010102"),
    ("5.6", "a text key twice", "a2616101616102"),
    ("4.2.1", "keys out of order", "a202010101"),
    ("4.2.1", "-1 before 100: shortest first is not bytewise", "a22001186401"),
    ("profile: map keys", "key of bytes", "a1410101"),
    ("profile: map keys", "key of an array", "a18001"),
    ("profile: map keys", "key true", "a1f501"),
    ("profile: map keys", "key null", "a1f601"),
    ("3.1", "text that is not UTF-8", "61ff"),
    ("3.1", "overlong UTF-8", "62c0ae"),
    ("3.1", "a surrogate", "63eda080"),
    ("3.1", "beyond U+10FFFF", "64f4908080"),
    ("3.1", "UTF-8 cut short", "62e6b0"),
    ("profile: simple values", "undefined", "f7"),
    ("profile: simple values", "simple value 16", "f0"),
    ("profile: simple values", "simple value 255", "f8ff"),
    ("3.3", "false in two bytes", "f814"),
    ("profile: floats", "0.0 in half precision", "f90000"),
    ("profile: floats", "single precision", "fa47c35000"),
    ("profile: floats", "double precision", "fb3ff199999999999a"),
    ("profile: tags", "a date", "c074323031332d30332d32315432303a30343a30305a"),
    ("profile: tags", "a bignum that fits 64 bits", "c24105"),
    ("profile: tags", "2^64 as a bignum", "c249010000000000000000"),
    ("profile: tags", "tag 17", "d180"),
    ("profile: tags", "tag 55799, self-described", "d9d9f700"),
    ("profile: tags", "shared value", "82d81c4161d81d00"),
    ("profile: one item", "a byte after the item", "0000"),
    ("profile: one item", "two items", "a0a0"),
    ("profile: depth", "seven arrays", "8181818181818100"),
    ("profile: depth", "seven tags", "d2d2d2d2d2d2d200"),
    ("profile: depth", "seven maps", "a101a101a101a101a101a101a10100"),
]


def cbor_cases() -> Case:
    """cbor.json. What JSON has not is {"int": "decimal"}, {"bytes": hex}, {"map": pairs} or {"tag18": value}."""
    good = [
        {"name": name, "clause": clause, "value": _to_json(value), "hex": data}
        for clause, name, value, data in _CBOR_GOOD
    ]
    bad = [{"name": name, "clause": clause, "hex": data} for clause, name, data in _CBOR_BAD]
    return {"spec": "docs/spec/cbor.md", "good": good, "bad": bad}


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, dict):
        return {"map": [[_to_json(key), _to_json(item)] for key, item in value.items()]}
    if isinstance(value, cbor.Tag):
        return {"tag18": _to_json(value.value)}
    if isinstance(value, int) and abs(value) >= 1 << 30:
        return {"int": str(value)}
    return value


def cose_cases() -> Case:
    """cose.json: one good envelope with what lies between payload and bytes, and what changes make of it."""
    seed = bytes.fromhex(RFC8032[0][1])
    key = ed25519.public_key(seed)
    kid = hashlib.sha256(key).digest()[:8]
    aad = b"wattpact/1" + bytes(range(16))
    good = []
    for length in (0, 23, 24, 255, 256, 938):
        name, payload = f"payload of {length} bytes", b"a" * length
        data = cose.sign1(kid, payload, aad, lambda message: ed25519.sign(seed, message))
        protected = b"\xa2\x01\x27\x04\x48" + kid
        signed = cose.sig_structure(protected, aad, payload)
        good.append(
            {
                "name": name,
                "clause": "RFC 9052 4.2, 4.4",
                "seed": seed.hex(),
                "public_key": key.hex(),
                "kid": kid.hex(),
                "aad": aad.hex(),
                "payload": payload.hex(),
                "protected": protected.hex(),
                "sig_structure": signed.hex(),
                "id": hashlib.sha256(signed).hexdigest(),
                "entry": data.hex(),
            }
        )
    return {"spec": "docs/spec/cose.md", "good": good, "bad": _bad_envelopes(kid)}


def _bad_envelopes(kid: bytes) -> list[Case]:
    """Envelopes that are not of the one shape; each is spelt out, none is made by the encoder."""
    protected = "a201270448" + kid.hex()
    head, payload, signature = "d2844d" + protected, "43010203", "5840" + "00" * 64
    bad = [
        ("no tag", "tag 18", head[2:] + "a0" + payload + signature),
        ("tag 17", "tag 18", "d1" + head[2:] + "a0" + payload + signature),
        ("tag 18 in two bytes", "RFC 8949 4.2.1", "d812" + head[2:] + "a0" + payload + signature),
        ("an array of three", "RFC 9052 4.2", "d2834d" + protected + "a0" + payload),
        ("an array of five", "RFC 9052 4.2", "d2854d" + protected + "a0" + payload + signature + "f6"),
        ("an indefinite array", "RFC 8949 4.2.1", "d29f4d" + protected + "a0" + payload + signature + "ff"),
        ("protected header empty", "protected header", "d28440a0" + payload + signature),
        ("protected header without kid", "protected header", "d28443a10127a0" + payload + signature),
        ("kid of 7 bytes", "protected header", "d2844ca201270447" + kid.hex()[:14] + "a0" + payload + signature),
        ("kid of 9 bytes", "protected header", "d2844ea201270449" + kid.hex() + "00a0" + payload + signature),
        ("kid before alg", "RFC 8949 4.2.1", "d2844da20448" + kid.hex() + "0127a0" + payload + signature),
        ("alg ES256", "protected header", head.replace("0127", "0126", 1) + "a0" + payload + signature),
        ("alg in two bytes", "RFC 8949 4.2.1", "d2844ea20138070448" + kid.hex() + "a0" + payload + signature),
        ("a third header", "protected header", "d2844fa301270300" + "0448" + kid.hex() + "a0" + payload + signature),
        ("kid unprotected too", "unprotected header", head + "a10448" + kid.hex() + payload + signature),
        ("unprotected header null", "unprotected header", head + "f6" + payload + signature),
        ("payload detached", "payload", head + "a0f6" + signature),
        ("payload of text", "payload", head + "a063616263" + signature),
        ("payload length in two bytes", "RFC 8949 4.2.1", head + "a05803010203" + signature),
        ("payload length in three bytes", "RFC 8949 4.2.1", head + "a0590018" + "00" * 24 + signature),
        ("payload length in five bytes", "RFC 8949 4.2.1", head + "a05a00000003010203" + signature),
        ("signature of 63 bytes", "signature", head + "a0" + payload + "583f" + "00" * 63),
        ("signature of 65 bytes", "signature", head + "a0" + payload + "5841" + "00" * 65),
        ("signature cut short", "RFC 8949 3", head + "a0" + payload + signature[:-2]),
        ("a byte after the end", "one item", head + "a0" + payload + signature + "00"),
        ("1025 bytes", "length", head + "a05903ab" + "00" * 939 + signature),
        ("nothing", "RFC 8949 3", ""),
    ]
    return [{"name": name, "clause": clause, "hex": data} for name, clause, data in bad]
