"""Machine code on 32-bit MicroPython against libsodium: the same signatures, and the same verdict on every input.

WATTPACT_SIGNATURES sets how many random signatures are compared.
"""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import case
import on_micropython
import pytest
from test_ed25519_oracle import ORDER, PRIME, small_order_points
from wattpact_protocol.crypto import _ed25519_host as host
from wattpact_protocol.crypto import _ed25519_portable as portable

SIGNATURES = int(os.environ.get("WATTPACT_SIGNATURES", case.cases(400, 60)))
PART = 2000  # cases for one MicroPython, some 20 seconds of it
PROGRAM = """
import sys
sys.path.insert(0, "protocol")
from wattpact_protocol.crypto import ed25519
assert ed25519._backend.__name__.endswith("_viper")
count = 0
with open(sys.argv[1]) as file:
    for line in file:
        kind, key, message, signature = line.split(" ")
        key, message, signature = bytes.fromhex(key), bytes.fromhex(message[1:]), bytes.fromhex(signature)
        if kind == "sign":
            agrees = ed25519.sign(key, message) == signature
        else:
            agrees = ed25519.verify(key, message, signature) is (kind == "valid")
        if not agrees:
            print("differs:", line)
        count += 1
print(count, "compared")
"""

Case = tuple[str, bytes, bytes, bytes]


def signing(rng: random.Random) -> Iterator[Case]:
    for _ in range(SIGNATURES):
        seed, message = rng.randbytes(32), rng.randbytes(rng.randrange(300))
        yield "sign", seed, message, host.sign(seed, message)


def checked(key: bytes, message: bytes, signature: bytes) -> Case:
    return "valid" if host.verify(key, message, signature) else "invalid", key, message, signature


def damage(rng: random.Random) -> Iterator[Case]:
    for _ in range(case.cases(200, 40)):
        seed, message = rng.randbytes(32), rng.randbytes(20)
        parts = [bytearray(host.public_key(seed)), bytearray(message), bytearray(host.sign(seed, message))]
        part = rng.choice(parts)
        part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)
        yield checked(bytes(parts[0]), bytes(parts[1]), bytes(parts[2]))


def torsion(rng: random.Random) -> Iterator[Case]:
    """Every pair of small-order parts in key and R, signed by who knows the scalars."""
    points = small_order_points()
    for key_point in points:
        for r_point in points:
            for _ in range(case.cases(4, 1)):
                scalar, nonce = rng.randrange(ORDER), rng.randrange(ORDER)
                key = portable._compress(portable._add(portable._multiply_base(scalar), key_point))
                r = portable._compress(portable._add(portable._multiply_base(nonce), r_point))
                message = rng.randbytes(8)
                challenge = portable._hash_to_scalar(r + key + message)
                yield checked(key, message, r + ((nonce + challenge * scalar) % ORDER).to_bytes(32, "little"))


def encodings(rng: random.Random) -> Iterator[Case]:
    """Keys and R of small order or not reduced, in forgeries that satisfy the equation, and no points at all."""
    made = [portable._compress(point) for point in small_order_points()]
    made += [(y | sign).to_bytes(32, "little") for y in range(PRIME, 1 << 255) for sign in (0, 1 << 255)]
    made += [(y | 1 << 255).to_bytes(32, "little") for y in (0, 1, PRIME - 1)]
    made += [rng.randbytes(32) for _ in range(40)]
    seed = rng.randbytes(32)
    honest, (scalar, _) = host.public_key(seed), portable._expand(seed)
    for encoding in made:
        for number in range(case.cases(3, 1)):
            message, nonce = b"%d" % number, rng.randrange(ORDER)
            r = portable._compress(portable._multiply_base(nonce))
            yield checked(encoding, message, r + nonce.to_bytes(32, "little"))
            challenge = portable._hash_to_scalar(encoding + honest + message)
            yield checked(honest, message, encoding + (challenge * scalar % ORDER).to_bytes(32, "little"))


def beyond_the_order(rng: random.Random) -> Iterator[Case]:
    seed = rng.randbytes(32)
    key, signature = host.public_key(seed), host.sign(seed, b"m")
    s = int.from_bytes(signature[32:], "little")
    for multiple in range(16):
        if s + multiple * ORDER < 1 << 256:
            yield checked(key, b"m", signature[:32] + (s + multiple * ORDER).to_bytes(32, "little"))


KINDS = [signing, damage, torsion, encodings, beyond_the_order]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_micropython_agrees_with_libsodium(make: Callable[[random.Random], Iterator[Case]], tmp_path: Path) -> None:
    cases = list(make(random.Random(make.__name__)))
    for start in range(0, len(cases), PART):
        part = cases[start : start + PART]
        lines = (f"{kind} {key.hex()} -{message.hex()} {other.hex()}" for kind, key, message, other in part)
        (tmp_path / "cases").write_text("\n".join(lines))
        result = on_micropython.run("-c", PROGRAM, tmp_path / "cases")
        assert result.stdout == f"{len(part)} compared\n"
