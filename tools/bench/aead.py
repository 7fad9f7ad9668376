"""Sealing in instructions: AES-CCM, AES-GCM and HKDF on 32-bit MicroPython, over its cryptolib and in plain Python.

python -m tools.bench.aead
"""

import sys

from tools.bench import counting

# With 48 bytes of aad, as long as what a reading authenticates; what machine code does is done once before it counts.
PROGRAM = """
from wattpact_protocol.crypto import _aes_portable, aes, ccm, gcm, hkdf
key, nonce, aad = bytes(range(16)), bytes(range(13)), bytes(48)

def measure(function, *arguments):
    function(*arguments)
    gc.collect()
    mark()
    function(*arguments)
    mark()

def sealing(*sizes):
    for size in sizes:
        measure(ccm.seal, key, nonce, aad, bytes(size))
        measure(ccm.open, key, nonce, aad, ccm.seal(key, nonce, aad, bytes(size)))
    for blocks in 1, 10:
        measure(aes.ecb, key, bytes(16 * blocks))
        measure(aes.cbc_mac, key, bytes(16 * blocks))
    measure(gcm.seal, key, nonce[:12], aad, bytes(96))

mark(); mark(); mark()
measure(hkdf.hmac_sha256, key, bytes(128))
measure(hkdf.derive, key, b"", bytes(32), 48)
sealing(800, 96, 192)
aes._backend = _aes_portable
sealing(96, 192)
"""
ALONE = ["HMAC-SHA256 of 128 bytes", "HKDF, 48 bytes", "CCM, seal 800 bytes", "CCM, open 800 bytes"]
SEALING = [
    "CCM, seal 96 bytes",
    "CCM, open 96 bytes",
    "CCM, seal 192 bytes",
    "CCM, open 192 bytes",
    "ECB, 1 block",
    "CBC, 1 block",
    "ECB, 10 blocks",
    "CBC, 10 blocks",
    "GCM, seal 96 bytes",
]


def table() -> list[tuple[str, int, int | None]]:
    """(what, instructions, the same with AES in plain Python)"""
    counts = iter(counting.counts(PROGRAM))
    alone: list[tuple[str, int, int | None]] = [(what, next(counts), None) for what in ALONE]
    rest = list(counts)
    return alone + list(zip(SEALING, rest[: len(SEALING)], rest[len(SEALING) :], strict=True))


def main() -> int:
    reason = counting.available()
    if reason:
        print(reason, file=sys.stderr)
        return 1
    print("i386 instructions, callgrind    with cryptolib       portable")
    for what, count, portable in table():
        print(f"{what:30} {count:15,} {portable or 0:14,}".removesuffix("             0"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
