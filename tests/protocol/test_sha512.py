"""SHA-512: FIPS 180-4's own examples, the padding's edges, and the constants derived from their definition."""

import case
from wattpact_protocol.crypto import _sha512_constants, _sha512_portable, sha512

DIGESTS = [sha512.digest, _sha512_portable.digest]
if case.MICROPYTHON:
    from wattpact_protocol.crypto import _sha512_viper

    DIGESTS.append(_sha512_viper.digest)

# FIPS 180-4's examples (NIST, Cryptographic Standards and Guidelines), and the empty message.
EXAMPLES = [
    (
        b"",
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
        "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    ),
    (
        b"abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    (
        b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
        "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
    ),
]
# A chain of digests, each of the one before and 0 to 300 bytes 00 01 02 ..., by another implementation.
CHAIN = (
    "0654440794dae0f70eb3692dc32d0ae512571dc643cec4ebfe9b3795bc3d2033"
    "94813dedeb595cd834f97f9bf88d5198a82f633147bc5378068a950cd0ee32c0"
)


def test_published_examples():
    for message, expected in EXAMPLES:
        for digest in DIGESTS:
            assert digest(message).hex() == expected


def test_every_length_up_to_three_blocks():
    data = bytes([number % 256 for number in range(300)])
    for digest in DIGESTS:
        chain = b""
        for length in range(301):
            chain = digest(chain + data[:length])
        assert chain.hex() == CHAIN


def integer_root(number, degree):
    low, high = 0, 1 << 80
    while low < high:
        middle = (low + high + 1) // 2
        if middle**degree <= number:
            low = middle
        else:
            high = middle - 1
    return low


def test_constants_are_fractions_of_roots_of_primes():
    primes = []
    number = 2
    while len(primes) < 80:
        if all(number % prime for prime in primes):
            primes.append(number)
        number += 1
    mask = (1 << 64) - 1
    square, cube = [integer_root(prime << 128, 2) for prime in primes[:8]], [integer_root(p << 192, 3) for p in primes]
    for roots, constants in ((square, _sha512_constants.START), (cube, _sha512_constants.ROUND)):
        assert b"".join([(root & mask).to_bytes(8, "little") for root in roots]) == constants


def test_machine_code_does_the_work_where_it_runs():
    if case.MICROPYTHON:
        assert sha512.digest is _sha512_viper.digest


def test_carries_of_every_sum():
    """Bits all set and all clear, and random blocks: each backend against the other."""
    bits = case.Bits("sha512")
    blocks = [b"\xff" * 128, bytes(128), b"\xff\xff\x00\x00" * 64]
    blocks += [bits.bytes(128) for _ in range(case.scale(20, 60))]
    for block in blocks:
        assert len({digest(block) for digest in DIGESTS}) == 1
