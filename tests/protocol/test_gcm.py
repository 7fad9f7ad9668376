"""AES-GCM on every backend: McGrew and Viega's test cases; what is bad is rejected, and nothing else raised."""

import case
from aead import on_every_backend
from wattpact_protocol.crypto import _gcm_portable, aes, gcm

# McGrew and Viega, The Galois/Counter Mode of Operation (2005), appendix B: test cases 1 to 18.
ZEROS = bytes(32)
KEY = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
TEXT = bytes.fromhex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
AAD = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
NONCE = bytes.fromhex("cafebabefacedbaddecaf888")
LONG_NONCE = bytes.fromhex(
    "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728"
    "c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b"
)
# For keys of 16, 24 and 32 bytes: what the six cases of each seal to.
SEALED = {
    16: (
        "58e2fccefa7e3061367f1d57a4e7455a",
        "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
        "1ba30b396a0aac973d58e091473f59854d5c2af327cd64a62cf35abd2ba6fab4",
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
        "1ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47",
        "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896b42"
        "4989b5e1ebac0f07c23f45983612d2e79e3b0785561be14aaca2fccb",
        "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7c6f"
        "d62875d2aca417034c34aee5619cc5aefffe0bfa462af43c1699d050",
    ),
    24: (
        "cd33b28ac773f74ba00ed1f312572435",
        "98e7247c07f0fe411c267e4384b0f6002ff58d80033927ab8ef4d4587514f0fb",
        "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f47"
        "18e2448b2fe324d9ccda2710acade2569924a7c8587336bfb118024db8674a14",
        "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f47"
        "18e2448b2fe324d9ccda27102519498e80f1478f37ba55bd6d27618c",
        "0f10f599ae14a154ed24b36e25324db8c566632ef2bbb34f8347280fc4507057fddc29df9a471f75c66541d4d4dad1c9"
        "e93a19a58e8b473fa0f062f765dcc57fcf623a24094fcca40d3533f8",
        "d27e88681ce3243c4830165a8fdcf9ff1de9a1d8e6b447ef6ef7b79828666e4581e79012af34ddd9e2f037589b292db3"
        "e67c036745fa22e7e9b7373bdcf566ff291c25bbb8568fc3d376a6d9",
    ),
    32: (
        "530f8afbc74536b9a963b4f1c4cb738b",
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
        "c5f61e6393ba7a0abcc9f662898015adb094dac5d93471bdec1a502270e3cc6c",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
        "c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        "c3762df1ca787d32ae47c13bf19844cbaf1ae14d0b976afac52ff7d79bba9de0feb582d33934a4f0954cc2363bc73f78"
        "62ac430e64abe499f47c9b1f3a337dbf46a792c45e454913fe2ea8f2",
        "5a8def2f0c9e53f1f75d7853659e2a20eeb2b22aafde6419a058ab4f6f746bf40fc0c3b780f244452da3ebf1c5d82cde"
        "a2418997200ef82e44ae7e3fa44a8266ee1c8eb0c8b5d4cf5ae9f19a",
    ),
}


@on_every_backend
def test_cases_of_mcgrew_and_viega():
    for size, sealed in SEALED.items():
        inputs = (
            (ZEROS[:size], bytes(12), b"", b""),
            (ZEROS[:size], bytes(12), b"", bytes(16)),
            (KEY[:size], NONCE, b"", TEXT),
            (KEY[:size], NONCE, AAD, TEXT[:60]),
            (KEY[:size], NONCE[:8], AAD, TEXT[:60]),
            (KEY[:size], LONG_NONCE, AAD, TEXT[:60]),
        )
        for number, (key, nonce, aad, text) in enumerate(inputs):
            expected = bytes.fromhex(sealed[number])
            assert gcm.seal(key, nonce, aad, text) == expected, (size, number)
            assert gcm.open(key, nonce, aad, expected) == text, (size, number)


def test_ghash_of_test_case_4():
    # Appendix B: GHASH(H, A, C), whose tag is its XOR with E(K, Y_0).
    hash_key = _gcm_portable._hash_key(KEY[:16])
    aad, ciphertext = AAD + bytes(12), bytes.fromhex(SEALED[16][3])[:60] + bytes(4)
    hashed = _gcm_portable._ghash(hash_key, aad + ciphertext + (160).to_bytes(8, "big") + (480).to_bytes(8, "big"))
    assert hashed.hex() == "698e57f70e6ecc7fd9463b7260a9ae5f"


def test_the_counter_turns_over_in_its_last_four_bytes():
    # SP 800-38D, 6.2: a first counter of J_0 = ... ffffffff is followed by ... 00000000.
    found = _gcm_portable._counters(0, NONCE, 0)
    assert found == NONCE + b"\x00\x00\x00\x01"
    replaced = _gcm_portable._ghash
    _gcm_portable._ghash = lambda hash_key, blocks: b"\xff" * 16
    try:
        found = _gcm_portable._counters(0, bytes(8), 17)
    finally:
        _gcm_portable._ghash = replaced
    head = b"\xff" * 12
    assert found == head + b"\xff" * 4 + head + bytes(4) + head + b"\x00\x00\x00\x01"


def test_products_are_those_of_the_definition():
    # SP 800-38D, 6.3, algorithm 1, bit by bit.
    bits = case.Bits("ghash")
    for _ in range(case.scale(50, 10)):
        x, y = [int.from_bytes(bits.bytes(16), "big") for _ in range(2)]
        product, shifted = 0, y
        for place in range(127, -1, -1):
            product ^= shifted if x >> place & 1 else 0
            shifted = shifted >> 1 ^ (0xE1 << 120 if shifted & 1 else 0)
        spread = _gcm_portable._multiply(_gcm_portable._spread(x), _gcm_portable._spread(y))
        assert _gcm_portable._gathered(spread) == product


@on_every_backend
def test_every_flipped_bit_and_truncation_is_rejected():
    bits = case.Bits("flips")
    for nonce_length in (12, 16):
        parts = [bits.bytes(16), bits.bytes(nonce_length), bits.bytes(7)]
        parts.append(gcm.seal(*parts, bytes(5)))
        for place, part in enumerate(parts):
            for at in range(len(part)):
                changed = bytearray(part)
                changed[at] ^= 1 << bits.below(8)
                case.raises(gcm.GcmError, gcm.open, *(parts[:place] + [bytes(changed)] + parts[place + 1 :]))
        for length in range(len(parts[3])):
            case.raises(gcm.GcmError, gcm.open, *parts[:3], parts[3][:length])


@on_every_backend
def test_wrong_types_and_sizes_are_rejected():
    good = [bytes(16), bytes(12), b"aad", bytes(30)]
    gcm.seal(*good)
    no_bytes = (None, 0, 16, "text" * 4, [0] * 16, bytearray(16), memoryview(bytes(16)), True, 1.5)
    wrong = {
        0: no_bytes + (b"", bytes(15), bytes(17), bytes(31), bytes(33), bytes(4096)),
        1: no_bytes + (b"", bytes(7), bytes(129), bytes(4096)),
        2: no_bytes + (bytes(gcm.MAX_LENGTH + 1),),
        3: no_bytes + (bytes(gcm.MAX_LENGTH + 17),),
    }
    for place, values in wrong.items():
        for value in values:
            arguments = good[:place] + [value] + good[place + 1 :]
            case.raises(gcm.GcmError, gcm.seal, *arguments)
            case.raises(gcm.GcmError, gcm.open, *arguments)


def test_portable_ciphers_agree_on_random_input():
    bits = case.Bits("gcm")
    for size in (16, 24, 32) * case.scale(10, 2):
        parts = bits.bytes(size), bits.bytes(8 + bits.below(60)), bits.bytes(bits.below(40)), bits.bytes(bits.below(70))
        sealed = gcm.seal(*parts)
        assert _gcm_portable.seal(*parts) == sealed
        assert sealed[:-16] == b"" or aes.ecb(parts[0], bytes(16)) != sealed[:16]
