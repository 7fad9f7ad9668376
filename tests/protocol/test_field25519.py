"""Machine code for numbers modulo p and L, against Python's integers: edges of every range, and random ones."""

from array import array

import case

P = (1 << 255) - 19
L = (1 << 252) + 27742317777372353535851937790883648493
# Products, squares, sums and differences of numbers 0 and 1, products of sums that were not carried, and 0 + 121665 1.
PROGRAM = bytes((
    1, 2, 0, 1, 2, 3, 0, 1, 2, 4, 0, 5, 3, 5, 0, 1, 4, 6, 0, 1, 5, 7, 0, 1, 6, 8, 0, 1,
    1, 9, 5, 6, 1, 10, 6, 6, 2, 11, 5, 1, 7, 12, 0, 1, 0,
))  # fmt: skip

if case.MICROPYTHON:
    from wattpact_protocol.crypto import _ed25519_viper
    from wattpact_protocol.crypto import _scalar25519_viper as scalar
    from wattpact_protocol.crypto._field25519_viper import run


def limbs(number, count=20):
    return array("i", [number >> 13 * k & 8191 for k in range(count)])


def value(numbers, at=0, count=20):
    return sum([numbers[at + k] << 13 * k for k in range(count)])


def is_carried(numbers, at):
    return all(-4 <= numbers[at + k] <= 8191 + 4 for k in range(20))


def check_program(a, b):
    numbers = limbs(a) + limbs(b) + array("i", bytes(880))
    run(array("i", bytes(348)), 0, numbers, PROGRAM)
    expected = {2: a * b, 3: a * a, 4: pow(a, 32, P), 5: a + b, 6: a - b, 7: a + b, 8: a - b, 12: a + 121665 * b}
    expected.update({9: (a + b) * (a - b), 10: (a - b) * (a - b), 11: (a + b) * (a + b)})
    for index, right in expected.items():
        assert (value(numbers, 20 * index) - right) % P == 0, (index, a, b)
        assert index in (5, 6) or is_carried(numbers, 20 * index), (index, a, b)


def test_programs_do_arithmetic_modulo_p():
    if not case.MICROPYTHON:
        return
    bits = case.Bits("field")
    edges = [0, 1, P - 1, P, P + 1, (1 << 255) - 1, (1 << 260) - 1, sum([8191 << 26 * k for k in range(10)])]
    for a in edges:
        for b in edges:
            check_program(a, b)
    for _ in range(100):
        check_program(*[int.from_bytes(bits.bytes(33), "little") & (1 << 260) - 1 for _ in range(2)])


def numbers_around(modulus, size):
    bits = case.Bits("around")
    edges = [multiple * modulus + more for multiple in (0, 1, 2, 3, 31, 32) for more in (-1, 0, 1)]
    edges += [(modulus << shift) + more for shift in (8, 100, 240) for more in (-1, 0, 1)] + [size - 1, size >> 1]
    edges += [int.from_bytes(bits.bytes(67), "little") for _ in range(60)]
    return [edge % size for edge in edges]


def test_canonical_is_modulo_p():
    if not case.MICROPYTHON:
        return
    for number in numbers_around(P, 1 << 260):
        data = bytearray(32)
        x = limbs(number)
        scalar.canonical(x, 0)
        scalar.pack(data, x)
        assert value(x) == number % P == int.from_bytes(data, "little"), number
    for uncarried in ([8191 + 4] * 20, [0, 0, -4] + [0] * 17, [-4] * 20):
        x = array("i", uncarried)
        number = value(x)
        scalar.canonical(x, 0)
        assert value(x) == number % P


def test_reduce_is_modulo_the_order():
    if not case.MICROPYTHON:
        return
    for number in numbers_around(L, 1 << 533):
        x = limbs(number, 41)
        scalar.reduce(x, 0, x, _ed25519_viper._ORDER_LIMBS)
        assert value(x) == number % L and all(0 <= limb < 8192 for limb in x[:20]), number
        unpacked = array("i", bytes(160))
        scalar.unpack(unpacked, number.to_bytes(80, "little"), 40)
        assert value(unpacked, 0, 40) == number & (1 << 520) - 1


def test_products_and_digits_of_scalars():
    if not case.MICROPYTHON:
        return
    for number in numbers_around(L, 1 << 255):
        product, digits, sparse = array("i", bytes(164)), array("i", bytes(80)), bytearray(264)
        scalar.multiply_add(product, 0, product, limbs(number) + limbs((1 << 255) - number) + limbs(number >> 3))
        assert value(product, 0, 41) == number * ((1 << 255) - number) + (number >> 3)
        scalar.recode(digits, limbs(number), _ed25519_viper._ORDER_LIMBS)
        assert (2 * value(digits) - ((1 << 260) - 1) - number) % L == 0
        scalar.nonadjacent(sparse, limbs(number, 21))
        signed = [digit - 256 if digit > 127 else digit for digit in sparse]
        assert sum([digit << place for place, digit in enumerate(signed)]) == number
        assert all(digit == 0 or digit & 1 and -8 < digit < 8 for digit in signed)


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def test_challenges_are_halved():
    if not case.MICROPYTHON:
        return
    bits = case.Bits("halves")
    challenges = [0, 1, 2, L - 1, L >> 1, (1 << 128) - 1, 1 << 128, (1 << 128) + 1, 8 * L >> 120, (8 * L >> 120) + 1]
    challenges += [L // n for n in range(2, 9)] + [1 << n for n in range(100, 252, 8)]
    challenges += [int.from_bytes(bits.bytes(40), "little") % L for _ in range(300)]
    for challenge in challenges:
        u, v = finish(_ed25519_viper._halve_steps(challenge))
        assert (u - challenge * v) % (8 * L) == 0 and v % 2 == 1, challenge
        assert 0 <= u < L and abs(v) < L, challenge
        assert u < 1 << 142 and abs(v) < 1 << 142 or challenge in challenges[:-300], (challenge, u, v)
