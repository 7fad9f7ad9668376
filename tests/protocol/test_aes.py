"""AES: FIPS 197, appendix C, and SP 800-38A, appendix F, on every backend; the S-box by its definition."""

import case
from aead import on_every_backend
from wattpact_protocol.crypto import _aes_portable, _xor_portable, aes

# FIPS 197, C.1 to C.3: the key is 00 01 02 ...
FIPS_197 = [
    (16, "69c4e0d86a7b0430d8cdb78070b4c55a"),
    (24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
    (32, "8ea2b7ca516745bfeafc49904b496089"),
]
# SP 800-38A, F: four blocks, and for each key what ECB gives (F.1) and the last block of CBC (F.2).
BLOCKS = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
SP_800_38A = [
    (
        "2b7e151628aed2a6abf7158809cf4f3c",
        "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
        "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4",
        "3ff1caa1681fac09120eca307586e1a7",
    ),
    (
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef"
        "ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e",
        "08b0e27988598881d920a9e64f5615cd",
    ),
    (
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
        "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7",
        "b2eb05e2c39be9fcda6c19078c6a9d1b",
    ),
]
# SP 800-38A, F.5.1: the first key, counters from f0f1...ff.
CTR = bytes.fromhex(
    "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
    "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"
)


@on_every_backend
def test_fips_197():
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    for size, expected in FIPS_197:
        key = bytes(range(size))
        assert aes.ecb(key, block).hex() == expected, size
        assert aes.cbc_mac(key, block).hex() == expected, size
        assert aes.ecb(key, block * 3).hex() == expected * 3, size


@on_every_backend
def test_sp_800_38a():
    # CBC starts from a vector there and from zero here, so the vector goes into the first block.
    first = bytes([byte ^ number for number, byte in enumerate(BLOCKS[:16])])
    for key, ecb, cbc_last in SP_800_38A:
        key = bytes.fromhex(key)
        assert aes.ecb(key, BLOCKS).hex() == ecb
        assert aes.cbc_mac(key, first + BLOCKS[16:]).hex() == cbc_last


@on_every_backend
def test_sp_800_38a_counters():
    start = int.from_bytes(bytes(range(0xF0, 0x100)), "big")
    counters = b"".join([(start + i).to_bytes(16, "big") for i in range(4)])
    key = bytes.fromhex(SP_800_38A[0][0])
    for length in (64, 63, 17, 16, 1, 0):
        assert aes.ctr(key, counters, BLOCKS[:length]) == CTR[:length], length


def test_portable_aes_is_the_same_for_random_keys():
    bits = case.Bits("aes")
    for size in (16, 24, 32) * case.scale(20, 4):
        key, blocks = bits.bytes(size), bits.bytes(16 * (1 + bits.below(7)))
        assert _aes_portable.ecb(key, blocks) == aes.ecb(key, blocks)
        assert _aes_portable.cbc_mac(key, blocks) == aes.cbc_mac(key, blocks)


def times(a, b):
    """The product in FIPS 197's field (4.2)."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def test_the_s_box_is_its_definition():
    # FIPS 197, 5.1.1: the inverse, then an affine map.
    substituted = _aes_portable._substitute(
        int.from_bytes(bytes(range(256)), "big"), _aes_portable._repeated(1, 8, 256)
    )
    for byte, result in enumerate(substituted.to_bytes(256, "big")):
        inverse = byte
        for _ in range(6):  # byte^254
            inverse = times(times(inverse, inverse), byte)
        inverse = times(inverse, inverse)
        turns = [inverse << turn & 0xFF | inverse >> 8 - turn for turn in range(5)]
        assert result == turns[0] ^ turns[1] ^ turns[2] ^ turns[3] ^ turns[4] ^ 0x63, byte


def test_xor_in_place():
    bits = case.Bits("xor")
    for length in (0, 1, 3, 16, 97):
        data, mask = bits.bytes(length), bits.bytes(length + 5)
        expected = bytes([x ^ y for x, y in zip(data, mask)])
        for xor_into in (aes.xor_into, _xor_portable.xor_into):
            target = bytearray(data)
            xor_into(target, mask)
            assert bytes(target) == expected, length


@on_every_backend
def test_wrong_keys_and_data_are_rejected():
    key, block = bytes(16), bytes(16)
    for function in (aes.ecb, aes.cbc_mac):
        for wrong in (b"", bytes(15), bytes(17), bytes(31), bytes(33), bytes(64), None, "k" * 16, bytearray(16), 16):
            case.raises(aes.AesError, function, wrong, block)
        for wrong in (b"", bytes(15), bytes(17), None, "k" * 16, bytearray(15), 16):
            case.raises(aes.AesError, function, key, wrong)
    for wrong in (bytes(17), None, "", 3):
        case.raises(aes.AesError, aes.ctr, key, block, wrong)
