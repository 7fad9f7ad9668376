"""The machine code that an ESP32 and an ESP32-C3 get, executed: parts of it counted, whole signatures and verdicts."""

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import case
import pytest
from wattpact_protocol.crypto import _ed25519_host, _ed25519_table, _sha512_constants

from tools import emulated_viper, machine_code

PRIME = (1 << 255) - 19
FIELD, SCALAR, SHA512 = "_field25519_viper", "_scalar25519_viper", "_sha512_viper"
# RFC 7748, 5.2: the base point, and what it is multiplied with itself.
NINE = b"\x09" + bytes(31)
ONCE = bytes.fromhex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
Start = Callable[..., machine_code.Machine]


@pytest.fixture(params=machine_code.CHIPS)
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Start:
    chip = machine_code.CHIPS[request.param]
    if chip.missing():
        raise case.Skip(f"{chip.missing()} is not installed")
    return lambda *modules, counted=False: machine_code.Machine(
        chip, modules or emulated_viper.MODULES, tmp_path_factory.mktemp("machine"), counted
    )


def words(number: int) -> bytes:
    return b"".join((number >> 13 * k & 8191).to_bytes(4, "little") for k in range(20))


def limbs(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 4], "little", signed=True) for at in range(0, len(data), 4)]


def value(data: bytes, index: int) -> int:
    return sum(limb << 13 * k for k, limb in enumerate(limbs(data)[20 * index : 20 * index + 20]))


def lower_half_first(data: bytes) -> bytes:
    return b"".join(data[at : at + 8][::-1] for at in range(0, len(data), 8))


def test_field_arithmetic(start: Start) -> None:
    rng = random.Random("field")
    program = bytes((1, 2, 0, 1, 2, 3, 0, 5, 3, 4, 0, 1, 4, 5, 0, 1, 5, 6, 0, 1, 6, 7, 0, 1, 1, 8, 4, 5, 7, 9, 0, 1, 0))
    pairs = [((1 << 260) - 1, (1 << 260) - 1), (0, PRIME)]
    with start(FIELD) as machine:
        for a, b in pairs + [(rng.getrandbits(260), rng.getrandbits(260)) for _ in range(20)]:
            numbers = bytearray(words(a) + words(b) + bytes(640))
            machine.call(FIELD, "run", bytearray(348), 0, numbers, program)
            results = (a * b, pow(a, 32, PRIME), a + b, a - b, a + b, a - b, (a + b) * (a - b), a + 121665 * b)
            for index, right in enumerate(results, 2):
                assert (value(numbers, index) - right) % PRIME == 0, (index, a, b)


def test_the_work_of_a_product_and_a_square(start: Start) -> None:
    counts = []
    for program in ((0,), (1, 2, 0, 1, 0), (2, 2, 0, 1, 0)):
        with start(FIELD, counted=True) as machine:
            machine.call(FIELD, "run", bytearray(348), 0, bytearray(words(PRIME - 5) * 9), bytes(program))
        counts.append(machine.instructions)
    empty, product, square = counts
    assert 1000 < product - empty < 3850 and 1000 < square - empty < 2720, counts


def test_the_table_is_read_alike_for_all_digits(start: Start) -> None:
    rng, counts = random.Random("comb"), set()
    table = _ed25519_table.POINTS
    for place in (0, 16 + 5, 32 + 12, 48):
        digits, point = rng.getrandbits(260), bytearray(240)
        with start(SCALAR, counted=True) as machine:
            machine.call(SCALAR, "select", table, place, point, words(digits))
        bits = [digits >> 52 * tooth + 13 * (place >> 4) + (place & 15) & 1 for tooth in range(5)]
        index = sum((bit == bits[4]) << tooth for tooth, bit in enumerate(bits[:4]))
        first = 1920 * (place >> 5) + 4 * index
        entry = b"".join(table[first + 64 * word :][:4] for word in range(30))
        expected = [int.from_bytes(entry[at : at + 2], "little") for at in range(0, 120, 2)]
        if not bits[4]:
            expected = expected[20:40] + expected[:20] + [-limb for limb in expected[40:]]
        assert limbs(point) == expected
        counts.add(machine.instructions)
    assert len(counts) == 1


def test_the_work_of_a_block_of_sha512(start: Start) -> None:
    schedule, state = bytearray(656), bytearray(_sha512_constants.START)
    with start(SHA512, counted=True) as machine:
        machine.call(SHA512, "_expand", schedule, b"abc\x80" + bytes(122) + b"\x00\x18", 0)
        machine.call(SHA512, "_rounds", bytearray(704), schedule, _sha512_constants.ROUND, state)
    assert lower_half_first(state) == hashlib.sha512(b"abc").digest()
    assert 30_000 < machine.instructions < 66_000


def test_signatures_of_rfc_8032(start: Start) -> None:
    with start() as machine, emulated_viper.loaded(machine, "_ed25519_viper") as backend:
        for vector in case.vectors("ed25519")["sign"]:
            seed, key, message, signature = (
                bytes.fromhex(vector[name]) for name in ("seed", "public_key", "message", "signature")
            )
            assert backend.public_key(seed) == key
            assert backend.sign(seed, message) == signature
            assert backend.verify(key, message, signature) is True
            assert backend.verify(key, message + b"\x00", signature) is False


def test_signatures_are_libsodiums(start: Start) -> None:
    rng = random.Random("signatures")
    with start() as machine, emulated_viper.loaded(machine, "_ed25519_viper") as backend:
        for _ in range(20):
            seed, message = rng.randbytes(32), rng.randbytes(rng.randrange(300))
            assert backend.sign(seed, message) == _ed25519_host.sign(seed, message)


def test_verdicts_of_the_vectors_and_of_wycheproof(start: Start) -> None:
    judged = [
        (*(bytes.fromhex(vector[name]) for name in ("public_key", "message", "signature")), vector["valid"])
        for vector in case.vectors("ed25519")["verify"]
    ]
    suite = json.loads(Path(case.data("crypto/wycheproof/ed25519_test.json")).read_text())
    for group in suite["testGroups"]:
        for test in group["tests"]:
            texts = group["publicKey"]["pk"], test["msg"], test["sig"]
            judged.append((*(bytes.fromhex(text) for text in texts), test["result"] == "valid"))
    assert len(judged) > 180
    with start() as machine, emulated_viper.loaded(machine, "_ed25519_viper") as backend:
        for key, message, signature, valid in judged:
            if len(key) == 32 and len(signature) == 64:
                assert backend.verify(key, message, signature) is valid


def test_shared_secrets_of_rfc_7748_and_of_wycheproof(start: Start) -> None:
    suite = json.loads(Path(case.data("crypto/wycheproof/x25519_test.json")).read_text())
    cases = [test for group in suite["testGroups"] for test in group["tests"]]
    assert len(cases) == suite["numberOfTests"] == 518
    with start() as machine, emulated_viper.loaded(machine, "_x25519_viper") as backend:
        assert backend.shared(NINE, NINE) == ONCE
        for test in cases:
            private, public, shared = (bytes.fromhex(test[name]) for name in ("private", "public", "shared"))
            assert backend.shared(private, public) == shared, test["tcId"]
