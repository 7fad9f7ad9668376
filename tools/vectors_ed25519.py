"""Cases for ed25519.json: RFC 8032's signatures, edits of one, and forgeries that one rule alone rejects."""

import hashlib
from typing import Any

from wattpact_protocol.crypto import _ed25519_portable as curve

Case = dict[str, Any]

_ORDER = (1 << 252) + 27742317777372353535851937790883648493
_PRIME = (1 << 255) - 19

# RFC 8032, 7.1, TEST 1024: the message of 1023 bytes.
_MESSAGE_1024 = (
    "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544"
    "e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432"
    "826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15"
    "452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628"
    "c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83"
    "f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70e"
    "b6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf"
    "2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089b"
    "eccf80cfe2df16a2cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a7131"
    "4f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2"
    "af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e"
    "43f1bca32301651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb"
    "3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a"
    "7e08d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276c"
    "d419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308a"
    "a342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5f"
    "b93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6"
    "d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380db2eaaa707b4c4185c32eddcd"
    "d306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0"
)

# RFC 8032, 7.1: name, seed, public key, message, signature
RFC8032 = [
    (
        "TEST 1",
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "TEST 2",
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "TEST 3",
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "TEST 1024",
        "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        _MESSAGE_1024,
        "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b"
        "5e8fcd4f681e30a6ac00a9704a188a03",
    ),
    (
        "TEST SHA(abc)",
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
        "454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
        "3dca179c138ac17ad9bef1177331a704",
    ),
]


def ed25519_cases() -> Case:
    """ed25519.json: signatures to make, and keys and signatures to judge."""
    sign = [
        {"name": name, "clause": "RFC 8032 7.1", "seed": seed, "public_key": key, "message": text, "signature": made}
        for name, seed, key, text, made in RFC8032
    ]
    return {"spec": "docs/spec/ed25519.md", "sign": sign, "verify": [*_edited_signatures(), *_torsion_signatures()]}


def _judged(name: str, clause: str, key: bytes, message: bytes, signature: bytes, valid: bool) -> Case:
    return {
        "name": name,
        "clause": clause,
        "public_key": key.hex(),
        "message": message.hex(),
        "signature": signature.hex(),
        "valid": valid,
    }


def _edited_signatures() -> list[Case]:
    """TEST 3 of RFC 8032 with one thing changed."""
    key, message, signature = (bytes.fromhex(part) for part in RFC8032[2][2:])
    r, s = signature[:32], signature[32:]
    scalar = int.from_bytes(s, "little")
    flipped = bytes((signature[0] ^ 1,)) + signature[1:]
    negative = key[:31] + bytes((key[31] ^ 0x80,))
    edited = [
        ("another message", "RFC 8032 5.1.7", key, b"\xaf\x83", signature),
        ("R changed", "RFC 8032 5.1.7", key, message, flipped),
        ("sign of R changed", "RFC 8032 5.1.7", key, message, r[:31] + bytes((r[31] ^ 0x80,)) + s),
        ("the key's negative", "RFC 8032 5.1.7", negative, message, signature),
        ("s + L", "strict s", key, message, r + (scalar + _ORDER).to_bytes(32, "little")),
        ("s + 8 L", "strict s", key, message, r + (scalar + 8 * _ORDER).to_bytes(32, "little")),
        ("s = L", "strict s", key, message, r + _ORDER.to_bytes(32, "little")),
        ("s with the top bit set", "strict s", key, message, r + s[:31] + bytes((s[31] | 0x80,))),
        ("63 bytes of signature", "lengths", key, message, signature[:63]),
        ("65 bytes of signature", "lengths", key, message, signature + b"\0"),
        ("no signature", "lengths", key, message, b""),
        ("31 bytes of key", "lengths", key[:31], message, signature),
        ("33 bytes of key", "lengths", key + b"\0", message, signature),
        ("key that is no point", "RFC 8032 5.1.3", (2).to_bytes(32, "little"), message, signature),
    ]
    return [_judged("as signed", "RFC 8032 5.1.7", key, message, signature, True)] + [
        _judged(name, clause, key, message, signature, False) for name, clause, key, message, signature in edited
    ]


def _torsion_signatures() -> list[Case]:
    """Keys and R with a part of small order, made so that nothing but the rule named rejects them."""
    points = [curve._compress(point) for point in _SMALL_ORDER]
    cases = [_forged(f"key of small order, point {n}", "small order", key) for n, key in enumerate(points)]
    unusual = [
        ("y = 0 as p", _PRIME),
        ("y = 1 as p + 1", _PRIME + 1),
        ("y = 1 with the sign of x", 1 | 1 << 255),
        ("y = -1 with the sign of x", (_PRIME - 1) | 1 << 255),
        ("y = 0 as p, with the sign of x", _PRIME | 1 << 255),
    ]
    cases += [_forged("key " + name, "canonical key", key.to_bytes(32, "little")) for name, key in unusual]
    return cases + _mixed_order_signatures() + _small_order_commitments()


def _secret(name: bytes) -> int:
    return int.from_bytes(hashlib.sha256(name).digest(), "little") % _ORDER


def _small_order_points() -> list[tuple[int, int, int, int]]:
    """The eight points of order 1, 2, 4 and 8: multiples of L times a point of the whole curve's order."""
    whole = curve._decompress((3).to_bytes(32, "little"))
    assert whole is not None
    point = curve._ZERO
    for bit in f"{_ORDER:b}":
        point = curve._double(point)
        if bit == "1":
            point = curve._add(point, whole)
    points = [curve._ZERO]
    for _ in range(7):
        points.append(curve._add(points[-1], point))
    assert len({curve._compress(each) for each in points}) == 8
    return points


_SMALL_ORDER = _small_order_points()


def _message_for(r: bytes, key: bytes, remainder: int) -> tuple[bytes, int]:
    """A message whose challenge is `remainder` modulo 8, and the challenge."""
    number = 0
    while True:
        message = b"message %d" % number
        challenge = curve._hash_to_scalar(r + key + message)
        if challenge % 8 == remainder:
            return message, challenge
        number += 1


def _forged(name: str, clause: str, key: bytes) -> Case:
    """A signature by nobody: where the key vanishes in the equation, s = r satisfies it."""
    nonce = _secret(b"nonce")
    r = curve._compress(curve._multiply_base(nonce))
    message, _ = _message_for(r, key, 0)
    return _judged(name, clause, key, message, r + nonce.to_bytes(32, "little"), False)


def _mixed_order_signatures() -> list[Case]:
    """A key with a part of order 8: whoever multiplies by the cofactor takes every one of these."""
    scalar, nonce = _secret(b"scalar"), _secret(b"nonce")
    key = curve._compress(curve._add(curve._multiply_base(scalar), _SMALL_ORDER[1]))
    r = curve._compress(curve._multiply_base(nonce))
    cases = []
    for remainder in range(8):
        message, challenge = _message_for(r, key, remainder)
        signature = r + ((nonce + challenge * scalar) % _ORDER).to_bytes(32, "little")
        name = f"key of mixed order, challenge {remainder} mod 8"
        cases.append(_judged(name, "cofactorless", key, message, signature, remainder == 0))
    return cases


def _small_order_commitments() -> list[Case]:
    """R of small order, and the equation satisfied all the same."""
    scalar = _secret(b"scalar")
    key = curve._compress(curve._add(curve._multiply_base(scalar), _SMALL_ORDER[1]))
    cases = []
    for number, point in enumerate(_SMALL_ORDER):
        r = curve._compress(point)
        message, challenge = _message_for(r, key, -number % 8)
        signature = r + (challenge * scalar % _ORDER).to_bytes(32, "little")
        cases.append(_judged(f"R of small order, point {number}", "small order", key, message, signature, False))
    return cases
