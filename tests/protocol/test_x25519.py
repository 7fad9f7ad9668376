"""X25519: RFC 7748 and the vectors, through the public names and each backend that runs here."""

import case
from wattpact_protocol.crypto import _x25519_portable, x25519

BACKENDS = [x25519._backend, _x25519_portable]
if case.MICROPYTHON:
    from wattpact_protocol.crypto import _x25519_viper


def on_each_backend(test, *arguments):
    """Call test(*arguments) once for each backend at work below the public names."""
    usual = x25519._backend
    for backend in BACKENDS:
        x25519._backend = backend
        try:
            test(*arguments)
        finally:
            x25519._backend = usual


def finish(steps):
    """(The value of a generator, how often it gave way.)"""
    count = 0
    while True:
        try:
            next(steps)
            count += 1
        except StopIteration as done:
            return done.value, count


def values(vector, *names):
    return [bytes.fromhex(vector[name]) for name in names]


def check_public(vector):
    secret, public = values(vector, "secret", "public")
    assert x25519.public_key(secret) == public, vector["name"]
    assert finish(x25519.public_key_steps(secret))[0] == public, vector["name"]


def test_public_keys():
    for vector in case.vectors("x25519")["public"]:
        on_each_backend(check_public, vector)


def check_shared(vector):
    secret, public, shared = values(vector, "secret", "public", "shared")
    assert x25519.shared(secret, public) == shared, vector["name"]
    assert finish(x25519.shared_steps(secret, public))[0] == shared, vector["name"]


def test_shared_secrets():
    for vector in case.vectors("x25519")["shared"]:
        on_each_backend(check_shared, vector)


def check_iterated(vector, most):
    if vector["times"] <= most:
        secret = public = b"\x09" + bytes(31)
        for _ in range(vector["times"]):
            secret, public = x25519.shared(secret, public), secret
        assert secret.hex() == vector["result"]


def test_iterated():
    for vector in case.vectors("x25519")["iterated"]:
        on_each_backend(check_iterated, vector, case.scale(1000, 1))


def test_iterated_a_thousand_times_in_machine_code():
    if case.MICROPYTHON:
        for vector in case.vectors("x25519")["iterated"]:
            check_iterated(vector, 1000)


def check_rejected(secret, public):
    for function in (x25519.shared, lambda *keys: finish(x25519.shared_steps(*keys))):
        error = case.raises(x25519.AgreementError, function, secret, public)
        assert "7707" not in str(error) and "7707" not in repr(error)


def test_small_orders_and_lengths_are_rejected():
    for vector in case.vectors("x25519")["refused"]:
        on_each_backend(check_rejected, *values(vector, "secret", "public"))


def check_only_bytes(key):
    good = bytes(range(32))
    check_rejected(key, good)
    check_rejected(good, key)
    case.raises(x25519.AgreementError, x25519.public_key, key)
    case.raises(x25519.AgreementError, finish, x25519.public_key_steps(key))


def test_nothing_but_32_bytes_is_a_key():
    good = bytes(range(32))
    other_types = [bytearray(good), memoryview(good), "0" * 32, None, 32, list(good), tuple(good), 1.5, True, {}]
    for key in other_types + [b"", good[:31], good + b"\x00", good * 2]:
        on_each_backend(check_only_bytes, key)
    assert issubclass(x25519.AgreementError, ValueError)


def check_agreement(one, other):
    shared = x25519.shared(one, x25519.public_key(other))
    assert shared == x25519.shared(other, x25519.public_key(one))


def test_two_agree_and_all_backends_with_them():
    bits = case.Bits("agreement")
    for _ in range(case.scale(20, 4)):
        one, other, public = [bits.bytes(32) for _ in range(3)]
        on_each_backend(check_agreement, one, other)
        assert len({backend.shared(one, public) for backend in BACKENDS}) == 1
        assert len({backend.public_key(one) for backend in BACKENDS}) == 1


def test_the_base_point_by_the_comb_and_by_the_ladder():
    bits = case.Bits("base")
    for edge in [bytes(32), b"\xff" * 32, b"\x08" + bytes(31)] + [bits.bytes(32) for _ in range(5)]:
        assert x25519.public_key(edge) == x25519.shared(edge, b"\x09" + bytes(31))


def test_machine_code_does_the_work_where_it_runs():
    if case.MICROPYTHON:
        assert x25519._backend is _x25519_viper


def test_steps_may_run_in_turns():
    one, other = bytes(range(32)), b"s" * 32
    public = x25519.public_key(other)
    running = {
        "public": x25519.public_key_steps(one),
        "shared": x25519.shared_steps(one, public),
        "other": x25519.shared_steps(other, x25519.public_key(one)),
    }
    results, turns = {}, 0
    while len(results) < 3:
        for name, steps in running.items():
            if name not in results:
                try:
                    next(steps)
                    turns += 1
                except StopIteration as done:
                    results[name] = done.value
    assert results == {
        "public": x25519.public_key(one),
        "shared": results["other"],
        "other": x25519.shared(one, public),
    }
    assert turns > 60 or not case.MICROPYTHON
