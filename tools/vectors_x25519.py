"""Cases for x25519.json: RFC 7748's, numbers that are not reduced, and what is rejected because nothing is shared."""

from typing import Any

from wattpact_protocol.crypto import _x25519_portable as portable

Case = dict[str, Any]

_PRIME = (1 << 255) - 19
_TOP = 1 << 255

# RFC 7748, 5.2: name, secret, public, shared
RFC7748 = [
    (
        "first",
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    ),
    (
        "second",
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ),
]
# RFC 7748, 5.2: the secret becomes the public key and the result the secret, so many times from 9
ITERATED = [
    (1, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"),
    (1000, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"),
]
# RFC 7748, 6.1: name, secret, public
PAIRS = [
    (
        "a",
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    ),
    (
        "b",
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    ),
]
SHARED = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
# u of the points of order 2, 4, 8 and 8 of the curve, and of order 4 of its twist: what a clamped secret makes 0.
_ORDER_8 = 325606250916557431795983626356110631294008115727848805560023387167927233504
_ORDER_8_OTHER = 39382357235489614581723060781553021112529911719440698176882885853963445705823
_SMALL_ORDER = {"0": 0, "1": 1, "order 8": _ORDER_8, "order 8, the other": _ORDER_8_OTHER, "p - 1": _PRIME - 1}


def x25519_cases() -> Case:
    """x25519.json: public keys, shared secrets, and what is rejected."""
    public = [
        {"name": name, "clause": "RFC 7748 6.1", "secret": secret, "public": public} for name, secret, public in PAIRS
    ]
    shared = [_shared(name, "RFC 7748 5.2", *values) for name, *values in RFC7748]
    shared.append(_shared("a with b", "RFC 7748 6.1", PAIRS[0][1], PAIRS[1][2], SHARED))
    shared.append(_shared("b with a", "RFC 7748 6.1", PAIRS[1][1], PAIRS[0][2], SHARED))
    iterated = [{"times": times, "clause": "RFC 7748 5.2", "result": result} for times, result in ITERATED]
    return {
        "spec": "docs/spec/x25519.md",
        "public": public,
        "shared": shared + _unusual(),
        "iterated": iterated,
        "refused": _refused(),
    }


def _shared(name: str, clause: str, secret: str, public: str, shared: str) -> Case:
    return {"name": name, "clause": clause, "secret": secret, "public": public, "shared": shared}


def _unusual() -> list[Case]:
    """Bits that do not count, and numbers that are not reduced: each is the same as a plain case."""
    secret, public = (int.from_bytes(bytes.fromhex(text), "little") for text in (PAIRS[0][1], PAIRS[1][2]))
    cases = [
        _shared("low bits of the secret", "RFC 7748 5", _hex(secret ^ 7), PAIRS[1][2], SHARED),
        _shared("top bit of the secret", "RFC 7748 5", _hex(secret ^ _TOP), PAIRS[1][2], SHARED),
        _shared("top bit of the public key", "RFC 7748 5", PAIRS[0][1], _hex(public ^ _TOP), SHARED),
    ]
    for u in (2, 9, 18):
        expected = portable.shared(bytes.fromhex(PAIRS[0][1]), u.to_bytes(32, "little")).hex()
        for name, number in (
            (f"u = {u}", u),
            (f"u = {u} + p", u + _PRIME),
            (f"u = {u} + p, top bit", u + _PRIME | _TOP),
        ):
            cases.append(_shared(name, "RFC 7748 5", PAIRS[0][1], _hex(number), expected))
    return cases


def _refused() -> list[Case]:
    secret, public = PAIRS[0][1], PAIRS[1][2]
    numbers = {**_SMALL_ORDER, "p": _PRIME, "p + 1": _PRIME + 1}
    numbers.update({f"{name}, top bit": number | _TOP for name, number in numbers.items()})
    refused = [("RFC 7748 6.1", f"u = {name}", secret, _hex(number)) for name, number in numbers.items()]
    refused += [
        ("lengths", "31 bytes of secret", secret[:62], public),
        ("lengths", "33 bytes of secret", secret + "00", public),
        ("lengths", "no secret", "", public),
        ("lengths", "31 bytes of public key", secret, public[:62]),
        ("lengths", "33 bytes of public key", secret, public + "00"),
        ("lengths", "no public key", secret, ""),
    ]
    return [{"name": name, "clause": clause, "secret": one, "public": other} for clause, name, one, other in refused]


def _hex(number: int) -> str:
    return number.to_bytes(32, "little").hex()
