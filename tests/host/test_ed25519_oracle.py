"""Ed25519 against libsodium: the portable backend makes the same signatures and gives the same verdicts."""

import random

import case
from wattpact_protocol.crypto import _ed25519_host as host
from wattpact_protocol.crypto import _ed25519_portable as portable
from wattpact_protocol.crypto import _sha512_portable, ed25519, sha512

PRIME = (1 << 255) - 19
ORDER = (1 << 252) + 27742317777372353535851937790883648493


def small_order_points() -> list[tuple[int, int, int, int]]:
    """Order 1, 2, 4 and 8: what is left of a point of the whole curve's order after multiplying by L."""
    whole = portable._decompress((3).to_bytes(32, "little"))
    assert whole is not None
    generator = portable._ZERO
    for bit in f"{ORDER:b}":
        generator = portable._double(generator)
        if bit == "1":
            generator = portable._add(generator, whole)
    points = [portable._ZERO]
    for _ in range(7):
        points.append(portable._add(points[-1], generator))
    return points


def same_verdict(key: bytes, message: bytes, signature: bytes) -> bool:
    verdict = host.verify(key, message, signature)
    assert portable.verify(key, message, signature) is verdict, (key.hex(), message.hex(), signature.hex())
    return verdict


def test_libsodium_is_in_use() -> None:
    assert ed25519._backend is host


def test_random_keys_and_signatures_are_the_same_bytes() -> None:
    rng = random.Random("signatures")
    for _ in range(case.cases(250, 25)):
        seed, message = rng.randbytes(32), rng.randbytes(rng.randrange(300))
        key, signature = host.public_key(seed), host.sign(seed, message)
        assert portable.public_key(seed) == key
        assert portable.sign(seed, message) == signature
        assert same_verdict(key, message, signature)


def test_random_damage_gets_the_same_verdict() -> None:
    rng = random.Random("damage")
    for _ in range(case.cases(400, 60)):
        seed, message = rng.randbytes(32), rng.randbytes(20)
        parts = [bytearray(host.public_key(seed)), bytearray(message), bytearray(host.sign(seed, message))]
        part = rng.choice(parts)
        part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)
        assert not same_verdict(bytes(parts[0]), bytes(parts[1]), bytes(parts[2]))


def test_mixed_and_small_order_get_libsodiums_verdict() -> None:
    """Every pair of small-order parts in key and R, signed by who knows the scalars: valid only without a cofactor."""
    rng = random.Random("torsion")
    torsion = small_order_points()
    valid, rounds = 0, case.cases(5, 1)
    for key_part, key_point in enumerate(torsion):
        for r_part, r_point in enumerate(torsion):
            for _ in range(rounds):
                scalar, nonce = rng.randrange(ORDER), rng.randrange(ORDER)
                key = portable._compress(portable._add(portable._multiply_base(scalar), key_point))
                r = portable._compress(portable._add(portable._multiply_base(nonce), r_point))
                message = rng.randbytes(8)
                challenge = portable._hash_to_scalar(r + key + message)
                signature = r + ((nonce + challenge * scalar) % ORDER).to_bytes(32, "little")
                expected = (r_part + challenge * key_part) % 8 == 0
                assert same_verdict(key, message, signature) is expected
                valid += expected
    assert valid > 4 * rounds


def test_small_order_and_unreduced_encodings_are_rejected_alike() -> None:
    rng = random.Random("encodings")
    encodings = [portable._compress(point) for point in small_order_points()]
    encodings += [(y | sign).to_bytes(32, "little") for y in range(PRIME, 1 << 255) for sign in (0, 1 << 255)]
    encodings += [(y | 1 << 255).to_bytes(32, "little") for y in (0, 1, PRIME - 1)]
    seed = rng.randbytes(32)
    honest, nonce = host.public_key(seed), rng.randrange(ORDER)
    for encoding in encodings:
        r = portable._compress(portable._multiply_base(nonce))
        for number in range(case.cases(9, 3)):
            message = b"%d" % number
            assert not same_verdict(encoding, message, r + nonce.to_bytes(32, "little"))
            scalar, _ = portable._expand(seed)
            challenge = portable._hash_to_scalar(encoding + honest + message)
            assert not same_verdict(honest, message, encoding + (challenge * scalar % ORDER).to_bytes(32, "little"))


def test_random_bytes_as_keys_get_the_same_verdict() -> None:
    rng = random.Random("keys")
    for _ in range(200):
        same_verdict(rng.randbytes(32), b"", rng.randbytes(32) + rng.randrange(ORDER).to_bytes(32, "little"))


def test_s_beyond_the_order_is_rejected_alike() -> None:
    seed = bytes(range(32))
    key, signature = host.public_key(seed), host.sign(seed, b"m")
    s = int.from_bytes(signature[32:], "little")
    assert same_verdict(key, b"m", signature)
    for multiple in range(1, 16):
        if s + multiple * ORDER < 1 << 256:
            assert not same_verdict(key, b"m", signature[:32] + (s + multiple * ORDER).to_bytes(32, "little"))


def test_portable_sha512_is_hashlibs() -> None:
    rng = random.Random("sha512")
    for _ in range(200):
        data = rng.randbytes(rng.randrange(1200))
        assert _sha512_portable.digest(data) == sha512.digest(data)
