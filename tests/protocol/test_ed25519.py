"""Ed25519: RFC 8032, the vectors and Wycheproof, through the public names and each backend that runs here."""

import json

import case
from wattpact_protocol.crypto import _ed25519_portable, ed25519

BACKENDS = [ed25519, _ed25519_portable]
if case.MICROPYTHON:
    from wattpact_protocol.crypto import _ed25519_viper, _scalar25519_viper, _tables_viper

    BACKENDS.append(_ed25519_viper)


def verifier(backend):
    """As ed25519.verify checks lengths for every backend."""
    return lambda key, message, signature: (
        len(key) == 32 and len(signature) == 64 and backend.verify(key, message, signature)
    )


VERIFIERS = [verifier(backend) for backend in BACKENDS]


def finish(steps):
    """(The value of a generator, how often it gave way.)"""
    count = 0
    while True:
        try:
            next(steps)
            count += 1
        except StopIteration as done:
            return done.value, count


def test_signatures_of_rfc_8032():
    for vector in case.vectors("ed25519")["sign"]:
        seed, key, message, signature = [
            bytes.fromhex(vector[name]) for name in ("seed", "public_key", "message", "signature")
        ]
        for backend in BACKENDS:
            assert backend.public_key(seed) == key, vector["name"]
            assert backend.sign(seed, message) == signature, vector["name"]
        for verify in VERIFIERS:
            assert verify(key, message, signature) is True, vector["name"]
            assert verify(key, message + b"\x00", signature) is False, vector["name"]


def test_verdicts_of_the_vectors():
    for vector in case.vectors("ed25519")["verify"]:
        key, message, signature = [bytes.fromhex(vector[name]) for name in ("public_key", "message", "signature")]
        for verify in VERIFIERS:
            assert verify(key, message, signature) is vector["valid"], vector["name"]


def test_verdicts_of_wycheproof():
    with open(case.data("crypto/wycheproof/ed25519_test.json")) as file:
        suite = json.load(file)
    judged = 0
    for group in suite["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["pk"])
        for test in group["tests"]:
            message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
            for verify in VERIFIERS:
                assert verify(key, message, signature) is (test["result"] == "valid"), test["tcId"]
            judged += 1
    assert judged == suite["numberOfTests"] == 151


def test_a_key_that_is_not_reduced_is_no_point():
    for y in range(19):
        reduced = _ed25519_portable._decompress(y.to_bytes(32, "little"))
        assert _ed25519_portable._decompress((y + (1 << 255) - 19).to_bytes(32, "little")) is None
        if reduced is not None:
            assert _ed25519_portable._compress(reduced) == y.to_bytes(32, "little")


def test_every_changed_bit_is_rejected():
    seed = bytes(range(32))
    key, message = ed25519.public_key(seed), b"reading"
    signature = ed25519.sign(seed, message)
    assert ed25519.verify(key, message, signature)
    for bit in range(0, 512, case.scale(1, 16)):
        changed = bytearray(signature)
        changed[bit >> 3] ^= 1 << (bit & 7)
        for verify in VERIFIERS:
            assert verify(key, message, bytes(changed)) is False, bit


def test_a_seed_of_another_length_or_type_is_rejected():
    for seed in (b"", bytes(31), bytes(33), bytes(64), "0" * 32, None, 32):
        case.raises(ed25519.SeedError, ed25519.public_key, seed)
        case.raises(ed25519.SeedError, ed25519.sign, seed, b"")
    assert issubclass(ed25519.SeedError, ValueError)


def test_machine_code_does_the_work_where_it_runs():
    if case.MICROPYTHON:
        assert ed25519._backend is _ed25519_viper


def test_steps_lead_to_the_same_and_may_run_in_turns():
    seed, message = bytes(range(32)), b"reading" * 20
    key, signature = ed25519.public_key(seed), ed25519.sign(seed, message)
    other = ed25519.sign(b"s" * 32, message)
    for wrong in (b"", signature[:63], signature + b"\x00"):
        assert finish(ed25519.verify_steps(key, message, wrong)) == (False, 0)
    case.raises(ed25519.SeedError, finish, ed25519.sign_steps(bytes(31), message))
    running = {
        "sign": ed25519.sign_steps(seed, message),
        "other": ed25519.sign_steps(b"s" * 32, message),
        "valid": ed25519.verify_steps(key, message, signature),
        "forged": ed25519.verify_steps(key, message + b"!", signature),
    }
    results, turns = {}, 0
    while len(results) < 4:
        for name, steps in running.items():
            if name not in results:
                try:
                    next(steps)
                    turns += 1
                except StopIteration as done:
                    results[name] = done.value
    assert results == {"sign": signature, "other": other, "valid": True, "forged": False}
    assert turns > 200 or not case.MICROPYTHON


def faulty(module, name, at):
    """Replace a function by itself with a limb of its first argument damaged after call `at`; what it was."""
    function = getattr(module, name)
    calls = [0]

    def damaging(*arguments):
        result = function(*arguments)
        calls[0] += 1
        if calls[0] == at:
            arguments[2 if name in ("select", "look_up") else 0][3] ^= 4
        return result

    setattr(module, name, damaging)
    return function


def test_a_faulty_signature_is_withheld():
    if not case.MICROPYTHON:
        return
    # One addend of the commitment, of the check; the nonce, the challenge, s; digits of the nonce; a coordinate.
    faults = [("select", 1), ("select", 30), ("look_up", 20), ("reduce", 1), ("reduce", 2), ("reduce", 3)]
    faults += [("multiply_add", 1), ("recode", 1), ("canonical", 2)]
    seed, message = b"f" * 32, b"reading"
    signature = ed25519.sign(seed, message)
    for name, at in faults:
        ed25519.sign(seed, message)
        right = faulty(_scalar25519_viper, name, at)
        try:
            case.raises(ed25519.FaultError, ed25519.sign, seed, message)
        except AssertionError:
            raise AssertionError("released in spite of a fault in call %d of %s" % (at, name))
        finally:
            setattr(_scalar25519_viper, name, right)
        assert ed25519.sign(seed, message) == signature, (name, at)


def test_a_table_at_an_odd_address_is_moved():
    if case.MICROPYTHON:
        assert _tables_viper._misaligned(_tables_viper.POINTS) == _tables_viper._misaligned(_tables_viper.ROUND) == 0
        assert _tables_viper._misaligned(memoryview(_tables_viper.POINTS)[1:]) == 1
