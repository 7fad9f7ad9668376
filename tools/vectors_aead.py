"""Cases for hkdf.json and ccm.json: published ones, and what must be rejected.

The values of RFC 4231, RFC 5869, RFC 3610 and SP 800-38C are literals, typed in from there.
"""

import hashlib
from typing import Any

from wattpact_protocol.crypto import ccm

Case = dict[str, Any]

# RFC 4231, 4.2 to 4.8: key, data, the first bytes of the HMAC.
_HMAC: list[tuple[bytes, bytes, str]] = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (b"\x0c" * 20, b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]

# RFC 5869, A.1 to A.3: secret, salt, info, pseudorandom key, output.
_HKDF: list[tuple[bytes, bytes, bytes, str, str]] = [
    (
        b"\x0b" * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        b"\x0b" * 22,
        b"",
        b"",
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]

# RFC 3610, 8, packet vectors 1 to 12: one key, and a packet of bytes 00 01 02 ... in the clear up to the text.
_PACKET_KEY = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
_PACKETS = [
    "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0",
    "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3ba091d56e10400916",
    "51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da8596574adaa76fbd9fb0c5",
    "a28c6865939a9a79faaa5c4c2a9d4a91cdac8c96c861b9c9e61ef1",
    "dcf1fb7b5d9e23fb9d4e131253658ad86ebdca3e51e83f077d9c2d93",
    "6fc1b011f006568b5171a42d953d469b2570a4bd87405a0443ac91cb94",
    "0135d1b2c95f41d5d1d4fec185d166b8094e999dfed96c048c56602c97acbb7490",
    "7b75399ac0831dd2f0bbd75879a2fd8f6cae6b6cd9b7db24c17b4433f434963f34b4",
    "82531a60cc24945a4b8279181ab5c84df21ce7f9b73f42e197ea9c07e56b5eb17e5f4e",
    "07342594157785152b074098330abb141b947b566aa9406b4d999988dd",
    "676bb20380b0e301e8ab79590a396da78b834934f53aa2e9107a8b6c022c",
    "c0ffa0d6f05bdb67f24d43a4338d2aa4bed7b20e43cd1aa31662e7ad65d6db",
]
# Packet vectors 13 to 24, with another key: nonce up to what all share, aad, plaintext, sealed.
_RANDOM_KEY, _RANDOM_NONCE = "d7828d13b2b0bdc325a76236df93cc6b", "3c9696766cfa"
_RANDOM_PACKETS = [
    (
        "00412b4ea9cdbe", "0be1a88bace018b1", "08e8cf97d820ea258460e96ad9cf5289054d895ceac47c",
        "4cb97f86a2a4689a877947ab8091ef5386a6ffbdd080f8e78cf7cb0cddd7b3",
    ),
    (
        "0033568ef7b263", "63018f76dc8a1bcb", "9020ea6f91bdd85afa0039ba4baff9bfb79c7028949cd0ec",
        "4ccb1e7ca981befaa0726c55d378061298c85c92814abc33c52ee81d7d77c08a",
    ),
    (
        "00103fe4133671", "aa6cfa36cae86b40", "b916e0eacc1c00d7dcec68ec0b3bbb1a02de8a2d1aa346132e",
        "b1d23a2220ddc0ac900d9aa03c61fcf4a559a4417767089708a776796edb723506",
    ),
    (
        "00764c63b8058e", "d0d0735c531e1becf049c244", "12daac5630efa5396f770ce1a66b21f7b2101c",
        "14d253c3967b70609b7cbb7c499160283245269a6f49975bcadeaf",
    ),
    (
        "00f8b678094e3b", "77b60f011c03e1525899bcae", "e88b6a46c78d63e52eb8c546efb5de6f75e9cc0d",
        "5545ff1a085ee2efbf52b2e04bee1e2336c73e3f762c0c7744fe7e3c",
    ),
    (
        "00d560912d3f70", "cd9044d2b71fdb8120ea60c0", "6435acbafb11a82e2f071d7ca4a5ebd93a803ba87f",
        "009769ecabdf48625594c59251e6035722675e04c847099e5ae0704551",
    ),
    (
        "0042fff8f1951c", "d85bc7e69f944fb8", "8a19b950bcf71a018e5e6701c91787659809d67dbedd18",
        "bc218daa947427b6db386a99ac1aef23ade0b52939cb6a637cf9bec2408897c6ba",
    ),
    (
        "00920f40e56cdc", "74a0ebc9069f5b37", "1761433c37c5a35fc1f39f406302eb907c6163be38c98437",
        "5810e6fd25874022e80361a478e3e9cf484ab04f447efff6f0a477cc2fc9bf548944",
    ),
    (
        "0027ca0c7120bc", "44a3aa3aae6475ca", "a434a8e58500c6e41530538862d686ea9e81301b5ae4226bfa",
        "f2beed7bc5098e83feb5b31608f8e29c38819a89c8e776f1544d4151a4ed3a8b87b9ce",
    ),
    (
        "005b8ccbcd9af8", "ec46bb63b02520c33c49fd70", "b96b49e21d621741632875db7f6c9243d2d7c2",
        "31d750a09da3ed7fddd49a2032aabf17ec8ebf7d22c8088c666be5c197",
    ),
    (
        "003ebe94044b9a", "47a65ac78b3d594227e85e71", "e2fcfbb880442c731bf95167c8ffd7895e337076",
        "e882f1dbd38ce3eda7c23f04dd65071eb41342acdf7e00dccec7ae52987d",
    ),
    (
        "008d493b30ae8b", "6e37a6ef546d955d34ab6059", "abf21c0b02feb88f856df4a37381bce3cc128517d4",
        "f32905b88a641b04b9c9ffb58cc390900f3da12ab16dce9e82efa16da62059",
    ),
]  # fmt: skip
# SP 800-38C, C.1 to C.3: nonce, aad and plaintext are runs of bytes; how long they are, and the tag's length.
_EXAMPLES = [
    (7, 8, 4, 4, "7162015b4dac255d"),
    (8, 16, 16, 6, "d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd"),
    (12, 20, 24, 8, "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951"),
]
# Two keys that open one ciphertext under the nonce 00 ... 00, without aad: from SHA-256 of 4-byte numbers, found by
# trying these in order, as tests/host/test_aead_oracle.py does.
_TWO_KEYS = [10657, 64695]
_TWO_KEYS_SEALED = "00000000000000000000000000000000efe61512"


def hkdf_cases() -> Case:
    """hkdf.json: HMAC, HKDF, and lengths that there are not."""
    hmac = [
        {"name": f"test case {n}", "clause": f"RFC 4231 4.{n + 1}", "key": key.hex(), "data": data.hex(), "hmac": mac}
        for n, (key, data, mac) in enumerate(_HMAC, 1)
    ]
    derived = [
        {
            "name": f"test case {n}", "clause": f"RFC 5869 A.{n}", "secret": secret.hex(), "salt": salt.hex(),
            "info": info.hex(), "length": len(output) // 2, "prk": prk, "output": output,
        }
        for n, (secret, salt, info, prk, output) in enumerate(_HKDF, 1)
    ]  # fmt: skip
    bad = [{"name": f"{length} bytes", "clause": "RFC 5869 2.3", "length": length} for length in (-1, 0, 8161, 1 << 31)]
    return {"spec": "docs/spec/aes-ccm.md", "hmac": hmac, "derive": derived, "bad_length": bad}


def ccm_cases() -> Case:
    """ccm.json: what seals to what, and what does not open."""
    seal = [*_packets(), *_examples(), *_shapes(), *_two_keys()]
    return {"spec": "docs/spec/aes-ccm.md", "seal": seal, "bad": _bad()}


def _case(name: str, clause: str, parts: "tuple[str, str, str, str]", sealed: str) -> Case:
    key, nonce, aad, plaintext = parts
    return {
        "name": name, "clause": clause, "key": key, "nonce": nonce, "aad": aad, "plaintext": plaintext,
        "tag_length": (len(sealed) - len(plaintext)) // 2, "sealed": sealed,
    }  # fmt: skip


def _packets() -> list[Case]:
    cases = []
    for n, sealed in enumerate(_PACKETS):
        clear = (8, 12)[n // 3 % 2]
        packet = bytes(range(31 + n % 3))
        nonce = bytes((0, 0, 0, 3 + n, 2 + n, 1 + n, n)) + bytes(range(0xA0, 0xA6))
        parts = _PACKET_KEY, nonce.hex(), packet[:clear].hex(), packet[clear:].hex()
        cases.append(_case(f"packet vector {n + 1}", "RFC 3610 8", parts, sealed))
    for n, (nonce_start, aad, plaintext, sealed) in enumerate(_RANDOM_PACKETS, 13):
        parts = _RANDOM_KEY, nonce_start + _RANDOM_NONCE, aad, plaintext
        cases.append(_case(f"packet vector {n}", "RFC 3610 8", parts, sealed))
    return cases


def _examples() -> list[Case]:
    cases = []
    for n, (nonce, aad, text, tag, sealed) in enumerate(_EXAMPLES, 1):
        runs = (0x40, 16), (0x10, nonce), (0x00, aad), (0x20, text)
        key_hex, nonce_hex, aad_hex, text_hex = (bytes(range(at, at + length)).hex() for at, length in runs)
        case = _case(f"example {n}", f"SP 800-38C C.{n}", (key_hex, nonce_hex, aad_hex, text_hex), sealed)
        assert case["tag_length"] == tag
        cases.append(case)
    return cases


def _shapes() -> list[Case]:
    """What the published cases leave out: nothing to seal, no aad, whole blocks of both, the longer keys."""
    cases = []
    for name, key_length, aad, text in (
        ("nothing at all", 16, 0, 0),
        ("aad alone", 16, 14, 0),
        ("text alone, a block", 16, 0, 16),
        ("aad that fills its block", 16, 14, 33),
        ("aad a byte beyond its block", 16, 15, 96),
        ("a key of 24 bytes", 24, 20, 40),
        ("a key of 32 bytes", 32, 20, 40),
    ):
        key, nonce = bytes(range(key_length)), bytes(range(0x80, 0x8D))
        texts = bytes(range(aad)), bytes(range(0x20, 0x20 + text))
        sealed = ccm.seal(key, nonce, *texts)
        parts = key.hex(), nonce.hex(), texts[0].hex(), texts[1].hex()
        cases.append(_case(name, "RFC 3610 2.2", parts, sealed.hex()))
    return cases


def _two_keys() -> list[Case]:
    """One ciphertext with a tag of 4 bytes, authentic under two keys: CCM does not commit to its key."""
    cases = []
    for number in _TWO_KEYS:
        key = hashlib.sha256(number.to_bytes(4, "big")).digest()[:16]
        text = ccm.open(key, bytes(13), b"", bytes.fromhex(_TWO_KEYS_SEALED), 4)
        parts = key.hex(), bytes(13).hex(), "", text.hex()
        cases.append(_case(f"one of two keys, {number}", "no commitment", parts, _TWO_KEYS_SEALED))
    return cases


def _bad() -> list[Case]:
    """The last packet vector but one thing."""
    good = _packets()[-1]
    sealed = good["sealed"]
    other_tag = f"{int(sealed[-2:], 16) ^ 1:02x}"
    changes: list[tuple[str, str, Case]] = [
        ("the text changed", "RFC 3610 2.5", {"sealed": "f22905b8" + sealed[8:]}),
        ("the tag's last bit changed", "RFC 3610 2.5", {"sealed": sealed[:-2] + other_tag}),
        ("a byte short", "RFC 3610 2.5", {"sealed": sealed[:-2]}),
        ("a byte more", "RFC 3610 2.5", {"sealed": sealed + "00"}),
        ("another aad", "RFC 3610 2.5", {"aad": "6e37a6ef546d955d34ab6058"}),
        ("no aad", "RFC 3610 2.5", {"aad": ""}),
        ("another nonce", "RFC 3610 2.5", {"nonce": "008d493b30ae8b3c9696766cfb"}),
        ("another key", "RFC 3610 2.5", {"key": _PACKET_KEY}),
        ("read with a shorter tag", "RFC 3610 2.5", {"tag_length": 8}),
        ("nothing", "lengths", {"sealed": ""}),
        ("a byte less than a tag", "lengths", {"sealed": sealed[:18]}),
        ("a key of 15 bytes", "lengths", {"key": good["key"][2:]}),
        ("no key", "lengths", {"key": ""}),
        ("a nonce of 6 bytes", "lengths", {"nonce": good["nonce"][:12]}),
        ("a nonce of 14 bytes", "lengths", {"nonce": good["nonce"] + "00"}),
        ("a tag of 2 bytes", "lengths", {"tag_length": 2}),
        ("a tag of 9 bytes", "lengths", {"tag_length": 9}),
        ("a tag of 18 bytes", "lengths", {"tag_length": 18}),
    ]
    return [{**good, "name": name, "clause": clause, **change} for name, clause, change in changes]
