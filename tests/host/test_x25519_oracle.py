"""X25519 against libsodium: big integers and machine code make the same public keys and shared secrets."""

import random
from collections.abc import Iterator
from pathlib import Path

import case
import on_micropython
from wattpact_protocol.crypto import _x25519_host as host
from wattpact_protocol.crypto import _x25519_portable as portable

PRIME = (1 << 255) - 19
PROGRAM = """
import sys
sys.path.insert(0, "protocol")
from wattpact_protocol.crypto import _x25519_portable, _x25519_viper, x25519
assert x25519._backend is _x25519_viper
count = 0
with open(sys.argv[1]) as file:
    for line in file:
        secret, public, own, shared = [bytes.fromhex(part) for part in line.strip().split(" ")]
        if x25519.public_key(secret) != own or _x25519_viper.shared(secret, public) != shared:
            print("differs:", line)
        count += 1
print(count, "compared")
"""


def pairs(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Random secrets, with public keys that are random bytes, points of the curve, and edges of every range."""
    rng = random.Random("x25519")
    edges = [multiple * PRIME + more for multiple in (0, 1, 2) for more in range(-20, 21)]
    edges += [(1 << bit) + more for bit in (13, 130, 247, 254, 255) for more in (-1, 0, 1)]
    for edge in edges:
        yield rng.randbytes(32), (edge % (1 << 256)).to_bytes(32, "little")
    for secret in (bytes(32), b"\xff" * 32):
        yield secret, rng.randbytes(32)
    for _ in range(count):
        yield rng.randbytes(32), rng.randbytes(32)
        yield rng.randbytes(32), host.public_key(rng.randbytes(32))


def test_big_integers_agree_with_libsodium() -> None:
    for secret, public in pairs(case.cases(150, 20)):
        assert portable.public_key(secret) == host.public_key(secret)
        assert portable.shared(secret, public) == host.shared(secret, public)


def test_machine_code_agrees_with_libsodium(tmp_path: Path) -> None:
    lines = [
        " ".join(value.hex() for value in (secret, public, host.public_key(secret), host.shared(secret, public)))
        for secret, public in pairs(case.cases(300, 20))
    ]
    (tmp_path / "cases").write_text("\n".join(lines))
    assert on_micropython.run("-c", PROGRAM, tmp_path / "cases").stdout == f"{len(lines)} compared\n"
